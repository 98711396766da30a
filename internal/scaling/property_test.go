package scaling_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/scaling"
)

func drawSettings(t *rapid.T) scaling.Settings {
	s := scaling.Settings{
		Concurrency: rapid.IntRange(-1, 200).Draw(t, "concurrency"),
		Min:         rapid.IntRange(0, 20).Draw(t, "min"),
	}
	s.Max = s.Min + rapid.IntRange(0, 1000).Draw(t, "room")
	for range rapid.IntRange(0, 3).Draw(t, "peaks") {
		start := rapid.IntRange(-200, 200).Draw(t, "start")
		s.Peaks = append(s.Peaks, scaling.Peak{
			Name: "p", Start: at(start), End: at(start + rapid.IntRange(-10, 200).Draw(t, "length")), Floor: rapid.IntRange(0, 2000).Draw(t, "floor"),
		})
	}
	return s
}

func drawFigures(t *rapid.T, now time.Time) scaling.Figures {
	if rapid.Bool().Draw(t, "never") {
		return scaling.Figures{}
	}
	count := rapid.OneOf(rapid.IntRange(0, 50), rapid.Int())
	return scaling.Figures{
		At:      now.Add(-time.Duration(rapid.IntRange(-5, 30).Draw(t, "age")) * time.Second),
		Waiting: count.Draw(t, "waiting"), InProgress: count.Draw(t, "in progress"),
	}
}

// Whatever is reported, and however the clock runs, the decision stays in bounds,
// never shrinks or grows a silent pool, and never goes under the need.
func TestDecisionsKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		settings := drawSettings(t)
		current := rapid.IntRange(0, 2000).Draw(t, "current")
		var m scaling.Memory
		now := noon
		for range rapid.IntRange(1, 30).Draw(t, "ticks") {
			now = now.Add(time.Duration(rapid.IntRange(-20, 90).Draw(t, "step")) * time.Second)
			in := scaling.Input{Now: now, Settings: settings, Figures: drawFigures(t, now), Current: current}
			d := scaling.Decide(&in, &m)
			if d.Workers < 0 || d.Need < 0 || d.Reason == "" {
				t.Fatalf("%+v", d)
			}
			floor := settings.Min
			for _, p := range settings.Peaks {
				if !now.Before(p.Start.Add(-d.Lead)) && now.Before(p.End) {
					floor = max(floor, p.Floor)
				}
			}
			judge(t, &in, &d, min(floor, settings.Max))
			current = d.Workers
		}
	})
}

func judge(t *rapid.T, in *scaling.Input, d *scaling.Decision, floor int) {
	fresh := in.Figures.Fresh(in.Now)
	switch most := in.Settings.Max; {
	case fresh && (d.Workers < floor || d.Workers > most):
		t.Fatalf("%d workers are outside %d to %d", d.Workers, floor, most)
	case fresh && d.Workers < min(d.Need, most):
		t.Fatalf("%d workers, %d are needed, max is %d", d.Workers, d.Need, most)
	case !fresh && d.Workers != max(in.Current, floor):
		t.Fatalf("%d workers without figures, there are %d and %d were declared", d.Workers, in.Current, floor)
	case fresh == (d.Limiter == scaling.LimiterStale):
		t.Fatalf("fresh is %v and the limiter %q", fresh, d.Limiter)
	}
}

// More load never means fewer workers.
func TestDecisionIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		settings := drawSettings(t)
		var less, more scaling.Memory
		current := rapid.IntRange(0, 100).Draw(t, "current")
		for i := range rapid.IntRange(1, 40).Draw(t, "ticks") {
			now := at(i * 3)
			low := scaling.Figures{At: now, Waiting: rapid.IntRange(0, 5000).Draw(t, "waiting"), InProgress: rapid.IntRange(0, 5000).Draw(t, "in progress")}
			high := low
			high.Waiting += rapid.IntRange(0, 1000).Draw(t, "more waiting")
			high.InProgress += rapid.IntRange(0, 1000).Draw(t, "more in progress")
			a := scaling.Decide(&scaling.Input{Now: now, Settings: settings, Figures: low, Current: current}, &less)
			b := scaling.Decide(&scaling.Input{Now: now, Settings: settings, Figures: high, Current: current}, &more)
			if a.Workers > b.Workers {
				t.Fatalf("%+v gets %d workers, %+v gets %d", low, a.Workers, high, b.Workers)
			}
		}
	})
}

// A pool never shrinks under what was needed within the hold.
func TestHoldIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		settings := scaling.Settings{Concurrency: 1, Max: 1 << 20}
		type seen struct {
			at   time.Time
			need int
		}
		var history []seen
		var m scaling.Memory
		now, current := noon, 0
		for range rapid.IntRange(2, 80).Draw(t, "ticks") {
			now = now.Add(time.Duration(rapid.IntRange(100, 5000).Draw(t, "step")) * time.Millisecond)
			need := rapid.IntRange(0, 100).Draw(t, "need")
			d := scaling.Decide(&scaling.Input{Now: now, Settings: settings, Figures: scaling.Figures{At: now, Waiting: need}, Current: current}, &m)
			history = append(history, seen{now, need})
			for _, h := range history {
				if now.Sub(h.at) < scaling.Hold && d.Workers < h.need {
					t.Fatalf("%d workers %s after %d were needed", d.Workers, now.Sub(h.at), h.need)
				}
			}
			current = d.Workers
		}
	})
}

func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		waiting := rapid.IntRange(0, 1_000_000).Draw(t, "waiting")
		rooms := rapid.SliceOfN(rapid.IntRange(-3, 100_000), 1, 8).Draw(t, "rooms")
		shares := scaling.Share(waiting, rooms)
		sum, total := 0, 0
		for i, s := range shares {
			if s < 0 {
				t.Fatalf("shares %v", shares)
			}
			sum += s
			total += max(0, rooms[i])
		}
		if sum != waiting || len(shares) != len(rooms) {
			t.Fatalf("shares %v of %d", shares, waiting)
		}
		for i, s := range shares {
			if waiting <= total && total > 0 && s > max(0, rooms[i]) {
				t.Fatalf("pool %d gets %d with room for %d, and all rooms %v hold %d", i, s, rooms[i], rooms, waiting)
			}
		}
	})
	if got := scaling.Share(7, []int{0, 0}); !slices.Equal(got, []int{7, 0}) {
		t.Errorf("without room: %v", got)
	}
	if got := scaling.Share(10, []int{3, 1}); !slices.Equal(got, []int{8, 2}) {
		t.Errorf("by room: %v", got)
	}
	if got := scaling.Share(3, nil); len(got) != 0 {
		t.Errorf("without pools: %v", got)
	}
}
