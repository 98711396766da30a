package scaling_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/scaling"
)

// desk is a made-up desk with a steady flow: rate arrivals a second, each of which
// is served at once and lasts as long as the others.
type desk struct {
	pool
	rate, handle float64
	flow         scaling.Flow
	arrived      float64
	ready        int
	step         int // seconds between two reports; 0 is 5
}

// run lets the desk report every step, and returns the last decision.
func (d *desk) run(from, seconds int) scaling.Decision {
	var decision scaling.Decision
	step := max(5, d.step)
	for s := from; s < from+seconds; s += step {
		before := math.Floor(d.arrived)
		d.arrived += d.rate * float64(step)
		n := math.Floor(d.arrived) - before
		d.flow.Arrivals += uint64(n)
		d.flow.Starts += uint64(n)
		load := uint64(d.rate * d.handle)
		d.flow.Ends = max(d.flow.Ends, d.flow.Starts-min(d.flow.Starts, load))
		d.flow.Handled = []scaling.Lasting{{Seconds: d.handle, Count: int(n)}}
		flow := d.flow
		decision = d.tick(at(s), scaling.Figures{At: at(s), InProgress: int(d.flow.Starts - d.flow.Ends), Ready: d.ready, Flow: &flow})
	}
	return decision
}

func TestLoadIsStaffedByErlang(t *testing.T) {
	d := desk{pool: pool{settings: scaling.Settings{Concurrency: 1, Max: 500}, current: 1}, rate: 1, handle: 100}
	last := d.run(0, 1800)
	// 100 erlangs, 80 % in 20 s with 3 % abandonment need some more than 100 slots; the load is known better than by chance.
	if last.Workers < 100 || last.Workers > 108 || last.Winner != scaling.TermLoad {
		t.Errorf("%d workers by %s: %s", last.Workers, last.Winner, last.Reason)
	}
	if !strings.Contains(last.Reason, "60.0 arrivals a minute as in the last minutes give about") && !strings.Contains(last.Reason, "1.0 arrivals a second as in the last minutes give about") {
		t.Errorf("the reason is %q", last.Reason)
	}
}

func TestOccupancyAndQueueDepth(t *testing.T) {
	d := desk{pool: pool{settings: scaling.Settings{Concurrency: 1, Max: 500, Objective: scaling.Objective{Occupancy: 0.5}}, current: 1}, rate: 1, handle: 100}
	if last := d.run(0, 1800); last.Workers < 195 || last.Workers > 210 {
		t.Errorf("half of the slots in use by 100: %d workers", last.Workers)
	}
	p := pool{settings: scaling.Settings{Concurrency: 5, Max: 500, Objective: scaling.Objective{QueueDepthPerAgent: 10}}, current: 1}
	if got := p.tick(noon, scaling.Figures{At: noon, Waiting: 200, InProgress: 30}); got.Workers != 20 {
		t.Errorf("200 waiting, 10 an agent: %d workers", got.Workers)
	}
}

// What stands with workers that drain needs no slot of the others.
func TestDrainingNeedsNoSlot(t *testing.T) {
	p := pool{settings: scaling.Settings{Concurrency: 5, Max: 500}, current: 1}
	if got := p.tick(noon, scaling.Figures{At: noon, Waiting: 5, InProgress: 30, Draining: 20}); got.Workers != 3 {
		t.Errorf("%d workers: %s", got.Workers, got.Reason)
	}
}

func TestAnnouncedPeakIsPreWarmed(t *testing.T) {
	settings := scaling.Settings{Concurrency: 1, Max: 1000, Lead: 5 * time.Minute, Peaks: []scaling.Peak{
		{Name: "sale", Start: at(3600), End: at(4800), Multiplier: 4},
	}}
	d := desk{pool: pool{settings: settings, current: 1}, rate: 1, handle: 100}
	if early := d.run(0, 2700); early.Workers > 120 {
		t.Errorf("%d workers a quarter of an hour before the peak", early.Workers)
	}
	ready := d.run(2700, 3600-300-2700+5)
	if ready.Workers < 300 || ready.Winner != scaling.TermCalendar {
		t.Errorf("%d workers asked for by the lead time before the peak, by %s: %s", ready.Workers, ready.Winner, ready.Reason)
	}
	if !strings.Contains(ready.Reason, "peak sale announces") {
		t.Errorf("the reason is %q", ready.Reason)
	}
}

