package forecast_test

import (
	"math"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/scaling/forecast"
)

// A time zone or a holiday that changes reaches a forecaster that has learned for weeks: the same bins compare anew.
func TestFollowsTheCalendar(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	f := forecast.New(nil, forecast.Calendar{})
	now := monday.AddDate(0, 0, 18) // midnight of UTC before a Friday
	watch(f, monday, now, func(at time.Time) float64 {
		if at.In(shanghai).Weekday() == time.Saturday || at.In(shanghai).Weekday() == time.Sunday {
			return 6
		}
		return 60
	})
	tell := func(c forecast.Calendar) float64 {
		t.Helper()
		f.Follow(c)
		f.Observe(now, now.Add(time.Minute), 60, 1)
		now = now.Add(time.Minute)
		// Friday at 18:00 of UTC is Saturday in Shanghai.
		got, ok := f.Expected(now, monday.AddDate(0, 0, 18).Add(18*time.Hour))
		if !ok {
			t.Fatal("nothing is expected")
		}
		return got * 60
	}
	// By UTC the evening of a Friday compares with evenings of working days, most of which are busy.
	if got := tell(forecast.Calendar{}); got < 30 {
		t.Errorf("by UTC %.0f a minute are expected", got)
	}
	if got := tell(forecast.Calendar{Location: shanghai}); math.Abs(got-6) > 3 {
		t.Errorf("on a Saturday in Shanghai %.0f a minute are expected", got)
	}
	// It is a day of work by way of exception; no holiday is known, so that a Sunday counts.
	today := func(at time.Time) bool { return at.In(shanghai).YearDay() == monday.AddDate(0, 0, 19).YearDay() }
	if got := tell(forecast.Calendar{Location: shanghai, Holiday: today, Holidays: 7}); math.Abs(got-6) > 3 {
		t.Errorf("on a holiday %.0f a minute are expected", got)
	}
	if got := tell(forecast.Calendar{Location: time.UTC, Holidays: 7}); got < 30 {
		t.Errorf("back by UTC %.0f a minute are expected", got)
	}
}
