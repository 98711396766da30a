package scaling

import (
	"math"
	"time"

	"github.com/deskfleet/deskfleet/internal/scaling/erlang"
	"github.com/deskfleet/deskfleet/internal/scaling/forecast"
	"github.com/deskfleet/deskfleet/internal/scaling/roster"
)

// People are what the author of a pool of people declared, and what the queues that it serves promise.
type People struct {
	// Concurrency is the number of slots of one seat; less than 1 counts as 1.
	Concurrency int
	// Objectives of the queues: the one that asks for most counts. None stands for [DefaultObjective].
	Objectives []Objective
	// Shrinkage is the share of the scheduled time, 0 to 0.9, in which people are not there.
	Shrinkage float64
	// Peaks that were announced: each occurrence by itself. Floor and Cap are seats.
	Peaks []Peak
	// Calendar says which days compare.
	Calendar forecast.Calendar
	// Roster of the pool; nil where none is declared.
	Roster *roster.Roster
	// Reserve tiers, in the order in which they are called in.
	Reserve []Tier
}

func (p *People) slots() int { return max(1, p.Concurrency) }

func (p *People) objectives() []Objective {
	if len(p.Objectives) == 0 {
		return []Objective{DefaultObjective}
	}
	return p.Objectives
}

// announced is as [Settings.announced].
func (p *People) announced(at time.Time) (factor, rate float64) {
	factor, rate, _ = (&Settings{Peaks: p.Peaks}).announced(at)
	return factor, rate
}

// bounds of the seats that peaks declare at a time; most is 0 for none.
func (p *People) bounds(at time.Time) (floor, most int) {
	for i := range p.Peaks {
		peak := &p.Peaks[i]
		if !peak.runs(at) {
			continue
		}
		floor = max(floor, peak.Floor)
		if peak.Cap > 0 && (most == 0 || peak.Cap < most) {
			most = peak.Cap
		}
	}
	return floor, most
}

// scheduled is how many seats must be scheduled so that so many are there.
func (p *People) scheduled(seats int) int {
	return bounded(math.Ceil(float64(seats)/(1-min(max(p.Shrinkage, 0), 0.9)) - 1e-9))
}

// Passed is what happened in a pool of people between two times.
type Passed struct {
	From, To time.Time
	// Arrivals in its queues, HangUps of customers who left them without an answer, and how long all who left the
	// queues had waited, together. Of a queue that several pools serve it is the pool's share.
	Arrivals, HangUps, WaitedSeconds float64
	// Handled are the handle times of the conversations that ended.
	Handled []Lasting
}

// pass takes in what happened in a pool of people.
func (k *Knowledge) pass(people *People, p *Passed) {
	for _, h := range p.Handled {
		k.handle.Observe(h.Seconds, float64(h.Count))
	}
	if p.WaitedSeconds > 0 && p.WaitedSeconds < mostFigures {
		k.waited += p.WaitedSeconds
		k.hangUps += max(0, p.HangUps)
		if k.hangUps > mostHangUps || k.waited > 1e7 {
			k.hangUps, k.waited = max(1, k.hangUps/2), k.waited/2
		}
	}
	factor, rate := people.announced(p.To)
	if rate > 0 {
		factor = 0 // what was announced replaces what is usual, which then cannot be seen
	}
	k.forecaster(people.Calendar).Observe(p.From, p.To, p.Arrivals, factor)
}

// seatTables size pools of people, one table for each objective, for what was known of a pool when they were made.
type seatTables struct {
	system erlang.System
	tables map[erlang.Objective]*erlang.Table
}

func (k *Knowledge) seatTable(o Objective) *erlang.Table {
	now := erlang.System{Service: k.HandleTime(), Patience: min(max(k.Patience(), 1), 1e6)}
	t := &k.people
	if t.tables == nil || off(now.Service, t.system.Service) || off(now.Patience, t.system.Patience) {
		*t = seatTables{system: now, tables: map[erlang.Objective]*erlang.Table{}}
	}
	e := o.erlang()
	if t.tables[e] == nil {
		t.tables[e] = erlang.NewTable(now, e)
	}
	return t.tables[e]
}

// leastLoad below which nobody is needed: a conversation in a hundred steps.
const leastLoad = 0.003

// seats is how many must be there for a load of conversations in the system, of which the relative error is known. Only the
// error makes more than the formula asks for: chance is in the formula.
func (k *Knowledge) seats(p *People, load, relativeError float64) int {
	if !(load > leastLoad) { // also NaN
		return 0
	}
	load = min(load, mostFigures)
	most := 0.0
	for _, o := range p.objectives() {
		t := k.seatTable(o)
		slots := float64(t.Slots(load))
		if margin := slots - load; relativeError > 0 && margin > 0 {
			slots += margin / math.Sqrt(load) * (math.Sqrt(load+relativeError*relativeError*load*load) - math.Sqrt(load))
		}
		most = max(most, slots)
	}
	return bounded(math.Ceil(most/float64(p.slots()) - 1e-9))
}

// measured is how many seats the arrivals of the last minutes need; false before there were enough of these.
func (k *Knowledge) measured(p *People) (seats int, perHour float64, ok bool) {
	rate, _, ok := k.forecaster(p.Calendar).Measured()
	if !ok {
		return 0, 0, false
	}
	return k.seats(p, rate*k.HandleTime(), 0), rate * 3600, true
}
