package conversation

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Presence of an agent.
type Presence string

// Presences. Only online agents are given conversations.
const (
	PresenceOnline Presence = "online"
	PresenceAway   Presence = "away"
)

// SignedOn makes an agent known; an agent that signs on again keeps what it owns.
type SignedOn struct {
	Agent    Agent    `json:"agent"`
	Presence Presence `json:"presence"`
}

// PresenceSet changes an agent's presence.
type PresenceSet struct {
	Agent    string   `json:"agent"`
	Presence Presence `json:"presence"`
	// Why is set when the router did it, such as after a missed offer.
	Why []string `json:"why,omitempty"`
}

// SignedOff forgets an agent; what it had was queued before.
type SignedOff struct {
	Agent string `json:"agent"`
	// Lost is set when the agent's heartbeats stopped.
	Lost bool     `json:"lost,omitempty"`
	Why  []string `json:"why,omitempty"`
}

// DrainSet marks an agent as draining: it keeps what it has and takes nothing new.
type DrainSet struct {
	Agent    string `json:"agent"`
	Draining bool   `json:"draining"`
	// Scaling is set when capacity is taken back from outside, which can be undone. Without it the agent itself
	// drains, as it was told to end.
	Scaling bool     `json:"scaling,omitempty"`
	Why     []string `json:"why,omitempty"`
}

// CustomerLeft says that the customer's last connection ended.
type CustomerLeft struct{}

// CustomerBack says that the customer is connected again.
type CustomerBack struct{}

// Said is a message of the desk to the customer: it is stored on .msg as a message of kind system
// whose clientId is the event's id.
type Said struct {
	Text     string `json:"text"`
	Language string `json:"language,omitempty"`
	Rule     string `json:"rule,omitempty"`
	// Note is set on what only agents see.
	Note bool `json:"note,omitempty"`
}

// Forgotten drops an ended conversation that the archive holds.
type Forgotten struct {
	// Seq up to which the archive has everything and purges.
	Seq uint64 `json:"seq"`
}

// TookOver says which router leads from here on.
type TookOver struct {
	Router string `json:"router"`
	// Left is set by a router that gives up the lead: a standby need not wait for the lease to end.
	Left bool `json:"left,omitempty"`
}

// Restored is a conversation in a snapshot of the router's state.
type Restored struct {
	State State `json:"state"`
}

// AgentRestored is an agent in a snapshot of the router's state.
type AgentRestored struct {
	Agent    Agent    `json:"agent"`
	Presence Presence `json:"presence"`
	Draining bool     `json:"draining,omitempty"`
	// Scaling as in DrainSet, DrainingSince the time of the mark.
	Scaling       bool      `json:"scaling,omitempty"`
	DrainingSince time.Time `json:"drainingSince,omitzero"`
	// IdleSince is when the agent last became free of conversations; zero while it has any.
	IdleSince time.Time `json:"idleSince,omitzero"`
	// LastGiven is when it last was given a conversation.
	LastGiven time.Time `json:"lastGiven,omitzero"`
	// Misses is how many offers in a row it has missed.
	Misses int `json:"misses,omitempty"`
}

// EventType implements Body.
func (*SignedOn) EventType() Type { return TypeSignedOn }

// EventType implements Body.
func (*PresenceSet) EventType() Type { return TypePresenceSet }

// EventType implements Body.
func (*SignedOff) EventType() Type { return TypeSignedOff }

// EventType implements Body.
func (*DrainSet) EventType() Type { return TypeDrainSet }

// EventType implements Body.
func (*CustomerLeft) EventType() Type { return TypeCustomerLeft }

// EventType implements Body.
func (*CustomerBack) EventType() Type { return TypeCustomerBack }

// EventType implements Body.
func (*Said) EventType() Type { return TypeSaid }

// EventType implements Body.
func (*Forgotten) EventType() Type { return TypeForgotten }

// EventType implements Body.
func (*TookOver) EventType() Type { return TypeTookOver }

// EventType implements Body.
func (*Restored) EventType() Type { return TypeRestored }

// EventType implements Body.
func (*AgentRestored) EventType() Type { return TypeAgentRestored }

func (p Presence) validate() error {
	if p != PresenceOnline && p != PresenceAway {
		return fieldError("presence", string(p), "use online or away; to leave, sign off")
	}
	return nil
}

// Validate implements Body.
func (s *SignedOn) Validate() error {
	return firstError(s.Agent.validate("agent"), s.Presence.validate())
}

// Validate implements Body.
func (p *PresenceSet) Validate() error {
	return firstError(checkName("agent", p.Agent), p.Presence.validate(), checkWhy(p.Why))
}

// Validate implements Body.
func (s *SignedOff) Validate() error { return firstError(checkName("agent", s.Agent), checkWhy(s.Why)) }

// Validate implements Body.
func (d *DrainSet) Validate() error { return firstError(checkName("agent", d.Agent), checkWhy(d.Why)) }

// Validate implements Body.
func (*CustomerLeft) Validate() error { return nil }

// Validate implements Body.
func (*CustomerBack) Validate() error { return nil }

// Validate implements Body.
func (s *Said) Validate() error {
	if s.Text == "" {
		return fieldError("text", "", "write something")
	}
	return firstError(checkText("text", s.Text, MaxTextBytes), checkText("language", s.Language, MaxLanguageBytes),
		checkText("rule", s.Rule, MaxNameBytes))
}

// Validate implements Body.
func (*Forgotten) Validate() error { return nil }

// Validate implements Body.
func (t *TookOver) Validate() error { return checkName("router", t.Router) }

// Validate implements Body.
func (r *Restored) Validate() error { return r.State.validate() }

// Validate implements Body.
func (a *AgentRestored) Validate() error {
	return firstError(a.Agent.validate("agent"), a.Presence.validate())
}

