package capacity

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/link/server"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

const (
	// tick is how often all pools are looked at.
	tick = time.Second
	// figuresEvery so long a controller is told of figures that changed nothing.
	figuresEvery = 30 * time.Second
)

// Options of a loop.
type Options struct {
	// Desks are the figures. Nil when there is no link: then what a spec says is wanted, at once.
	Desks *server.Desks
	// Now is the clock; time.Now outside tests.
	Now func() time.Time
	// PoolChanged is called when a pool's controller should look at it, DeskChanged when a desk's should: its figures
	// are worth it, or it runs a configuration that is none of ours and counts as newer. They must not block.
	PoolChanged func(Key)
	DeskChanged func(namespace, desk string)
	// Logger; slog.Default if nil.
	Logger *slog.Logger
}

// Loop decides about all pools. Make it with [New]; it is safe for concurrent use.
type Loop struct {
	o Options

	mu    sync.Mutex
	pools map[Key]*entry
	desks map[server.Key]*desk
	// histories counts what became of what was learned, by result.
	histories map[string]uint64
	// plans of seats that may still be made in this tick.
	plans int
}

// Configuration of a desk.
type Configuration struct {
	Revision   string
	Generation int64
	// Content is a hash without the generation.
	Content string
}

// New makes a loop.
func New(o Options) *Loop {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Loop{o: o, pools: map[Key]*entry{}, desks: map[server.Key]*desk{}, histories: map[string]uint64{}}
}

// Linked says whether desks can report at all.
func (l *Loop) Linked() bool { return l.o.Desks != nil }

// Look puts a pool into the table, or changes it, and says what is wanted of it now.
func (l *Loop) Look(p Pool) View {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.o.Now()
	e := l.pools[p.Key]
	if e != nil && e.pool.Desk != p.Desk {
		l.remove(p.Key) // an object of the same name was made anew for another desk
		e = nil
	}
	if e == nil {
		e = &entry{since: now}
		l.pools[p.Key] = e
		d := l.desk(server.Key{Namespace: p.Namespace, Desk: p.Desk})
		d.pools = append(d.pools, e)
		e.pool = p
		slices.SortFunc(d.pools, func(a, b *entry) int { return compare(a.pool.Name, b.pool.Name) })
	}
	e.pool = p
	e.flow.created(p.Created)
	l.plans = max(l.plans, 1)
	l.look(now, server.Key{Namespace: p.Namespace, Desk: p.Desk})
	e.told, e.toldAt = e.view, now
	return e.view
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// Leaving says which workers' pods have been given up, so that the desk does not take them back.
func (l *Loop) Leaving(key Key, workers []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.pools[key]; e != nil {
		e.leaving = workers
	}
}

// Forget takes a pool out of the table.
func (l *Loop) Forget(key Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(key)
}

func (l *Loop) remove(key Key) {
	e := l.pools[key]
	if e == nil {
		return
	}
	delete(l.pools, key)
	d := l.desk(server.Key{Namespace: key.Namespace, Desk: e.pool.Desk})
	d.pools = slices.DeleteFunc(d.pools, func(o *entry) bool { return o == e })
	l.drop(server.Key{Namespace: key.Namespace, Desk: e.pool.Desk}, d)
}

func (l *Loop) desk(key server.Key) *desk {
	d := l.desks[key]
	if d == nil {
		d = &desk{since: l.o.Now()}
		l.desks[key] = d
	}
	return d
}

// Configured says which configuration a desk is to run.
func (l *Loop) Configured(namespace, name string, c Configuration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.desk(server.Key{Namespace: namespace, Desk: name}).wanted = c
}

// Written is what [Loop.Configured] was told last; zero for nothing.
func (l *Loop) Written(namespace, name string) Configuration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.desks[server.Key{Namespace: namespace, Desk: name}]; d != nil {
		return d.wanted
	}
	return Configuration{}
}

// Running is the configuration that a desk reports to have; zero when it is silent.
func (l *Loop) Running(namespace, name string) Configuration {
	report, received := l.last(server.Key{Namespace: namespace, Desk: name})
	if report == nil || l.o.Now().Sub(received) > scaling.StaleAfter {
		return Configuration{}
	}
	return Configuration{Revision: report.Revision, Generation: report.Generation}
}

// Answer says what is wanted of a desk: the revision of its configuration, and
// the active workers of its pools of bots. A pool whose controller is to act on
// the report that is being answered is told at once, not at the next tick: in a
// burst that is a second less for those who wait.
func (l *Loop) Answer(namespace, name string) (revision string, pools map[string]link.Wanted) {
	revision, pools, changed := l.answer(server.Key{Namespace: namespace, Desk: name})
	for _, key := range changed {
		l.o.PoolChanged(key)
	}
	return revision, pools
}

