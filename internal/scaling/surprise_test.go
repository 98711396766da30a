package scaling

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// watch lets arrivals, given by how many come in each slot, be expected at their mean rate, and says how surprising they were.
func watch(slots int, ahead, rate float64, arrivals func(slot int) float64) *surprise {
	var s surprise
	came := make([]float64, 0, slots)
	begin := time.Date(2026, 11, 4, 0, 0, 0, 0, time.UTC)
	for i := range slots {
		came = append(came, arrivals(i))
		e := expectation{mean: float32(rate * ahead), variance: float32(rate * ahead), ahead: float32(ahead)}
		s.observe(begin.Add(time.Duration(i)*surpriseSlot), false, 60, e, func(seconds float64) float64 {
			sum := 0.0
			for _, n := range came[max(0, len(came)-int(seconds/5)):] {
				sum += n
			}
			return sum
		})
	}
	return &s
}

func poisson(r *rand.Rand, mean float64) float64 {
	n, at := -1.0, 0.0
	for at < mean {
		at += r.ExpFloat64()
		n++
	}
	return n
}

// The factor is the index of dispersion of arrivals: 1 for Poisson's, the size of the batch for those that come in batches.
func TestSurpriseMeasuresDispersion(t *testing.T) {
	const rate, hours = 2.0, 24 * 720
	r := rand.New(rand.NewPCG(1, 2))
	chance := watch(hours, 60, rate, func(int) float64 { return poisson(r, 5*rate) }).factor()
	if chance > 1.5 {
		t.Errorf("arrivals by chance: %.2f", chance)
	}
	batches := watch(hours, 60, rate, func(int) float64 { return 8 * poisson(r, 5*rate/8) }).factor()
	if batches < 3 || batches > 12 {
		t.Errorf("arrivals in batches of 8: %.2f", batches)
	}
}

func TestOneBurstDoesNotMakeAPoolOfBursts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	s := watch(3*720, 60, 2, func(slot int) float64 {
		if slot > 2*720 && slot < 2*720+24 {
			return poisson(r, 80)
		}
		return poisson(r, 10)
	})
	if f := s.factor(); f > 2.5 {
		t.Errorf("after eight times the arrivals for two minutes: %.2f", f)
	}
}

// Of a few minutes nothing is concluded, and too few arrivals surprise nobody.
func TestSurpriseIsCautious(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	if f := watch(60, 60, 2, func(int) float64 { return 8 * poisson(r, 10.0/8) }).factor(); f > 6 {
		t.Errorf("after five minutes: %.2f", f)
	}
	if f := watch(720, 60, 2, func(int) float64 { return 0 }).factor(); f != 1 {
		t.Errorf("nobody came: %.2f", f)
	}
}

// What was announced is no surprise, and what was expected before it is not held against it.
func TestWhatIsAnnouncedIsNoSurprise(t *testing.T) {
	var s surprise
	now := time.Date(2026, 11, 4, 0, 0, 0, 0, time.UTC)
	many := func(float64) float64 { return 1e6 }
	e := expectation{mean: 10, variance: 10, ahead: 60}
	for i := range 720 {
		s.observe(now.Add(time.Duration(i)*surpriseSlot), i%20 > 3, 60, e, many)
	}
	if f := s.factor(); f != 1 {
		t.Errorf("%.2f", f)
	}
	s.observe(now.Add(721*surpriseSlot), false, 60, e, many)
	s.observe(now.Add((721+12)*surpriseSlot), false, 60, e, many)
	if f := s.factor(); f <= 1 {
		t.Errorf("a million came and ten were expected: %.2f", f)
	}
}

// More that is not known, and a stricter objective where something is not known, never ask for fewer workers.
func TestSizeGrowsWithWhatIsNotKnown(t *testing.T) {
	k := NewKnowledge()
	rapid.Check(t, func(t *rapid.T) {
		d := demand{mean: rapid.Float64Range(0, 5000).Draw(t, "mean")}
		d.variance = d.mean * rapid.Float64Range(0, 1).Draw(t, "of chance")
		d.unknown = rapid.Float64Range(0, 1e6).Draw(t, "unknown")
		s := Settings{Concurrency: rapid.IntRange(1, 20).Draw(t, "slots"), Objective: Objective{
			Share: rapid.Float64Range(0, 1).Draw(t, "share"), Within: 20 * time.Second, MaxAbandonment: rapid.Float64Range(0.001, 0.3).Draw(t, "abandonment"),
		}}
		n := k.size(&s, d)
		more := d
		more.unknown += rapid.Float64Range(0, 1e6).Draw(t, "more")
		if got := k.size(&s, more); got < n {
			t.Fatalf("%d workers for %+v, %d for %+v", n, d, got, more)
		}
		strict := s
		strict.Objective.Share = min(1, s.Objective.Share+rapid.Float64Range(0, 0.5).Draw(t, "stricter"))
		if got := k.size(&strict, d); got < n {
			t.Fatalf("%d workers for a share of %g, %d for %g", n, s.Objective.Share, got, strict.Objective.Share)
		}
	})
}

// With arrivals in bursts a stricter objective asks for more agents. Erlang's formulas alone, which take arrivals for
// chance, do not ask for more than the load where conversations are as short as customers may wait.
func TestStricterMeansMoreWhereArrivalsComeInBursts(t *testing.T) {
	k := NewKnowledge()
	k.handle.Seed(30, 1, 1000)
	d := k.arriving(demand{}, 120, 0.05, 8, func(float64) float64 { return 5 })
	need := func(share float64) int {
		return k.size(&Settings{Concurrency: 1, Objective: Objective{Share: share, Within: 20 * time.Second, MaxAbandonment: 1 - share}}, d)
	}
	mean := int(math.Round(d.mean))
	if a, b, c := need(0.8), need(0.9), need(0.98); a < mean || b < a+10 || c < b+15 {
		t.Errorf("%d, %d and %d workers for 80, 90 and 98 %% of a load of %d", a, b, c, mean)
	}
}

// A pool whose arrivals come in bursts is staffed for them after a restart, too; what was stored before there were surprises can be read.
func TestSurprisesAreStored(t *testing.T) {
	k := NewKnowledge()
	k.load.sum, k.load.weight, k.expected.sum, k.expected.weight = 400, surpriseMemory, 20, 10
	stored, err := k.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	read := NewKnowledge()
	if err := read.UnmarshalBinary(stored); err != nil {
		t.Fatal(err)
	}
	if got, want := read.load.factor(), k.load.factor(); math.Abs(got-want) > 1e-3 {
		t.Errorf("a factor of %g was stored as %g", want, got)
	}
	if got, want := read.expected.factor(), k.expected.factor(); math.Abs(got-want) > 1e-3 {
		t.Errorf("a factor of %g was stored as %g", want, got)
	}
	own := NewMemory(nil)
	own.knowledge = NewKnowledge()
	if err := own.Recall(stored); err != nil || own.knowledge.load.factor() < 2 {
		t.Errorf("a factor of %g is recalled: %v", own.knowledge.load.factor(), err)
	}
	at := 17
	for _, sketch := range []interface{ AppendBinary([]byte) ([]byte, error) }{&k.handle, &k.cold} {
		part, err := sketch.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		at += len(part)
	}
	older := append(append([]byte{1}, stored[1:at]...), stored[at+2*surpriseBytes:]...)
	if err := NewKnowledge().UnmarshalBinary(older); err != nil {
		t.Errorf("what version 1 stored: %v", err)
	}
	stored[at] = 0xff // no number
	if err := NewKnowledge().UnmarshalBinary(stored); err == nil {
		t.Error("what is no number was read")
	}
}
