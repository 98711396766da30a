package calendar

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxRuleCount    = 10_000
	maxRuleInterval = 1000
	// firstCountedYear bounds how far back a rule with COUNT begins, because it is counted from there.
	firstCountedYear = 1900
)

// rule is a yearly recurrence rule of RFC 5545, section 3.3.10.
type rule struct {
	interval  int
	count     int // 0: without end
	until     until
	months    []int
	monthDays []int // from -31 to 31, without 0
	weekdays  []ordinalWeekday
	positions []int
}

// ordinalWeekday is MO, or 2MO, the second Monday, or -1MO, the last.
type ordinalWeekday struct {
	n       int // 0: each
	weekday time.Weekday
}

// until is the end of a rule, included, as it is written; the zero value is none.
type until struct {
	set   bool
	local int64 // seconds, in UTC when utc is set
	timed bool
	utc   bool
}

// last gives the latest local time at which the rule still holds. The zone matters to an end that is
// written in UTC.
func (u until) last(timed bool, z *zone) int64 {
	switch {
	case !u.set:
		return math.MaxInt64
	case !timed || !u.timed:
		return (floorDiv(u.local, secondsPerDay)+1)*secondsPerDay - 1
	case u.utc:
		return u.local + z.offsetAt(u.local)
	default:
		return u.local
	}
}

// ruleError is what is wrong with a rule, and how to mend it.
type ruleError struct{ message, remedy string }

func (e *ruleError) Error() string { return e.message + "; " + e.remedy }

func ruleErrorf(remedy, format string, args ...any) *ruleError {
	return &ruleError{message: fmt.Sprintf(format, args...), remedy: remedy}
}

// ruleParts are the parts of a rule and what reads them.
var ruleParts = map[string]func(r *rule, value string) *ruleError{
	"FREQ":     func(_ *rule, v string) *ruleError { return checkFrequency(v) },
	"INTERVAL": func(r *rule, v string) *ruleError { return ruleNumber(&r.interval, "INTERVAL", v, maxRuleInterval) },
	"COUNT":    func(r *rule, v string) *ruleError { return ruleNumber(&r.count, "COUNT", v, maxRuleCount) },
	"UNTIL":    (*rule).readUntil,
	"BYMONTH": func(r *rule, v string) *ruleError {
		return ruleNumbers(&r.months, "BYMONTH", v, 1, 12)
	},
	"BYMONTHDAY": func(r *rule, v string) *ruleError {
		return ruleNumbers(&r.monthDays, "BYMONTHDAY", v, -31, 31)
	},
	"BYSETPOS": func(r *rule, v string) *ruleError {
		return ruleNumbers(&r.positions, "BYSETPOS", v, -366, 366)
	},
	"BYDAY": (*rule).readWeekdays,
	// Where a week begins matters only to parts that are not supported.
	"WKST": func(*rule, string) *ruleError { return nil },
}

func parseRule(text string) (*rule, *ruleError) {
	if len(text) > MaxRuleLength {
		return nil, ruleErrorf("shorten it", "the rule has %d bytes, %d are allowed", len(text), MaxRuleLength)
	}
	r := &rule{interval: 1}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(strings.TrimSuffix(strings.ToUpper(text), ";"), ";") {
		name, value, _ := strings.Cut(part, "=")
		read, known := ruleParts[name]
		if !known {
			return nil, ruleErrorf("use INTERVAL, COUNT, UNTIL, BYMONTH, BYMONTHDAY, BYDAY and BYSETPOS with FREQ=YEARLY, or write the dates one by one",
				"the rule's part %s is not supported", quote(part))
		}
		if seen[name] {
			return nil, ruleErrorf("remove one", "the rule has %s twice", name)
		}
		seen[name] = true
		if err := read(r, value); err != nil {
			return nil, err
		}
	}
	switch {
	case !seen["FREQ"]:
		return nil, ruleErrorf("begin it with FREQ=YEARLY;", "the rule %s has no FREQ", quote(text))
	case r.count > 0 && r.until.set:
		return nil, ruleErrorf("remove one", "the rule has both COUNT and UNTIL")
	case len(r.positions) > 0 && len(r.months)+len(r.monthDays)+len(r.weekdays) == 0:
		return nil, ruleErrorf("add BYMONTH, BYMONTHDAY or BYDAY", "BYSETPOS chooses from nothing")
	}
	return r, nil
}

func checkFrequency(value string) *ruleError {
	if value != "YEARLY" {
		return ruleErrorf("write FREQ=YEARLY, or the dates one by one; what recurs each week belongs into openingHours", "FREQ=%s is no yearly rule", clip(value))
	}
	return nil
}

func clip(s string) string {
	q := quote(s)
	return q[1 : len(q)-1]
}

func ruleNumber(to *int, name, value string, most int) *ruleError {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > most {
		return ruleErrorf(fmt.Sprintf("write a number from 1 to %d", most), "%s=%s is out of range", name, clip(value))
	}
	*to = n
	return nil
}