func TestExpectedArrivalsAndCap(t *testing.T) {
	settings := scaling.Settings{Concurrency: 1, Max: 1000, Peaks: []scaling.Peak{
		{Name: "sale", Start: at(0), End: at(3600), ExpectedArrivals: 3600 * 3, Cap: 120},
	}}
	d := desk{pool: pool{settings: settings, current: 1}, rate: 1, handle: 100}
	last := d.run(0, 600)
	if last.Need < 290 || last.Workers != 120 || last.Limiter != scaling.LimiterCap || last.Predicted == nil || last.Predicted.ServiceLevel > 0.5 {
		t.Errorf("need %d, %d workers, limiter %q, predicted %+v: %s", last.Need, last.Workers, last.Limiter, last.Predicted, last.Reason)
	}
}

func TestBurstPanicsAndKeepsEverybody(t *testing.T) {
	d := desk{pool: pool{settings: scaling.Settings{Concurrency: 1, Max: 1000}, current: 1}, rate: 1, handle: 100}
	d.run(0, 1800)
	d.rate = 5
	if burst := d.run(1800, 60); !burst.Panics || burst.Workers < 200 {
		t.Errorf("a minute into a burst: %d workers, panics %v: %s", burst.Workers, burst.Panics, burst.Reason)
	}
	most := d.current
	d.rate = 1
	if after := d.run(1860, 30); after.Workers < most {
		t.Errorf("%d workers left within the panic", most-after.Workers)
	}
	if calm := d.run(1890, 1800); calm.Panics || calm.Workers > 120 {
		t.Errorf("half an hour after: %d workers, panics %v, limiter %s", calm.Workers, calm.Panics, calm.Limiter)
	}
}

// Figures that read zero while the desk talks are no lull.
func TestZerosAreNotBelieved(t *testing.T) {
	d := desk{pool: pool{settings: scaling.Settings{Concurrency: 1, Max: 500}, current: 1}, rate: 1, handle: 100}
	d.run(0, 1800)
	was := d.current
	for s := 1800; s < 2400; s += 5 {
		flow := d.flow
		got := d.tick(at(s), scaling.Figures{At: at(s), Flow: &flow})
		if got.Workers != was || got.Limiter != scaling.LimiterStale || !strings.Contains(got.Reason, "the desk reports 0 in progress, and by what began and ended it should be 1") {
			t.Fatalf("%d s into a time of zeros: %d workers of %d, %s", s-1800, got.Workers, was, got.Reason)
		}
	}
	d.flow.Arrivals = 3
	flow := d.flow
	if got := d.tick(at(2400), scaling.Figures{At: at(2400), InProgress: 100, Flow: &flow}); !strings.Contains(got.Reason, "counters went back") {
		t.Errorf("counters that went back: %s", got.Reason)
	}
	flow.Epoch++ // the router began anew, and says so
	if got := d.tick(at(2405), scaling.Figures{At: at(2405), InProgress: 100, Flow: &flow}); got.Limiter == scaling.LimiterStale {
		t.Errorf("a new router is not believed: %s", got.Reason)
	}
}

func TestBlindPoolsFallBack(t *testing.T) {
	p := pool{settings: scaling.Settings{Concurrency: 1, Max: 30, Fallback: 20}, current: 5}
	if got := p.tick(at(60), fresh(at(0), 5)); got.Workers != 5 {
		t.Errorf("a minute of silence: %d workers: %s", got.Workers, got.Reason)
	}
	if got := p.tick(at(91), fresh(at(0), 5)); got.Workers != 20 || !got.Blind || !strings.HasSuffix(got.Reason, "fallback 20 applies") {
		t.Errorf("91 s of silence: %d workers: %s", got.Workers, got.Reason)
	}
}

