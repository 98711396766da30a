package routing

import (
	"fmt"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Config is what a desk's author decided.
type Config struct {
	// Queues of people, at least one.
	Queues []Queue
	// DefaultQueue takes hand-offs that name none, and everything while there are no bot pools; one of Queues.
	DefaultQueue string
	Pools        []Pool
	// Language that a hand-off states when the customer's could not be told.
	Language string
	// Ageing is what one waiting minute adds to a score, in points, 1 to 100; 0 stands for 1.
	Ageing int
	// StickyFor: a contact who returns within it is offered to the last agent first. 0 is off.
	StickyFor time.Duration
	// ReopenFor: a conversation that is reopened within it is offered to the last agent first. 0 is ten minutes.
	ReopenFor time.Duration
	// Tiers of contacts: the priority that each adds to the queue's.
	Tiers map[string]int
	// Hours of the desk; nil is always open. Closed says what happens outside them.
	Hours  Hours
	Closed Closed
	// Times that apply; the zero value of each stands for its default.
	Times Times
}

// Hours are opening hours, of a desk or of a shift. Implementations are pure.
type Hours interface {
	// At tells whether they are open at t, and when that changes next; zero for never.
	At(t time.Time) (open bool, change time.Time)
}

// Closed says what happens outside the hours.
type Closed struct {
	Behaviour ClosedBehaviour
	// Say is told to the customer, one text a language.
	Say []Text
}

// ClosedBehaviour says what a desk does outside its hours.
type ClosedBehaviour string

// Behaviours of a closed desk.
const (
	// ClosedMessage tells the customer and ends the conversation. It is the default.
	ClosedMessage ClosedBehaviour = "Message"
	// ClosedBotOnly lets bots answer; who would come to wait for people is told, and the conversation ends.
	ClosedBotOnly ClosedBehaviour = "BotOnly"
	// ClosedCallback lets bots answer; who comes to wait for people is told, and waits for the desk to open.
	ClosedCallback ClosedBehaviour = "Callback"
)

// Text in one language.
type Text struct{ Language, Text string }

// Skill with a level from 1 to 10; 0 stands for 1.
type Skill struct {
	Name  string
	Level int
}

// Wanted is a skill that a queue asks for.
type Wanted struct {
	Skill
	// Preferred skills are met where that is possible, others are required.
	Preferred bool
}

// Queue of conversations that wait for people.
type Queue struct {
	Name string
	// Priority of its conversations from 0 to 100: what their scores begin with.
	Priority int
	// Skills that it asks for.
	Skills []Wanted
	// Rings relax that with the waiting time, in order of After.
	Rings []Ring
	// MaxLength of the queue and MaxWait of a conversation: beyond them the last step of Ladder applies. 0 is no limit.
	MaxLength int
	MaxWait   time.Duration
	// Ladder is the degradation ladder, in order of the predicted waits.
	Ladder []Step
	// Within is the time of the service level; 0 for none.
	Within time.Duration
	// Announce says what waiting customers are told; empty is AnnouncePositionAndWait.
	Announce Announce
}

// Announce says what waiting customers are told.
type Announce string

// What waiting customers are told.
const (
	AnnouncePositionAndWait Announce = "PositionAndWait"
	AnnouncePosition        Announce = "Position"
	AnnounceNothing         Announce = "Nothing"
)

// Drop says which skills a ring no longer asks for.
type Drop string

// What a ring drops; empty is DropNone.
const (
	DropNone      Drop = "None"
	DropPreferred Drop = "Preferred"
	DropAll       Drop = "All"
)

// Ring is what a conversation that has waited for After asks for less. Rings add up.
type Ring struct {
	After time.Duration
	// LowerLevelsBy is taken from all levels; none falls below 1.
	LowerLevelsBy int
	Drop          Drop
	// AddPools may serve it, too.
	AddPools []string
}

// Action of a step of the degradation ladder.
type Action string

// Actions of steps.
const (
	ActionPool  Action = "Pool"
	ActionQueue Action = "Queue"
	// ActionBot gives a conversation to the bots, once in its life and never one that a person has answered. It keeps its
	// place for when they hand it off again.
	ActionBot Action = "Bot"
	// ActionCallback tells the customer that they will be answered later: the conversation keeps its place when they leave.
	ActionCallback Action = "Callback"
	ActionMessage  Action = "Message"
)

// Step of the degradation ladder.
type Step struct {
	// PredictedWait from which on it applies.
	PredictedWait time.Duration
	Action        Action
	// Pool of ActionPool, Queue of ActionQueue, by name.
	Pool, Queue string
	// Say of ActionMessage, ActionCallback and ActionBot, one text a language.
	Say []Text
}

// Pool of agents.
type Pool struct {
	Name string
	// Kind is bot or agent.
	Kind conversation.Kind
	// Concurrency is the number of slots of one agent, at least 1.
	Concurrency int
	// Members of a pool of people, by id. Bots say which pool they belong to.
	Members []string
	// Queues that people serve, in order.
	Queues []string
	// OfferTimeout after which an offer has run out, for pools of people.
	OfferTimeout time.Duration
	// Skills of all members, and overrides of single ones.
	Skills    []Skill
	Overrides []Override
	// WrapUp is how long an agent has for a conversation after its end; its slots stay taken.
	WrapUp time.Duration
	// MaxMisses is the number of offers missed in a row that sets an agent away; 0 stands for 1.
	MaxMisses int
	// Reserved slots of each agent, and weights of channels in slots; channels without one weigh 1.
	Reserved []Reserved
	Weights  []Weight
	// Shifts of the members; none is no limit.
	Shifts []Shift
	// Reserve tiers, in the order in which they are called in.
	Reserve []Tier
	// ShiftEndGrace after the end of a member's time on duty what is still in progress is handed over; nil for never.
	ShiftEndGrace *time.Duration
}

// Override of a pool's settings for one member.
type Override struct {
	Agent string
	// Skills besides the pool's; of one that both have this level counts.
	Skills []Skill
	// Concurrency; 0 is the pool's.
	Concurrency int
}

// Reserved keeps slots of an agent for a queue.
type Reserved struct {
	Queue string
	Slots int
}

// Weight is the number of slots that a conversation of a channel takes. More than an agent has count as all of them.
type Weight struct {
	Channel string
	Slots   int
}

// Shift is when members work; no members are all.
type Shift struct {
	Name    string
	Hours   Hours
	Members []string
	// Whole is Hours with the breaks; nil for the same. A break hands nothing over.
	Whole Hours
}

// Times after which something happens by itself.
type Times struct {
	// HeartbeatLost: an agent that is not heard for so long is lost. Default 6 s.
	HeartbeatLost time.Duration
	// NotAgain: an agent that declined or missed a conversation is not asked for it for so long. Default 30 s.
	NotAgain time.Duration
	// AbandonAfter: a waiting conversation whose customer has left for so long is abandoned. Default 60 s.
	AbandonAfter time.Duration
	// BotLeftAfter: a bot's conversation whose customer has left for so long is closed. Default 2 min.
	BotLeftAfter time.Duration
	// BotIdleAfter: a bot's conversation in which nothing was said for so long is closed. Default 15 min.
	BotIdleAfter time.Duration
	// OfferTimeout of pools that give none. Default 20 s.
	OfferTimeout time.Duration
}

func (t Times) withDefaults() Times {
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&t.HeartbeatLost, 6 * time.Second}, {&t.NotAgain, 30 * time.Second}, {&t.AbandonAfter, time.Minute},
		{&t.BotLeftAfter, 2 * time.Minute}, {&t.BotIdleAfter, 15 * time.Minute}, {&t.OfferTimeout, 20 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.usual
		}
	}
	return t
}