func (l *Loop) answer(key server.Key) (revision string, pools map[string]link.Wanted, changed []Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.desks[key]
	if d == nil {
		return "", nil, nil
	}
	// By the report that is being answered: the next one may come in seconds only, and until then the desk would
	// drain the very workers that this report called for.
	now := l.o.Now()
	l.look(now, key)
	for _, e := range d.pools {
		if e.news(now) {
			e.told, e.toldAt = e.view, now
			changed = append(changed, e.pool.Key)
		}
		if !e.decided() {
			continue
		}
		if pools == nil {
			pools = map[string]link.Wanted{}
		}
		pools[e.pool.Name] = link.Wanted{
			Active: e.view.Wanted, DrainSeconds: int(e.pool.DrainDeadline / time.Second), Leaving: e.leaving,
		}
	}
	return d.wanted.Revision, pools, changed
}

// Run looks at all pools each second until ctx ends.
func (l *Loop) Run(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.Tick()
		}
	}
}

// Tick looks at all pools once.
func (l *Loop) Tick() {
	pools, desks := l.changes()
	for _, key := range pools {
		l.o.PoolChanged(key)
	}
	for _, key := range desks {
		l.o.DeskChanged(key.Namespace, key.Desk)
	}
}

func (l *Loop) changes() (pools []Key, desks []server.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.o.Now()
	l.plans = plansPerTick
	for key, d := range l.desks {
		if foreign := l.foreign(key, d); l.deskNews(now, key, d) || foreign {
			desks = append(desks, key)
		}
		l.look(now, key)
		for _, e := range d.pools {
			if e.news(now) {
				e.told, e.toldAt = e.view, now
				pools = append(pools, e.pool.Key)
			}
		}
	}
	return pools, desks
}

// foreign says that a desk runs a configuration that is not ours and that it
// will not leave for ours, for the first time.
func (l *Loop) foreign(key server.Key, d *desk) bool {
	if l.o.Desks == nil || d.wanted.Revision == "" {
		return false
	}
	report, _ := l.o.Desks.Last(key)
	if report == nil || report.Revision == d.wanted.Revision || report.Generation < d.wanted.Generation || report.Revision == d.claimed {
		return false
	}
	d.claimed = report.Revision
	return true
}

// look decides about all pools of a desk.
func (l *Loop) look(now time.Time, key server.Key) {
	d := l.desks[key]
	if d == nil {
		return
	}
	report, received := l.last(key)
	waiting := d.share(report)
	for i, e := range d.pools {
		if e.look(now, report, received, d, waiting[i], l.plans > 0) {
			l.plans--
		}
		if l.o.Desks == nil {
			e.view.Blind, e.view.Young = true, false
		}
	}
}

// share divides what waits in the desk's queues between its pools.
func (d *desk) share(report *link.Report) []int {
	waiting := make([]int, len(d.pools))
	if report == nil {
		return waiting
	}
	for i := range report.Queues {
		q := &report.Queues[i]
		var serving, rooms []int
		for n, e := range d.pools {
			if !slices.Contains(e.pool.queues(), q.Name) {
				continue
			}
			inProgress := 0
			if p := poolOf(report, e.pool.Name); p != nil {
				inProgress = p.InProgress
			}
			serving, rooms = append(serving, n), append(rooms, e.pool.room()-inProgress)
		}
		for n, s := range scaling.Share(q.Waiting, rooms) {
			waiting[serving[n]] += s
		}
	}
	return waiting
}

// news says whether the pool's controller should look at it.
func (e *entry) news(now time.Time) bool {
	was, is := &e.told, &e.view
	if was.Wanted != is.Wanted || was.Fresh != is.Fresh || was.Young != is.Young || was.Blind != is.Blind || !was.sameRegime(is) || was.short() != is.short() ||
		!sameReserve(was.Reserve, is.Reserve) {
		return true
	}
	if is.Fresh && !slices.EqualFunc(was.Workers, is.Workers, sameStanding) {
		// Who came, went, was marked or has nothing left decides which pods may go.
		return true
	}
	return now.Sub(e.toldAt) >= figuresEvery && !is.sameFigures(was)
}

// regime is what a decision of a pool is made in: what keeps it from its need, if anything does, and whether it panics.
func (v *View) regime() (limiter scaling.Limiter, panics bool) {
	if v.Decision == nil || v.Advice {
		return scaling.LimiterNone, false
	}
	switch limiter = v.Decision.Limiter; limiter {
	case scaling.LimiterMax, scaling.LimiterCap, scaling.LimiterBudget:
	default:
		limiter = scaling.LimiterNone
	}
	return limiter, v.Decision.Panics
}

func (v *View) sameRegime(other *View) bool {
	limiter, panics := v.regime()
	otherLimiter, otherPanics := other.regime()
	return limiter == otherLimiter && panics == otherPanics
}

// short says that people are missing.
func (v *View) short() bool { return v.Seats != nil && v.Seats.Shortfall > 0 }

func sameStanding(a, b scaling.Worker) bool {
	return a.Name == b.Name && a.Draining == b.Draining && a.Drained() == b.Drained()
}

func (v *View) sameFigures(other *View) bool {
	return v.Waiting == other.Waiting && v.InProgress == other.InProgress && v.SignedOn == other.SignedOn && v.Slots == other.Slots &&
		v.advised() == other.advised()
}

// advised is the number that is recommended to somebody else.
func (v *View) advised() int {
	if !v.Advice {
		return 0
	}
	return v.Decision.Workers
}
