package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// MaxICalendarBytes is the greatest size of a feed, which is that of a ConfigMap.
	MaxICalendarBytes = 1 << 20

	// maxComponents is how deep components may nest; real feeds have three.
	maxComponents = 8
	// maxTimes bounds the exceptions and additional dates of one event.
	maxTimes = MaxExcept
	// maxZoneName bounds a TZID, in bytes.
	maxZoneName = 128
)

// ImportOptions say how holidays are read from a feed.
type ImportOptions struct {
	// Ignore are names of events that are no holidays for this desk, whatever their letter case. Feeds
	// often list days that people only remember, such as St Martin's.
	Ignore []string
}

// ParseICalendar reads the holidays of a feed: the events of an iCalendar text (RFC 5545), each a day,
// several days or part of a day on which the desk is closed.
//
// It understands dates, times with TZID (an IANA name, also behind a vendor's prefix), in UTC or
// without a zone, which is then the calendar's; DTEND and DURATION; yearly RRULE, EXDATE, RDATE and
// RECURRENCE-ID; SUMMARY. VTIMEZONE is passed over in favour of the IANA zone of the same name.
// Cancelled events, events in Ignore and events outside of the years that calendars know give nothing.
// A working Saturday or Sunday in exchange for a holiday (X-APPLE-SPECIAL-DAY:ALTERNATE-WORKDAY, or 补班
// or （班） in the summary) gives a day with the hours of Monday.
//
// Problems do not keep the other events from being given, in the feed's order: a desk that is closed on
// all holidays but one serves better than one that is open on all of them. [Compile] accepts what is
// given, as Imported, unless the days of all holidays together are too many.
func ParseICalendar(text string, options ImportOptions) ([]Holiday, []Problem) {
	r := &reader{ignore: options.Ignore, zones: map[string]*time.Location{}}
	if len(text) > MaxICalendarBytes {
		r.add("iCalendar", "remove events that are past", "the text has %d bytes, %d are allowed", len(text), MaxICalendarBytes)
		return nil, r.list
	}
	r.read(text)
	r.moved()
	for _, e := range r.events {
		r.event(e)
	}
	return r.holidays, r.all("iCalendar")
}

// reader reads one feed.
type reader struct {
	problems
	ignore   []string
	zones    map[string]*time.Location // by TZID; nil: unknown
	open     []string                  // the components that the current line is in
	current  *event
	events   []*event
	holidays []Holiday
	rules    int
}

// event is a VEVENT with those of its properties that matter.
type event struct {
	line       int
	properties map[string]property // the first of each name
	except     []property
	more       []property
}

// read takes the text apart into events. It gives up where the structure is broken, since what
// follows could be anything.
func (r *reader) read(text string) {
	line := 0
	for number, content := range contentLines(text) {
		line = number
		if content == "" {
			continue
		}
		p, ok := parseProperty(number, content)
		if len(r.open) == 0 && (p.name != "BEGIN" || !strings.EqualFold(p.value, "VCALENDAR")) {
			r.addAt(number, "iCalendar", "give an iCalendar text, from BEGIN:VCALENDAR to END:VCALENDAR", "%s does not begin a calendar", quote(content))
			return
		}
		// A line without a colon is most often the rest of a description that was not folded.
		if ok && !r.take(p) {
			return
		}
	}
	switch {
	case line == 0:
		r.add("iCalendar", "give an iCalendar text, from BEGIN:VCALENDAR to END:VCALENDAR", "the text is empty")
	case len(r.open) > 0:
		r.addAt(line, "iCalendar", "fetch the whole text again", "the text breaks off before END:%s", clip(r.open[len(r.open)-1]))
	}
}

// take looks at one property. It is false when reading cannot go on.
func (r *reader) take(p property) bool {
	switch p.name {
	case "BEGIN":
		if len(r.open) == maxComponents {
			r.addAt(p.line, "BEGIN", "give a calendar of events only", "components nest deeper than %d", maxComponents)
			return false
		}
		if len(r.open) == 1 && strings.EqualFold(p.value, "VEVENT") {
			if len(r.events) == MaxHolidays {
				r.addAt(p.line, "BEGIN", "remove events that are past", "there are more than %d events", MaxHolidays)
				r.open = nil
				return false
			}
			r.current = &event{line: p.line, properties: map[string]property{}}
		}
		r.open = append(r.open, strings.ToUpper(p.value))
	case "END":
		if last := len(r.open) - 1; !strings.EqualFold(p.value, r.open[last]) {
			r.addAt(p.line, "END", "fetch the whole text again", "END:%s stands where END:%s is due", clip(p.value), clip(r.open[last]))
			r.open = nil
			return false
		}
		r.open = r.open[:len(r.open)-1]
		if r.current != nil && len(r.open) == 1 {
			r.events = append(r.events, r.current)
			r.current = nil
		}
	default:
		if r.current != nil && len(r.open) == 2 {
			r.keep(p)
		}
	}
	return true
}

// keep notes a property of the current event.
func (r *reader) keep(p property) {
	e := r.current
	switch p.name {
	case "EXDATE":
		e.except = append(e.except, p)
	case "RDATE":
		e.more = append(e.more, p)
	case "DTSTART", "DTEND", "DURATION", "SUMMARY", "STATUS", "RRULE", "UID", "RECURRENCE-ID", "X-APPLE-SPECIAL-DAY":
		if _, twice := e.properties[p.name]; !twice {
			e.properties[p.name] = p
		}
	}
}

