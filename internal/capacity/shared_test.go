package capacity_test

import (
	"math"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// shared is a desk of two pools of bots, the second of which has most of the conversations.
type shared struct {
	*stream
	small, large capacity.Pool
}

func newShared(t *testing.T) *shared {
	s := &shared{stream: &stream{world: newWorld(t), term: 1}, small: bots(4), large: bots(16)}
	s.large.Name = "large"
	s.small.Scaling.Max, s.large.Scaling.Max = 10, 30
	return s
}

// minutes lets one customer come each second, and one conversation of four is with the small pool.
func (s *shared) minutes(n int) {
	s.t.Helper()
	for range n * 60 {
		s.second(1)
		s.seq++
		small, large := workers(4, 0), workers(16, 0)
		large.Name = "large"
		small.InProgress = len(s.began) / 4
		large.InProgress = len(s.began) - small.InProgress
		flow := s.flow
		if flow.Ended > 0 {
			flow.Handled = []link.Lasting{{Seconds: 60, Count: flow.Ended}}
		}
		for _, b := range s.began {
			flow.Ages = append(flow.Ages, link.Lasting{Seconds: s.now.Sub(b).Seconds(), Count: 1})
		}
		s.desks.Keep(&link.Report{
			V: 1, Namespace: "shop", Desk: "web", Router: "r", Term: s.term, Seq: s.seq,
			Queues: []link.Queue{{Name: "bot"}}, Pools: []link.Pool{small, large}, BotFlow: &flow,
		})
		s.loop.Tick()
	}
}

func (s *shared) loads() (small, large *scaling.Term) {
	s.t.Helper()
	small, large = term(s.loop.Look(s.small).Decision, scaling.TermLoad), term(s.loop.Look(s.large).Decision, scaling.TermLoad)
	if small == nil || large == nil {
		s.t.Fatalf("the loads are %+v and %+v", small, large)
	}
	return small, large
}

// Several pools of bots divide the desk's flow by their room: each is decided about by its load, and all together by no
// more than there is.
func TestSeveralPoolsShareTheFlow(t *testing.T) {
	s := newShared(t)
	s.loop.Look(s.small)
	s.loop.Look(s.large)
	s.minutes(12)
	small, large := s.loads()
	if math.Abs(small.Rate-0.25) > 0.03 || math.Abs(large.Rate-0.75) > 0.08 {
		t.Errorf("one a second is divided into %.2f and %.2f", small.Rate, large.Rate)
	}
	if sum := small.Load + large.Load; sum < 50 || sum > 70 || math.Abs(3*small.Load-large.Load) > 9 {
		t.Errorf("a load of about 60 is divided into %.1f and %.1f", small.Load, large.Load)
	}
	if d := s.loop.Look(s.large).Decision; d.Limiter == scaling.LimiterStale {
		t.Errorf("it is not believed: %s", d.Reason)
	}
	// Another max is another share, and no wave.
	s.small.Scaling.Max = 30
	s.loop.Look(s.small)
	s.minutes(11)
	small, large = s.loads()
	if math.Abs(small.Rate-0.5) > 0.06 || math.Abs(large.Rate-0.5) > 0.06 {
		t.Errorf("with the same max the rates are %.2f and %.2f", small.Rate, large.Rate)
	}
	for _, p := range []capacity.Pool{s.small, s.large} {
		if d := s.loop.Look(p).Decision; d.Panics {
			t.Errorf("%s panics: %s", p.Name, d.Reason)
		}
	}
	// The other pool goes: what is left has everything.
	s.loop.Forget(s.large.Key)
	s.minutes(11)
	if alone := term(s.loop.Look(s.small).Decision, scaling.TermLoad); alone == nil || math.Abs(alone.Rate-1) > 0.1 {
		t.Errorf("alone it has %+v", alone)
	}
}

// What the desk announces comes to all of its pools together; what a pool announces is its own.
func TestAnnouncedArrivalsAreShared(t *testing.T) {
	s := newShared(t)
	peak := scaling.Peak{Name: "sale", Start: s.now.Add(13 * time.Minute), End: s.now.Add(73 * time.Minute), ExpectedArrivals: 14400, OfDesk: true}
	s.small.Scaling.Peaks, s.large.Scaling.Peaks = []scaling.Peak{peak}, []scaling.Peak{peak}
	s.loop.Look(s.small)
	s.loop.Look(s.large)
	s.minutes(12)
	calendar := func(p capacity.Pool) float64 {
		t.Helper()
		found := term(s.loop.Look(p).Decision, scaling.TermCalendar)
		if found == nil {
			t.Fatalf("%s expects no peak: %+v", p.Name, s.loop.Look(p).Decision)
		}
		return found.Load
	}
	// Four a second for a minute each.
	small, large := calendar(s.small), calendar(s.large)
	if sum := small + large; sum < 180 || sum > 290 || math.Abs(3*small-large) > 0.2*large {
		t.Errorf("a peak of 240 is divided into %.0f and %.0f", small, large)
	}
	if p := s.small.Scaling.Peaks[0]; p.ExpectedArrivals != 14400 {
		t.Errorf("what was declared has become %+v", p)
	}
	s.small.Scaling.Peaks[0].OfDesk = false
	if alone := calendar(s.small); alone < 180 {
		t.Errorf("of a peak of its own the pool expects %.0f", alone)
	}
}
