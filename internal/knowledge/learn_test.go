package knowledge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestFitFindsTheTruth draws outcomes from a known model and expects fit to come near it from another prior.
func TestFitFindsTheTruth(t *testing.T) {
	truth := coefficients{signalBias: -2, signalCosine: 4, signalMargin: 3, signalUnknown: -2}
	rng := rand.New(rand.NewPCG(1, 1))
	var examples []example
	for range 20_000 {
		x := signals{signalBias: 1}
		for i := 1; i < signalCount; i++ {
			x[i] = rng.Float64()
		}
		examples = append(examples, example{x, rng.Float64() < truth.probability(&x), 1})
	}
	got := fit(examples, coefficients{})
	for i := range truth {
		if math.Abs(got[i]-truth[i]) > 0.3 {
			t.Errorf("coefficient %d is %.2f, want about %.2f", i, got[i], truth[i])
		}
	}
}

func TestFitWithoutExamplesIsThePrior(t *testing.T) {
	if got := fit(nil, priorVariants); got != priorVariants {
		t.Errorf("%v, want the prior", got)
	}
}

// TestFitStaysFinite covers what perfect separation does to logistic regression without a prior.
func TestFitStaysFinite(t *testing.T) {
	var examples []example
	for i := range 100 {
		examples = append(examples, example{signals{signalBias: 1, signalCosine: float64(i % 2)}, i%2 == 1, 1})
	}
	got := fit(examples, priorVariants)
	for i, c := range got {
		if math.IsNaN(c) || math.Abs(c) > 50 {
			t.Errorf("coefficient %d is %v", i, c)
		}
	}
	for _, ex := range examples[:2] {
		if p := got.probability(&ex.x); (p > 0.5) != ex.correct {
			t.Errorf("probability %v for %v", p, ex.correct)
		}
	}
}

func TestSolve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Float64Range(-3, 3)
		var a [signalCount]coefficients
		var x coefficients
		var m [signalCount]coefficients
		for i := range m {
			x[i] = number.Draw(t, "x")
			for j := range m {
				m[i][j] = number.Draw(t, "m")
			}
		}
		for i := range a { // m·mᵀ + 1 is positive definite
			a[i][i] = 1
			for j := range a {
				for k := range a {
					a[i][j] += m[i][k] * m[j][k]
				}
			}
		}
		var b coefficients
		for i := range a {
			for j := range a {
				b[i] += a[i][j] * x[j]
			}
		}
		for i, got := range solve(a, b) {
			if math.Abs(got-x[i]) > 1e-6 {
				t.Fatalf("x[%d] is %v, want %v", i, got, x[i])
			}
		}
	})
}

// noisyBase has entries whose variants share one telling word each, buried in chatter that is the same for all entries.
func noisyBase(entries, variants int) []Entry {
	rng := rand.New(rand.NewPCG(7, 7))
	chatter := strings.Fields("kindly gonna maybe really basically honestly somehow regarding question situation moment today yesterday thing stuff matter")
	var out []Entry
	for e := range entries {
		entry := Entry{ID: fmt.Sprintf("e%d", e), Answer: "x"}
		for range variants {
			words := []string{fmt.Sprintf("topic%c%c", 'a'+e/26, 'a'+e%26)}
			for range 6 {
				words = append(words, chatter[rng.IntN(len(chatter))])
			}
			rng.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
			entry.Questions = append(entry.Questions, strings.Join(words, " "))
		}
		out = append(out, entry)
	}
	return out
}

func TestTrainingLearnsWhatTells(t *testing.T) {
	ix := compile(t, Options{}, noisyBase(30, 5)...)
	boost := func(word string) float32 {
		x := &extractor{}
		x.extract(word, 1)
		return ix.questions.boost[ix.questions.terms[x.keys[0]]]
	}
	if chatter := boost("basically"); chatter >= 1 {
		t.Errorf("chatter is worth %.2f of its plain weight, want less than 1", chatter)
	}
	for p, w := range ix.questions.weight {
		if w <= 0 || math.IsNaN(float64(w)) {
			t.Fatalf("posting %d has weight %v", p, w)
		}
	}
}

// TestExclusionEqualsAbsence compares a query that excludes a variant or an entry with one to a base that never had it.
func TestExclusionEqualsAbsence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := noisyBase(rapid.IntRange(3, 8).Draw(t, "entries"), rapid.IntRange(2, 4).Draw(t, "variants"))
		x := &extractor{}
		full, stats := newQuestionField(x, entries)
		ix := &Index{entries: entries, questions: full, answers: newAnswerField(x, entries), answerFactor: make([]float32, len(entries)), language: make([]string, len(entries))}
		e := uint32(rapid.IntRange(0, len(entries)-1).Draw(t, "entry"))
		v := full.variants[e] + uint32(rapid.IntRange(0, len(entries[e].Questions)-1).Draw(t, "variant"))
		if full.variants[e+1]-full.variants[e] != uint32(len(entries[e].Questions)) {
			t.Skip("variants of the draw coincide")
		}
		var s scratch
		s.query.prepare(ix, full.vtext[v], exclusion{excludeVariant, e, v, stats})
		ix.score(&s)

		less := append([]Entry(nil), entries...)
		i := v - full.variants[e]
		less[e].Questions = append(append([]string(nil), entries[e].Questions[:i]...), entries[e].Questions[i+1:]...)
		x2 := &extractor{}
		part, partStats := newQuestionField(x2, less)
		partStats.average = stats.average // the only figure of the base that leave-one-out does not correct
		part.weigh(partStats)
		ix2 := &Index{entries: less, questions: part, answers: newAnswerField(x2, less), answerFactor: ix.answerFactor, language: ix.language}
		var want scratch
		want.query.prepare(ix2, full.vtext[v], exclusion{})
		ix2.score(&want)
		for k := range s.scores {
			if a, b := float64(s.scores[k]), float64(want.scores[k]); math.Abs(a-b) > 1e-3*(1+math.Max(a, b)) {
				t.Fatalf("entry %d scores %.3f with the variant excluded, %.3f without it", k, a, b)
			}
		}
		if a, b := len(s.query.questions), len(want.query.questions); a != b {
			t.Fatalf("%d known terms with the variant excluded, %d without it", a, b)
		}

		s.query.prepare(ix, full.vtext[v], exclusion{excludeEntry, e, v, stats})
		ix.score(&s)
		if s.scores[e] != 0 {
			t.Fatalf("the excluded entry scores %v", s.scores[e])
		}
	})
}

// TestConfidenceFollowsTheBase expects a base whose variants predict nothing to be less sure than one whose variants agree.
func TestConfidenceFollowsTheBase(t *testing.T) {
	telling := noisyBase(20, 6)
	ix := compile(t, Options{}, telling...)
	right := ix.Search("topicab question today", "", 1)[0]
	if right.Entry.ID != "e1" || right.Confidence < 0.7 {
		t.Errorf("a telling word gives %s", describeHit(right))
	}
	if chatter := ix.Search("honestly maybe somehow", "", 1)[0]; chatter.Confidence > 0.3 {
		t.Errorf("chatter gives %s", describeHit(chatter))
	}
}
