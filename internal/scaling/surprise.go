package scaling

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

const (
	// Expectations are kept by the slot for which they were, for as far ahead as arrivals are remembered.
	surpriseSlot  = 5 * time.Second
	surpriseSlots = 128
	mostAhead     = 600.0 // seconds
	// Arrivals count as chance until something else was seen: so many lead times' worth of it. As many are remembered.
	surprisePrior, surpriseMemory = 8.0, 48.0
	// mostSurprise bounds one observation, in units of what is known: one burst does not make a pool one of bursts.
	mostSurprise = 10.0
)

// surprise is how much more the arrivals of a lead time differ from what was
// expected of them than chance does: the peakedness of teletraffic, in which
// streams that come in bursts have more of it than 1, of which Poisson's is the
// mean. It is measured and not derived from counts: the load that arrived within
// the last lead time, less what was expected a lead time ago, squared, by the
// variance that chance and the error of the estimate explain. So it has
// everything in it by which an expectation errs: bursts, trends, stale forecasts.
//
// Only what came in excess counts, twice: agents that had too little to do hurt nobody.
type surprise struct {
	expected [surpriseSlots]expectation
	slot     int64
	sum      float64
	weight   float64
}

// expectation of the load that arrives within so many seconds.
type expectation struct {
	slot                  int64
	mean, variance, ahead float32
}

// factor by which the variance is greater than that of chance; at least 1.
func (s *surprise) factor() float64 {
	return max(1, (s.sum+surprisePrior)/(s.weight+surprisePrior))
}

func (s *surprise) at(slot int64) *expectation {
	return &s.expected[(slot%surpriseSlots+surpriseSlots)%surpriseSlots]
}

// observe settles the expectation for now, once a slot, and keeps a new one. Arrived is
// the load that arrived within so many seconds. What was announced surprises nobody:
// it is neither settled nor expected.
func (s *surprise) observe(now time.Time, announced bool, handle float64, e expectation, arrived func(seconds float64) float64) {
	slot := now.UnixNano() / int64(surpriseSlot)
	if slot == s.slot {
		return
	}
	s.slot = slot
	if announced {
		s.expected = [surpriseSlots]expectation{}
		return
	}
	if due := s.at(slot); due.slot == slot && due.variance > 0 {
		ahead := float64(due.ahead)
		excess := max(0, arrived(ahead)-float64(due.mean))
		seen := min(2*excess*excess/float64(due.variance), mostSurprise*s.factor())
		// Two observations of the same conversations are one: who arrived within the lead time, and is still there.
		worth := surpriseSlot.Seconds() / (ahead + handle)
		if s.weight += worth; s.weight > surpriseMemory {
			s.sum *= (surpriseMemory - worth) / (s.weight - worth)
			s.weight = surpriseMemory
		}
		s.sum = min(s.sum+worth*seen, mostFigures)
	}
	if ahead := float64(e.ahead); ahead > 0 && ahead <= mostAhead {
		e.slot = slot + int64(math.Round(ahead/surpriseSlot.Seconds()))
		*s.at(e.slot) = e
	}
}

// surpriseBytes are those of a stored surprise: what is expected right now is not among them.
const surpriseBytes = 8

// errSurprise says that stored bytes are no surprise.
var errSurprise = errors.New("how surprising arrivals were is no number that they can be")

// AppendBinary appends what was learned.
func (s *surprise) AppendBinary(to []byte) ([]byte, error) {
	to = binary.BigEndian.AppendUint32(to, math.Float32bits(float32(s.sum)))
	return binary.BigEndian.AppendUint32(to, math.Float32bits(float32(s.weight))), nil
}

// readSurprises takes surprises from the beginning of stored bytes and returns the rest.
func readSurprises(from []byte, into ...*surprise) ([]byte, error) {
	for _, s := range into {
		if len(from) < surpriseBytes {
			return nil, errSurprise
		}
		s.sum = float64(math.Float32frombits(binary.BigEndian.Uint32(from)))
		s.weight = float64(math.Float32frombits(binary.BigEndian.Uint32(from[4:])))
		if !(s.weight >= 0 && s.weight <= surpriseMemory+1e-3 && s.sum >= 0 && s.sum <= mostFigures) { // also NaN
			return nil, errSurprise
		}
		s.weight = min(s.weight, surpriseMemory)
		from = from[surpriseBytes:]
	}
	return from, nil
}

// join takes what was known before if that rests on more.
func (s *surprise) join(former *surprise) {
	if former.weight > s.weight {
		s.sum, s.weight = former.sum, former.weight
	}
}
