package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	wire "github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

func TestPoolShrinksByDrain(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.setReplicas(3)
	eventually.Nil(t, "three workers", func() error {
		if n := d.replicas(); n != 3 {
			return fmt.Errorf("%d replicas", n)
		}
		return nil
	})
	d.pods("bots-a", "bots-b", "bots-c")
	d.workers(wire.Worker{Name: "bots-a", Busy: 2}, wire.Worker{Name: "bots-b", Busy: 1}, wire.Worker{Name: "bots-c"})
	d.until("three are wanted", active(3))
	d.allReady()

	d.setReplicas(1)
	d.until("one is wanted", active(1))
	d.workers(wire.Worker{Name: "bots-a", Busy: 2}, wire.Worker{Name: "bots-b", Busy: 1, Draining: true}, wire.Worker{Name: "bots-c", Draining: true})
	d.until("the status counts those that serve", func(*wire.Reply) error {
		var pool v1alpha1.AgentPool
		if err := d.get(&pool, "bots"); err != nil || pool.Status.Replicas != 1 {
			return fmt.Errorf("status.replicas is %d (%w)", pool.Status.Replicas, err)
		}
		return nil
	})
	if n := d.replicas(); n != 3 {
		t.Fatalf("%d replicas, although nobody has nothing left", n)
	}

	// The emptiest is done: it goes, and no other.
	d.workers(wire.Worker{Name: "bots-a", Busy: 2}, wire.Worker{Name: "bots-b", Busy: 1, Draining: true}, wire.Worker{Name: "bots-c", Draining: true, Drained: true})
	d.until("bots-c is given up", func(reply *wire.Reply) error {
		if !slices.Equal(reply.Pools["bots"].Leaving, []string{"bots-c"}) {
			return fmt.Errorf("leaving are %v", reply.Pools["bots"].Leaving)
		}
		return nil
	})
	d.idle()
	if n := d.replicas(); n != 2 || !slices.Equal(d.givenUp(), []string{"bots-c"}) {
		t.Fatalf("%d replicas, given up are %v", n, d.givenUp())
	}

	// Its pod is gone before the desk hears of it: it must not be taken off twice.
	if err := d.client.Delete(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: "bots-c"}}, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	d.allReady()
	d.idle()
	d.until("the status counts the pods that are there", func(*wire.Reply) error {
		var pool v1alpha1.AgentPool
		if err := d.get(&pool, "bots"); err != nil || pool.Status.Replicas != 1 {
			return fmt.Errorf("status.replicas is %d (%w)", pool.Status.Replicas, err)
		}
		return nil
	})
	d.pods("bots-c")

	// The author changes their mind before it is gone: who serves again is no longer first to go.
	d.setReplicas(3)
	d.until("three are wanted again", active(3))
	d.workers(wire.Worker{Name: "bots-a", Busy: 2}, wire.Worker{Name: "bots-b", Busy: 1}, wire.Worker{Name: "bots-c"})
	d.until("nobody is given up", func(*wire.Reply) error {
		if marked, n := d.givenUp(), d.replicas(); len(marked) > 0 || n != 3 {
			return fmt.Errorf("%d replicas, given up are %v", n, marked)
		}
		return nil
	})
	// A silent desk keeps what it has.
	d.setReplicas(1)
	d.idle()
	if n := d.replicas(); n != 3 {
		t.Errorf("%d replicas of a desk that does not say what they do", n)
	}
}

// A desk that is silent for long must not keep its author from taking its workers away.
func TestAuthorsWordIsCarriedOutForASilentDesk(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.setReplicas(3)
	eventually.Nil(t, "three workers", func() error {
		if n := d.replicas(); n != 3 {
			return fmt.Errorf("%d replicas", n)
		}
		return nil
	})
	d.pods("bots-a", "bots-b", "bots-c")
	d.setReplicas(1)
	d.idle()
	if n := d.replicas(); n != 3 {
		t.Fatalf("%d replicas of a desk that has been silent for a moment", n)
	}
	d.ahead.Store(int64(2 * time.Minute))
	eventually.Nil(t, "one worker, and a condition that says how", func() error {
		pool := &v1alpha1.AgentPool{}
		if err := d.get(pool, "bots"); err != nil {
			return err
		}
		c := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.ConditionScalingActive)
		if n := d.replicas(); n != 1 || c == nil || c.Reason != v1alpha1.ReasonShrunkWithoutDrain || !strings.Contains(c.Message, "without a drain") {
			return fmt.Errorf("%d replicas, condition %+v", n, c)
		}
		return nil
	})
	d.workers(wire.Worker{Name: "bots-a"})
	d.until("the condition goes when the desk speaks again", func(*wire.Reply) error {
		pool := &v1alpha1.AgentPool{}
		if err := d.get(pool, "bots"); err != nil {
			return err
		}
		if c := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.ConditionScalingActive); c != nil {
			return fmt.Errorf("it says %+v", c)
		}
		return nil
	})
}

