package router

import "time"

// levelSlot and levelSlots cut the last five minutes, over which a service level is told.
const (
	levelSlot  = 10 * time.Second
	levelSlots = 30
)

// levels counts what was answered in time, over the last five minutes.
type levels [levelSlots]struct {
	slot     int64
	of, good int
}

func (l *levels) add(at time.Time, good bool) {
	slot := at.Unix() / int64(levelSlot/time.Second)
	s := &l[slot%levelSlots]
	if s.slot != slot {
		s.slot, s.of, s.good = slot, 0, 0
	}
	s.of++
	if good {
		s.good++
	}
}

// sum tells how many there were, and the share of those in time in percent.
func (l *levels) sum(now time.Time) (of int, percent float64) {
	newest := now.Unix() / int64(levelSlot/time.Second)
	good := 0
	for _, s := range l {
		if newest-s.slot < levelSlots {
			of += s.of
			good += s.good
		}
	}
	if of == 0 {
		return 0, 0
	}
	return of, 100 * float64(good) / float64(of)
}
