package routing

import (
	"fmt"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Tag replaces the tags of a conversation. Who may do so is for the asking role to know: the log says who it was.
type Tag struct {
	By           conversation.Actor
	Conversation conversation.ID
	Tags         []string
}

func (in Tag) decide(d *Desk, now time.Time) error {
	c, err := d.open(in.Conversation)
	if err != nil {
		return err
	}
	tags := slices.Sorted(slices.Values(in.Tags))
	if err := conversation.CheckTags(tags); err != nil {
		return &RefusalError{Code: CodeMalformed, What: "the tags are not set", Why: err.Error(), Remedy: "correct them and send them again"}
	}
	if tags == nil {
		tags = []string{}
	}
	if !slices.Equal(tags, c.state.Tags) {
		d.emit(now, in.Conversation, &conversation.Tagged{By: in.By, Tags: tags})
	}
	return nil
}

// Merge ends a conversation as the duplicate of another one of the same person, which goes on. The asking role knows
// who may do so and what both sides are to be told; the router holds that nothing is lost: a message that the asker
// has not seen refuses it, and one that comes later opens the duplicate again, for the same agent.
type Merge struct {
	// By is the agent who asks for it.
	By string
	// Conversation is the duplicate, of which By has seen everything up to Seq.
	Conversation conversation.ID
	Seq          uint64
	// Into is a conversation that a person owns.
	Into conversation.ID
	// Note tells the agents of Into what was said in the duplicate, Say its customer that it goes on elsewhere.
	Note string
	Say  conversation.Said
}

func (in Merge) decide(d *Desk, now time.Time) error {
	what := fmt.Sprintf("%s is not merged into %s", in.Conversation, in.Into)
	if c := d.convs[in.Conversation]; c != nil && c.state.Status == conversation.StatusClosed && c.state.MergedInto == in.Into && in.Into != "" {
		return nil
	}
	into, err := d.open(in.Into)
	if err != nil {
		return err
	}
	c, err := d.open(in.Conversation)
	if err != nil {
		return err
	}
	note := conversation.Said{Text: in.Note, Note: true}
	switch {
	case c == into:
		return &RefusalError{Code: CodeMalformed, What: what, Why: "they are the same", Remedy: "name the duplicate and the one that goes on"}
	case into.state.Owner() == nil || into.state.Owner().Kind != conversation.KindAgent:
		return &RefusalError{Code: CodeState, What: what, Why: string(in.Into) + " is " + describe(&into.state), Remedy: "merge into one that a person has"}
	case c.state.MsgSeq != in.Seq:
		return &RefusalError{Code: CodeState, What: what, Why: "something was said in it meanwhile", Remedy: "read it and merge it again"}
	}
	for _, said := range []*conversation.Said{&note, &in.Say} {
		if err := said.Validate(); err != nil {
			return &RefusalError{Code: CodeMalformed, What: what, Why: err.Error(), Remedy: "correct it and send it again"}
		}
	}
	d.emit(now, in.Into, &note)
	d.emit(now, in.Conversation, &in.Say)
	d.endMerged(c, in, now)
	return nil
}

// endMerged ends the duplicate wherever it is, and gives the slot back to whoever had it.
func (d *Desk) endMerged(c *entry, in Merge, now time.Time) {
	s := &c.state
	before := holder(s)
	switch s.Status {
	case conversation.StatusOffered:
		d.requeue(c, "", now, "it is merged into "+string(in.Into))
	case conversation.StatusActive:
		d.emit(now, s.ID, &conversation.WrapUpStarted{Agent: *s.Agent})
	default:
	}
	d.emit(now, s.ID, &conversation.Closed{
		By: conversation.Actor{Kind: conversation.KindAgent, ID: in.By}, Reason: conversation.CloseMerged, MergedInto: in.Into,
	})
	if a := d.agents[before]; a != nil {
		d.matchAgent(a, now)
	}
}

// followsMerged queues a merged conversation, in which its customer wrote once more, for the person who has the one
// that it was merged into. It returns false when nobody has that any more: then it goes the way of all others.
func (d *Desk) followsMerged(c *entry, merged conversation.ID, seq uint64, now time.Time) bool {
	into := d.convs[merged]
	if merged == "" || into == nil {
		return false
	}
	owner := into.state.Owner()
	if owner == nil || owner.Kind != conversation.KindAgent {
		return false
	}
	a := d.agents[owner.ID]
	if a == nil || a.profile == nil {
		return false
	}
	queue := into.state.Queue
	if d.knownQueue(queue, "") != nil {
		queue = d.config.DefaultQueue
	}
	why := "the customer wrote once more after it was merged into " + string(merged)
	d.emit(now, c.state.ID, &conversation.Queued{
		Queue: queue, Priority: d.priority(&c.state, queue), FixedPriority: c.state.FixedPriority,
		Arrival: conversation.Arrival{At: now, Seq: seq}, Cause: conversation.CauseReopened, Why: []string{why},
		Pin: a.ID, PinUntil: now.Add(a.profile.pools[0].OfferTimeout),
		HandOff: d.ownHandOff(&c.state, conversation.ReasonTransfer, why),
	})
	d.matchConversation(c, now)
	return true
}
