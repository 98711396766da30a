package calendar

import (
	"iter"
	"math"
	"time"
)

const (
	nanosPerSecond = int64(time.Second)
	horizonSeconds = int64(Horizon / time.Second)
)

// Interval is a stretch of time, Start included, End not.
type Interval struct {
	Start, End time.Time
}

// IsOpen tells whether the desk is open at an instant. A period holds from its beginning on and not at
// its end: at 18:00 a desk that is open from 09:00 to 18:00 is closed.
func (c *Calendar) IsOpen(t time.Time) bool {
	at := t.Unix()
	w := c.walk(at, at)
	return w.openAt(at)
}

// NextOpen gives the first instant from t on at which the desk is open: t itself when it is open
// then. It is false when the desk stays closed for the whole [Horizon]. The instant is in t's location.
func (c *Calendar) NextOpen(t time.Time) (time.Time, bool) {
	at := t.Unix()
	for w := c.walk(at, at+horizonSeconds); w.step(); {
		switch {
		case w.end <= at:
		case w.start <= at:
			return t, true
		case w.start-at > horizonSeconds:
			return time.Time{}, false
		default:
			return time.Unix(w.start, 0).In(t.Location()), true
		}
	}
	return time.Time{}, false
}

// NextClose gives the first instant from t on at which the desk is closed: t itself when it is closed
// then. Periods that touch are one. It is false when the desk stays open for the whole [Horizon]. The
// instant is in t's location.
func (c *Calendar) NextClose(t time.Time) (time.Time, bool) {
	at := t.Unix()
	end := at
	for w := c.walk(at, at+horizonSeconds); end-at <= horizonSeconds && w.step(); {
		if w.end <= end {
			continue
		}
		if w.start > end {
			break
		}
		end = w.end
	}
	switch {
	case end-at > horizonSeconds:
		return time.Time{}, false
	case end == at:
		return t, true
	default:
		return time.Unix(end, 0).In(t.Location()), true
	}
}

// OpenBetween gives how long the desk is open from a to b, in elapsed time; 0 when b is not after a.
// Its cost grows with the number of days between them.
func (c *Calendar) OpenBetween(a, b time.Time) time.Duration {
	from, to := a.Unix(), b.Unix()
	open := int64(0)
	for w := c.walk(from, to); w.step() && w.start <= to; {
		if w.end <= from {
			continue
		}
		start, end, fraction := w.start, w.end, int64(0)
		if start <= from {
			start, fraction = from, fraction-int64(a.Nanosecond())
		}
		if end > to {
			end, fraction = to, fraction+int64(b.Nanosecond())
		}
		open += max(0, (end-start)*nanosPerSecond+fraction)
	}
	return time.Duration(open)
}

// AddOpen gives the first instant from t on by which the desk has been open for d: when a clock that
// stands still while the desk is closed, started at t, has run for d. That is the end of a period, not
// the beginning of the next, when d is used up exactly then; t itself when d is not positive. It is
// false when the desk closes for longer than the [Horizon] before. The instant is in t's location.
func (c *Calendar) AddOpen(t time.Time, d time.Duration) (time.Time, bool) {
	if d <= 0 {
		return t, true
	}
	last, nanos := t.Unix(), int64(t.Nanosecond()) // the end of the interval before
	at, left := last, int64(d)
	w := c.walk(at, math.MaxInt64)
	for {
		w.stop = min(w.day+horizonDays+2, lastDay) // or a desk that never opens costs a walk to the last year
		if !w.step() || w.start-last > horizonSeconds {
			return time.Time{}, false
		}
		if w.end <= at {
			continue
		}
		from, fraction := w.start, int64(0)
		if from <= at {
			from, fraction = at, nanos
		}
		if here := (w.end-from)*nanosPerSecond - fraction; here < left {
			left -= here
			last = w.end
			continue
		}
		return time.Unix(from, fraction+left).In(t.Location()), true
	}
}

// Intervals gives when the desk is open between a and b, in order. Periods that touch are one
// interval; what lies outside of a and b is cut off. The instants are in the calendar's location.
func (c *Calendar) Intervals(a, b time.Time) iter.Seq[Interval] {
	return func(yield func(Interval) bool) {
		current := Interval{Start: a, End: a}
		for w := c.walk(a.Unix(), b.Unix()); w.step(); {
			start, end := latest(a, time.Unix(w.start, 0)), earliest(b, time.Unix(w.end, 0))
			switch {
			case !start.Before(end):
			case start.Equal(current.End):
				current.End = end
			default:
				if current.Start.Before(current.End) && !yield(c.located(current)) {
					return
				}
				current = Interval{Start: start, End: end}
			}
		}
		if current.Start.Before(current.End) {
			yield(c.located(current))
		}
	}
}

func (c *Calendar) located(i Interval) Interval {
	return Interval{Start: i.Start.In(c.location), End: i.End.In(c.location)}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// IsHoliday says that a holiday decides about the date that the clock shows at an instant, also one on which it is open
// for some of the day.
func (c *Calendar) IsHoliday(t time.Time) bool { return c.holidayOn(c.dayAt(t.Unix())) >= 0 }
