package routing

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// move changes the state and brings the indexes along. What the indexes do not look at leaves them alone.
func (d *Desk) move(c *entry, next conversation.State, at time.Time) {
	before := c.state
	d.flow.moved(&before, &next, at)
	line := !sameLine(&before, &next)
	spot := line || before.Status != next.Status || before.Ring != next.Ring || before.OverflowPool != next.OverflowPool ||
		before.Pin != next.Pin
	if spot {
		d.leaveSpot(c, at)
	}
	if line {
		d.leaveLine(c)
	}
	d.changeHands(c, &before, &next, at)
	if line {
		d.enterLine(c)
	}
	if spot {
		d.enterSpot(c, at)
	}
	if q := d.queues[next.Queue]; q != nil && before.Status.Waiting() && next.Owner() != nil {
		q.service.answered(at)
	}
}

// sameLine says whether the conversation stays where it is in its queue, or among those that are served from it.
func sameLine(a, b *conversation.State) bool {
	return a.Queue == b.Queue && a.Priority == b.Priority && a.Arrival == b.Arrival &&
		a.Status.Waiting() == b.Status.Waiting() && (a.Owner() == nil) == (b.Owner() == nil)
}

// changeHands takes over the next state, and the slots from one agent to another.
func (d *Desk) changeHands(c *entry, before, next *conversation.State, at time.Time) {
	from, to := holder(before), holder(next)
	if from == to {
		c.state = *next
		return
	}
	if before.Owner() != nil {
		d.handled(before, at)
	}
	if a := d.agents[from]; a != nil {
		d.release(a, c, at)
	}
	c.state = *next
	if a := d.agents[to]; a != nil {
		d.take(a, c, at)
	}
}

// holder is the agent whose slot the conversation takes; empty for none.
func holder(s *conversation.State) string {
	if s.Agent == nil {
		return ""
	}
	return s.Agent.ID
}

// leaveSpot takes the conversation from those who wait for an agent, before its state changes.
func (d *Desk) leaveSpot(c *entry, at time.Time) {
	q := d.queues[c.state.Queue]
	switch {
	case q == nil:
	case c.state.Status == conversation.StatusOffered:
		q.offered--
	case c.class != nil:
		cl := c.class
		c.class = nil
		c.spot.remove()
		d.unpin(c)
		if cl.waiting.len() == 0 {
			d.busy.clear(cl.index)
			d.heavy.clear(cl.index)
		}
		d.loosened = d.loosened || cl.key.channel != ""
		q.service.backlog(q.line.len()-q.offered > 1, at)
	}
}

// enterSpot puts the conversation among those who wait for an agent, if it does.
func (d *Desk) enterSpot(c *entry, at time.Time) {
	q := d.queues[c.state.Queue]
	switch {
	case q == nil:
	case c.state.Status == conversation.StatusOffered:
		q.offered++
	case c.state.Status == conversation.StatusQueued:
		d.enterClass(c, q)
		d.pin(c)
		q.service.backlog(true, at)
	}
}

// enterClass puts the conversation among those of its class.
func (d *Desk) enterClass(c *entry, q *queue) {
	c.class = d.classOf(q, &c.state)
	c.class.waiting.insert(&c.spot)
	d.busy.set(c.class.index)
	if c.class.key.channel != "" {
		d.heavy.set(c.class.index)
	}
}

// handled notes how long an owner had the conversation.
func (d *Desk) handled(s *conversation.State, at time.Time) {
	since := s.ServedAt
	if since.IsZero() { // in logs of releases that did not say it
		since = s.StatusAt
	}
	if q := d.queues[s.Queue]; q != nil {
		q.handle.add(max(0, at.Sub(since).Seconds()))
	}
}

// leaveLine takes the conversation out of its queue, before its state changes.
func (d *Desk) leaveLine(c *entry) {
	s := &c.state
	q := d.queues[s.Queue]
	switch {
	case q == nil:
	case s.Status.Waiting():
		c.place.remove()
		q.version++
	case s.Owner() != nil:
		q.inProgress--
	}
}

// enterLine puts the conversation into its queue, if its state has it there or served from there.
func (d *Desk) enterLine(c *entry) {
	s := &c.state
	if !s.Status.Waiting() && s.Owner() == nil {
		return
	}
	q := d.queues[s.Queue]
	if q == nil {
		// The queue is not, or not yet, in this replica's configuration: keep the place all the same.
		q = newQueue(Queue{Name: s.Queue, Priority: s.Priority})
		d.queues[s.Queue] = q
	}
	if !s.Status.Waiting() {
		q.inProgress++
		return
	}
	c.virtual = d.virtual(s)
	q.line.insert(&c.place)
	q.version++
}
