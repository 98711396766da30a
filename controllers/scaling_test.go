package controllers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	wire "github.com/deskfleet/deskfleet/internal/link"
)

// scaled gives the pool of bots a scaling.
func (d *desk) scaled(s *v1alpha1.PoolScaling) {
	d.t.Helper()
	edit(d.bench, &v1alpha1.AgentPool{}, "bots", func(p *v1alpha1.AgentPool) { p.Spec.Scaling = s })
}

func (d *desk) pool(name string) *v1alpha1.AgentPool {
	d.t.Helper()
	pool := &v1alpha1.AgentPool{}
	if err := d.get(pool, name); err != nil {
		d.t.Fatal(err)
	}
	return pool
}

// says waits until a pool has a condition whose message holds a text.
func (d *desk) says(name, condition string, value metav1.ConditionStatus, reason, text string) {
	d.t.Helper()
	d.until(fmt.Sprintf("%s says %s=%s %s", name, condition, value, reason), func(*wire.Reply) error {
		c := meta.FindStatusCondition(d.pool(name).Status.Conditions, condition)
		if c == nil || c.Status != value || c.Reason != reason || !strings.Contains(c.Message, text) {
			return fmt.Errorf("it says %+v", c)
		}
		return nil
	})
}

func TestPoolFollowsTheLoad(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.scaled(&v1alpha1.PoolScaling{Max: 4, Peaks: []v1alpha1.Peak{
		{Name: "next", Start: metav1.NewTime(time.Now().Add(time.Hour)), End: metav1.NewTime(time.Now().Add(2 * time.Hour)), Floor: 3},
	}})
	d.workers(wire.Worker{Name: "bots-a", Busy: 1})
	d.says("bots", v1alpha1.ConditionScalingLimited, metav1.ConditionFalse, v1alpha1.ReasonWithinBounds, "need 1 worker")
	d.report.Queues = []wire.Queue{{Name: "bot", Waiting: 40}}
	d.says("bots", v1alpha1.ConditionScalingLimited, metav1.ConditionTrue, v1alpha1.ReasonMaxReached, "40 waiting and 1 in progress need 9 workers of 5 slots")
	d.until("four workers", func(reply *wire.Reply) error {
		if n := d.replicas(); n != 4 {
			return fmt.Errorf("%d replicas", n)
		}
		return active(4)(reply)
	})
	d.idle()
	pool := d.pool("bots")
	s := pool.Status.Scaling
	if s == nil || s.Recommended != 4 || s.At.IsZero() || !strings.Contains(s.Reason, "max 4 limits") || !strings.Contains(s.Reason, "peak next begins at") {
		t.Errorf("status.scaling is %+v", s)
	}
	if pool.Status.Required != 4 || pool.Status.Waiting != 40 {
		t.Errorf("%d required, %d waiting", pool.Status.Required, pool.Status.Waiting)
	}
	var deployment appsv1.Deployment
	if err := d.get(&deployment, "bots-worker"); err != nil {
		t.Fatal(err)
	}
	owners := 0
	for _, entry := range deployment.ManagedFields {
		if strings.Contains(entry.FieldsV1.GetRawString(), `"f:replicas"`) && entry.Subresource == "" {
			if owners++; entry.Manager != v1alpha1.FieldOwnerScaling {
				t.Errorf("replicas belong to %s", entry.Manager)
			}
		}
	}
	if owners != 1 || pool.Spec.Replicas != 1 {
		t.Errorf("%d owners of the number, and spec.replicas is %d: a spec is its author's alone", owners, pool.Spec.Replicas)
	}

	// The wave is over: within the minute nobody goes, and a new operator starts without a write.
	d.report.Queues = nil
	d.until("the wave is over", active(4))
	d.allReady()
	before := d.pool("bots").Status.Scaling
	d.stopOperator()
	d.recorder.Reset()
	d.startOperator()
	d.idle()
	if writes := d.recorder.Writes(); len(writes) > 0 {
		t.Errorf("a restart during the hold costs %v", writes)
	}
	if n := d.replicas(); n != 4 {
		t.Errorf("%d replicas after the restart", n)
	}
	if after := d.pool("bots").Status.Scaling; !after.At.Equal(before.At) || after.Recommended != 4 {
		t.Errorf("the decision was made anew: %+v, was %+v", after, before)
	}
}

// An idle pool with scaling is as quiet as one without.
func TestScalingIdlesQuietly(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.scaled(&v1alpha1.PoolScaling{Max: 4})
	d.workers(wire.Worker{Name: "bots-a"})
	d.report.Pools = append(d.report.Pools, wire.Pool{Name: "people", SignedOn: 1, Slots: 5})
	d.says("bots", v1alpha1.ConditionScalingActive, metav1.ConditionTrue, v1alpha1.ReasonFollowsLoad, "")
	d.says("people", v1alpha1.ConditionStaffed, metav1.ConditionTrue, v1alpha1.ReasonEnoughSeats, "")
	d.allReady()
	for _, restart := range []bool{false, true, true} {
		if restart {
			d.stopOperator()
			d.recorder.Reset()
			d.startOperator()
		}
		d.recorder.Reset()
		seen := 0
		d.until("reports", func(reply *wire.Reply) error {
			if seen++; seen < 4 {
				return errors.New("not yet")
			}
			return active(1)(reply)
		})
		d.allReady()
		if writes := d.recorder.Writes(); len(writes) > 0 {
			t.Errorf("restart %v: %v", restart, writes)
		}
	}
}

func TestMissingSeatsAreTold(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.report.Queues = []wire.Queue{{Name: "general", Waiting: 9}}
	d.report.Pools = []wire.Pool{{Name: "people", SignedOn: 1, Slots: 5, InProgress: 4}}
	d.says("people", v1alpha1.ConditionStaffed, metav1.ConditionFalse, v1alpha1.ReasonSeatsMissing, "9 waiting and 4 in progress need 3 seats of 5 slots; 1 signed on")
	pool := d.pool("people")
	if s := pool.Status; s.Required != 3 || s.Shortfall != 2 || s.SignedOn != 1 || s.Waiting != 9 || s.Busy != 4 {
		t.Errorf("status %+v", s)
	}
	if !meta.IsStatusConditionTrue(pool.Status.Conditions, v1alpha1.ConditionReady) {
		t.Error("a pool that lacks people is not ready: no pipeline could cure it")
	}
	d.report.Pools[0].SignedOn, d.report.Pools[0].Slots = 3, 15
	d.says("people", v1alpha1.ConditionStaffed, metav1.ConditionTrue, v1alpha1.ReasonEnoughSeats, "3 signed on")
}
