package routing

import (
	"fmt"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Review is to be decided each second: it measures what the agents can do, and enters and leaves the steps of the
// degradation ladders.
type Review struct{}

// leaveAt is the part of a step's predicted wait below which it is left again. Between the two nothing changes, so
// that a queue whose wait swings around a step does not flap.
const leaveAt = 0.8

// mostAtOnce is how many conversations a review moves or tells in one queue: the decisions of one second must stay
// a small batch.
const mostAtOnce = 200

//nolint:unparam // one of many inputs
func (Review) decide(d *Desk, now time.Time) error {
	d.measure(now)
	for i := range d.config.Queues {
		q := d.queues[d.config.Queues[i].Name]
		if len(q.Ladder) == 0 {
			continue
		}
		d.climb(q, now)
		d.sweep(q, now)
	}
	return nil
}

// newcomer's predicted wait. With nobody there it is longer than any.
func (q *queue) newcomer(now time.Time) (wait time.Duration, known bool) {
	if q.service.nobody {
		return longest, true
	}
	if q.line.len()-q.offered == 0 {
		return 0, true
	}
	return q.predicted(q.line.len()+1, now)
}

// climb enters and leaves steps.
func (d *Desk) climb(q *queue, now time.Time) {
	wait, known := q.newcomer(now)
	if !known {
		return
	}
	steps := q.steps
	for steps < len(q.Ladder) && wait >= q.Ladder[steps].PredictedWait {
		steps++
	}
	for steps > 0 && float64(wait) < leaveAt*float64(q.Ladder[steps-1].PredictedWait) {
		steps--
	}
	if steps == q.steps {
		return
	}
	millis, why := wait.Milliseconds(), "predicted wait "+span(wait)
	if q.service.nobody {
		millis, why = -1, "no agent who may serve the queue is there"
	}
	d.emit(now, "", &conversation.OverflowSet{Queue: q.name, Steps: steps, PredictedWaitMillis: millis, Why: []string{why}})
	d.matchFree(now)
}

// setSteps applies the steps of a queue that hold from here on.
func (d *Desk) setSteps(name string, steps int) {
	q := d.queues[name]
	if q == nil {
		return
	}
	q.steps = min(steps, len(q.Ladder))
	for _, cl := range d.classes {
		if cl.queue == q {
			d.judgeAll(cl)
		}
	}
}

// sweep lets those climb who waited before a step was entered, or before the queue became too long.
func (d *Desk) sweep(q *queue, now time.Time) {
	over := q.MaxLength > 0 && q.line.len() > q.MaxLength
	if q.steps == 0 && !over {
		return
	}
	var found []*entry
	position := 0
	q.line.walk(func(c *entry) bool {
		position++
		if c.state.Status == conversation.StatusQueued && d.stepFor(q, c, position, now) != nil {
			found = append(found, c)
		}
		return len(found) < mostAtOnce
	})
	for _, c := range found {
		if c.state.Status == conversation.StatusQueued && c.state.Queue == q.name {
			d.ladder(c, now)
		}
	}
}

// due is a step that a conversation takes, and why.
type due struct {
	step *Step
	why  string
}

// stepFor finds the first step that applies to a conversation at a place and that it has not taken yet.
func (d *Desk) stepFor(q *queue, c *entry, position int, now time.Time) *due {
	if len(q.Ladder) == 0 {
		return nil
	}
	last := &q.Ladder[len(q.Ladder)-1]
	switch waited := now.Sub(c.state.Arrival.At); {
	case q.MaxLength > 0 && position > q.MaxLength:
		return d.untaken(q, c, last, fmt.Sprintf("queue %s is full with %d", q.name, q.MaxLength))
	case q.MaxWait > 0 && waited >= q.MaxWait:
		return d.untaken(q, c, last, fmt.Sprintf("waited %s in queue %s, which allows %s", span(waited), q.name, span(q.MaxWait)))
	}
	for i := range q.Ladder[:q.steps] {
		step := &q.Ladder[i]
		wait, known := q.predicted(position, now)
		why := "predicted wait " + span(wait)
		if !known {
			why = "no agent who may serve the queue is there"
		} else if float64(wait) < leaveAt*float64(step.PredictedWait) {
			return nil
		}
		if step.Action == ActionPool {
			continue // the whole queue has it
		}
		if due := d.untaken(q, c, step, fmt.Sprintf("overflow step %d of queue %s: %s", i+1, q.name, why)); due != nil {
			return due
		}
	}
	return nil
}

// untaken gives the step if there is something left to do about it.
func (d *Desk) untaken(q *queue, c *entry, step *Step, why string) *due {
	s := &c.state
	open := false
	switch step.Action {
	case ActionPool:
		p := d.pools[step.Pool]
		open = p != nil && s.OverflowPool != step.Pool && !slices.Contains(q.pools, p)
	case ActionQueue:
		open = !s.Overflow && step.Queue != q.name && d.knownQueue(step.Queue, "") == nil
	case ActionMessage:
		text := d.inLanguage(s, step.Say)
		open = text.Text != "" && !slices.Contains(s.Said, conversation.SaidHash(text.Text))
	case ActionCallback:
	}
	if !open {
		return nil
	}
	return &due{step: step, why: why}
}

// ladder lets a waiting conversation take the steps that apply to it.
func (d *Desk) ladder(c *entry, now time.Time) {
	for d.err == nil && c.state.Status == conversation.StatusQueued {
		q := d.queues[c.state.Queue]
		if len(q.Ladder) == 0 || c.state.PinnedTo(now) != "" {
			return
		}
		due := d.stepFor(q, c, 1+q.line.rank(c), now)
		if due == nil {
			return
		}
		s := &c.state
		switch due.step.Action {
		case ActionPool:
			d.emit(now, s.ID, &conversation.Overflowed{Pool: due.step.Pool, Why: []string{due.why}})
			d.matchConversation(c, now)
		case ActionQueue:
			d.moveTo(c, due.step.Queue, conversation.Queued{Cause: conversation.CauseOverflow, Overflow: true, Why: []string{due.why}}, now)
			d.matchConversation(c, now)
		default:
			d.tell(c, due.step.Say, now)
		}
	}
}

// tell says something to the customer, once in a conversation's life.
func (d *Desk) tell(c *entry, say []Text, now time.Time) {
	text := d.inLanguage(&c.state, say)
	if text.Text != "" && !slices.Contains(c.state.Said, conversation.SaidHash(text.Text)) {
		d.emit(now, c.state.ID, &conversation.Said{Text: text.Text, Language: text.Language})
	}
}

// inLanguage picks the customer's language, then the desk's, then the first.
func (d *Desk) inLanguage(s *conversation.State, say []Text) Text {
	for _, language := range []string{s.Language, base(s.Language), d.config.Language} {
		for _, t := range say {
			if language != "" && (t.Language == language || base(t.Language) == language) {
				return t
			}
		}
	}
	if len(say) > 0 {
		return say[0]
	}
	return Text{}
}

// base of a language tag: zh of zh-Hant.
func base(language string) string {
	for i, r := range language {
		if r == '-' {
			return language[:i]
		}
	}
	return language
}
