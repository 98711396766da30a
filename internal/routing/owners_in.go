package routing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Accept makes the asked person the owner. Accepting what one owns already changes nothing.
type Accept struct {
	Agent        string
	Conversation conversation.ID
}

func (in Accept) decide(d *Desk, now time.Time) error {
	if _, err := d.signedOn(in.Agent); err != nil {
		return err
	}
	c, err := d.open(in.Conversation)
	if err != nil {
		return err
	}
	if owner := c.state.Owner(); owner != nil && owner.ID == in.Agent {
		return nil
	}
	if err := d.asked(c, in.Agent, "accept"); err != nil {
		return err
	}
	d.emit(now, in.Conversation, &conversation.Accepted{Agent: *c.state.Agent})
	return nil
}

// Decline gives an offer back; the next agent is asked.
type Decline struct {
	Agent        string
	Conversation conversation.ID
}

func (in Decline) decide(d *Desk, now time.Time) error {
	a, err := d.signedOn(in.Agent)
	if err != nil {
		return err
	}
	c, err := d.open(in.Conversation)
	if err != nil {
		return err
	}
	if err := d.asked(c, in.Agent, "decline"); err != nil {
		return err
	}
	d.emit(now, in.Conversation, &conversation.OfferEnded{
		Agent: *c.state.Agent, Outcome: conversation.OutcomeDeclined,
		NotBefore: now.Add(d.config.Times.NotAgain), Why: []string{in.Agent + " declined"},
	})
	d.matchConversation(c, now)
	d.matchAgent(a, now)
	return nil
}

func (d *Desk) asked(c *entry, agent, verb string) error {
	s := &c.state
	if s.Status == conversation.StatusOffered && s.Agent.ID == agent {
		return nil
	}
	return &RefusalError{
		Code: CodeNotOffered, What: fmt.Sprintf("%s cannot %s %s", agent, verb, s.ID),
		Why: "it is " + describe(s), Remedy: "drop it from the list; sync shows what is yours",
	}
}

func describe(s *conversation.State) string {
	switch {
	case s.Status == conversation.StatusOffered:
		return "offered to " + s.Agent.ID
	case s.Owner() != nil:
		return "with " + s.Agent.ID
	case s.Status == conversation.StatusQueued:
		return "waiting in queue " + s.Queue
	default:
		return string(s.Status)
	}
}

// open finds a conversation that has begun and not ended.
func (d *Desk) open(id conversation.ID) (*entry, error) {
	c := d.convs[id]
	if c == nil || c.state.Status == conversation.StatusNone {
		return nil, &RefusalError{
			Code: CodeNotFound, What: fmt.Sprintf("conversation %.40q is not found", id),
			Why: "the desk has no open conversation of that id", Remedy: "look for it in the archive",
		}
	}
	if c.state.Status.Ended() {
		return nil, &RefusalError{
			Code: CodeState, What: fmt.Sprintf("conversation %s cannot be changed", id),
			Why: "it has ended: " + string(c.state.Status), Remedy: "a message of the customer reopens it",
		}
	}
	return c, nil
}

func (d *Desk) owned(id conversation.ID, agent, verb string) (*entry, error) {
	c, err := d.open(id)
	if err != nil {
		return nil, err
	}
	if owner := c.state.Owner(); owner == nil || owner.ID != agent {
		return nil, &RefusalError{
			Code: CodeNotOwner, What: fmt.Sprintf("%s cannot %s %s", agent, verb, id),
			Why: "it is " + describe(&c.state), Remedy: "drop it from the list; sync shows what is yours",
		}
	}
	return c, nil
}

// HandOff passes a conversation from its owner to a queue of people.
type HandOff struct {
	Agent        string
	Conversation conversation.ID
	HandOff      *conversation.HandOff
}

