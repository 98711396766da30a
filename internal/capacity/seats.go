package capacity

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/link/server"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

const (
	// plansPerTick bounds how many plans are made in one tick: each costs up to tens of milliseconds when the handle time
	// has changed, and all others wait for it. Two thousand pools have new plans within a quarter of an hour.
	plansPerTick = 3
	// planEvery so long a plan is made anew: with each step of it.
	planEvery = scaling.PlanStep
)

// seats is what the loop remembers of a pool of people.
type seats struct {
	// people are the settings of a revision, as of the time at which the plan was made.
	people   *scaling.People
	revision string
	plan     *scaling.SeatPlan
	planned  time.Time
	// curve is the plan as the desk gets it.
	curve   *link.Staffing
	reserve scaling.Reserve
	states  []scaling.TierState
	heard   seatCounters
	passed  *scaling.Passed
}

// seatCounters are those of the report that was heard last.
type seatCounters struct {
	at     time.Time
	term   uint64
	queues map[string]link.QueueFigures
	pool   link.PoolFigures
}

// hear takes a report in, once, and notes what passed in the pool since the one before. Part is the pool's share of a queue.
func (s *seats) hear(report *link.Report, p *link.Pool, received time.Time, part func(queue string) float64) {
	if received.Equal(s.heard.at) || p.Figures == nil {
		return
	}
	was := s.heard
	is := seatCounters{at: received, term: report.Term, queues: map[string]link.QueueFigures{}, pool: *p.Figures}
	passed := &scaling.Passed{From: was.at, To: received}
	for i := range report.Queues {
		q := &report.Queues[i]
		share := part(q.Name)
		if q.Figures == nil || share <= 0 {
			continue
		}
		is.queues[q.Name] = *q.Figures
		before, known := was.queues[q.Name]
		if !known {
			continue
		}
		passed.Arrivals += share * rise(q.Figures.Arrived, before.Arrived)
		passed.HangUps += share * rise(q.Figures.Abandoned, before.Abandoned)
		passed.WaitedSeconds += share * max(0, q.Figures.AnsweredWaitSeconds-before.AnsweredWaitSeconds+
			q.Figures.AbandonedWaitSeconds-before.AbandonedWaitSeconds)
	}
	s.heard = is
	switch {
	case was.at.IsZero():
		// The manager has just taken the lead: it learns how long conversations take from all that the desk has seen.
		was.pool = link.PoolFigures{}
		passed.From = received
	case was.term != report.Term:
		return // another router counts from 0 on; most of what it counts was before
	}
	passed.Handled = handled(&is.pool, &was.pool)
	s.passed = passed
}

func rise(is, was uint64) float64 {
	if is < was {
		return 0
	}
	return float64(is - was)
}

// handled are the handle times between two counts: two durations with the mean and the spread of all of them.
func handled(is, was *link.PoolFigures) []scaling.Lasting {
	n := rise(is.Handled, was.Handled)
	if n == 0 || n > math.MaxInt32 {
		return nil
	}
	mean := (is.HandleSeconds - was.HandleSeconds) / n
	spread := math.Sqrt(max(0, (is.HandleSecondsSquared-was.HandleSecondsSquared)/n-mean*mean))
	if !(mean >= 0) { // also NaN
		return nil
	}
	half := int(n) / 2
	if half == 0 {
		return []scaling.Lasting{{Seconds: mean, Count: int(n)}}
	}
	return []scaling.Lasting{{Seconds: max(0, mean-spread), Count: half}, {Seconds: mean + spread, Count: int(n) - half}}
}

// part is the share of a queue's conversations that a pool of people has to expect: that of its room among the pools that
// serve the queue.
func (d *desk) part(of *entry) func(queue string) float64 {
	return func(queue string) float64 {
		if !slices.Contains(of.pool.Queues, queue) {
			return 0
		}
		all := 0
		for _, e := range d.pools {
			if e.pool.Human && slices.Contains(e.pool.Queues, queue) {
				all += e.pool.room()
			}
		}
		if all == 0 {
			return 0
		}
		return float64(of.pool.room()) / float64(all)
	}
}

// settle takes over what the author declares, when that has changed or the plan is due. It says whether a plan was made.
func (s *seats) settle(now time.Time, p *Pool, k *scaling.Knowledge, may bool) bool {
	if p.People == nil {
		*s = seats{heard: s.heard}
		return false
	}
	changed := s.people == nil || s.revision != p.PeopleRevision
	if !changed && (!may || now.Sub(s.planned) < planEvery && !now.Before(s.planned) && s.plan.At(now) == &s.plan.Steps[0]) {
		return false
	}
	s.people, s.revision = p.People(now), p.PeopleRevision
	s.plan, s.planned = scaling.PlanSeats(now, s.people, k), now
	s.curve = curveOf(s.plan, s.people.Shrinkage)
	return true
}

