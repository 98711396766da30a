package calendar

import "time"

// extent is when an event of a feed is: local seconds, the end not included.
type extent struct {
	start, end int64
	timed      bool
	location   *time.Location // nil: the calendar's
}

func (x extent) first() int64 { return floorDiv(x.start, secondsPerDay) }
func (x extent) last() int64  { return floorDiv(x.end-1, secondsPerDay) }

func (x extent) movedTo(day int64) extent {
	by := (day - x.first()) * secondsPerDay
	x.start, x.end = x.start+by, x.end+by
	return x
}

// holiday gives the days and the part of them, widened to whole minutes: feeds end days at 23:59:59.
func (x extent) holiday() Holiday {
	h := Holiday{Date: formatDay(x.first())}
	if x.last() != x.first() {
		h.LastDate = formatDay(x.last())
	}
	from := floorMod(x.start, secondsPerDay)
	if from -= from % secondsPerMinute; from > 0 {
		h.From = formatClock(from)
	}
	to := floorMod(x.end-1, secondsPerDay) + 1
	if to += floorMod(-to, secondsPerMinute); to < secondsPerDay {
		h.To = formatClock(to)
	}
	if x.location != nil {
		h.TimeZone = x.location.String()
	}
	return h
}

// extent reads when an event is.
func (r *reader) extent(e *event) (extent, bool) {
	p, ok := e.properties["DTSTART"]
	if !ok {
		r.addAt(e.line, "VEVENT", "add a line such as DTSTART;VALUE=DATE:20261001", "the event has no DTSTART")
		return extent{}, false
	}
	start, x, ok := r.time(p)
	if !ok {
		return extent{}, false
	}
	x.start, x.timed = start.local, start.timed
	if !r.end(e, &x) {
		return extent{}, false
	}
	if x.end-x.start > MaxHolidayLength*secondsPerDay {
		r.addAt(p.line, "DTSTART", "change the opening hours instead", "%s begins an event of more than %d days", quote(p.value), MaxHolidayLength)
		return extent{}, false
	}
	return x, true
}

// time reads a property that is a date or time, and its zone.
func (r *reader) time(p property) (icalTime, extent, bool) {
	t, ok := parseICalTime(p.value)
	if !ok {
		r.addAt(p.line, p.name, "write 20261001 or 20261001T090000", "%s is no date", quote(p.value))
		return t, extent{}, false
	}
	location, known := r.location(p, t)
	if !known {
		r.addAt(p.line, p.name, "write an IANA name such as Asia/Shanghai", "TZID=%s is no known time zone", clip(p.zone))
		return t, extent{}, false
	}
	return t, extent{location: location}, true
}

// end finds the end: DTEND, DURATION, or that of the day.
func (r *reader) end(e *event, x *extent) bool {
	p, given := e.properties["DTEND"]
	duration, lasts := e.properties["DURATION"]
	switch {
	case given:
		end, zone, ok := r.time(p)
		if !ok {
			return false
		}
		x.end = end.local
		if zone.location != nil && x.location != nil && zone.location != x.location {
			x.end = convert(end.local, zone.location, x.location)
		}
	case lasts:
		p = duration
		seconds, ok := parseICalDuration(p.value)
		if !ok {
			r.addAt(p.line, p.name, "write P1D for a day or PT8H for eight hours", "%s is no duration", quote(p.value))
			return false
		}
		x.end = x.start + seconds
	case x.timed:
		r.addAt(e.line, "VEVENT", "add DTEND or DURATION", "the event has a time at which it begins and none at which it ends")
		return false
	default:
		x.end = x.start + secondsPerDay
	}
	// A whole day has its own date as its end in many feeds, although RFC 5545 wants the next one.
	if !x.timed && x.end == x.start {
		x.end += secondsPerDay
	}
	if x.end <= x.start {
		r.addAt(p.line, p.name, "write an end after DTSTART", "%s is not after the beginning", quote(p.value))
		return false
	}
	return true
}
