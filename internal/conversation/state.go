package conversation

import (
	"errors"
	"fmt"
	"hash/fnv"
	"time"
)

// Status is where a conversation stands.
type Status string

// Statuses. Queued with queue "bot" waits for a bot, with another queue for a person.
const (
	StatusNone      Status = "" // nothing is known yet
	StatusQueued    Status = "Queued"
	StatusBot       Status = "Bot"
	StatusOffered   Status = "Offered"
	StatusActive    Status = "Active"
	StatusWrapUp    Status = "WrapUp"
	StatusClosed    Status = "Closed"
	StatusAbandoned Status = "Abandoned"
	StatusReopened  Status = "Reopened"
	// StatusPending and StatusCallbackPending are put aside until a time: by an agent for later work, and by a
	// customer who wants to be called back.
	StatusPending         Status = "Pending"
	StatusCallbackPending Status = "CallbackPending"
)

// Pending says whether the conversation is put aside.
func (s Status) Pending() bool { return s == StatusPending || s == StatusCallbackPending }

// Ended says whether the conversation is over until a message reopens it.
func (s Status) Ended() bool { return s == StatusClosed || s == StatusAbandoned }

// Waiting says whether the conversation is in a queue; one that is on offer still is.
func (s Status) Waiting() bool { return s == StatusQueued || s == StatusOffered }

// State of one conversation, folded from its events. It is a value: Apply never changes the one it is given.
type State struct {
	ID          ID     `json:"id"`
	Status      Status `json:"status"`
	Channel     string `json:"channel,omitempty"`
	Contact     string `json:"contact,omitempty"`
	ContactName string `json:"contactName,omitempty"`
	// Language of the customer's latest message that had one.
	Language string `json:"language,omitempty"`
	// OpenedAt is when the conversation began, StatusAt when the status began.
	OpenedAt time.Time `json:"openedAt,omitzero"`
	StatusAt time.Time `json:"statusAt,omitzero"`
	// Queue that the conversation is in or was served from; its Priority and place there.
	Queue         string  `json:"queue,omitempty"`
	Priority      int     `json:"priority,omitempty"`
	FixedPriority bool    `json:"fixedPriority,omitempty"`
	Arrival       Arrival `json:"arrival,omitzero"`
	// Agent that owns the conversation (Bot, Active, WrapUp) or is asked to (Offered); nil otherwise.
	Agent *Agent `json:"agent,omitempty"`
	// ServedAt is when its owner took it, wrap-up and what came before it included; zero while nobody has it.
	ServedAt time.Time `json:"servedAt,omitzero"`
	// Deadline of the offer or of the wrap-up, or the time until which it is put aside.
	Deadline time.Time `json:"deadline,omitzero"`
	// Ending is how the conversation will be closed when its wrap-up is over.
	Ending *Ending `json:"ending,omitempty"`
	// Ring is how far it has relaxed what it asks for, OverflowPool a pool that may serve it besides those of its
	// queue. Both belong to its stay in the queue.
	Ring         int    `json:"ring,omitempty"`
	OverflowPool string `json:"overflowPool,omitempty"`
	// FollowUp is set when it was put aside: whether the customer is connected says nothing about it any more.
	FollowUp bool `json:"followUp,omitempty"`
	// Promised is set with a time until which an agent put it aside and that the customer was told.
	Promised bool `json:"promised,omitempty"`
	// Tags in alphabetical order.
	Tags []string `json:"tags,omitempty"`
	// MergedInto is the conversation in which this one, which is closed, goes on.
	MergedInto ID `json:"mergedInto,omitempty"`
	// Rating is what the customer said of it last.
	Rating *Rating `json:"rating,omitempty"`
	// Pin is a person to whom alone it is offered until PinUntil; while it is pending, who gets it back first.
	Pin      string    `json:"pin,omitempty"`
	PinUntil time.Time `json:"pinUntil,omitzero"`
	// Overflow is set when the degradation ladder has moved it to another queue.
	Overflow bool `json:"overflow,omitempty"`
	// PlaceKept is the place among those who wait for people of a conversation that the degradation ladder has given to
	// the bots; zero otherwise.
	PlaceKept Arrival `json:"placeKept,omitzero"`
	// BotsFrom is up to where the bots leave what was said to people; 0 when all is theirs.
	BotsFrom uint64 `json:"botsFrom,omitempty"`
	// CallbackOffered is set when the customer was told that they will be answered later, or asked for that: they need
	// not stay connected.
	CallbackOffered bool `json:"callbackOffered,omitempty"`
	// Attributes of the contact, as a bridge or the contact's token gave them when the conversation began. The map is
	// shared by all states and never changed.
	Attributes Attributes `json:"attributes,omitempty"`
	// LastAgent is the person who had it, or the contact's conversation before it, last, until LastAgentAt.
	LastAgent   string    `json:"lastAgent,omitempty"`
	LastAgentAt time.Time `json:"lastAgentAt,omitzero"`
	// Why the agent has it or is asked, in words.
	Why []string `json:"why,omitempty"`
	// Passed are agents that declined or missed the conversation and may not be asked again yet.
	Passed []Passed `json:"passed,omitempty"`
	// HandOff is the latest one; nil while none was made.
	HandOff *HandOff `json:"handOff,omitempty"`
	// LeftAt is when the customer's last connection ended; zero while there is one.
	LeftAt time.Time `json:"leftAt,omitzero"`
	// Turns counts the customer's messages, Misses the bot's messages that had no sure answer.
	Turns  int `json:"turns,omitempty"`
	Misses int `json:"misses,omitempty"`
	// LastSaidAt is when anybody last said something to the other side.
	LastSaidAt time.Time `json:"lastSaidAt,omitzero"`
	// AnsweredAt is when a person first answered.
	AnsweredAt time.Time `json:"answeredAt,omitzero"`
	// Disposition that the conversation was closed with.
	Disposition string `json:"disposition,omitempty"`
	// Said are the hashes of what the policy said to the customer, so that it says nothing twice.
	Said []uint64 `json:"said,omitempty"`
	// MsgSeq and OwnSeq are the stream sequences of the last event folded from .msg and from .own; 0 for
	// none. OwnSeq fences the owner's messages.
	MsgSeq uint64 `json:"msgSeq,omitempty"`
	OwnSeq uint64 `json:"ownSeq,omitempty"`
}

