package calendar

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// holiday is a holiday of a calendar.
type holiday struct {
	Holiday
	declared bool // by the author, not by a feed
	weekday  bool // has the hours of a weekday
	spans    []span
}

// holidayDay is a date on which the weekday's hours do not hold.
type holidayDay struct {
	day     int64
	holiday int32
}

// closure closes part of one or several days, in Unix seconds.
type closure struct {
	start, end int64
	holiday    int32
}

// readHoliday is a holiday whose words are understood.
type readHoliday struct {
	holiday
	field       string
	first, last date
	from, to    int64
	timed       bool // closes part of a day
	rule        *rule
	zone        *zone
	except      []int64
}

// recurs tells whether it comes in more than one year.
func (h *readHoliday) recurs() bool { return h.first.yearly || h.rule != nil }

// length in days of one time; of a yearly one in a leap year.
func (h *readHoliday) length() int64 {
	n := h.last.day - h.first.day + 1
	if n <= 0 {
		n += 366
	}
	return n
}

func (c *compiler) readHolidays(field string, list []Holiday, byAuthor bool) []*readHoliday {
	if len(list) > MaxHolidays {
		c.add(field, "remove those that are past", "there are %d holidays, %d are allowed", len(list), MaxHolidays)
		return nil
	}
	read := make([]*readHoliday, 0, len(list))
	rules := 0
	for i := range list {
		if list[i].Rule != "" {
			rules++
		}
		if h, ok := c.readHoliday(fmt.Sprintf("%s[%d]", field, i), &list[i]); ok {
			h.declared = byAuthor
			read = append(read, h)
		}
	}
	if rules > MaxRules {
		c.add(field, "write those of fixed dates without a rule, such as 10-01", "%d holidays have a rule, %d may", rules, MaxRules)
	}
	return read
}

func (c *compiler) readHoliday(field string, source *Holiday) (*readHoliday, bool) {
	before := len(c.list) + c.more
	h := &readHoliday{holiday: holiday{Holiday: *source}, field: field, to: secondsPerDay, zone: c.calendar.zone}
	c.readName(h)
	if c.readDates(h) {
		c.readRule(h)
	}
	c.readHours(h)
	c.readPart(h)
	return h, before == len(c.list)+c.more
}

func (c *compiler) readName(h *readHoliday) {
	if utf8.RuneCountInString(h.Name) > MaxNameLength {
		c.add(h.field+".name", "shorten it", "%s has more than %d characters", quote(h.Name), MaxNameLength)
	}
	if !utf8.ValidString(h.Name) || strings.ContainsFunc(h.Name, unicode.IsControl) {
		c.add(h.field+".name", "write it on one line", "%s has control characters", quote(h.Name))
	}
}

func (c *compiler) readDates(h *readHoliday) bool {
	const remedy = "write 2026-10-01 for one day, 10-01 for that day of every year"
	first, ok := parseDate(h.Date)
	if !ok {
		c.add(h.field+".date", remedy, "%s is no date", quote(h.Date))
		return false
	}
	h.first, h.last = first, first
	if h.LastDate != "" {
		if h.last, ok = parseDate(h.LastDate); !ok {
			c.add(h.field+".lastDate", remedy, "%s is no date", quote(h.LastDate))
			return false
		}
	}
	switch {
	case h.last.yearly != first.yearly:
		c.add(h.field+".lastDate", "write both with the year, or both without", "%s and date, %s, do not go together", quote(h.LastDate), quote(h.Date))
	case !first.yearly && h.last.day < first.day:
		c.add(h.field+".lastDate", "swap them", "%s is before date, %s", quote(h.LastDate), quote(h.Date))
	case !first.yearly && h.last.day-first.day >= MaxHolidayLength:
		c.add(h.field+".lastDate", "change openingHours instead", "%s to %s is longer than %d days", quote(h.Date), quote(h.LastDate), MaxHolidayLength)
	case !first.yearly && h.Rule == "" && (h.last.day < firstDay || first.day > lastDay):
		c.add(h.field+".date", "remove it", "%s is not in the years %d to %d", quote(h.Date), FirstYear, LastYear)
	default:
		return true
	}
	return false
}

