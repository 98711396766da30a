package controllers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	wire "github.com/deskfleet/deskfleet/internal/link"
)

// flows lets minutes pass in which perMinute customers come to the bots, and each of them has one for a minute.
func (d *desk) flows(minutes, perMinute int) {
	d.t.Helper()
	token := d.token("shop-desk", wire.Audience)
	p := &d.report.Pools[0]
	for range minutes * 6 {
		d.ahead.Add(int64(10 * time.Second))
		f := *p.Flow
		came := uint64(perMinute / 6)
		f.Arrived, f.Started, f.Ended = f.Arrived+came, f.Started+came, f.Ended+came
		f.Handled = []wire.Lasting{{Seconds: 60, Count: f.Ended}}
		f.Ages = []wire.Lasting{{Seconds: 30, Count: uint64(p.InProgress)}}
		p.Flow = &f
		if _, err := d.post(token); err != nil {
			d.t.Fatal(err)
		}
	}
}

// What a router tells of its flow decides about the pool, and the status shows each proposal.
func TestFlowIsExplained(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.scaled(&v1alpha1.PoolScaling{
		Max: 40, Objective: &v1alpha1.PoolObjective{Percent: 90, Within: "10s"}, LeadTime: "45s",
		Peaks: []v1alpha1.Peak{{
			Name: "sale", Start: metav1.NewTime(time.Now().Add(24 * time.Hour)), End: metav1.NewTime(time.Now().Add(26 * time.Hour)), Floor: 30, MultiplierPercent: 300,
		}},
	})
	d.workers(wire.Worker{Name: "bots-a", Slots: 5, Busy: 5})
	d.report.Pools[0].InProgress, d.report.Pools[0].Flow = 60, &wire.Flow{}
	d.flows(12, 60)
	d.until("the load is explained", func(*wire.Reply) error {
		s := d.pool("bots").Status.Scaling
		if s == nil || len(s.Proposals) != 2 {
			return fmt.Errorf("status.scaling is %+v", s)
		}
		feedback, load := s.Proposals[0], s.Proposals[1]
		if feedback.Name != "feedback" || feedback.Agents != 12 || load.Name != "load" || load.Load < 40 || load.ArrivalsPerHour < 3000 || load.ArrivalsPerHour > 4200 {
			return fmt.Errorf("proposals %+v", s.Proposals)
		}
		if s.LeadTime != "45s" || s.Next == nil || s.Next.Peak != "sale" || s.Next.Phase != "Begins" || s.Next.Floor != 30 || s.Needed < 12 || s.Recommended < 12 {
			return fmt.Errorf("status.scaling is %+v, next %+v", s, s.Next)
		}
		return nil
	})
	// The day's hours would not last: the condition says so in words, with what it costs the customers.
	d.scaled(&v1alpha1.PoolScaling{Max: 40, Budget: &v1alpha1.ScalingBudget{AgentHoursPerDay: 1, WhenSpent: v1alpha1.BudgetHoldFloor}})
	d.flows(6, 60)
	d.says("bots", v1alpha1.ConditionScalingLimited, metav1.ConditionTrue, v1alpha1.ReasonBudgetLimits, "the budget of 1 agent-hours a day allows")
	c := meta.FindStatusCondition(d.pool("bots").Status.Conditions, v1alpha1.ConditionScalingLimited)
	if !strings.Contains(c.Message, "will be answered in time") || !strings.Contains(c.Message, "raise spec.scaling.budget.agentHoursPerDay") {
		t.Errorf("it says %q", c.Message)
	}
}
