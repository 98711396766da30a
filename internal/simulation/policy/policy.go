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
	l := Loop{First: First(s), Deadline: o.Deadline, Tick: o.Tick, Memory: scaling.NewMemory(Learned(s)), Settings: scaling.Settings{
		Concurrency: s.Slots, Min: 1, Max: s.Max, Objective: o.Objective, Forecast: o.Forecast, Hold: o.Hold, MaxPercentPerMinute: o.Percent,
		Calendar: forecast.Calendar{Location: s.Start.Location()},
	}}
	for _, p := range s.Peaks {
		l.Settings.Peaks = append(l.Settings.Peaks, scaling.Peak{
			Name: p.Name, Start: s.At(p.From), End: s.At(p.To), Multiplier: p.Multiplier,
		})
	}
	w := world.New(s, l.First)
	l.Run(w)
	return w.Result(o.Name)
}

// Learned is what a pool that has run for a while has stored.
func Learned(s *world.Scenario) *scaling.Knowledge {
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
