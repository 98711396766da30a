package router

import "time"

// levelSlot and levelSlots cut the last five minutes, over which a service level is told.
const (
	levelSlot  = 10 * time.Second
	levelSlots = 30
)

// levels counts what was answered in time, over the last five minutes.
type levels [levelSlots]struct {
	slot           int64
	of, good, lost int
}

// add what was answered, in time or not, or given up too late.
func (l *levels) add(at time.Time, good, lost bool) {
	slot := at.Unix() / int64(levelSlot/time.Second)
	s := &l[slot%levelSlots]
	if s.slot != slot {
		s.slot, s.of, s.good, s.lost = slot, 0, 0, 0
	}
	s.of++
	if good {
		s.good++
	}
	if lost {
		s.lost++
	}
}

// sum tells how many there were, and the shares of those in time and of those given up, in percent.
func (l *levels) sum(now time.Time) (of int, percent, lostPercent float64) {
	newest := now.Unix() / int64(levelSlot/time.Second)
	good, lost := 0, 0
	for _, s := range l {
		if newest-s.slot < levelSlots {
			of += s.of
			good += s.good
			lost += s.lost
		}
	}
	if of == 0 {
		return 0, 0, 0
	}
	return of, 100 * float64(good) / float64(of), 100 * float64(lost) / float64(of)
}
