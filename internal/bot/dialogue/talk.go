package dialogue

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/knowledge"
)

// Bounds of what is kept of a conversation.
const (
	// maxOpen messages of the customer that are not answered yet; the oldest are left out.
	maxOpen = 16
	// maxGiven entries that were given as answers. A conversation with more of them goes to a person.
	maxGiven = conversation.MaxTried
)

// Kind of what a bot says.
type Kind string

// Kinds of what a bot says.
const (
	KindGreeting Kind = "greeting"
	KindAnswer   Kind = "answer"
	KindChat     Kind = "chat"
	// KindHandOff promises a person: the hand-off follows.
	KindHandOff Kind = "handoff"
)

// Talk is what a bot knows of a conversation. The zero value knows nothing.
type Talk struct {
	// Seq of the last message that was heard.
	Seq uint64
	// From is up to where what was said waits for people: nothing of it is the bot's to answer, and a person who was
	// promised there has the conversation kept for them. 0 when all is the bot's.
	From uint64
	// Greeted says that a bot or a person has said something.
	Greeted bool
	// Promised says that a bot has promised a person who has not come yet.
	Promised bool
	// AfterAnswer says that the last thing a bot said was an answer with an entry.
	AfterAnswer bool
	// Language that the customer last wrote in; empty if unknown.
	Language string
	// Given are the entries that were said as answers, in order.
	Given []conversation.Citation
	// Open are the customer's messages that nobody has answered, in order.
	Open []Said
}

// Said is a message of the customer.
type Said struct {
	Seq           uint64
	Text          string
	Language      string
	AsksForPerson bool
}

// Hear folds the next message of the transcript. Events must come in order of their sequence; what is no
// message is left out, and so is what was heard before.
func (t *Talk) Hear(e conversation.Event) {
	m, ok := e.Body.(*conversation.Message)
	if !ok || e.Seq <= t.Seq {
		return
	}
	t.Seq = e.Seq
	if m.Note {
		return
	}
	switch m.From.Kind {
	case conversation.KindCustomer:
		t.hearCustomer(e.Seq, m)
	case conversation.KindBot:
		t.hearBot(e.Seq, m)
	case conversation.KindAgent:
		// A person was there: what a bot had promised is done, and what was asked is theirs.
		t.Greeted, t.Promised, t.AfterAnswer, t.Open = true, false, false, nil
	case conversation.KindSystem:
	}
	if e.Seq <= t.From {
		t.Promised, t.Open = false, nil
	}
}

func (t *Talk) hearCustomer(seq uint64, m *conversation.Message) {
	s := Said{Seq: seq, Text: m.Text, Language: languageOf(m), AsksForPerson: m.AsksForPerson || knowledge.AsksForPerson(m.Text)}
	if s.Language != "" {
		t.Language = s.Language
	}
	if len(t.Open) == maxOpen {
		t.Open = slices.Delete(t.Open, 0, 1)
	}
	t.Open = append(t.Open, s)
}

func (t *Talk) hearBot(seq uint64, m *conversation.Message) {
	t.Greeted, t.AfterAnswer = true, m.Entry != nil
	kind, through := parseClientID(m.ClientID, seq)
	if m.Entry != nil && !t.gave(m.Entry.KnowledgeBase, m.Entry.ID) && len(t.Given) < maxGiven {
		t.Given = append(t.Given, *m.Entry)
	}
	if kind == KindGreeting {
		return // the answer follows
	}
	t.Promised = t.Promised || kind == KindHandOff
	// Not what the customer wrote while the bot was thinking: that is answered next.
	t.Open = slices.DeleteFunc(t.Open, func(s Said) bool { return s.Seq <= through })
}

// gave says whether an entry was given as an answer.
func (t *Talk) gave(base, id string) bool {
	return slices.ContainsFunc(t.Given, func(c conversation.Citation) bool { return c.KnowledgeBase == base && c.ID == id })
}

const clientIDPrefix = "bot"

// clientID of what a bot says in answer to everything up to a sequence.
func clientID(kind Kind, through uint64, part int) string {
	return fmt.Sprintf("%s-%s-%d-%d", clientIDPrefix, kind, through, part)
}

// parseClientID reads the kind of a bot's message and up to where it answers. A message of another release,
// whose id says nothing, answers all before it.
func parseClientID(id string, seq uint64) (kind Kind, through uint64) {
	parts := strings.Split(id, "-")
	if len(parts) != 4 || parts[0] != clientIDPrefix {
		return KindChat, seq
	}
	through, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil {
		return KindChat, seq
	}
	return Kind(parts[1]), min(through, seq)
}
