package scaling_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/scaling"
)

var noon = time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func TestDecision(t *testing.T) {
	usual := scaling.Settings{Concurrency: 5, Min: 1, Max: 8}
	singles := scaling.Settings{Concurrency: 5, Min: 1, Max: 30, Peaks: []scaling.Peak{
		{Name: "singles-day", Start: at(-60), End: at(3600), Floor: 20},
	}}
	for _, c := range []struct {
		name     string
		settings scaling.Settings
		figures  scaling.Figures
		current  int
		want     int
		limiter  scaling.Limiter
		reason   string
	}{
		{
			name: "max limits", settings: usual, figures: scaling.Figures{At: noon, Waiting: 12, InProgress: 38}, current: 4,
			want: 8, limiter: scaling.LimiterMax, reason: "12 waiting and 38 in progress need 10 workers of 5 slots; 4 now; max 8 limits",
		},
		{
			name: "the need is met at once", settings: usual, figures: scaling.Figures{At: noon, Waiting: 11, InProgress: 15}, current: 3,
			want: 6, reason: "11 waiting and 15 in progress need 6 workers of 5 slots; 3 now",
		},
		{
			name: "an idle pool keeps min", settings: usual, figures: scaling.Figures{At: noon}, current: 1,
			want: 1, limiter: scaling.LimiterMin, reason: "0 waiting and 0 in progress need 0 workers of 5 slots; 1 now; min 1 applies",
		},
		{
			name: "min raises", settings: scaling.Settings{Concurrency: 5, Min: 3, Max: 8}, figures: scaling.Figures{At: noon, Waiting: 1}, current: 1,
			want: 3, limiter: scaling.LimiterMin, reason: "1 waiting and 0 in progress need 1 worker of 5 slots; 1 now; min 3 applies",
		},
		{
			name: "what was there is held", settings: usual, figures: scaling.Figures{At: noon, InProgress: 3}, current: 4,
			want: 4, limiter: scaling.LimiterHold, reason: "0 waiting and 3 in progress need 1 worker of 5 slots; 4 now; 4 were needed within the last 60 s",
		},
		{
			name: "a peak raises the floor", settings: singles, figures: scaling.Figures{At: noon, Waiting: 7}, current: 2,
			want: 20, limiter: scaling.LimiterPeak, reason: "7 waiting and 0 in progress need 2 workers of 5 slots; 2 now; peak singles-day asks for 20 until 2026-11-11T13:00:00Z",
		},
		{
			name: "max wins over a peak", settings: scaling.Settings{Concurrency: 5, Max: 9, Peaks: singles.Peaks}, figures: scaling.Figures{At: noon, Waiting: 7}, current: 2,
			want: 9, limiter: scaling.LimiterMax,
			reason: "7 waiting and 0 in progress need 2 workers of 5 slots; 2 now; peak singles-day asks for 20 until 2026-11-11T13:00:00Z; max 9 limits",
		},
		{
			name: "figures of 15 s ago are good", settings: usual, figures: scaling.Figures{At: at(-15), Waiting: 20}, current: 2,
			want: 4, reason: "20 waiting and 0 in progress need 4 workers of 5 slots; 2 now",
		},
		{
			name: "figures of 16 s ago neither grow", settings: usual, figures: scaling.Figures{At: at(-16), Waiting: 20}, current: 2,
			want: 2, limiter: scaling.LimiterStale, reason: "no figures from the desk since 11:59:44 UTC; 2 workers are kept",
		},
		{
			name: "nor shrink", settings: usual, figures: scaling.Figures{At: at(-16)}, current: 12,
			want: 12, limiter: scaling.LimiterStale, reason: "no figures from the desk since 11:59:44 UTC; 12 workers are kept",
		},
		{
			name: "missing is not zero", settings: usual, current: 1,
			want: 1, limiter: scaling.LimiterStale, reason: "no figures from the desk yet; 1 worker is kept",
		},
		{
			name: "what was declared applies to a silent desk", settings: singles, current: 2,
			want: 20, limiter: scaling.LimiterStale,
			reason: "no figures from the desk yet; 2 workers are kept; peak singles-day asks for 20 until 2026-11-11T13:00:00Z",
		},
		{
			name: "impossible figures hold", settings: usual, figures: scaling.Figures{At: noon, Waiting: -1, InProgress: 40}, current: 3,
			want: 3, limiter: scaling.LimiterStale, reason: "the desk reports -1 waiting and 40 in progress, which cannot be; 3 workers are kept",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := scaling.Decide(&scaling.Input{Now: noon, Settings: c.settings, Figures: c.figures, Current: c.current}, &scaling.Memory{})
			if d.Workers != c.want || d.Limiter != c.limiter || d.Reason != c.reason {
				t.Errorf("got %d workers, limiter %q, reason\n%s\nwant %d, %q,\n%s", d.Workers, d.Limiter, d.Reason, c.want, c.limiter, c.reason)
			}
		})
	}
}

