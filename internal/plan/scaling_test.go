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

// The peaks of the desk's calendar are those of its pools of bots, unless a pool has its own of that name.
func TestPeaksOfTheDesk(t *testing.T) {
	start := time.Date(2026, 11, 11, 0, 0, 0, 0, time.UTC)
	peak := func(name string, floor int32) v1alpha1.Peak {
		return v1alpha1.Peak{Name: v1alpha1.DNSLabel(name), Start: metav1.Time{Time: start}, End: metav1.Time{Time: start.Add(time.Hour)}, Floor: floor}
	}
	pool, desk := scaledPool(&v1alpha1.PoolScaling{Max: 9, Peaks: []v1alpha1.Peak{peak("own", 2), peak("sale", 3)}})
	counted := v1alpha1.Peak{Name: "launch", Start: metav1.Time{Time: start}, End: metav1.Time{Time: start.Add(time.Hour)}, ExpectedArrivals: 6000}
	unreadable := peak("never", 1)
	unreadable.Recurrence = "FREQ=HOURLY"
	desk.Spec.Calendar = &v1alpha1.Calendar{Peaks: []v1alpha1.Peak{peak("sale", 7), counted, unreadable}}
	at := func(name string, floor int, arrivals float64, ofDesk bool) scaling.Peak {
		return scaling.Peak{Name: name, Start: start, End: start.Add(time.Hour), Floor: floor, ExpectedArrivals: arrivals, OfDesk: ofDesk}
	}
	want := []scaling.Peak{at("launch", 0, 6000, true), at("own", 2, 0, false), at("sale", 3, 0, false)}
	if diff := cmp.Diff(want, plan.Scaling(pool, desk, start).Peaks); diff != "" {
		t.Error(diff)
	}
	pool.Spec.Scaling = nil
	if diff := cmp.Diff([]scaling.Peak{at("launch", 0, 6000, true), at("sale", 7, 0, true)}, plan.Advice(pool, desk, start).Peaks); diff != "" {
		t.Error(diff)
	}
	// What cannot be read is told by the desk, once.
	if _, problems := plan.Pool(&plan.PoolInput{Pool: pool, Desk: desk}); len(problems) > 0 {
		t.Errorf("the pool says %v", problems)
	}
}

// A holiday of the desk is no usual day, by the desk's clock, whether it is written there or comes with the feed.
func TestHolidaysOfTheDesk(t *testing.T) {
	_, desk := scaledPool(nil)
	now := time.Date(2026, 11, 11, 23, 30, 0, 0, time.UTC)
	none := plan.Calendar(desk, "", now)
	if none.Holiday != nil || none.Holidays != 0 || none.Location.String() != "Europe/Berlin" {
		t.Errorf("without a calendar %+v", none)
	}
	desk.Spec.Calendar = &v1alpha1.Calendar{Holidays: &v1alpha1.Holidays{Dates: []v1alpha1.Holiday{{From: "11-01"}, {From: "2026-10-03"}}}}
	written := plan.Calendar(desk, "", now)
	feed := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20261109\r\nSUMMARY:Founders\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	fed := plan.Calendar(desk, feed, now)
	berlin := written.Location
	for _, c := range []struct {
		day, hour    int
		written, fed bool
	}{{1, 0, true, true}, {1, 23, true, true}, {2, 0, false, false}, {9, 12, false, true}, {10, 12, false, false}} {
		at := time.Date(2026, 11, c.day, c.hour, 5, 0, 0, berlin).UTC()
		if got := written.Holiday(at); got != c.written {
			t.Errorf("%s is a holiday: %v", at, got)
		}
		if got := fed.Holiday(at); got != c.fed {
			t.Errorf("with the feed %s is a holiday: %v", at, got)
		}
	}
	if written.Holidays == fed.Holidays || written.Holidays == 0 || written.Holidays != plan.Calendar(desk, "", now.Add(time.Minute)).Holidays {
		t.Error("sets of holidays are not told apart by their numbers")
	}
}
