package calendar

import (
	"strings"
	"time"
)

const (
	secondsPerMinute = 60
	secondsPerHour   = 60 * secondsPerMinute
	secondsPerDay    = 24 * secondsPerHour

	// firstDay and lastDay are the days of the years that calendars know, as days since 1970-01-01.
	firstDay = 0
	lastDay  = 84005
)

// Days are counted from 1970-01-01, in the civil calendar and without a zone; a local time is such a
// day and seconds on it, or both in one number.

func dayOf(year int, month time.Month, day int) int64 {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay
}

func civil(day int64) time.Time { return time.Unix(day*secondsPerDay, 0).UTC() }

func weekdayOf(day int64) time.Weekday { return time.Weekday(floorMod(day+int64(time.Thursday), 7)) }

// exists tells whether a month of a year has this day, which is what 29 February is about.
func exists(year int, month time.Month, day int) bool {
	return day >= 1 && day <= daysIn(year, month)
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

const (
	dateForm     = "2006-01-02"
	monthDayForm = "01-02"
)

// date is a day with its year, or a day of every year.
type date struct {
	yearly bool
	day    int64 // unless yearly
	month  time.Month
	dom    int
}

// parseDate reads 2026-10-01 or 10-01.
func parseDate(s string) (date, bool) {
	yearly := len(s) == len(monthDayForm)
	full := s
	if yearly {
		full = "2000-" + s // a leap year
	}
	if len(full) != len(dateForm) {
		return date{}, false
	}
	t, err := time.Parse(dateForm, full)
	if err != nil || t.Year() < 1 {
		return date{}, false
	}
	return date{yearly: yearly, day: floorDiv(t.Unix(), secondsPerDay), month: t.Month(), dom: t.Day()}, true
}

func formatDay(day int64) string { return civil(day).Format(dateForm) }

// parseClock reads HH:MM as seconds since midnight; hours go up to 48.
func parseClock(s string) (int64, bool) {
	if len(s) != len("15:04") || s[2] != ':' {
		return 0, false
	}
	for _, i := range []int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	hours, minutes := int64(s[0]-'0')*10+int64(s[1]-'0'), int64(s[3]-'0')*10+int64(s[4]-'0')
	seconds := hours*secondsPerHour + minutes*secondsPerMinute
	return seconds, minutes < 60 && seconds <= 2*secondsPerDay
}

func formatClock(seconds int64) string {
	hours, minutes := seconds/secondsPerHour, seconds%secondsPerHour/secondsPerMinute
	return string([]byte{byte('0' + hours/10), byte('0' + hours%10), ':', byte('0' + minutes/10), byte('0' + minutes%10)}) //nolint:gosec // two digits each
}

// weekdayNames in the order of time.Weekday.
var weekdayNames = [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

// weekdayRemedy tells how to write a weekday: the one that was probably meant, or all of them.
func weekdayRemedy(name string) string {
	if len(name) >= 2 {
		for _, known := range weekdayNames {
			if strings.HasPrefix(strings.ToLower(known), strings.ToLower(name[:2])) {
				return "write " + known
			}
		}
	}
	return "write Monday, Tuesday, Wednesday, Thursday, Friday, Saturday or Sunday"
}

func parseWeekday(name string) (time.Weekday, bool) {
	for i, known := range weekdayNames {
		if name == known {
			return time.Weekday(i), true
		}
	}
	return 0, false
}
