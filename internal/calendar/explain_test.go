package calendar

import (
	"testing"
	"time"
)

func TestDescribe(t *testing.T) {
	shop := mustCompile(t, Declaration{
		TimeZone:     "Asia/Shanghai",
		OpeningHours: []OpeningHours{hours(workdays, "09:00-12:00 13:00-18:00"), hours([]string{"Saturday"}, "20:00-26:00")},
		Holidays: []Holiday{
			{Name: "National Day", Date: "2026-10-01", LastDate: "2026-10-07"},
			{Name: "Christmas Eve", Date: "12-24", Periods: periods("09:00-14:00")},
			{Name: "fire drill", Date: "2026-11-18", From: "10:00", To: "11:00"},
			{Date: "2026-11-19"},
		},
		Imported: []Holiday{{Name: "of the feed", Date: "2026-12-24"}, {Name: "evening", Date: "2026-11-17", From: "17:00"}},
	})
	always := mustCompile(t, Declaration{TimeZone: "Asia/Shanghai"})
	never := mustCompile(t, Declaration{TimeZone: "Asia/Shanghai", Holidays: []Holiday{{Name: "the end", Date: "01-01", LastDate: "12-31"}}})
	for _, test := range []struct {
		calendar *Calendar
		at, want string
	}{
		{shop, "2026-11-16 09:00", "open until 12:00"},
		{shop, "2026-11-16 12:00", "closed; opens 13:00"},
		{shop, "2026-11-16 18:00", "closed; opens Tuesday 09:00"},
		{shop, "2026-11-17 16:59", "open until 17:00"},
		{shop, "2026-11-17 17:00", "closed: evening; opens Wednesday 09:00"},
		{shop, "2026-11-17 20:00", "closed; opens Wednesday 09:00"},
		{shop, "2026-11-18 10:00", "closed: fire drill; opens 11:00"},
		{shop, "2026-11-19 10:00", "closed; opens Friday 09:00"},
		{shop, "2026-09-30 18:00", "closed; opens Thursday 2026-10-08 09:00"},
		{shop, "2026-10-01 10:00", "closed: National Day; opens Thursday 2026-10-08 09:00"},
		{shop, "2026-10-02 10:00", "closed: National Day; opens Thursday 09:00"},
		{shop, "2026-12-24 10:00", "open until 14:00: Christmas Eve"},
		{shop, "2026-12-24 14:00", "closed: Christmas Eve; opens Friday 09:00"},
		{shop, "2026-11-21 21:00", "open until Sunday 02:00"},
		{always, "2026-11-16 09:00", "open round the clock"},
		{never, "2026-11-16 09:00", "closed: the end; does not open within 400 days"},
	} {
		if got := test.calendar.Describe(at(t, test.calendar, test.at).UTC()); got != test.want {
			t.Errorf("%s: %q, want %q", test.at, got, test.want)
		}
	}
}

// An hour that repeats over midnight belongs to the day that has begun before it, also for a holiday.
func TestHolidayInTheRepeatedHour(t *testing.T) {
	c := mustCompile(t, Declaration{TimeZone: "America/St_Johns", Holidays: []Holiday{{Name: "first Sunday", Date: "2010-11-07"}}})
	change := time.Date(2010, 11, 7, 2, 31, 0, 0, time.UTC) // 00:01 becomes 23:01
	if got := c.Describe(change.Add(-2 * time.Minute)); got != "open until Sunday 00:00" {
		t.Errorf("before: %q", got)
	}
	for _, after := range []time.Duration{-time.Minute, time.Minute, 30 * time.Minute, 2 * time.Hour} {
		if got := c.Describe(change.Add(after)); got != "closed: first Sunday; opens Monday 00:00" {
			t.Errorf("%v after: %q", after, got)
		}
	}
}

func TestHorizon(t *testing.T) {
	// Opens on one leap day only.
	c := mustCompile(t, Declaration{TimeZone: "UTC", Holidays: []Holiday{{Date: "01-01", LastDate: "12-31"}, {Date: "02-29", Periods: periods("10:00-12:00")}}})
	leap := time.Date(2028, 2, 29, 10, 0, 0, 0, time.UTC)
	if got, ok := c.NextOpen(leap.Add(-Horizon)); !ok || !got.Equal(leap) {
		t.Errorf("NextOpen at the horizon: %v %v", got, ok)
	}
	if got, ok := c.NextOpen(leap.Add(-Horizon - time.Second)); ok {
		t.Errorf("NextOpen beyond the horizon: %v", got)
	}
	if got, ok := c.AddOpen(leap, 2*time.Hour); !ok || !got.Equal(leap.Add(2*time.Hour)) {
		t.Errorf("AddOpen until the close: %v %v", got, ok)
	}
	if got, ok := c.AddOpen(leap, 2*time.Hour+1); ok {
		t.Errorf("AddOpen over four closed years: %v", got)
	}
	if got := c.OpenBetween(leap.AddDate(-10, 0, 0), leap.AddDate(10, 0, 0)); got != 10*time.Hour {
		t.Errorf("OpenBetween over five leap days: %v", got)
	}
	for _, far := range []time.Time{{}, time.Unix(1<<40, 0), time.Unix(-1<<62, 0), time.Unix(1<<62, 0), time.Date(LastYear+1, 1, 1, 0, 0, 0, 0, time.UTC)} {
		always := mustCompile(t, Declaration{TimeZone: "UTC"})
		if always.IsOpen(far) || always.OpenBetween(far, far.Add(time.Hour)) != 0 {
			t.Errorf("open in %v", far)
		}
		if got, ok := always.AddOpen(far, time.Hour); ok {
			t.Errorf("AddOpen in %v: %v", far, got)
		}
		if always.Describe(far) != "closed; does not open within 400 days" {
			t.Errorf("%v: %s", far, always.Describe(far))
		}
	}
	first, last := time.Date(FirstYear, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(LastYear+1, 1, 1, 0, 0, 0, 0, time.UTC)
	always := mustCompile(t, Declaration{TimeZone: "UTC"})
	if got := always.OpenBetween(first.AddDate(-5000, 0, 0), last.AddDate(5000, 0, 0)); got != last.Sub(first) {
		t.Errorf("open for %v, want %v", got, last.Sub(first))
	}
	if civil(lastDay).Year() != LastYear || civil(lastDay+1).Year() != LastYear+1 {
		t.Errorf("the last day is %v", civil(lastDay))
	}
}
