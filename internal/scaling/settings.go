package scaling

import (
	"slices"
	"time"
)

// Settings are what the author of a pool of bot workers declared.
type Settings struct {
	// Concurrency is the number of slots of one worker; less than 1 counts as 1.
	Concurrency int
	// Min and Max bound the workers; less than 0 counts as 0. Max wins over Min and over floors.
	Min, Max int
	// Peaks that were announced, in any order.
	Peaks []Peak
}

// Peak is a time for which more load is announced.
type Peak struct {
	Name string
	// Start is the first instant of the peak, End the first one after it.
	Start, End time.Time
	// Floor is the number of workers that stay throughout, however low the need is.
	Floor int
}

func (p *Peak) runs(now time.Time) bool { return !now.Before(p.Start) && now.Before(p.End) }

// Change is something planned: a peak that begins or ends.
type Change struct {
	// At is when.
	At time.Time
	// Peak is its name, and Begins says whether it begins or ends then.
	Peak   string
	Begins bool
	// Floor of the pool from then on.
	Floor int
}

// floor is the least number of workers at a time, and the peak that asks for
// more than Min; nil when none does.
func (s *Settings) floor(now time.Time) (int, *Peak) {
	floor := max(0, s.Min)
	var by *Peak
	for i := range s.Peaks {
		if p := &s.Peaks[i]; p.runs(now) && p.Floor > floor {
			floor, by = p.Floor, p
		}
	}
	return floor, by
}

// next is the next planned change of the floor; nil when there is none.
func (s *Settings) next(now time.Time) *Change {
	var changes []Change
	before, _ := s.floor(now)
	for i := range s.Peaks {
		p := &s.Peaks[i]
		if !p.Start.Before(p.End) {
			continue
		}
		for _, c := range []Change{{At: p.Start, Peak: p.Name, Begins: true}, {At: p.End, Peak: p.Name}} {
			if c.At.After(now) {
				changes = append(changes, c)
			}
		}
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return a.At.Compare(b.At) })
	for _, c := range changes {
		if c.Floor, _ = s.floor(c.At); c.Floor != before {
			return &c
		}
	}
	return nil
}