func ruleNumbers(to *[]int, name, value string, least, most int) *ruleError {
	for item := range strings.SplitSeq(value, ",") {
		n, err := strconv.Atoi(item)
		if err != nil || n == 0 || n < least || n > most {
			return ruleErrorf(fmt.Sprintf("write numbers from %d to %d with commas between them", least, most), "%s=%s is out of range", name, clip(value))
		}
		if !slices.Contains(*to, n) {
			*to = append(*to, n)
		}
	}
	return nil
}

func (r *rule) readUntil(value string) *ruleError {
	v, ok := parseICalTime(value)
	if !ok {
		return ruleErrorf("write a date such as 20301231", "UNTIL=%s is no date", clip(value))
	}
	r.until = until{set: true, local: v.local, timed: v.timed, utc: v.utc}
	return nil
}

// readWeekdays reads a list such as MO,2TU,-1SU.
func (r *rule) readWeekdays(value string) *ruleError {
	for item := range strings.SplitSeq(value, ",") {
		w, ok := parseOrdinalWeekday(item)
		if !ok {
			return ruleErrorf("write weekdays such as MO, 2TU (the second Tuesday) or -1SU (the last Sunday) with commas between them",
				"BYDAY=%s is no list of weekdays", clip(value))
		}
		if !slices.Contains(r.weekdays, w) {
			r.weekdays = append(r.weekdays, w)
		}
	}
	return nil
}

func parseOrdinalWeekday(s string) (ordinalWeekday, bool) {
	if len(s) < 2 || len(s) > len("-53SU") {
		return ordinalWeekday{}, false
	}
	weekday := slices.IndexFunc(weekdayNames[:], func(name string) bool { return strings.EqualFold(name[:2], s[len(s)-2:]) })
	if weekday < 0 {
		return ordinalWeekday{}, false
	}
	n := 0
	if number := s[:len(s)-2]; number != "" {
		var err error
		if n, err = strconv.Atoi(number); err != nil || n == 0 || n < -53 || n > 53 {
			return ordinalWeekday{}, false
		}
	}
	return ordinalWeekday{n: n, weekday: time.Weekday(weekday)}, true
}

// expand gives each day on which the rule falls, in order, from the first on; the first counts even
// where the rule does not hold on it, as RFC 5545 says of DTSTART. Years before those that calendars
// know are left out unless the rule counts. At says when on a day it begins, in seconds; last is the
// latest local time that counts.
func (r *rule) expand(first, at, last int64, yield func(day int64) bool) {
	start := civil(first)
	year, found := start.Year(), 0
	give := func(day int64) bool {
		found++
		return day*secondsPerDay+at <= last && yield(day) && (r.count == 0 || found < r.count)
	}
	if !give(first) {
		return
	}
	if skip := FirstYear - 1 - year; r.count == 0 && skip > 0 {
		year += (skip + r.interval - 1) / r.interval * r.interval
	}
	var days []int64
	for ; year <= LastYear; year += r.interval {
		days = r.daysOf(days[:0], year, start.Month(), start.Day())
		for _, day := range days {
			if day > first && !give(day) {
				return
			}
		}
	}
}

// daysOf appends the days of a year on which the rule falls, in order. What the rule leaves open is
// taken from the first day.
func (r *rule) daysOf(days []int64, year int, firstMonth time.Month, firstDay int) []int64 {
	newYear, nextYear := dayOf(year, time.January, 1), dayOf(year+1, time.January, 1)
	for month := time.January; month <= time.December; month++ {
		switch {
		case len(r.months) > 0 && !slices.Contains(r.months, int(month)):
			continue
		case len(r.monthDays) == 0 && len(r.weekdays) == 0:
			if (len(r.months) > 0 || month == firstMonth) && exists(year, month, firstDay) {
				days = append(days, dayOf(year, month, firstDay))
			}
			continue
		}
		begin := dayOf(year, month, 1)
		end := begin + int64(daysIn(year, month))
		// Weekdays are counted within the month where the rule names months, else within the year.
		from, to := begin, end
		if len(r.months) == 0 {
			from, to = newYear, nextYear
		}
		for day := begin; day < end; day++ {
			if r.onMonthDay(int(day-begin)+1, int(end-begin)) && r.onWeekday(day, from, to) {
				days = append(days, day)
			}
		}
	}
	return r.choose(days)
}

func (r *rule) onMonthDay(dom, length int) bool {
	return len(r.monthDays) == 0 || slices.Contains(r.monthDays, dom) || slices.Contains(r.monthDays, dom-length-1)
}

// onWeekday counts weekdays from the first day of a month or year and back from the day after it.
func (r *rule) onWeekday(day, from, to int64) bool {
	if len(r.weekdays) == 0 {
		return true
	}
	weekday, nth, last := weekdayOf(day), int(day-from)/7+1, -(int(to-1-day)/7 + 1)
	return slices.ContainsFunc(r.weekdays, func(w ordinalWeekday) bool {
		return w.weekday == weekday && (w.n == 0 || w.n == nth || w.n == last)
	})
}

// choose applies BYSETPOS.
func (r *rule) choose(days []int64) []int64 {
	if len(r.positions) == 0 {
		return days
	}
	chosen := days[:0]
	for i, day := range days {
		if slices.Contains(r.positions, i+1) || slices.Contains(r.positions, i-len(days)) {
			chosen = append(chosen, day)
		}
	}
	return chosen
}