func (in HandOff) decide(d *Desk, now time.Time) error {
	what := fmt.Sprintf("%s cannot hand off %s", in.Agent, in.Conversation)
	if err := in.HandOff.Validate(); err != nil {
		return &RefusalError{Code: CodeMalformed, What: what, Why: err.Error(), Remedy: "complete the hand-off and send it again"}
	}
	c, err := d.owned(in.Conversation, in.Agent, "hand off")
	if err != nil {
		return err
	}
	if c.state.Status == conversation.StatusWrapUp {
		return &RefusalError{Code: CodeState, What: what, Why: "it is in wrap-up", Remedy: "close it"}
	}
	to := in.HandOff.Queue
	if to == "" {
		to = d.config.DefaultQueue
	}
	if err := d.knownQueue(to, what); err != nil {
		return err
	}
	var until time.Time
	if in.HandOff.Agent != "" {
		if to, until, err = d.transfer(in.HandOff, in.Agent, what, now); err != nil {
			return err
		}
	}
	a := d.agents[in.Agent]
	if c.state.Status == conversation.StatusBot {
		if d.turnsAway(now) {
			d.turnAway(c, now)
			return nil
		}
		d.tellClosed(c, now)
	}
	d.moveTo(c, to, conversation.Queued{
		Cause: conversation.CauseHandOff, HandOff: in.HandOff, Pin: in.HandOff.Agent, PinUntil: until,
		Why: []string{clip(fmt.Sprintf("%s: %s", in.HandOff.Reason.Code, in.HandOff.Reason.Words))},
	}, now)
	// The giver must not get back what it just gave away, as long as there is somebody else.
	d.matchConversation(c, now)
	if a != nil {
		d.matchAgent(a, now)
	}
	return nil
}

func (d *Desk) knownQueue(name, what string) error {
	if slices.ContainsFunc(d.config.Queues, func(q Queue) bool { return q.Name == name }) {
		return nil
	}
	var names []string
	for _, q := range d.config.Queues {
		names = append(names, q.Name)
	}
	return &RefusalError{
		Code: CodeUnknownQueue, What: what, Why: fmt.Sprintf("the desk has no queue %q", name),
		Remedy: "use one of " + strings.Join(names, ", ") + ", or none for " + d.config.DefaultQueue,
	}
}

// moveTo queues a conversation elsewhere. Its place is given anew when it comes from the bots: their
// talk is not waiting, and those who wait for people already were first. Otherwise it is kept, also by one that the
// degradation ladder gave to the bots.
func (d *Desk) moveTo(c *entry, to string, q conversation.Queued, now time.Time) {
	s := &c.state
	q.Queue, q.Priority, q.FixedPriority = to, d.priority(s, to), s.FixedPriority
	q.Arrival = s.Arrival
	if s.Queue == conversation.BotQueue && to != conversation.BotQueue && s.Status == conversation.StatusBot {
		q.Arrival = conversation.Arrival{At: now, Seq: s.MsgSeq}
	}
	if s.Queue == conversation.BotQueue && to != conversation.BotQueue {
		q.Arrival = placeAfterBots(s, q.Arrival)
	}
	d.emit(now, s.ID, &q)
}

// Close ends a conversation on behalf of its owner or of the customer. A customer who ends it while
// waiting abandons it. Closing what has ended already changes nothing.
type Close struct {
	Conversation conversation.ID
	By           conversation.Actor
	Disposition  string
	Comment      string
}

