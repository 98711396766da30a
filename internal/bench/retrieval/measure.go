package retrieval

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Figures of one engine on one set. Shares are from 0 to 1.
type Figures struct {
	// Top1, Top5 and MRR (mean reciprocal rank among the first [depth]) are over the queries that an entry answers.
	Top1 float64 `json:"top1"`
	Top5 float64 `json:"top5"`
	MRR  float64 `json:"mrr"`
	// Coverage is the share of all queries that are answered at the floor, Precision the share of those that are answered
	// rightly; nil when none is answered.
	Coverage  float64  `json:"coverage"`
	Precision *float64 `json:"precision"`
	// CoverageAt90 is the greatest share of queries that a threshold, chosen afterwards, answers at 90 % precision.
	CoverageAt90 float64 `json:"coverageAt90"`
	// OOSAUROC is the probability that a query with an answer is surer than one out of scope; nil without both.
	OOSAUROC *float64 `json:"oosAUROC"`
	// ECE is the expected calibration error of the confidence in ten bins.
	ECE float64 `json:"ece"`
	// IndexSeconds is the time of indexing, HeapMiB what the index keeps in memory.
	IndexSeconds   float64 `json:"indexSeconds"`
	QueryP50Millis float64 `json:"queryP50Millis"`
	QueryP99Millis float64 `json:"queryP99Millis"`
	HeapMiB        float64 `json:"heapMiB"`
}

// depth is how many hits of a query are looked at.
const depth = 20

// outcome of one query.
type outcome struct {
	confidence float64
	// right: the first hit is an expected one; inScope: there is one.
	right, inScope bool
}

// ranked are the ids that an engine found, the best first, and how sure it is of the first.
type ranked struct {
	ids        []string
	confidence float64
}

// score measures an engine on queries. Floor says when it answers: from which confidence on.
func score(queries []Query, floor float64, search func(text string) (ranked, error)) (*Figures, []outcome, error) {
	f := &Figures{}
	outcomes := make([]outcome, 0, len(queries))
	times := make([]float64, 0, len(queries))
	inScope := 0.0
	for _, q := range queries {
		began := time.Now()
		found, err := search(q.Text)
		if err != nil {
			return nil, nil, err
		}
		times = append(times, float64(time.Since(began))/float64(time.Millisecond))
		rank := slices.IndexFunc(found.ids, func(id string) bool { return slices.Contains(q.Expected, id) })
		o := outcome{confidence: found.confidence, right: rank == 0, inScope: len(q.Expected) > 0}
		if o.inScope {
			inScope++
		}
		if rank >= 0 {
			f.Top1 += indicator(rank == 0)
			f.Top5 += indicator(rank < 5)
			f.MRR += 1 / float64(rank+1)
		}
		outcomes = append(outcomes, o)
	}
	if inScope > 0 {
		f.Top1, f.Top5, f.MRR = f.Top1/inScope, f.Top5/inScope, f.MRR/inScope
	}
	slices.Sort(times)
	f.QueryP50Millis, f.QueryP99Millis = quantile(times, 0.5), quantile(times, 0.99)
	f.judge(outcomes, floor)
	return f, outcomes, nil
}

// judge fills in what follows from how sure the engine was.
func (f *Figures) judge(outcomes []outcome, floor float64) {
	right, given := 0.0, 0.0
	for _, o := range outcomes {
		if o.confidence >= floor {
			given++
			right += indicator(o.right)
		}
	}
	f.Coverage, f.Precision = given/float64(len(outcomes)), nil
	if given > 0 {
		precision := right / given
		f.Precision = &precision
	}
	f.CoverageAt90, _ = bestThreshold(outcomes, 0.9)
	f.OOSAUROC, f.ECE = auroc(outcomes), calibrationError(outcomes)
}

// bestThreshold answers as many as it can at a precision, knowing the answers: the share, and the least confidence.
func bestThreshold(outcomes []outcome, precision float64) (coverage, threshold float64) {
	sorted := slices.Clone(outcomes)
	slices.SortStableFunc(sorted, func(a, b outcome) int { return cmp.Compare(b.confidence, a.confidence) })
	right, threshold := 0.0, math.Inf(1)
	for i, o := range sorted {
		right += indicator(o.right)
		last := i+1 == len(sorted) || sorted[i+1].confidence < o.confidence // a threshold does not part equals
		if last && right >= precision*float64(i+1) {
			coverage, threshold = float64(i+1)/float64(len(sorted)), o.confidence
		}
	}
	return coverage, threshold
}

// auroc by ranks, equals sharing theirs.
func auroc(outcomes []outcome) *float64 {
	sorted := slices.Clone(outcomes)
	slices.SortFunc(sorted, func(a, b outcome) int { return cmp.Compare(a.confidence, b.confidence) })
	var in, ranks float64
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j].confidence == sorted[i].confidence {
			j++
		}
		for _, o := range sorted[i:j] {
			if o.inScope {
				in++
				ranks += float64(i+1+j) / 2
			}
		}
		i = j
	}
	out := float64(len(sorted)) - in
	if in == 0 || out == 0 {
		return nil
	}
	area := (ranks - in*(in+1)/2) / (in * out)
	return &area
}

// calibrationError is the mean distance of confidence and rightness over ten bins of equal width, by their number of queries.
func calibrationError(outcomes []outcome) float64 {
	var gap [10]float64
	for _, o := range outcomes {
		gap[max(0, min(int(o.confidence*10), 9))] += o.confidence - indicator(o.right)
	}
	sum := 0.0
	for _, g := range gap {
		sum += math.Abs(g)
	}
	return sum / float64(len(outcomes))
}

// quantile of sorted values by the nearest rank.
func quantile(sorted []float64, share float64) float64 {
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
