package survival_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/scaling/survival"
)

func TestExponentialHasNoMemory(t *testing.T) {
	var s survival.Sketch
	const n = 2000
	for i := range n {
		s.Observe(-100*math.Log((float64(i)+0.5)/n), 1)
	}
	if mean := s.Mean(); math.Abs(mean-100) > 3 {
		t.Errorf("mean %.1f, want about 100", mean)
	}
	for _, age := range []float64{0, 50, 200} {
		if got := s.Lasts(age, 60); math.Abs(got-math.Exp(-0.6)) > 0.02 {
			t.Errorf("after %g s another minute has probability %.3f, want %.3f", age, got, math.Exp(-0.6))
		}
	}
	if got := s.Resumes(60); math.Abs(got-math.Exp(-0.6)) > 0.02 {
		t.Errorf("of an unknown age another minute has probability %.3f", got)
	}
	if q := s.Quantile(0.9); q < 225 || q > 230*1.18 {
		t.Errorf("9 of 10 are over after %.0f s, want 230 and at most a bucket more", q)
	}
}

func TestSeedIsWhatItSays(t *testing.T) {
	var s survival.Sketch
	s.Seed(185, 1.9, 20)
	if mean := s.Mean(); math.Abs(mean-185) > 5 {
		t.Errorf("mean %.1f", mean)
	}
	// Of a log-normal distribution those that have lasted long last longer than the others.
	if young, old := s.Lasts(10, 60), s.Lasts(900, 60); old <= young {
		t.Errorf("another minute after 10 s %.3f, after 900 s %.3f", young, old)
	}
}

func TestForgets(t *testing.T) {
	var s survival.Sketch
	for range 5000 {
		s.Observe(1000, 1)
	}
	for range 20000 {
		s.Observe(100, 1)
	}
	if mean := s.Mean(); mean > 115 {
		t.Errorf("mean %.0f long after all lasted 100 s", mean)
	}
}

func TestNeverOutOfRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s survival.Sketch
		if rapid.Bool().Draw(t, "seeded") {
			s.Seed(rapid.Float64Range(1, 1e4).Draw(t, "mean"), rapid.Float64Range(0.01, 10).Draw(t, "variation"), 20)
		}
		number := rapid.OneOf(rapid.Float64Range(0, 1e5), rapid.Float64())
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			s.Observe(number.Draw(t, "seconds"), number.Draw(t, "count"))
		}
		a, b := math.Abs(number.Draw(t, "age")), math.Abs(number.Draw(t, "while"))
		for _, p := range []float64{s.Beyond(a), s.Lasts(a, b), s.Resumes(b)} {
			if !(p >= 0 && p <= 1) {
				t.Fatalf("probability %v for %g and %g", p, a, b)
			}
		}
		if s.Beyond(a+b) > s.Beyond(a)+1e-9 {
			t.Fatalf("longer is likelier: %g, then %g", s.Beyond(a), s.Beyond(a+b))
		}
	})
}

func TestIsStored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s, read survival.Sketch
		for range rapid.IntRange(0, 200).Draw(t, "n") {
			s.Observe(rapid.Float64Range(0, 1e5).Draw(t, "seconds"), float64(rapid.IntRange(1, 9).Draw(t, "count")))
		}
		stored, err := s.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		rest, err := read.Read(append(stored, 7))
		if err != nil || len(rest) != 1 || math.Abs(read.Mean()-s.Mean()) > 0.01*s.Mean() {
			t.Fatalf("read %g of %g, rest %d, %v", read.Mean(), s.Mean(), len(rest), err)
		}
	})
}

func FuzzRead(f *testing.F) {
	var s survival.Sketch
	s.Seed(100, 1, 50)
	stored, _ := s.AppendBinary(nil)
	f.Add(stored)
	f.Fuzz(func(t *testing.T, b []byte) {
		var s survival.Sketch
		if _, err := s.Read(b); err == nil {
			if p := s.Lasts(10, 10); !(p >= 0 && p <= 1) {
				t.Errorf("probability %v", p)
			}
		}
	})
}
