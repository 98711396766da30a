package forecast_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/scaling/forecast"
)

var monday = time.Date(2026, 10, 5, 0, 0, 0, 0, time.UTC)

// daily is a rate a minute that follows the hour of a wall clock.
func daily(at time.Time) float64 {
	hour := float64(at.Hour()) + float64(at.Minute())/60
	rate := 60 + 50*math.Sin((hour-9)/24*2*math.Pi)
	if at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
		rate *= 0.4
	}
	return rate
}

// watch has a forecaster see all arrivals from one time to another.
func watch(f *forecast.Forecaster, from, to time.Time, rate func(time.Time) float64) {
	const step = time.Minute
	for at := from; at.Before(to); at = at.Add(step) {
		f.Observe(at, at.Add(step), rate(at), 1)
	}
}

func TestExpectsWhatComparableDaysHad(t *testing.T) {
	var h forecast.History
	f := forecast.New(&h, forecast.Calendar{})
	now := monday.AddDate(0, 0, 21).Add(9 * time.Hour)
	watch(f, monday, now, daily)
	for _, c := range []struct{ day, hour int }{{0, 10}, {0, 14}, {0, 20}, {1, 5}} {
		at := now.Truncate(24*time.Hour).AddDate(0, 0, c.day).Add(time.Duration(c.hour) * time.Hour)
		got, ok := f.Expected(now, at)
		if want := daily(at) / 60; !ok || math.Abs(got-want) > 0.02*want {
			t.Errorf("at %v %.3f a second are expected, want %.3f", at, got, want)
		}
	}
	if f.Error() > 0.1 {
		t.Errorf("the error of a perfect forecast is %.2f", f.Error())
	}
}

func TestWeekendsComparWithWeekends(t *testing.T) {
	f := forecast.New(nil, forecast.Calendar{})
	now := monday.AddDate(0, 0, 19).Add(9 * time.Hour) // a Saturday
	watch(f, monday, now, daily)
	at := now.Add(2 * time.Hour)
	if got, _ := f.Expected(now, at); math.Abs(got-daily(at)/60) > 0.02*got {
		t.Errorf("%.3f are expected, want %.3f", got, daily(at)/60)
	}
}

// People live by the clock on the wall: after the change to winter time what came at 9 comes at 9.
func TestFollowsTheWallClock(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	f := forecast.New(nil, forecast.Calendar{Location: berlin})
	local := func(at time.Time) float64 {
		if h := at.In(berlin).Hour(); h >= 9 && h < 18 {
			return 60
		}
		return 6
	}
	now := time.Date(2026, 10, 26, 8, 30, 0, 0, berlin) // the Monday after the change
	watch(f, monday, now, local)
	for hour, want := range map[int]float64{8: 0.1, 10: 1, 17: 1, 19: 0.1} {
		at := time.Date(2026, 10, 26, hour, 45, 0, 0, berlin)
		if got, _ := f.Expected(now, at); math.Abs(got-want) > 0.05 {
			t.Errorf("at %d:45 %.2f a second are expected, want %.2f", hour, got, want)
		}
	}
}

func TestLevelFollowsABusyDayAndFades(t *testing.T) {
	f := forecast.New(nil, forecast.Calendar{})
	now := monday.AddDate(0, 0, 21).Add(12 * time.Hour)
	watch(f, monday, now, daily)
	busy := now.Add(30 * time.Minute)
	watch(f, now, busy, func(at time.Time) float64 { return 1.5 * daily(at) })
	if f.Level() < 1.35 || f.Level() > 1.55 {
		t.Errorf("the level is %.2f", f.Level())
	}
	soon, _ := f.Expected(busy, busy.Add(time.Minute))
	if want := 1.45 * daily(busy) / 60; math.Abs(soon-want) > 0.1*want {
		t.Errorf("%.2f a second are expected in a minute, want about %.2f", soon, want)
	}
	at := busy.Add(10 * time.Hour)
	if later, _ := f.Expected(busy, at); math.Abs(later-daily(at)/60) > 0.02*later {
		t.Errorf("%.2f a second are expected in ten hours, want %.2f", later, daily(at)/60)
	}
}

func TestBurst(t *testing.T) {
	f := forecast.New(nil, forecast.Calendar{})
	now := monday.Add(time.Hour)
	watch(f, monday, now, func(time.Time) float64 { return 60 })
	if rate, burst := f.Burst(1); burst {
		t.Errorf("60 a minute are a burst over 1 a second: %g", rate)
	}
	f.Observe(now, now.Add(time.Minute), 240, 1)
	if rate, burst := f.Burst(1); !burst || math.Abs(rate-4) > 0.3 {
		t.Errorf("240 in a minute: %g a second, burst %v", rate, burst)
	}
}

