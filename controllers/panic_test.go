package controllers_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// TestPoisonObject gives the renderer a desk that it cannot take: one without the
// schema's defaults, as no API server stores it. That desk says so and is left
// alone; the operator and all other desks go on.
func TestPoisonObject(t *testing.T) {
	b := newBench(t)
	var poisoned sync.Map
	poisoned.Store("shop", true)
	b.cache = func(o *cache.Options) {
		o.DefaultTransform = func(object any) (any, error) {
			if desk, ok := object.(*v1alpha1.ServiceDesk); ok {
				if _, is := poisoned.Load(desk.Name); is {
					desk.Spec.Gateway = nil
				}
			}
			return object, nil
		}
	}
	lines := &logLines{}
	b.log = slog.NewJSONHandler(lines, nil)
	before := panics(t)
	b.startOperator()
	b.apply(shop)
	eventually.Nil(t, "the desk says what happened", func() error {
		return b.condition(v1alpha1.ConditionStalled, v1alpha1.ReasonInternalError, "a defect of the operator broke off the work on this object (runtime error: invalid memory address")
	})
	if c := meta.FindStatusCondition(b.desk().Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, "report the defect") {
		t.Errorf("Ready is %+v", c)
	}

	// The same operator serves another desk.
	corner := b.objects("apiVersion: deskfleet.dev/v1alpha1\nkind: ServiceDesk\nmetadata: {name: corner}\n")[0]
	if err := b.client.Create(t.Context(), corner); err != nil {
		t.Fatal(err)
	}
	eventually.Nil(t, "the other desk has its workloads", func() error {
		for _, name := range []string{"corner-gateway", "corner-router"} {
			if err := b.get(&appsv1.Deployment{}, name); err != nil {
				return err
			}
		}
		return nil
	})
	b.idle() // and the poisoned one is not tried over and over again
	if n := panics(t) - before; n < 1 || n > 10 {
		t.Errorf("the metric counted %v panics", n)
	}
	if text := lines.text(); !strings.Contains(text, "internal/render/desk.go") {
		t.Errorf("no stack in the log:\n%s", text)
	}

	// What is mended serves.
	poisoned.Delete("shop")
	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.DisplayName = "Mended" })
	eventually.Nil(t, "the mended desk is rendered", func() error {
		if err := b.get(&appsv1.Deployment{}, "shop-gateway"); err != nil {
			return err
		}
		if c := meta.FindStatusCondition(b.desk().Status.Conditions, v1alpha1.ConditionStalled); c != nil {
			return fmt.Errorf("still %+v", c)
		}
		return nil
	})
}

// panics that the operators of this process have survived.
func panics(t *testing.T) float64 {
	t.Helper()
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "deskfleet_reconcile_panics_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			if metric.GetLabel()[0].GetValue() == v1alpha1.KindServiceDesk {
				return metric.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// logLines keeps what an operator logs.
type logLines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write implements io.Writer.
func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *logLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}
