package routing

import (
	"cmp"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// agent is a signed-on bot worker or person.
type agent struct {
	conversation.Agent
	presence conversation.Presence
	draining bool
	// scaling says that the draining can be undone from outside, drainingSince is the time of the mark.
	scaling       bool
	drainingSince time.Time
	// pools that the agent serves in; free is its place among the free agents of each.
	pools []*pool
	free  []*node[*agent]
	// slots of the agent: the most that one of its pools gives.
	slots int
	// held are the conversations that it owns or is asked for: each takes a slot.
	held map[conversation.ID]*entry
	// idleSince is when it last became free of conversations and able to take one, lastGiven when it last
	// got one. They order the free agents.
	idleSince, lastGiven time.Time
	// lastSeen is when it was last heard. It is not part of the log.
	lastSeen time.Time
	// lostAt is the time of the timer that watches the agent.
	lostAt time.Time
}

// readier is the order in which free agents get conversations.
func readier(a, b *agent) bool {
	if ai, bi := len(a.held) == 0, len(b.held) == 0; ai != bi {
		return ai
	} else if ai {
		if c := a.idleSince.Compare(b.idleSince); c != 0 {
			return c < 0
		}
	} else {
		if len(a.held) != len(b.held) {
			return len(a.held) < len(b.held)
		}
		if c := a.lastGiven.Compare(b.lastGiven); c != 0 {
			return c < 0
		}
	}
	return a.ID < b.ID
}

func (a *agent) canTake() bool {
	return a.presence == conversation.PresenceOnline && !a.draining && len(a.held) < a.slots
}

// unfile takes the agent out of the free agents, before anything changes that orders them.
func (a *agent) unfile() {
	for _, n := range a.free {
		if n.in != nil {
			n.remove()
		}
	}
}

// file puts the agent among the free agents of its pools if it can take a conversation.
func (a *agent) file() {
	if !a.canTake() {
		return
	}
	for i, p := range a.pools {
		p.free.insert(a.free[i])
	}
}

func (d *Desk) take(a *agent, c *entry, at time.Time) {
	a.unfile()
	a.held[c.state.ID] = c
	a.lastGiven = at
	a.idleSince = time.Time{}
	a.file()
}

func (d *Desk) release(a *agent, c *entry, at time.Time) {
	a.unfile()
	delete(a.held, c.state.ID)
	if len(a.held) == 0 {
		a.idleSince = at
	}
	a.file()
}

// join gives the agent the pools that the configuration has for it.
func (d *Desk) join(a *agent) {
	a.unfile()
	for _, p := range a.pools {
		p.agents--
	}
	a.pools, a.free, a.slots = nil, nil, 0
	for _, p := range d.poolsInOrder {
		if p.Kind != a.Kind {
			continue
		}
		member := p.Name == a.Pool
		if p.Kind == conversation.KindAgent {
			member = slices.Contains(p.Members, a.ID)
		}
		if !member {
			continue
		}
		a.pools = append(a.pools, p)
		a.free = append(a.free, &node[*agent]{item: a})
		a.slots = max(a.slots, p.Concurrency)
		p.agents++
	}
	a.file()
}

// served lists the names of the queues that the agent serves, in order.
func (a *agent) served() []string {
	var names []string
	for _, p := range a.pools {
		for _, q := range p.serves() {
			if !slices.Contains(names, q) {
				names = append(names, q)
			}
		}
	}
	return names
}

// serves lists the queues of a pool. All bots serve the implicit queue.
func (p *pool) serves() []string {
	if p.Kind == conversation.KindBot {
		return []string{conversation.BotQueue}
	}
	return p.Queues
}

// holdings lists what the agent has in the order of places, so that giving it back is deterministic.
func (a *agent) holdings() []*entry {
	held := make([]*entry, 0, len(a.held))
	for _, c := range a.held {
		held = append(held, c)
	}
	slices.SortFunc(held, func(x, y *entry) int {
		switch {
		case earlier(x, y):
			return -1
		case earlier(y, x):
			return 1
		default:
			return 0
		}
	})
	return held
}

func (d *Desk) foldAgent(e conversation.Event) {
	switch b := e.Body.(type) {
	case *conversation.SignedOn:
		d.foldSignedOn(b, e.At)
	case *conversation.AgentRestored:
		d.foldSignedOn(&conversation.SignedOn{Agent: b.Agent, Presence: b.Presence}, e.At)
		d.change(b.Agent.ID, func(a *agent) {
			a.draining, a.scaling, a.drainingSince = b.Draining, b.Scaling, b.DrainingSince
			a.idleSince, a.lastGiven = b.IdleSince, b.LastGiven
		})
	case *conversation.PresenceSet:
		d.change(b.Agent, func(a *agent) { a.appear(b.Presence, e.At) })
	case *conversation.DrainSet:
		d.change(b.Agent, func(a *agent) {
			a.drain(b, e.At)
			a.rest(e.At)
		})
	case *conversation.SignedOff:
		if a := d.agents[b.Agent]; a != nil {
			a.unfile()
			for _, p := range a.pools {
				p.agents--
			}
			delete(d.agents, b.Agent)
		}
	}
}

func (d *Desk) change(id string, f func(*agent)) {
	if a := d.agents[id]; a != nil {
		a.unfile()
		f(a)
		a.file()
	}
}

func (a *agent) drain(b *conversation.DrainSet, at time.Time) {
	if !a.draining || !b.Draining {
		a.drainingSince = time.Time{}
		if b.Draining {
			a.drainingSince = at
		}
	}
	a.draining, a.scaling = b.Draining, b.Draining && b.Scaling
}

func (a *agent) appear(p conversation.Presence, at time.Time) {
	if a.presence != p {
		a.presence = p
		a.rest(at)
	}
}

// rest begins the idle time anew: time away does not count as waiting for work.
func (a *agent) rest(at time.Time) {
	if len(a.held) == 0 {
		a.idleSince = at
	}
}

func (d *Desk) foldSignedOn(b *conversation.SignedOn, at time.Time) {
	a := d.agents[b.Agent.ID]
	fresh := a == nil
	if fresh {
		a = &agent{held: map[conversation.ID]*entry{}, idleSince: at}
		d.agents[b.Agent.ID] = a
	}
	a.unfile()
	a.Agent = b.Agent
	a.appear(b.Presence, at)
	a.lastSeen = later(a.lastSeen, at)
	d.join(a)
	if fresh {
		d.watchAgent(a)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// sortedAgents lists all agents by id.
func (d *Desk) sortedAgents() []*agent {
	all := make([]*agent, 0, len(d.agents))
	for _, a := range d.agents {
		all = append(all, a)
	}
	slices.SortFunc(all, func(x, y *agent) int { return cmp.Compare(x.ID, y.ID) })
	return all
}