// Bounds of a batch.
const (
	// MaxBatchEvents is the greatest number of events in one batch.
	MaxBatchEvents = 512
	// MaxBatchBytes of one encoded batch; the stream takes messages of up to 256 KiB.
	MaxBatchBytes = 240 << 10
)

// Batch is what one message of the decision log holds: decisions that were made together and take
// effect together.
//
//	{"v":1,"id":"01JD…","at":"…","router":"router-0","cursor":17,"requests":["01JD…"],"events":[{…},{…}]}
type Batch struct {
	V  int       `json:"v"`
	ID ID        `json:"id"`
	At time.Time `json:"at"`
	// Router that decided.
	Router string `json:"router"`
	// Cursor is the stream sequence of the last customer's message that the router had taken into
	// account. Messages up to it need not be looked at again by a successor.
	Cursor uint64 `json:"cursor"`
	// Requests that the batch answers, so that a repeated request is recognised.
	Requests []string `json:"requests,omitempty"`
	// Snapshot is set when the batch is a part of the router's whole state.
	Snapshot *Part   `json:"snapshot,omitempty"`
	Events   []Event `json:"events"`
}

// Part numbers the batches of a snapshot: they follow each other without another batch in between,
// and count only when all of them are there.
type Part struct {
	// Number from 1 to Of.
	Number int `json:"number"`
	Of     int `json:"of"`
}

// ErrBatchSize says that a batch has too many bytes: write several.
var ErrBatchSize = errors.New("batch has too many bytes")

// EncodeBatch renders a batch and refuses an invalid or too large one.
func EncodeBatch(b *Batch) ([]byte, error) {
	if err := b.validate(); err != nil {
		return nil, fmt.Errorf("encode batch: %w", err)
	}
	data, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode batch: %w", err)
	}
	if len(data) > MaxBatchBytes {
		return nil, fmt.Errorf("encode batch: %w: %d, the limit is %d", ErrBatchSize, len(data), MaxBatchBytes)
	}
	return data, nil
}

// DecodeBatch reads a batch. Errors wrap ErrMalformed.
func DecodeBatch(data []byte) (*Batch, error) {
	if len(data) > 2*MaxBatchBytes {
		return nil, fmt.Errorf("%w: the batch has %d bytes, the limit is %d", ErrMalformed, len(data), 2*MaxBatchBytes)
	}
	var b Batch
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	b.At = b.At.UTC()
	if err := b.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return &b, nil
}

func (b *Batch) validate() error {
	if b.V < 1 {
		return fieldError("v", fmt.Sprint(b.V), "use 1 or more")
	}
	if _, err := ParseID(string(b.ID)); err != nil {
		return err
	}
	if !IsToken(b.Router) {
		return fieldError("router", b.Router, idRemedy)
	}
	if len(b.Events) > 2*MaxBatchEvents || len(b.Requests) > 2*MaxBatchEvents {
		return fieldError("events", fmt.Sprint(len(b.Events)), fmt.Sprintf("use at most %d", MaxBatchEvents))
	}
	if s := b.Snapshot; s != nil && (s.Number < 1 || s.Number > s.Of) {
		return fieldError("snapshot", fmt.Sprintf("%d of %d", s.Number, s.Of), "number the parts from 1")
	}
	return nil
}

// Claim says which conversation of a contact is open on a channel. It is written with the expected
// last sequence of its subject, so that of several gateways one decides. Contact is the safe token of
// the contact, the same in every event.
//
//	{"v":1,"conversation":"01JD…","channel":"web","contact":"c-17","language":"zh","at":"…"}
type Claim struct {
	V            int    `json:"v"`
	Conversation ID     `json:"conversation"`
	Channel      string `json:"channel"`
	Contact      string `json:"contact"`
	ContactName  string `json:"contactName,omitempty"`
	Language     string `json:"language,omitempty"`
	// Ended is set by the router when the conversation has ended: the next message opens another one.
	Ended bool `json:"ended,omitempty"`
	// Acted is set with Ended: the sequence of the last customer's message that the router had acted on. One in the
	// conversation behind it came between the end and this claim: it reopens the conversation, and no other one
	// is opened. Zero in claims of releases that did not say it.
	Acted uint64 `json:"acted,omitempty"`
	// LastAgent is the person who had a conversation of the contact last, until LastAgentAt; it is set when one ends
	// and handed on by every claim. The contact's next conversation is offered to them first, within the desk's window.
	LastAgent   string    `json:"lastAgent,omitempty"`
	LastAgentAt time.Time `json:"lastAgentAt,omitzero"`
	// Attributes of the contact, for the conversation that the claim opens.
	Attributes Attributes `json:"attributes,omitempty"`
	At         time.Time  `json:"at"`
}

// EncodeClaim renders a claim.
func EncodeClaim(c Claim) ([]byte, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("encode claim: %w", err)
	}
	return json.Marshal(c)
}

// DecodeClaim reads a claim. Errors wrap ErrMalformed.
func DecodeClaim(data []byte) (Claim, error) {
	var c Claim
	if err := json.Unmarshal(data, &c); err != nil {
		return Claim{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := c.validate(); err != nil {
		return Claim{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return c, nil
}

func (c Claim) validate() error {
	if c.V < 1 {
		return fieldError("v", fmt.Sprint(c.V), "use 1 or more")
	}
	if _, err := ParseID(string(c.Conversation)); err != nil {
		return err
	}
	return firstError(checkName("channel", c.Channel), checkName("contact", c.Contact),
		checkText("contactName", c.ContactName, MaxNameBytes), checkText("language", c.Language, MaxLanguageBytes),
		checkLastAgent(c.LastAgent), c.Attributes.Validate())
}
