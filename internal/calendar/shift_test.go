package calendar_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/calendar"
)

func TestShiftGoesAroundItsBreaks(t *testing.T) {
	night := calendar.Shift([]string{"Friday", "Saturday"}, calendar.Period{From: "20:00", To: "30:00"}, []calendar.Period{
		{From: "27:00", To: "27:30"}, {From: "23:45", To: "24:15"},
	})
	want := []calendar.OpeningHours{
		{Days: []string{"Friday", "Saturday"}, Periods: []calendar.Period{{From: "20:00", To: "23:45"}}},
		{Days: []string{"Saturday", "Sunday"}, Periods: []calendar.Period{{From: "00:15", To: "03:00"}}},
		{Days: []string{"Saturday", "Sunday"}, Periods: []calendar.Period{{From: "03:30", To: "06:00"}}},
	}
	if diff := cmp.Diff(want, night); diff != "" {
		t.Error(diff)
	}
	if _, problems := calendar.Compile(calendar.Declaration{TimeZone: "Europe/Berlin", OpeningHours: night}); len(problems) > 0 {
		t.Error(problems)
	}
}

// Whatever is declared, the shift is worked in each minute of it that is in no break, and in no other; also on
// the nights on which the clocks change.
func TestShiftIsTheWholeWithoutTheBreaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := func(minutes int) string {
			return string([]byte{byte('0' + minutes/600), byte('0' + minutes/60%10), ':', byte('0' + minutes%60/10), byte('0' + minutes%10)})
		}
		from := rapid.IntRange(0, 24*60-1).Draw(t, "from")
		to := from + rapid.IntRange(1, 24*60).Draw(t, "length")
		whole := calendar.Period{From: clock(from), To: clock(to)}
		var breaks []calendar.Period
		for at := from; len(breaks) < 8; {
			begin := at + rapid.IntRange(0, 300).Draw(t, "work")
			end := begin + rapid.IntRange(1, 120).Draw(t, "break")
			if end > to || begin == from && end == to {
				break
			}
			breaks = append(breaks, calendar.Period{From: clock(begin), To: clock(end)})
			at = end
		}
		days := []string{rapid.SampledFrom([]string{"Saturday", "Sunday", "Monday"}).Draw(t, "day")}
		compile := func(hours []calendar.OpeningHours) *calendar.Calendar {
			c, problems := calendar.Compile(calendar.Declaration{TimeZone: "Europe/Berlin", OpeningHours: hours})
			if len(problems) > 0 {
				t.Fatalf("%v of %v", problems, hours)
			}
			return c
		}
		shift, all := compile(calendar.Shift(days, whole, breaks)), compile(calendar.Shift(days, whole, nil))
		pauses := make([]*calendar.Calendar, len(breaks))
		for i, b := range breaks {
			pauses[i] = compile(calendar.Shift(days, b, nil))
		}
		for at := time.Date(2026, 10, 23, 0, 0, 0, 0, time.UTC); at.Day() < 28; at = at.Add(7 * time.Minute) {
			paused := false
			for _, p := range pauses {
				paused = paused || p.IsOpen(at)
			}
			if want := all.IsOpen(at) && !paused; shift.IsOpen(at) != want {
				t.Fatalf("at %s the shift %v with %v is worked: %v", at, whole, breaks, !want)
			}
		}
	})
}
