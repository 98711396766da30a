package forecast

import "time"

// The last ten minutes are kept in slots, so that their size does not depend on how often figures come.
const (
	slotSeconds   = 5
	slots         = 120
	recentSeconds = float64(slotSeconds * slots)
)

// recent arrivals.
type recent struct {
	last  int64 // the slot of the latest figures, in slotSeconds since 1970
	end   float64
	count [slots]float32
	// seconds that were watched without a pause, at most those of all slots.
	seconds float64
}

func (r *recent) add(from, to time.Time, count float64) {
	length := to.Sub(from).Seconds()
	start, end := seconds(from), seconds(to)
	if length > recentSeconds || start < r.end-1 || start > r.end+30 {
		// The beginning, a pause, or a clock that was set back: what was before says nothing about now.
		*r = recent{last: int64(start) / slotSeconds}
	}
	length = min(length, recentSeconds)
	for at := start; at < end; {
		slot := int64(at) / slotSeconds
		until := min(end, float64((slot+1)*slotSeconds))
		r.put(slot, float32(count*(until-at)/length))
		at = until
	}
	r.end = end
	r.seconds = min(r.seconds+length, recentSeconds)
}

func seconds(t time.Time) float64 { return float64(t.Unix()) + float64(t.Nanosecond())/1e9 }

func (r *recent) put(slot int64, count float32) {
	for r.last < slot {
		r.last++
		r.count[r.last%slots] = 0
	}
	r.count[(slot%slots+slots)%slots] += count
}

// sum of the last so many seconds, at most those that were watched.
func (r *recent) sum(length float64) float64 { return r.weighted(length, nil) }

// weighted is the same, each by its age in seconds; nil is 1 for all.
func (r *recent) weighted(length float64, weight func(age float64) float64) float64 {
	begin := r.end - min(length, r.seconds)
	sum := 0.0
	for slot := r.last; slot > r.last-slots; slot-- {
		left := float64(slot * slotSeconds)
		right := min(r.end, left+slotSeconds)
		if right <= begin {
			break
		}
		if right <= left {
			continue
		}
		part := 1.0
		if left < begin {
			part = (right - begin) / (right - left)
			left = begin
		}
		if weight != nil {
			part *= weight(r.end - (left+right)/2)
		}
		sum += part * float64(r.count[(slot%slots+slots)%slots])
	}
	return sum
}