// Passed is an agent that is not asked again before a time.
type Passed struct {
	Agent string    `json:"agent"`
	Until time.Time `json:"until"`
}

// Owner is the agent that may answer: the bot, or the person who accepted. Nil when nobody may.
func (s *State) Owner() *Agent {
	switch s.Status {
	case StatusBot, StatusActive, StatusWrapUp:
		return s.Agent
	default:
		return nil
	}
}

// PassedBy says whether the agent may not be asked for this conversation at now.
func (s *State) PassedBy(agent string, now time.Time) bool {
	for _, p := range s.Passed {
		if p.Agent == agent && p.Until.After(now) {
			return true
		}
	}
	return false
}

func (s *State) validate() error {
	if _, err := ParseID(string(s.ID)); err != nil {
		return err
	}
	switch s.Status {
	case StatusQueued, StatusBot, StatusOffered, StatusActive, StatusWrapUp, StatusClosed, StatusAbandoned,
		StatusPending, StatusCallbackPending:
	default:
		return fieldError("state.status", string(s.Status), "a conversation is restored in a lasting status")
	}
	needs := s.Status == StatusBot || s.Status == StatusOffered || s.Status == StatusActive || s.Status == StatusWrapUp
	if needs != (s.Agent != nil) {
		return fieldError("state.agent", fmt.Sprint(s.Agent), "an agent belongs to Bot, Offered, Active and WrapUp, and only to these")
	}
	if s.Agent != nil {
		return s.Agent.validate("state.agent")
	}
	return nil
}

// SaidHash is how State.Said remembers a text.
func SaidHash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // never fails
	// JSON numbers keep 53 bits in every reader.
	return h.Sum64() >> 11
}

// ErrForeign says that an event belongs to another conversation.
var ErrForeign = errors.New("event of another conversation")

// TransitionError says that an event does not fit the state that it was applied to.
type TransitionError struct {
	Conversation ID
	From         Status
	Event        Type
	Why          string
}

// Error implements error.
func (e *TransitionError) Error() string {
	return fmt.Sprintf("conversation %s is %s: %s is refused: %s", e.Conversation, orNew(e.From), e.Event, e.Why)
}

func orNew(s Status) string {
	if s == StatusNone {
		return "not open"
	}
	return string(s)
}

// Apply folds one event into the state. It returns a *TransitionError, and the state unchanged, when
// the event does not fit. Messages and ratings fit every state: whoever folds them leaves out those that were
// already folded (see Seen). Unknown events and those of agents change nothing.
func Apply(s State, e Event) (State, error) {
	if e.Type.OfAgent() {
		return s, nil
	}
	if _, unknown := e.Body.(*Unknown); unknown {
		return s, nil
	}
	if s.ID != "" && e.Conversation != s.ID {
		return s, fmt.Errorf("%w: %s of %s, state of %s", ErrForeign, e.Type, e.Conversation, s.ID)
	}
	next := s
	next.ID = e.Conversation
	if m, ok := e.Body.(*Message); ok {
		next.say(m, e)
		return next, nil
	}
	if r, ok := e.Body.(*Rated); ok {
		next.Rating, next.MsgSeq = &r.Rating, max(next.MsgSeq, e.Seq)
		return next, nil
	}
	if err := next.transit(e); err != nil {
		return s, err
	}
	if e.Type.OnOwn() {
		next.OwnSeq = max(next.OwnSeq, e.Seq)
	}
	return next, nil
}

func (s *State) say(m *Message, e Event) {
	s.MsgSeq = max(s.MsgSeq, e.Seq)
	if m.Note {
		return
	}
	s.LastSaidAt = later(s.LastSaidAt, e.At)
	switch m.From.Kind {
	case KindCustomer:
		s.Turns++
		if m.Language != "" {
			s.Language = m.Language
		}
	case KindBot:
		if m.Missed {
			s.Misses++
		}
	case KindAgent:
		if s.AnsweredAt.IsZero() {
			s.AnsweredAt = e.At
		}
	case KindSystem:
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