// moved makes an exception of the event that recurs out of each event that replaces one time of it.
func (r *reader) moved() {
	recurring := map[string]*event{}
	for _, e := range r.events {
		if uid := e.properties["UID"].value; uid != "" && e.properties["RRULE"].value != "" {
			recurring[uid] = e
		}
	}
	for _, e := range r.events {
		replaced, replaces := e.properties["RECURRENCE-ID"]
		if of := recurring[e.properties["UID"].value]; replaces && of != nil && of != e {
			of.except = append(of.except, replaced)
		}
	}
}

// event turns an event into holidays.
func (r *reader) event(e *event) {
	summary := e.properties["SUMMARY"].value
	name := plainText(summary)
	if strings.EqualFold(e.properties["STATUS"].value, "CANCELLED") ||
		slices.ContainsFunc(r.ignore, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), name) }) {
		return
	}
	when, ok := r.extent(e)
	if !ok {
		return
	}
	h := when.holiday()
	h.Name = name
	if isWorkday(e, name) {
		// Some feeds give them the hours of an office; the desk has its own.
		h.HoursOf, h.From, h.To, h.TimeZone = weekdayNames[time.Monday], "", "", ""
	}
	except := r.days(e.except, when)
	if rule := e.properties["RRULE"]; rule.value != "" {
		r.recurring(e, rule, when, h, except)
	} else {
		r.give(e, when, h)
	}
	for _, day := range r.days(e.more, when) {
		if day != when.first() && !slices.Contains(except, day) {
			once := when.movedTo(day)
			h.Date, h.LastDate = formatDay(once.first()), ""
			if once.last() != once.first() {
				h.LastDate = formatDay(once.last())
			}
			r.give(e, once, h)
		}
	}
}

func isWorkday(e *event, name string) bool {
	return strings.EqualFold(e.properties["X-APPLE-SPECIAL-DAY"].value, "ALTERNATE-WORKDAY") ||
		strings.Contains(name, "补班") || strings.Contains(name, "（班）") || strings.Contains(name, "(班)")
}

// give adds a holiday that comes once, unless it is in years that calendars do not know.
func (r *reader) give(e *event, when extent, h Holiday) {
	if when.last() < firstDay || when.first() > lastDay {
		return
	}
	r.addHoliday(e, h)
}

func (r *reader) addHoliday(e *event, h Holiday) {
	if len(r.holidays) == MaxHolidays {
		r.addAt(e.line, "VEVENT", "remove events that are past", "there are more than %d holidays", MaxHolidays)
		return
	}
	r.holidays = append(r.holidays, h)
}

func (r *reader) recurring(e *event, p property, when extent, h Holiday, except []int64) {
	rule, err := parseRule(p.value)
	switch {
	case err != nil:
		r.addAt(p.line, "RRULE", err.remedy, "%s", err.message)
		return
	case rule.count > 0 && civil(when.first()).Year() < firstCountedYear:
		r.addAt(p.line, "RRULE", fmt.Sprintf("begin in %d or later", firstCountedYear), "%s begins too early for a rule with COUNT", h.Date)
		return
	case r.rules == MaxRules:
		r.addAt(p.line, "RRULE", "write the dates one by one", "more than %d events have a rule", MaxRules)
		return
	}
	r.rules++
	h.Rule = strings.ToUpper(p.value)
	for _, day := range except {
		h.Except = append(h.Except, formatDay(day))
	}
	r.addHoliday(e, h)
}

// days reads lists of dates, as days in the event's zone.
func (r *reader) days(lists []property, when extent) []int64 {
	var days []int64
	for _, p := range lists {
		for value := range strings.SplitSeq(p.value, ",") {
			value, _, _ = strings.Cut(value, "/") // of a period its beginning
			t, ok := parseICalTime(value)
			if !ok {
				r.addAt(p.line, p.name, "write dates such as 20261001 with commas between them", "%s is no date", quote(value))
				continue
			}
			if len(days) == maxTimes {
				r.addAt(p.line, p.name, "remove those that are past", "there are more than %d dates", maxTimes)
				return days
			}
			if t.timed && when.timed {
				if from, known := r.location(p, t); known && from != nil && when.location != nil {
					t.local = convert(t.local, from, when.location)
				}
			}
			days = append(days, t.day())
		}
	}
	return days
}

// location gives the zone of a time: nil when it has none.
func (r *reader) location(p property, t icalTime) (location *time.Location, known bool) {
	switch {
	case !t.timed || p.zone == "" && !t.utc:
		return nil, true
	case t.utc:
		return time.UTC, true
	}
	location, seen := r.zones[p.zone]
	if !seen {
		location = findZone(p.zone)
		r.zones[p.zone] = location
	}
	return location, location != nil
}

// findZone finds an IANA zone by a TZID, which some programs put behind a prefix of their own, such as
// /vendor.example/20210210_1/Europe/Berlin.
func findZone(id string) *time.Location {
	if len(id) > maxZoneName {
		return nil
	}
	for rest, more := strings.TrimPrefix(id, "/"), true; more; _, rest, more = strings.Cut(rest, "/") {
		if location, ok := loadZone(rest); ok {
			return location
		}
	}
	return nil
}

// convert gives the local time in one zone of a local time in another.
func convert(local int64, from, to *time.Location) int64 {
	t := time.Unix(local, 0).UTC()
	at := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, from)
	_, offset := at.In(to).Zone()
	return at.Unix() + int64(offset)
}
