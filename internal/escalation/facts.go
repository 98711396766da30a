package escalation

import (
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Facts is everything a rule may look at: the state of a conversation at the moment a message has
// arrived (or at which it is looked at again while it waits). The meaning of each field is in
// [FactTable].
type Facts struct {
	Message      MessageFacts
	Conversation ConversationFacts
}

// MessageFacts describes the customer's latest message.
type MessageFacts struct {
	Text          string
	Language      string
	AsksForPerson bool
}

// ConversationFacts describes the conversation that the message belongs to.
type ConversationFacts struct {
	Misses  int
	Turns   int
	Waited  time.Duration
	Channel string
	Queue   string
}

// Fact documents one fact as rules name it.
type Fact struct {
	// Name is the fact as it is written in a rule, for example message.text.
	Name string
	// Type is the CEL type: string, bool, int or duration.
	Type string
	// Doc says in one or two sentences what the fact holds, with its unit and its value when
	// nothing is known.
	Doc string
}

// fact is a row of the one table from which the type checker's declarations, the values at run
// time, the cost estimate's sizes, the documentation and the suggestions are all derived.
type fact struct {
	Fact
	group, field string
	celType      *cel.Type
	maxSize      uint64 // in characters, for text
	value        func(*Facts) ref.Val
}

// maxNameSize bounds the facts that hold a name or a tag; the cost estimate assumes it.
const maxNameSize = 64

var facts = []fact{
	textFact("message.text", MaxTextLength,
		"The customer's latest message as it was written. Empty when a rule is looked at without a new message.",
		func(f *Facts) string { return f.Message.Text }),
	textFact("message.language", maxNameSize,
		"The language of the message as a BCP 47 tag: zh, en. Empty when it could not be told.",
		func(f *Facts) string { return f.Message.Language }),
	boolFact("message.asksForPerson",
		"true when the message asks for a person (\"转人工\", \"a person, please\").",
		func(f *Facts) bool { return f.Message.AsksForPerson }),
	intFact("conversation.misses",
		"How many of the customer's messages in this conversation the bot had no sure answer to. 0 at the start.",
		func(f *Facts) int { return f.Conversation.Misses }),
	intFact("conversation.turns",
		"How many messages the customer has sent in this conversation, the latest one included.",
		func(f *Facts) int { return f.Conversation.Turns }),
	durationFact("conversation.waited",
		"How long the conversation has waited in its queue so far. 0s while a bot or an agent holds it.",
		func(f *Facts) time.Duration { return f.Conversation.Waited }),
	textFact("conversation.channel", maxNameSize,
		"The name of the desk's channel that the conversation came in on.",
		func(f *Facts) string { return f.Conversation.Channel }),
	textFact("conversation.queue", maxNameSize,
		"The name of the queue the conversation is in; bot while it is in the bot's hands.",
		func(f *Facts) string { return f.Conversation.Queue }),
}

// FactTable lists the facts that rules may use, in the order in which they are documented.
func FactTable() []Fact {
	table := make([]Fact, len(facts))
	for i := range facts {
		table[i] = facts[i].Fact
	}
	return table
}

func newFact(name string, t *cel.Type, doc string, value func(*Facts) ref.Val) fact {
	group, field, _ := strings.Cut(name, ".")
	return fact{
		Fact:  Fact{Name: name, Type: cel.FormatCELType(t), Doc: doc},
		group: group, field: field, celType: t, value: value,
	}
}

func textFact(name string, maxSize uint64, doc string, get func(*Facts) string) fact {
	f := newFact(name, cel.StringType, doc, func(facts *Facts) ref.Val { return types.String(get(facts)) })
	f.maxSize = maxSize
	return f
}

func boolFact(name, doc string, get func(*Facts) bool) fact {
	return newFact(name, cel.BoolType, doc, func(facts *Facts) ref.Val { return types.Bool(get(facts)) })
}

func intFact(name, doc string, get func(*Facts) int) fact {
	return newFact(name, cel.IntType, doc, func(facts *Facts) ref.Val { return types.Int(get(facts)) })
}

func durationFact(name, doc string, get func(*Facts) time.Duration) fact {
	return newFact(name, cel.DurationType, doc, func(facts *Facts) ref.Val {
		return types.Duration{Duration: get(facts)}
	})
}

// factGroups lists the first segments of the facts' names, each once.
func factGroups() []string {
	var groups []string
	for i := range facts {
		if !slices.Contains(groups, facts[i].group) {
			groups = append(groups, facts[i].group)
		}
	}
	return groups
}

// factIndex finds a fact by its full name.
func factIndex(name string) (int, bool) {
	i := slices.IndexFunc(facts, func(f fact) bool { return f.Name == name })
	return i, i >= 0
}