func (c *compiler) readRule(h *readHoliday) {
	if h.Rule != "" {
		if h.first.yearly {
			c.add(h.field+".date", "write the date of the first time with its year, or remove the rule", "%s has no year, but there is a rule", quote(h.Date))
			return
		}
		read, err := parseRule(h.Rule)
		if err != nil {
			c.add(h.field+".rule", err.remedy, "%s", err.message)
			return
		}
		if read.count > 0 && civil(h.first.day).Year() < firstCountedYear {
			c.add(h.field+".date", fmt.Sprintf("begin in %d or later", firstCountedYear), "%s is too early for a rule with COUNT", quote(h.Date))
		}
		h.rule = read
	}
	if len(h.Except) > MaxExcept {
		c.add(h.field+".except", "remove those that are past", "there are %d exceptions, %d are allowed", len(h.Except), MaxExcept)
		return
	}
	if len(h.Except) > 0 && !h.recurs() {
		c.add(h.field+".except", "remove it", "the holiday does not recur")
	}
	for i, text := range h.Except {
		day, ok := parseDate(text)
		if !ok || day.yearly {
			c.add(fmt.Sprintf("%s.except[%d]", h.field, i), "write it with the year, such as 2026-10-01", "%s is no date", quote(text))
		}
		h.except = append(h.except, day.day)
	}
	slices.Sort(h.except)
}

// readHours reads the hours that hold on the holiday instead of the weekday's.
func (c *compiler) readHours(h *readHoliday) {
	spans := c.spans(h.field+".periods", h.Periods)
	slices.SortStableFunc(spans, func(a, b located) int { return cmp.Compare(a.from, b.from) })
	for i, s := range spans {
		if i > 0 && spans[i-1].to > s.from {
			c.add(s.field, "shorten or merge them", "%s to %s overlaps %s to %s of %s", s.period.From, s.period.To,
				spans[i-1].period.From, spans[i-1].period.To, spans[i-1].field)
		}
		h.spans = append(h.spans, s.span)
	}
	if h.HoursOf == "" {
		return
	}
	weekday, ok := parseWeekday(h.HoursOf)
	switch {
	case !ok:
		c.add(h.field+".hoursOf", weekdayRemedy(h.HoursOf), "%s is no weekday", quote(h.HoursOf))
	case len(h.Periods) > 0:
		c.add(h.field+".hoursOf", "remove one of them", "there are both hoursOf and periods")
	default:
		h.weekday, h.spans = true, c.calendar.week[weekday]
	}
}

// readPart reads from, to and timeZone. A holiday of another zone is part of a day here even where it
// is whole days there.
func (c *compiler) readPart(h *readHoliday) {
	if h.TimeZone != "" && h.TimeZone != c.calendar.location.String() {
		h.timed = true
		h.zone = c.zone(h.field+".timeZone", h.TimeZone)
	}
	good := true
	if h.From != "" {
		h.timed = true
		h.from, good = c.clock(h.field+".from", h.From, secondsPerDay-secondsPerMinute)
	}
	if h.To != "" {
		h.timed = true
		to, ok := c.clock(h.field+".to", h.To, secondsPerDay)
		h.to, good = to, ok && good
	}
	if !h.timed {
		return
	}
	if len(h.Periods) > 0 || h.HoursOf != "" {
		c.add(h.field, "write one of them", "periods or hoursOf do not go together with from, to or another timeZone")
	}
	if good && h.first == h.last && h.to <= h.from {
		c.add(h.field+".to", "swap them, or write lastDate too", "%s is not after from, %s", formatClock(h.to), formatClock(h.from))
	}
}

// duplicates finds holidays that somebody wrote twice: one of them would be without effect.
func (c *compiler) duplicates(list []*readHoliday) {
	type key struct {
		date, lastDate, rule string
	}
	seen := map[key]string{}
	for _, h := range list {
		if h.timed || len(h.except) > 0 {
			continue
		}
		k := key{h.Date, h.LastDate, strings.ToUpper(h.Rule)}
		if other, twice := seen[k]; twice {
			c.add(h.field+".date", "remove one", "%s is there twice, also as %s", quote(h.Date), other)
			continue
		}
		seen[k] = h.field
	}
}

