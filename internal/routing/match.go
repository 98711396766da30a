package routing

import (
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// matchConversation finds an agent for a conversation that came to wait. The readiest agent may have
// to take another one first, that came to wait together with this one and goes before it.
func (d *Desk) matchConversation(c *entry, now time.Time) {
	for d.err == nil && c.state.Status == conversation.StatusQueued {
		a, free := d.readiest(c, now)
		if a == nil {
			return
		}
		first, via := d.best(a, now)
		d.give(first, a, via, free, now)
	}
}

// readiest finds the agent that should take the conversation, and says how many are free for its queue.
func (d *Desk) readiest(c *entry, now time.Time) (best *agent, free int) {
	for _, p := range d.queues[c.state.Queue].pools {
		free += p.free.len()
		a, ok := p.free.find(func(a *agent) bool { return !c.state.PassedBy(a.ID, now) })
		if ok && (best == nil || readier(a, best)) {
			best = a
		}
	}
	return best, free
}

// matchAgent gives an agent that became able to take conversations the best ones that wait for it.
func (d *Desk) matchAgent(a *agent, now time.Time) {
	for d.err == nil && a.canTake() {
		c, via := d.best(a, now)
		if c == nil {
			return
		}
		d.give(c, a, via, 1, now)
	}
}

// best finds the conversation that an agent should take: the highest priority of its queues' heads, of
// equal ones that of the earlier queue.
func (d *Desk) best(a *agent, now time.Time) (best *entry, via *pool) {
	for _, p := range a.pools {
		for _, name := range p.serves() {
			q := d.queues[name]
			if q == nil {
				continue
			}
			c, ok := q.waiting.find(func(c *entry) bool { return !c.state.PassedBy(a.ID, now) })
			if ok && (best == nil || c.state.Priority > best.state.Priority) {
				best, via = c, p
			}
		}
	}
	return best, via
}

// give assigns the conversation to a bot or offers it to a person.
func (d *Desk) give(c *entry, a *agent, via *pool, free int, now time.Time) {
	agent := a.Agent
	agent.Pool = via.Name
	why := []string{whyConversation(d.queues[c.state.Queue], c, now), whyAgent(a, free, now)}
	if a.Kind == conversation.KindBot {
		d.emit(now, c.state.ID, &conversation.Assigned{Agent: agent, Why: why})
		return
	}
	d.emit(now, c.state.ID, &conversation.Offered{Agent: agent, Deadline: now.Add(via.OfferTimeout), Why: why})
}

func whyConversation(q *queue, c *entry, now time.Time) string {
	s := &c.state
	return fmt.Sprintf("queue %s, priority %d, waited %s, %d ahead", s.Queue, s.Priority,
		now.Sub(s.Arrival.At).Round(time.Second), q.waiting.rank(c))
}

func whyAgent(a *agent, free int, now time.Time) string {
	if len(a.held) == 0 {
		return fmt.Sprintf("%s: idle longest, for %s, of %d free", a.ID, now.Sub(a.idleSince).Round(time.Second), free)
	}
	return fmt.Sprintf("%s: fewest busy slots, %d of %d, of %d free", a.ID, len(a.held), a.slots, free)
}

// requeue puts a conversation back at its place, from whoever has it, without matching it.
func (d *Desk) requeue(c *entry, cause conversation.Cause, now time.Time, why ...string) {
	s := &c.state
	if s.Status == conversation.StatusOffered {
		d.emit(now, s.ID, &conversation.OfferEnded{Agent: *s.Agent, Outcome: conversation.OutcomeRevoked, Why: why})
		return
	}
	to, place := s.Queue, s.Arrival
	var handOff *conversation.HandOff
	if to != conversation.BotQueue && d.knownQueue(to, "") != nil {
		to = d.config.DefaultQueue // the queue was removed while an agent had the conversation
	}
	if to == conversation.BotQueue && !d.config.hasBots() {
		// The bots were taken out of the desk while this one still talked.
		to = d.config.DefaultQueue
		place.At = now
		handOff = d.ownHandOff(s, conversation.ReasonFault, "the desk has no bots any more")
	}
	d.emit(now, s.ID, &conversation.Queued{
		Queue: to, Priority: d.priority(s, to), FixedPriority: s.FixedPriority,
		Arrival: place, Cause: cause, HandOff: handOff, Why: why,
	})
}

// priority in a queue: the one that a rule gave, or the queue's.
func (d *Desk) priority(s *conversation.State, queue string) int {
	if s.FixedPriority {
		return s.Priority
	}
	if q := d.queues[queue]; q != nil {
		return q.priority
	}
	return s.Priority
}

// ownHandOff is the hand-off that the router makes itself, with what it knows.
func (d *Desk) ownHandOff(s *conversation.State, code conversation.ReasonCode, words string) *conversation.HandOff {
	language := s.Language
	if language == "" {
		language = d.config.Language
	}
	if language == "" {
		language = "und"
	}
	return &conversation.HandOff{
		// At least 1 although nothing may have been said: a position before the first message.
		TranscriptSeq: max(s.MsgSeq, 1), Language: language, Verification: conversation.VerificationNone,
		Reason: conversation.Reason{Code: code, Words: clip(words)},
	}
}

// clip keeps a text within what events take, at a whole character.
func clip(s string) string {
	if len(s) <= conversation.MaxWhyBytes {
		return s
	}
	cut := conversation.MaxWhyBytes - len("…")
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
