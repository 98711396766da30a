package scaling

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/calendar"
)

const (
	// MostOccurrences bounds how many occurrences [Announced.Occurrences] gives.
	MostOccurrences = 256
	// longestRecurring is the longest peak that recurs.
	longestRecurring = 31 * day
)

// Announcement is a peak as its author declares it: once, or again and again.
type Announcement struct {
	// Peak with its Start and End. Of one that recurs these are the first occurrence.
	Peak
	// Recurrence is a rule of RFC 5545, such as FREQ=WEEKLY;BYDAY=MO,TH or FREQ=MONTHLY;BYMONTHDAY=25; empty for once.
	// FREQ is DAILY, WEEKLY, MONTHLY or YEARLY; INTERVAL and BYSETPOS only with YEARLY.
	Recurrence string
	// Except are dates, such as 2026-12-25, on which an occurrence that would begin then does not.
	Except []string
	// TimeZone is an IANA name: the wall clock by which a recurring peak begins and ends. Required with Recurrence.
	TimeZone string
}

// Announced is an announcement that was checked. It does not change and is safe for concurrent use.
type Announced struct {
	peak Peak
	// closed has the occurrences as the times at which it is closed; nil for once.
	closed *calendar.Calendar
}

// Announce checks announcements. Bad ones are left out, each with its problem: what, and the remedy.
func Announce(list []Announcement) ([]Announced, []calendar.Problem) {
	var good []Announced
	var problems []calendar.Problem
	for i := range list {
		a, found := list[i].check(fmt.Sprintf("peaks[%d]", i))
		if len(found) == 0 {
			good = append(good, a)
		}
		problems = append(problems, found...)
	}
	return good, problems
}

func (a *Announcement) check(at string) (Announced, []calendar.Problem) {
	var problems []calendar.Problem
	wrong := func(field, message, remedy string) {
		problems = append(problems, calendar.Problem{Field: at + "." + field, Message: message, Remedy: remedy})
	}
	p := &a.Peak
	p.check(wrong)
	if len(problems) > 0 || a.Recurrence == "" {
		return Announced{peak: *p}, problems
	}
	closed, problems := a.compile(at)
	return Announced{peak: *p, closed: closed}, problems
}

// check tells what is wrong with a peak.
func (p *Peak) check(wrong func(field, message, remedy string)) {
	if !p.Start.Before(p.End) {
		wrong("end", "the end of peak "+p.Name+" is not after its start", "give the first instant after the peak")
	}
	if !(p.Multiplier >= 0 && p.Multiplier <= 1000) {
		wrong("multiplier", fmt.Sprintf("%g is no factor of arrivals", p.Multiplier), "use more than 0, at most 1000")
	}
	if !(p.ExpectedArrivals >= 0 && p.ExpectedArrivals <= mostFigures) {
		wrong("expectedArrivals", fmt.Sprintf("%g is no number of conversations", p.ExpectedArrivals), "use 0 to 100000000")
	}
	if p.Multiplier > 0 && p.ExpectedArrivals > 0 {
		wrong("expectedArrivals", "multiplier is set, too", "say by what arrivals are multiplied, or how many come")
	}
	if p.Floor < 0 || p.Cap < 0 {
		wrong("floor", fmt.Sprintf("floor is %d and cap %d", p.Floor, p.Cap), "use 0 or more")
	}
	if p.Cap > 0 && p.Cap < p.Floor {
		wrong("cap", fmt.Sprintf("cap %d is below floor %d", p.Cap, p.Floor), "raise the cap or lower the floor")
	}
	if silent := (Peak{Name: p.Name, Start: p.Start, End: p.End, OfDesk: p.OfDesk}); *p == silent {
		wrong("name", "peak "+p.Name+" announces nothing", "set multiplier, expectedArrivals, floor, cap or freeze")
	}
}

