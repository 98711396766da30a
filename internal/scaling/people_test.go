package scaling_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/calendar"
	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/scaling/erlang"
	"github.com/deskfleet/deskfleet/internal/scaling/roster"
)

var aMonday = time.Date(2026, 10, 5, 0, 0, 0, 0, time.UTC)

// learned is what a pool has learned by a time from a rate of arrivals a minute of conversations of five minutes each.
func learned(t testing.TB, p *scaling.People, until time.Time, rate func(time.Time) float64) *scaling.Memory {
	t.Helper()
	var m scaling.Memory
	for at := aMonday; at.Before(until); at = at.Add(time.Minute) {
		passed := &scaling.Passed{From: at, To: at.Add(time.Minute), Arrivals: rate(at), Handled: []scaling.Lasting{{Seconds: 300, Count: 3}}}
		in := scaling.SeatsInput{Now: passed.To, Concurrency: p.Concurrency, Figures: scaling.Figures{At: passed.To}, People: p, Passed: passed}
		if s := scaling.DecideSeats(&in, &m); s.Stale {
			t.Fatal(s.Reason)
		}
	}
	return &m
}

func officeHours(at time.Time) float64 {
	if h := at.Hour(); h < 8 || h >= 18 {
		return 0
	}
	return 3
}

func officeRoster(t testing.TB, seats int) *roster.Roster {
	t.Helper()
	days := []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
	hours, problems := calendar.Compile(calendar.Declaration{TimeZone: "UTC", OpeningHours: calendar.Shift(days,
		calendar.Period{From: "08:00", To: "18:30"}, []calendar.Period{{From: "12:00", To: "12:30"}})})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return roster.New([]roster.Shift{{Hours: hours, Seats: seats}})
}

// The curve is what the formula asks for: arrivals of comparable days, the handle time, the objective of the queues, the
// shrinkage; beside the roster with its break, and times four where a peak is announced.
func TestPlanOfEightDays(t *testing.T) {
	now := aMonday.AddDate(0, 0, 21).Add(7 * time.Hour)
	p := &scaling.People{
		Concurrency: 2, Shrinkage: 0.3, Roster: officeRoster(t, 16),
		Objectives: []scaling.Objective{scaling.DefaultObjective, {Share: 0.9, Within: 10 * time.Second, MaxAbandonment: 0.02}},
		Peaks: []scaling.Peak{
			{Name: "sale", Start: now.Add(28 * time.Hour), End: now.Add(30 * time.Hour), Multiplier: 4},
			{Name: "few desks", Start: now.Add(30 * time.Hour), End: now.Add(31 * time.Hour), Cap: 5},
			{Name: "night", Start: now.Add(42 * time.Hour), End: now.Add(43 * time.Hour), Floor: 2},
		},
	}
	m := learned(t, p, now, officeHours)
	plan := scaling.PlanSeats(now, p, m.Knowledge())
	if !plan.Start.Equal(now) || len(plan.Steps) != 768 {
		t.Fatalf("it begins at %s with %d steps", plan.Start, len(plan.Steps))
	}
	at := func(hours float64) *scaling.SeatStep {
		return plan.At(now.Add(time.Duration(hours * float64(time.Hour))))
	}
	slots := func(load float64) float64 {
		k := m.Knowledge()
		system := erlang.System{Service: k.HandleTime(), Patience: k.Patience()}
		return float64(erlang.NewTable(system, erlang.Objective{Share: 0.9, Within: 10, MaxAbandonment: 0.02}).Slots(load))
	}
	load := 3.0 / 60 * m.Knowledge().HandleTime()
	usual := int(math.Ceil(slots(load) / 2))
	// The sketch of handle times is a fifth coarse, and forecasts have a known error, so that a seat more is no fault.
	if s := at(7); s.Required < usual || s.Required > usual+2 || math.Abs(s.Arrivals-45) > 1 {
		t.Errorf("at two %d seats are required for %.1f arrivals, want %d", s.Required, s.Arrivals, usual)
	}
	if s := at(7); s.Scheduled != int(math.Ceil(float64(s.Required)/0.7)) || s.Rostered != 16 {
		t.Errorf("at two %d are to be scheduled for %d, and %d are", s.Scheduled, s.Required, s.Rostered)
	}
	if s := at(5.25); s.Rostered != 0 || s.Missing() != s.Scheduled {
		t.Errorf("in the break %+v", *s)
	}
	if s := at(20); s.Required != 0 || s.Scheduled != 0 || s.Rostered != 0 {
		t.Errorf("at night %+v", *s)
	}
	if s, four := at(29.5), int(math.Ceil(slots(4*load)/2)); s.Required < four || s.Required > four+4 {
		t.Errorf("in the sale %d seats are required, want %d", s.Required, four)
	}
	if s := at(30.5); s.Required != 5 {
		t.Errorf("with five desks %d seats are required", s.Required)
	}
	if s := at(42.5); s.Required != 2 || s.Scheduled != 3 {
		t.Errorf("in the declared night %+v", *s)
	}
	if next, ok := plan.Next(now); !ok || !next.From.Equal(now.Add(5*time.Hour)) || !next.Until.Equal(now.Add(5*time.Hour+30*time.Minute)) || next.Seats != at(5.25).Scheduled {
		t.Errorf("the next shortage is %+v, want the break", next)
	}
	if from, seats, ok := plan.Peak(); !ok || seats != at(29.5).Scheduled || from.Before(now.Add(28*time.Hour)) || !from.Before(now.Add(30*time.Hour)) {
		t.Errorf("the peak of %d is at %s", seats, from)
	}
}

