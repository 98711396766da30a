package conversation

import (
	"fmt"
	"slices"
)

// Transcript is what was said in one conversation, in order, each message once. The bus recognises a
// message that is sent again for minutes only; a transcript does so for the conversation's life.
type Transcript struct {
	// Conversation that the messages belong to.
	Conversation ID
	entries      []Event
	byClient     map[string]uint64
}

// NewTranscript makes an empty transcript.
func NewTranscript(conv ID) *Transcript {
	return &Transcript{Conversation: conv, byClient: map[string]uint64{}}
}

// Add takes a message event. It returns false, and changes nothing, when the message is already there
// under its client id. Messages may come in any order (a gap that was fetched again); they are kept by
// sequence. Other types of events and other conversations' are refused.
func (t *Transcript) Add(e Event) (bool, error) {
	m, ok := e.Body.(*Message)
	if !ok {
		return false, fmt.Errorf("event %s of type %s is no message", e.ID, e.Type)
	}
	if e.Conversation != t.Conversation {
		return false, fmt.Errorf("%w: message of %s, transcript of %s", ErrForeign, e.Conversation, t.Conversation)
	}
	if e.Seq == 0 {
		return false, fieldError("seq", "0", "add messages that are stored only")
	}
	if first, known := t.byClient[m.ClientID]; known && first <= e.Seq {
		return false, nil
	} else if known {
		// The copy came first and the original only now: the original's place counts.
		t.entries = slices.DeleteFunc(t.entries, func(o Event) bool { return o.Seq == first })
	}
	t.byClient[m.ClientID] = e.Seq
	at, _ := slices.BinarySearchFunc(t.entries, e.Seq, func(o Event, seq uint64) int {
		return cmpSeq(o.Seq, seq)
	})
	t.entries = slices.Insert(t.entries, at, e)
	return true, nil
}

func cmpSeq(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// Messages returns the events in order of sequence. The caller must not change them.
func (t *Transcript) Messages() []Event { return slices.Clip(t.entries) }

// After returns the events with a greater sequence, in order.
func (t *Transcript) After(seq uint64) []Event {
	at, _ := slices.BinarySearchFunc(t.entries, seq+1, func(o Event, seq uint64) int { return cmpSeq(o.Seq, seq) })
	return slices.Clip(t.entries[at:])
}

// LastSeq is the sequence of the last message, 0 for none. A hand-off carries it.
func (t *Transcript) LastSeq() uint64 {
	if len(t.entries) == 0 {
		return 0
	}
	return t.entries[len(t.entries)-1].Seq
}

// ForCustomer leaves out what only agents may see.
func ForCustomer(events []Event) []Event {
	return slices.DeleteFunc(slices.Clone(events), func(e Event) bool {
		m, ok := e.Body.(*Message)
		return !ok || m.Note
	})
}
