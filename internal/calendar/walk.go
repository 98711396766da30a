package calendar

import (
	"math"
	"slices"
	"sort"
)

// walker gives the open intervals of a calendar in order. It lives on the stack: the answers to all
// questions are made with it, and clocks ask many.
type walker struct {
	c      *Calendar
	hint   int // segment of the zone
	day    int64
	stop   int64  // the last day to look at
	spans  []span // of day
	i      int    // the next of spans
	next   int    // the first entry of c.days that is after day
	exempt bool   // the author's holiday decides: feeds close no part of the day
	cut    bool   // what runs over midnight ends there, for the next day is a holiday

	rawStart, rawEnd int64  // what is left of the current period, before closures
	open             [2]int // the first closure that ends after rawStart

	// start and end are the interval that step found, in Unix seconds; span and holiday made it.
	start, end int64
	span       *span
	holiday    int // -1: none
	today      int // the holiday that decides on day, or -1
}

// Instants beyond what calendars know are all alike.
const (
	minUnix = (firstDay - 2) * secondsPerDay
	maxUnix = (lastDay + 3) * secondsPerDay
)

// dayAt gives the date that the clock shows at an instant.
func (c *Calendar) dayAt(unix int64) int64 {
	return floorDiv(unix+c.zone.offsetAt(unix), secondsPerDay)
}

// walk begins before the first interval that ends after an instant, and stops after the day that
// the clock shows at another, or when nothing is left.
func (c *Calendar) walk(from, to int64) walker {
	from = min(max(from, minUnix), maxUnix)
	to = min(max(to, from), maxUnix)
	// A period that began the day before may still run, and one that the repeated hour belongs to may
	// have begun on the next, which the loop reaches.
	day := c.dayAt(from) - 1
	w := walker{c: c, day: max(day, firstDay) - 1, stop: min(c.dayAt(to)+1, lastDay), rawEnd: math.MinInt64, rawStart: math.MinInt64, holiday: -1}
	w.hint = c.zone.hintFor(max(day, firstDay) * secondsPerDay)
	w.next = sort.Search(len(c.days), func(i int) bool { return c.days[i].day > w.day })
	for i := range c.closures {
		list := c.closures[i]
		w.open[i] = sort.Search(len(list), func(j int) bool { return list[j].end > from-3*secondsPerDay })
	}
	return w
}

// step finds the next interval and tells whether there is one.
func (w *walker) step() bool {
	for w.rawStart < w.rawEnd || w.period() {
		start := w.behindClosures(w.rawStart)
		end := w.beforeClosures(w.rawEnd)
		w.rawStart = max(start, end)
		if start < end {
			w.start, w.end = start, end
			return true
		}
	}
	return false
}

// openAt tells whether one of the intervals that are left covers an instant.
func (w *walker) openAt(unix int64) bool {
	for w.step() {
		if w.end > unix {
			return w.start <= unix
		}
	}
	return false
}

// behindClosures gives the first instant from start on that no closure covers, or the end of the
// period. It does not look beyond that end: the same closure may cover the next period too.
func (w *walker) behindClosures(start int64) int64 {
	for {
		before := start
		for i := range w.c.closures {
			if i == imported && w.exempt {
				continue
			}
			list := w.c.closures[i]
			for w.open[i] < len(list) && list[w.open[i]].end <= start {
				w.open[i]++
			}
			if w.open[i] < len(list) && list[w.open[i]].start <= start {
				start = list[w.open[i]].end
			}
			if start >= w.rawEnd {
				return w.rawEnd
			}
		}
		if start == before {
			return start
		}
	}
}

// beforeClosures gives the end of an interval that begins behind all closures up to now.
func (w *walker) beforeClosures(end int64) int64 {
	for i := range w.c.closures {
		if list := w.c.closures[i]; w.open[i] < len(list) && (i != imported || !w.exempt) {
			end = min(end, list[w.open[i]].start)
		}
	}
	return end
}

// period moves to the next period of the day, or of a later day.
func (w *walker) period() bool {
	for {
		for w.i < len(w.spans) {
			s := &w.spans[w.i]
			w.i++
			to := s.to
			if w.cut {
				to = min(to, secondsPerDay)
			}
			start := max(w.c.zone.instant(w.day*secondsPerDay+s.from, &w.hint), w.rawEnd)
			end := w.c.zone.instant(w.day*secondsPerDay+to, &w.hint)
			if start < end {
				w.rawStart, w.rawEnd, w.span, w.holiday = start, end, s, w.today
				return true
			}
		}
		if w.day >= w.stop {
			return false
		}
		w.advance()
	}
}

// advance moves to the next day.
func (w *walker) advance() {
	w.day++
	w.i, w.today, w.exempt, w.cut = 0, -1, false, false
	days := w.c.days
	if w.next < len(days) && days[w.next].day == w.day {
		w.today = int(days[w.next].holiday)
		w.next++
		h := &w.c.holidays[w.today]
		w.spans, w.exempt = h.spans, h.declared
	} else {
		w.spans = w.c.week[weekdayOf(w.day)]
	}
	if w.next < len(days) && days[w.next].day == w.day+1 {
		w.cut = !w.c.holidays[days[w.next].holiday].weekday
	}
}

// holidayOn gives the holiday that decides on a day, or -1.
func (c *Calendar) holidayOn(day int64) int {
	i, found := slices.BinarySearchFunc(c.days, day, func(d holidayDay, day int64) int { return int(d.day - day) })
	if !found {
		return -1
	}
	return int(c.days[i].holiday)
}
