package calendar

import (
	"sort"
	"time"
)

// State is what holds at an instant, and why.
type State struct {
	// Open tells whether the desk is open.
	Open bool
	// Until is when that changes, in the calendar's location; zero when it does not within the
	// [Horizon].
	Until time.Time
	// Holiday is the holiday that decides: the one whose hours hold, or that closes the desk. Nil when
	// it is the weekday's hours that decide. It must not be changed.
	Holiday *Holiday
	// Period is the period in which the desk is open; empty when it is closed.
	Period Period
}

// At gives what holds at an instant, and why.
func (c *Calendar) At(t time.Time) State {
	at := t.Unix()
	for w := c.walk(at, at); w.step(); {
		if w.end <= at {
			continue
		}
		if w.start > at {
			break
		}
		state := State{Open: true, Period: w.span.period, Holiday: c.holiday(w.holiday)}
		if until, ok := c.NextClose(t); ok {
			state.Until = until.In(c.location)
		}
		return state
	}
	state := State{Holiday: c.holiday(c.closedBy(at))}
	if until, ok := c.NextOpen(t); ok {
		state.Until = until.In(c.location)
	}
	return state
}

func (c *Calendar) holiday(i int) *Holiday {
	if i < 0 {
		return nil
	}
	return &c.holidays[i].Holiday
}

// closedBy gives the holiday that closes the desk at an instant at which it is closed, or -1 when it
// is the weekday's hours. A closure decides only when the desk would be open without it.
func (c *Calendar) closedBy(at int64) int {
	day := c.dayAt(at)
	for hint := c.zone.hintFor(day * secondsPerDay); c.zone.instant((day+1)*secondsPerDay, &hint) <= at; {
		day++ // an hour that repeats belongs to the day that has begun before it
	}
	onDay := c.holidayOn(day)
	without := c.walk(at, at)
	for i := range c.closures {
		without.open[i] = len(c.closures[i])
	}
	if !without.openAt(at) {
		return onDay
	}
	for _, list := range c.closures {
		i := sort.Search(len(list), func(i int) bool { return list[i].end > at })
		if i < len(list) && list[i].start <= at {
			return int(list[i].holiday)
		}
	}
	return onDay
}

// Describe says in English what holds at an instant and until when: "open until 18:00", "closed:
// National Day; opens Thursday 2026-10-08 09:00". Times are those of the calendar's zone; the weekday
// is left out on the same day, the date within a week.
func (c *Calendar) Describe(t time.Time) string {
	state := c.At(t)
	name := ""
	if state.Holiday != nil && state.Holiday.Name != "" {
		name = ": " + state.Holiday.Name
	}
	switch {
	case state.Open && state.Until.IsZero():
		return "open round the clock" + name
	case state.Open:
		return "open until " + when(t.In(c.location), state.Until) + name
	case state.Until.IsZero():
		return "closed" + name + "; does not open within 400 days"
	default:
		return "closed" + name + "; opens " + when(t.In(c.location), state.Until)
	}
}

func when(now, then time.Time) string {
	days := dayOf(then.Date()) - dayOf(now.Date())
	switch {
	case days == 0:
		return then.Format("15:04")
	case days < 7:
		return then.Format("Monday 15:04")
	default:
		return then.Format("Monday 2006-01-02 15:04")
	}
}
