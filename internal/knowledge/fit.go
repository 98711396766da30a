package knowledge

import "math"

const (
	// maxCalibrationSamples variants are asked against the base without them.
	maxCalibrationSamples = 800
	// folds is the number of parts of the cross-validation.
	folds = 4
	// minCalibrationSamples variants are needed to fit at all.
	minCalibrationSamples = 30
	// outOfScopeShare of the queries are assumed to ask for what no entry answers. It weighs the samples that are asked without their entry.
	outOfScopeShare = 0.1
	// gainOfDoubling is by how much the logarithm of the odds of a right answer grows with twice as many variants: 0.3 to 0.5 on a
	// public intent set between 3 and 50 variants.
	gainOfDoubling = 0.6
	// priorStrength is the precision of the prior on each coefficient, in units of samples' information.
	priorStrength = 5.0
)

// example is one outcome to fit on.
type example struct {
	x       signals
	correct bool
	weight  float64
}

// learn trains the weights and fits the calibration. Confidence is fitted on variants that the weights in force were not trained on
// (cross-validation); then the weights are trained on all.
func (ix *Index) learn(stats *fieldStats) {
	ix.calibration = calibration{variants: priorVariants, passages: priorPassages}
	t := &trainer{ix: ix, stats: stats}
	all := ix.questions.samples()
	var examples []example
	if len(all) >= minCalibrationSamples {
		for fold := range folds {
			var held []sample
			rest := make([]sample, 0, len(all))
			for i, sm := range all {
				if i%folds == fold {
					held = append(held, sm)
				} else {
					rest = append(rest, sm)
				}
			}
			t.reset()
			t.train(rest)
			for _, sm := range held[:min(len(held), maxCalibrationSamples/folds)] {
				examples = t.ask(examples, sm)
			}
		}
		ix.calibration.variants = fit(examples, priorVariants)
		ix.calibration.variants[signalBias] += ix.questions.completion(all)
	}
	t.reset()
	t.train(all)
}

// completion is what the logarithm of the odds gains because a customer asks the whole base, while each variant asked it without itself.
func (f *questionField) completion(all []sample) float64 {
	sum := 0.0
	for _, sm := range all {
		n := float64(f.variants[sm.entry+1] - f.variants[sm.entry])
		sum += math.Log2(n / (n - 1))
	}
	return gainOfDoubling * sum / float64(len(all))
}

// ask appends the outcomes of asking for a variant without it, and without its entry.
func (t *trainer) ask(examples []example, sm sample) []example {
	for _, kind := range []exclusionKind{excludeVariant, excludeEntry} {
		s := &t.s
		s.query.prepare(t.ix, t.ix.questions.vtext[sm.variant], exclusion{kind, sm.entry, sm.variant, t.stats})
		t.ix.score(s)
		t.ix.choose(s, "", minCandidates)
		if len(s.candidates) == 0 || s.candidates[0].variant == unknownTerm {
			continue
		}
		weight := outOfScopeShare
		if kind == excludeVariant {
			weight = 1 - outOfScopeShare
		}
		examples = append(examples, example{t.ix.signals(s), kind == excludeVariant && s.candidates[0].entry == sm.entry, weight})
	}
	return examples
}

// fit finds the coefficients of the highest posterior: logistic likelihood of the examples, normal prior around prior. Newton's method; the
// problem is convex, so it ends at the one optimum.
func fit(examples []example, prior coefficients) coefficients {
	c := prior
	for range 30 {
		var gradient coefficients
		var hessian [signalCount]coefficients
		for i := range c {
			gradient[i] = priorStrength * (c[i] - prior[i])
			hessian[i][i] = priorStrength
		}
		for k := range examples {
			ex := &examples[k]
			p := c.probability(&ex.x)
			y := 0.0
			if ex.correct {
				y = 1
			}
			for i := range c {
				gradient[i] += ex.weight * (p - y) * ex.x[i]
				for j := range c {
					hessian[i][j] += ex.weight * p * (1 - p) * ex.x[i] * ex.x[j]
				}
			}
		}
		step := solve(hessian, gradient)
		var largest float64
		for i := range c {
			c[i] -= step[i]
			largest = max(largest, math.Abs(step[i]))
		}
		if largest < 1e-6 {
			break
		}
	}
	return c
}

// solve solves the linear system by elimination. The matrix is positive definite, so pivots are never zero.
func solve(a [signalCount]coefficients, b coefficients) coefficients {
	for i := range a {
		for j := i + 1; j < len(a); j++ {
			factor := a[j][i] / a[i][i]
			for k := i; k < len(a); k++ {
				a[j][k] -= factor * a[i][k]
			}
			b[j] -= factor * b[i]
		}
	}
	for i := len(b) - 1; i >= 0; i-- {
		for k := i + 1; k < len(b); k++ {
			b[i] -= a[i][k] * b[k]
		}
		b[i] /= a[i][i]
	}
	return b
}
