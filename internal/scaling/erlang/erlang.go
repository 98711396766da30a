// Package erlang says how well n agents' slots serve an offered load, and how
// many slots a load needs: Erlang C for customers who wait for ever, Erlang A for
// customers who hang up. It is pure arithmetic, stable for up to [MaxServers]
// slots and any load: a result is never NaN and never outside its range.
package erlang

import "math"

// MaxServers is the greatest number of slots that is reckoned with.
const MaxServers = 100_000

// maxLoad is the greatest offered load that is reckoned with, in erlangs.
const maxLoad = 1e9

// System is a queue in front of slots that are alike.
type System struct {
	// Load is the offered load in erlangs: arrivals a second times Service. Less than 0 and NaN count as 0.
	Load float64
	// Service is the mean handle time in seconds; not positive counts as one second.
	Service float64
	// Patience is the mean time in seconds after which a customer hangs up, exponentially distributed.
	// Not positive and infinite mean for ever: Erlang C.
	Patience float64
}

// Performance of a system with some number of slots. Shares are from 0 to 1.
type Performance struct {
	// Waiting is the share of arrivals that find no free slot.
	Waiting float64
	// ServiceLevel is the share of arrivals answered within the time; who hangs up counts as not answered.
	ServiceLevel float64
	// Abandonment is the share of arrivals that hang up.
	Abandonment float64
	// Occupancy is the share of the slots in use.
	Occupancy float64
}

func (s System) normal() System {
	if !(s.Load > 0) { // also NaN
		s.Load = 0
	}
	s.Load = min(s.Load, maxLoad)
	if !(s.Service > 0) || math.IsInf(s.Service, 1) { // also NaN
		s.Service = 1
	}
	s.Service = min(max(s.Service, 1e-3), 1e9)
	if !(s.Patience > 0) || s.Patience > 1e9 { // also NaN
		s.Patience = math.Inf(1)
	}
	s.Patience = max(s.Patience, 1e-3)
	return s
}

// Serve says how n slots serve the system, for answers within a time in seconds.
func (s System) Serve(n int, within float64) Performance {
	return s.normal().serve(n, within)
}

func (s System) serve(n int, within float64) Performance {
	n = min(n, MaxServers)
	if !(within > 0) { // also NaN
		within = 0
	}
	switch {
	case s.Load == 0:
		return Performance{ServiceLevel: 1}
	case n <= 0:
		return s.unserved()
	case math.IsInf(s.Patience, 1):
		return s.patient(n, within)
	default:
		return s.impatient(n, within)
	}
}

// unserved is a system without slots.
func (s System) unserved() Performance {
	p := Performance{Waiting: 1}
	if !math.IsInf(s.Patience, 1) {
		p.Abandonment = 1
	}
	return p
}

// patient is Erlang C: P(W>0) = B/(1 - rho(1-B)), P(W>t) = P(W>0) exp(-(n-A)t/E[S]).
func (s System) patient(n int, within float64) Performance {
	servers := float64(n)
	if servers <= s.Load {
		return Performance{Waiting: 1, Occupancy: 1} // the queue grows without bound
	}
	rho := s.Load / servers
	b := 1 / inverseB(n, s.Load)
	c := unit(b / (1 - rho*(1-b)))
	return Performance{Waiting: c, ServiceLevel: unit(1 - c*math.Exp(-(servers-s.Load)*within/s.Service)), Occupancy: rho}
}

