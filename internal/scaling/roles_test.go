package scaling_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/scaling"
)

// A role grows at once with its load, keeps what it needed, and goes down step by step, never below min.
func TestRoleFollowsItsLoad(t *testing.T) {
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	s := scaling.RoleSettings{Min: 2, Max: 10, PerReplica: 1000, Unit: "connections"}
	var m scaling.RoleMemory
	current := 2
	step := func(what string, after time.Duration, load float64, replicas int, fresh bool, want int, reason string) {
		t.Helper()
		now = now.Add(after)
		d := scaling.DecideRole(&s, &scaling.RoleFigures{Load: load, Replicas: replicas, Fresh: fresh}, current, &m, now)
		if d.Replicas != want || !strings.Contains(d.Reason, reason) {
			t.Errorf("%s: %+v, expected %d because of %q", what, d, want, reason)
		}
		current = d.Replicas
		scaling.DecideRole(&s, &scaling.RoleFigures{Load: load, Replicas: replicas, Fresh: fresh}, current, &m, now) // as it was done
	}
	step("idle", 0, 0, 2, true, 2, "0 connections, 1000 a replica")
	step("grows at once", time.Second, 4001, 2, true, 5, "4001 connections")
	step("more than max", time.Second, 40_000, 5, true, 10, "40 are needed, max is 10")
	step("the need is kept", time.Minute, 100, 10, true, 10, "1 are needed"[2:])
	step("silent", 4*time.Minute, 0, 0, false, 10, "not known")
	step("the time of silence is no time of little load", time.Minute, 100, 10, true, 10, "kept")
	step("a replica is silent", 5*time.Minute, 100, 9, true, 10, "9 of 10 replicas tell their load")
	step("it may need more all the same", time.Second, 9_000, 9, true, 10, "9 of 10")
	step("shrinks by one", 6*time.Minute, 100, 10, true, 9, "step by step")
	step("not at once again", time.Second, 100, 9, true, 9, "step by step")
	for want := 8; want >= 2; want-- {
		step("a minute later", time.Minute, 100, current, true, want, "100 connections")
	}
	step("min", time.Hour, 0, 2, true, 2, "0 connections")
	s.Max = 1 // what the author cuts is cut at once
	s.Min = 1
	step("max is less than what there is", time.Second, 1500, 2, true, 1, "max is 1")
}

// Whatever comes in, the decision is within the bounds, what is stale or not complete never shrinks a role, and it never
// shrinks by more than a step.
func TestRoleDecisionsHoldTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scaling.RoleSettings{
			Min: rapid.IntRange(-1, 20).Draw(t, "min"), Max: rapid.IntRange(-1, 50).Draw(t, "max"),
			PerReplica: rapid.SampledFrom([]float64{0, -1, 0.5, 1, 1000, math.NaN(), math.Inf(1)}).Draw(t, "per replica"), Unit: "connections",
		}
		least := max(1, s.Min)
		most := max(least, s.Max)
		var m scaling.RoleMemory
		now, current := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC), rapid.IntRange(0, 60).Draw(t, "current")
		for range 40 {
			now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "seconds")) * time.Second)
			f := scaling.RoleFigures{
				Load:     rapid.OneOf(rapid.Float64Range(0, 60_000), rapid.Float64()).Draw(t, "load"),
				Replicas: rapid.IntRange(0, 60).Draw(t, "replicas"), Fresh: rapid.Bool().Draw(t, "fresh"),
			}
			d := scaling.DecideRole(&s, &f, current, &m, now)
			if d.Replicas < least || d.Replicas > most || d.Reason == "" {
				t.Fatalf("%+v within %d to %d", d, least, most)
			}
			if current <= most && d.Replicas < current {
				if !f.Fresh || f.Replicas < current {
					t.Fatalf("%+v from %d by %+v, which is not known", d, current, f)
				}
				if d.Replicas < current-max(1, current/10) {
					t.Fatalf("%+v from %d", d, current)
				}
			}
			current = d.Replicas
		}
	})
}