// reopenFor of desks that give none.
const reopenFor = 10 * time.Minute

func (c *Config) withDefaults() Config {
	full := *c
	full.Times = c.Times.withDefaults()
	if full.Ageing <= 0 {
		full.Ageing = 1
	}
	if full.ReopenFor <= 0 {
		full.ReopenFor = reopenFor
	}
	return full
}

// Validate says what is wrong with a configuration that comes from elsewhere than a checked document. Names of
// pools and queues in rings and steps are not checked: what is missing is skipped, so that half a desk still serves.
func (c *Config) Validate() error {
	known := map[string]bool{}
	for _, q := range c.Queues {
		if q.Name == conversation.BotQueue || !conversation.IsToken(q.Name) || known[q.Name] {
			return fmt.Errorf("queues has %q: use distinct names of A-Z, a-z, 0-9, _ and -, none of them %q", q.Name, conversation.BotQueue)
		}
		if q.Priority < 0 || q.Priority > conversation.MaxPriority {
			return fmt.Errorf("queue %s has priority %d: use 0 to %d", q.Name, q.Priority, conversation.MaxPriority)
		}
		if !slices.IsSortedFunc(q.Rings, func(a, b Ring) int { return int(a.After - b.After) }) ||
			!slices.IsSortedFunc(q.Ladder, func(a, b Step) int { return int(a.PredictedWait - b.PredictedWait) }) {
			return fmt.Errorf("queue %s has relax or overflow out of order: sort them by after and by predictedWait", q.Name)
		}
		known[q.Name] = true
	}
	if !known[c.DefaultQueue] {
		return fmt.Errorf("defaultQueue is %q: name one of the queues", c.DefaultQueue)
	}
	for i, p := range c.Pools {
		if !p.Kind.IsAgent() || p.Concurrency < 1 {
			return fmt.Errorf("pool %s is of kind %q with concurrency %d: use kind bot or agent and at least 1", p.Name, p.Kind, p.Concurrency)
		}
		if slices.ContainsFunc(c.Pools[:i], func(o Pool) bool { return o.Name == p.Name }) {
			return fmt.Errorf("pools has %q twice", p.Name)
		}
	}
	return nil
}

// hasBots says whether conversations begin with a bot.
func (c *Config) hasBots() bool {
	return slices.ContainsFunc(c.Pools, func(p Pool) bool { return p.Kind == conversation.KindBot })
}