// pool is decided about again and again, as the loop does.
type pool struct {
	settings scaling.Settings
	memory   scaling.Memory
	current  int
}

func (p *pool) tick(now time.Time, f scaling.Figures) scaling.Decision {
	d := scaling.Decide(&scaling.Input{Now: now, Settings: p.settings, Figures: f, Current: p.current}, &p.memory)
	p.current = d.Workers
	return d
}

func fresh(now time.Time, inProgress int) scaling.Figures {
	return scaling.Figures{At: now, InProgress: inProgress}
}

func TestShrinksOnlyAfterTheHold(t *testing.T) {
	p := pool{settings: scaling.Settings{Concurrency: 1, Max: 100}, current: 2}
	p.tick(at(0), fresh(at(0), 10))
	lowered := -1
	for s := 2; s <= 120; s += 2 {
		if d := p.tick(at(s), fresh(at(s), 4)); d.Workers != 10 && lowered < 0 {
			lowered = s
			if d.Workers != 4 {
				t.Errorf("shrank to %d, 4 are needed", d.Workers)
			}
		}
	}
	if hold := int(scaling.Hold.Seconds()); lowered <= hold || lowered > hold+7 {
		t.Errorf("shrank %d s after the need fell, expected %d to %d", lowered, hold, hold+7)
	}
}

// A lull between two waves that is shorter than the hold changes nothing.
func TestWavesDoNotThrash(t *testing.T) {
	p := pool{settings: scaling.Settings{Concurrency: 5, Min: 1, Max: 50}, current: 1}
	changes, before := 0, 1
	for s := range 1200 {
		load := 100
		if s/45%2 == 1 {
			load = 5
		}
		if d := p.tick(at(s), fresh(at(s), load)); d.Workers != before {
			changes, before = changes+1, d.Workers
		}
	}
	if changes != 1 {
		t.Errorf("%d changes in 20 minutes of waves, expected the one rise", changes)
	}
}

func TestSilenceBeginsTheHoldAnew(t *testing.T) {
	p := pool{settings: scaling.Settings{Concurrency: 1, Max: 100}, current: 10}
	for s := range 50 { // low for 50 s: about to shrink
		p.tick(at(s), fresh(at(s), 1))
	}
	for s := 50; s < 110; s++ { // silent: what was low may have become high
		if d := p.tick(at(s), fresh(at(49), 1)); s > 64 && d.Limiter != scaling.LimiterStale {
			t.Fatalf("at %d s the limiter is %q", s, d.Limiter)
		} else if d.Workers != 10 {
			t.Fatalf("a silent desk was shrunk to %d at %d s", d.Workers, s)
		}
	}
	for s := 110; s < 165; s++ {
		if d := p.tick(at(s), fresh(at(s), 1)); d.Workers != 10 {
			t.Fatalf("shrank to %d only %d s after the desk was heard again", d.Workers, s-110)
		}
	}
	for s := 165; s < 180; s++ {
		p.tick(at(s), fresh(at(s), 1))
	}
	if p.current != 1 {
		t.Errorf("%d workers 70 s after the desk was heard again, expected 1", p.current)
	}
}

