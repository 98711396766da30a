package whatif

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

// Recorded are arrivals of whole days, by the quarter of an hour.
type Recorded struct {
	// From is the midnight of the first day, in the desk's zone, and To that after the last.
	From, To time.Time
	// Counts from From on.
	Counts []int64
}

// Trim the days before anything came: a desk that began within the time had no customers before, which says nothing about
// the days to come. It is false when nothing came at all.
func (r Recorded) Trim() (Recorded, bool) {
	for i, n := range r.Counts {
		if n == 0 {
			continue
		}
		year, month, date := r.From.Add(time.Duration(i) * Quarter).In(r.From.Location()).Date()
		first := time.Date(year, month, date, 0, 0, 0, 0, r.From.Location())
		return Recorded{From: first, To: r.To, Counts: r.Counts[int(first.Sub(r.From)/Quarter):]}, true
	}
	return r, false
}

// Days that are recorded.
func (r Recorded) Days() int {
	days := 0
	for at := r.From; at.Before(r.To); at = at.AddDate(0, 0, 1) {
		days++
	}
	return days
}

// Weeks is the number of days by which the recorded days are moved so that they come after To and keep their weekdays.
func (r Recorded) Weeks() int { return (r.Days() + 6) / 7 * 7 }

// Count is how many arrived in the quarter of an hour of a time; 0 outside of what was recorded.
func (r Recorded) Count(at time.Time) float64 {
	if i := int(at.Sub(r.From) / Quarter); !at.Before(r.From) && i < len(r.Counts) {
		return float64(r.Counts[i])
	}
	return 0
}

// Moved are the counts of the same days so many days later, by the clock on the wall, on which also a day has its hours on which a
// clock is set.
func (r Recorded) Moved(days int) (start time.Time, counts []float64) {
	start = r.From.AddDate(0, 0, days)
	for at, end := start, r.To.AddDate(0, 0, days); at.Before(end); at = at.Add(Quarter) {
		counts = append(counts, r.Count(at.AddDate(0, 0, -days)))
	}
	return start, counts
}

// History of the recorded days in bins of five minutes, as a pool has learned it that ran until a start so many days after From.
func (r Recorded) History(days int) []float64 {
	start := r.From.AddDate(0, 0, days)
	back := min(r.Weeks(), days)
	var bins []float64
	for at := start.AddDate(0, 0, -back); at.Before(start); at = at.Add(5 * time.Minute) {
		bins = append(bins, r.Count(at.AddDate(0, 0, back-days))/3)
	}
	return bins
}

// Trace of counts by the quarter of an hour, times a scale.
func Trace(start time.Time, counts []float64, scale float64) (*world.Trace, error) {
	return world.Counts(start, quarterSeconds, counts, false, scale)
}
