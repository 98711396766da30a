package calendar

import (
	"math"
	"sort"
	"time"

	_ "time/tzdata" // the image has no zone database; see the package's comment
)

// zone is the clock changes of a time zone in the years that calendars know, as a table: asking the
// time package for each boundary of each day costs several times what everything else does.
type zone struct {
	segments []segment
}

// segment is a stretch of time with one offset from UTC. It ends where the next begins.
type segment struct {
	start  int64 // Unix seconds; the first segment has none and begins with time
	offset int64 // seconds east of UTC
	// reach is the latest local time, in seconds, that the clock comes to before the end of this segment,
	// in this or an earlier one; it is not reached itself. It never falls from segment to segment,
	// which is what makes a search possible.
	reach int64
}

// loadZone finds a zone by its IANA name. The names that the time package adds are none.
func loadZone(name string) (*time.Location, bool) {
	if name == "" || name == "Local" {
		return nil, false
	}
	location, err := time.LoadLocation(name)
	return location, err == nil
}

func newZone(location *time.Location) *zone {
	z := &zone{}
	// Two days more on both sides: local dates begin before and end after those of UTC.
	at := time.Unix((firstDay-2)*secondsPerDay, 0).In(location)
	stop := time.Unix((lastDay+3)*secondsPerDay, 0)
	start := int64(math.MinInt64)
	for {
		_, offset := at.Zone()
		if last := len(z.segments) - 1; last < 0 || z.segments[last].offset != int64(offset) {
			z.segments = append(z.segments, segment{start: start, offset: int64(offset)})
		}
		_, end := at.ZoneBounds()
		if !end.IsZero() && !end.After(at) {
			// golang/go#81583: on the last day of a leap year the end that is given is the beginning of that
			// day, and the loop would not end.
			end = at.Add(secondsPerDay * time.Second)
		}
		if end.IsZero() || !end.Before(stop) {
			break
		}
		at, start = end, end.Unix()
	}
	reach := int64(math.MinInt64)
	for i := range z.segments {
		if i+1 < len(z.segments) {
			reach = max(reach, z.segments[i+1].start+z.segments[i].offset)
		} else {
			reach = math.MaxInt64
		}
		z.segments[i].reach = reach
	}
	return z
}

// offsetAt gives the offset from UTC at an instant.
func (z *zone) offsetAt(unix int64) int64 {
	low, high := 0, len(z.segments) // the last segment that begins at or before unix is in [low, high)
	for high-low > 1 {
		if middle := (low + high) / 2; z.segments[middle].start <= unix {
			low = middle
		} else {
			high = middle
		}
	}
	return z.segments[low].offset
}

// instant gives the first instant at which the clock shows this local time or a later one. The hint
// is the segment of the last answer; boundaries are asked for in order, or nearly.
func (z *zone) instant(local int64, hint *int) int64 {
	i := *hint
	for z.segments[i].reach <= local {
		i++
	}
	for i > 0 && z.segments[i-1].reach > local {
		i--
	}
	*hint = i
	return max(z.segments[i].start, local-z.segments[i].offset)
}

// hintFor gives the hint for a first local time, so that the search is not linear.
func (z *zone) hintFor(local int64) int {
	return sort.Search(len(z.segments)-1, func(i int) bool { return z.segments[i].reach > local })
}