// Reports that say the same, and restarts, cost no write.
func TestLinkedDeskIsQuiet(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.pods("bots-a")
	d.workers(wire.Worker{Name: "bots-a", Busy: 1})
	d.until("one is wanted", active(1))
	d.allReady()
	d.settled()
	before := d.mounted()
	d.recorder.Reset()
	seen := 0
	d.until("five reports", func(*wire.Reply) error {
		if seen++; seen < 5 {
			return errors.New("not yet")
		}
		return nil
	})
	d.idle()
	if writes := d.recorder.Writes(); len(writes) > 0 {
		t.Errorf("an idle desk that reports costs %v", writes)
	}
	d.stopOperator()
	d.recorder.Reset()
	d.startOperator()
	d.until("the new operator answers", active(1))
	d.allReady()
	if writes := d.recorder.Writes(); len(writes) > 0 {
		t.Errorf("a restart costs %v", writes)
	}
	if after := d.mounted(); after != before {
		t.Errorf("the configuration changed: %s", cmp.Diff(before, after))
	}
}

// A change reaches a running desk in the reply; the mounted copy says the same.
func TestConfigurationTravelsOverTheLink(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	first := d.store.Current().Document
	if first.Link == nil || first.Link.Host != "deskfleet-link."+d.namespace+".svc" || first.Link.Port != wire.Port || first.Generation == 0 {
		t.Fatalf("link %+v, generation %d", first.Link, first.Generation)
	}
	var router appsv1.Deployment
	if err := d.get(&router, "shop-router"); err != nil || !slices.Contains(router.Spec.Template.Spec.Containers[0].Args, "--link-token=/etc/deskfleet/link/token") {
		t.Errorf("the router runs with %v (%v)", router.Spec.Template.Spec.Containers[0].Args, err)
	}
	d.editDesk(func(s *v1alpha1.ServiceDeskSpec) { s.DisplayName = "Shop of the year" })
	d.until("the desk has its new name", func(*wire.Reply) error {
		if got := d.store.Current().Document; got.DisplayName != "Shop of the year" || got.Generation <= first.Generation {
			return fmt.Errorf("the desk runs %q of generation %d", got.DisplayName, got.Generation)
		}
		return nil
	})
	d.idle()
	if mounted := d.mounted(); runtimeconfig.Revision([]byte(mounted)) != d.store.Current().Revision {
		t.Error("the mounted configuration is another one")
	}

	// A former leader with a clock far ahead has left the desk with a configuration that counts as newer.
	foreign := *d.store.Current().Document
	foreign.Generation, foreign.DisplayName = time.Now().Add(24*time.Hour).UnixMilli(), "Shop of tomorrow"
	data, err := foreign.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.store.Offer(data); err != nil {
		t.Fatal(err)
	}
	d.until("the desk comes back", func(*wire.Reply) error {
		if got := d.store.Current().Document; got.DisplayName != "Shop of the year" {
			return fmt.Errorf("the desk runs %q of generation %d", got.DisplayName, got.Generation)
		}
		return nil
	})
}

// altered changes the signature in its middle: the last character holds bits that a decoder may overlook.
func altered(token string) string {
	at := len(token) - 100
	return token[:at] + strings.Map(func(r rune) rune {
		if r == 'A' {
			return 'B'
		}
		return 'A'
	}, token[at:at+1]) + token[at+1:]
}

// Tokens that a real API server signs, for others.
func TestOnlyTheDeskItselfReports(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	stranger := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: "stranger"}}
	if err := d.client.Create(t.Context(), stranger); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ token, want string }{
		"another account":        {d.token("stranger", wire.Audience), "status 403"},
		"for the API server":     {d.token("shop-desk", "https://kubernetes.default.svc"), "status 401"},
		"altered":                {altered(d.token("shop-desk", wire.Audience)), "status 401"},
		"no token":               {"", "status 401"},
		"of a person, not a pod": {"hunter2", "status 401"},
	} {
		if _, err := d.post(c.token); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, expected %s", name, err, c.want)
		}
	}
	if _, err := d.post(d.token("shop-desk", wire.Audience)); err != nil {
		t.Errorf("the desk itself: %v", err)
	}
	if err := d.client.Delete(t.Context(), d.desk()); err != nil {
		t.Fatal(err)
	}
	token := d.token("shop-desk", wire.Audience)
	eventually.Nil(t, "a deleted desk is refused", func() error {
		if _, err := d.post(token); err == nil || !strings.Contains(err.Error(), "status 404") {
			return fmt.Errorf("a desk that is gone: %w", err)
		}
		return nil
	})
}

// A manager that does not lead keeps what it hears, and wants nothing.
func TestStandbyHearsAndWantsNothing(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.workers(wire.Worker{Name: "bots-a"})
	d.until("the leader wants", active(1))
	d.settled()
	d.stopOperator()
	now := metav1.NowMicro()
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: leaseName},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("another"), LeaseDurationSeconds: new(int32(3600)), AcquireTime: &now, RenewTime: &now,
		},
	}
	if err := d.client.Create(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	d.standby = true
	d.recorder.Reset()
	d.startOperator()
	d.until("the standby hears", func(reply *wire.Reply) error {
		if reply.Leads || len(reply.Pools) > 0 || reply.Revision != "" {
			return fmt.Errorf("it says %+v", reply)
		}
		return nil
	})
	// The lease ends: it leads with what it has heard already.
	if err := d.client.Delete(context.WithoutCancel(t.Context()), lease); err != nil {
		t.Fatal(err)
	}
	d.until("it leads", active(1))
	d.allReady()
	if writes := d.recorder.Writes(); len(writes) > 0 {
		t.Errorf("a change of the lead costs %v", writes)
	}
}
