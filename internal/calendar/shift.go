package calendar

import (
	"cmp"
	"slices"
)

// Shift gives the hours of a shift that begins on some weekdays: the whole without its breaks. What begins
// after midnight belongs to the next weekday. Text that is no time of day, and breaks that are not within the
// shift, are left for [Compile] to report or change nothing.
func Shift(days []string, whole Period, breaks []Period) []OpeningHours {
	from, fromOK := parseClock(whole.From)
	to, toOK := parseClock(whole.To)
	if !fromOK || !toOK || from >= to {
		return []OpeningHours{{Days: days, Periods: []Period{whole}}}
	}
	var hours []OpeningHours
	work := func(from, to int64) {
		if from >= to {
			return
		}
		on := days
		if from >= secondsPerDay {
			on, from, to = nextWeekdays(days), from-secondsPerDay, to-secondsPerDay
		}
		hours = append(hours, OpeningHours{Days: on, Periods: []Period{{From: formatClock(from), To: formatClock(to)}}})
	}
	for _, b := range sortedClocks(breaks) {
		work(from, min(b.from, to))
		from = max(from, b.to)
	}
	work(from, to)
	if len(hours) == 0 {
		// Nothing but break: a week without an entry would be one round the clock.
		return []OpeningHours{{Days: days, Periods: []Period{whole}}}
	}
	return hours
}

type clocks struct{ from, to int64 }

func sortedClocks(list []Period) []clocks {
	var sorted []clocks
	for _, p := range list {
		from, fromOK := parseClock(p.From)
		to, toOK := parseClock(p.To)
		if fromOK && toOK && from < to {
			sorted = append(sorted, clocks{from, to})
		}
	}
	slices.SortFunc(sorted, func(a, b clocks) int { return cmp.Compare(a.from, b.from) })
	return sorted
}

func nextWeekdays(days []string) []string {
	next := make([]string, len(days))
	for i, day := range days {
		next[i] = day // what is no weekday is reported by its name
		if weekday, ok := parseWeekday(day); ok {
			next[i] = weekdayNames[(weekday+1)%7]
		}
	}
	return next
}
