package console

import (
	"fmt"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// view folds one conversation's stored events into what one agent sees of it.
type view struct {
	agent string
	state conversation.State
	// concerned is set when the agent was offered the conversation or has owned it.
	concerned bool
	// seen are the client ids of messages: one that was sent again after the bus had forgotten its id is
	// stored twice and shown once.
	seen map[string]struct{}
	// last sequence that was folded, and after which one messages are to be sent.
	last, after uint64
	why         []string
	// anew says that what the client shows is of another log.
	anew bool
	// unsent messages: what is offered is not read yet.
	unsent []agentwire.Message
	// shown is what the agent was last told.
	shown agentwire.Conversation
}

func newView(conv conversation.ID, agent string, after uint64) *view {
	return &view{agent: agent, state: conversation.State{ID: conv}, seen: map[string]struct{}{}, after: after}
}

// fold takes one stored event; events that were folded before are left out.
func (v *view) fold(m bus.Stored) error {
	if m.Seq <= v.last {
		return nil
	}
	v.last = m.Seq
	e, err := conversation.Decode(m.Data)
	if err != nil {
		return fmt.Errorf("event %d: %w", m.Seq, err)
	}
	e.Seq = m.Seq
	said, ok := e.Body.(*conversation.Message)
	if ok {
		if _, again := v.seen[said.ClientID]; again {
			return nil
		}
		v.seen[said.ClientID] = struct{}{}
	}
	next, err := conversation.Apply(v.state, e)
	if err != nil {
		return fmt.Errorf("event %d: %w", m.Seq, err)
	}
	v.state = next
	v.concerned = v.concerned || v.relation() != agentwire.None
	switch {
	case !ok:
		v.why = whyOf(e.Body)
	case m.Seq > v.after:
		v.unsent = append(v.unsent, message(e, said))
	}
	return nil
}

func message(e conversation.Event, m *conversation.Message) agentwire.Message {
	return agentwire.Message{
		Type: agentwire.TypeMessage, Conversation: e.Conversation, Seq: e.Seq, ID: e.ID, At: e.At,
		From: m.From, Text: m.Text, Language: m.Language, ClientID: m.ClientID,
		Entry: m.Entry, Note: m.Note, Missed: m.Missed, AsksForPerson: m.AsksForPerson,
	}
}

// whyOf explains a change to the agent whom it gives something or takes it from.
func whyOf(b conversation.Body) []string {
	switch b := b.(type) {
	case *conversation.Offered:
		return b.Why
	case *conversation.OfferEnded:
		return append([]string{"offer " + string(b.Outcome)}, b.Why...)
	case *conversation.Queued:
		return append([]string{"queued for " + b.Queue + ": " + string(b.Cause)}, b.Why...)
	case *conversation.Closed:
		return []string{"closed by " + string(b.By.Kind) + ": " + string(b.Reason)}
	case *conversation.Abandoned:
		return append([]string{"the customer left"}, b.Why...)
	}
	return nil
}

// relation of the agent to the conversation.
func (v *view) relation() agentwire.Relation {
	s := &v.state
	switch {
	case s.Agent == nil || s.Agent.Kind != conversation.KindAgent || s.Agent.ID != v.agent:
		return agentwire.None
	case s.Status == conversation.StatusOffered:
		return agentwire.Offered
	case s.Owner() != nil:
		return agentwire.Owned
	default:
		return agentwire.None
	}
}

// frame of the conversation as it is now, and whether it differs from what the agent was last told.
func (v *view) frame() (agentwire.Conversation, bool) {
	s := &v.state
	f := agentwire.Conversation{
		Type: agentwire.TypeConversation, Conversation: s.ID, Relation: v.relation(), Anew: v.anew,
		Card: agentwire.Card{
			Status: s.Status, Queue: s.Queue, Priority: s.Priority, Channel: s.Channel, Contact: s.Contact,
			ContactName: s.ContactName, Language: s.Language, OpenedAt: s.OpenedAt, ArrivedAt: s.Arrival.At,
			Deadline: s.Deadline, HandOff: s.HandOff, Why: v.why, Turns: s.Turns, Misses: s.Misses, Disposition: s.Disposition,
		},
	}
	// Turns and language change with each message, and the agent sees those.
	if !v.concerned {
		// Only that there is such a conversation: what it is about is for those who had it.
		f.Card = agentwire.Card{Status: s.Status}
	}
	same := f.Relation == v.shown.Relation && f.Card.Status == v.shown.Card.Status &&
		f.Card.Queue == v.shown.Card.Queue && f.Card.Priority == v.shown.Card.Priority
	return f, !same
}
