package routing

import (
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// longestPending is how far ahead a conversation can be put off.
const longestPending = 90 * 24 * time.Hour

// Postpone puts a person's conversation aside for later work. It takes no slot until then, and comes back to its owner
// first, at the time or when the customer writes.
type Postpone struct {
	Agent        string
	Conversation conversation.ID
	Until        time.Time
	// Promised says that the customer was told when it goes on.
	Promised bool
}

func (in Postpone) decide(d *Desk, now time.Time) error {
	c, err := d.owned(in.Conversation, in.Agent, "put off")
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s cannot put off %s", in.Agent, in.Conversation)
	if c.state.Status != conversation.StatusActive {
		return &RefusalError{Code: CodeState, What: what, Why: "it is " + string(c.state.Status), Remedy: "put off what you talk in"}
	}
	if err := checkUntil(in.Until, what, now); err != nil {
		return err
	}
	a := d.agents[in.Agent]
	why := in.Agent + " put it off"
	if in.Promised {
		why = in.Agent + " calls the customer back"
	}
	d.emit(now, in.Conversation, &conversation.Pended{Until: in.Until.UTC(), Agent: in.Agent, Promised: in.Promised, Why: []string{why}})
	if a != nil {
		d.matchAgent(a, now)
	}
	return nil
}

// CallBack lets a customer who waits for people wait elsewhere: the conversation comes back to its queue at the time,
// with the place that the wait so far has earned. Without a time it keeps its place in the queue, and the customer need
// not stay connected until it is their turn.
type CallBack struct {
	Conversation conversation.ID
	Contact      string
	At           time.Time
}

func (in CallBack) decide(d *Desk, now time.Time) error {
	c, err := d.ofContact(in.Conversation, in.Contact)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("no callback is noted for %s", in.Conversation)
	if !c.state.Status.Waiting() || c.state.Queue == conversation.BotQueue {
		return &RefusalError{Code: CodeState, What: what, Why: "it does not wait for people", Remedy: "go on with the conversation"}
	}
	if in.At.IsZero() {
		if c.state.Status == conversation.StatusQueued && !c.state.CallbackOffered {
			d.emit(now, in.Conversation, &conversation.CallbackOffered{Why: []string{"the customer wants to be called when it is their turn"}})
		}
		return nil // an agent is asked already: their turn has come
	}
	if err := checkUntil(in.At, what, now); err != nil {
		return err
	}
	asked := c.state.Agent
	const why = "the customer wants to be called back"
	if asked != nil {
		d.requeue(c, "", now, why)
	}
	d.emit(now, in.Conversation, &conversation.Pended{Until: in.At.UTC(), Why: []string{why}})
	if asked != nil {
		if a := d.agents[asked.ID]; a != nil {
			d.matchAgent(a, now)
		}
	}
	return nil
}

func checkUntil(until time.Time, what string, now time.Time) error {
	if until.After(now) && until.Before(now.Add(longestPending)) {
		return nil
	}
	return &RefusalError{
		Code: CodeMalformed, What: what, Why: fmt.Sprintf("until is %s", until.UTC().Format(time.RFC3339)),
		Remedy: fmt.Sprintf("give a time in the next %d days", int(longestPending/(24*time.Hour))),
	}
}

// goOn brings a conversation back that was put aside. Its owner is asked first, for the time of an offer.
func (d *Desk) goOn(c *entry, why string, now time.Time) {
	s := &c.state
	q := conversation.Queued{
		Queue: s.Queue, FixedPriority: s.FixedPriority, Cause: conversation.CauseCallback, Why: []string{why},
		// The wait before it was put aside counts, the time aside does not.
		Arrival: conversation.Arrival{At: now.Add(-max(0, s.StatusAt.Sub(s.Arrival.At))), Seq: s.Arrival.Seq},
	}
	if d.knownQueue(q.Queue, "") != nil {
		q.Queue = d.config.DefaultQueue
	}
	if s.Status == conversation.StatusPending {
		q.Cause, q.Arrival = conversation.CauseFollowUp, conversation.Arrival{At: now, Seq: s.MsgSeq}
		if a := d.agents[s.Pin]; a != nil && a.profile != nil {
			q.Pin, q.PinUntil = s.Pin, now.Add(a.profile.pools[0].OfferTimeout)
		}
	}
	q.Priority = d.priority(s, q.Queue)
	d.emit(now, s.ID, &q)
}

// duePending brings back what was put aside until now.
func (d *Desk) duePending(c *entry, now time.Time) {
	if s := &c.state; s.Status.Pending() && !s.Deadline.After(now) {
		d.goOn(c, "the time has come", now)
		d.matchConversation(c, now)
	}
}
