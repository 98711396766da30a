// Package simulation is made of a contact centre in virtual time (package world),
// the policies that scale it and need no code of others (package policy), and the
// question of authors what a desk would do under a load (package whatif). The
// benchmark of scaling compares the policies with the peers' own code, and
// "deskfleet plan" asks the question.
package simulation

import "math"

// Interval is the mean of what several draws gave, and the half width of its 95 % confidence interval by Student's t; 0
// for a single draw.
func Interval(values []float64) (mean, half float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	if len(values) < 2 {
		return mean, 0
	}
	for _, v := range values {
		half += (v - mean) * (v - mean)
	}
	return mean, student(len(values)-1) * math.Sqrt(half/(n-1)/n)
}

// student is the 97.5 % quantile of Student's t distribution.
func student(freedom int) float64 {
	table := []float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131}
	if freedom <= len(table) {
		return table[freedom-1]
	}
	return 1.96 + 2.5/float64(freedom)
}
