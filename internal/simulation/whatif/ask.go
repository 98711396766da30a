package whatif

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/scaling/erlang"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

// Ask answers a question. An error says what is wrong with it, with the remedy.
func Ask(q *Question) (*Answer, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	draws := make([]*drawn, q.Draws)
	q.each(func(i int) { draws[i] = q.simulate(q.Seed + uint64(i)) }) //nolint:gosec // not negative
	a := &Answer{
		Desk: q.Desk.Name, From: q.Start.In(q.Desk.Location), To: q.at(q.Trace.Seconds).In(q.Desk.Location), Draws: q.Draws, Seed: q.Seed,
		Conversations: estimate(collect(draws, func(d *drawn) float64 { return float64(d.arrivals) })),
		Assumed:       q.assumed(),
	}
	for i := range q.Desk.Bots {
		a.Pools = append(a.Pools, q.botsAnswer(i, draws))
	}
	for i := range q.Desk.People {
		a.Pools = append(a.Pools, q.peopleAnswer(i, draws))
	}
	a.judge()
	return a, nil
}

// each calls f for each draw, a few at once: the draws know nothing of each other, so that their order is of no account.
func (q *Question) each(f func(i int)) {
	var running sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range q.Draws {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	running.Wait()
}

// drawn is what became of one draw.
type drawn struct {
	seed         uint64
	arrivals     int
	bots, people []*run
	// lifted is each pool of bots without the limit that bit first in this draw, and limit is which.
	lifted []*run
	limit  []LimitName
	// traces of the people, kept to ask what more seats would do.
	traces [][]world.Conversation
}

func (q *Question) simulate(seed uint64) *drawn {
	l := q.draw(seed)
	d := &drawn{seed: seed, arrivals: len(l.handsOff)}
	shares := botShares(q.Desk.Bots)
	outcomes := make([][]world.Outcome, 0, len(q.Desk.Bots))
	for i := range q.Desk.Bots {
		pool := &q.Desk.Bots[i]
		r := q.runBots(pool, l.bots[i], seed, shares[i], "")
		outcomes = append(outcomes, r.outcomes)
		limit := firstOf(r.bites)
		var lifted *run
		if limit != "" {
			lifted = q.runBots(pool, l.bots[i], seed, shares[i], limit)
			lifted.outcomes = nil
		}
		d.bots, d.lifted, d.limit = append(d.bots, r), append(d.lifted, lifted), append(d.limit, limit)
	}
	d.traces = q.handedOff(l, outcomes)
	for i := range q.Desk.People {
		pool := &q.Desk.People[i]
		d.people = append(d.people, q.runSeats(d.traces[i], seed, pool.Concurrency, pool.Objective, q.seats(pool)))
	}
	for _, r := range slices.Concat(d.bots, d.people) {
		r.outcomes = nil // they are large
	}
	return d
}

// firstOf limits that bit; empty for none.
func firstOf(bites map[LimitName]bite) LimitName {
	var first LimitName
	for _, name := range limitsInOrder {
		if b, bit := bites[name]; bit && (first == "" || b.first < bites[first].first) {
			first = name
		}
	}
	return first
}

var limitsInOrder = []LimitName{LimitMax, LimitCap, LimitBudget, LimitQuota, LimitReplicas, LimitSeats}

// seats of a pool by quarters.
func (q *Question) seats(pool *People) []int {
	seats := make([]int, q.quarters())
	for i := range seats {
		at := q.at(float64(i) * quarterSeconds)
		if q.Desk.Open == nil || q.Desk.Open(at) {
			seats[i] = max(0, pool.Seats(at))
		}
	}
	return seats
}

func collect[T any](list []T, get func(T) float64) []float64 {
	values := make([]float64, len(list))
	for i := range list {
		values[i] = get(list[i])
	}
	return values
}

// describe fills in what is alike for bots and people.
func (q *Question) describe(p *Pool, runs []*run, slots int, o scaling.Objective, handle float64) {
	p.Objective = Objective{o.Share, o.Within.Seconds(), o.MaxAbandonment}
	p.Conversations = estimate(collect(runs, func(r *run) float64 { return float64(r.result.Conversations) }))
	p.ServiceLevel = estimate(collect(runs, serviceLevel))
	p.Abandonment = estimate(collect(runs, func(r *run) float64 { return r.result.Abandonment }))
	p.P95Wait = estimate(collect(runs, func(r *run) float64 { return r.result.P95 }))
	p.AgentHours = estimate(collect(runs, func(r *run) float64 { return r.result.AgentHours }))
	p.PeakAgents = estimate(collect(runs, func(r *run) float64 { return r.peak }))
	p.Met = p.ServiceLevel.Mean >= o.Share && p.Abandonment.Mean <= o.MaxAbandonment
	p.Close = math.Abs(p.ServiceLevel.Mean-o.Share) < p.ServiceLevel.PlusMinus || math.Abs(p.Abandonment.Mean-o.MaxAbandonment) < p.Abandonment.PlusMinus
	table := erlang.NewTable(erlang.System{Service: handle, Patience: q.Patience.Mean()}, erlang.Objective{
		Share: o.Share, Within: o.Within.Seconds(), MaxAbandonment: o.MaxAbandonment,
	})
	for i := range q.quarters() {
		c := q.quarter(i, runs)
		load := sum(runs, func(r *run) float64 { return r.tallies[i].load }) / float64(len(runs))
		needed := table.Slots(load)
		if o.Occupancy > 0 {
			needed = int(math.Ceil(load / o.Occupancy))
		}
		c.Required = (needed + slots - 1) / slots
		if c.Required > p.PeakRequired {
			p.PeakRequired, p.PeakAt = c.Required, c.Start
		}
		p.Quarters = append(p.Quarters, c)
	}
}

// serviceLevel of a run; nobody who arrives is served well.
func serviceLevel(r *run) float64 {
	if r.result.Conversations == 0 {
		return 1
	}
	return r.result.ServiceLevel
}

func sum[T any](list []T, get func(T) float64) float64 {
	total := 0.0
	for i := range list {
		total += get(list[i])
	}
	return total
}

// quarter of an hour on average over the draws.
func (q *Question) quarter(i int, runs []*run) Curve {
	n := float64(len(runs))
	arrivals := sum(runs, func(r *run) float64 { return float64(r.tallies[i].arrivals) })
	c := Curve{
		Start: q.at(float64(i) * quarterSeconds).In(q.Desk.Location), Arrivals: arrivals / n,
		Agents: sum(runs, func(r *run) float64 { return r.tallies[i].agents }) / n,
	}
	if arrivals > 0 {
		c.ServiceLevel = new(sum(runs, func(r *run) float64 { return float64(r.tallies[i].inTime) }) / arrivals)
		c.Abandonment = new(sum(runs, func(r *run) float64 { return float64(r.tallies[i].abandoned) }) / arrivals)
	}
	return c
}

func (q *Question) botsAnswer(i int, draws []*drawn) Pool {
	pool := &q.Desk.Bots[i]
	p := Pool{Name: pool.Name, Type: TypeBot}
	runs := make([]*run, len(draws))
	for j, d := range draws {
		runs[j] = d.bots[i]
	}
	q.describe(&p, runs, max(1, pool.Concurrency), pool.Objective, q.BotHandle.Mean())
	if pool.Scaling == nil {
		fixed := make([]int, q.quarters())
		for j := range fixed {
			fixed[j] = pool.Replicas
		}
		q.planned(&p, LimitReplicas, fixed, draws, func(d *drawn, required []int) *run {
			return q.runSeats(q.draw(d.seed).bots[i], d.seed, pool.Concurrency, pool.Objective, required)
		})
		return p
	}
	for _, name := range limitsInOrder {
		limit := Limit{Name: name, Value: q.valueOf(pool, name)}
		first := math.Inf(1)
		for _, r := range runs {
			if b, bit := r.bites[name]; bit {
				limit.Draws++
				limit.Hours += b.seconds / 3600 / float64(len(runs))
				first = min(first, b.first)
			}
		}
		if limit.Draws > 0 {
			limit.First = q.at(first).In(q.Desk.Location)
			limit.Without = without(draws, i, name)
			p.Limits = append(p.Limits, limit)
		}
	}
	p.order()
	return p
}

// without is the mean over the draws in which a limit bit first; the others are as they are.
func without(draws []*drawn, i int, name LimitName) *Without {
	runs, first := make([]*run, len(draws)), false
	for j, d := range draws {
		if runs[j] = d.bots[i]; d.limit[i] == name {
			runs[j], first = d.lifted[i], true
		}
	}
	if !first {
		return nil
	}
	return withoutOf(runs)
}

func withoutOf(runs []*run) *Without {
	return &Without{
		ServiceLevel: estimate(collect(runs, serviceLevel)),
		Abandonment:  estimate(collect(runs, func(r *run) float64 { return r.result.Abandonment })),
		AgentHours:   estimate(collect(runs, func(r *run) float64 { return r.result.AgentHours })),
	}
}

// order the limits by their time; the first of them is the one that counts.
func (p *Pool) order() {
	slices.SortStableFunc(p.Limits, func(a, b Limit) int { return cmp.Or(a.First.Compare(b.First), cmp.Compare(b.Hours, a.Hours)) })
	if len(p.Limits) > 0 {
		p.Limit = &p.Limits[0]
	}
}

func (q *Question) valueOf(pool *Bots, name LimitName) float64 {
	switch {
	case name == LimitMax:
		return float64(pool.Scaling.Max)
	case name == LimitBudget && pool.Scaling.Budget != nil:
		return pool.Scaling.Budget.AgentHours
	case name == LimitQuota:
		return float64(q.Quota)
	default:
		return 0
	}
}

// planned finds where fewer agents are there by plan than required, and what the required ones would do.
func (q *Question) planned(p *Pool, name LimitName, there []int, draws []*drawn, with func(*drawn, []int) *run) {
	limit := Limit{Name: name, Draws: len(draws)}
	required := make([]int, len(there))
	for i := range there {
		required[i] = max(there[i], p.Quarters[i].Required)
		if there[i] >= required[i] {
			continue
		}
		if limit.First.IsZero() {
			limit.First, limit.Value = p.Quarters[i].Start, float64(there[i])
		}
		limit.Hours += Quarter.Hours()
	}
	if limit.First.IsZero() {
		return
	}
	runs := make([]*run, len(draws))
	q.each(func(i int) { runs[i] = with(draws[i], required) })
	limit.Without = withoutOf(runs)
	p.Limits = []Limit{limit}
	p.order()
}

func (q *Question) peopleAnswer(i int, draws []*drawn) Pool {
	pool := &q.Desk.People[i]
	p := Pool{Name: pool.Name, Type: TypeHuman}
	runs := make([]*run, len(draws))
	for j, d := range draws {
		runs[j] = d.people[i]
	}
	q.describe(&p, runs, max(1, pool.Concurrency), pool.Objective, q.HumanHandle.Mean()+pool.WrapUp.Seconds())
	q.planned(&p, LimitSeats, q.seats(pool), draws, func(d *drawn, required []int) *run {
		return q.runSeats(d.traces[i], d.seed, pool.Concurrency, pool.Objective, required)
	})
	return p
}