// occurrences gives the first and last day of each time the holiday comes, within the years that
// calendars know.
func (h *readHoliday) occurrences(yield func(first, last int64) bool) {
	give := func(first, last int64) bool {
		_, excepted := slices.BinarySearch(h.except, first)
		return excepted || last < firstDay || first > lastDay || yield(first, last)
	}
	switch {
	case h.rule != nil:
		h.rule.expand(h.first.day, h.from, h.rule.until.last(h.timed, h.zone), func(day int64) bool {
			return give(day, day+h.last.day-h.first.day)
		})
	case h.first.yearly:
		for year := FirstYear - 1; year <= LastYear; year++ {
			if first, last, ok := h.inYear(year); ok && !give(first, last) {
				return
			}
		}
	default:
		give(h.first.day, h.last.day)
	}
}

// inYear gives the days of a yearly holiday that begins in this year.
func (h *readHoliday) inYear(year int) (first, last int64, ok bool) {
	lastYear := year
	if h.last.day < h.first.day {
		lastYear++
	}
	first, last = dayOf(year, h.first.month, h.first.dom), dayOf(lastYear, h.last.month, h.last.dom)
	if h.last.month == time.February && !exists(lastYear, h.last.month, h.last.dom) {
		last-- // the time package makes 1 March of it
	}
	return first, last, first <= last
}

// expand makes the table of days and the closures.
func (c *compiler) expand(holidays []*readHoliday) {
	type candidate struct {
		holidayDay
		recurs bool
		length int64
	}
	var days []candidate
	total := int64(0)
	for _, h := range holidays {
		index := int32(len(c.calendar.holidays)) //nolint:gosec // at most twice MaxHolidays
		c.calendar.holidays = append(c.calendar.holidays, h.holiday)
		h.occurrences(func(first, last int64) bool {
			total += last - first + 1
			if h.timed {
				c.close(h, index, first, last)
				return total <= MaxHolidayDays
			}
			for day := max(first, firstDay); day <= min(last, lastDay); day++ {
				days = append(days, candidate{holidayDay{day, index}, h.recurs(), h.length()})
			}
			return total <= MaxHolidayDays
		})
		if total > MaxHolidayDays {
			c.add(h.field, "write fewer or shorter ones, or end rules with UNTIL", "with this one the holidays of all years cover more than %d days", MaxHolidayDays)
			return
		}
	}
	slices.SortFunc(days, func(a, b candidate) int {
		first, second := &c.calendar.holidays[a.holiday], &c.calendar.holidays[b.holiday]
		return cmp.Or(cmp.Compare(a.day, b.day), trueFirst(first.declared, second.declared), trueFirst(!a.recurs, !b.recurs),
			cmp.Compare(a.length, b.length), cmp.Compare(a.holiday, b.holiday))
	})
	days = slices.CompactFunc(days, func(a, b candidate) bool { return a.day == b.day })
	c.calendar.days = make([]holidayDay, len(days))
	for i := range days {
		c.calendar.days[i] = days[i].holidayDay
	}
	for i := range c.calendar.closures {
		c.calendar.closures[i] = disjoint(c.calendar.closures[i])
	}
}

func trueFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

func (c *compiler) close(h *readHoliday, index int32, first, last int64) {
	hint := h.zone.hintFor(first * secondsPerDay)
	start := h.zone.instant(first*secondsPerDay+h.from, &hint)
	end := h.zone.instant(last*secondsPerDay+h.to, &hint)
	if start < end {
		list := &c.calendar.closures[imported]
		if h.declared {
			list = &c.calendar.closures[declared]
		}
		*list = append(*list, closure{start, end, index})
	}
}

// disjoint orders closures and leaves the earlier one what two share.
func disjoint(list []closure) []closure {
	slices.SortFunc(list, func(a, b closure) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.holiday, b.holiday))
	})
	kept := list[:0]
	end := int64(math.MinInt64)
	for _, one := range list {
		one.start = max(one.start, end)
		if one.start < one.end {
			kept = append(kept, one)
			end = one.end
		}
	}
	return slices.Clip(kept)
}
