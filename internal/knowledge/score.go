package knowledge

import (
	"cmp"
	"slices"
)

const (
	// answerFactor weighs the answer field of an entry that has question variants: an answer mentions much that it does not answer.
	answerFactor = 0.35
	// otherLanguage scales the score of entries in another language than the customer's: they are better than nothing, if nothing else fits.
	otherLanguage = 0.85
	// minCandidates entries are compared variant by variant.
	minCandidates = 48
)

// candidate is one of the best entries for a query.
type candidate struct {
	entry   uint32
	score   float32
	variant uint32  // the closest variant, or unknownTerm where the entry has none
	cosine  float32 // of that variant
	support float32 // mean cosine of the three closest variants
	meaning closeness
	rank    float32 // score with meaning: it orders the candidates
}

// scratch holds what one search needs, for reuse.
type scratch struct {
	query      query
	scores     []float32
	candidates []candidate
}

// score fills s.scores for the prepared query.
func (ix *Index) score(s *scratch) {
	if len(s.scores) != len(ix.entries) {
		s.scores = make([]float32, len(ix.entries))
	}
	clear(s.scores)
	q := &s.query
	f := ix.questions
	for _, t := range q.questions {
		from, to := f.start[t.term], f.start[t.term+1]
		weights, w := f.weight[from:to], t.weight*t.boost
		for i, e := range f.entry[from:to] {
			s.scores[e] += w * weights[i]
		}
	}
	for _, t := range q.answers {
		ix.answers.accumulate(t.term, t.weight, ix.answerFactor, s.scores)
	}
	ix.exclude(s)
}

// exclude corrects the score of the entry that the query's exclusion touches.
func (ix *Index) exclude(s *scratch) {
	q := &s.query
	switch q.ex.kind {
	case excludeNothing:
	case excludeEntry:
		s.scores[q.ex.entry] = 0
	case excludeVariant:
		f, e := ix.questions, q.ex.entry
		for _, t := range q.questions {
			if p, ok := f.posting(t.term, e); ok {
				s.scores[e] += t.weight * t.boost * (f.without(q.ex.stats, t.term, p, q.ex.variant) - f.weight[p])
			}
		}
		s.scores[e] = max(s.scores[e], 0)
	}
}

// choose selects the best entries into s.candidates, best first, and compares them with the query variant by variant. Ties fall to the smaller
// id, so that the same base gives the same answer everywhere.
func (ix *Index) choose(s *scratch, language string, k int) {
	n := max(k, minCandidates)
	s.candidates = s.candidates[:0]
	exact := ix.exactEntry(&s.query)
	worst := float32(0)
	for e, score := range s.scores {
		if uint32(e) != exact && (score <= 0 || score < worst) {
			continue
		}
		if language != "" && ix.language[e] != "" && ix.language[e] != language {
			score *= otherLanguage
		}
		if len(s.candidates) >= 4*n {
			worst = s.keep(n, exact)
		}
		s.candidates = append(s.candidates, candidate{entry: uint32(e), score: score})
	}
	s.keep(n, exact)
	if len(s.candidates) > 1 {
		s.candidates[0].score = max(s.candidates[0].score, s.candidates[1].score) // an exact match may score less than a chatty entry
	}
	perfect := s.query.bound * (questionK1 + 1)
	for i := range s.candidates {
		c := &s.candidates[i]
		ix.compare(&s.query, c)
		c.meaning = ix.questions.meaningOf(&s.query, c.entry)
		c.rank = c.score + perfect*c.meaning.share()
	}
	s.order(exact, func(c candidate) float32 { return c.rank })
}

// keep cuts the candidates to the n best, the exact one first in any case, and returns the score of the last.
func (s *scratch) keep(n int, exact uint32) float32 {
	s.order(exact, func(c candidate) float32 { return c.score })
	s.candidates = s.candidates[:min(n, len(s.candidates))]
	if len(s.candidates) < n {
		return 0
	}
	return s.candidates[n-1].score
}

// order sorts the candidates, the greatest first, but the exact one before all.
func (s *scratch) order(exact uint32, by func(candidate) float32) {
	slices.SortFunc(s.candidates, func(a, b candidate) int {
		if (a.entry == exact) != (b.entry == exact) {
			if a.entry == exact {
				return -1
			}
			return 1
		}
		if c := cmp.Compare(by(b), by(a)); c != 0 {
			return c
		}
		return cmp.Compare(a.entry, b.entry)
	})
}

// exactEntry returns the entry one of whose variants reads like the query, or unknownTerm.
func (ix *Index) exactEntry(q *query) uint32 {
	v, ok := ix.questions.exact[q.exact]
	if !ok || q.ex.kind != excludeNothing {
		return unknownTerm
	}
	return ix.questions.entryOf(v)
}

// compare finds the variant of the candidate that is closest to the query.
func (ix *Index) compare(q *query, c *candidate) {
	f := ix.questions
	c.variant = unknownTerm
	var best [3]float32
	for v := f.variants[c.entry]; v < f.variants[c.entry+1]; v++ {
		if q.ex.kind == excludeVariant && q.ex.variant == v {
			continue
		}
		cos := f.cosine(q.questions, q.norm, v)
		if cos > best[0] || c.variant == unknownTerm {
			c.variant = v
		}
		for i := range best {
			if cos > best[i] {
				best[i], cos = cos, best[i]
			}
		}
	}
	c.cosine = best[0]
	c.support = (best[0] + best[1] + best[2]) / 3
}
