package loop_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers/internal/loop"
	"github.com/deskfleet/deskfleet/internal/status"
)

// TestPanics: whatever part of a reconcile panics, the object says so, nothing
// half-done is written, and what the code panicked with goes to the log alone.
func TestPanics(t *testing.T) {
	fine := func(context.Context) (loop.Outcome, error) { return loop.Outcome{ReadyMessage: "ready"}, nil }
	for _, row := range []struct {
		name    string
		work    loop.Work
		observe loop.Observe
		suspend bool
		says    string
		logs    string
	}{
		{name: "work", work: func(context.Context) (loop.Outcome, error) { panic("swordfish") }, says: "the work on this object; what runs", logs: "swordfish"},
		{name: "work, by the runtime", work: func(context.Context) (loop.Outcome, error) {
			(&v1alpha1.ServiceDesk{}).Spec.Gateway.Replicas++ // the schema's defaults are missing
			return loop.Outcome{}, nil
		}, says: "(runtime error: invalid memory address", logs: "loop_test.go"},
		{name: "observation", work: fine, observe: func() ctrl.Result { panic("swordfish") }, says: "the work on this object; what runs", logs: "swordfish"},
		{name: "observation of a suspended object", work: fine, suspend: true, observe: func() ctrl.Result { panic("swordfish") }, says: "the work on this object; what runs", logs: "swordfish"},
	} {
		t.Run(row.name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			if err := v1alpha1.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			stored := &v1alpha1.ServiceDesk{ObjectMeta: metav1.ObjectMeta{Namespace: "tenant", Name: "shop", Generation: 3}}
			stored.Spec.Suspend = row.suspend
			c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(stored).WithStatusSubresource(stored).Build()
			var log bytes.Buffer
			registry := prometheus.NewRegistry()
			writer := &status.Writer{Client: c, Events: events.NewFakeRecorder(9), Now: time.Now}
			if _, err := loop.New(c, writer, slog.Default(), registry); err != nil { // of another manager
				t.Fatal(err)
			}
			l, err := loop.New(c, writer, slog.New(slog.NewJSONHandler(&log, nil)), registry)
			if err != nil {
				t.Fatal(err)
			}
			desk := &v1alpha1.ServiceDesk{}
			work := func(ctx context.Context) (loop.Outcome, error) {
				desk.Status.Workloads = "half"
				return row.work(ctx)
			}
			var observe []loop.Observe
			if row.observe != nil {
				observe = append(observe, row.observe)
			}
			name := client.ObjectKeyFromObject(stored)
			result, err := l.Run(t.Context(), ctrl.Request{NamespacedName: name}, desk, work, observe...)
			if err != nil || result.RequeueAfter < time.Minute {
				t.Errorf("%+v, %v: it would be tried over and over again", result, err)
			}
			if err := c.Get(t.Context(), name, stored); err != nil {
				t.Fatal(err)
			}
			stalled := meta.FindStatusCondition(stored.Status.Conditions, v1alpha1.ConditionStalled)
			if stalled == nil || stalled.Reason != v1alpha1.ReasonInternalError || !strings.Contains(stalled.Message, row.says) || strings.Contains(stalled.Message, "swordfish") {
				t.Errorf("Stalled is %+v", stalled)
			}
			if stored.Status.Workloads != "" {
				t.Error("what was half done is written")
			}
			if text := log.String(); !strings.Contains(text, row.logs) || !strings.Contains(text, `"stack":"goroutine`) || !strings.Contains(text, `"level":"ERROR"`) {
				t.Errorf("the log says %s", text)
			}
			if n := counted(t, registry); n != 1 {
				t.Errorf("%v panics are counted", n)
			}

			// The next one that goes well takes it back.
			if _, err := l.Run(t.Context(), ctrl.Request{NamespacedName: name}, &v1alpha1.ServiceDesk{}, fine); err != nil {
				t.Fatal(err)
			}
			if err := c.Get(t.Context(), name, stored); err != nil || meta.FindStatusCondition(stored.Status.Conditions, v1alpha1.ConditionStalled) != nil {
				t.Errorf("conditions are %+v (%v)", stored.Status.Conditions, err)
			}
		})
	}
}

func counted(t *testing.T, registry *prometheus.Registry) (n float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "deskfleet_reconcile_panics_total" && metric.GetLabel()[0].GetValue() == v1alpha1.KindServiceDesk {
				n += metric.GetCounter().GetValue()
			}
		}
	}
	return n
}
