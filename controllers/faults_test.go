package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers"
	"github.com/deskfleet/deskfleet/internal/testing/apiserver"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// chance is true for a share of the calls, the same ones in each run of the test.
func chance(share float64) func() bool {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		return random.Float64() < share
	}
}

func isRead(request *http.Request) bool { return request.Method == http.MethodGet }

// TestTransientErrors lets the API server fail: everything converges to the same
// end, nothing is made twice, and nobody is told that a desk which serves is not ready.
func TestTransientErrors(t *testing.T) {
	serve := shop
	change := func(b *bench) { // not of the image: that makes the pool of the same spec roll out, which is no flap
		b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.DisplayName, d.Gateway.Replicas = "Shop", 1 })
		edit(b, &v1alpha1.AgentPool{}, "bots", func(p *v1alpha1.AgentPool) { p.Spec.Replicas = 3 })
	}
	reference := newBench(t)
	reference.startOperator()
	reference.apply(serve)
	reference.allReady()
	made := reference.state()
	change(reference)
	reference.allReady()
	want := reference.end()
	reference.stopOperator()

	for _, row := range []struct {
		name  string
		fault func() func(*http.Request) *http.Response
		// silent faults are dealt with by the client: no condition may speak of them.
		silent bool
	}{
		{name: "409 on 30 % of the writes", silent: true, fault: func() func(*http.Request) *http.Response {
			strikes := chance(0.3)
			return func(r *http.Request) *http.Response {
				if isRead(r) || !strikes() {
					return nil
				}
				return apiserver.Refuse(r, http.StatusConflict, metav1.StatusReasonConflict, 0)
			}
		}},
		{name: "429 with Retry-After on 10 % of the calls", silent: true, fault: func() func(*http.Request) *http.Response {
			strikes := chance(0.1)
			return func(r *http.Request) *http.Response {
				if !strikes() {
					return nil
				}
				return apiserver.Refuse(r, http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, 1)
			}
		}},
		{name: "500 and 503 on 20 % of the calls", fault: func() func(*http.Request) *http.Response {
			strikes, internal := chance(0.2), chance(0.5)
			return func(r *http.Request) *http.Response {
				switch {
				case !strikes():
					return nil
				case internal():
					return apiserver.Refuse(r, http.StatusInternalServerError, metav1.StatusReasonInternalError, 0)
				default:
					return apiserver.Refuse(r, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, 0)
				}
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t)
			b.startOperator()
			history := b.record()
			b.recorder.Fault(row.fault())
			b.apply(serve)
			eventually.Nil(t, "convergence", b.is(made))
			change(b)
			eventually.Nil(t, "convergence after a change", b.is(want.State))
			b.recorder.Fault(nil)
			b.stopOperator()
			if diff := cmp.Diff(want, b.end()); diff != "" {
				t.Errorf("the end is not that of the run without errors (-without +with):\n%s", diff)
			}
			for _, flap := range history.flaps() {
				t.Error(flap)
			}
			if row.silent && history.saw(v1alpha1.ReasonAPIError) {
				t.Error("a condition speaks of an error that goes by itself")
			}
		})
	}
}

// is checks that everything is ready and the state is what it should be.
func (b *bench) is(state string) func() error {
	return func() error {
		if err := b.ready(); err != nil {
			return err
		}
		if diff := cmp.Diff(state, b.state()); diff != "" {
			return errors.New(diff)
		}
		return nil
	}
}

// history is all that the conditions of desks and pools went through.
type history struct {
	mu   sync.Mutex
	seen []moment
}

type moment struct {
	object     string
	generation int64
	ready      metav1.ConditionStatus
	reasons    []string
}

