package forecast

import (
	"math"
	"slices"
	"time"
)

// many conversations in a step: from so many on the median of the days tells, as one odd day does not move it. Of fewer the
// median would often be none, and the mean tells.
const many = 8

// wallClock is what comparable days have in common: the class of the day and the time on the wall.
type wallClock struct {
	class        class
	hour, minute int
}

// Ahead is how many conversations are expected in each of n steps from a time on, for as far ahead as is asked; NaN
// where nothing comparable is known. From and step are taken to whole bins. The level of today fades as in
// [Forecaster.Expected]; peaks are not in it. It looks through the whole history, so that it is not for each second.
func (f *Forecaster) Ahead(now, from time.Time, step time.Duration, n int) []float64 {
	bins := max(1, int64(step/BinLength))
	first := binOf(from.Unix())
	known := map[wallClock]float64{}
	// Days that are yet to come differ only in how far the history reaches back for them: each time on the wall is
	// looked up once for each class of days.
	usual := func(i int64) float64 {
		at := time.Unix((first+i*bins)*binSeconds, 0).In(f.calendar.Location)
		key := wallClock{f.classOf(at), at.Hour(), at.Minute()}
		count, ok := known[key]
		if !ok {
			count = f.usual(at, key.class, bins)
			known[key] = count
		}
		return count
	}
	counts := make([]float64, n)
	before, here := usual(-1), usual(0)
	for i := range counts {
		after := usual(int64(i) + 1)
		middle := time.Duration(int64(i)*bins+bins/2) * BinLength
		counts[i] = smoothFew(before, here, after) * f.levelAt(from.Add(middle).Sub(now).Seconds())
		before, here = here, after
	}
	return counts
}

// smoothFew brings counts in which chance is great nearer to their neighbours. Where nobody ever came nobody is expected,
// or each morning would begin before the desk opens.
func smoothFew(before, here, after float64) float64 {
	if !(here > 0) || here >= many { // also NaN
		return here
	}
	sum, weight := 2*here, 2.0
	for _, other := range [2]float64{before, after} {
		if other > 0 {
			sum, weight = sum+other, weight+1
		}
	}
	return sum / weight
}

// usual is what came in so many bins from the same time on the wall of the latest comparable days on; NaN when nobody knows.
func (f *Forecaster) usual(at time.Time, want class, bins int64) float64 {
	var buffer [medianOf]float64
	found := f.sums(buffer[:0], at, want, bins)
	if len(found) == 0 && want == holiday {
		// Of no holiday anything is known: a Sunday is nearest.
		found = f.sums(buffer[:0], at, sunday, bins)
	}
	if len(found) == 0 {
		return math.NaN()
	}
	slices.Sort(found)
	middle := (found[(len(found)-1)/2] + found[len(found)/2]) / 2
	if middle >= many {
		return middle
	}
	sum := 0.0
	for _, count := range found {
		sum += count
	}
	return sum / float64(len(found))
}

// sums of the bins of each of the latest comparable days on which all of them were watched.
func (f *Forecaster) sums(found []float64, at time.Time, want class, bins int64) []float64 {
	year, month, date := at.Date()
	hour, minute := at.Hour(), at.Minute()
next:
	for back := 1; back < Days && len(found) < medianOf; back++ {
		day := time.Date(year, month, date-back, hour, minute, 0, 0, f.calendar.Location)
		if f.classOf(day) != want {
			continue
		}
		sum, first := 0.0, binOf(day.Unix())
		for bin := first; bin < first+bins; bin++ {
			count, known := f.history.at(bin)
			if !known {
				continue next
			}
			sum += count
		}
		found = append(found, sum)
	}
	return found
}
