package routing

import (
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Position of a conversation in its queue: 1 is next, waiting is the length of the queue. Conversations
// on offer count: they return to their places if nobody accepts. Zero when it does not wait.
func (d *Desk) Position(conv conversation.ID) (position, waiting int) {
	c := d.convs[conv]
	if c == nil || !c.state.Status.Waiting() {
		return 0, 0
	}
	q := d.queues[c.state.Queue]
	return 1 + q.line.rank(c), q.line.len()
}

// QueueView is how a queue stands.
type QueueView struct {
	Name string
	// Waiting counts those on offer, too.
	Waiting, Offered, InProgress int
	// Oldest arrival of those that wait; zero when none does.
	Oldest time.Time
	// Version changes with every change of a position.
	Version uint64
	// HandleMean and HandleVariance of the handle times, in seconds; old ones count less and less.
	HandleMean, HandleVariance float64
	// Steps of the degradation ladder that apply by the predicted wait, Held those that people hold, and Ladder all of
	// them; not to be changed.
	Steps  int
	Held   []conversation.HeldStep
	Ladder []Step
	// Nobody is there who may serve the queue, as the last review found.
	Nobody bool
}

// Queues lists all queues by name, the implicit one of the bots included.
func (d *Desk) Queues() []QueueView {
	views := make([]QueueView, 0, len(d.queues))
	for _, q := range d.queues {
		configured := q.name == conversation.BotQueue || d.knownQueue(q.name, "") == nil
		if !configured && q.line.len()+q.inProgress == 0 {
			continue // removed from the configuration, and now nothing is left of it
		}
		v := QueueView{
			Name: q.name, Waiting: q.line.len(), Offered: q.offered,
			InProgress: q.inProgress, Version: q.version,
			HandleMean: q.handle.mean, HandleVariance: q.handle.variance(), Steps: q.steps, Held: append([]conversation.HeldStep(nil), q.held...), Ladder: q.Ladder,
			Nobody: q.service.nobody,
		}
		q.line.walk(func(c *entry) bool {
			if at := c.state.Arrival.At; v.Oldest.IsZero() || at.Before(v.Oldest) {
				v.Oldest = at
			}
			return true
		})
		views = append(views, v)
	}
	slices.SortFunc(views, func(a, b QueueView) int { return compare(a.Name, b.Name) })
	return views
}

// Walk calls f with the conversations that wait in a queue, in the order of their places, until it
// returns false. Those on offer stand at their places.
func (d *Desk) Walk(queue string, f func(position int, s *conversation.State) bool) {
	q := d.queues[queue]
	if q == nil {
		return
	}
	position := 0
	q.line.walk(func(c *entry) bool {
		position++
		return f(position, &c.state)
	})
}

// AgentView is how an agent stands.
type AgentView struct {
	conversation.Agent
	Presence conversation.Presence
	Draining bool
	// Scaling says that the draining can be undone from outside, DrainingSince is the time of the mark.
	Scaling       bool
	DrainingSince time.Time
	Pools         []string
	Queues        []string
	// Slots, and how many of them are taken, by open offers too.
	Slots, Busy int
	// Owned is how many conversations it owns.
	Owned int
}

// Agent gives one agent; ok is false when it is not signed on.
func (d *Desk) Agent(id string) (v AgentView, ok bool) {
	a := d.agents[id]
	if a == nil {
		return AgentView{}, false
	}
	return a.view(), true
}

func (a *agent) view() AgentView {
	v := AgentView{
		Agent: a.Agent, Presence: a.presence, Draining: a.draining, Scaling: a.scaling, DrainingSince: a.drainingSince,
		Queues: a.served(), Slots: a.slots(), Busy: a.used,
	}
	for _, p := range a.pools() {
		v.Pools = append(v.Pools, p.Name)
	}
	for _, c := range a.held {
		if c.state.Owner() != nil {
			v.Owned++
		}
	}
	return v
}

// Agents lists all signed-on agents by id.
func (d *Desk) Agents() []AgentView {
	views := make([]AgentView, 0, len(d.agents))
	for _, a := range d.sortedAgents() {
		views = append(views, a.view())
	}
	return views
}

// Holding lists what an agent owns or is asked for, in the order of places.
func (d *Desk) Holding(agent string) []conversation.State {
	a := d.agents[agent]
	if a == nil {
		return nil
	}
	var states []conversation.State
	for _, c := range a.holdings() {
		states = append(states, c.state)
	}
	return states
}

// Pools lists the configured pools by name.
func (d *Desk) Pools() []Pool {
	pools := make([]Pool, 0, len(d.poolsInOrder))
	for _, p := range d.poolsInOrder {
		pools = append(pools, p.Pool)
	}
	return pools
}

// Conversations lists the ids of all known conversations, in order.
func (d *Desk) Conversations() []conversation.ID {
	ids := make([]conversation.ID, 0, len(d.convs))
	for id := range d.convs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func compare[T ~string](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// OpenFilter says which open conversations are looked for; empty fields stand for any.
type OpenFilter struct {
	// Queue, and Agent who owns it or is asked.
	Queue, Agent string
	Status       conversation.Status
	// After leaves out ids up to it.
	After conversation.ID
}

// Open calls f with the open conversations that fit, in the order of their ids, until it returns false.
func (d *Desk) Open(filter OpenFilter, f func(s *conversation.State) bool) {
	for _, id := range d.Conversations() {
		s := &d.convs[id].state
		switch {
		case id <= filter.After, s.Status == conversation.StatusNone, s.Status.Ended():
		case filter.Queue != "" && s.Queue != filter.Queue:
		case filter.Status != "" && s.Status != filter.Status:
		case filter.Agent != "" && (s.Agent == nil || s.Agent.ID != filter.Agent) && (s.Status != conversation.StatusPending || s.Pin != filter.Agent):
		default:
			if !f(s) {
				return
			}
		}
	}
}
