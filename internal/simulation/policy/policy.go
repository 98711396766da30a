// Package policy has the policies that need nothing but this module: ours, which
// is the package that ships, provisioning for the peak, and the clairvoyant bound.
package policy

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/scaling/erlang"
	"github.com/deskfleet/deskfleet/internal/scaling/forecast"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

// Static provisions for the busiest ten minutes of the day, known beforehand, times a share.
func Static(s *world.Scenario, name string, share float64) world.Result {
	pods := max(1, int(math.Ceil(share*float64(PeakPods(s)))))
	w := world.New(s, pods)
	w.Run(s.Seconds)
	return w.Result(name)
}

// PeakPods are what the busiest ten minutes need.
func PeakPods(s *world.Scenario) int { return PeakPodsBetween(s, 0, s.Seconds) }

// PeakPodsBetween are what the busiest ten minutes between two times in seconds need.
func PeakPodsBetween(s *world.Scenario, from, to float64) int {
	const width = 600
	most := 0.0
	for i, n := range counts(s, width) {
		if at := float64(i) * width; at+width > from && at < to {
			most = max(most, n)
		}
	}
	return Pods(s, most/width)
}

// Pods for a rate of arrivals a second.
func Pods(s *world.Scenario, rate float64) int {
	service := 0.0
	for _, c := range s.Trace {
		service += c.Service
	}
	service /= float64(max(1, len(s.Trace)))
	table := erlang.NewTable(erlang.System{Service: service, Patience: 300}, erlang.Objective{Share: s.Share, Within: s.Within, MaxAbandonment: s.MaxAbandonment})
	return max(1, (table.Slots(rate*service)+s.Slots-1)/s.Slots)
}

// First is how many pods every policy begins with: those of the first ten minutes.
func First(s *world.Scenario) int { return Pods(s, counts(s, 600)[0]/600) }

func counts(s *world.Scenario, width float64) []float64 {
	list := make([]float64, int(s.Seconds/width)+1)
	for _, c := range s.Trace {
		list[int(c.Arrival/width)]++
	}
	return list
}

// Clairvoyant is the bound: it knows each conversation beforehand, nobody waits,
// and there are just as many pods as the conversations in progress fill. A pod pays
// its cold start when there are more pods than ever before.
func Clairvoyant(s *world.Scenario) world.Result {
	type change struct {
		at float64
		by int
	}
	changes := make([]change, 0, 2*len(s.Trace))
	for _, c := range s.Trace {
		changes = append(changes, change{c.Arrival, 1}, change{c.Arrival + c.Service, -1})
	}
	slices.SortStableFunc(changes, func(a, b change) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		default:
			return a.by - b.by
		}
	})
	r := world.Result{Name: "clairvoyant", ServiceLevel: 1, Conversations: len(s.Trace)}
	busy, most, at, before := 0, 0, 0.0, 0
	minute := 0.0
	for _, c := range changes {
		to := min(c.at, s.Seconds)
		pods := (busy + s.Slots - 1) / s.Slots
		for ; minute <= to; minute += 60 {
			r.Series = append(r.Series, world.Point{At: minute, Demand: busy, Slots: pods * s.Slots})
		}
		r.AgentHours += float64(pods) * max(0, to-at) / 3600
		at = to
		if c.at > s.Seconds {
			break
		}
		busy += c.by
		pods = (busy + s.Slots - 1) / s.Slots
		if pods != before {
			r.ScaleEvents++
			before = pods
		}
		if pods > most {
			r.AgentHours += s.ColdStart / 3600
			r.PodsMade++
			most = pods
		}
	}
	return r
}

// Ours are the settings of our policy in the benchmark.
type Ours struct {
	Name      string
	Objective scaling.Objective
	Hold      time.Duration
	Percent   int
	Forecast  scaling.ForecastMode
	// Deadline of a drain in seconds.
	Deadline float64
	// Tick in seconds.
	Tick float64
}

// Defaults are those with which the product ships.
func Defaults(s *world.Scenario) Ours {
	return Ours{
		Name: "deskfleet", Deadline: 3600, Tick: 5, Forecast: scaling.ForecastRaise,
		Objective: scaling.Objective{Share: s.Share, Within: time.Duration(s.Within * 1e9), MaxAbandonment: s.MaxAbandonment},
	}
}

// Sweep are our policy's results with other objectives: its Pareto front.
func Sweep(s *world.Scenario) []world.Result {
	objectives := [...]struct{ share, abandonment float64 }{{0.8, 0.03}, {0.9, 0.02}, {0.95, 0.01}, {0.98, 0.005}}
	results := make([]world.Result, 0, len(objectives))
	for _, o := range objectives {
		ours := Defaults(s)
		ours.Name = fmt.Sprintf("deskfleet %g %%, %g %% abandoned", 100*o.share, 100*o.abandonment)
		ours.Objective.Share, ours.Objective.MaxAbandonment = o.share, o.abandonment
		results = append(results, ours.Run(s))
	}
	return results
}

