package conversation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Version of the events that this release writes.
const Version = 1

// Type names what happened.
type Type string

// Types of events that this release knows.
const (
	TypeMessage Type = "message"

	TypeOpened        Type = "opened"
	TypeAssigned      Type = "assigned"
	TypeQueued        Type = "queued"
	TypeOffered       Type = "offered"
	TypeOfferEnded    Type = "offerEnded"
	TypeAccepted      Type = "accepted"
	TypePrioritised   Type = "prioritised"
	TypeWrapUpStarted Type = "wrapUpStarted"
	TypeClosed        Type = "closed"
	TypeAbandoned     Type = "abandoned"
	TypeReopened      Type = "reopened"
	TypeResumed       Type = "resumed"
	TypePended        Type = "pended"
	TypeTagged        Type = "tagged"

	TypeRated Type = "rated"

	TypeCallbackOffered Type = "callbackOffered"

	TypeCustomerLeft Type = "customerLeft"
	TypeCustomerBack Type = "customerBack"
	TypeSaid         Type = "said"
	TypeForgotten    Type = "forgotten"
	TypeRelaxed      Type = "relaxed"
	TypeOverflowed   Type = "overflowed"
	TypeRestored     Type = "restored"

	TypeSignedOn      Type = "signedOn"
	TypePresenceSet   Type = "presenceSet"
	TypeSignedOff     Type = "signedOff"
	TypeDrainSet      Type = "drainSet"
	TypeAgentRestored Type = "agentRestored"
	TypeTookOver      Type = "tookOver"
	TypeOverflowSet   Type = "overflowSet"
	TypeQueueRestored Type = "queueRestored"
	TypeStepHeld      Type = "stepHeld"
	TypeStepReleased  Type = "stepReleased"

	TypeReserveCalled   Type = "reserveCalled"
	TypeReserveReleased Type = "reserveReleased"
)

// OnOwn says whether events of the type are copied to the conversation's .own subject.
func (t Type) OnOwn() bool {
	switch t {
	case TypeOpened, TypeAssigned, TypeQueued, TypeOffered, TypeOfferEnded, TypeAccepted,
		TypePrioritised, TypeWrapUpStarted, TypeResumed, TypePended, TypeClosed, TypeAbandoned, TypeReopened, TypeCallbackOffered,
		TypeTagged:
		return true
	default:
		return false
	}
}

// OfAgent says whether events of the type concern an agent, a queue or the router and no conversation.
func (t Type) OfAgent() bool {
	switch t {
	case TypeSignedOn, TypePresenceSet, TypeSignedOff, TypeDrainSet, TypeAgentRestored, TypeTookOver,
		TypeOverflowSet, TypeQueueRestored, TypeStepHeld, TypeStepReleased,
		TypeReserveCalled, TypeReserveReleased:
		return true
	default:
		return false
	}
}

// Header is the envelope of an event.
type Header struct {
	// V is the version of the release that wrote the event, at least 1.
	V int `json:"v"`
	// ID of the event, unique.
	ID   ID   `json:"id"`
	Type Type `json:"type"`
	// Conversation that the event belongs to; empty for events of agents.
	Conversation ID `json:"conversation,omitempty"`
	// At is when the event was decided or accepted, by the clock of the role that wrote it.
	At time.Time `json:"at"`
}

// Event is one thing that happened.
type Event struct {
	Header
	// Seq is the event's place in the desk's stream, at least 1 once stored. It is transport, not content.
	Seq uint64
	// Body belongs to the type: a pointer to the struct of that name, or Unknown.
	Body Body
}

// Body is the content of an event of one type.
type Body interface {
	// EventType is the type that the body belongs to.
	EventType() Type
	// Validate refuses a body that the type does not allow, with a *FieldError.
	Validate() error
}

// Unknown is an event that this release does not know: it is kept as it came.
type Unknown struct {
	Type Type
	// Raw is the whole event.
	Raw json.RawMessage
}

// EventType implements Body.
func (u *Unknown) EventType() Type { return u.Type }

// Validate implements Body; nothing is known, so nothing is wrong.
func (u *Unknown) Validate() error { return nil }

// ErrMalformed is wrapped by all errors of decoding.
var ErrMalformed = errors.New("malformed event")

// NewEvent makes an event of this release's version.
func NewEvent(id, conv ID, at time.Time, body Body) Event {
	return Event{
		Header: Header{V: Version, ID: id, Type: body.EventType(), Conversation: conv, At: at.UTC()},
		Body:   body,
	}
}

// Validate checks the envelope and the body.
func (e *Event) Validate() error {
	if e.V < 1 {
		return fieldError("v", fmt.Sprint(e.V), "use 1 or more")
	}
	if _, err := ParseID(string(e.ID)); err != nil {
		return err
	}
	if e.Body == nil || e.Body.EventType() != e.Type {
		return fieldError("type", string(e.Type), "give the body that belongs to the type")
	}
	if !IsToken(string(e.Type)) {
		return fieldError("type", string(e.Type), idRemedy)
	}
	if err := e.validateConversation(); err != nil {
		return err
	}
	if y := e.At.Year(); e.At.IsZero() || y < 2000 || y > 9999 {
		return fieldError("at", e.At.String(), "give the time of the event in RFC 3339")
	}
	return e.Body.Validate()
}

