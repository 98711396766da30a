package routing

import (
	"maps"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Snapshot gives events from which Restore makes this desk again: the agents, then the conversations
// that have begun, in order.
func (d *Desk) Snapshot(now time.Time) []conversation.Event {
	var events []conversation.Event
	add := func(conv conversation.ID, body conversation.Body) {
		events = append(events, conversation.Event{Body: body, Header: conversation.Header{
			V: conversation.Version, Type: body.EventType(), Conversation: conv, At: now,
		}})
	}
	for _, a := range d.sortedAgents() {
		add("", &conversation.AgentRestored{
			Agent: a.Agent, Presence: a.presence, Draining: a.draining, Scaling: a.scaling, DrainingSince: a.drainingSince,
			IdleSince: a.idleSince, LastGiven: a.lastGiven, Misses: a.misses,
		})
	}
	for _, v := range d.Queues() {
		if q := d.queues[v.Name]; q.handle.n > 0 || q.steps > 0 {
			add("", &conversation.QueueRestored{
				Queue: q.name, Steps: q.steps, Handled: q.handle.n, HandleMean: q.handle.mean, HandleSquares: q.handle.squares,
			})
		}
	}
	for _, queue := range slices.Sorted(maps.Keys(d.held)) {
		for _, h := range d.held[queue] {
			add("", &conversation.StepHeld{Queue: queue, HeldStep: h})
		}
	}
	for _, key := range d.sortedReserve() {
		add("", &conversation.ReserveCalled{ReserveCall: d.reserve[key]})
	}
	for _, id := range d.Conversations() {
		if s := d.convs[id].state; s.Status != conversation.StatusNone {
			add(id, &conversation.Restored{State: s})
		}
	}
	return events
}

// Restore replaces what was decided by a complete snapshot. What was heard stays: messages that the
// snapshot does not know yet are younger than it.
func (d *Desk) Restore(events []conversation.Event) error {
	fresh := newDesk()
	fresh.adopt(d.config)
	for id, c := range d.convs {
		heard := fresh.newEntry()
		heard.seen = c.seen
		heard.state = heardOnly(&c.state)
		fresh.convs[id] = heard
	}
	for _, e := range events {
		if err := fresh.fold(e); err != nil {
			return err
		}
	}
	for _, e := range events {
		// Giving the conversations to their agents has touched the times.
		if b, ok := e.Body.(*conversation.AgentRestored); ok {
			fresh.change(b.Agent.ID, func(a *agent) { a.idleSince, a.lastGiven, a.misses = b.IdleSince, b.LastGiven, b.Misses })
		}
	}
	for id, c := range d.convs {
		// Ended and forgotten before the snapshot: nothing about it is to come.
		if fresh.convs[id].state.Status == conversation.StatusNone && c.state.Status != conversation.StatusNone {
			delete(fresh.convs, id)
		}
	}
	*d = *fresh
	return nil
}

// heardOnly keeps of a state what comes from messages and from the stream.
func heardOnly(s *conversation.State) conversation.State {
	return conversation.State{
		ID: s.ID, Language: s.Language, Turns: s.Turns, Misses: s.Misses, LastSaidAt: s.LastSaidAt,
		AnsweredAt: s.AnsweredAt, MsgSeq: s.MsgSeq, OwnSeq: s.OwnSeq,
	}
}
