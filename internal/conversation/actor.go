package conversation

import (
	"fmt"
	"unicode/utf8"
)

// Bounds of a text, and of everything that carries one on its way: frames, request bodies, events, replies.
// All follow from the first, so that no station refuses what the one before has let through.
const (
	// MaxTextRunes is the longest message of a customer in characters: the greatest maxMessageLength that a
	// ServiceDesk may set.
	MaxTextRunes = 8000
	// MaxTextBytes of one message, in bytes of UTF-8: a character takes up to four, a Chinese one three.
	MaxTextBytes = utf8.UTFMax * MaxTextRunes
	// jsonEscape is what one byte of text may become in JSON: "<" is written as \u003c.
	jsonEscape = 6
	// MaxEventBytes of one encoded event, and of a frame or a request body with one message: the longest
	// text in its worst spelling, and 32 KiB for what stands beside it. It must stay below MaxBatchBytes and
	// the stream's greatest message, 256 KiB.
	MaxEventBytes = jsonEscape*MaxTextBytes + 32<<10
)

// Bounds of what else events carry.
const (
	// MaxNameBytes of a person's, pool's or queue's name.
	MaxNameBytes = 256
	// MaxLanguageBytes of a BCP 47 tag.
	MaxLanguageBytes = 35
	// MaxQuestionBytes of a cited entry's question.
	MaxQuestionBytes = 2 << 10
	// MaxWhy is the greatest number of texts that explain one decision.
	MaxWhy = 16
	// MaxWhyBytes of one of them, and of other short texts.
	MaxWhyBytes = 1024
)

// Kind says what an actor is.
type Kind string

// Kinds of actors. Agents of a desk are of kind bot (a worker pod) or agent (a person).
const (
	KindCustomer Kind = "customer"
	KindBot      Kind = "bot"
	KindAgent    Kind = "agent"
	KindSystem   Kind = "system"
)

// Valid says whether this release knows the kind.
func (k Kind) Valid() bool {
	switch k {
	case KindCustomer, KindBot, KindAgent, KindSystem:
		return true
	default:
		return false
	}
}

// IsAgent says whether the kind can own conversations.
func (k Kind) IsAgent() bool { return k == KindBot || k == KindAgent }

// Actor is who did or said something.
type Actor struct {
	Kind Kind `json:"kind"`
	// ID of a contact, the token name of a person, or the pod name of a bot worker; empty for the system.
	ID string `json:"id,omitempty"`
	// Name that others see; may be empty.
	Name string `json:"name,omitempty"`
}

func (a Actor) validate(field string) error {
	if !a.Kind.Valid() {
		return fieldError(field+".kind", string(a.Kind), "use customer, bot, agent or system")
	}
	if a.Kind != KindSystem && !IsToken(a.ID) {
		return fieldError(field+".id", a.ID, idRemedy)
	}
	return checkText(field+".name", a.Name, MaxNameBytes)
}

// Agent is a bot worker or a person who can own conversations.
type Agent struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Pool through which the agent serves.
	Pool string `json:"pool,omitempty"`
}

// Actor is the agent as the author of something.
func (a Agent) Actor() Actor { return Actor{Kind: a.Kind, ID: a.ID, Name: a.Name} }

func (a Agent) validate(field string) error {
	if !a.Kind.IsAgent() {
		return fieldError(field+".kind", string(a.Kind), "use bot or agent")
	}
	if !IsToken(a.ID) {
		return fieldError(field+".id", a.ID, idRemedy)
	}
	if err := checkText(field+".name", a.Name, MaxNameBytes); err != nil {
		return err
	}
	return checkText(field+".pool", a.Pool, MaxNameBytes)
}

const idRemedy = "use 1 to 64 characters of A-Z, a-z, 0-9, _ and -"

// FieldError says which field of an event is wrong, with its value and what to do.
type FieldError struct {
	Field  string
	Value  string
	Remedy string
}

// Error implements error.
func (e *FieldError) Error() string {
	return fmt.Sprintf("%s %q is refused: %s", e.Field, e.Value, e.Remedy)
}

func fieldError(field, value, remedy string) error {
	return &FieldError{Field: field, Value: clip(value), Remedy: remedy}
}

func checkText(field, s string, most int) error {
	if len(s) > most {
		return fieldError(field, s, fmt.Sprintf("it has %d bytes, use at most %d", len(s), most))
	}
	if !utf8.ValidString(s) {
		return fieldError(field, s, "write it in valid UTF-8")
	}
	return nil
}

func checkName(field, s string) error {
	if !IsToken(s) {
		return fieldError(field, s, idRemedy)
	}
	return nil
}

func checkWhy(why []string) error {
	if len(why) > MaxWhy {
		return fieldError("why", fmt.Sprint(len(why), " texts"), fmt.Sprintf("use at most %d", MaxWhy))
	}
	for _, w := range why {
		if err := checkText("why", w, MaxWhyBytes); err != nil {
			return err
		}
	}
	return nil
}

// MaxPriority is the highest priority of a conversation; the lowest is 0.
const MaxPriority = 100

func checkPriority(p int) error {
	if p < 0 || p > MaxPriority {
		return fieldError("priority", fmt.Sprint(p), "use 0 (lowest) to 100")
	}
	return nil
}