// Run lets our policy decide: the very package that ships, as the loop of the operator calls it.
func (o Ours) Run(s *world.Scenario) world.Result {
	w := world.New(s, First(s))
	w.Pack = true
	r := &runner{o: o, s: s, w: w, wanted: First(s), settings: scaling.Settings{
		Concurrency: s.Slots, Min: 1, Max: s.Max, Objective: o.Objective, Forecast: o.Forecast, Hold: o.Hold, MaxPercentPerMinute: o.Percent,
	}}
	for _, p := range s.Peaks {
		r.settings.Peaks = append(r.settings.Peaks, scaling.Peak{
			Name: p.Name, Start: r.at(p.From), End: r.at(p.To), Multiplier: p.Multiplier,
		})
	}
	r.memory = scaling.NewMemory(learned(s))
	for at := 0.0; at < s.Seconds; at += o.Tick {
		w.Run(at)
		r.tick(at)
	}
	w.Run(s.Seconds)
	return w.Result(o.Name)
}

// learned is what a pool that has run for a while has stored.
func learned(s *world.Scenario) *scaling.Knowledge {
	k := scaling.NewKnowledge()
	begin := s.Start.Add(-time.Duration(len(s.History)) * forecast.BinLength)
	for i, n := range s.History {
		from := begin.Add(time.Duration(i) * forecast.BinLength)
		k.History().Add(from, from.Add(forecast.BinLength), n)
	}
	for _, seconds := range s.Learned {
		k.Learn(seconds)
	}
	return k
}

type runner struct {
	o        Ours
	s        *world.Scenario
	w        *world.World
	settings scaling.Settings
	memory   *scaling.Memory
	wanted   int
	last     scaling.Figures
	late     []scaling.Figures
}

func (r *runner) at(seconds float64) time.Time {
	return r.s.Start.Add(time.Duration(seconds * float64(time.Second)))
}

func (r *runner) tick(now float64) {
	if r.s.Fault(world.Restart, now) != nil {
		r.restart()
	}
	r.w.Release(r.o.Deadline)
	figures := r.report(now)
	d := scaling.Decide(&scaling.Input{
		Now: r.at(now), Settings: r.settings, Figures: figures, Current: r.wanted, Running: len(r.w.Pods()),
	}, r.memory)
	r.wanted = d.Workers
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
		limit := r.at(now - fault.By)
		for len(r.late) > 1 && !r.late[1].At.After(limit) {
			r.late = r.late[1:]
		}
		f = r.late[0]
		f.At = r.at(now) // whoever is late does not say so
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
	f := scaling.Figures{At: r.at(now), Waiting: r.w.Waiting(), InProgress: r.w.Busy(), Ready: r.w.Ready()}
	sums, counts := make([]float64, len(ageBounds)), make([]int, len(ageBounds))
	for _, p := range r.w.Pods() {
		if p.Phase != world.Active {
			f.Draining += p.Busy()
			continue
		}
		for _, age := range p.Ages(now) {
			i, _ := slices.BinarySearch(ageBounds, age)
			sums[i], counts[i] = sums[i]+age, counts[i]+1
		}
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
	f.Flow = flow
	return f
}

// act brings the pods to what is wanted: marks are taken back before new pods are made, and of those that are to leave
// the ones that have not started go first, then the least busy are marked by the package that ships.
func (r *runner) act() {
	active, starting := 0, 0
	byName := map[string]*world.Pod{}
	workers := make([]scaling.Worker, 0, len(r.w.Pods()))
	for _, p := range r.w.Pods() {
		switch p.Phase {
		case world.Starting:
			starting++
			continue
		case world.Active:
			active++
		default:
		}
		name := fmt.Sprintf("%06d", p.ID)
		byName[name] = p
		workers = append(workers, scaling.Worker{Name: name, Busy: p.Busy(), Draining: p.Phase == world.Draining})
	}
	if over := active + starting - r.wanted; over > 0 && starting > 0 {
		starting -= r.w.Cancel(min(over, starting))
	}
	// Draining ones are taken back for those that have not started, too: they serve at once.
	marks := scaling.PlanDrain(workers, max(0, r.wanted-starting))
	if active < r.wanted-starting || active > r.wanted-starting {
		for _, name := range marks.Undrain {
			r.w.Undrain(byName[name])
		}
		for _, name := range marks.Drain {
			r.w.Drain(byName[name])
		}
	}
	r.w.Wanted(r.wanted)
}
