package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

func scaledPool(s *v1alpha1.PoolScaling) (*v1alpha1.AgentPool, *v1alpha1.ServiceDesk) {
	pool := &v1alpha1.AgentPool{ObjectMeta: metav1.ObjectMeta{Name: "bots"}}
	pool.Spec = v1alpha1.AgentPoolSpec{Type: v1alpha1.PoolTypeBot, Concurrency: 5, Scaling: s}
	return pool, &v1alpha1.ServiceDesk{Spec: v1alpha1.ServiceDeskSpec{TimeZone: "Europe/Berlin"}}
}

// Each field of the declaration reaches the decision.
func TestScalingIsConverted(t *testing.T) {
	start := time.Date(2026, 3, 25, 8, 0, 0, 0, time.UTC) // 9 o'clock in Berlin
	pool, desk := scaledPool(&v1alpha1.PoolScaling{
		Min: new(int32(2)), Max: 9, Forecast: v1alpha1.ForecastRaise, LeadTime: "90s", FallbackReplicas: 4,
		Objective: &v1alpha1.PoolObjective{Percent: 95, MaxAbandonmentPercent: 1},
		ScaleDown: &v1alpha1.ScaleDown{Hold: "2m", MaxPercentPerMinute: 25},
		Budget:    &v1alpha1.ScalingBudget{AgentHoursPerDay: 50, WhenSpent: v1alpha1.BudgetAllowPanic},
		Peaks: []v1alpha1.Peak{{
			Name: "standup", Start: metav1.Time{Time: start}, End: metav1.Time{Time: start.Add(time.Hour)}, Recurrence: "FREQ=WEEKLY",
			Except: []v1alpha1.Date{"2026-04-15"}, MultiplierPercent: 250, Floor: 3, Cap: 8,
		}},
	})
	s := plan.Scaling(pool, desk, start.Add(24*time.Hour))
	occurrence := func(at time.Time) scaling.Peak {
		return scaling.Peak{Name: "standup", Start: at, End: at.Add(time.Hour), Multiplier: 2.5, Floor: 3, Cap: 8}
	}
	// The clocks go forward on March 29: at nine it is 7 o'clock in UTC then.
	peaks := []scaling.Peak{occurrence(time.Date(2026, 4, 1, 7, 0, 0, 0, time.UTC)), occurrence(time.Date(2026, 4, 8, 7, 0, 0, 0, time.UTC))}
	if diff := cmp.Diff(peaks, s.Peaks); diff != "" {
		t.Error(diff)
	}
	if s.Calendar.Location.String() != "Europe/Berlin" {
		t.Errorf("the day begins in %s", s.Calendar.Location)
	}
	s.Peaks, s.Calendar.Location = nil, nil
	want := &scaling.Settings{
		Concurrency: 5, Min: 2, Max: 9, Forecast: scaling.ForecastRaise, Lead: 90 * time.Second, Fallback: 4, Hold: 2 * time.Minute, MaxPercentPerMinute: 25,
		Objective: scaling.Objective{Share: 0.95, Within: 20 * time.Second, MaxAbandonment: 0.01},
		Budget:    &scaling.Budget{AgentHours: 50, WhenSpent: scaling.BudgetAllowPanic},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
	// Without a declaration the defaults hold, and without scaling nothing does.
	pool, desk = scaledPool(&v1alpha1.PoolScaling{Max: 3, Objective: &v1alpha1.PoolObjective{OccupancyPercent: 75}})
	if s := plan.Scaling(pool, desk, start); s.Min != 1 || s.Objective.Occupancy != 0.75 || s.Objective.Within != 20*time.Second {
		t.Errorf("%+v", s)
	}
	pool, desk = scaledPool(nil)
	if s := plan.Scaling(pool, desk, start); s != nil {
		t.Errorf("%+v without scaling", s)
	}
}

// A rule that the schema takes and nobody can read is told, and the rest of the pool goes on.
func TestPeaksThatCannotBeRead(t *testing.T) {
	start := time.Date(2026, 11, 11, 0, 0, 0, 0, time.UTC)
	pool, desk := scaledPool(&v1alpha1.PoolScaling{Max: 3, Peaks: []v1alpha1.Peak{
		{Name: "good", Start: metav1.Time{Time: start}, End: metav1.Time{Time: start.Add(time.Hour)}, Floor: 2},
		{Name: "bad", Start: metav1.Time{Time: start}, End: metav1.Time{Time: start.Add(time.Hour)}, Floor: 2, Recurrence: "FREQ=HOURLY"},
	}})
	planned, problems := plan.Pool(&plan.PoolInput{Pool: pool, Desk: desk})
	if planned == nil || len(problems) != 1 {
		t.Fatalf("%d problems: %v", len(problems), problems)
	}
	p := problems[0]
	if p.Severity != plan.Terminal || p.Field != "spec.scaling.peaks[1].recurrence" || !strings.Contains(p.Message, "HOURLY") || !strings.Contains(p.Remedy, "without this peak") {
		t.Errorf("%+v", p)
	}
	if s := plan.Scaling(pool, desk, start); len(s.Peaks) != 1 || s.Peaks[0].Name != "good" {
		t.Errorf("peaks %+v", s.Peaks)
	}
}