// Of a day of which nothing comparable is known the plan says nothing, but for what is announced.
func TestPlanOfWhatNobodyKnows(t *testing.T) {
	now := aMonday.Add(9*time.Hour + 7*time.Minute)
	p := &scaling.People{Concurrency: 1, Shrinkage: 0.5, Peaks: []scaling.Peak{
		{Name: "opening", Start: now.Add(24 * time.Hour), End: now.Add(25 * time.Hour), ExpectedArrivals: 240},
	}}
	plan := scaling.PlanSeats(now, p, nil)
	if !plan.Start.Equal(aMonday.Add(9 * time.Hour)) {
		t.Errorf("it begins at %s", plan.Start)
	}
	if s := plan.At(now); !math.IsNaN(s.Arrivals) || s.Required != scaling.NotKnown || s.Scheduled != scaling.NotKnown || s.Rostered != scaling.NotKnown || s.Missing() != 0 {
		t.Errorf("%+v is known", *s)
	}
	if s := plan.At(now.Add(24*time.Hour + 30*time.Minute)); s.Arrivals != 60 || s.Required < 12 || s.Scheduled != 2*s.Required {
		t.Errorf("in the announced hour %+v", *s)
	}
	if _, ok := plan.Next(now); ok {
		t.Error("without a roster seats are missing")
	}
	if at := plan.At(plan.Start.Add(-time.Second)); at != nil || plan.At(plan.Start.Add(8*24*time.Hour)) != nil {
		t.Error("it knows times that are not in it")
	}
}

// Who has just hung up or been answered makes no seat needless: the arrivals of the last minutes need what the formula says.
func TestSeatsForArrivals(t *testing.T) {
	p := &scaling.People{Concurrency: 1}
	m := learned(t, p, aMonday.Add(12*time.Hour), officeHours)
	now := aMonday.Add(12 * time.Hour)
	in := scaling.SeatsInput{Now: now, Concurrency: 1, Figures: scaling.Figures{At: now, Waiting: 1, InProgress: 2}, SignedOn: 4, People: p}
	s := scaling.DecideSeats(&in, m)
	if s.Required < 15 || s.Required > 22 || s.Shortfall != s.Required-4 {
		t.Errorf("%d are required for 180 arrivals an hour", s.Required)
	}
	if want := "180 arrivals an hour of "; !strings.HasPrefix(s.Reason, want) || !strings.Contains(s.Reason, "1 waiting and 2 in progress need 3 seats") {
		t.Errorf("the reason is %q", s.Reason)
	}
}

// Whatever is declared and learned: no number is negative or unbounded, more load needs no fewer seats, shrinkage asks for
// no fewer, and a peak that multiplies by more than one asks for no fewer.
func TestPlansAreSane(t *testing.T) {
	now := aMonday.AddDate(0, 0, 9).Add(10 * time.Hour)
	k := learned(t, &scaling.People{Concurrency: 1}, now, officeHours).Knowledge()
	rapid.Check(t, func(t *rapid.T) {
		p := &scaling.People{
			Concurrency: rapid.IntRange(0, 200).Draw(t, "concurrency"), Shrinkage: rapid.Float64Range(-1, 2).Draw(t, "shrinkage"),
			Objectives: []scaling.Objective{{Share: rapid.Float64Range(0, 1).Draw(t, "share"), Within: time.Duration(rapid.IntRange(0, 3600).Draw(t, "within")) * time.Second}},
		}
		before := scaling.PlanSeats(now, p, k)
		more := *p
		more.Peaks = []scaling.Peak{{Start: now, End: now.Add(300 * time.Hour), Multiplier: rapid.Float64Range(1, 2000).Draw(t, "multiplier")}}
		after := scaling.PlanSeats(now, &more, k)
		for i := range before.Steps {
			was, is := &before.Steps[i], &after.Steps[i]
			if was.Required < scaling.NotKnown || was.Scheduled < was.Required || was.Required > 100_000 {
				t.Fatalf("step %d: %+v", i, *was)
			}
			if is.Required < was.Required {
				t.Fatalf("step %d: %d seats, and %d with more arrivals", i, was.Required, is.Required)
			}
		}
	})
}

func BenchmarkPlanSeats(b *testing.B) {
	now := aMonday.AddDate(0, 0, 28).Add(10 * time.Hour)
	p := &scaling.People{Concurrency: 3, Shrinkage: 0.3, Roster: officeRoster(b, 16)}
	k := learned(b, p, now, officeHours).Knowledge()
	scaling.PlanSeats(now, p, k)
	for b.Loop() {
		scaling.PlanSeats(now, p, k)
	}
}
