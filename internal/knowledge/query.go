package knowledge

import (
	"cmp"
	"math"
	"slices"
)

const (
	// maxQueryUnits bounds the work a customer's message can cause; what follows is not looked at.
	maxQueryUnits = 256
	// maxQueryTerms bounds the terms that are scored in a field. The rarest stay.
	maxQueryTerms = 96
	// maxIndexedUnits bounds nothing that passes ParseEntries; it keeps a hostile passage from filling the memory.
	maxIndexedUnits = 1 << 16
)

// queryTerm is a feature of the query that the base knows.
type queryTerm struct {
	term   uint32
	weight float32 // by class
	idf    float32
	boost  float32 // see questionField
}

// contentTerm is a content feature of the query with what it weighs, whether or not the base knows it.
type contentTerm struct {
	question, answer uint32 // terms, or unknownTerm
	mass             float32
}

const unknownTerm = math.MaxUint32

// exclusion makes a query see the base as if one variant, or one whole entry, were absent. The zero value excludes nothing. Only Compile uses
// it, to learn from the base's own variants.
type exclusion struct {
	kind    exclusionKind
	entry   uint32
	variant uint32
	stats   *fieldStats
}

type exclusionKind uint8

const (
	excludeNothing exclusionKind = iota
	excludeVariant
	excludeEntry
)

// query is an analysed query. Its buffers are reused.
type query struct {
	extractor
	ex          exclusion
	questions   []queryTerm // ordered by term
	answers     []queryTerm
	content     []contentTerm // what the query asks about
	norm        float32       // of the query in the question field, unknown words included
	units       float32       // number of content words, Han pairs at half a word
	bound       float32       // sum of the weighted idf in the question field, unknown words included
	answerBound float32       // the same in the answer field
	exact       uint64
	meant       []float32 // what the query means; nil where no English word is known
	english     float32   // share of the query that meant rests on
	centre      []float32 // for meaningOf
}

// prepare analyses text against the index.
func (q *query) prepare(ix *Index, text string, ex exclusion) {
	q.synonyms, q.ex = ix.synonyms, ex
	q.known = func(key uint64) bool {
		_, _, ok := q.questionTerm(ix, key)
		return ok
	}
	feats := q.extract(text, maxQueryUnits)
	q.exact = q.exactKey()
	q.english = q.extractor.english()
	if q.meant = q.meaning(); q.meant != nil && q.centre == nil {
		q.centre = make([]float32, len(q.meant))
	}
	q.questions, q.answers, q.content = q.questions[:0], q.answers[:0], q.content[:0]
	q.norm, q.units, q.bound, q.answerBound = 0, 0, 0, 0
	for _, ft := range feats {
		q.add(ix, ft)
	}
	q.norm = float32(math.Sqrt(float64(q.norm)))
	q.questions, q.answers = prune(q.questions), prune(q.answers)
	slices.SortFunc(q.questions, func(a, b queryTerm) int { return cmp.Compare(a.term, b.term) })
}

// add looks one feature up in both fields.
func (q *query) add(ix *Index, ft feature) {
	unknown := ix.questions.idfOf(0)
	c := contentTerm{question: unknownTerm, answer: unknownTerm, mass: unknown}
	if t, ok := q.answerTerm(ix, ft.key); ok {
		c.answer, c.mass = t, ix.answers.idf(t)
		if w := answerWeights[ft.class]; w > 0 {
			q.answers = append(q.answers, queryTerm{t, w, c.mass, 1})
			q.answerBound += w * c.mass
		}
	}
	w := questionWeights[ft.class]
	t, df, ok := q.questionTerm(ix, ft.key)
	if ok {
		c.question, c.mass = t, ix.questions.idf[t]
		boost := ix.questions.boost[t]
		if q.ex.kind != excludeNothing { // the postings hold the weight of the whole base
			c.mass = ix.questions.idfOf(df)
			boost *= c.mass / ix.questions.idf[t]
		}
		q.questions = append(q.questions, queryTerm{t, w, c.mass, boost})
	}
	if !ok && c.answer == unknownTerm && ft.class.content() {
		q.answerBound += w * unknown
	}
	if ok || ft.class.content() {
		q.norm += w * w * c.mass * c.mass
		q.bound += w * c.mass
	}
	if !ft.class.content() {
		return
	}
	q.content = append(q.content, c)
	q.units++
	if ft.class == classHanPair {
		q.units -= 0.5
	}
}

// questionTerm looks a key up among the question variants, and returns the term with the number of entries that hold it.
func (q *query) questionTerm(ix *Index, key uint64) (t uint32, df int, ok bool) {
	f := ix.questions
	if t, ok = f.terms[key]; !ok {
		return 0, 0, false
	}
	df = int(f.start[t+1] - f.start[t])
	if q.ex.kind != excludeNothing {
		p, holds := f.posting(t, q.ex.entry)
		if holds && (q.ex.kind == excludeEntry || f.without(q.ex.stats, t, p, q.ex.variant) == 0) {
			df--
		}
	}
	return t, df, df > 0
}

// answerTerm looks a key up among the answers.
func (q *query) answerTerm(ix *Index, key uint64) (uint32, bool) {
	f := ix.answers
	t, ok := f.terms[key]
	if ok && q.ex.kind == excludeEntry && f.df[t] == 1 && f.holds(t, q.ex.entry) {
		return 0, false
	}
	return t, ok
}

// prune keeps the maxQueryTerms terms that can add most.
func prune(terms []queryTerm) []queryTerm {
	if len(terms) <= maxQueryTerms {
		return terms
	}
	slices.SortFunc(terms, func(a, b queryTerm) int {
		if c := cmp.Compare(b.weight*b.idf*b.boost, a.weight*a.idf*a.boost); c != 0 {
			return c
		}
		return cmp.Compare(a.term, b.term)
	})
	return terms[:maxQueryTerms]
}