// compile makes a calendar that is closed during the occurrences. The rules of
// daylight saving are its: a local time that is skipped means the instant of the
// change, one that comes twice its first time.
func (a *Announcement) compile(at string) (*calendar.Calendar, []calendar.Problem) {
	problem := func(field, message, remedy string) (*calendar.Calendar, []calendar.Problem) {
		return nil, []calendar.Problem{{Field: at + "." + field, Message: message, Remedy: remedy}}
	}
	location, err := time.LoadLocation(a.TimeZone)
	if err != nil || a.TimeZone == "" || a.TimeZone == "Local" {
		return problem("timeZone", fmt.Sprintf("%q is no time zone", a.TimeZone), "use an IANA name such as Asia/Shanghai")
	}
	start, end := a.Start.In(location), a.End.In(location)
	if start.Second() != 0 || end.Second() != 0 {
		return problem("start", "a recurring peak begins and ends with the minute", "leave the seconds out")
	}
	if end.Sub(start) > longestRecurring {
		return problem("end", "a recurring peak lasts longer than 31 days", "announce it once for each time")
	}
	rule, message := yearly(a.Recurrence, start)
	if message != "" {
		return problem("recurrence", message, "use a rule such as FREQ=WEEKLY;BYDAY=MO,TH")
	}
	h := calendar.Holiday{
		Name: a.Name, Date: start.Format(time.DateOnly), Rule: rule, From: start.Format("15:04"), To: end.Format("15:04"), Except: a.Except,
	}
	if last := end.Format(time.DateOnly); last != h.Date {
		h.LastDate = last
		if h.To == "00:00" { // the midnight at which the last day begins is the one at which the day before ends
			h.LastDate, h.To = end.AddDate(0, 0, -1).Format(time.DateOnly), "24:00"
		}
	}
	if h.LastDate == h.Date {
		h.LastDate = ""
	}
	closed, found := calendar.Compile(calendar.Declaration{TimeZone: a.TimeZone, Holidays: []calendar.Holiday{h}})
	for i := range found {
		found[i].Field = at + ".recurrence"
	}
	return closed, found
}

// yearly says a rule as one of the year, the only kind that calendars know: each
// Monday is each Monday of a year.
func yearly(rule string, start time.Time) (same, problem string) {
	upper := strings.ToUpper(strings.TrimPrefix(strings.TrimSpace(rule), "RRULE:"))
	parts := strings.Split(upper, ";")
	has := func(name string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.HasPrefix(p, name+"=") })
	}
	i := slices.IndexFunc(parts, func(p string) bool { return strings.HasPrefix(p, "FREQ=") })
	if i < 0 {
		return "", fmt.Sprintf("%.60q has no FREQ", rule)
	}
	frequency := strings.TrimPrefix(parts[i], "FREQ=")
	if frequency == "YEARLY" {
		return upper, ""
	}
	if has("INTERVAL") || has("BYSETPOS") || has("BYMONTH") && frequency != "DAILY" {
		return "", fmt.Sprintf("%.60q has INTERVAL, BYSETPOS or BYMONTH, which only FREQ=YEARLY may have", rule)
	}
	more, problem := days(frequency, start, has("BYDAY"), has("BYMONTHDAY"))
	parts[i] = "FREQ=YEARLY"
	return strings.Join(append(parts, more...), ";"), problem
}

// days are the parts that a rule of another frequency than yearly has in mind.
func days(frequency string, start time.Time, byDay, byMonthDay bool) (parts []string, problem string) {
	switch frequency {
	case "DAILY":
		if !byDay && !byMonthDay {
			parts = append(parts, "BYDAY=MO,TU,WE,TH,FR,SA,SU")
		}
	case "WEEKLY":
		if !byDay {
			parts = append(parts, "BYDAY="+strings.ToUpper(start.Weekday().String()[:2]))
		}
	case "MONTHLY":
		parts = append(parts, "BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12")
		if !byDay && !byMonthDay {
			parts = append(parts, fmt.Sprintf("BYMONTHDAY=%d", start.Day()))
		}
	default:
		return nil, fmt.Sprintf("FREQ=%.20s is none of DAILY, WEEKLY, MONTHLY, YEARLY", frequency)
	}
	return parts, ""
}

// Occurrences of peaks that end after from and begin before to, by their start, at most [MostOccurrences].
func Occurrences(list []Announced, from, to time.Time) []Peak {
	var peaks []Peak
	for i := range list {
		a := &list[i]
		if a.closed == nil {
			if a.peak.End.After(from) && a.peak.Start.Before(to) {
				peaks = append(peaks, a.peak)
			}
			continue
		}
		// Between two openings it is closed: those are the occurrences. One more month, so that none is cut off.
		begin, last := from.Add(-longestRecurring), to.Add(longestRecurring)
		for open := range a.closed.Intervals(begin, last) {
			peaks = a.occur(peaks, begin, open.Start, from, to)
			begin = open.End
		}
		peaks = a.occur(peaks, begin, last, from, to)
	}
	slices.SortStableFunc(peaks, func(a, b Peak) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Name, b.Name)) })
	return peaks[:min(len(peaks), MostOccurrences)]
}

func (a *Announced) occur(peaks []Peak, start, end, from, to time.Time) []Peak {
	if !start.Before(end) || !end.After(from) || !start.Before(to) {
		return peaks
	}
	p := a.peak
	p.Start, p.End = start, end
	return append(peaks, p)
}
