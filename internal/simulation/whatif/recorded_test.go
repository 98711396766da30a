package whatif_test

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/simulation/whatif"
)

// Four weeks about the Sunday on which Berlin sets its clocks back are asked about again four weeks later: each count stands at
// its time of the wall clock, and nothing is lost but what the extra hour had.
func TestRecordedDaysComeAgain(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	r := whatif.Recorded{From: time.Date(2026, 10, 12, 0, 0, 0, 0, berlin), To: time.Date(2026, 11, 9, 0, 0, 0, 0, berlin)}
	r.Counts = make([]int64, int(r.To.Sub(r.From)/whatif.Quarter))
	for at, i := r.From, 0; i < len(r.Counts); at, i = at.Add(whatif.Quarter), i+1 {
		if at.In(berlin).Hour() == 9 && at.In(berlin).Minute() == 15 {
			r.Counts[i] = int64(10 + at.In(berlin).Day())
		}
	}
	r, ok := r.Trim()
	if !ok || r.Days() != 28 || r.Weeks() != 28 {
		t.Fatalf("%v: %d days, moved by %d", ok, r.Days(), r.Weeks())
	}
	start, counts := r.Moved(28)
	if !start.Equal(r.To) || len(counts) != 28*96 {
		t.Errorf("from %s, %d quarters", start, len(counts))
	}
	days := 0
	for i, n := range counts {
		at := start.Add(time.Duration(i) * whatif.Quarter).In(berlin)
		if want := float64(10 + at.AddDate(0, 0, -28).Day()); at.Hour() == 9 && at.Minute() == 15 {
			days++
			if n != want {
				t.Errorf("%s: %g, want %g", at, n, want)
			}
		} else if n != 0 {
			t.Errorf("%s: %g", at, n)
		}
	}
	if days != 28 {
		t.Errorf("%d days have their conversations", days)
	}
	history := r.History(28)
	if len(history) != (28*24+1)*12 || history[9*12+3] != float64(10+12)/3 || history[9*12+6] != 0 {
		t.Errorf("%d bins of history, %g at 09:15", len(history), history[9*12+3])
	}
	// A start weeks later has the same weeks before it.
	if later := r.History(56); len(later) != 28*288 || later[9*12+3] != float64(10+12)/3 {
		t.Errorf("%d bins of history, %g at 09:15", len(later), later[9*12+3])
	}
}

func TestDaysBeforeTheDeskBegan(t *testing.T) {
	r := whatif.Recorded{From: wednesday, To: wednesday.AddDate(0, 0, 10), Counts: make([]int64, 960)}
	if _, ok := r.Trim(); ok {
		t.Error("nothing came, and it is told")
	}
	r.Counts[3*96+50] = 1
	trimmed, ok := r.Trim()
	if !ok || !trimmed.From.Equal(wednesday.AddDate(0, 0, 3)) || trimmed.Days() != 7 || trimmed.Weeks() != 7 || trimmed.Counts[50] != 1 || len(trimmed.Counts) != 7*96 {
		t.Errorf("%v from %s, %d days", ok, trimmed.From, trimmed.Days())
	}
}
