package whatif

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/simulation/policy"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

const (
	// tick is the time between two decisions in seconds.
	tick = 5.0
	// mostWorkers is more than any pool may have.
	mostWorkers = 100_000
	// handlesKnown is how many handle times a pool has learned that has served for a while.
	handlesKnown = 2000
)

// tally of a quarter of an hour.
type tally struct {
	arrivals, inTime, abandoned int
	// load is the mean number of conversations in progress if nobody waited, agents the mean number that serve.
	load, agents float64
}

// bite of a limit: when it first kept a pool from what it needed, and for how many seconds it did.
type bite struct{ first, seconds float64 }

// run is what became of a pool in one draw.
type run struct {
	result   world.Result
	outcomes []world.Outcome
	tallies  []tally
	peak     float64
	bites    map[LimitName]bite
}

func (q *Question) scenario(trace []world.Conversation, seed uint64, slots int, o scaling.Objective) *world.Scenario {
	return &world.Scenario{
		Seed: seed, Start: q.Start, Seconds: q.Trace.Seconds, Trace: trace, Slots: max(1, slots), Max: mostWorkers,
		Share: o.Share, Within: o.Within.Seconds(), MaxAbandonment: o.MaxAbandonment,
	}
}

// runBots runs a pool of bots in one draw. Lifted is a limit that does not hold; empty for none. Share of the history is the pool's.
func (q *Question) runBots(pool *Bots, trace []world.Conversation, seed uint64, share float64, lifted LimitName) *run {
	s := q.scenario(trace, seed, pool.Concurrency, pool.Objective)
	s.ColdStart = pool.ColdStart.Seconds()
	if q.Quota > 0 && lifted != LimitQuota {
		s.Faults = append(s.Faults, world.Fault{Kind: world.Quota, To: s.Seconds + 1, By: float64(q.Quota)})
	}
	if pool.Scaling == nil {
		w := world.New(s, quotaOf(pool.Replicas, s))
		w.Track()
		w.Run(s.Seconds)
		return q.finish(w, nil)
	}
	s.History = make([]float64, len(q.History))
	for i, n := range q.History {
		s.History[i] = n * share
	}
	if len(s.History) > 0 {
		known := rand.New(rand.NewPCG(seed, 21))
		for range handlesKnown {
			s.Learned = append(s.Learned, q.BotHandle.draw(known))
		}
	}
	settings := lift(*pool.Scaling, lifted)
	first := quotaOf(min(max(policy.First(s), settings.Min), settings.Max), s)
	w := world.New(s, first)
	w.Track()
	watch := &watch{w: w, bites: map[LimitName]bite{}}
	l := policy.Loop{
		Settings: settings, Memory: scaling.NewMemory(policy.Learned(s)), First: first, Deadline: pool.DrainDeadline.Seconds(), Tick: tick,
		WithoutFlow: len(q.Desk.Bots) > 1, Decided: watch.decided,
	}
	l.Run(w)
	return q.finish(w, watch.bites)
}

func quotaOf(workers int, s *world.Scenario) int {
	if f := s.Fault(world.Quota, 0); f != nil {
		return min(workers, int(f.By))
	}
	return workers
}

// lift a limit of settings.
func lift(s scaling.Settings, limit LimitName) scaling.Settings {
	switch limit {
	case LimitMax:
		s.Max = mostWorkers
	case LimitCap:
		s.Peaks = slices.Clone(s.Peaks)
		for i := range s.Peaks {
			s.Peaks[i].Cap = 0
		}
	case LimitBudget:
		s.Budget = nil
	default:
	}
	return s
}

// watch notes what limits.
type watch struct {
	w        *world.World
	refusals uint64
	bites    map[LimitName]bite
}

var limiters = map[scaling.Limiter]LimitName{scaling.LimiterMax: LimitMax, scaling.LimiterCap: LimitCap, scaling.LimiterBudget: LimitBudget}

func (w *watch) decided(now float64, d *scaling.Decision) {
	if limit, ok := limiters[d.Limiter]; ok && d.Workers < d.Need {
		w.note(limit, now)
	}
	if w.w.Refusals > w.refusals {
		w.refusals = w.w.Refusals
		w.note(LimitQuota, now)
	}
}

func (w *watch) note(limit LimitName, now float64) {
	b, known := w.bites[limit]
	if !known {
		b.first = now
	}
	b.seconds += tick
	w.bites[limit] = b
}

// runSeats runs a pool whose agents are there by a plan of quarters.
func (q *Question) runSeats(trace []world.Conversation, seed uint64, slots int, o scaling.Objective, seats []int) *run {
	w := world.New(q.scenario(trace, seed, slots, o), seats[0])
	w.Track()
	policy.Seats(w, quarterSeconds, seats)
	return q.finish(w, nil)
}

// quarters that the question covers.
func (q *Question) quarters() int { return max(1, int(math.Ceil(q.Trace.Seconds/quarterSeconds-1e-9))) }

func (q *Question) finish(w *world.World, bites map[LimitName]bite) *run {
	r := &run{result: w.Result(""), outcomes: w.Outcomes(), tallies: make([]tally, q.quarters()), bites: bites}
	s := w.Scenario
	for i := range s.Trace {
		c, o := &s.Trace[i], &r.outcomes[i]
		t := &r.tallies[min(int(c.Arrival/quarterSeconds), len(r.tallies)-1)]
		t.arrivals++
		switch {
		case !math.IsNaN(o.Abandoned):
			t.abandoned++
		case o.Answered-c.Arrival <= s.Within:
			t.inTime++
		}
		r.carry(c, s.Seconds)
	}
	points := make([]int, len(r.tallies))
	for _, p := range r.result.Series {
		// A point at the full quarter is of before what changes then.
		if i := int(max(0, math.Ceil(p.At/quarterSeconds)-1)); i < len(r.tallies) {
			agents := float64(p.Slots) / float64(s.Slots)
			r.tallies[i].agents += agents
			points[i]++
			r.peak = max(r.peak, agents)
		}
	}
	for i := range r.tallies {
		r.tallies[i].agents /= float64(max(1, points[i]))
		r.tallies[i].load /= min(quarterSeconds, s.Seconds-float64(i)*quarterSeconds)
	}
	r.result.Series = nil
	return r
}

// carry adds a conversation to the load of the quarters in which it would be in progress if it were answered at once.
func (r *run) carry(c *world.Conversation, end float64) {
	until := min(c.Arrival+c.Service, end)
	for from := c.Arrival; from < until; {
		i := int(from / quarterSeconds)
		to := min(until, float64(i+1)*quarterSeconds)
		r.tallies[i].load += to - from
		from = to
	}
}