func TestShrinksStepByStep(t *testing.T) {
	p := pool{settings: scaling.Settings{Concurrency: 1, Max: 200, MaxPercentPerMinute: 10}, current: 100}
	counts := map[int]int{}
	for s := range 600 {
		counts[s] = p.tick(at(s), fresh(at(s), 1)).Workers
	}
	for s := 61; s < 600; s++ {
		if was := counts[s-60]; was-counts[s] > max(2, was/10*2) {
			t.Fatalf("%d left in the minute before %d s, of %d", was-counts[s], s, was)
		}
	}
	if counts[599] >= 70 || counts[599] < 30 {
		t.Errorf("%d of 100 after ten minutes at 10 %% a minute", counts[599])
	}
	q := pool{settings: scaling.Settings{Concurrency: 1, Max: 200}, current: 100}
	for s := range 300 {
		if got := scaling.Decide(&scaling.Input{Now: at(s), Settings: q.settings, Figures: fresh(at(s), 1), Current: 100, RollingOut: true}, &q.memory); got.Workers != 100 {
			t.Fatalf("%d workers during a rollout", got.Workers)
		}
	}
}

func TestNobodyLeavesShortlyBeforeAPeak(t *testing.T) {
	p := pool{settings: scaling.Settings{Concurrency: 1, Max: 200, Peaks: []scaling.Peak{{Name: "sale", Start: at(600), End: at(1200), Floor: 50}}}, current: 40}
	for s := range 540 {
		got := p.tick(at(s), fresh(at(s), 40-min(30, s/10)))
		if s >= 480 && got.Workers < p.current {
			t.Fatalf("shrank to %d at %d s", got.Workers, s)
		}
	}
	if got := p.tick(at(540), fresh(at(540), 10)); got.Workers != 50 {
		t.Errorf("%d workers by the lead time before the peak", got.Workers)
	}
}

func TestBudgetIsPaced(t *testing.T) {
	settings := scaling.Settings{Concurrency: 1, Min: 2, Max: 200, Budget: &scaling.Budget{AgentHours: 120, WhenSpent: scaling.BudgetHoldFloor}}
	p := pool{settings: settings, current: 20}
	hours, zeros := 0.0, 0
	for minute := range 12 * 60 { // noon to midnight: 240 agent-hours are needed, 120 are there
		now := noon.Add(time.Duration(minute) * time.Minute)
		got := p.tick(now, fresh(now, 20))
		hours += float64(got.Workers) / 60
		if got.Workers < 5 {
			zeros++
		}
	}
	if hours > 121 || hours < 110 || zeros > 0 {
		t.Errorf("%.0f agent-hours of 120 were used, and %d minutes had fewer than 5 workers", hours, zeros)
	}
}

func TestWhatWasLearnedIsStored(t *testing.T) {
	d := desk{pool: pool{settings: scaling.Settings{Concurrency: 1, Max: 500}, current: 1}, rate: 1, handle: 400}
	last := d.run(0, 7200)
	stored, err := d.memory.Knowledge().MarshalBinary()
	if err != nil || len(stored) > scaling.MaxEncodedKnowledge {
		t.Fatalf("%d bytes, %v", len(stored), err)
	}
	k := scaling.NewKnowledge()
	if err := k.UnmarshalBinary(stored); err != nil {
		t.Fatal(err)
	}
	if math.Abs(k.HandleTime()-d.memory.Knowledge().HandleTime()) > 5 {
		t.Errorf("the handle time was %.0f and is %.0f", d.memory.Knowledge().HandleTime(), k.HandleTime())
	}
	// A leader that takes over with it neither shrinks nor jumps.
	next := desk{pool: pool{settings: d.settings, current: last.Workers}, rate: 1, handle: 400, flow: d.flow, arrived: d.arrived}
	next.memory = *scaling.NewMemory(k)
	for s := 7200; s < 9000; s += 5 {
		if got := next.run(s, 5); got.Workers < last.Workers-5 || got.Workers > last.Workers+15 {
			t.Fatalf("%d s after the restart %d workers, %d before: %s", s-7200, got.Workers, last.Workers, got.Reason)
		}
	}
	if err := k.UnmarshalBinary(stored[:40]); err == nil {
		t.Error("half of what was stored is read")
	}
}

// More of the forecast never means fewer workers: it only raises.
func TestForecastOnlyRaises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		off := desk{pool: pool{settings: scaling.Settings{Concurrency: 2, Max: 500, Hold: 5 * time.Minute}, current: 1}, handle: 60, step: 60}
		raise := desk{pool: pool{settings: off.settings, current: 1}, handle: 60, step: 60}
		raise.settings.Forecast = scaling.ForecastRaise
		for s := 0; s < 30*3600; s += 3600 {
			rate := rapid.Float64Range(0, 2).Draw(t, "rate")
			for i := 0; i < 3600; i += 300 {
				off.rate, raise.rate = rate, rate
				a, b := off.run(s+i, 300), raise.run(s+i, 300)
				if b.Workers < a.Workers {
					t.Fatalf("at %d s %d workers with the forecast, %d without: %s", s+i, b.Workers, a.Workers, b.Reason)
				}
			}
		}
	})
}

