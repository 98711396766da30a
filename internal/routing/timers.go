package routing

import (
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// timerKind says what is due.
type timerKind uint8

const (
	timerOffer   timerKind = iota // an offer has run out
	timerRematch                  // an agent may be asked again
	timerLeft                     // the customer has been away for long
	timerIdle                     // a bot's conversation may be idle
	timerLost                     // an agent may be lost
	timerRing                     // a conversation may relax what it asks for
	timerWait                     // a conversation has waited as long as its queue allows
	timerWrapUp                   // a wrap-up is over
	timerShift                    // an agent's shift begins or ends
	timerPending                  // what was put aside goes on
	timerHeld                     // a step of a queue is held no longer
	timerReserve                  // a reserve tier is called in no longer
	timerOverdue                  // an agent's time to finish after a shift is over
)

// timer is a time at which something may be due. What is really due is decided by the state then: a
// timer that was overtaken does nothing.
type timer struct {
	at   time.Time
	kind timerKind
	conv conversation.ID
	// of is the agent or the queue that it concerns.
	of string
}

// before orders timers by time; ties are broken by content so that the order is deterministic.
func (t *timer) before(o *timer) bool {
	switch {
	case !t.at.Equal(o.at):
		return t.at.Before(o.at)
	case t.kind != o.kind:
		return t.kind < o.kind
	case t.conv != o.conv:
		return t.conv < o.conv
	default:
		return t.of < o.of
	}
}

// timers is a binary heap by time.
type timers []timer

func (t *timers) push(x timer) {
	*t = append(*t, x)
	h := *t
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(&h[parent]) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

// pop takes the earliest timer; there must be one.
func (t *timers) pop() timer {
	h := *t
	first, last := h[0], len(h)-1
	h[0], h[last] = h[last], timer{}
	h = h[:last]
	*t = h
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return first
		}
		if child+1 < last && h[child+1].before(&h[child]) {
			child++
		}
		if !h[child].before(&h[i]) {
			return first
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

func (d *Desk) arm(t timer) { d.timers.push(t) }

// NextTimer is when Tick next may have something to do; zero for never. It may be early, never late.
func (d *Desk) NextTimer() time.Time {
	if len(d.timers) == 0 {
		return time.Time{}
	}
	return d.timers[0].at
}

// watch arms the timers that a new state asks for.
func (d *Desk) watch(c *entry, before *conversation.State, at time.Time) {
	s := &c.state
	if s.Status == conversation.StatusOffered && before.Status != s.Status {
		d.arm(timer{at: s.Deadline, kind: timerOffer, conv: s.ID})
	}
	if s.Status.Waiting() && (!before.Status.Waiting() || before.Queue != s.Queue || before.Ring != s.Ring || before.Arrival != s.Arrival) {
		d.watchWait(c)
	}
	d.watchAgentsTurn(s, before)
	if !s.LeftAt.IsZero() {
		d.watchLeft(c)
	}
	if s.Status == conversation.StatusBot && c.idleAt.IsZero() {
		d.watchIdle(c, at.Add(d.config.Times.BotIdleAfter))
	}
}

// watchAgentsTurn arms the timers of what an agent did: an agent that passed a conversation may be asked again, and
// a wrap-up ends.
func (d *Desk) watchAgentsTurn(s, before *conversation.State) {
	if s.Status == conversation.StatusQueued && before.Status != s.Status {
		for _, p := range s.Passed {
			d.arm(timer{at: p.Until, kind: timerRematch, conv: s.ID})
		}
	}
	if s.Status == conversation.StatusQueued && !s.PinUntil.IsZero() && !s.PinUntil.Equal(before.PinUntil) {
		d.arm(timer{at: s.PinUntil, kind: timerRematch, conv: s.ID})
	}
	if s.Status.Pending() {
		d.arm(timer{at: s.Deadline, kind: timerPending, conv: s.ID})
	}
	if s.Status == conversation.StatusWrapUp && !s.Deadline.IsZero() {
		d.arm(timer{at: s.Deadline, kind: timerWrapUp, conv: s.ID})
	}
}

// watchWait arms the timers of the waiting time.
func (d *Desk) watchWait(c *entry) {
	s := &c.state
	q := d.queues[s.Queue]
	if s.Ring < len(q.Rings) {
		d.arm(timer{at: s.Arrival.At.Add(q.Rings[s.Ring].After), kind: timerRing, conv: s.ID})
	}
	if q.MaxWait > 0 {
		d.arm(timer{at: s.Arrival.At.Add(q.MaxWait), kind: timerWait, conv: s.ID})
	}
}

// watchLeft arms the timer of a customer who is away, if the status gives it one.
func (d *Desk) watchLeft(c *entry) {
	if due, ok := d.leftDue(&c.state); ok {
		d.arm(timer{at: due, kind: timerLeft, conv: c.state.ID})
	}
}

// leftDue is when a conversation ends because its customer left. A person's conversation does not end by
// itself: the agent may still finish the matter.
func (d *Desk) leftDue(s *conversation.State) (time.Time, bool) {
	switch {
	case s.LeftAt.IsZero() || s.FollowUp || s.CallbackOffered && s.Queue != conversation.BotQueue:
		return time.Time{}, false
	case s.Status.Waiting():
		return s.LeftAt.Add(d.config.Times.AbandonAfter), true
	case s.Status == conversation.StatusBot:
		return s.LeftAt.Add(d.config.Times.BotLeftAfter), true
	default:
		return time.Time{}, false
	}
}

func (d *Desk) watchIdle(c *entry, at time.Time) {
	c.idleAt = at
	d.arm(timer{at: at, kind: timerIdle, conv: c.state.ID})
}

func (d *Desk) watchAgent(a *agent) {
	a.lostAt = a.lastSeen.Add(d.config.Times.HeartbeatLost)
	d.arm(timer{at: a.lostAt, kind: timerLost, of: a.ID})
}

// Seen notes that an agent was heard. It returns false when the agent is not signed on.
func (d *Desk) Seen(agent string, now time.Time) bool {
	a := d.agents[agent]
	if a == nil {
		return false
	}
	a.lastSeen = later(a.lastSeen, now)
	return true
}

// SeenAll gives every agent its full time again: after a change of the lead, or a connection to the bus
// that was lost, silence says nothing about the agents.
func (d *Desk) SeenAll(now time.Time) {
	for _, a := range d.agents {
		a.lastSeen = later(a.lastSeen, now)
	}
}

// DropTimers drops what is due. A replica that does not decide calls it now and then, so that timers do
// not pile up, and Rearm when it begins to decide.
func (d *Desk) DropTimers(now time.Time) {
	for len(d.timers) > 0 && !d.timers[0].at.After(now) {
		d.timers.pop()
	}
}

// Rearm sets all timers anew from the state.
func (d *Desk) Rearm() {
	d.timers = nil
	for _, id := range d.Conversations() {
		c := d.convs[id]
		c.idleAt = time.Time{}
		before := conversation.State{Status: conversation.StatusOffered}
		d.watch(c, &before, c.state.StatusAt)
		if c.state.Status == conversation.StatusOffered {
			d.arm(timer{at: c.state.Deadline, kind: timerOffer, conv: id})
		}
	}
	for _, a := range d.sortedAgents() {
		d.watchAgent(a)
		d.watchShift(a, a.lastSeen)
	}
	for queue, held := range d.held {
		for _, h := range held {
			d.arm(timer{at: h.Until, kind: timerHeld, of: queue})
		}
	}
	for _, call := range d.reserve {
		if !call.Until.IsZero() {
			d.arm(timer{at: call.Until, kind: timerReserve})
		}
	}
}

// Tick decides what has become due.
type Tick struct{}

//nolint:unparam // one of many inputs
func (Tick) decide(d *Desk, now time.Time) error {
	for len(d.timers) > 0 && !d.timers[0].at.After(now) && d.err == nil {
		due := d.timers.pop()
		switch due.kind {
		case timerLost:
			d.dueLost(due, now)
			continue
		case timerShift:
			d.dueShift(due, now)
			continue
		case timerHeld:
			d.overHeld(due.of, now)
			continue
		case timerReserve:
			d.overReserve(now)
			continue
		case timerOverdue:
			d.dueOverdue(due, now)
			continue
		default:
		}
		if c := d.convs[due.conv]; c != nil {
			d.dueConversation(due, c, now)
		}
	}
	return nil
}

func (d *Desk) dueConversation(due timer, c *entry, now time.Time) {
	s := &c.state
	switch due.kind {
	case timerOffer:
		if s.Status == conversation.StatusOffered && !s.Deadline.After(now) {
			d.expire(c, now)
		}
	case timerRematch:
		d.matchConversation(c, now)
	case timerLeft:
		if at, ok := d.leftDue(s); ok && !at.After(now) {
			d.endLeft(c, now)
		}
	case timerIdle:
		d.dueIdle(due, c, now)
	case timerRing, timerWait:
		d.settleRing(c, now)
		d.matchConversation(c, now)
	case timerPending:
		d.duePending(c, now)
	case timerWrapUp:
		if s.Status == conversation.StatusWrapUp && !s.Deadline.After(now) {
			d.endWrapUp(c, now)
		}
	case timerLost, timerShift, timerHeld, timerReserve, timerOverdue: // they concern an agent, a queue or a pool
	}
}

// expire ends an offer that was missed, and the conversation goes to the next agent. Whoever has missed as many in
// a row as the pool allows is set away, because the next offer would be missed as well.
func (d *Desk) expire(c *entry, now time.Time) {
	asked := *c.state.Agent
	why := "the offer was not answered within " + c.state.Deadline.Sub(c.state.StatusAt).String()
	d.emit(now, c.state.ID, &conversation.OfferEnded{
		Agent: asked, Outcome: conversation.OutcomeExpired,
		NotBefore: now.Add(d.config.Times.NotAgain), Why: []string{why},
	})
	a := d.agents[asked.ID]
	if a == nil {
		d.matchConversation(c, now)
		return
	}
	most := 1
	if p := d.pools[asked.Pool]; p != nil {
		most = max(1, p.MaxMisses)
	}
	if a.misses >= most {
		if most > 1 {
			why = fmt.Sprintf("%d offers in a row were not answered", a.misses)
		}
		d.setAway(a, now, why)
	}
	d.matchConversation(c, now)
	if a.presence == conversation.PresenceOnline {
		d.matchAgent(a, now)
	}
}

func (d *Desk) endLeft(c *entry, now time.Time) {
	s := &c.state
	why := "the customer left " + now.Sub(s.LeftAt).Round(0).String() + " ago"
	if s.Status == conversation.StatusBot {
		d.closeBy(c, conversation.Ending{By: conversation.Actor{Kind: conversation.KindSystem}, Reason: conversation.CloseCustomerLeft}, now)
		return
	}
	if d.keepUntilOpen(c, now) {
		return
	}
	d.abandon(c, now, why)
}

func (d *Desk) dueIdle(t timer, c *entry, now time.Time) {
	s := &c.state
	if !t.at.Equal(c.idleAt) {
		return
	}
	c.idleAt = time.Time{}
	if s.Status != conversation.StatusBot {
		return
	}
	due := later(s.LastSaidAt, s.StatusAt).Add(d.config.Times.BotIdleAfter)
	if due.After(now) {
		d.watchIdle(c, due)
		return
	}
	d.closeBy(c, conversation.Ending{By: conversation.Actor{Kind: conversation.KindSystem}, Reason: conversation.CloseIdle}, now)
}

func (d *Desk) dueLost(t timer, now time.Time) {
	a := d.agents[t.of]
	if a == nil || !t.at.Equal(a.lostAt) {
		return
	}
	if a.lastSeen.Add(d.config.Times.HeartbeatLost).After(now) {
		d.watchAgent(a)
		return
	}
	d.dismiss(a, true, now, "not heard for "+now.Sub(a.lastSeen).Round(0).String())
}
