package forecast_test

import (
	"math"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/scaling/forecast"
)

// For the next hours it says what the forecast of the workers says, and for days ahead what comparable days had, by the
// clock on the wall.
func TestAheadIsWhatComparableDaysHad(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	f := forecast.New(nil, forecast.Calendar{Location: berlin})
	local := func(at time.Time) float64 { return daily(at.In(berlin)) }
	now := time.Date(2026, 10, 22, 9, 0, 0, 0, berlin) // the clocks go back on the 25th
	watch(f, time.Date(2026, 9, 28, 0, 0, 0, 0, berlin), now, local)
	const step, n = 15 * time.Minute, 768
	counts := f.Ahead(now, now, step, n)
	for i, count := range counts {
		at := now.Add(time.Duration(i) * step)
		want := 0.0
		for m := range 15 {
			want += local(at.Add(time.Duration(m) * time.Minute))
		}
		if math.Abs(count-want) > 0.03*want+1 {
			t.Fatalf("%.1f are expected at %s, want %.1f", count, at, want)
		}
	}
	if soon, ok := f.Expected(now, now.Add(8*time.Minute)); !ok || math.Abs(counts[0]-soon*step.Seconds()) > 0.02*counts[0] {
		t.Errorf("%.1f are expected in the next quarter of an hour, and %.1f by the rate", counts[0], soon*step.Seconds())
	}
}

// What nobody knows is no number: a young history knows no Sunday before it has seen one.
func TestAheadOfAYoungHistoryIsNotKnown(t *testing.T) {
	f := forecast.New(nil, forecast.Calendar{})
	now := monday.AddDate(0, 0, 2)
	watch(f, monday, now, daily)
	counts := f.Ahead(now, now, 15*time.Minute, 5*96)
	if math.IsNaN(counts[40]) {
		t.Error("of the day after two working days nothing is known")
	}
	if sunday := counts[4*96+40]; !math.IsNaN(sunday) {
		t.Errorf("%.1f are expected on the first Sunday", sunday)
	}
}

// Of a queue to which somebody comes now and then the median of a quarter of an hour is nobody; the mean is not.
func TestAheadOfFew(t *testing.T) {
	f := forecast.New(nil, forecast.Calendar{})
	now := monday.AddDate(0, 0, 21)
	hourly := func(at time.Time) float64 {
		if at.Hour() >= 8 && at.Minute() == (7*at.Day())%60 { // one an hour, each day at another minute
			return 1
		}
		return 0
	}
	watch(f, monday, now, hourly)
	counts := f.Ahead(now, now, 15*time.Minute, 96)
	sum := 0.0
	for i, count := range counts {
		if i < 32 && count > 0 {
			t.Errorf("%.2f are expected at %d:%02d, when nobody ever came", count, i/4, i%4*15)
		}
		sum += count
	}
	if math.Abs(sum-16) > 1.5 {
		t.Errorf("%.1f are expected on a day of 16", sum)
	}
}

func BenchmarkAhead(b *testing.B) {
	f := forecast.New(nil, forecast.Calendar{})
	now := monday.AddDate(0, 0, 56)
	watch(f, monday, now, daily)
	for b.Loop() {
		f.Ahead(now, now, 15*time.Minute, 768)
	}
}
