package routing

import (
	"slices"
	"time"
)

// duty is when an agent may be given anything, by its shifts.
type duty struct {
	// shifts of the agent; none is no limit.
	shifts []Hours
	// on until change; zero times are not known yet, respectively never.
	on            bool
	known, change time.Time
	// end of the time on duty, over shifts that follow each other, and a length that it has at least.
	end    time.Time
	length time.Duration
}

// mostShifts that follow each other are looked at: nobody works a week on end.
const mostShifts = 8

// look finds the duty at now, if it is not known.
func (u *duty) look(now time.Time) {
	if !u.known.IsZero() && !now.Before(u.known) && (u.change.IsZero() || now.Before(u.change)) {
		return
	}
	u.known = now
	u.on, u.change = at(u.shifts, now)
	u.end = time.Time{}
	if !u.on {
		return
	}
	u.end = u.change
	for range mostShifts {
		if u.end.IsZero() {
			return
		}
		on, change := at(u.shifts, u.end)
		if !on {
			u.measure()
			return
		}
		u.end = change
	}
	u.measure()
}

// measure finds a length that the time on duty has at least: the greatest part of 16 hours, halved again and again,
// since which it has lasted. Hours tell their ends only.
func (u *duty) measure() {
	for u.length = 16 * time.Hour; u.length > time.Second; u.length /= 2 {
		if u.lasted(u.end.Add(-u.length)) {
			return
		}
	}
}

// lasted says whether the time on duty goes from t to its end.
func (u *duty) lasted(t time.Time) bool {
	for range mostShifts {
		on, change := at(u.shifts, t)
		if !on {
			return false
		}
		if change.IsZero() || !change.Before(u.end) {
			return true
		}
		t = change
	}
	return false
}

// late says whether a conversation that takes so long would pass the end. Half of the time on duty is for work in
// any case: queues with handle times longer than the shifts would never be served otherwise.
func (u *duty) late(handle time.Duration, now time.Time) bool {
	return !u.end.IsZero() && now.Add(min(handle, u.length/2)).After(u.end)
}

// at tells whether one of the hours is open at t, and when that next may change.
func at(hours []Hours, t time.Time) (open bool, change time.Time) {
	for _, h := range hours {
		o, c := h.At(t)
		open = open || o
		if !c.IsZero() && (change.IsZero() || c.Before(change)) {
			change = c
		}
	}
	return open, change
}

// onDuty says whether the agent's shift lasts for a conversation of the queue, by the queue's mean handle time.
func (a *agent) onDuty(q *queue, now time.Time) bool {
	if len(a.duty.shifts) == 0 {
		return true
	}
	a.duty.look(now)
	if !a.duty.on {
		return false
	}
	return !a.duty.late(q.handle.meanTime(), now)
}

// shiftsOf an agent in its pools.
func shiftsOf(a *agent) []Hours {
	var all []Hours
	for _, p := range a.pools() {
		for _, s := range p.Shifts {
			if s.Hours != nil && (len(s.Members) == 0 || slices.Contains(s.Members, a.ID)) {
				all = append(all, s.Hours)
			}
		}
	}
	return all
}

// watchShift arms the timer of the next change of an agent's duty.
func (d *Desk) watchShift(a *agent, now time.Time) {
	if len(a.duty.shifts) == 0 {
		return
	}
	a.duty.look(now)
	if !a.duty.change.IsZero() {
		d.arm(timer{at: a.duty.change, kind: timerShift, of: a.ID})
	}
}

func (d *Desk) dueShift(t timer, now time.Time) {
	a := d.agents[t.of]
	if a == nil || len(a.duty.shifts) == 0 {
		return
	}
	d.watchShift(a, now)
	d.matchAgent(a, now)
}
