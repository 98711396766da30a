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

// mostAtOnce is how many conversations a review moves or tells: each has messages of its own on the bus, and the
// desk stands still while they are stored.
const mostAtOnce = 200

//nolint:unparam // one of many inputs
func (Review) decide(d *Desk, now time.Time) error {
	d.measure(now)
	if closed, _ := d.closed(now); closed {
		for _, q := range d.queues {
			q.swept.clean = false // what becomes due meanwhile is looked at when the desk opens
		}
		return nil // who waits for the desk to open waits in the queue whose agents will know the matter
	}
	left := mostAtOnce
	for i := range d.config.Queues {
		q := d.queues[d.config.Queues[i].Name]
		if len(q.Ladder) == 0 {
			continue
		}
		d.climb(q, now)
		left -= d.sweep(q, left, now)
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
	d.judgeQueue(q)
}

// stepFor finds the first step that applies to a conversation at a place of a queue that is served at a rate, and
// that the conversation has not taken yet: those that people hold go before those that the prediction asks for. Each
// second everybody in an overflowing queue is looked at: no allocations.
func (d *Desk) stepFor(q *queue, c *entry, position int, rate float64, now time.Time) *Step {
	if len(q.Ladder) == 0 {
		return nil
	}
	for i := range q.held {
		if step := &q.Ladder[q.held[i].Step-1]; step.Action != ActionPool { // the whole queue has the pool
			if untaken := d.untaken(q, c, step); untaken != nil {
				return untaken
			}
		}
	}
	if q.tooMany(position) || q.tooLong(c, now) {
		return d.untaken(q, c, &q.Ladder[len(q.Ladder)-1])
	}
	wait, known := q.predictedAt(position, rate)
	for i := range q.Ladder[:q.steps] {
		step := &q.Ladder[i]
		if known && float64(wait) < leaveAt*float64(step.PredictedWait) {
			return nil
		}
		if step.Action == ActionPool {
			continue // the whole queue has it
		}
		if untaken := d.untaken(q, c, step); untaken != nil {
			return untaken
		}
	}
	return nil
}

func (q *queue) tooMany(position int) bool { return q.MaxLength > 0 && position > q.MaxLength }

func (q *queue) tooLong(c *entry, now time.Time) bool {
	return q.MaxWait > 0 && now.Sub(c.state.Arrival.At) >= q.MaxWait
}

// whyStep says why a step applies.
func (q *queue) whyStep(step *Step, c *entry, position int, rate float64, now time.Time) string {
	for i := range q.held {
		if held := &q.held[i]; &q.Ladder[held.Step-1] == step {
			return whyHeld(q.name, step, held)
		}
	}
	switch {
	case q.tooMany(position):
		return fmt.Sprintf("overflow: queue %s is full with %d", q.name, q.MaxLength)
	case q.tooLong(c, now):
		return fmt.Sprintf("overflow: waited %s in queue %s, which allows %s", span(now.Sub(c.state.Arrival.At)), q.name, span(q.MaxWait))
	}
	if wait, known := q.predictedAt(position, rate); known {
		return fmt.Sprintf("overflow of queue %s: predicted wait %s", q.name, span(wait))
	}
	return fmt.Sprintf("overflow of queue %s: no agent who may serve it is there", q.name)
}

// untaken gives the step if there is something left to do about it.
func (d *Desk) untaken(q *queue, c *entry, step *Step) *Step {
	s := &c.state
	open := false
	switch step.Action {
	case ActionPool:
		p := d.pools[step.Pool]
		open = p != nil && s.OverflowPool != step.Pool && !slices.Contains(q.pools, p)
	case ActionQueue:
		open = !s.Overflow && step.Queue != q.name && d.takes(step)
	case ActionBot:
		// What a person has answered is not given back to a machine.
		open = !s.Overflow && s.AnsweredAt.IsZero() && d.takes(step)
	case ActionCallback:
		open = !s.CallbackOffered
	case ActionMessage:
		text := d.inLanguage(s, step.Say)
		open = text.Text != "" && !slices.Contains(s.Said, d.saidHash(text.Text))
	}
	if !open {
		return nil
	}
	return step
}

// takes says whether where a step leads to takes anything now.
func (d *Desk) takes(step *Step) bool {
	switch step.Action {
	case ActionQueue:
		// A queue in which nobody is either would only take the place from it.
		return d.hasQueue(step.Queue) && !d.queues[step.Queue].service.nobody
	case ActionBot:
		// Waiting there as well would help nobody.
		q := d.queues[conversation.BotQueue]
		return d.config.hasBots() && q != nil && !q.service.nobody && q.line.len() == 0
	default:
		return true
	}
}

// hasQueue is knownQueue without words.
func (d *Desk) hasQueue(name string) bool {
	return slices.ContainsFunc(d.config.Queues, func(q Queue) bool { return q.Name == name })
}

// saidHash remembers the hashes of the few texts that the configuration has.
func (d *Desk) saidHash(text string) uint64 {
	h, known := d.hashes[text]
	if !known {
		h = conversation.SaidHash(text)
		d.hashes[text] = h
	}
	return h
}

// ladder lets a waiting conversation take the steps that apply to it.
func (d *Desk) ladder(c *entry, now time.Time) {
	if q := d.queues[c.state.Queue]; len(q.Ladder) == 0 {
		return
	}
	if closed, _ := d.closed(now); closed {
		return
	}
	for d.err == nil && c.state.Status == conversation.StatusQueued {
		q := d.queues[c.state.Queue]
		if c.state.PinnedTo(now) != "" {
			return
		}
		position, rate := 1+q.line.rank(c), q.service.rate(now)
		step := d.stepFor(q, c, position, rate, now)
		if step == nil {
			return
		}
		s, why := &c.state, []string{q.whyStep(step, c, position, rate, now)}
		switch step.Action {
		case ActionPool:
			d.emit(now, s.ID, &conversation.Overflowed{Pool: step.Pool, Why: why})
			d.matchConversation(c, now)
		case ActionQueue:
			d.moveTo(c, step.Queue, conversation.Queued{Cause: conversation.CauseOverflow, Overflow: true, Why: why}, now)
			d.matchConversation(c, now)
		case ActionBot:
			d.tell(c, step.Say, now)
			d.moveTo(c, conversation.BotQueue, conversation.Queued{
				Cause: conversation.CauseOverflow, Overflow: true, BotsFrom: s.MsgSeq, Why: why,
			}, now)
			d.matchConversation(c, now)
		case ActionCallback:
			d.tell(c, step.Say, now)
			d.emit(now, s.ID, &conversation.CallbackOffered{Why: why})
		default:
			d.tell(c, step.Say, now)
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
	for _, language := range [...]string{s.Language, base(s.Language), d.config.Language} {
		for i := range say {
			if language != "" && (say[i].Language == language || base(say[i].Language) == language) {
				return say[i]
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
