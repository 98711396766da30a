package erlang

import (
	"math"
	"sort"
)

// Objective says how well customers are to be served. It has two parts, since
// "80 % in 20 s" alone can be met by people hanging up.
type Objective struct {
	// Share of arrivals, 0 to 1, to be answered within Within seconds; 0 for no such part.
	Share, Within float64
	// MaxAbandonment is the greatest share of arrivals, 0 to 1, that may hang up; 0 for no such part.
	MaxAbandonment float64
}

func (o Objective) met(p Performance) bool {
	return p.ServiceLevel >= o.Share && (!(o.MaxAbandonment > 0) || p.Abandonment <= o.MaxAbandonment) // also NaN
}

// The table holds each number of slots up to exact, and beyond it numbers that
// grow by the growth; between two of these the margin over the load in units of
// its square root is interpolated, which changes slowly.
const (
	exact  = 512
	growth = 1.04
)

// Table answers how many slots a load needs, for one service time, patience and
// objective. It fills as it is asked: a pool visits few of its entries. It is not
// safe for concurrent use. Make it with [NewTable].
type Table struct {
	system    System
	objective Objective
	exact     []float64 // by slots: the greatest load that they serve; NaN is not known yet
	coarse    []int     // slots beyond exact
	loads     []float64 // by index of coarse
}

// NewTable makes an empty table. The Load of the system is of no account. Shares
// outside 0 to 1 and NaN count as the nearest of 0 and 0.9999.
func NewTable(s System, o Objective) *Table {
	o.Share, o.MaxAbandonment = share(o.Share), share(o.MaxAbandonment)
	if !(o.Within > 0) { // also NaN
		o.Within = 0
	}
	t := &Table{system: s.normal(), objective: o, exact: make([]float64, exact+1)}
	for i := range t.exact {
		t.exact[i] = math.NaN()
	}
	for n := float64(exact) * growth; ; n *= growth {
		t.coarse = append(t.coarse, min(MaxServers, int(n)))
		t.loads = append(t.loads, math.NaN())
		if n >= MaxServers {
			return t
		}
	}
}

func share(x float64) float64 {
	if !(x > 0) { // also NaN
		return 0
	}
	return min(x, 0.9999)
}

// Slots is the least number of slots that serve an offered load within the
// objective, at most [MaxServers]; 0 for no load.
func (t *Table) Slots(load float64) int {
	if !(load > 0) { // also NaN
		return 0
	}
	if load <= t.greatest(exact) {
		// The answer is near the load; only the entries around it are worked out.
		from, to := bracket(int(load), exact, func(n int) bool { return t.greatest(n) >= load })
		return from + sort.Search(to-from, func(i int) bool { return t.greatest(from+i) >= load })
	}
	last := len(t.coarse) - 1
	i := sort.Search(last, func(i int) bool { return t.coarseLoad(i) >= load })
	above, n := t.coarseLoad(i), t.coarse[i]
	if above < load {
		return MaxServers
	}
	below, m := t.greatest(exact), exact
	if i > 0 {
		below, m = t.coarseLoad(i-1), t.coarse[i-1]
	}
	// The greater margin of the two ends, so that what is interpolated is never too little.
	margin := max(margin(m, below), margin(n, above))
	return min(max(int(math.Ceil(load+margin*math.Sqrt(load))), m), n)
}

func margin(n int, load float64) float64 { return (float64(n) - load) / math.Sqrt(max(load, 1e-9)) }

// Margin is the number of slots beyond the load that the objective asks for, in
// units of the square root of the load; it may be negative for weak objectives.
func (t *Table) Margin(load float64) float64 {
	load = max(load, 1)
	return (float64(t.Slots(load)) - load) / math.Sqrt(load)
}

// bracket widens around a guess until enough is false below and true above.
func bracket(guess, most int, enough func(int) bool) (from, to int) {
	from, to = max(1, min(guess, most)), max(1, min(guess, most))
	for step := 1; from > 1 && enough(from); step *= 2 {
		to, from = from, max(1, from-step)
	}
	for step := 1; to < most && !enough(to); step *= 2 {
		from, to = to, min(most, to+step)
	}
	return from, to
}

// greatest load that n slots serve, n at most exact.
func (t *Table) greatest(n int) float64 {
	if math.IsNaN(t.exact[n]) {
		t.exact[n] = t.solve(n)
	}
	return t.exact[n]
}

func (t *Table) coarseLoad(i int) float64 {
	if math.IsNaN(t.loads[i]) {
		t.loads[i] = t.solve(t.coarse[i])
	}
	return t.loads[i]
}

// solve finds the greatest load that n slots serve within the objective.
func (t *Table) solve(n int) float64 {
	if n <= 0 {
		return 0
	}
	s := t.system
	good := func(load float64) bool {
		s.Load = load
		return t.objective.met(s.Serve(n, t.objective.Within))
	}
	low, high := 0.0, float64(n)
	for good(high) && high < 1e3*float64(n) {
		low, high = high, high*2
	}
	for high-low > 1e-6*high {
		mid := (low + high) / 2
		if good(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}
