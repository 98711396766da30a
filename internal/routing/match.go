package routing

import (
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// holdAfter is by how much a conversation that takes several slots must be ahead for agents to keep a slot free for
// it. Without that, conversations of one slot would take each slot as it comes, and it would wait for ever.
const holdAfter = time.Minute

// matchConversation finds an agent for a conversation that came to wait. The agent may have to take another one
// first, that came to wait together with this one and goes before it.
func (d *Desk) matchConversation(c *entry, now time.Time) {
	d.settleRing(c, now)
	for d.err == nil && c.state.Status == conversation.StatusQueued {
		found := d.readiest(c, now)
		if found.agent == nil {
			d.ladder(c, now)
			return
		}
		first := d.best(found.agent, now)
		if first != c {
			// What is known about the choice concerns the other one.
			found = choice{agent: found.agent}
		}
		d.give(first, found, now)
	}
}

// choice of an agent for a conversation.
type choice struct {
	agent *agent
	fit   fit
	// free agents who may serve it, the chosen one included; 0 when only one was looked at.
	free int
	// sticky says that the contact talked to the agent before, pinned that it was transferred to the agent.
	sticky, pinned bool
	// full are agents who have a slot, but not enough of them; at most a few.
	full []string
}

// noteFull notes an agent who has too few slots.
func (to *choice) noteFull(a *agent) {
	if len(to.full) < fewNames {
		to.full = append(to.full, a.ID)
	}
}

// fewNames is how many agents are named in an explanation.
const fewNames = 3

// readiest finds the agent that should take the conversation.
func (d *Desk) readiest(c *entry, now time.Time) choice {
	cl := c.class
	if id := c.state.PinnedTo(now); id != "" {
		return d.choosePinned(c, d.agents[id], now)
	}
	var best choice
	for i := range cl.eligible.both(d.free) {
		p, f := d.profiles[i], &cl.fits[i]
		best.free += p.free.len()
		if best.agent != nil && best.fit.better(f) {
			continue
		}
		a, ok := p.free.find(func(a *agent) bool {
			if !a.room(cl.queue.name, int(f.weight)) {
				best.noteFull(a)
				return false
			}
			return !c.state.PassedBy(a.ID, now) && a.onDuty(cl.queue, now) && !d.holds(a, c, now)
		})
		if ok && (best.agent == nil || f.better(&best.fit) || readier(a, best.agent)) {
			best.agent, best.fit = a, *f
		}
	}
	if a := d.preferredAgent(c, now); a != nil && best.agent != nil && a != best.agent {
		best.agent, best.fit, best.sticky = a, cl.fits[a.profile.index], true
	}
	return best
}

// preferredAgent is the one whom the contact talked to before, if it can take the conversation now.
func (d *Desk) preferredAgent(c *entry, now time.Time) *agent {
	a := d.agents[c.state.PreferredAgent(max(d.config.StickyFor, d.reopenWindow(&c.state)))]
	if a == nil || a.spot.in == nil || c.state.PassedBy(a.ID, now) {
		return nil
	}
	f := &c.class.fits[a.profile.index]
	if f.via == nil || !a.room(c.class.queue.name, int(f.weight)) || !a.onDuty(c.class.queue, now) || d.holds(a, c, now) {
		return nil
	}
	return a
}

// reopenWindow is how long the last agent goes first in a conversation that was reopened. One that was just opened
// knows an agent only from the contact's conversation before.
func (d *Desk) reopenWindow(s *conversation.State) time.Duration {
	if s.LastAgentAt.Before(s.OpenedAt) {
		return 0
	}
	return d.config.ReopenFor
}

// holds says whether the agent keeps its slots for a conversation that goes before c and takes more than it has free.
func (d *Desk) holds(a *agent, c *entry, now time.Time) bool {
	for i := range a.profile.classes.both(d.heavy) {
		cl := d.classes[i]
		if f := &cl.fits[a.profile.index]; f.weight == 1 || a.room(cl.queue.name, int(f.weight)) || !a.room(cl.queue.name, 1) {
			continue
		}
		head, ok := cl.waiting.find(func(c *entry) bool { return c.offerable(a, now) })
		if ok && c.virtual-head.virtual >= int64(holdAfter) {
			return true
		}
	}
	return false
}

// useSlots lets agents take others when what they kept slots for waits no longer.
func (d *Desk) useSlots(now time.Time) {
	for d.loosened && d.err == nil {
		d.loosened = false
		if !d.busy.empty() {
			d.matchFree(now)
		}
	}
}

// matchFree looks for conversations for all agents who have a slot.
func (d *Desk) matchFree(now time.Time) {
	var free []*agent
	for _, p := range d.profiles {
		p.free.walk(func(a *agent) bool {
			free = append(free, a)
			return true
		})
	}
	slices.SortFunc(free, func(a, b *agent) int {
		if readier(a, b) {
			return -1
		}
		return 1
	})
	for _, a := range free {
		d.matchAgent(a, now)
	}
}

// matchAgent gives an agent that became able to take conversations the best ones that wait for it.
func (d *Desk) matchAgent(a *agent, now time.Time) {
	for d.err == nil && a.canTake() {
		c := d.best(a, now)
		if c == nil {
			return
		}
		d.give(c, choice{agent: a}, now)
	}
}

// best finds the conversation that an agent should take: the best score of the heads of its classes, of equal ones
// that of the earlier queue in its pools' lists.
func (d *Desk) best(a *agent, now time.Time) *entry {
	if c := d.pinnedTo(a, now); c != nil {
		return c
	}
	var best *entry
	order := int16(0)
	for i := range a.profile.classes.both(d.busy) {
		cl := d.classes[i]
		f := &cl.fits[a.profile.index]
		if !a.room(cl.queue.name, int(f.weight)) || !a.onDuty(cl.queue, now) {
			continue
		}
		c, ok := cl.waiting.find(func(c *entry) bool { return c.offerable(a, now) })
		switch {
		case !ok:
		case best == nil || c.virtual < best.virtual,
			c.virtual == best.virtual && (f.order < order || f.order == order && earlier(c, best)):
			best, order = c, f.order
		}
	}
	if best != nil && d.holds(a, best, now) {
		return nil
	}
	return best
}

// give assigns the conversation to a bot or offers it to a person.
func (d *Desk) give(c *entry, to choice, now time.Time) {
	a := to.agent
	to.fit = c.class.fits[a.profile.index]
	if to.pinned = c.state.PinnedTo(now) == a.ID; to.pinned && to.fit.via == nil {
		to.fit.via = a.profile.pools[0] // whoever was asked for by name needs no skills
	}
	agent := a.Agent
	agent.Pool = to.fit.via.Name
	why := d.why(c, &to, now)
	if a.Kind == conversation.KindBot {
		d.emit(now, c.state.ID, &conversation.Assigned{Agent: agent, Why: why})
		return
	}
	d.emit(now, c.state.ID, &conversation.Offered{Agent: agent, Deadline: now.Add(to.fit.via.OfferTimeout), Why: why})
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
		place = placeAfterBots(s, conversation.Arrival{At: now, Seq: place.Seq})
		handOff = d.ownHandOff(s, conversation.ReasonFault, "the desk has no bots any more")
	}
	d.emit(now, s.ID, &conversation.Queued{
		Queue: to, Priority: d.priority(s, to), FixedPriority: s.FixedPriority,
		Arrival: place, Cause: cause, HandOff: handOff, Why: why,
	})
}

// placeAfterBots is the place that a bot's conversation is given among people: the one that was kept for it, or a new one.
func placeAfterBots(s *conversation.State, anew conversation.Arrival) conversation.Arrival {
	if s.PlaceKept != (conversation.Arrival{}) {
		return s.PlaceKept
	}
	return anew
}

// priority in a queue: the one that a rule gave, or the queue's.
func (d *Desk) priority(s *conversation.State, queue string) int {
	if s.FixedPriority {
		return s.Priority
	}
	if q := d.queues[queue]; q != nil {
		return d.base(q.Priority, s.Attributes)
	}
	return s.Priority
}

// base is what a score begins with: the queue's priority and that of the contact's tier.
func (d *Desk) base(priority int, of conversation.Attributes) int {
	return min(conversation.MaxPriority, priority+d.config.Tiers[of.Tier()])
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
