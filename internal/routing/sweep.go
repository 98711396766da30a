package routing

import (
	"math"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// mostSteps of a ladder that the API allows; of what has more, every review looks at everybody.
const mostSteps = 8

// swept is what the last look at everybody in an overflowing queue has seen. While it stands nobody has to be looked at
// again: a desk that has thousands waiting would do so each second.
type swept struct {
	// clean says that nobody was left who had a step to take.
	clean   bool
	version uint64
	steps   int
	// from are the positions from which on the steps apply, open those of them that lead to where something is taken.
	from [mostSteps]int
	open [mostSteps]bool
}

// covers says whether everything that would be seen now was seen then.
func (s *swept) covers(now *swept) bool {
	if !s.clean || s.version != now.version || s.steps != now.steps {
		return false
	}
	for i := range s.from {
		if now.from[i] < s.from[i] || now.open[i] && !s.open[i] {
			return false
		}
	}
	return true
}

// view is what a sweep would see now; ok is false for ladders beyond what is kept.
func (d *Desk) view(q *queue, rate float64) (v swept, ok bool) {
	if len(q.Ladder) > mostSteps {
		return v, false
	}
	v.version, v.steps = q.version, q.steps
	for i := range q.Ladder {
		v.from[i], v.open[i] = q.stepFrom(i, rate), d.takes(&q.Ladder[i])
	}
	return v, true
}

// stepFrom is the first position at which a step applies by the prediction.
func (q *queue) stepFrom(i int, rate float64) int {
	least := leaveAt * float64(q.Ladder[i].PredictedWait)
	if q.holding(i) != nil {
		return 1
	}
	if i >= q.steps || least > float64(longest) {
		return math.MaxInt
	}
	if q.service.nobody || rate <= 0 {
		return 1
	}
	applies := func(position int) bool {
		wait, _ := q.predictedAt(position, rate)
		return float64(wait) >= least
	}
	// predictedAt, the other way round. Floating point numbers are not exact: the neighbours tell.
	position := max(1, int(min(math.Ceil(least/float64(time.Second)*rate), math.MaxInt32))+q.offered)
	for position > 1 && applies(position-1) {
		position--
	}
	for !applies(position) && position < math.MaxInt32 {
		position++
	}
	return position
}

// firstToLook is the first position in the queue at which any step may apply.
func (q *queue) firstToLook(rate float64) int {
	if q.MaxWait > 0 {
		return 1 // who has waited too long may stand anywhere
	}
	first := math.MaxInt
	if q.MaxLength > 0 {
		first = q.MaxLength + 1
	}
	for i := range q.Ladder {
		if q.applies(i) && q.Ladder[i].Action != ActionPool { // those the whole queue has
			first = min(first, q.stepFrom(i, rate))
		}
	}
	return first
}

// sweep lets those climb, at most so many, who waited before a step was entered, or before the queue became too long.
// It returns how many did.
func (d *Desk) sweep(q *queue, most int, now time.Time) int {
	over := q.MaxLength > 0 && q.line.len() > q.MaxLength
	if q.steps == 0 && len(q.held) == 0 && !over {
		q.swept.clean = false
		return 0
	}
	rate := q.service.rate(now)
	seen, kept := d.view(q, rate)
	if most <= 0 || kept && q.swept.covers(&seen) {
		return 0
	}
	found := d.untakenIn(q, most, rate, now)
	seen.clean = kept && len(found) == 0
	q.swept = seen
	for _, c := range found {
		if c.state.Status == conversation.StatusQueued && c.state.Queue == q.name {
			d.ladder(c, now)
		}
	}
	return len(found)
}

// untakenIn finds those in the queue, at most so many, who have a step to take.
func (d *Desk) untakenIn(q *queue, most int, rate float64, now time.Time) []*entry {
	var found []*entry
	position := q.firstToLook(rate) - 1
	q.line.walkFrom(position, func(c *entry) bool {
		position++
		if c.state.Status == conversation.StatusQueued && d.stepFor(q, c, position, rate, now) != nil {
			found = append(found, c)
		}
		return len(found) < most
	})
	return found
}