// impatient is Erlang A (M/M/n+M), by the density of the offered wait: with all
// slots busy it is proportional to exp(f(x)), f(x) = lambda H(x) - n mu x,
// H(x) = (1 - exp(-theta x))/theta. The weight of a free slot relative to that
// density at 0 is the inverse of Erlang B for n-1 slots, over lambda.
func (s System) impatient(n int, within float64) Performance {
	d := density{lambda: s.Load / s.Service, drain: float64(n) / s.Service, theta: 1 / s.Patience}
	d.top = max(0, math.Log(d.lambda/d.drain)) / d.theta
	d.peak = d.exponent(d.top)
	// The weight of "somebody is free", scaled by exp(-f(top)) as the integrals are. Where it overflows nobody waits.
	free := inverseB(n-1, s.Load)
	if math.IsInf(free, 1) {
		return Performance{ServiceLevel: 1, Occupancy: unit(s.Load / float64(n))}
	}
	eps := free * math.Exp(-d.peak)
	end := d.end()
	early, earlyServed := d.integrate(0, min(within, end))
	late, lateServed := d.integrate(min(within, end), end)
	total := eps + d.lambda*(early+late)
	p := Performance{
		Waiting:      unit(d.lambda * (early + late) / total),
		ServiceLevel: unit((eps + d.lambda*earlyServed) / total),
	}
	served := unit((eps + d.lambda*(earlyServed+lateServed)) / total)
	p.Abandonment = 1 - served
	p.Occupancy = unit(s.Load * served / float64(n))
	return p
}

// inverseB is 1/B(n, a) of Erlang B, 1 + n/a (1 + (n-1)/a (1 + ...)): all terms
// are positive, so nothing cancels. Only about the square root of a of them count.
// It is infinite where B is too small for a float64.
func inverseB(n int, a float64) float64 {
	sum, term := 1.0, 1.0
	for k := float64(n); k >= 1; k-- {
		term *= k / a
		sum += term
		if term < sum*1e-17 && k < a || math.IsInf(sum, 1) {
			break
		}
	}
	return sum
}

func unit(x float64) float64 { return min(max(x, 0), 1) }

// density of the offered wait while all slots are busy, up to a factor.
type density struct {
	// lambda arrivals, drain completions with all slots busy, theta abandonments of one who waits; all a second.
	lambda, drain, theta float64
	// top is where the density is highest, peak its exponent there.
	top, peak float64
}

func (d *density) exponent(x float64) float64 {
	return -d.lambda*math.Expm1(-d.theta*x)/d.theta - d.drain*x
}

// negligible is the exponent below the peak from which on nothing counts any more.
const negligible = 45

// end is where the density has become negligible, beyond its top.
func (d *density) end() float64 {
	// Beyond top the exponent is concave and falling; the step doubles until it is low enough.
	step := 1 / (d.drain + d.theta)
	x := d.top + step
	for d.exponent(x) > d.peak-negligible && step < 1e12 {
		step *= 2
		x = d.top + step
	}
	low, high := d.top+step/2, x
	for range 6 {
		mid := (low + high) / 2
		if d.exponent(mid) > d.peak-negligible {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// integrate gives the integrals from a to b of the density and of the density
// times the share of those who are still there, both scaled by its peak.
func (d *density) integrate(a, b float64) (all, served float64) {
	if b <= a {
		return 0, 0
	}
	if a < d.top && d.top < b {
		// Each side by itself: the density rises before its top, and falls after it.
		leftAll, leftServed := d.graded(d.top, a, d.top)
		rightAll, rightServed := d.graded(d.top, d.top, b)
		return leftAll + rightAll, leftServed + rightServed
	}
	if b <= d.top {
		return d.graded(b, a, b)
	}
	return d.graded(a, a, b)
}

// graded integrates from a to b by panels that double in width with the distance
// from near, one of the two, where the density is highest.
func (d *density) graded(near, a, b float64) (all, served float64) {
	const panels = 9
	width := b - a
	from := 0.0
	for i := range panels {
		to := width / float64(int(1)<<(panels-1-i))
		left, right := near+from, near+to
		if near == b {
			left, right = near-to, near-from
		}
		half, mid := (right-left)/2, (left+right)/2
		for k, node := range gaussNodes {
			for _, x := range [2]float64{mid - half*node, mid + half*node} {
				weight := gaussWeights[k] * half * math.Exp(d.exponent(x)-d.peak)
				all += weight
				served += weight * math.Exp(-d.theta*x)
			}
		}
		from = to
	}
	return all, served
}

// Gauss-Legendre quadrature with 8 nodes on [-1, 1], exact up to degree 15.
var (
	gaussNodes   = [4]float64{0.1834346424956498, 0.5255324099163290, 0.7966664774136267, 0.9602898564975363}
	gaussWeights = [4]float64{0.3626837833783620, 0.3137066458778873, 0.2223810344533745, 0.1012285362903763}
)
