package routing_test

import (
	"slices"
	"time"
)

// shift of the agent at now: whether it is on, and until when; zero for no end.
func (m *model) shift(a *modelAgent, now time.Time) (on bool, end time.Time) {
	on = true
	for _, p := range m.pools(a) {
		for _, s := range p.Shifts {
			if slices.Contains(s.Members, a.ID) {
				on, end = s.Hours.At(now)
			}
		}
	}
	for _, p := range m.pools(a) {
		for _, tier := range p.Reserve {
			if slices.Contains(tier.Members, a.ID) {
				on, end = m.called[[2]string{p.Name, tier.Name}], time.Time{}
			}
		}
	}
	return on, end
}

// lasts says whether the agent's shift lasts for a conversation of the queue.
func (m *model) lasts(a *modelAgent, queue string, now time.Time) bool {
	on, end := m.shift(a, now)
	// At most half of the shift, whose length is taken as 16 hours halved until it fits into the 40 seconds.
	handle := min(time.Duration(m.handled[queue][0]*float64(time.Second)), 16*time.Hour>>11/2)
	return on && (end.IsZero() || !now.Add(handle).After(end))
}
