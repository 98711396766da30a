package routing

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// sample is a mean and a variance of which old values count less and less (Welford's method with forgetting).
type sample struct{ n, mean, squares float64 }

// remembered is how many values count at most.
const remembered = 200

func (s *sample) add(x float64) {
	const keep = 1 - 1.0/remembered
	s.n = s.n*keep + 1
	before := x - s.mean
	s.mean += before / s.n
	s.squares = s.squares*keep + before*(x-s.mean)
}

func (s *sample) variance() float64 {
	if s.n < 2 {
		return 0
	}
	return s.squares / s.n
}

// meanTime of values in seconds.
func (s *sample) meanTime() time.Duration { return time.Duration(s.mean * float64(time.Second)) }

// service is how fast a queue is served while people wait in it: answers, and the seconds in which they were given.
// Both are halved with each halfLife.
type service struct {
	answers, seconds float64
	// last answer, or the beginning of the backlog; zero while nobody waits without an agent.
	last time.Time
	// decayed is when the sums were last halved in part.
	decayed time.Time
	// capacity is what the slots could answer in a second, by the mean handle time; 0 when that is not known. It is
	// measured now and then, and no part of the log.
	capacity float64
	// nobody is there who may serve the queue.
	nobody bool
}

// halfLife of the service rate: the last minutes count.
const halfLife = 2 * time.Minute

// capacityWeight is how many answers the capacity counts for: when few were given lately, slots over handle time tell
// more than they.
const capacityWeight = 4

func (s *service) decay(at time.Time) {
	if !s.decayed.IsZero() {
		keep := math.Exp2(-float64(at.Sub(s.decayed)) / float64(halfLife))
		s.answers *= keep
		s.seconds *= keep
	}
	s.decayed = at
}

// backlog changes between somebody and nobody who waits without an agent.
func (s *service) backlog(waiting bool, at time.Time) {
	switch {
	case !waiting:
		s.last = time.Time{}
	case s.last.IsZero():
		s.last = at
	}
}

func (s *service) answered(at time.Time) {
	if s.last.IsZero() {
		return // there was no backlog: the pace was that of the arrivals
	}
	s.decay(at)
	s.answers++
	s.seconds += max(0, at.Sub(s.last).Seconds())
	s.last = at
}

// rate of answers in a second; 0 when it is not known.
func (s *service) rate(now time.Time) float64 {
	keep := 1.0
	if !s.decayed.IsZero() {
		keep = math.Exp2(-float64(now.Sub(s.decayed)) / float64(halfLife))
	}
	answers, seconds := s.answers*keep, s.seconds*keep
	if !s.last.IsZero() {
		seconds += max(0, now.Sub(s.last).Seconds())
	}
	if s.capacity > 0 {
		answers += capacityWeight
		seconds += capacityWeight / s.capacity
	}
	if answers < 1 || seconds <= 0 {
		return 0
	}
	return answers / seconds
}

// predicted wait at a place of the queue; known is false while nothing tells.
func (q *queue) predicted(position int, now time.Time) (wait time.Duration, known bool) {
	return q.predictedAt(position, q.service.rate(now))
}

// predictedAt is predicted with a rate that is known already.
func (q *queue) predictedAt(position int, rate float64) (wait time.Duration, known bool) {
	if q.service.nobody || rate <= 0 {
		return 0, false
	}
	// Those on offer have an agent.
	ahead := max(1, position-q.offered)
	return time.Duration(min(float64(ahead)/rate, longest.Seconds()) * float64(time.Second)), true
}

// longest wait that is predicted.
const longest = 24 * time.Hour

// ExpectedWait of a waiting conversation from now on; known is false while nothing tells, or nobody is there.
func (d *Desk) ExpectedWait(conv conversation.ID, now time.Time) (wait time.Duration, known bool) {
	c := d.convs[conv]
	if c == nil || !c.state.Status.Waiting() {
		return 0, false
	}
	if c.state.Status == conversation.StatusOffered {
		return time.Second, true
	}
	q := d.queues[c.state.Queue]
	return q.predicted(1+q.line.rank(c), now)
}

// NewcomersWait is the expected wait of who comes to a queue now; known is false while nothing tells, or nobody is there.
func (d *Desk) NewcomersWait(queue string, now time.Time) (wait time.Duration, known bool) {
	q := d.queues[queue]
	if q == nil || q.service.nobody {
		return 0, false
	}
	return q.newcomer(now)
}

// Announces says what customers who wait in a queue are told.
func (d *Desk) Announces(queue string) Announce {
	if q := d.queues[queue]; q != nil && q.Announce != "" {
		return q.Announce
	}
	return AnnouncePositionAndWait
}

// measure finds what the agents who are there can do for each queue. An agent's slots are shared among the queues
// in which somebody waits for it.
func (d *Desk) measure(now time.Time) {
	slots := make([]int, len(d.profiles))
	var there bitset
	for _, a := range d.agents {
		if a.profile == nil || a.presence != conversation.PresenceOnline || a.draining {
			continue
		}
		if a.duty.look(now); len(a.duty.shifts) > 0 && !a.duty.on {
			continue
		}
		slots[a.profile.index] += a.profile.slots
		there.set(a.profile.index)
	}
	queues := d.sortedQueues()
	shares := d.shares(queues)
	usual := d.handleMean(queues)
	for _, q := range queues {
		q.service.nobody, q.service.capacity = true, 0
		mean := q.handle.mean
		if q.handle.n < 3 {
			mean = usual
		}
		for i := range d.classOf(q, &conversation.State{Queue: q.name}).eligible.both(there) {
			q.service.nobody = false
			if mean > 0 {
				q.service.capacity += float64(slots[i]) / float64(max(1, shares[i])) / mean
			}
		}
	}
}

// shares counts for each profile the queues in which somebody waits for its agents.
func (d *Desk) shares(queues []*queue) []int {
	shares := make([]int, len(d.profiles))
	waited := map[*queue]bitset{} // the profiles that are waited for
	for _, cl := range d.classes {
		if cl.waiting.len() == 0 {
			continue
		}
		all := waited[cl.queue]
		for len(all) < len(cl.eligible) {
			all = append(all, 0)
		}
		for w, word := range cl.eligible {
			all[w] |= word
		}
		waited[cl.queue] = all
	}
	for _, q := range queues {
		for i := range waited[q].both(waited[q]) {
			shares[i]++
		}
	}
	return shares
}

// handleMean of the queues, in seconds; 0 when nothing was handled yet.
func (d *Desk) handleMean(queues []*queue) float64 {
	n, sum := 0.0, 0.0
	for _, q := range queues {
		n += q.handle.n
		sum += q.handle.n * q.handle.mean
	}
	if n == 0 {
		return 0
	}
	return sum / n
}

// sortedQueues lists all queues by name: sums of floating point numbers depend on their order.
func (d *Desk) sortedQueues() []*queue {
	return slices.SortedFunc(maps.Values(d.queues), func(a, b *queue) int { return cmp.Compare(a.name, b.name) })
}
