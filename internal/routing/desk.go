package routing

import (
	"fmt"
	"hash/fnv"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Desk is the routing state of one desk. It is not safe for concurrent use.
type Desk struct {
	config Config
	queues map[string]*queue
	pools  map[string]*pool
	// poolsInOrder is the configuration's order, by name, for walks that must be deterministic.
	poolsInOrder []*pool
	agents       map[string]*agent
	convs        map[conversation.ID]*entry
	timers       timers

	// classes of waiting conversations and profiles of agents: who may serve whom is kept with them. busy are
	// the classes in which something waits, heavy those of them whose channel has a weight, free the profiles of which
	// an agent has a slot.
	classes      []*class
	classByKey   map[classKey]*class
	busy         bitset
	heavy        bitset
	profiles     []*profile
	profileByKey map[string]*profile
	free         bitset
	// weighted are the channels that some pool gives a weight. loosened says that a conversation for which
	// agents kept slots waits no longer.
	weighted map[string]bool
	// pins are the conversations that wait for one person, by person.
	pins map[string][]*entry
	// held are the steps that people hold, by queue, also of queues that this replica does not know yet.
	held map[string][]conversation.HeldStep
	// reserve are the tiers that are called in, also of pools that this replica does not know yet.
	reserve map[tierKey]conversation.ReserveCall
	// hashes of the configuration's texts, see saidHash.
	hashes   map[string]uint64
	loosened bool
	// flow through the bots.
	flow BotFlow

	// out collects the decisions of the Decide that runs; err is its first failure.
	out []Decision
	err error
}

// Decision is one event that follows from an input, already applied.
type Decision struct {
	// Conversation that the decision is about; empty for decisions about agents.
	Conversation conversation.ID
	// Body of the event.
	Body conversation.Body
	// Before and After are the conversation's states; zero for decisions about agents.
	Before, After conversation.State
}

// entry is one conversation.
type entry struct {
	state conversation.State
	// seen are hashes of the client ids that were heard, so that a message that comes twice counts once.
	seen map[uint64]struct{}
	// virtual arrival, see score.go.
	virtual int64
	// place in the queue's line, and spot among those of its class who wait for an agent.
	place, spot node[*entry]
	class       *class
	// idleAt is the time of the timer that watches a bot's conversation; zero when none does.
	idleAt time.Time
}

// queue of waiting conversations.
type queue struct {
	Queue
	name string
	// pools that serve the queue, in the configuration's order.
	pools []*pool
	// line has all that wait; those on offer, too, as they return to their places if nobody accepts.
	line                *tree[*entry]
	offered, inProgress int
	// steps of the ladder that apply by the predicted wait, and those that people hold.
	steps int
	held  []conversation.HeldStep
	// handle times of what was served from the queue, in seconds, and how fast it is served.
	handle  sample
	service service
	// version changes whenever a position in the queue may have changed.
	version uint64
	// swept is what the last look at everybody in an overflowing queue has seen.
	swept swept
}

func newQueue(of Queue) *queue {
	return &queue{Queue: of, name: of.Name, line: newTree(earlier)}
}

// pool of agents.
type pool struct {
	Pool
	// members by name, with their overrides.
	members map[string]*Override
}

func newDesk() *Desk {
	return &Desk{
		queues: map[string]*queue{}, pools: map[string]*pool{},
		agents: map[string]*agent{}, convs: map[conversation.ID]*entry{}, pins: map[string][]*entry{},
		held: map[string][]conversation.HeldStep{}, reserve: map[tierKey]conversation.ReserveCall{},
	}
}

// New makes an empty desk.
func New(config Config) (*Desk, error) {
	d := newDesk()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	d.adopt(config)
	return d, nil
}

// Input is something that happened and that the desk answers with decisions.
type Input interface {
	decide(d *Desk, now time.Time) error
}

// Decide applies an input and returns the decisions that follow, in order. A *RefusalError means that nothing
// has changed. Another error is a defect: the desk may be half-way and must be built again from the log.
// now must not go back between calls.
func (d *Desk) Decide(now time.Time, in Input) ([]Decision, error) {
	d.out, d.err = nil, nil
	now = now.Round(0).UTC() // as it will be read from the log
	if err := in.decide(d, now); err != nil {
		return nil, err
	}
	d.useSlots(now)
	if d.err != nil {
		return nil, d.err
	}
	return d.out, nil
}

// emit applies a decision and adds it to the result.
func (d *Desk) emit(now time.Time, conv conversation.ID, body conversation.Body) {
	if d.err != nil {
		return
	}
	e := conversation.Event{Body: body, Header: conversation.Header{
		V: conversation.Version, Type: body.EventType(), Conversation: conv, At: now,
	}}
	decision := Decision{Conversation: conv, Body: body}
	if c := d.convs[conv]; c != nil {
		decision.Before = c.state
	}
	if err := d.fold(e); err != nil {
		d.err = fmt.Errorf("decided an impossible %s: %w", body.EventType(), err)
		return
	}
	if c := d.convs[conv]; c != nil {
		decision.After = c.state
	}
	d.out = append(d.out, decision)
}

// Fold applies a decision from the log. Events that this release does not know change nothing.
func (d *Desk) Fold(e conversation.Event) error {
	d.err = nil
	return d.fold(e)
}

func (d *Desk) fold(e conversation.Event) error {
	if e.Type.OfAgent() {
		d.foldAgent(e)
		return nil
	}
	if _, unknown := e.Body.(*conversation.Unknown); unknown {
		return nil
	}
	c := d.convs[e.Conversation]
	fresh := c == nil
	if fresh {
		c = d.newEntry()
	}
	before, next, err := d.next(c, e)
	if err != nil {
		return err
	}
	if fresh {
		d.convs[e.Conversation] = c
	}
	d.move(c, next, e.At)
	switch b := e.Body.(type) {
	case *conversation.Forgotten:
		delete(d.convs, e.Conversation)
		return nil
	case *conversation.OfferEnded:
		if a := d.agents[b.Agent.ID]; a != nil && b.Outcome == conversation.OutcomeExpired {
			a.misses++
		}
	case *conversation.Accepted:
		if a := d.agents[b.Agent.ID]; a != nil {
			a.misses = 0
		}
	}
	d.watch(c, &before, e.At)
	return nil
}

// next is the state after the event, which is not applied yet.
func (d *Desk) next(c *entry, e conversation.Event) (before, next conversation.State, err error) {
	if r, ok := e.Body.(*conversation.Restored); ok {
		next = r.State
		keepHeard(&next, &c.state)
		return conversation.State{}, next, nil
	}
	// What was heard before the conversation was opened is in the state already.
	next, err = conversation.Apply(c.state, e)
	return c.state, next, err
}

// keepHeard takes over what was folded from messages: every replica reads all of them itself and may be
// ahead of the snapshot.
func keepHeard(restored, heard *conversation.State) {
	restored.OwnSeq = max(restored.OwnSeq, heard.OwnSeq)
	if heard.MsgSeq < restored.MsgSeq {
		return
	}
	restored.MsgSeq = heard.MsgSeq
	restored.Turns, restored.Misses = heard.Turns, heard.Misses
	restored.LastSaidAt, restored.AnsweredAt = heard.LastSaidAt, heard.AnsweredAt
	if heard.Language != "" {
		restored.Language = heard.Language
	}
}

func (d *Desk) newEntry() *entry {
	c := &entry{}
	c.place.item, c.spot.item = c, c
	return c
}

// Hear folds a message into its conversation. It returns false when the message was heard before or,
// for others than the customer's, when the conversation is not known.
func (d *Desk) Hear(e conversation.Event) bool {
	m, ok := e.Body.(*conversation.Message)
	if !ok {
		return false
	}
	c := d.convs[e.Conversation]
	if c == nil {
		if m.From.Kind != conversation.KindCustomer {
			return false
		}
		c = d.newEntry()
		d.convs[e.Conversation] = c
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(m.ClientID)) // never fails
	if _, twice := c.seen[h.Sum64()]; twice {
		return false
	}
	if c.seen == nil {
		c.seen = map[uint64]struct{}{}
	}
	c.seen[h.Sum64()] = struct{}{}
	next, err := conversation.Apply(c.state, e)
	if err != nil {
		return false
	}
	c.state = next
	return true
}

// Rated folds a customer's rating into a conversation that is known.
func (d *Desk) Rated(e conversation.Event) {
	c := d.convs[e.Conversation]
	if _, ok := e.Body.(*conversation.Rated); !ok || c == nil {
		return
	}
	if next, err := conversation.Apply(c.state, e); err == nil {
		c.state = next
	}
}

// Owned notes that an event of the conversation was stored on .own at the sequence.
func (d *Desk) Owned(conv conversation.ID, seq uint64) {
	if c := d.convs[conv]; c != nil {
		c.state.OwnSeq = max(c.state.OwnSeq, seq)
	}
}

// State of a conversation; ok is false when it is not known.
func (d *Desk) State(conv conversation.ID) (s conversation.State, ok bool) {
	c := d.convs[conv]
	if c == nil {
		return conversation.State{}, false
	}
	return c.state, true
}
