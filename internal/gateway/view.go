package gateway

import (
	"fmt"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
)

// view folds one conversation's stored events into what its customer sees.
type view struct {
	state conversation.State
	// seen are the client ids of messages and where they first stand: a message that was sent again after
	// the bus had forgotten its id is stored twice and shown once.
	seen map[string]uint64
	// last sequence that was folded.
	last uint64
	// shown is the state that the customer was last told.
	shown chatwire.State
	// placed is set when the router has pushed a place in the queue.
	placed bool
}

func newView(conv conversation.ID) *view {
	return &view{state: conversation.State{ID: conv}, seen: map[string]uint64{}}
}

// fold takes one stored event and returns the frame for the customer, nil when it is not for customers
// or was folded before.
func (v *view) fold(m bus.Stored) (any, error) {
	if m.Seq <= v.last {
		return nil, nil
	}
	v.last = m.Seq
	e, err := conversation.Decode(m.Data)
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", m.Seq, err)
	}
	e.Seq = m.Seq
	msg, said := e.Body.(*conversation.Message)
	if said {
		if _, again := v.seen[msg.ClientID]; again {
			return nil, nil
		}
		v.seen[msg.ClientID] = m.Seq
	}
	next, err := conversation.Apply(v.state, e)
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", m.Seq, err)
	}
	v.state = next
	if said {
		return v.message(e, msg), nil
	}
	return v.changed(e), nil
}

func (v *view) message(e conversation.Event, m *conversation.Message) any {
	if m.Note {
		return nil
	}
	f := chatwire.Message{
		Type: chatwire.TypeMessage, Seq: e.Seq, Conversation: e.Conversation, ID: e.ID, At: e.At,
		From: party(m.From.Kind, m.From.Name), Text: m.Text, Language: m.Language, Entry: m.Entry,
	}
	// The ids that bots and agents choose are none of the customer's business, its own it needs.
	if m.From.Kind == conversation.KindCustomer {
		f.ClientID = m.ClientID
	}
	return f
}

// changed gives the state if it differs, for the customer, from the one that was last shown.
func (v *view) changed(e conversation.Event) any {
	now := v.public()
	now.Seq, now.At = e.Seq, e.At
	same := v.shown.Status == now.Status && v.shown.Queue == now.Queue && equal(v.shown.Agent, now.Agent) &&
		v.shown.Until.Equal(now.Until) && v.shown.CallBack == now.CallBack && v.shown.Score == now.Score
	if same || now.Status == conversation.StatusNone {
		return nil
	}
	v.shown = now
	return now
}

// public is the state as the customer may see it.
func (v *view) public() chatwire.State {
	s := &v.state
	f := chatwire.State{Type: chatwire.TypeState, Seq: v.shown.Seq, Conversation: s.ID, At: v.shown.At, Status: s.Status}
	if s.Status.Waiting() {
		f.Queue = s.Queue
	}
	f.CallBack = s.CallbackOffered && s.Status.Waiting()
	// What an agent puts aside for later work without a promise is none of the customer's business.
	if s.Status == conversation.StatusCallbackPending || s.Status == conversation.StatusPending && s.Promised {
		f.Until = s.Deadline
	}
	if s.Rating != nil {
		f.Score = s.Rating.Score
	}
	// An agent who is only asked may still decline: the customer need not know the name.
	if owner := s.Owner(); owner != nil {
		p := party(owner.Kind, owner.Name)
		f.Agent = &p
	}
	return f
}

// belongsTo says whether the conversation is one of the contact: it was opened by it, or, while the
// router has not yet seen it, the contact wrote in it.
func belongsTo(m bus.Stored, contact string) bool {
	e, err := conversation.Decode(m.Data)
	if err != nil {
		return false
	}
	switch b := e.Body.(type) {
	case *conversation.Opened:
		return b.Contact == contact && b.Channel == Channel
	case *conversation.Message:
		return b.From.Kind == conversation.KindCustomer && b.From.ID == contact && b.Channel == Channel
	}
	return false
}

func party(kind conversation.Kind, name string) chatwire.Party {
	return chatwire.Party{Kind: kind, Name: name}
}

func equal(a, b *chatwire.Party) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
