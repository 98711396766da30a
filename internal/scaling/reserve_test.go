package scaling_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/scaling"
)

var tiers = []scaling.Tier{
	{Name: "office", Seats: 2, Notice: 10 * time.Minute, Stay: time.Hour, Members: true},
	{Name: "agency", Seats: 4, Notice: time.Hour, Stay: 2 * time.Hour},
}

// reserveAt decides a minute for so many missing seats, of people of whom nobody of the reserve is signed on.
func reserveAt(r *scaling.Reserve, minute, required, signedOn int) map[string]scaling.TierState {
	in := scaling.ReserveInput{Now: at(minute * 60), Tiers: tiers, Seats: scaling.Seats{Required: required}, SignedOn: signedOn}
	states := map[string]scaling.TierState{}
	for _, s := range r.Decide(&in) {
		states[s.Name] = s
	}
	return states
}

func TestReserveIsCalledInOrderAndReleasedInReverse(t *testing.T) {
	var r scaling.Reserve
	for _, step := range []struct {
		minute, required, signedOn int
		office, agency             bool
	}{
		{0, 5, 4, false, false},
		{1, 5, 4, false, false},
		{2, 5, 4, true, false},   // one was missing for two minutes, two come
		{3, 9, 4, true, false},   // five are missing, three besides those
		{5, 9, 4, true, true},    // for two minutes
		{70, 9, 8, true, true},   // the agency's four are taken for there
		{71, 6, 8, true, true},   // two of the agency are spare
		{72, 5, 8, true, true},   // the office's two suffice
		{126, 5, 8, true, false}, // for a quarter of an hour, and two hours are over
		{127, 4, 4, true, false}, // nobody is needed
		{141, 4, 4, true, false},
		{142, 4, 4, false, false},
	} {
		states := reserveAt(&r, step.minute, step.required, step.signedOn)
		if states["office"].Called != step.office || states["agency"].Called != step.agency {
			t.Fatalf("in minute %d: %+v", step.minute, states)
		}
	}
}

// A shortfall that the roster shows is met before it begins: each tier is called by its notice.
func TestReserveIsCalledAheadOfAShortage(t *testing.T) {
	plan := &scaling.SeatPlan{Start: noon, Steps: make([]scaling.SeatStep, 96)}
	for i := range plan.Steps {
		plan.Steps[i] = scaling.SeatStep{Required: 4, Scheduled: 6, Rostered: 6}
		if i >= 12 { // from three on
			plan.Steps[i].Rostered = 3
		}
	}
	var r scaling.Reserve
	called := map[string]int{}
	for minute := range 200 {
		in := scaling.ReserveInput{
			Now: at(minute * 60), Tiers: tiers, Seats: scaling.Seats{Required: 4}, SignedOn: 4, Plan: plan, Shrinkage: 1.0 / 3,
		}
		for _, s := range r.Decide(&in) {
			if _, known := called[s.Name]; s.Called && !known {
				called[s.Name] = minute
			}
		}
	}
	// Two are missing at three. The step before is looked at, too, as it takes time to be sure. The agency is asked first
	// for its notice is longer, and then the office is not needed.
	if diff := cmp.Diff(map[string]int{"agency": 180 - 60 - 15 + 2, "office": 180 - 10 - 15 + 2}, called); diff != "" {
		t.Error(diff)
	}
}

func TestReserveByHand(t *testing.T) {
	var r scaling.Reserve
	in := scaling.ReserveInput{Now: at(0), Tiers: tiers, Seats: scaling.Seats{Required: 1}, SignedOn: 3, ByHand: map[string]scaling.TierState{
		"agency": {Called: true, Since: at(-5), Until: at(600), By: "sara"},
	}}
	want := scaling.TierState{Name: "agency", Called: true, Since: at(-5), Until: at(600), By: "sara"}
	if s := r.Decide(&in)[1]; s != want || s.Words() != "agency was called in by sara until 2026-11-11T12:10:00Z" {
		t.Errorf("%+v, %s", s, s.Words())
	}
	in.Now, in.Seats.Stale = at(599), true
	if s := r.Decide(&in)[1]; s != want {
		t.Errorf("before the end, of a silent desk: %+v", s)
	}
	in.Now = at(600)
	if s := r.Decide(&in)[1]; s.Called || !s.Since.Equal(at(600)) || s.Words() != "agency is released" {
		t.Errorf("at the end: %+v", s)
	}
}

// A restart releases nobody and calls nobody twice.
func TestReserveOutlivesARestart(t *testing.T) {
	var first scaling.Reserve
	for minute := range 10 {
		reserveAt(&first, minute, 5, 4)
	}
	stood := reserveAt(&first, 10, 5, 4)
	var next scaling.Reserve
	next.Restore([]scaling.TierState{stood["office"], stood["agency"]})
	if diff := cmp.Diff(stood, reserveAt(&next, 11, 5, 5)); diff != "" {
		t.Error(diff)
	}
}

// Whatever happens: nobody is called without a need of two minutes, nor released before the minimum stay or while
// they are needed, nor called and released within a quarter of an hour; a tier is never called while the ones before it
// would do; and figures of no use change nothing.
func TestReserveNeverFlaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := make([]scaling.Tier, rapid.IntRange(1, 3).Draw(t, "tiers"))
		for i := range list {
			list[i] = scaling.Tier{
				Name: string(rune('a' + i)), Seats: rapid.IntRange(1, 5).Draw(t, "seats"), Members: true,
				Notice: time.Duration(rapid.IntRange(0, 60).Draw(t, "notice")) * time.Minute, Stay: time.Duration(rapid.IntRange(0, 90).Draw(t, "stay")) * time.Minute,
			}
		}
		var r scaling.Reserve
		before := make([]scaling.TierState, len(list))
		since := make([]time.Time, len(list)) // of the need
		required := 0
		for minute := range 400 {
			now := at(minute * 60)
			if rapid.IntRange(0, 9).Draw(t, "change") == 0 {
				required = rapid.IntRange(0, 15).Draw(t, "required")
			}
			stale := rapid.IntRange(0, 19).Draw(t, "stale") == 0
			states := r.Decide(&scaling.ReserveInput{Now: now, Tiers: list, Seats: scaling.Seats{Required: required, Stale: stale}, SignedOn: 4})
			covered := 0
			for i, s := range states {
				was := before[i]
				needed := required-4-covered > 0
				if stale { // nobody knows the need
				} else if !needed {
					since[i] = time.Time{}
				} else if since[i].IsZero() {
					since[i] = now
				}
				switch {
				case s.Called == was.Called && s != was && was.Name != "":
					t.Fatalf("minute %d: %+v became %+v", minute, was, s)
				case s.Called == was.Called:
				case stale:
					t.Fatalf("minute %d: figures of no use made %+v", minute, s)
				case s.Called && (since[i].IsZero() || now.Sub(since[i]) < scaling.CallAfter):
					t.Fatalf("minute %d: %+v was called and is needed since %s", minute, s, since[i])
				case !s.Called && (needed || now.Before(was.Until) || now.Sub(was.Since) < scaling.ReleaseAfter):
					t.Fatalf("minute %d: %+v was released", minute, was)
				}
				if s.Called {
					covered += list[i].Seats
				}
				before[i] = s
			}
		}
	})
}