// What was not watched is not zero: an hour without figures neither lowers the
// median nor the rate of the last minutes.
func TestMissingIsNotZero(t *testing.T) {
	var h forecast.History
	f := forecast.New(&h, forecast.Calendar{})
	watch(f, monday, monday.Add(8*time.Hour), daily)
	watch(f, monday.Add(9*time.Hour), monday.Add(10*time.Hour), daily)
	if _, known := h.Count(monday.Add(8*time.Hour + 30*time.Minute)); known {
		t.Error("the arrivals of an hour without figures are known")
	}
	if count, known := h.Count(monday.Add(7 * time.Hour)); !known || count < 100 {
		t.Errorf("%g, known %v", count, known)
	}
	f = forecast.New(nil, forecast.Calendar{})
	if _, _, ok := f.Measured(); ok {
		t.Error("a rate is known of which nothing was seen")
	}
	if _, ok := f.Expected(monday, monday); ok {
		t.Error("a rate is expected of which nothing was seen")
	}
}

// An announced peak is not what is usual at that hour.
func TestPeaksStayOutOfTheHistory(t *testing.T) {
	var h forecast.History
	f := forecast.New(&h, forecast.Calendar{})
	for at := monday; at.Before(monday.Add(time.Hour)); at = at.Add(time.Minute) {
		f.Observe(at, at.Add(time.Minute), 400, 4)
	}
	if _, known := h.Count(monday.Add(30 * time.Minute)); known {
		t.Error("a peak is in the history")
	}
}

func TestHistoryIsStored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h forecast.History
		at := monday
		var seen []time.Time
		for range rapid.IntRange(0, 60).Draw(t, "stretches") {
			at = at.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "pause")) * time.Hour)
			for range rapid.IntRange(1, 30).Draw(t, "bins") {
				seen = append(seen, at)
				h.Add(at, at.Add(5*time.Minute), float64(rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(0, 1<<25)).Draw(t, "count")))
				at = at.Add(5 * time.Minute)
			}
		}
		stored, err := h.MarshalBinary()
		if err != nil || len(stored) > forecast.MaxEncoded {
			t.Fatalf("%d bytes, %v", len(stored), err)
		}
		var read forecast.History
		if err := read.UnmarshalBinary(stored); err != nil {
			t.Fatal(err)
		}
		for _, s := range seen {
			a, ka := h.Count(s)
			b, kb := read.Count(s)
			if a != b || ka != kb {
				t.Fatalf("at %v %g (%v) was stored, %g (%v) read", s, a, ka, b, kb)
			}
		}
	})
}

func TestCountsAreKeptToOneInFourThousand(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := float64(rapid.OneOf(rapid.IntRange(0, 10_000), rapid.IntRange(0, 1<<26)).Draw(t, "count"))
		var h forecast.History
		h.Add(monday, monday.Add(5*time.Minute), count)
		h.Add(monday.Add(5*time.Minute), monday.Add(10*time.Minute), 0)
		got, known := h.Count(monday)
		if !known || math.Abs(got-count) > count/4000 || count <= 4095 && got != count {
			t.Fatalf("%g became %g, known %v", count, got, known)
		}
	})
}

func TestFullHistoryIsSmall(t *testing.T) {
	var h forecast.History
	for i := range forecast.Days * forecast.BinsPerDay {
		at := monday.Add(time.Duration(i) * forecast.BinLength)
		h.Add(at, at.Add(forecast.BinLength), 5*daily(at)+float64(i*7919%41))
	}
	stored, err := h.MarshalBinary()
	if err != nil || len(stored) > 32<<10 {
		t.Errorf("eight weeks of a pool take %d bytes, %v", len(stored), err)
	}
	var other forecast.History
	other.Merge(&h)
	if a, ok := other.Count(monday.AddDate(0, 0, 9)); !ok || a == 0 {
		t.Errorf("%g after a merge, known %v", a, ok)
	}
}

func FuzzHistory(f *testing.F) {
	var h forecast.History
	for i := range 20 {
		at := monday.Add(time.Duration(i) * forecast.BinLength)
		h.Add(at, at.Add(forecast.BinLength), float64(i*i))
	}
	stored, _ := h.MarshalBinary()
	f.Add(stored)
	f.Add([]byte{1, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var h forecast.History
		if h.UnmarshalBinary(b) != nil {
			return
		}
		again, err := h.MarshalBinary()
		if err != nil || len(again) > forecast.MaxEncoded {
			t.Errorf("%d bytes, %v", len(again), err)
		}
	})
}

func TestNeverOutOfRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := forecast.New(nil, forecast.Calendar{})
		at := monday
		number := rapid.OneOf(rapid.Float64Range(0, 500), rapid.Float64())
		for range rapid.IntRange(1, 60).Draw(t, "figures") {
			step := time.Duration(rapid.OneOf(rapid.IntRange(1, 60), rapid.IntRange(-4000, 90000)).Draw(t, "step")) * time.Second
			f.Observe(at, at.Add(step), number.Draw(t, "count"), rapid.SampledFrom([]float64{1, 1, 4, 0}).Draw(t, "factor"))
			at = at.Add(step)
			measured, _, _ := f.Measured()
			expected, _ := f.Expected(at, at.Add(time.Minute))
			burst, _ := f.Burst(number.Draw(t, "usual"))
			for _, x := range []float64{measured, expected, burst, f.Level(), f.Error()} {
				if !(x >= 0) || math.IsInf(x, 0) {
					t.Fatalf("measured %g, expected %g, burst %g, level %g, error %g", measured, expected, burst, f.Level(), f.Error())
				}
			}
		}
	})
}
