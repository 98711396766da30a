package conversation

import (
	"fmt"
	"time"
)

// BotQueue is the implicit queue in front of the bots.
const BotQueue = "bot"

// Arrival is a place in a queue: among equal priorities the earlier one is served first. A
// conversation that comes back (its agent was lost, an offer ran out) keeps it.
type Arrival struct {
	At time.Time `json:"at"`
	// Seq is the stream sequence of the message or decision that brought the conversation there; it
	// orders conversations of one instant.
	Seq uint64 `json:"seq"`
}

// Compare orders places: negative when a comes before b.
func (a Arrival) Compare(b Arrival) int {
	if c := a.At.Compare(b.At); c != 0 {
		return c
	}
	switch {
	case a.Seq < b.Seq:
		return -1
	case a.Seq > b.Seq:
		return 1
	default:
		return 0
	}
}

// Cause says why a conversation entered a queue.
type Cause string

// Causes that this release gives.
const (
	CauseHandOff       Cause = "handOff"       // its owner handed it off
	CauseEscalation    Cause = "escalation"    // a rule of the policy
	CauseAgentLost     Cause = "agentLost"     // its owner's heartbeats stopped
	CauseSignedOff     Cause = "signedOff"     // its owner signed off
	CauseShiftEnd      Cause = "shiftEnd"      // its owner's shift was over, and the time to finish after it
	CauseDrained       Cause = "drained"       // its owner was to leave, and its time to finish was over
	CauseReopened      Cause = "reopened"      // the customer wrote after the end
	CauseConfiguration Cause = "configuration" // its queue was removed or the bots were
	CauseOverflow      Cause = "overflow"      // a step of its queue's degradation ladder
	CauseTakeOver      Cause = "takeOver"      // somebody who may took it over
	CauseFollowUp      Cause = "followUp"      // the time that its owner put it off to has come, or the customer wrote
	CauseCallback      Cause = "callback"      // the time at which the customer wanted to be called back has come, or the customer wrote
)

// Opened begins a conversation: it waits for a bot, or for a person where the desk has no bots.
type Opened struct {
	Channel     string  `json:"channel"`
	Contact     string  `json:"contact"`
	ContactName string  `json:"contactName,omitempty"`
	Language    string  `json:"language,omitempty"`
	Queue       string  `json:"queue"`
	Priority    int     `json:"priority"`
	Arrival     Arrival `json:"arrival"`
	// LastAgent is the person whom the contact talked to before, until LastAgentAt; empty when that is not known.
	LastAgent   string    `json:"lastAgent,omitempty"`
	LastAgentAt time.Time `json:"lastAgentAt,omitzero"`
	// Attributes of the contact, of which somebody who may has assured the desk.
	Attributes Attributes `json:"attributes,omitempty"`
	Why        []string   `json:"why,omitempty"`
}

// Assigned gives the conversation to a bot worker.
type Assigned struct {
	Agent Agent    `json:"agent"`
	Why   []string `json:"why,omitempty"`
}

// Queued puts the conversation into a queue, taking it from whoever had it.
type Queued struct {
	Queue    string `json:"queue"`
	Priority int    `json:"priority"`
	// FixedPriority is set when a rule gave the priority, so that a change of the queue's keeps it.
	FixedPriority bool    `json:"fixedPriority,omitempty"`
	Arrival       Arrival `json:"arrival"`
	Cause         Cause   `json:"cause"`
	// Rule of the policy, with cause escalation.
	Rule string `json:"rule,omitempty"`
	// Pin is a person to whom alone it is offered until PinUntil: it was transferred to them.
	Pin      string    `json:"pin,omitempty"`
	PinUntil time.Time `json:"pinUntil,omitzero"`
	// Overflow is set when a step of the degradation ladder moved it. That happens once in its life.
	Overflow bool `json:"overflow,omitempty"`
	// BotsFrom is set when that gives it to the bots: the sequence of the last message of before. What was said up to there
	// waits for people, and the bots answer what comes behind it.
	BotsFrom uint64 `json:"botsFrom,omitempty"`
	// HandOff is what the giving side passes on. A requeued conversation keeps the one it has.
	HandOff *HandOff `json:"handOff,omitempty"`
	Why     []string `json:"why,omitempty"`
}

