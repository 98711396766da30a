package plan

import (
	"encoding/binary"
	"hash/fnv"
	"time"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/calendar"
	"github.com/deskfleet/deskfleet/internal/scaling/forecast"
)

// Holidays are looked up for all that is remembered, and for as far ahead as a pool is surely looked at again.
const (
	holidaysBack  = (forecast.Days + 2) * 24 * time.Hour
	holidaysAhead = 40 * 24 * time.Hour
)

// Calendar says which days compare: those of the desk's time zone, where a holiday of its calendar is no usual day. The
// text is that of the desk's feed of holidays, empty for none; what cannot be read of it is left out.
func Calendar(desk *v1alpha1.ServiceDesk, icalendar string, now time.Time) forecast.Calendar {
	zone := zoneOf(desk)
	location, err := time.LoadLocation(zone)
	if err != nil {
		location = time.UTC
	}
	c := forecast.Calendar{Location: location}
	declared := desk.Spec.Calendar
	if declared == nil || declared.Holidays == nil {
		return c
	}
	converted := declaredCalendar(declared)
	converted.OpeningHours, converted.ICalendar = nil, icalendar // a slip in the hours is none in the holidays
	declaration, _ := converted.Declaration(zone)
	compiled, bad := calendar.Compile(declaration)
	if len(bad) > 0 {
		return c // the desk says so
	}
	holidays := map[int]bool{}
	sum := fnv.New64a()
	year, month, date := now.Add(-holidaysBack).In(location).Date()
	noon := time.Date(year, month, date, 12, 0, 0, 0, location) // which no change of the clock skips or repeats
	for end := now.Add(holidaysAhead); noon.Before(end); noon = noon.AddDate(0, 0, 1) {
		if day := dayNumber(noon); compiled.IsHoliday(noon) {
			holidays[day] = true
			_, _ = sum.Write(binary.BigEndian.AppendUint32(nil, uint32(day))) //nolint:gosec // a day of this century; the write never fails
		}
	}
	if len(holidays) > 0 {
		c.Holidays = sum.Sum64()
		c.Holiday = func(t time.Time) bool { return holidays[dayNumber(t.In(location))] }
	}
	return c
}

// dayNumber tells the dates of a clock apart.
func dayNumber(t time.Time) int { return t.Year()*1000 + t.YearDay() }
