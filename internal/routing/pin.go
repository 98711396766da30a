package routing

import (
	"fmt"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// offerable says whether the agent may be asked for the conversation at all: it has not passed it, and the
// conversation is not kept for another one.
func (c *entry) offerable(a *agent, now time.Time) bool {
	if pin := c.state.PinnedTo(now); pin != "" && pin != a.ID {
		return false
	}
	return !c.state.PassedBy(a.ID, now)
}

// takesPinned says whether the agent can take a conversation that was transferred to it.
func (a *agent) takesPinned(c *entry, now time.Time) bool {
	q := c.class.queue
	return a.spot.in != nil && a.room(q.name, a.profile.weight(c.state.Channel)) && a.onDuty(q, now) && c.offerable(a, now)
}

// choosePinned chooses the agent to whom the conversation was transferred, or nobody yet.
func (d *Desk) choosePinned(c *entry, a *agent, now time.Time) choice {
	if a == nil || !a.takesPinned(c, now) {
		return choice{}
	}
	return choice{agent: a, free: 1}
}

// pinnedTo finds the first of the conversations that were transferred to the agent and that it can take.
func (d *Desk) pinnedTo(a *agent, now time.Time) *entry {
	var first *entry
	for _, c := range d.pins[a.ID] {
		if c.state.PinnedTo(now) == a.ID && a.takesPinned(c, now) && (first == nil || earlier(c, first)) {
			first = c
		}
	}
	return first
}

// pin and unpin keep the index of the conversations that were transferred to somebody.
func (d *Desk) pin(c *entry) {
	if to := c.state.Pin; to != "" {
		d.pins[to] = append(d.pins[to], c)
	}
}

func (d *Desk) unpin(c *entry) {
	to := c.state.Pin
	if to == "" {
		return
	}
	d.pins[to] = slices.DeleteFunc(d.pins[to], func(o *entry) bool { return o == c })
	if len(d.pins[to]) == 0 {
		delete(d.pins, to)
	}
}

// transfer finds whom a hand-off asks for by name: the queue in which the conversation waits for them, and for how long.
func (d *Desk) transfer(h *conversation.HandOff, from, what string, now time.Time) (queue string, until time.Time, err error) {
	a := d.agents[h.Agent]
	refuse := func(why string) (string, time.Time, error) {
		return "", time.Time{}, &RefusalError{Code: CodeState, What: what, Why: why, Remedy: "name somebody else who is online, or a queue"}
	}
	switch {
	case h.Agent == from:
		return refuse(from + " has it already")
	case a == nil || a.Kind != conversation.KindAgent || a.profile == nil:
		return refuse(fmt.Sprintf("%q is not signed on as a person of the desk", h.Agent))
	case a.presence != conversation.PresenceOnline || a.draining:
		return refuse(h.Agent + " is away or about to leave")
	}
	a.duty.look(now)
	if len(a.duty.shifts) > 0 && !a.duty.on {
		return refuse(h.Agent + " is not on duty")
	}
	queue = h.Queue
	if queue == "" {
		queue = d.config.DefaultQueue
		if served := a.served(); len(served) > 0 && d.knownQueue(served[0], "") == nil {
			queue = served[0]
		}
	}
	return queue, now.Add(a.profile.pools[0].OfferTimeout), nil
}

// TakeOver gives a conversation to a person at once, from whoever has it, or out of the queue. Who may do so is for
// the asking role to know: the log says who it was.
type TakeOver struct {
	Agent        string
	Conversation conversation.ID
}

func (in TakeOver) decide(d *Desk, now time.Time) error {
	a, err := d.signedOn(in.Agent)
	if err != nil {
		return err
	}
	c, err := d.open(in.Conversation)
	if err != nil {
		return err
	}
	s := &c.state
	if owner := s.Owner(); owner != nil && owner.ID == in.Agent {
		return nil
	}
	what := fmt.Sprintf("%s cannot take over %s", in.Agent, in.Conversation)
	refuse := func(why, remedy string) error {
		return &RefusalError{Code: CodeState, What: what, Why: why, Remedy: remedy}
	}
	switch {
	case a.Kind != conversation.KindAgent || a.presence != conversation.PresenceOnline || a.draining || a.profile == nil:
		return refuse("only a person who is online can", "go online first")
	case !a.room(d.peoplesQueue(s), a.profile.weight(s.Channel)):
		return refuse("all slots are taken", "close something first")
	case s.Status == conversation.StatusWrapUp:
		return refuse("the talk is over", "wait for the end of the wrap-up")
	}
	d.takeOver(c, a, now)
	return nil
}

// peoplesQueue is the queue in which a person has a conversation: not that of the bots, nor one that is gone, whose
// reserved slots nobody keeps any more.
func (d *Desk) peoplesQueue(s *conversation.State) string {
	if s.Queue == conversation.BotQueue || !d.hasQueue(s.Queue) {
		return d.config.DefaultQueue
	}
	return s.Queue
}

func (d *Desk) takeOver(c *entry, a *agent, now time.Time) {
	s := &c.state
	why := a.ID + " takes it over"
	before := holder(s)
	if s.Status == conversation.StatusOffered {
		d.requeue(c, "", now, why)
	}
	q := conversation.Queued{
		Queue: d.peoplesQueue(s), FixedPriority: s.FixedPriority, Arrival: s.Arrival, Cause: conversation.CauseTakeOver, Why: []string{why},
		Pin: a.ID, PinUntil: now.Add(a.profile.pools[0].OfferTimeout),
	}
	if q.Queue != s.Queue {
		q.Arrival = placeAfterBots(s, conversation.Arrival{At: now, Seq: max(s.MsgSeq, 1)})
		q.HandOff = d.ownHandOff(s, conversation.ReasonTransfer, why)
	}
	q.Priority = d.priority(s, q.Queue)
	d.emit(now, s.ID, &q)
	if d.err != nil {
		return
	}
	d.give(c, choice{agent: a}, now)
	d.emit(now, s.ID, &conversation.Accepted{Agent: *s.Agent})
	if b := d.agents[before]; b != nil {
		d.matchAgent(b, now)
	}
}
