// Package survival keeps what is known of how long something takes, such as
// handle times and cold starts, in a small sketch that forgets: how likely it
// lasts longer, given that it has lasted so long. It is pure.
package survival

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The sketch has buckets whose bounds grow by a factor, from least to least times
// ratio to the power of Buckets, which is more than a day.
const (
	// Buckets of a sketch.
	Buckets = 72
	ratio   = 1.18
	least   = 0.8 // seconds
	// heaviest is the greatest weight that a sketch gathers: with more, it would not follow a change any more.
	heaviest = 2000
)

// Sketch of durations. The zero value knows nothing; [Sketch.Seed] gives it something to begin with.
type Sketch struct {
	weight [Buckets]float32
	total  float64
	// beyond is the probability to last longer than each bucket's upper bound, area the integral of the survival
	// function up to there. Worked out anew when stale.
	beyond, area [Buckets]float64
	stale        bool
}

var bounds = func() (b [Buckets]float64) {
	for i := range b {
		b[i] = least * math.Pow(ratio, float64(i))
	}
	return b
}()

// Bucket is the index of the bucket of a duration in seconds: counts by bucket can be sent instead of durations.
func Bucket(seconds float64) int { return index(seconds) }

// Bound is the upper bound of a bucket in seconds, which is in the bucket itself.
func Bound(bucket int) float64 { return bounds[min(max(0, bucket), Buckets-1)] }

// index of the bucket of a duration in seconds.
func index(seconds float64) int {
	if !(seconds > least) { // also NaN
		return 0
	}
	if seconds >= bounds[Buckets-1] {
		return Buckets - 1
	}
	return min(Buckets-1, int(math.Ceil(math.Log(seconds/least)/math.Log(ratio)-1e-9)))
}

// Seed forgets everything and assumes a log-normal distribution of some mean in
// seconds and squared coefficient of variation, worth as much as so many observations.
func (s *Sketch) Seed(mean, variation, worth float64) {
	*s = Sketch{stale: true, total: worth}
	sigma := math.Sqrt(math.Log1p(variation))
	mu := math.Log(mean) - sigma*sigma/2
	before := 0.0
	for i, b := range bounds {
		at := 0.5 * math.Erfc(-(math.Log(b)-mu)/(sigma*math.Sqrt2))
		if i == Buckets-1 {
			at = 1
		}
		s.weight[i] = float32((at - before) * worth)
		before = at
	}
}

// Observe takes so many durations of about so many seconds in. What cannot be is ignored.
func (s *Sketch) Observe(seconds, count float64) {
	if !(seconds >= 0) || !(count > 0) || math.IsInf(seconds, 0) || math.IsInf(count, 0) { // also NaN
		return
	}
	count = min(count, heaviest)
	if s.total+count > heaviest {
		keep := float32((heaviest - count) / s.total)
		s.total = 0
		for i := range s.weight {
			s.weight[i] *= keep
			s.total += float64(s.weight[i])
		}
	}
	s.weight[index(seconds)] += float32(count)
	s.total += count
	s.stale = true
}

// Weight of what is known, in observations.
func (s *Sketch) Weight() float64 { return s.total }

func (s *Sketch) refresh() {
	if !s.stale {
		return
	}
	s.stale = false
	var total float64
	for _, w := range s.weight {
		total += float64(w)
	}
	s.total = total
	left, area, before, at := total, 0.0, 1.0, 0.0
	for i, w := range s.weight {
		left = max(0, left-float64(w))
		beyond := 0.0
		if total > 0 {
			beyond = left / total
		}
		area += (before + beyond) / 2 * (bounds[i] - at)
		s.beyond[i], s.area[i] = beyond, area
		before, at = beyond, bounds[i]
	}
}

// Beyond is the probability to last longer than so many seconds.
func (s *Sketch) Beyond(seconds float64) float64 {
	s.refresh()
	b, _ := s.at(seconds)
	return b
}

// Area is the integral of the survival function from 0 to so many seconds.
func (s *Sketch) Area(seconds float64) float64 {
	s.refresh()
	_, a := s.at(seconds)
	return a
}

func (s *Sketch) at(seconds float64) (beyond, area float64) {
	if s.total <= 0 || !(seconds > 0) { // also NaN
		return 1, 0
	}
	i := index(seconds)
	if seconds >= bounds[Buckets-1] {
		return 0, s.area[Buckets-1]
	}
	before, from, sum := 1.0, 0.0, 0.0
	if i > 0 {
		before, from, sum = s.beyond[i-1], bounds[i-1], s.area[i-1]
	}
	share := (seconds - from) / (bounds[i] - from)
	beyond = before + (s.beyond[i]-before)*share
	return beyond, sum + (before+beyond)/2*(seconds-from)
}

// Lasts is the probability that what has lasted age seconds lasts another while of seconds.
func (s *Sketch) Lasts(age, another float64) float64 {
	s.refresh()
	so, _ := s.at(age)
	if so <= 1e-9 {
		// Older than anything that was seen: as a rule of thumb it lasts as long again as it has.
		return age / (age + max(0, another) + 1e-9)
	}
	longer, _ := s.at(age + max(0, another))
	return min(1, longer/so)
}

// Resumes is the probability that one of those that are in progress, of which
// nobody knows since when, lasts another while of seconds: the residual life.
func (s *Sketch) Resumes(another float64) float64 {
	s.refresh()
	mean := s.area[Buckets-1]
	if s.total <= 0 || mean <= 0 {
		return 1
	}
	_, area := s.at(another)
	return min(max((mean-area)/mean, 0), 1)
}

// Mean in seconds; 0 when nothing is known.
func (s *Sketch) Mean() float64 {
	s.refresh()
	if s.total <= 0 {
		return 0
	}
	return s.area[Buckets-1]
}

// Quantile is the duration in seconds that a share of 0 to 1 does not exceed, to the upper bound of its bucket; 0 when nothing is known.
func (s *Sketch) Quantile(share float64) float64 {
	s.refresh()
	if s.total <= 0 {
		return 0
	}
	for i := range s.beyond {
		if 1-s.beyond[i] >= share-1e-9 {
			return bounds[i]
		}
	}
	return bounds[Buckets-1]
}

const codecVersion = 1

// AppendBinary appends the sketch in at most 4 bytes a bucket and two more.
func (s *Sketch) AppendBinary(to []byte) ([]byte, error) {
	to = append(to, codecVersion, Buckets)
	for _, w := range s.weight {
		to = binary.AppendUvarint(to, uint64(math.Round(float64(w)*100)))
	}
	return to, nil
}

// errSketch says that stored bytes are no sketch.
var errSketch = errors.New("stored durations cannot be read: remove them, and they are learned again")

// Read takes a sketch from the beginning of stored bytes and returns the rest. On an error the sketch is as before.
func (s *Sketch) Read(from []byte) ([]byte, error) {
	if len(from) < 2 || from[0] != codecVersion || from[1] != Buckets {
		return nil, fmt.Errorf("%w: the first bytes are not those of version %d", errSketch, codecVersion)
	}
	from = from[2:]
	read := Sketch{stale: true}
	for i := range read.weight {
		w, n := binary.Uvarint(from)
		if n <= 0 || w > heaviest*100*2 {
			return nil, fmt.Errorf("%w: bucket %d of %d is no weight", errSketch, i, Buckets)
		}
		read.weight[i] = float32(w) / 100
		read.total += float64(read.weight[i])
		from = from[n:]
	}
	*s = read
	return from, nil
}
