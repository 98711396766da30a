package capacity

import (
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// Key names a pool.
type Key struct{ Namespace, Name string }

// Pool is what the loop must know of a pool; its controller tells.
type Pool struct {
	Key
	// Desk that the pool belongs to.
	Desk string
	// Human pools have seats, the others bot workers.
	Human bool
	// Concurrency is the number of slots of one agent.
	Concurrency int
	// Scaling that the author declared; nil when Replicas are somebody else's decision. Advice is what is recommended by
	// then; nil for nothing.
	Scaling, Advice *scaling.Settings
	// Replicas that the spec asks for; used without Scaling.
	Replicas int
	// DrainDeadline after which a draining worker's conversations are handed over.
	DrainDeadline time.Duration
	// Live replicas of the workload; less than 0 while there is none.
	Live int
	// RollingOut says that pods of two revisions exist.
	RollingOut bool
	// Refused are the pods that the workload asks for and the cluster does not let it make.
	Refused int
	// RefusedBy says what of the cluster keeps workers away that were asked for, as the metric names it; empty for nothing.
	RefusedBy string
	// Created is when the pods were made that are there; it tells how long workers take to come up.
	Created map[string]time.Time
	// Queues that people serve, and how many Members they are.
	Queues  []string
	Members int
	// People says what is declared of them at a time; nil leaves shifts, peaks and the reserve out of account. It is asked
	// when PeopleRevision has changed, and now and then. Reserve is how the tiers stood when the status was written.
	People         func(now time.Time) *scaling.People
	PeopleRevision string
	Reserve        []scaling.TierState
}

// View is what is known and wanted of a pool at one moment.
type View struct {
	// Wanted active workers of a pool of bots.
	Wanted int
	// Decision about a pool of bots, Seats of a pool of people. Without Scaling it is Advice, and Wanted is something else.
	Decision *scaling.Decision
	Advice   bool
	Seats    *scaling.Seats
	// Plan of the seats, Rostered ones now, and the Reserve tiers of a pool of people; nil where nothing is declared. The
	// plan is made anew rather than changed.
	Plan     *scaling.SeatPlan
	Rostered *int
	Reserve  []scaling.TierState
	// Fresh says that what follows is of the last seconds. Young says that it is too early to miss it: the desk has
	// not had the time to report since the pool came into the table.
	Fresh, Young bool
	// Blind says that the desk has been silent for so long that an explicit word of the author goes first.
	Blind bool
	// Waiting conversations that are the pool's to serve, InProgress those that it has.
	Waiting, InProgress int
	// SignedOn agents that may be given conversations, and their Slots.
	SignedOn, Slots int
	// Workers that are signed on.
	Workers []scaling.Worker
}

// Draining counts the workers that take nothing new; 0 when that is not known.
func (v *View) Draining() int {
	n := 0
	if v.Fresh {
		for i := range v.Workers {
			if v.Workers[i].Draining {
				n++
			}
		}
	}
	return n
}

// Drains says that a worker is known to take nothing new.
func (v *View) Drains(worker string) bool {
	return v.Fresh && slices.ContainsFunc(v.Workers, func(w scaling.Worker) bool { return w.Name == worker && w.Draining })
}

// entry is a pool in the table.
type entry struct {
	pool   Pool
	memory scaling.Memory
	view   View
	// seeded says that a decision rests on figures, not on what was found alone.
	seeded bool
	// managed says that the pool had Scaling when it was last looked at.
	managed bool
	leaving []string
	flow    flow
	history history
	seats   seats
	// since is when the pool came into the table, heard when its desk last reported about it.
	since, heard time.Time
	// told is the view that the controller was last told of, at toldAt.
	told   View
	toldAt time.Time
}

// BlindAfter a desk was silent for so long, an author's own lowering of replicas
// is carried out without a drain: a desk that does not run must not keep its
// author from taking its workers away.
const BlindAfter = time.Minute

// look decides about a pool of bots or people. Report is nil when the desk has
// not reported; waiting is what of its queues is the pool's share. May allows a new plan of seats, and planned says that
// one was made.
func (e *entry) look(now time.Time, report *link.Report, received time.Time, d *desk, waiting int, may bool) (planned bool) {
	figures := scaling.Figures{At: received, Waiting: waiting}
	var v View
	p := poolOf(report, e.pool.Name)
	if p != nil {
		figures.InProgress = p.InProgress
		v.SignedOn, v.Slots = p.SignedOn, p.Slots
		v.Workers = workersOf(p)
		e.heard = received
		if e.pool.Human {
			e.seats.hear(report, p, received, d.part(e))
		} else {
			e.flow.hear(p, d.flowOf(e, p, report), received)
			e.flow.tell(&figures, p)
		}
	} else {
		// A desk that has not heard of the pool says nothing about it, least of all that it has nothing to do.
		figures = scaling.Figures{}
	}
	v.Fresh = figures.Fresh(now)
	v.Waiting, v.InProgress = figures.Waiting, figures.InProgress
	v.Young = e.heard.IsZero() && now.Sub(e.since) < scaling.StaleAfter
	v.Blind = now.Sub(later(e.heard, e.since)) > BlindAfter
	if e.pool.Human {
		planned = e.lookAtSeats(now, &v, figures, p, may)
	} else {
		e.lookAtWorkers(now, &v, figures, d.botShare(e))
	}
	e.view = v
	return planned
}

func (e *entry) lookAtWorkers(now time.Time, v *View, figures scaling.Figures, share float64) {
	if managed := e.pool.Scaling != nil; managed != e.managed {
		e.memory.Forget() // but for what was learned
		e.managed, e.seeded = managed, false
	}
	if !e.managed {
		e.advise(now, v, figures, share)
		return
	}
	in := &scaling.Input{
		Now: now, Settings: shared(e.pool.Scaling, share), Figures: figures, Current: e.view.Wanted,
		Running: max(e.pool.Live, len(v.Workers)), RollingOut: e.pool.RollingOut, Refused: e.pool.Refused,
	}
	if !e.seeded {
		// What is found in the cluster counts as needed, but for what is draining already: a new leader goes on
		// where the one before it stopped.
		e.memory.Forget()
		in.Current = max(0, e.pool.Live-v.Draining())
	}
	d := scaling.Decide(in, &e.memory)
	v.Decision, v.Wanted = &d, d.Workers
	e.seeded = e.seeded || v.Fresh
}

// advise recommends a number to whoever decides about the pool.
func (e *entry) advise(now time.Time, v *View, figures scaling.Figures, share float64) {
	v.Wanted = e.pool.Replicas
	if e.pool.Advice == nil {
		return
	}
	d := scaling.Decide(&scaling.Input{
		Now: now, Settings: shared(e.pool.Advice, share), Figures: figures, Current: e.pool.Replicas,
		Running: max(e.pool.Live, len(v.Workers)), RollingOut: e.pool.RollingOut,
	}, &e.memory)
	v.Decision, v.Advice = &d, true
}

func poolOf(report *link.Report, name string) *link.Pool {
	if report == nil {
		return nil
	}
	if i := slices.IndexFunc(report.Pools, func(p link.Pool) bool { return p.Name == name }); i >= 0 {
		return &report.Pools[i]
	}
	return nil
}

func workersOf(p *link.Pool) []scaling.Worker {
	workers := make([]scaling.Worker, 0, len(p.Workers))
	for _, w := range p.Workers {
		worker := scaling.Worker{Name: w.Name, Busy: w.Busy, Draining: w.Draining}
		if w.Draining && !w.Drained {
			// The router's word counts, not our sum: a worker may be empty and its mark not stored yet.
			worker.Busy = max(1, w.Busy)
		}
		workers = append(workers, worker)
	}
	return workers
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// decided says whether a desk may be told what is wanted. What was found in the
// cluster is no decision: it would take back what a former leader began.
func (e *entry) decided() bool { return !e.pool.Human && (e.pool.Scaling == nil || e.seeded) }

// queues whose conversations the pool serves. All bots serve the implicit one.
func (p *Pool) queues() []string {
	if p.Human {
		return p.Queues
	}
	return []string{conversation.BotQueue}
}

// room is for how many conversations the pool could have slots, at most.
func (p *Pool) room() int {
	switch {
	case p.Human:
		return p.Members * p.Concurrency
	case p.Scaling != nil:
		return p.Scaling.Max * p.Concurrency
	default:
		return p.Replicas * p.Concurrency
	}
}