// curveOf a plan, as the desk gets it.
func curveOf(plan *scaling.SeatPlan, shrinkage float64) *link.Staffing {
	n := len(plan.Steps)
	c := &link.Staffing{
		Start: plan.Start, StepSeconds: int(scaling.PlanStep / time.Second), ShrinkagePercent: math.Round(shrinkage * 100),
		Arrivals: make([]float64, n), Required: make([]int, n), Scheduled: make([]int, n), Rostered: make([]int, n),
	}
	sum := fnv.New64a()
	for i := range plan.Steps {
		s := &plan.Steps[i]
		c.Arrivals[i] = scaling.NotKnown
		if !math.IsNaN(s.Arrivals) {
			c.Arrivals[i] = math.Round(s.Arrivals*10) / 10
		}
		c.Required[i], c.Scheduled[i], c.Rostered[i] = s.Required, s.Scheduled, s.Rostered
		_, _ = fmt.Fprintln(sum, c.Arrivals[i], s.Required, s.Scheduled, s.Rostered) // it never fails
	}
	c.Revision = strconv.FormatInt(plan.Start.Unix(), 36) + "-" + strconv.FormatUint(sum.Sum64(), 36)
	return c
}

// lookAtSeats decides about a pool of people. May says that a plan may be made.
func (e *entry) lookAtSeats(now time.Time, v *View, figures scaling.Figures, p *link.Pool, may bool) (planned bool) {
	s := &e.seats
	planned = s.settle(now, &e.pool, e.memory.Knowledge(), may)
	in := &scaling.SeatsInput{
		Now: now, Concurrency: e.pool.Concurrency, Figures: figures, SignedOn: v.SignedOn, People: s.people, Passed: s.passed,
	}
	s.passed = nil
	if e.view.Seats != nil {
		in.Required = e.view.Seats.Required
	}
	decided := scaling.DecideSeats(in, &e.memory)
	v.Seats, v.Wanted = &decided, decided.Required
	if s.people == nil {
		return planned
	}
	v.Plan = s.plan
	if s.people.Roster != nil {
		v.Rostered = new(s.people.Roster.At(now))
	}
	if len(s.people.Reserve) > 0 {
		s.reserve.Restore(e.pool.Reserve)
		s.states = s.reserve.Decide(s.reserveInput(now, &decided, v.SignedOn, p))
	} else {
		s.states = nil
	}
	v.Reserve = s.states
	return planned
}

func (s *seats) reserveInput(now time.Time, decided *scaling.Seats, signedOn int, p *link.Pool) *scaling.ReserveInput {
	in := &scaling.ReserveInput{
		Now: now, Tiers: s.people.Reserve, Seats: *decided, SignedOn: signedOn, Plan: s.plan, Shrinkage: s.people.Shrinkage,
		Present: map[string]int{}, ByHand: map[string]scaling.TierState{},
	}
	if p == nil {
		in.ByHand = s.reserve.ByHand() // the desk is silent: such a call stands until its end
		return in
	}
	for i := range p.Reserve {
		r := &p.Reserve[i]
		in.Present[r.Name] = r.Present
		if r.By != "" {
			in.ByHand[r.Name] = scaling.TierState{Name: r.Name, Called: r.Called, Since: r.Since, Until: r.Until, By: r.By}
		}
	}
	return in
}

// Seats says what is wanted of the pools of people of a desk: which reserve tiers are called in, and the plan of each of
// which the desk has another one.
func (l *Loop) Seats(namespace, name string) map[string]link.Seats {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := server.Key{Namespace: namespace, Desk: name}
	d := l.desks[key]
	if d == nil {
		return nil
	}
	report, _ := l.last(key)
	var wanted map[string]link.Seats
	for _, e := range d.pools {
		if !e.pool.Human || e.seats.people == nil {
			continue
		}
		var say link.Seats
		for _, s := range e.seats.states {
			if s.Called && s.By == "" {
				say.Called = append(say.Called, s.Name)
			}
		}
		if p := poolOf(report, e.pool.Name); p != nil && p.Staffing != e.seats.curve.Revision {
			say.Staffing = e.seats.curve
		}
		if wanted == nil {
			wanted = map[string]link.Seats{}
		}
		wanted[e.pool.Name] = say
	}
	return wanted
}

// sameReserve says that the tiers of two views stand the same.
func sameReserve(a, b []scaling.TierState) bool {
	return slices.EqualFunc(a, b, func(x, y scaling.TierState) bool {
		return x.Name == y.Name && x.Called == y.Called && x.By == y.By && x.Until.Equal(y.Until)
	})
}