// A loop that did not run does not know what the need was.
func TestPauseOfTheLoopHolds(t *testing.T) {
	for _, pause := range []int{20, 300, -20, -300} {
		p := pool{settings: scaling.Settings{Concurrency: 1, Max: 100}, current: 10}
		for s := range 50 {
			p.tick(at(s), fresh(at(s), 1))
		}
		resumed := at(50 + pause)
		if d := p.tick(resumed, fresh(resumed, 1)); d.Workers != 10 {
			t.Errorf("after a pause of %d s the pool shrank to %d at once", pause, d.Workers)
		}
	}
}

func TestNewBoundsApplyAtOnce(t *testing.T) {
	p := pool{settings: scaling.Settings{Concurrency: 1, Min: 1, Max: 100}, current: 1}
	p.tick(at(0), fresh(at(0), 40))
	p.settings.Max = 30
	if d := p.tick(at(1), fresh(at(1), 40)); d.Workers != 30 || d.Limiter != scaling.LimiterMax {
		t.Errorf("max 30: %d workers, limiter %q", d.Workers, d.Limiter)
	}
	p.settings.Min, p.settings.Max = 50, 60
	if d := p.tick(at(2), fresh(at(2), 40)); d.Workers != 50 || d.Limiter != scaling.LimiterMin {
		t.Errorf("min 50: %d workers, limiter %q", d.Workers, d.Limiter)
	}
}

func TestNextPlannedChange(t *testing.T) {
	settings := scaling.Settings{Concurrency: 5, Min: 2, Max: 50, Peaks: []scaling.Peak{
		{Name: "evening", Start: at(7200), End: at(9000), Floor: 30},
		{Name: "noon", Start: at(600), End: at(1800), Floor: 10},
		{Name: "small", Start: at(60), End: at(120), Floor: 1},      // under min: changes nothing
		{Name: "within", Start: at(700), End: at(800), Floor: 9},    // under the other peak: changes nothing
		{Name: "backwards", Start: at(300), End: at(200), Floor: 9}, // never runs
	}}
	for _, c := range []struct {
		now  int
		want *scaling.Change
	}{
		{0, &scaling.Change{At: at(540), Peak: "noon", Begins: true, Starts: at(600), Floor: 10}},
		{540, &scaling.Change{At: at(1800), Peak: "noon", Starts: at(1800), Floor: 2}},
		{1800, &scaling.Change{At: at(7140), Peak: "evening", Begins: true, Starts: at(7200), Floor: 30}},
		{9000, nil},
	} {
		d := scaling.Decide(&scaling.Input{Now: at(c.now), Settings: settings, Current: 2}, &scaling.Memory{})
		if diff := cmp.Diff(c.want, d.Next); diff != "" {
			t.Errorf("at %d s: %s", c.now, diff)
		}
	}
	d := scaling.Decide(&scaling.Input{Now: at(0), Settings: settings, Current: 2}, &scaling.Memory{})
	if got, want := d.Next.Words(), "peak noon begins at 2026-11-11T12:10:00Z: at least 10 workers from 2026-11-11T12:09:00Z on"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSeats(t *testing.T) {
	in := scaling.SeatsInput{Now: noon, Concurrency: 3, SignedOn: 2, Figures: scaling.Figures{At: noon, Waiting: 4, InProgress: 6}}
	var m scaling.Memory
	s := scaling.DecideSeats(&in, &m)
	if want := (scaling.Seats{Required: 4, Shortfall: 2, Reason: "4 waiting and 6 in progress need 4 seats of 3 slots; 2 signed on"}); s != want {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
	in.Now, in.Figures, in.Required, in.SignedOn = at(10), fresh(at(10), 1), s.Required, 5
	s = scaling.DecideSeats(&in, &m)
	if s.Required != 4 || s.Shortfall != 0 || !strings.Contains(s.Reason, "4 were needed within the last 60 s") {
		t.Errorf("ten seconds later: %+v", s)
	}
	in.Now, in.SignedOn = at(60), 0
	if s = scaling.DecideSeats(&in, &m); !s.Stale || s.Required != 4 || s.Shortfall != 4 {
		t.Errorf("a silent desk: %+v, expected the last requirement", s)
	}
}
