package world_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

func bundled(t *testing.T, name string) world.Day {
	t.Helper()
	list := world.Bundled()
	i := slices.IndexFunc(list, func(d world.Day) bool { return d.Name == name })
	if i < 0 {
		t.Fatalf("no scenario %q", name)
	}
	return list[i]
}

// dispersion is the variance-to-mean ratio of arrivals in windows of so many seconds between ten and eleven o'clock.
func dispersion(s *world.Scenario, width float64) float64 {
	counts := make([]float64, int(3600/width))
	for _, c := range s.Trace {
		if i := int((c.Arrival - 36000) / width); c.Arrival >= 36000 && i < len(counts) {
			counts[i]++
		}
	}
	mean, variance := 0.0, 0.0
	for _, n := range counts {
		mean += n / float64(len(counts))
	}
	for _, n := range counts {
		variance += (n - mean) * (n - mean) / float64(len(counts)-1)
	}
	return variance / mean
}

// The days are what their names say: bursts are no chance, and conversations last as long as they are said to.
func TestCharacters(t *testing.T) {
	for _, tc := range []struct {
		name               string
		handle             float64
		least, most, width float64 // dispersion in windows of width
	}{
		{"medium", 185, 0.5, 2, 60},
		{"arrivals in bursts", 30, 5, 100, 60},
		{"self-similar", 185, 1.2, 30, 60},
		{"messages each hour", 185, 3, 60, 300},
		{"short conversations", 25, 0.5, 2.5, 60},
		{"long conversations", 900, 0.3, 2.5, 60},
		{"heavy-tailed handle times", 185, 0.3, 2.5, 60},
	} {
		s := bundled(t, tc.name).Make(5)
		if got := dispersion(s, tc.width); got < tc.least || got > tc.most {
			t.Errorf("%s: a variance-to-mean ratio of %.1f, expected %g to %g", tc.name, got, tc.least, tc.most)
		}
		mean := 0.0
		for _, c := range s.Trace {
			mean += c.Service / float64(len(s.Trace))
		}
		if math.Abs(mean/tc.handle-1) > 0.15 {
			t.Errorf("%s: handle times of %.0f s, expected %.0f", tc.name, mean, tc.handle)
		}
		again := bundled(t, tc.name).Make(5)
		if fmt.Sprint(s.Trace[:100], s.History) != fmt.Sprint(again.Trace[:100], again.History) {
			t.Errorf("%s: two draws of one seed differ", tc.name)
		}
	}
}

// Office hours are hours of the wall clock, on working days.
func TestOfficeHours(t *testing.T) {
	s := bundled(t, "office hours").Make(5)
	open, noon := 0, 0
	for _, c := range s.Trace {
		switch hour := c.Arrival / 3600; {
		case hour >= 8 && hour < 18:
			open++
			if hour >= 12.25 && hour < 12.75 {
				noon++
			}
		}
	}
	if share := float64(open) / float64(len(s.Trace)); share < 0.97 {
		t.Errorf("%.2f of the arrivals are in office hours", share)
	}
	if share := float64(noon) / float64(open) * 20; share > 0.8 {
		t.Errorf("at noon are %.2f of the arrivals of an average half an hour", share)
	}
}
