package scaling

import (
	"fmt"
	"time"
)

// Peak is one time for which more load, or less, is announced. Of Multiplier and
// ExpectedArrivals at most one is set; Floor and Cap may stand beside them.
type Peak struct {
	Name string
	// Start is the first instant of the peak, End the first one after it.
	Start, End time.Time
	// Multiplier of the usual arrivals; 0 for none.
	Multiplier float64
	// ExpectedArrivals from Start to End; 0 for none.
	ExpectedArrivals float64
	// OfDesk says that ExpectedArrivals come to all pools of bots of a desk together.
	OfDesk bool
	// Floor is the number of workers that stay throughout, however low the need is; they are there at Start.
	Floor int
	// Cap is the number of workers that are not exceeded; 0 for none.
	Cap int
	// Freeze says that rollouts and releases wait for the End. It never holds up scaling.
	Freeze bool
}

func (p *Peak) runs(now time.Time) bool { return !now.Before(p.Start) && now.Before(p.End) }

// holds says that the peak runs, or begins within the lead time: from then on its floor holds.
func (p *Peak) holds(now time.Time, lead time.Duration) bool {
	return !now.Before(p.Start.Add(-lead)) && now.Before(p.End)
}

// Change is something planned: a peak that begins or ends.
type Change struct {
	// At is when the pool changes: for a peak that begins, by the lead time before it.
	At time.Time
	// Peak is its name, and Begins says whether it begins or ends.
	Peak   string
	Begins bool
	// Starts is when the peak begins or ends.
	Starts time.Time
	// Floor of the pool from then on.
	Floor int
}

// floor is the least number of workers at a time, and the peak that asks for
// more than Min; nil when none does.
func (s *Settings) floor(now time.Time, lead time.Duration) (int, *Peak) {
	floor := max(0, s.Min)
	var by *Peak
	for i := range s.Peaks {
		if p := &s.Peaks[i]; p.Floor > floor && p.holds(now, lead) {
			floor, by = p.Floor, p
		}
	}
	return floor, by
}

// most is the greatest number of workers at a time, and the peak that caps it; nil when max does.
func (s *Settings) most(now time.Time) (int, *Peak) {
	most := max(0, s.Max)
	var by *Peak
	for i := range s.Peaks {
		if p := &s.Peaks[i]; p.Cap > 0 && p.Cap < most && p.runs(now) {
			most, by = p.Cap, p
		}
	}
	return most, by
}

// announced is what the peaks say of the arrivals at a time: a factor of the usual
// ones, and a rate a second that replaces them, 0 for none.
func (s *Settings) announced(at time.Time) (factor, rate float64, by *Peak) {
	factor = 1
	for i := range s.Peaks {
		p := &s.Peaks[i]
		if !(p.Multiplier > 0 || p.ExpectedArrivals > 0) || !p.runs(at) { // also NaN
			continue
		}
		by = p
		if p.Multiplier > 0 {
			factor *= min(p.Multiplier, 1000)
		}
		if p.ExpectedArrivals > 0 {
			rate += min(p.ExpectedArrivals, mostFigures) / p.End.Sub(p.Start).Seconds()
		}
	}
	return min(factor, 1000), rate, by
}

// begins says that a peak which asks for more begins within a time from now on.
func (s *Settings) begins(now time.Time, within time.Duration) bool {
	for i := range s.Peaks {
		p := &s.Peaks[i]
		if (p.Floor > s.Min || p.Multiplier > 1 || p.ExpectedArrivals > 0) && now.Before(p.Start) && !p.Start.After(now.Add(within)) && p.Start.Before(p.End) {
			return true
		}
	}
	return false
}

// next is the next planned change of the floor; nil when there is none.
func (s *Settings) next(now time.Time, lead time.Duration) *Change {
	before, _ := s.floor(now, lead)
	var next Change
	for i := range s.Peaks {
		p := &s.Peaks[i]
		if !p.Start.Before(p.End) {
			continue
		}
		for _, c := range [2]Change{
			{At: p.Start.Add(-lead), Peak: p.Name, Begins: true, Starts: p.Start},
			{At: p.End, Peak: p.Name, Starts: p.End},
		} {
			if !c.At.After(now) || !next.At.IsZero() && !c.At.Before(next.At) {
				continue
			}
			if c.Floor, _ = s.floor(c.At, lead); c.Floor != before {
				next = c
			}
		}
	}
	if next.At.IsZero() {
		return nil
	}
	return &next
}

// Words of a planned change, for a reader.
func (c *Change) Words() string {
	if !c.Begins {
		return fmt.Sprintf("peak %s ends at %s: at least %s then", c.Peak, c.Starts.UTC().Format(time.RFC3339), plural(c.Floor, "worker"))
	}
	return fmt.Sprintf("peak %s begins at %s: at least %s from %s on",
		c.Peak, c.Starts.UTC().Format(time.RFC3339), plural(c.Floor, "worker"), c.At.UTC().Format(time.RFC3339))
}
