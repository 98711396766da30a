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
	// profile of the agent; nil while no pool of the configuration has it. spot is its place among the free ones.
	profile *profile
	spot    node[*agent]
	// used slots: the weights of what it holds.
	used int
	// misses in a row.
	misses int
	duty   duty
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
		if a.used != b.used {
			return a.used < b.used
		}
		if c := a.lastGiven.Compare(b.lastGiven); c != 0 {
			return c < 0
		}
	}
	return a.ID < b.ID
}

func (a *agent) canTake() bool {
	return a.presence == conversation.PresenceOnline && !a.draining && a.profile != nil && a.used < a.profile.slots
}

// room says whether the agent has slots for a conversation of the queue, besides those that are kept for other queues.
func (a *agent) room(queue string, weight int) bool {
	free := a.profile.slots - a.used
	for _, r := range a.profile.reserved {
		if r.Queue != queue {
			free -= max(0, r.Slots-a.usedFor(r.Queue))
		}
	}
	return free >= weight
}

func (a *agent) usedFor(queue string) int {
	used := 0
	for _, c := range a.held {
		if c.state.Queue == queue {
			used += a.profile.weight(c.state.Channel)
		}
	}
	return used
}

// slots that the agent has.
func (a *agent) slots() int {
	if a.profile == nil {
		return 0
	}
	return a.profile.slots
}

// weigh counts the used slots.
func (a *agent) weigh() {
	a.used = 0
	for _, c := range a.held {
		if a.profile == nil {
			a.used++
		} else {
			a.used += a.profile.weight(c.state.Channel)
		}
	}
}

// unfile takes the agent out of the free agents, before anything changes that orders them.
func (d *Desk) unfile(a *agent) {
	if a.spot.in == nil {
		return
	}
	a.spot.remove()
	if a.profile.free.len() == 0 {
		d.free.clear(a.profile.index)
	}
}

// file puts the agent among the free agents if it can take a conversation.
func (d *Desk) file(a *agent) {
	if a.canTake() {
		a.profile.free.insert(&a.spot)
		d.free.set(a.profile.index)
	}
}

func (d *Desk) take(a *agent, c *entry, at time.Time) {
	d.unfile(a)
	a.held[c.state.ID] = c
	a.weigh()
	a.lastGiven = at
	a.idleSince = time.Time{}
	d.file(a)
}

func (d *Desk) release(a *agent, c *entry, at time.Time) {
	d.unfile(a)
	delete(a.held, c.state.ID)
	a.weigh()
	if len(a.held) == 0 {
		a.idleSince = at
	}
	d.file(a)
}

// join gives the agent the profile that the configuration has for it.
func (d *Desk) join(a *agent) {
	d.unfile(a)
	if a.profile != nil {
		a.profile.agents--
	}
	if a.profile = d.profileOf(a); a.profile != nil {
		a.profile.agents++
	}
	a.duty = d.dutyOf(a)
	a.weigh()
	d.file(a)
}

// pools of the agent, in the configuration's order.
func (a *agent) pools() []*pool {
	if a.profile == nil {
		return nil
	}
	return a.profile.pools
}

// served lists the names of the queues that the agent serves, in order.
func (a *agent) served() []string {
	var names []string
	for _, p := range a.pools() {
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
			a.idleSince, a.lastGiven, a.misses = b.IdleSince, b.LastGiven, b.Misses
		})
	case *conversation.OverflowSet:
		d.setSteps(b.Queue, b.Steps)
	case *conversation.QueueRestored:
		if q := d.queues[b.Queue]; q != nil {
			q.handle = sample{n: b.Handled, mean: b.HandleMean, squares: b.HandleSquares}
			d.setSteps(b.Queue, b.Steps)
		}
	case *conversation.StepHeld:
		d.foldHeld(b.Queue, b.HeldStep)
	case *conversation.StepReleased:
		d.foldReleased(b.Queue, b.Step)
	case *conversation.ReserveCalled:
		d.foldReserveCalled(b.ReserveCall, e.At)
	case *conversation.ReserveReleased:
		d.foldReserveReleased(tierKey{b.Pool, b.Tier}, e.At)
	case *conversation.PresenceSet:
		d.change(b.Agent, func(a *agent) { a.appear(b.Presence, e.At) })
	case *conversation.DrainSet:
		d.change(b.Agent, func(a *agent) {
			a.drain(b, e.At)
			a.rest(e.At)
		})
	case *conversation.SignedOff:
		if a := d.agents[b.Agent]; a != nil {
			d.unfile(a)
			if a.profile != nil {
				a.profile.agents--
			}
			delete(d.agents, b.Agent)
		}
	}
}

func (d *Desk) change(id string, f func(*agent)) {
	if a := d.agents[id]; a != nil {
		d.unfile(a)
		f(a)
		d.file(a)
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
		a.presence, a.misses = p, 0
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
		a.spot.item = a
		d.agents[b.Agent.ID] = a
	}
	d.unfile(a)
	a.Agent = b.Agent
	a.appear(b.Presence, at)
	a.lastSeen = later(a.lastSeen, at)
	d.join(a)
	if fresh {
		d.watchAgent(a)
	}
	d.watchShift(a, at)
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
