package routing

import (
	"fmt"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// duty is when an agent may be given anything, by its shifts.
type duty struct {
	// shifts of the agent, and the same with their breaks; none is no limit.
	shifts, whole []Hours
	// grace after the end of the time on duty what is in progress is handed over; nil for never.
	grace *time.Duration
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

// dutyOf an agent in its pools. Of who is in a reserve tier the calls are the shifts.
func (d *Desk) dutyOf(a *agent) duty {
	var u duty
	var calls []Hours
	for _, p := range a.pools() {
		if p.ShiftEndGrace != nil && (u.grace == nil || *p.ShiftEndGrace < *u.grace) {
			u.grace = p.ShiftEndGrace
		}
		for _, s := range p.Shifts {
			if s.Hours == nil || len(s.Members) > 0 && !slices.Contains(s.Members, a.ID) {
				continue
			}
			u.shifts = append(u.shifts, s.Hours)
			if s.Whole != nil {
				u.whole = append(u.whole, s.Whole)
			} else {
				u.whole = append(u.whole, s.Hours)
			}
		}
		for i := range p.Reserve {
			if slices.Contains(p.Reserve[i].Members, a.ID) {
				calls = append(calls, called{d.reserve, tierKey{p.Name, p.Reserve[i].Name}})
			}
		}
	}
	if len(calls) > 0 {
		// Who is released finishes what there is: nobody knows any more when the call ended.
		u.shifts, u.whole = calls, nil
	}
	return u
}

// mostSpells that follow each other within a grace are looked at.
const mostSpells = 256

// overdue is when what is in progress is handed over: after the grace that follows the end of the time on duty, unless that
// begins again until then. Breaks count as duty. It is not after now when it is due; zero for never.
func (u *duty) overdue(now time.Time) time.Time {
	if u.grace == nil || len(u.whole) == 0 {
		return time.Time{}
	}
	t := now.Add(-*u.grace)
	for range mostSpells {
		open, change := at(u.whole, t)
		if !open {
			if change.IsZero() || change.After(now) {
				return now // off duty for as long as the grace lasts
			}
			t = change
			continue
		}
		if change.IsZero() {
			return time.Time{}
		}
		on, again := at(u.whole, change)
		due := change.Add(*u.grace)
		switch {
		case on:
			t = change
		case again.IsZero() || again.After(due):
			return due
		default:
			t = again
		}
	}
	return time.Time{}
}

// watchShift arms the timers of the next change of an agent's duty, and of the hand-over of what is left after it.
func (d *Desk) watchShift(a *agent, now time.Time) {
	if len(a.duty.shifts) == 0 {
		return
	}
	a.duty.look(now)
	if !a.duty.change.IsZero() {
		d.arm(timer{at: a.duty.change, kind: timerShift, of: a.ID})
	}
	if over := a.duty.overdue(now); !over.IsZero() && !a.duty.on && len(a.held) > 0 {
		d.arm(timer{at: over, kind: timerOverdue, of: a.ID})
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

// dueOverdue hands over what an agent still has whose shift is over for the grace: back to its place in the queue, for whoever
// is there. A wrap-up is left to end by itself: its customer does not wait.
func (d *Desk) dueOverdue(t timer, now time.Time) {
	a := d.agents[t.of]
	if a == nil {
		return
	}
	over := a.duty.overdue(now)
	switch {
	case over.IsZero():
		return
	case over.After(now):
		if len(a.held) > 0 {
			d.arm(timer{at: over, kind: timerOverdue, of: a.ID})
		}
		return
	}
	var back []*entry
	for _, c := range a.holdings() {
		if c.state.Status != conversation.StatusActive {
			continue
		}
		if on, _ := at(a.duty.whole, c.state.ServedAt); !on {
			continue // taken over, or reopened, when the shift was over already
		}
		d.requeue(c, conversation.CauseShiftEnd, now, a.ID+"'s shift is over")
		d.tell(c, handedOver, now)
		d.emit(now, c.state.ID, &conversation.Said{Text: fmt.Sprintf("%s's shift is over, and the time to finish after it: handed over.", a.ID), Note: true})
		back = append(back, c)
	}
	for _, c := range back {
		d.matchConversation(c, now)
	}
}

// handedOver is what a customer is told whose agent's shift has ended.
var handedOver = []Text{
	{Language: "en", Text: "Your agent's working hours are over. A colleague takes over in a moment, with everything that was said; you keep your place."},
	{Language: "zh", Text: "为您服务的客服已下班，稍后将由同事接手，聊天记录会一并转交，您的排队位置保留不变。"},
}