// Whatever comes in, what comes out is a number of workers within the bounds.
func FuzzDecide(f *testing.F) {
	f.Add(int64(5), 3, 7, 2, uint64(10), uint64(9), uint64(1), uint64(2), 30.0, 2.0, 0.8, 20.0, 0.03, 5)
	f.Add(int64(-9e9), -3, 1<<40, -2, uint64(0), uint64(1<<63), uint64(1), uint64(2), math.Inf(1), math.NaN(), -1.0, math.NaN(), math.Inf(-1), 0)
	f.Fuzz(func(t *testing.T, ms int64, waiting, progress, draining int, arrivals, starts, left, ends uint64, handled, multiplier, share, within, abandonment float64, percent int) {
		var m scaling.Memory
		s := scaling.Settings{
			Concurrency: draining, Min: 1, Max: 90, Forecast: scaling.ForecastRaise, MaxPercentPerMinute: percent,
			Objective: scaling.Objective{Share: share, Within: time.Duration(within * 1e9), MaxAbandonment: abandonment, Occupancy: handled},
			Peaks:     []scaling.Peak{{Name: "p", Start: at(10), End: at(50), Multiplier: multiplier, ExpectedArrivals: handled, Floor: percent}},
			Budget:    &scaling.Budget{AgentHours: handled},
		}
		current := 7
		for i := range 30 {
			now := at(i * 5).Add(time.Duration(ms%1e6) * time.Millisecond * time.Duration(i%3))
			flow := scaling.Flow{
				Arrivals: arrivals * uint64(i), Starts: starts * uint64(i), Abandonments: left * uint64(i), Ends: ends * uint64(i),
				WaitedSeconds: handled * float64(i), Handled: []scaling.Lasting{{Seconds: handled, Count: progress}}, ColdStarts: []time.Duration{time.Duration(ms)},
			}
			figures := scaling.Figures{
				At: now, Waiting: waiting, InProgress: progress, Draining: draining, Ready: progress,
				Ages: []scaling.Lasting{{Seconds: handled, Count: draining}}, Flow: &flow,
			}
			d := scaling.Decide(&scaling.Input{Now: now, Settings: s, Figures: figures, Current: current, Running: waiting}, &m)
			if d.Workers < 0 || d.Workers > max(90, current) || d.Reason == "" || strings.Contains(d.Reason, "NaN") {
				t.Fatalf("%d workers: %s", d.Workers, d.Reason)
			}
			for _, term := range d.Terms[:d.Proposals] {
				if term.Workers < 0 || !(term.Load >= 0) || !(term.Rate >= 0) {
					t.Fatalf("%+v", term)
				}
			}
			current = d.Workers
		}
	})
}

// BenchmarkTick decides about 2,000 pools with eight weeks of history, in a tick. A tick of 5 s may take 250 ms.
func BenchmarkTick(b *testing.B) {
	const pools = 2000
	memories := make([]*scaling.Memory, pools)
	base := scaling.NewKnowledge()
	for i := range 56 * 288 {
		from := noon.AddDate(0, 0, -56).Add(time.Duration(i) * 5 * time.Minute)
		base.History().Add(from, from.Add(5*time.Minute), 200)
	}
	for i := range memories {
		k := scaling.NewKnowledge()
		k.History().Merge(base.History())
		memories[i] = scaling.NewMemory(k)
	}
	settings := scaling.Settings{Concurrency: 5, Min: 1, Max: 500, Forecast: scaling.ForecastRaise, Peaks: []scaling.Peak{
		{Name: "tomorrow", Start: at(86400), End: at(90000), Multiplier: 3},
	}}
	ages := make([]scaling.Lasting, 24)
	for i := range ages {
		ages[i] = scaling.Lasting{Seconds: float64(10 * i), Count: 5}
	}
	flows := make([]scaling.Flow, pools)
	tick := 0
	run := func() {
		now := at(tick * 5)
		tick++
		for i, m := range memories {
			n := uint64(3 + (tick+i)%2)
			fl := &flows[i]
			fl.Arrivals, fl.Starts, fl.Ends = fl.Arrivals+n, fl.Starts+n, fl.Ends+n
			fl.Handled = []scaling.Lasting{{Seconds: 150, Count: 2}, {Seconds: 300, Count: 1}}
			scaling.Decide(&scaling.Input{
				Now: now, Settings: settings, Current: 26,
				Figures: scaling.Figures{At: now, InProgress: 120, Ready: 26, Ages: ages, Flow: fl},
			}, m)
		}
	}
	for range 20 {
		run()
	}
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/pools, "ns/pool")
}

