package console

import (
	"fmt"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// view folds one conversation's stored events into what one agent sees of it.
type view struct {
	agent string
	state conversation.State
	// watched is set while the agent wants to see it, had once the agent has owned it.
	watched, had bool
	// concerned is set when the agent was offered the conversation or has owned it.
	concerned bool
	// seen are the client ids of messages: one that was sent again after the bus had forgotten its id is
	// stored twice and shown once.
	seen map[string]struct{}
	// last sequence that was folded, and after which one messages are to be sent.
	last, after uint64
	why         []string
	// whyLost is why it is the agent's no longer, whatever happened to it since then.
	whyLost []string
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
	before, had := v.state.Status, v.has()
	next, err := conversation.Apply(v.state, e)
	if err != nil {
		return fmt.Errorf("event %d: %w", m.Seq, err)
	}
	v.state = next
	relation := v.relation()
	v.concerned = v.concerned || relation != agentwire.None
	v.had = v.had || relation == agentwire.Owned
	if has := v.has(); has || had {
		v.whyLost = nil
		if !has {
			v.whyLost = whyOf(e.Body)
		}
	}
	switch {
	case !ok:
		if why := whyOf(e.Body); why != nil || v.state.Status != before {
			v.why = why
		}
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
		why := []string{"closed by " + string(b.By.Kind) + ": " + string(b.Reason)}
		if b.MergedInto != "" {
			why = append(why, "it goes on in "+string(b.MergedInto))
		}
		return why
	case *conversation.Pended:
		return append([]string{"put aside until " + b.Until.Format(time.RFC3339)}, b.Why...)
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
		return v.asWatched()
	case s.Status == conversation.StatusOffered:
		return agentwire.Offered
	case s.Owner() != nil:
		return agentwire.Owned
	default:
		return v.asWatched()
	}
}

// has says whether the agent owns the conversation or is asked.
func (v *view) has() bool {
	r := v.relation()
	return r == agentwire.Owned || r == agentwire.Offered
}

func (v *view) asWatched() agentwire.Relation {
	if v.watched && !v.state.Status.Ended() {
		return agentwire.Watched
	}
	return agentwire.None
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
			Tags: s.Tags, Agent: s.Agent, Callback: s.CallbackOffered, MergedInto: s.MergedInto,
		},
	}
	switch {
	case f.Relation == agentwire.None && v.whyLost != nil:
		f.Card.Why = v.whyLost
	case f.Relation != agentwire.None && s.Agent != nil && len(s.Why) > 0:
		f.Card.Why = s.Why // why somebody has it, not what happened last
	}
	// Turns and language change with each message, and the agent sees those.
	if !v.concerned {
		// Only that there is such a conversation: what it is about is for those who had it.
		f.Card = agentwire.Card{Status: s.Status}
	}
	same := f.Relation == v.shown.Relation && f.Card.Status == v.shown.Card.Status &&
		f.Card.Queue == v.shown.Card.Queue && f.Card.Priority == v.shown.Card.Priority &&
		slices.Equal(f.Card.Tags, v.shown.Card.Tags) && f.Card.Callback == v.shown.Card.Callback && sameAgent(f.Card.Agent, v.shown.Card.Agent)
	return f, !same
}

func sameAgent(a, b *conversation.Agent) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