// record follows the conditions of the bench's desks and pools until the test ends.
func (b *bench) record() *history {
	b.t.Helper()
	h := &history{}
	c, err := client.NewWithWatch(cluster, client.Options{Scheme: controllers.Scheme()})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.t.Context())
	b.t.Cleanup(stop)
	for _, list := range []client.ObjectList{&v1alpha1.ServiceDeskList{}, &v1alpha1.AgentPoolList{}} {
		w, err := c.Watch(ctx, list, client.InNamespace(b.namespace))
		if err != nil {
			b.t.Fatal(err)
		}
		go func() {
			for event := range w.ResultChan() {
				if object, ok := event.Object.(fleetObject); ok {
					h.add(object)
				}
			}
		}()
	}
	return h
}

func (h *history) add(object fleetObject) {
	m := moment{object: fmt.Sprintf("%T %s", object, object.GetName()), generation: object.GetGeneration()}
	for _, c := range object.Common().Conditions {
		m.reasons = append(m.reasons, c.Reason)
		if c.Type == v1alpha1.ConditionReady && c.ObservedGeneration == m.generation {
			m.ready = c.Status
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, m)
}

// flaps are objects that were ready with a spec and then, with the same spec, were not.
func (h *history) flaps() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	type key struct {
		object     string
		generation int64
	}
	ready := map[key]bool{}
	var flaps []string
	for _, m := range h.seen {
		k := key{m.object, m.generation}
		if ready[k] && m.ready != metav1.ConditionTrue {
			flaps = append(flaps, fmt.Sprintf("%s of generation %d was ready and is not any more: %s", m.object, m.generation, m.reasons))
		}
		ready[k] = ready[k] || m.ready == metav1.ConditionTrue
	}
	return flaps
}

func (h *history) saw(reason string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.seen, func(m moment) bool { return slices.Contains(m.reasons, reason) })
}

// TestNoChangeIsMissed cuts the watches just before something changes: what
// happened while nobody watched is found out.
func TestNoChangeIsMissed(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	reference := b.state()
	gone := func(r *http.Request) *http.Response {
		if r.URL.Query().Get("watch") == "" {
			return nil
		}
		return apiserver.Refuse(r, http.StatusGone, metav1.StatusReasonExpired, 0)
	}
	for _, row := range []struct {
		name string
		// fault that meets the watches which are opened again
		fault func(*http.Request) *http.Response
	}{{name: "cut"}, {name: "cut, and too old to go on", fault: gone}} {
		t.Run(row.name, func(t *testing.T) {
			b.recorder.Fault(row.fault)
			if n := b.recorder.CutWatches(); n == 0 {
				t.Fatal("there is no watch to cut")
			}
			b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.Gateway.Replicas = 3 })
			edit(b, &corev1.ConfigMap{}, "shop-config", func(c *corev1.ConfigMap) { c.Data["desk.json"] = "{}" })
			if err := b.client.Delete(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "shop-console"}}); err != nil {
				t.Fatal(err)
			}
			b.recorder.Fault(nil)
			eventually.Nil(t, "everything is found out", func() error {
				if err := b.ready(); err != nil {
					return err
				}
				gateway := &appsv1.Deployment{}
				if err := b.get(gateway, "shop-gateway"); err != nil || *gateway.Spec.Replicas != 3 {
					return fmt.Errorf("the gateway has not 3 replicas (%w)", err)
				}
				return b.get(&corev1.Service{}, "shop-console")
			})
			b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.Gateway.Replicas = 2 })
			eventually.Nil(t, "the state before", b.is(reference))
		})
	}
}

// TestWaitingForADeletionMakesNothing deletes a desk in the foreground, so that it
// stays until its children are gone: the operator must not bring those back.
func TestWaitingForADeletionMakesNothing(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	b.recorder.Reset()
	if err := b.client.Delete(t.Context(), b.desk(), client.PropagationPolicy(metav1.DeletePropagationForeground)); err != nil {
		t.Fatal(err)
	}
	if err := b.collect(); err != nil {
		t.Fatal(err)
	}
	b.idle()
	for path := range b.recorder.Created() {
		t.Errorf("%s was made while the desk was being deleted", path)
	}
	if c := meta.FindStatusCondition(b.desk().Status.Conditions, v1alpha1.ConditionReady); c == nil {
		t.Error("the desk is gone although its finalizer stands: the test proves nothing")
	}
}
