package knowledge

import (
	"cmp"
	"math"
	"slices"
)

// Learning ranks each variant against the base without it, and moves two sorts of weights so that its own entry wins: one boost a term (how
// much the term tells entries apart at all), and one correction a posting (how much the term speaks for the entry). The loss is the negative
// log-likelihood of the own entry under a softmax of the scores; steps are stochastic gradient descent with weight decay. The rates are a
// choice on public intent sets with 3 to 10 variants an entry, where they gain 2 to 4 points of accuracy.
const (
	trainEpochs      = 8
	trainTemperature = 0.5
	boostRate        = 0.02
	boostDecay       = 0.05
	weightRate       = 0.3
	weightDecay      = 0.02
	maxLogBoost      = 2
	minLogBoost      = -3
	minWeight        = 0.1  // share of its plain weight that a posting keeps: no word of an entry may speak against it
	minProbability   = 1e-3 // of an entry that takes part in a step
	negligible       = 20   // scores this far below the best have no share

	// trainBudget bounds the postings that one training visits, a few tenths of a second. Large bases learn from a sample of their variants.
	trainBudget = 50_000_000
)

// sample is a variant that takes part in learning.
type sample struct {
	entry, variant uint32
}

// samples returns the variants of the entries that have more than one, in an order that does not depend on where they stand in the base.
func (f *questionField) samples() []sample {
	var out []sample
	f.eachVariant(func(e, v uint32) {
		if f.variants[e+1]-f.variants[e] > 1 {
			out = append(out, sample{e, v})
		}
	})
	slices.SortFunc(out, func(a, b sample) int {
		if c := cmp.Compare(mix(f.vkey[a.variant]), mix(f.vkey[b.variant])); c != 0 {
			return c
		}
		return cmp.Compare(a.variant, b.variant)
	})
	return out
}

// mix scrambles a hash, so that sorting by it is no alphabetical order (the finaliser of SplitMix64).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// trainer learns the weights of an index.
type trainer struct {
	ix    *Index
	stats *fieldStats
	s     scratch
	theta []float32 // logarithm of boost
	near  []share   // entries that take part in a step
}

type share struct {
	entry    uint32
	gradient float32 // of the loss by the entry's score
}

// reset forgets what was learned.
func (t *trainer) reset() {
	t.theta = make([]float32, len(t.ix.questions.terms))
	t.ix.questions.weigh(t.stats)
}

// train learns from the samples. Where the budget ends early, the samples seen are a fair draw, because their order is one.
func (t *trainer) train(samples []sample) {
	visits := 0
	for range trainEpochs {
		for _, sm := range samples {
			if visits += t.step(sm); visits > trainBudget {
				return
			}
		}
	}
}

// step learns from one variant and returns the number of postings that were visited.
func (t *trainer) step(sm sample) int {
	ix, s := t.ix, &t.s
	s.query.prepare(ix, ix.questions.vtext[sm.variant], exclusion{excludeVariant, sm.entry, sm.variant, t.stats})
	ix.score(s)
	visits := len(ix.entries)
	for _, q := range s.query.questions {
		visits += int(ix.questions.start[q.term+1] - ix.questions.start[q.term])
	}
	if s.scores[sm.entry] <= 0 {
		return visits // without the variant nothing leads to its entry, so no weight can
	}
	t.gradients(sm.entry)
	for _, q := range s.query.questions {
		t.update(q, sm)
	}
	return visits
}

// gradients fills t.near from the scores: softmax probability, less one for the own entry.
func (t *trainer) gradients(own uint32) {
	scores := t.s.scores
	top := slices.Max(scores)
	var z float64
	for _, x := range scores {
		if x > top-negligible {
			z += math.Exp(trainTemperature * float64(x-top))
		}
	}
	threshold := top + float32(math.Log(minProbability*z)/trainTemperature)
	t.near = t.near[:0]
	for e, x := range scores {
		if x <= 0 || x < threshold && uint32(e) != own {
			continue
		}
		g := float32(math.Exp(trainTemperature*float64(x-top)) / z)
		if uint32(e) == own {
			g--
		}
		t.near = append(t.near, share{uint32(e), trainTemperature * g})
	}
}

// update moves the weights of one term of the query.
func (t *trainer) update(q queryTerm, sm sample) {
	f := t.ix.questions
	var gradient float32 // by theta
	w := q.weight * q.boost
	for _, n := range t.near {
		p, ok := f.posting(q.term, n.entry)
		if !ok {
			continue
		}
		weight := f.weight[p]
		if n.entry == sm.entry {
			if weight = f.without(t.stats, q.term, p, sm.variant); weight <= 0 {
				continue
			}
		}
		gradient += n.gradient * w * weight
		plain := f.plain(t.stats, q.term, p)
		moved := f.weight[p] - weightRate*(n.gradient*w+weightDecay*(f.weight[p]-plain))
		f.weight[p] = max(moved, minWeight*plain)
	}
	theta := t.theta[q.term]
	theta -= boostRate * (gradient + boostDecay*theta)
	t.theta[q.term] = min(max(theta, minLogBoost), maxLogBoost)
	f.boost[q.term] = float32(math.Exp(float64(t.theta[q.term])))
}
