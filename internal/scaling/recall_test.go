package scaling_test

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/scaling/forecast"
)

// What is recalled is joined with what was learned since: neither is lost, and of durations that counts which rests on more.
func TestRecallJoins(t *testing.T) {
	now := time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)
	former := scaling.NewKnowledge()
	former.History().Add(now, now.Add(forecast.BinLength), 50)
	former.History().Add(now.Add(forecast.BinLength), now.Add(2*forecast.BinLength), 1)
	for range 500 {
		former.Learn(30)
	}
	stored, err := former.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	own := scaling.NewKnowledge()
	later := now.Add(24 * time.Hour)
	own.History().Add(later, later.Add(forecast.BinLength), 70)
	own.History().Add(later.Add(forecast.BinLength), later.Add(2*forecast.BinLength), 1)
	own.Learn(3000)
	for name, m := range map[string]*scaling.Memory{"empty": scaling.NewMemory(nil), "own": scaling.NewMemory(own)} {
		if err := m.Recall([]byte("noise")); err == nil {
			t.Errorf("%s: noise is knowledge", name)
		}
		if err := m.Recall(stored); err != nil {
			t.Fatal(err)
		}
		if count, known := m.Knowledge().History().Count(now); !known || count != 50 {
			t.Errorf("%s: %g arrivals before, known %v", name, count, known)
		}
		if mean := m.Knowledge().HandleTime(); mean < 25 || mean > 40 {
			t.Errorf("%s: handle time %g", name, mean)
		}
	}
	if count, known := own.History().Count(later); !known || count != 70 {
		t.Errorf("%g arrivals since, known %v", count, known)
	}
}
