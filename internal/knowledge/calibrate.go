package knowledge

import "math"

// signals describe how well the first hit fits the query. Each is between 0 and about 1, whatever the base, so that coefficients carry over.
type signals [signalCount]float64

const (
	signalBias        = iota // always 1
	signalCosine             // similarity of the closest variant
	signalSupport            // mean similarity of the three closest variants
	signalLead               // cosine less the best cosine of another entry
	signalMargin             // distance of the second score to the first, as a share of the first
	signalCovered            // share of the query's content that the entry has
	signalUnknown            // share of the query's content that no entry has
	signalFullness           // score as a share of what a perfect entry would get
	signalBrevity            // 1 / (1 + content words): short queries say little
	signalMeaning            // closeness of what query and entry mean, 0 where no English word is known
	signalMeaningLead        // the same, less that of the entry that is closest but for it
	signalCount
)

// marginFloor keeps the margin small where the first score is next to nothing: an only hit that shares one letter with the query leads by all of it.
const marginFloor = 0.15

// signals computes the signals of the first candidate.
func (ix *Index) signals(s *scratch) signals {
	q, top := &s.query, &s.candidates[0]
	out := signals{signalBias: 1, signalCosine: float64(top.cosine), signalSupport: float64(top.support)}
	var other float32
	for _, c := range s.candidates[1:] {
		other = max(other, c.cosine)
	}
	out[signalLead] = float64(top.cosine - other)
	out[signalMeaning], out[signalMeaningLead] = s.meaning()
	var mass, covered, unknown float32
	for _, c := range q.content {
		mass += c.mass
		switch {
		case c.question == unknownTerm && c.answer == unknownTerm:
			unknown += c.mass
		case ix.covers(q, c, top.entry):
			covered += c.mass
		}
	}
	if mass > 0 {
		out[signalCovered] = float64(covered / mass)
		out[signalUnknown] = float64(unknown / mass)
	}
	perfect := q.answerBound * (answerK1 + 1)
	if top.variant != unknownTerm {
		perfect = q.bound * (questionK1 + 1)
	}
	var second float32
	for _, c := range s.candidates[1:] {
		second = max(second, c.score) // which may be above the first's, when that one leads by its meaning
	}
	out[signalMargin] = float64((top.score - second) / (top.score + marginFloor*perfect))
	if perfect > 0 {
		out[signalFullness] = min(float64(top.score/perfect), 1.5)
	}
	out[signalBrevity] = 1 / (1 + float64(q.units))
	return out
}

// meaning of the first candidate as the signals have it.
func (s *scratch) meaning() (share, lead float64) {
	var other float32
	for i := range s.candidates[1:] {
		other = max(other, s.candidates[1+i].meaning.share())
	}
	first := s.candidates[0].meaning.share()
	return float64(first / mostMeaning), float64((first - other) / mostMeaning)
}

// covers reports whether the entry has the content term, in a variant or in the answer.
func (ix *Index) covers(q *query, c contentTerm, e uint32) bool {
	if c.question != unknownTerm {
		if p, ok := ix.questions.posting(c.question, e); ok && (q.ex.kind != excludeVariant || q.ex.entry != e || ix.questions.without(q.ex.stats, c.question, p, q.ex.variant) > 0) {
			return true
		}
	}
	return c.answer != unknownTerm && ix.answers.holds(c.answer, e)
}

// coefficients of the logistic model, by signal.
type coefficients [signalCount]float64

// probability is the logistic model.
func (c *coefficients) probability(x *signals) float64 {
	var z float64
	for i := range c {
		z += c[i] * x[i]
	}
	return 1 / (1 + math.Exp(-z))
}

// calibration turns signals into confidence.
type calibration struct {
	variants coefficients // where the first hit has question variants
	passages coefficients // where it has only an answer
}

// The coefficients that a base without variants of its own gets, and from which fitting starts. They were fitted once, with a tenth of the
// queries out of scope, on bases with one to three variants an entry (assistant commands, banking, health, a Chinese phone maker's support) and
// on Chinese passages, each domain with the same weight. Fitted on all domains but one, the expected calibration error on the one left out is
// 0.03 to 0.08, and 0.16 for the only Chinese questions among them.
var (
	priorVariants = coefficients{
		signalBias: -1.55, signalCosine: 1.85, signalSupport: 2.4, signalLead: 0.25, signalMargin: 4.5,
		signalCovered: 0.2, signalUnknown: 0.1, signalFullness: -0.2, signalBrevity: -1.65, signalMeaning: 0.6, signalMeaningLead: 0.6,
	}
	priorPassages = coefficients{
		signalBias: -1.45, signalMargin: 5.7, signalCovered: 2.15, signalUnknown: -1.6, signalFullness: 2.4, signalBrevity: -0.75,
	}
)

// rankShare is the part of the probability that the first hit leaves, which the other hits of a search share. The rest stands for "none of them".
const rankShare = 0.5

// apply sets the confidence of the hits, which correspond to the first candidates.
func (c *calibration) apply(x signals, candidates []candidate, hits []Hit) {
	model := &c.variants
	if candidates[0].variant == unknownTerm {
		model = &c.passages
	}
	p := model.probability(&x)
	hits[0].Confidence = p
	var sum float64
	for _, cand := range candidates[1:] {
		sum += float64(cand.rank)
	}
	for i := 1; i < len(hits); i++ {
		hits[i].Confidence = min(p, (1-p)*rankShare*hits[i].Score/sum)
	}
}