// Whoever takes the lead does not know who was there a moment ago, nor how many come: the first minutes take nobody away.
func TestNobodyLeavesUntilArrivalsWereWatched(t *testing.T) {
	d := desk{pool: pool{settings: scaling.Settings{Concurrency: 1, Max: 500}, current: 50}, rate: 0.1, handle: 60}
	if early := d.run(0, 240); early.Workers != 50 || !strings.Contains(early.Reason, "nobody leaves until arrivals were watched") {
		t.Errorf("after four minutes: %d workers: %s", early.Workers, early.Reason)
	}
	if later := d.run(240, 240); later.Workers > 20 {
		t.Errorf("after eight minutes: %d workers: %s", later.Workers, later.Reason)
	}
}

// What was added since the first decision was so for a need that was seen: it goes with the need, down to what was found.
func TestWhoWasAddedLeavesBeforeArrivalsWereWatched(t *testing.T) {
	var m scaling.Memory
	settings := scaling.Settings{Concurrency: 10, Max: 100, Hold: 20 * time.Second}
	current, flow := 2, scaling.Flow{Epoch: 1}
	decide := func(second, inProgress, came int) scaling.Decision {
		flow.Arrivals, flow.Starts = flow.Arrivals+uint64(came), flow.Starts+uint64(came)
		ends := flow.Starts - uint64(inProgress)
		is, f := flow, fresh(at(second), inProgress)
		is.Handled = []scaling.Lasting{{Seconds: 5, Count: int(ends - flow.Ends)}}
		flow.Ends, is.Ends = ends, ends
		f.Flow = &is
		d := scaling.Decide(&scaling.Input{Now: at(second), Settings: settings, Figures: f, Current: current}, &m)
		current = d.Workers
		return d
	}
	decide(0, 0, 0)
	if d := decide(5, 60, 60); d.Workers < 6 {
		t.Fatalf("%d workers in the burst: %s", d.Workers, d.Reason)
	}
	for s := 10; s <= 90; s += 5 {
		decide(s, 0, 0)
	}
	if current < 2 || current > 3 {
		t.Errorf("%d workers are there a while after the burst, found were 2", current)
	}
}

// Who leaves a pool that may not grow does not come back: those that are there are kept, those that are not are given up.
func TestNobodyLeavesWhileTheClusterRefuses(t *testing.T) {
	var m scaling.Memory
	settings := scaling.Settings{Concurrency: 1, Max: 100}
	current := 20
	decide := func(second, inProgress, refused int) scaling.Decision {
		d := scaling.Decide(&scaling.Input{
			Now: at(second), Settings: settings, Figures: fresh(at(second), inProgress), Current: current, Refused: refused,
		}, &m)
		current = d.Workers
		return d
	}
	for s := 0; s <= 60; s += 5 {
		decide(s, 20, 8)
	}
	for s := 65; s <= 200; s += 5 {
		if d := decide(s, 3, max(0, current-12)); d.Workers < 12 {
			t.Fatalf("%d workers at %d s: %s", d.Workers, s, d.Reason)
		}
	}
	if d := decide(205, 3, 0); d.Workers != 12 || !strings.Contains(d.Reason, "nobody leaves while the cluster refuses workers") {
		t.Errorf("%d workers: %s", d.Workers, d.Reason)
	}
	var last scaling.Decision
	for s := 210; s <= 900; s += 5 {
		last = decide(s, 3, 0)
	}
	if last.Workers != 3 {
		t.Errorf("%d workers long after the last refusal: %s", last.Workers, last.Reason)
	}
}