func (in Close) decide(d *Desk, now time.Time) error {
	if c := d.convs[in.Conversation]; c != nil && c.state.Status.Ended() {
		return nil
	}
	body := conversation.Closed{By: in.By, Reason: conversation.CloseResolved, Disposition: in.Disposition, Comment: in.Comment}
	if err := body.Validate(); err != nil {
		return &RefusalError{Code: CodeMalformed, What: "the conversation is not closed", Why: err.Error(), Remedy: "correct it and send it again"}
	}
	if in.By.Kind != conversation.KindCustomer {
		if c := d.convs[in.Conversation]; c != nil && c.state.Status == conversation.StatusPending && c.state.Pin == in.By.ID {
			d.emit(now, in.Conversation, &body)
			return nil
		}
		c, err := d.owned(in.Conversation, in.By.ID, "close")
		if err != nil {
			return err
		}
		d.closeBy(c, conversation.Ending{By: in.By, Reason: conversation.CloseResolved, Disposition: in.Disposition, Comment: in.Comment}, now)
		return nil
	}
	c, err := d.ofContact(in.Conversation, in.By.ID)
	if err != nil {
		return err
	}
	if c.state.Status.Waiting() {
		d.abandon(c, now, "the customer ended it while waiting")
		return nil
	}
	switch {
	case c.state.Status == conversation.StatusWrapUp:
		return nil // it is ending already
	case c.state.Status.Pending():
		body.Reason = conversation.CloseCustomer
		d.emit(now, in.Conversation, &body)
		return nil
	}
	d.closeBy(c, conversation.Ending{By: in.By, Reason: conversation.CloseCustomer, Disposition: in.Disposition, Comment: in.Comment}, now)
	return nil
}

// ofContact finds an open conversation of the contact. Another contact's is as unknown as none.
func (d *Desk) ofContact(id conversation.ID, contact string) (*entry, error) {
	c, err := d.open(id)
	if err != nil {
		return nil, err
	}
	if c.state.Contact != contact {
		return nil, &RefusalError{
			Code: CodeNotFound, What: fmt.Sprintf("conversation %s is not found", id),
			Why: "the contact has no conversation of that id", Remedy: "use the conversation that the gateway opened",
		}
	}
	return c, nil
}

// closeBy ends a conversation that somebody owns. A person's talk ends with a wrap-up, if the pool gives time for it:
// until that is over a message of the customer brings the conversation back to its owner.
func (d *Desk) closeBy(c *entry, ending conversation.Ending, now time.Time) {
	s := &c.state
	a := d.agents[s.Agent.ID]
	if s.Status == conversation.StatusActive {
		w := &conversation.WrapUpStarted{Agent: *s.Agent}
		if p := d.pools[s.Agent.Pool]; p != nil && p.WrapUp > 0 {
			w.Until, w.Ending = now.Add(p.WrapUp), &ending
		}
		d.emit(now, s.ID, w)
		if w.Ending != nil {
			return
		}
	}
	if s.Ending != nil && ending.Disposition == "" && ending.Comment == "" {
		ending.Disposition, ending.Comment = s.Ending.Disposition, s.Ending.Comment
	}
	d.emit(now, s.ID, &conversation.Closed{By: ending.By, Reason: ending.Reason, Disposition: ending.Disposition, Comment: ending.Comment})
	if a != nil {
		d.matchAgent(a, now)
	}
}

// closedAs is how a conversation in wrap-up ends without another word.
func closedAs(s *conversation.State) *conversation.Closed {
	if e := s.Ending; e != nil {
		return &conversation.Closed{By: e.By, Reason: e.Reason, Disposition: e.Disposition, Comment: e.Comment}
	}
	return &conversation.Closed{By: conversation.Actor{Kind: conversation.KindSystem}, Reason: conversation.CloseResolved}
}

// endWrapUp closes a conversation whose wrap-up is over.
func (d *Desk) endWrapUp(c *entry, now time.Time) {
	a := d.agents[c.state.Agent.ID]
	d.emit(now, c.state.ID, closedAs(&c.state))
	if a != nil {
		d.matchAgent(a, now)
	}
}

// abandon ends a conversation that waits.
func (d *Desk) abandon(c *entry, now time.Time, why string) {
	s := &c.state
	var asked *agent
	if s.Status == conversation.StatusOffered {
		asked = d.agents[s.Agent.ID]
		d.emit(now, s.ID, &conversation.OfferEnded{Agent: *s.Agent, Outcome: conversation.OutcomeRevoked, Why: []string{why}})
	}
	d.emit(now, s.ID, &conversation.Abandoned{WaitedMillis: max(0, now.Sub(s.Arrival.At).Milliseconds()), Why: []string{why}})
	if asked != nil {
		d.matchAgent(asked, now)
	}
}