// Offered asks a person to take the conversation.
type Offered struct {
	Agent    Agent     `json:"agent"`
	Deadline time.Time `json:"deadline"`
	Why      []string  `json:"why,omitempty"`
}

// Outcome of an offer that was not accepted.
type Outcome string

// Outcomes of offers.
const (
	OutcomeDeclined Outcome = "declined"
	OutcomeExpired  Outcome = "expired"
	// OutcomeRevoked means that the router took it back: the agent was lost, went away, or a rule moved the conversation.
	OutcomeRevoked Outcome = "revoked"
)

// OfferEnded takes an offer back; the conversation is in its queue at its old place.
type OfferEnded struct {
	Agent   Agent   `json:"agent"`
	Outcome Outcome `json:"outcome"`
	// NotBefore is when this agent may be asked again for this conversation; zero for at once.
	NotBefore time.Time `json:"notBefore,omitzero"`
	Why       []string  `json:"why,omitempty"`
}

// Accepted makes the asked person the owner.
type Accepted struct {
	Agent Agent `json:"agent"`
}

// Prioritised changes the priority of a conversation that waits.
type Prioritised struct {
	Priority      int      `json:"priority"`
	FixedPriority bool     `json:"fixedPriority,omitempty"`
	Rule          string   `json:"rule,omitempty"`
	Why           []string `json:"why,omitempty"`
}

// WrapUpStarted ends the talk: the agent finishes the paperwork.
type WrapUpStarted struct {
	Agent Agent `json:"agent"`
	// Until is when the wrap-up ends by itself; zero when closed follows at once.
	Until time.Time `json:"until,omitzero"`
	// Ending is how it will be closed then; nil when closed follows at once.
	Ending *Ending `json:"ending,omitempty"`
}

// CloseReason says why a conversation ended.
type CloseReason string

// Reasons of closing that this release gives.
const (
	CloseResolved     CloseReason = "resolved"     // the owner closed it
	CloseCustomer     CloseReason = "customer"     // the customer ended it
	CloseCustomerLeft CloseReason = "customerLeft" // the customer left a bot's conversation
	CloseIdle         CloseReason = "idle"         // nothing was said for too long in a bot's conversation
	CloseHours        CloseReason = "closedHours"  // the desk is closed, and the customer was told
	CloseMerged       CloseReason = "merged"       // it goes on in another conversation of the same contact
)

// Closed ends the conversation.
type Closed struct {
	By     Actor       `json:"by"`
	Reason CloseReason `json:"reason"`
	// Disposition is the agent's word for how it ended.
	Disposition string `json:"disposition,omitempty"`
	Comment     string `json:"comment,omitempty"`
	// MergedInto is the conversation in which it goes on, with reason merged.
	MergedInto ID `json:"mergedInto,omitempty"`
}

// Abandoned ends a conversation whose customer left while waiting for a person or a bot.
type Abandoned struct {
	WaitedMillis int64    `json:"waitedMillis"`
	Why          []string `json:"why,omitempty"`
}

// Reopened revives an ended conversation; queued follows.
type Reopened struct {
	Cause Cause `json:"cause"`
	// Seq of the message that reopened it.
	Seq uint64 `json:"seq"`
}

// EventType implements Body.
func (*Opened) EventType() Type { return TypeOpened }

// EventType implements Body.
func (*Assigned) EventType() Type { return TypeAssigned }

// EventType implements Body.
func (*Queued) EventType() Type { return TypeQueued }

// EventType implements Body.
func (*Offered) EventType() Type { return TypeOffered }

// EventType implements Body.
func (*OfferEnded) EventType() Type { return TypeOfferEnded }

// EventType implements Body.
func (*Accepted) EventType() Type { return TypeAccepted }

// EventType implements Body.
func (*Prioritised) EventType() Type { return TypePrioritised }

// EventType implements Body.
func (*WrapUpStarted) EventType() Type { return TypeWrapUpStarted }

