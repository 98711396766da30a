package routing

import (
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Verdict is what the escalation policy says about a conversation.
type Verdict struct {
	// Rules that matched, as one text.
	Rules string
	// HandOff is the queue that the conversation goes to; empty when it stays.
	HandOff string
	// Priority is its new priority; nil leaves it.
	Priority *int
	// Say are messages to the customer. Each is said once in a conversation's life.
	Say []conversation.Said
	// Reason says in words what matched.
	Reason string
}

// Wrote says that a customer's message, which was heard before, is to be acted on.
type Wrote struct {
	Conversation conversation.ID
	// Seq of the message in the stream.
	Seq uint64
	// Channel, Contact, ContactName and Language open the conversation if it is new.
	Channel, Contact, ContactName, Language string
	// LastAgent is the person whom the contact talked to before, until LastAgentAt; empty when that is not known.
	LastAgent   string
	LastAgentAt time.Time
	// Attributes of the contact.
	Attributes conversation.Attributes
	Verdict    Verdict
}

func (in Wrote) decide(d *Desk, now time.Time) error {
	c := d.convs[in.Conversation]
	if c == nil {
		return &RefusalError{Code: CodeNotFound, What: "nothing follows from the message", Why: "it was not heard", Remedy: "hear it first"}
	}
	switch {
	case c.state.Status == conversation.StatusNone:
		front, priority := d.front()
		d.emit(now, in.Conversation, &conversation.Opened{
			Channel: in.Channel, Contact: in.Contact, ContactName: in.ContactName, Language: in.Language,
			Queue: front, Priority: d.base(priority, in.Attributes), Arrival: conversation.Arrival{At: now, Seq: in.Seq},
			LastAgent: in.LastAgent, LastAgentAt: in.LastAgentAt, Attributes: in.Attributes,
		})
		if !d.begins(c, now) {
			return nil
		}
	case c.state.Status.Ended():
		front, priority := d.front()
		merged := c.state.MergedInto
		d.emit(now, in.Conversation, &conversation.Reopened{Cause: conversation.CauseReopened, Seq: in.Seq})
		if d.followsMerged(c, merged, in.Seq, now) {
			return nil
		}
		d.emit(now, in.Conversation, &conversation.Queued{
			Queue: front, Priority: d.base(priority, c.state.Attributes), Arrival: conversation.Arrival{At: now, Seq: in.Seq},
			Cause: conversation.CauseReopened, Why: []string{"the customer wrote after the end"},
		})
		if !d.begins(c, now) {
			return nil
		}
	case c.state.Status.Pending():
		d.goOn(c, "the customer wrote", now)
	case c.state.Status == conversation.StatusWrapUp:
		d.emit(now, in.Conversation, &conversation.Resumed{Agent: *c.state.Agent})
	case !c.state.LeftAt.IsZero():
		d.emit(now, in.Conversation, &conversation.CustomerBack{})
	}
	d.obey(c, in.Verdict, now)
	return nil
}

// front is the queue in which conversations begin.
func (d *Desk) front() (queue string, priority int) {
	if d.config.hasBots() {
		return conversation.BotQueue, d.queues[conversation.BotQueue].Priority
	}
	return d.config.DefaultQueue, d.queues[d.config.DefaultQueue].Priority
}

// Looked says that the policy was evaluated again without a new message, because time has passed.
type Looked struct {
	Conversation conversation.ID
	Verdict      Verdict
}

//nolint:unparam // one of many inputs
func (in Looked) decide(d *Desk, now time.Time) error {
	if c := d.convs[in.Conversation]; c != nil && c.state.Status == conversation.StatusQueued {
		d.obey(c, in.Verdict, now)
	}
	return nil
}

// obey does what the policy says and then looks for an agent. A conversation that a person has is theirs.
func (d *Desk) obey(c *entry, v Verdict, now time.Time) {
	s := &c.state
	if !s.Status.Waiting() && s.Status != conversation.StatusBot {
		return
	}
	for _, say := range v.Say {
		if say.Text != "" && !slices.Contains(s.Said, conversation.SaidHash(say.Text)) {
			d.emit(now, s.ID, &say)
		}
	}
	d.obeyPriority(c, v, now)
	d.obeyHandOff(c, v, now)
	d.matchConversation(c, now)
}

func (d *Desk) obeyPriority(c *entry, v Verdict, now time.Time) {
	s := &c.state
	if v.Priority == nil || s.FixedPriority && s.Priority == *v.Priority {
		return
	}
	d.emit(now, s.ID, &conversation.Prioritised{
		Priority: min(max(*v.Priority, 0), conversation.MaxPriority), FixedPriority: true, Rule: v.Rules, Why: []string{clip(v.Reason)},
	})
}

func (d *Desk) obeyHandOff(c *entry, v Verdict, now time.Time) {
	s := &c.state
	to := v.HandOff
	if to != "" && d.knownQueue(to, "") != nil {
		// A queue that is missing must not keep a person from being reached.
		to = d.config.DefaultQueue
	}
	if to == "" || s.Queue == to {
		return
	}
	if s.Queue == conversation.BotQueue {
		if d.turnsAway(now) {
			d.turnAway(c, now)
			return
		}
		d.tellClosed(c, now)
	}
	asked, owner := s.Agent, s.Owner()
	if s.Status == conversation.StatusOffered {
		d.requeue(c, "", now, clip(v.Reason))
	}
	d.moveTo(c, to, conversation.Queued{
		Cause: conversation.CauseEscalation, Rule: v.Rules, Why: []string{clip(v.Reason)},
		HandOff: d.escalation(s, v),
	}, now)
	d.matchConversation(c, now)
	// Whoever had it has a slot again.
	if owner == nil {
		owner = asked
	}
	if owner != nil {
		if a := d.agents[owner.ID]; a != nil {
			d.matchAgent(a, now)
		}
	}
}

func (d *Desk) escalation(s *conversation.State, v Verdict) *conversation.HandOff {
	words := v.Reason
	if words == "" {
		words = "the escalation policy"
	}
	h := d.ownHandOff(s, conversation.ReasonPolicy, words)
	if s.HandOff != nil {
		// What the bot found out stays with the conversation.
		h.Intents, h.Tried, h.Summary, h.Verification = s.HandOff.Intents, s.HandOff.Tried, s.HandOff.Summary, s.HandOff.Verification
	}
	return h
}

// Left says that the customer's last connection ended.
type Left struct {
	Conversation conversation.ID
	Contact      string
}

func (in Left) decide(d *Desk, now time.Time) error {
	c, err := d.ofContact(in.Conversation, in.Contact)
	if err != nil {
		return err
	}
	if c.state.LeftAt.IsZero() {
		d.emit(now, in.Conversation, &conversation.CustomerLeft{})
	}
	return nil
}

// Back says that the customer is connected again.
type Back struct {
	Conversation conversation.ID
	Contact      string
}

func (in Back) decide(d *Desk, now time.Time) error {
	c, err := d.ofContact(in.Conversation, in.Contact)
	if err != nil {
		return err
	}
	if !c.state.LeftAt.IsZero() {
		d.emit(now, in.Conversation, &conversation.CustomerBack{})
	}
	return nil
}

// Forget drops an ended conversation that the archive holds up to the sequence.
type Forget struct {
	Conversation conversation.ID
	Seq          uint64
}

//nolint:unparam // one of many inputs
func (in Forget) decide(d *Desk, now time.Time) error {
	if c := d.convs[in.Conversation]; c != nil && c.state.Status.Ended() {
		d.emit(now, in.Conversation, &conversation.Forgotten{Seq: in.Seq})
	}
	return nil
}
