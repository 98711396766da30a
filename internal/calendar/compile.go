package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Calendar is compiled opening hours. It does not change and is safe for concurrent use.
type Calendar struct {
	location *time.Location
	zone     *zone
	week     [7][]span // by time.Weekday
	holidays []holiday
	days     []holidayDay // in order, one a day: the holiday that decides
	// closures close part of a day, in order and without overlap: those of Holidays and of Imported.
	closures [2][]closure
}

// The two lists of closures.
const (
	declared = 0
	imported = 1
)

// span is a period of a day in seconds since midnight; to may lie in the next day.
type span struct {
	from, to int64
	period   Period
}

// Location is the calendar's time zone, in which its times are best shown.
func (c *Calendar) Location() *time.Location { return c.location }

// compiler collects what a declaration gives and what is wrong with it.
type compiler struct {
	problems
	calendar *Calendar
	zones    map[string]*zone
}

// Compile turns a declaration into a calendar. Either the calendar is given and there are no problems,
// or it is nil and the problems say everything that was found, in the declaration's order (of very many
// the first ones and how many more there are).
func Compile(d Declaration) (*Calendar, []Problem) {
	c := &compiler{calendar: &Calendar{}, zones: map[string]*zone{}}
	location, ok := loadZone(d.TimeZone)
	if !ok {
		c.addZone("timeZone", d.TimeZone)
		location = time.UTC // to find the other problems
	}
	c.calendar.location = location
	c.calendar.zone = newZone(location)
	c.zones[d.TimeZone] = c.calendar.zone
	c.week(d.OpeningHours)
	holidays := c.readHolidays("holidays", d.Holidays, true)
	c.duplicates(holidays)
	holidays = append(holidays, c.readHolidays("imported", d.Imported, false)...)
	if len(c.list) == 0 {
		c.expand(holidays)
	}
	if len(c.list) > 0 {
		return nil, c.all("calendar")
	}
	return c.calendar, nil
}

func (p *problems) addZone(field, name string) {
	p.add(field, "write an IANA name such as Asia/Shanghai or Europe/Berlin", "%s is no known time zone", quote(name))
}

// zone finds the clock changes of a zone, once for each name.
func (c *compiler) zone(field, name string) *zone {
	if z, known := c.zones[name]; known {
		return z
	}
	location, ok := loadZone(name)
	if !ok {
		c.addZone(field, name)
		return nil
	}
	z := newZone(location)
	c.zones[name] = z
	return z
}

// located is a span with the field that declares it.
type located struct {
	span
	field string
}

func (c *compiler) week(hours []OpeningHours) {
	if len(hours) > MaxOpeningHours {
		c.add("openingHours", "name several weekdays in one entry", "there are %d entries, %d are allowed", len(hours), MaxOpeningHours)
		return
	}
	if len(hours) == 0 {
		for i := range c.calendar.week {
			c.calendar.week[i] = []span{{from: 0, to: secondsPerDay, period: Period{From: "00:00", To: "24:00"}}}
		}
		return
	}
	var week [7][]located
	for i, entry := range hours {
		field := fmt.Sprintf("openingHours[%d]", i)
		spans := c.spans(field+".periods", entry.Periods)
		if len(entry.Periods) == 0 {
			c.add(field+".periods", "add a period such as 09:00 to 18:00, or remove the entry: a weekday that none names is closed", "there are no periods")
		}
		for _, weekday := range c.weekdays(field+".days", entry.Days) {
			week[weekday] = append(week[weekday], spans...)
		}
	}
	for weekday, spans := range week {
		if len(spans) > MaxPeriods {
			c.add("openingHours", "merge periods that touch", "%s has %d periods, %d are allowed", weekdayNames[weekday], len(spans), MaxPeriods)
			return
		}
		slices.SortStableFunc(spans, func(a, b located) int { return cmp.Compare(a.from, b.from) })
		for _, s := range spans {
			c.calendar.week[weekday] = append(c.calendar.week[weekday], s.span)
		}
	}
	c.weekOverlaps(&week)
}

func (c *compiler) weekdays(field string, names []string) []time.Weekday {
	if len(names) == 0 {
		c.add(field, "write weekdays such as Monday", "no weekday is named")
	}
	var found []time.Weekday
	for i, name := range names {
		weekday, ok := parseWeekday(name)
		switch {
		case !ok:
			c.add(fmt.Sprintf("%s[%d]", field, i), weekdayRemedy(name), "%s is no weekday", quote(name))
		case slices.Contains(found, weekday):
			c.add(fmt.Sprintf("%s[%d]", field, i), "remove one", "%s is there twice", quote(name))
		default:
			found = append(found, weekday)
		}
	}
	return found
}

// weekOverlaps compares each period of the week with the one that begins next, in a circle: a Sunday
// runs into a Monday.
func (c *compiler) weekOverlaps(week *[7][]located) {
	type placed struct {
		located
		weekday time.Weekday
		begin   int64
	}
	var all []placed
	for i := range 7 {
		weekday := time.Weekday((i + 1) % 7) // Monday first, as people read a week
		for _, s := range week[weekday] {
			all = append(all, placed{s, weekday, int64(i)*secondsPerDay + s.from})
		}
	}
	for i, s := range all {
		next := all[(i+1)%len(all)]
		begin := next.begin
		if i == len(all)-1 {
			begin += 7 * secondsPerDay
		}
		if s.begin+s.to-s.from > begin {
			c.add(next.field, "shorten or merge them", "%s %s to %s overlaps %s %s to %s of %s",
				next.weekday, next.period.From, next.period.To, s.weekday, s.period.From, s.period.To, s.field)
		}
	}
}

// spans reads the periods of a day. Whether they overlap is looked at where the whole day is known.
func (c *compiler) spans(field string, periods []Period) []located {
	if len(periods) > MaxPeriods {
		c.add(field, "merge periods that touch", "there are %d periods, %d are allowed", len(periods), MaxPeriods)
		return nil
	}
	var spans []located
	for i, p := range periods {
		at := fmt.Sprintf("%s[%d]", field, i)
		from, ok := c.clock(at+".from", p.From, secondsPerDay-secondsPerMinute)
		to, good := c.clock(at+".to", p.To, 2*secondsPerDay)
		if ok && good && c.rightOrder(at+".to", from, to, p) {
			spans = append(spans, located{span{from: from, to: to, period: p}, at})
		}
	}
	return spans
}

func (c *compiler) clock(field, value string, most int64) (int64, bool) {
	seconds, ok := parseClock(value)
	if !ok {
		c.add(field, "write hours and minutes with two digits each, such as 09:00", "%s is no time of day", quote(value))
		return 0, false
	}
	if seconds > most {
		c.add(field, "write 00:00 to "+formatClock(most), "%s is too late", quote(value))
		return 0, false
	}
	return seconds, true
}

func (c *compiler) rightOrder(field string, from, to int64, p Period) bool {
	switch {
	case to == from:
		c.add(field, "for the whole day write 00:00 to 24:00; to be closed leave the period out", "%s is the same as from", quote(p.To))
	case to < from:
		c.add(field, fmt.Sprintf("swap them, or write %s for %s of the next day", formatClock(to+secondsPerDay), p.To), "%s is before from, %s", quote(p.To), quote(p.From))
	case to-from > secondsPerDay:
		c.add(field, "split it", "%s to %s is longer than 24 hours", quote(p.From), quote(p.To))
	default:
		return true
	}
	return false
}
