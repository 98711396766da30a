// Package roster says how many seats of a pool of people are scheduled at a time, by its shifts. It is pure:
// shifts and times come in, numbers come out. Changes of the clocks are the calendars' business.
package roster

import (
	"cmp"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/calendar"
)

// Shift of some people. Breaks are holes in its hours.
type Shift struct {
	Hours *calendar.Calendar
	// Seats that are planned, whoever they will be; 0 is as many as there are Members.
	Seats int
	// Members who work it.
	Members []string
}

// Roster of a pool. It does not change and is safe for concurrent use.
type Roster struct{ shifts []Shift }

// New makes a roster; nil without shifts, as then nobody knows who is scheduled. Shifts without hours are left out.
func New(shifts []Shift) *Roster {
	r := &Roster{}
	for _, s := range shifts {
		if s.Hours != nil {
			r.shifts = append(r.shifts, s)
		}
	}
	if len(r.shifts) == 0 {
		return nil
	}
	return r
}

// At is how many seats are scheduled at a time.
func (r *Roster) At(t time.Time) int {
	open := make([]bool, len(r.shifts))
	for i := range r.shifts {
		open[i] = r.shifts[i].Hours.IsOpen(t)
	}
	return r.seats(open)
}

// seats of the shifts that are worked. Who works two of them at a time is one seat, unless seats are planned for one
// of them: nobody knows who will sit in these.
func (r *Roster) seats(open []bool) int {
	planned := 0
	var who map[string]bool
	for i := range r.shifts {
		switch s := &r.shifts[i]; {
		case !open[i]:
		case s.Seats > 0:
			planned += s.Seats
		default:
			if who == nil {
				who = map[string]bool{}
			}
			for _, member := range s.Members {
				who[member] = true
			}
		}
	}
	return planned + len(who)
}

type change struct {
	at    time.Time
	shift int
	opens bool
}

// Steps gives the scheduled seats of n steps from a time on: the mean of each, rounded down, as what is there for a part
// of a step only serves a part of it.
func (r *Roster) Steps(from time.Time, step time.Duration, n int) []int {
	end := from.Add(time.Duration(n) * step)
	var changes []change
	for i := range r.shifts {
		for open := range r.shifts[i].Hours.Intervals(from, end) {
			changes = append(changes, change{open.Start, i, true}, change{open.End, i, false})
		}
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	seconds := make([]float64, n)
	open := make([]bool, len(r.shifts))
	at, next := from, 0
	for at.Before(end) {
		for ; next < len(changes) && !changes[next].at.After(at); next++ {
			open[changes[next].shift] = changes[next].opens
		}
		until := end
		if next < len(changes) && changes[next].at.Before(end) {
			until = changes[next].at
		}
		if seats := r.seats(open); seats > 0 {
			spread(seconds, from, step, at, until, float64(seats))
		}
		at = until
	}
	steps := make([]int, n)
	for i, s := range seconds {
		steps[i] = int(s/step.Seconds() + 1e-9)
	}
	return steps
}

// spread adds seats from one time to another to the steps that they lie in.
func spread(seconds []float64, from time.Time, step time.Duration, at, until time.Time, seats float64) {
	for at.Before(until) {
		i := int(at.Sub(from) / step)
		stop := from.Add(time.Duration(i+1) * step)
		if stop.After(until) {
			stop = until
		}
		seconds[i] += seats * stop.Sub(at).Seconds()
		at = stop
	}
}
