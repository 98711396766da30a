package controllers_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/status"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// TestEventsTellTransitions: of a desk that comes up piece by piece and is ready
// there is one event a transition, and no Warning.
func TestEventsTellTransitions(t *testing.T) {
	b := newBench(t)
	b.startOperator()
	objects := b.objects(shop)
	desk := slices.IndexFunc(objects, func(o client.Object) bool { return o.GetName() == "shop" })
	if err := b.client.Create(t.Context(), objects[desk]); err != nil {
		t.Fatal(err)
	}
	eventually.Nil(t, "the desk waits", func() error {
		return b.condition(v1alpha1.ConditionReconciling, v1alpha1.ReasonReferenceMissing, "")
	})
	for _, object := range slices.Delete(slices.Clone(objects), desk, desk+1) {
		if err := b.client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	b.allReady()
	eventually.Nil(t, "the event of being ready", func() error {
		if !slices.Contains(b.deskEvents(), "Normal Ready") {
			return fmt.Errorf("events are %q", b.deskEvents())
		}
		return nil
	})
	told := b.deskEvents()
	for _, event := range told {
		if !strings.HasPrefix(event, "Normal ") {
			t.Errorf("%s, although everything came by itself", event)
		}
	}
	b.stopOperator()
	b.startOperator()
	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.DisplayName = "Shop" })
	b.allReady()
	b.stopOperator() // it writes its last events before it ends
	if now := b.deskEvents(); !slices.Equal(now, told) {
		t.Errorf("events are %q, after %q a desk that stayed ready had nothing to tell", now, told)
	}
}

// deskEvents are the events of desk shop as "Type Reason", sorted.
func (b *bench) deskEvents() []string {
	b.t.Helper()
	var list eventsv1.EventList
	if err := b.client.List(b.t.Context(), &list, client.InNamespace(b.namespace)); err != nil {
		b.t.Fatal(err)
	}
	var events []string
	for _, e := range list.Items {
		if e.Regarding.Kind == v1alpha1.KindServiceDesk && e.Regarding.Name == "shop" {
			events = append(events, e.Type+" "+e.Reason)
		}
	}
	slices.Sort(events)
	return events
}

// TestEventOfADyingNamespaceIsNoError: the API server takes no event there, which
// is nothing that an operator of the cluster should look into.
func TestEventOfADyingNamespaceIsNoError(t *testing.T) {
	b := newBench(t)
	lines := &logLines{}
	b.log = status.Quiet(slog.NewJSONHandler(lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.apply(shop)
	b.startOperator()
	b.allReady()
	if err := b.client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b.namespace}}); err != nil {
		t.Fatal(err)
	}
	if err := b.client.Delete(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "shop-console"}}); err != nil {
		t.Fatal(err)
	}
	eventually.Nil(t, "an event is refused", func() error {
		if !strings.Contains(lines.text(), "Server rejected event") {
			return errors.New("none is")
		}
		return nil
	})
	b.idle()
	for _, line := range lines.errors(t) {
		t.Errorf("logged as an error: %s", line)
	}
}

// errors are the lines of level ERROR.
func (l *logLines) errors(t *testing.T) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(l.text()) {
		var record struct{ Level string }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record.Level == slog.LevelError.String() {
			lines = append(lines, line)
		}
	}
	return lines
}
