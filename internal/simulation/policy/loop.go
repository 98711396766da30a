package policy

import (
	"math"
	"time"

	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

// Loop lets the package that ships decide about a world, as the loop of the operator does.
type Loop struct {
	// Settings that an author declared.
	Settings scaling.Settings
	// Memory of what was learned before.
	Memory *scaling.Memory
	// First is the number of workers at the beginning.
	First int
	// Deadline of a drain and Tick, the time between two decisions, in seconds.
	Deadline, Tick float64
	// WithoutFlow leaves the flow out of the figures, as a desk with several pools of bots does.
	WithoutFlow bool
	// Decided is told of each decision; nil for nobody.
	Decided func(now float64, d *scaling.Decision)
}

// Run lets the loop decide from the beginning of a new world with First pods to its end.
func (l *Loop) Run(w *world.World) {
	w.Pack = true
	r := &runner{l: l, s: w.Scenario, w: w, memory: l.Memory, wanted: l.First}
	for at := 0.0; at < w.Scenario.Seconds; at += l.Tick {
		w.Run(at)
		r.tick(at)
	}
	w.Run(w.Scenario.Seconds)
}

type runner struct {
	l      *Loop
	s      *world.Scenario
	w      *world.World
	memory *scaling.Memory
	wanted int
	// refused are those that were wanted and could not be made.
	refused int
	last    scaling.Figures
	late    []scaling.Figures
}

func (r *runner) tick(now float64) {
	if r.s.Fault(world.Restart, now) != nil {
		r.restart()
	}
	r.w.Release(r.l.Deadline)
	figures := r.report(now)
	d := scaling.Decide(&scaling.Input{
		Now: r.s.At(now), Settings: r.l.Settings, Figures: figures, Current: r.wanted, Running: len(r.w.Pods()),
		Refused: r.refused,
	}, r.memory)
	r.wanted = d.Workers
	if r.l.Decided != nil {
		r.l.Decided(now, &d)
	}
	r.act()
}

// restart is a leader that begins with what the one before stored.
func (r *runner) restart() {
	stored, err := r.memory.Knowledge().MarshalBinary()
	if err != nil {
		panic(err)
	}
	k := scaling.NewKnowledge()
	if err := k.UnmarshalBinary(stored); err != nil {
		panic(err)
	}
	r.memory = scaling.NewMemory(k)
}

// report is what the desk tells, subject to faults.
func (r *runner) report(now float64) scaling.Figures {
	f := r.figures(now)
	switch {
	case r.s.Fault(world.Missing, now) != nil:
		return r.last
	case r.s.Fault(world.Zero, now) != nil:
		return scaling.Figures{At: f.At, Flow: &scaling.Flow{}}
	}
	r.late = append(r.late, f)
	if fault := r.s.Fault(world.Late, now); fault != nil {
		limit := r.s.At(now - fault.By)
		for len(r.late) > 1 && !r.late[1].At.After(limit) {
			r.late = r.late[1:]
		}
		f = r.late[0]
		f.At = r.s.At(now) // whoever is late does not say so
		r.last = f
		return f
	}
	r.late = r.late[len(r.late)-1:]
	r.last = f
	return f
}

// ageBounds group the ages of conversations, as a desk would send them.
var ageBounds = func() (b []float64) {
	for x := 5.0; x < 20000; x *= 1.35 {
		b = append(b, x)
	}
	return append(b, math.Inf(1))
}()

func (r *runner) figures(now float64) scaling.Figures {
	f := scaling.Figures{At: r.s.At(now), Waiting: r.w.Waiting(), InProgress: r.w.Busy(), Ready: r.w.Ready()}
	sums, counts := make([]float64, len(ageBounds)), make([]int, len(ageBounds))
	for _, p := range r.w.Pods() {
		if p.Phase != world.Active {
			f.Draining += p.Busy()
			continue
		}
		p.GroupAges(now, ageBounds, sums, counts)
	}
	for i, n := range counts {
		if n > 0 {
			f.Ages = append(f.Ages, scaling.Lasting{Seconds: sums[i] / float64(n), Count: n})
		}
	}
	c := &r.w.Counters
	flow := &scaling.Flow{
		Arrivals: c.Arrivals, Starts: c.Starts, Abandonments: c.Abandonments, Ends: c.Ends, WaitedSeconds: c.WaitedSeconds,
	}
	for _, seconds := range c.Handled {
		flow.Handled = append(flow.Handled, scaling.Lasting{Seconds: seconds, Count: 1})
	}
	for _, seconds := range c.ColdStarts {
		flow.ColdStarts = append(flow.ColdStarts, time.Duration(seconds*float64(time.Second)))
	}
	c.Handled, c.ColdStarts = nil, nil
	if !r.l.WithoutFlow {
		f.Flow = flow
	}
	return f
}

// act brings the pods to what is wanted: marks are taken back before new pods are made, and of those that are to leave
// the ones that have not started go first, then the least busy are marked by the package that ships.
func (r *runner) act() {
	active, starting := 0, 0
	for _, p := range r.w.Pods() {
		switch p.Phase {
		case world.Starting:
			starting++
		case world.Active:
			active++
		default:
		}
	}
	if over := active + starting - r.wanted; over > 0 && starting > 0 {
		starting -= r.w.Cancel(min(over, starting))
	}
	// Draining ones are taken back for those that have not started, too: they serve at once.
	if active != r.wanted-starting {
		r.mark(max(0, r.wanted-starting))
	}
	r.w.Wanted(r.wanted)
	r.refused = r.wanted
	for _, p := range r.w.Pods() {
		if p.Phase == world.Starting || p.Phase == world.Active {
			r.refused--
		}
	}
}

// mark who is to drain, and take marks back, so that so many are active.
func (r *runner) mark(active int) {
	byName := map[string]*world.Pod{}
	workers := make([]scaling.Worker, 0, len(r.w.Pods()))
	for _, p := range r.w.Pods() {
		if p.Phase != world.Starting {
			byName[p.Name] = p
			workers = append(workers, scaling.Worker{Name: p.Name, Busy: p.Busy(), Draining: p.Phase == world.Draining})
		}
	}
	marks := scaling.PlanDrain(workers, active)
	for _, name := range marks.Undrain {
		r.w.Undrain(byName[name])
	}
	for _, name := range marks.Drain {
		r.w.Drain(byName[name])
	}
}
