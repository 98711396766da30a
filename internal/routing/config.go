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
	// Times that apply; the zero value of each stands for its default.
	Times Times
}

// Queue of conversations that wait for people.
type Queue struct {
	Name string
	// Priority of its conversations from 0 to 100, higher first.
	Priority int
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

// Validate says what is wrong with a configuration that comes from elsewhere than a checked document.
func (c *Config) Validate() error {
	known := map[string]bool{}
	for _, q := range c.Queues {
		if q.Name == conversation.BotQueue || !conversation.IsToken(q.Name) || known[q.Name] {
			return fmt.Errorf("queues has %q: use distinct names of A-Z, a-z, 0-9, _ and -, none of them %q", q.Name, conversation.BotQueue)
		}
		if q.Priority < 0 || q.Priority > conversation.MaxPriority {
			return fmt.Errorf("queue %s has priority %d: use 0 to %d", q.Name, q.Priority, conversation.MaxPriority)
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

// RefusalError says why something that was asked for is not done. Nothing has changed.
type RefusalError struct {
	Code   Code
	What   string
	Why    string
	Remedy string
}

// Code groups refusals for programs.
type Code string

// Codes of refusals; those of the router's protocol.
const (
	CodeMalformed    Code = "malformed"
	CodeNotFound     Code = "notFound"
	CodeNotOwner     Code = "notOwner"
	CodeNotOffered   Code = "notOffered"
	CodeNotSignedOn  Code = "notSignedOn"
	CodeUnknownPool  Code = "unknownPool"
	CodeUnknownQueue Code = "unknownQueue"
	CodeState        Code = "state"
)

// Error implements error.
func (r *RefusalError) Error() string { return r.What + ": " + r.Why + ": " + r.Remedy }