// EventType implements Body.
func (*Closed) EventType() Type { return TypeClosed }

// EventType implements Body.
func (*Abandoned) EventType() Type { return TypeAbandoned }

// EventType implements Body.
func (*Reopened) EventType() Type { return TypeReopened }

// Validate implements Body.
func (o *Opened) Validate() error {
	if err := firstError(
		checkName("channel", o.Channel), checkName("contact", o.Contact), checkName("queue", o.Queue),
		checkText("contactName", o.ContactName, MaxNameBytes), checkText("language", o.Language, MaxLanguageBytes),
		checkPriority(o.Priority), o.Arrival.validate(), checkLastAgent(o.LastAgent),
		o.Attributes.Validate(),
	); err != nil {
		return err
	}
	return checkWhy(o.Why)
}

// Validate implements Body.
func (a *Assigned) Validate() error {
	if a.Agent.Kind != KindBot {
		return fieldError("agent.kind", string(a.Agent.Kind), "only bots are assigned; people are offered")
	}
	return firstError(a.Agent.validate("agent"), checkWhy(a.Why))
}

// Validate implements Body.
func (q *Queued) Validate() error {
	if err := firstError(checkName("queue", q.Queue), checkPriority(q.Priority), q.Arrival.validate(),
		checkName("cause", string(q.Cause)), checkText("rule", q.Rule, MaxNameBytes), checkWhy(q.Why), checkPin(q.Pin)); err != nil {
		return err
	}
	if q.HandOff == nil && q.Cause != CauseHandOff {
		return nil
	}
	return q.HandOff.Validate()
}

// Validate implements Body.
func (o *Offered) Validate() error {
	if o.Agent.Kind != KindAgent {
		return fieldError("agent.kind", string(o.Agent.Kind), "only people are offered; bots are assigned")
	}
	if o.Deadline.IsZero() {
		return fieldError("deadline", "", "give the time at which the offer ends")
	}
	return firstError(o.Agent.validate("agent"), checkWhy(o.Why))
}

// Validate implements Body.
func (o *OfferEnded) Validate() error {
	switch o.Outcome {
	case OutcomeDeclined, OutcomeExpired, OutcomeRevoked:
		return firstError(o.Agent.validate("agent"), checkWhy(o.Why))
	default:
		return fieldError("outcome", string(o.Outcome), "use declined, expired or revoked")
	}
}

// Validate implements Body.
func (a *Accepted) Validate() error { return a.Agent.validate("agent") }

// Validate implements Body.
func (p *Prioritised) Validate() error {
	return firstError(checkPriority(p.Priority), checkText("rule", p.Rule, MaxNameBytes), checkWhy(p.Why))
}

// Validate implements Body.
func (w *WrapUpStarted) Validate() error {
	return firstError(w.Agent.validate("agent"), w.Ending.validate())
}

// Validate implements Body.
func (c *Closed) Validate() error {
	if c.MergedInto != "" || c.Reason == CloseMerged {
		if _, err := ParseID(string(c.MergedInto)); err != nil {
			return fieldError("mergedInto", string(c.MergedInto), "name the conversation in which it goes on, with reason merged only")
		}
	}
	return firstError(c.By.validate("by"), checkName("reason", string(c.Reason)),
		checkText("disposition", c.Disposition, MaxNameBytes), checkText("comment", c.Comment, MaxWhyBytes))
}

// Validate implements Body.
func (a *Abandoned) Validate() error {
	if a.WaitedMillis < 0 {
		return fieldError("waitedMillis", fmt.Sprint(a.WaitedMillis), "use 0 or more")
	}
	return checkWhy(a.Why)
}

// Validate implements Body.
func (r *Reopened) Validate() error { return checkName("cause", string(r.Cause)) }

func checkPin(id string) error {
	if id == "" {
		return nil
	}
	return checkName("pin", id)
}

func checkLastAgent(id string) error {
	if id == "" {
		return nil
	}
	return checkName("lastAgent", id)
}

func (a Arrival) validate() error {
	if a.At.IsZero() {
		return fieldError("arrival.at", "", "give the time of arrival")
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