func (e *Event) validateConversation() error {
	if _, unknown := e.Body.(*Unknown); unknown && e.Conversation == "" {
		return nil
	}
	if e.Type.OfAgent() {
		if e.Conversation != "" {
			return fieldError("conversation", string(e.Conversation), "events of agents belong to no conversation")
		}
		return nil
	}
	_, err := ParseID(string(e.Conversation))
	return err
}

// MarshalJSON renders the event as one flat object. The event must be valid.
func (e Event) MarshalJSON() ([]byte, error) {
	if u, ok := e.Body.(*Unknown); ok {
		return u.Raw, nil
	}
	if err := e.Validate(); err != nil {
		return nil, fmt.Errorf("encode %s event: %w", e.Type, err)
	}
	head, err := json.Marshal(e.Header)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(e.Body)
	if err != nil {
		return nil, err
	}
	return join(head, body), nil
}

// join merges two JSON objects that share no field.
func join(a, b []byte) []byte {
	if bytes.Equal(b, []byte("{}")) {
		return a
	}
	out := make([]byte, 0, len(a)+len(b))
	out = append(out, a[:len(a)-1]...)
	out = append(out, ',')
	return append(out, b[1:]...)
}

// UnmarshalJSON is Decode.
func (e *Event) UnmarshalJSON(data []byte) error {
	d, err := Decode(data)
	if err != nil {
		return err
	}
	*e = d
	return nil
}

// Encode renders the event and refuses an invalid or too large one.
func Encode(e Event) ([]byte, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	if len(data) > MaxEventBytes {
		return nil, fmt.Errorf("encode %s event: it has %d bytes, the limit is %d", e.Type, len(data), MaxEventBytes)
	}
	return data, nil
}

// Decode reads one event. Errors wrap ErrMalformed. An event of an unknown type, or one of a later
// version that this release cannot make sense of, gives a body of type *Unknown.
func Decode(data []byte) (Event, error) {
	if len(data) > MaxEventBytes {
		return Event{}, fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrMalformed, len(data), MaxEventBytes)
	}
	var e Event
	if err := json.Unmarshal(data, &e.Header); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	e.At = e.At.UTC()
	e.Body = bodyOf(e.Type)
	if e.Body == nil {
		return unknown(e, data)
	}
	err := json.Unmarshal(data, e.Body)
	if err == nil {
		err = e.Validate()
	}
	if err == nil {
		return e, nil
	}
	if e.V > Version {
		return unknown(e, data)
	}
	return Event{}, fmt.Errorf("%w of type %q: %w", ErrMalformed, e.Type, err)
}

func unknown(e Event, data []byte) (Event, error) {
	var raw bytes.Buffer
	if err := json.Compact(&raw, data); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	e.Body = &Unknown{Type: e.Type, Raw: raw.Bytes()}
	if err := e.Validate(); err != nil {
		return Event{}, fmt.Errorf("%w of unknown type %q: %w", ErrMalformed, clip(string(e.Type)), err)
	}
	return e, nil
}

// bodies makes an empty body of each type.
var bodies = map[Type]func() Body{
	TypeMessage:         func() Body { return new(Message) },
	TypeOpened:          func() Body { return new(Opened) },
	TypeAssigned:        func() Body { return new(Assigned) },
	TypeQueued:          func() Body { return new(Queued) },
	TypeOffered:         func() Body { return new(Offered) },
	TypeOfferEnded:      func() Body { return new(OfferEnded) },
	TypeAccepted:        func() Body { return new(Accepted) },
	TypePrioritised:     func() Body { return new(Prioritised) },
	TypeWrapUpStarted:   func() Body { return new(WrapUpStarted) },
	TypeClosed:          func() Body { return new(Closed) },
	TypeAbandoned:       func() Body { return new(Abandoned) },
	TypeReopened:        func() Body { return new(Reopened) },
	TypeCustomerLeft:    func() Body { return new(CustomerLeft) },
	TypeCustomerBack:    func() Body { return new(CustomerBack) },
	TypeSaid:            func() Body { return new(Said) },
	TypeForgotten:       func() Body { return new(Forgotten) },
	TypeRestored:        func() Body { return new(Restored) },
	TypeSignedOn:        func() Body { return new(SignedOn) },
	TypePresenceSet:     func() Body { return new(PresenceSet) },
	TypeSignedOff:       func() Body { return new(SignedOff) },
	TypeDrainSet:        func() Body { return new(DrainSet) },
	TypeAgentRestored:   func() Body { return new(AgentRestored) },
	TypeTookOver:        func() Body { return new(TookOver) },
	TypeResumed:         func() Body { return new(Resumed) },
	TypePended:          func() Body { return new(Pended) },
	TypeTagged:          func() Body { return new(Tagged) },
	TypeRated:           func() Body { return new(Rated) },
	TypeCallbackOffered: func() Body { return new(CallbackOffered) },
	TypeRelaxed:         func() Body { return new(Relaxed) },
	TypeOverflowed:      func() Body { return new(Overflowed) },
	TypeOverflowSet:     func() Body { return new(OverflowSet) },
	TypeQueueRestored:   func() Body { return new(QueueRestored) },
	TypeStepHeld:        func() Body { return new(StepHeld) },
	TypeReserveCalled:   func() Body { return new(ReserveCalled) },
	TypeReserveReleased: func() Body { return new(ReserveReleased) },
	TypeStepReleased:    func() Body { return new(StepReleased) },
}

func bodyOf(t Type) Body {
	if f, ok := bodies[t]; ok {
		return f()
	}
	return nil
}
