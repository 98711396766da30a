package protocol

import (
	"cmp"
	"slices"
	"time"
)

// LoadStep is the length of the steps in which arrivals are told.
const LoadStep = 15 * time.Minute

// Load is what came to a desk in a time, and how long it took: what a simulation of the desk begins with. Only
// conversations that have ended are known.
type Load struct {
	// Arrivals at the desk in steps of LoadStep from the report's From on, each conversation once; a step that ends after
	// To counts what came before it.
	Arrivals []int64 `json:"arrivals"`
	// Bots are what the bots' queue and the bots did, People what all other queues and the people did.
	Bots   Served `json:"bots"`
	People Served `json:"people"`
}

// Served is what became of those who waited for agents of one kind.
type Served struct {
	// Answered and Abandoned stays, as in a ReportRow, and HandedOff, those that the agent handed off.
	Answered  int64 `json:"answered"`
	Abandoned int64 `json:"abandoned"`
	HandedOff int64 `json:"handedOff"`
	// WaitedSeconds of all who were answered or gave up, together.
	WaitedSeconds float64 `json:"waitedSeconds"`
	// HandleMeanSeconds from the answer to the end of the agent's part, wrap-up included, and HandleQuantilesSeconds: the
	// least, then by steps of five percent, the greatest. Empty when nothing was answered.
	HandleMeanSeconds      float64   `json:"handleMeanSeconds"`
	HandleQuantilesSeconds []float64 `json:"handleQuantilesSeconds"`
}

// Plus is the load of two times of which the other follows at once: the arrivals one after the other, all else together.
// The quantiles of both together are found from theirs, which is exact at the ends and near between.
func (l *Load) Plus(other *Load) *Load {
	return &Load{
		Arrivals: slices.Concat(l.Arrivals, other.Arrivals), Bots: l.Bots.plus(&other.Bots), People: l.People.plus(&other.People),
	}
}

func (s *Served) plus(o *Served) Served {
	sum := Served{
		Answered: s.Answered + o.Answered, Abandoned: s.Abandoned + o.Abandoned, HandedOff: s.HandedOff + o.HandedOff, WaitedSeconds: s.WaitedSeconds + o.WaitedSeconds,
	}
	switch n := float64(sum.Answered); {
	case len(o.HandleQuantilesSeconds) == 0:
		sum.HandleMeanSeconds, sum.HandleQuantilesSeconds = s.HandleMeanSeconds, s.HandleQuantilesSeconds
	case len(s.HandleQuantilesSeconds) == 0:
		sum.HandleMeanSeconds, sum.HandleQuantilesSeconds = o.HandleMeanSeconds, o.HandleQuantilesSeconds
	default:
		sum.HandleMeanSeconds = (s.HandleMeanSeconds*float64(s.Answered) + o.HandleMeanSeconds*float64(o.Answered)) / n
		sum.HandleQuantilesSeconds = mixed(s, o)
	}
	return sum
}

// mixed quantiles: each of a list stands for an equal part of those who were answered.
func mixed(s, o *Served) []float64 {
	type point struct{ seconds, weight float64 }
	var points []point
	for _, list := range []*Served{s, o} {
		for _, q := range list.HandleQuantilesSeconds {
			points = append(points, point{q, float64(list.Answered) / float64(len(list.HandleQuantilesSeconds))})
		}
	}
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.seconds, b.seconds) })
	total := float64(s.Answered + o.Answered)
	steps := len(s.HandleQuantilesSeconds) - 1
	quantiles := make([]float64, 0, steps+1)
	sum, next := 0.0, 0
	for i := range steps + 1 {
		for next < len(points)-1 && sum+points[next].weight < total*float64(i)/float64(max(1, steps)) {
			sum += points[next].weight
			next++
		}
		quantiles = append(quantiles, points[next].seconds)
	}
	quantiles[steps] = points[len(points)-1].seconds
	return quantiles
}
