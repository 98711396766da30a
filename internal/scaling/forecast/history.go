// Package forecast remembers how many conversations arrived, in bins of five
// minutes for eight weeks, and says how many are to be expected: the median of
// comparable days, corrected by what the last minutes showed. It is pure: counts
// and times come in, rates come out.
package forecast

import (
	"math"
	"time"
)

const (
	// BinLength is the length of a bin.
	BinLength  = 5 * time.Minute
	binSeconds = int64(BinLength / time.Second)
	// Days that are remembered.
	Days = 56
	// BinsPerDay in a day of UTC.
	BinsPerDay = 288
	// covered is the share of a bin that must have been watched for its count to be known.
	covered = 0.8
	// missing is the code of a bin that nobody watched. Missing is never zero.
	missing = math.MaxUint16
)

// History of arrivals. The zero value is empty and ready. Its size is bounded: 576
// bytes a day of UTC in which anything was seen, 32 kB in all.
type History struct {
	days [Days]*day
	// open is the bin that is being filled, as the number of bins since 1970; 0 for none. What came in it, and for
	// how many seconds it was watched.
	open    int64
	count   float64
	watched float64
}

type day struct {
	number int64 // days of UTC since 1970
	bins   [BinsPerDay]uint16
}

func binOf(unix int64) int64 { return floorDiv(unix, binSeconds) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Add takes in that count conversations arrived between two times; a stretch that
// is longer than a bin, ends before what is known or is not positive is ignored:
// of such a time nobody knows how the arrivals lay in it.
func (h *History) Add(from, to time.Time, count float64) {
	length := to.Sub(from)
	if length <= 0 || length > BinLength || !(count >= 0) || math.IsInf(count, 0) || from.Unix() < binSeconds { // also NaN
		return
	}
	first, last := binOf(from.Unix()), binOf(to.Unix())
	if first < h.open {
		return
	}
	if first == last {
		h.put(first, count, length.Seconds())
		return
	}
	border := time.Unix(last*binSeconds, 0)
	share := border.Sub(from).Seconds() / length.Seconds()
	h.put(first, count*share, border.Sub(from).Seconds())
	h.put(last, count*(1-share), to.Sub(border).Seconds())
}

func (h *History) put(bin int64, count, seconds float64) {
	if bin != h.open {
		h.close()
		h.open, h.count, h.watched = bin, 0, 0
	}
	h.count += count
	h.watched += seconds
}

// close stores the open bin, if it was watched for long enough.
func (h *History) close() {
	if h.open == 0 || h.watched < covered*float64(binSeconds) {
		return
	}
	h.set(h.open, encode(h.count*float64(binSeconds)/h.watched))
}

func (h *History) set(bin int64, code uint16) {
	number := floorDiv(bin, BinsPerDay)
	slot := &h.days[number%Days]
	if *slot == nil || (*slot).number < number {
		*slot = &day{number: number}
		for i := range (*slot).bins {
			(*slot).bins[i] = missing
		}
	}
	if (*slot).number == number {
		(*slot).bins[bin%BinsPerDay] = code
	}
}

// at is the count of a bin that is complete; false when nobody knows it.
func (h *History) at(bin int64) (float64, bool) {
	if bin < 0 {
		return 0, false
	}
	number := bin / BinsPerDay
	d := h.days[number%Days]
	if d == nil || d.number != number {
		return 0, false
	}
	code := d.bins[bin%BinsPerDay]
	return decode(code), code != missing
}

// Count is how many conversations arrived in the bin of a time; false when nobody watched it, and while it is not over.
func (h *History) Count(at time.Time) (float64, bool) { return h.at(binOf(at.Unix())) }

// Merge takes over what another history knows and this one does not.
func (h *History) Merge(other *History) {
	for _, d := range other.days {
		if d == nil {
			continue
		}
		for i, code := range d.bins {
			bin := d.number*BinsPerDay + int64(i)
			if _, known := h.at(bin); !known && code != missing {
				h.set(bin, code)
			}
		}
	}
}

// A count is kept in 16 bits, four of exponent and twelve of fraction: exact up
// to 8191, then to one in four thousand, up to 134 million in five minutes.
const (
	fractionBits = 12
	fractionMask = 1<<fractionBits - 1
)

func encode(count float64) uint16 {
	n := uint64(math.Round(min(max(count, 0), 1<<26)))
	exponent := uint64(0)
	if n > fractionMask {
		exponent = 1
		for n>>(exponent-1) > fractionMask+1+fractionMask {
			exponent++
		}
		n = n>>(exponent-1) - (fractionMask + 1)
	}
	return uint16(min(exponent<<fractionBits|n, missing-1)) //nolint:gosec // within 16 bits by the min before it
}

func decode(code uint16) float64 {
	exponent, n := uint64(code)>>fractionBits, uint64(code)&fractionMask
	if exponent == 0 {
		return float64(n)
	}
	return float64((n + fractionMask + 1) << (exponent - 1))
}
