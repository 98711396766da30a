package routing

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Configure applies a new configuration: agents' pools, queues and slots change at once, what waits is
// ordered by the new priorities, and conversations of a queue that is gone go to the default queue.
type Configure struct{ Config Config }

func (in Configure) decide(d *Desk, at time.Time) error {
	if err := in.Config.Validate(); err != nil {
		return &RefusalError{Code: CodeMalformed, What: "the configuration is not applied", Why: err.Error(), Remedy: "correct it; the last good one stays"}
	}
	steps := map[string]int{}
	for _, q := range d.sortedQueues() {
		steps[q.name] = q.steps
	}
	d.adopt(in.Config)
	d.settleHeld(at)
	for _, name := range slices.Sorted(maps.Keys(steps)) {
		if now := d.stepsOf(name); now != steps[name] {
			changed := &conversation.OverflowSet{Queue: name, Steps: now, Why: []string{"the configuration has fewer steps"}}
			d.emit(at, "", changed)
		}
	}
	for _, c := range d.inQueues() {
		d.reconsider(c, at)
	}
	d.overReserve(at)
	for _, a := range d.sortedAgents() {
		d.watchShift(a, at)
		d.matchAgent(a, at)
	}
	return nil
}

// stepsOf a queue's ladder that apply; 0 for a queue that is gone.
func (d *Desk) stepsOf(name string) int {
	if q := d.queues[name]; q != nil {
		return q.steps
	}
	return 0
}

// Adopt is Configure for a replica that does not decide: the leader's decisions come by the log.
func (d *Desk) Adopt(config Config) error {
	if err := config.Validate(); err != nil {
		return err
	}
	d.adopt(config)
	return nil
}

// adopt replaces the configuration and keeps who waits where.
func (d *Desk) adopt(config Config) {
	for _, a := range d.agents {
		d.unfile(a)
		a.profile = nil
	}
	d.config = config.withDefaults()
	d.hashes = map[string]uint64{}
	d.profiles, d.profileByKey, d.free = nil, map[string]*profile{}, nil
	d.pools, d.poolsInOrder, d.weighted = map[string]*pool{}, nil, map[string]bool{}
	for _, p := range d.config.Pools {
		if p.OfferTimeout <= 0 {
			p.OfferTimeout = d.config.Times.OfferTimeout
		}
		made := &pool{Pool: p}
		made.indexMembers()
		d.pools[p.Name] = made
		d.poolsInOrder = append(d.poolsInOrder, made)
		for _, w := range p.Weights {
			d.weighted[w.Channel] = true
		}
	}
	slices.SortFunc(d.poolsInOrder, func(a, b *pool) int { return strings.Compare(a.Name, b.Name) })
	d.adoptQueues()
	for _, a := range d.sortedAgents() {
		d.join(a)
	}
}

// adoptQueues builds the lines and the classes anew: the rate of ageing, the rings and the pools may have changed.
func (d *Desk) adoptQueues() {
	// Bots' conversations have the middle priority until a rule says otherwise.
	const botPriority = 50
	wanted := append([]Queue{{Name: conversation.BotQueue, Priority: botPriority}}, d.config.Queues...)
	all := d.inQueues()
	d.classes, d.classByKey, d.busy = nil, map[classKey]*class{}, nil
	d.heavy = nil
	for name, q := range d.queues {
		q.pools = nil
		gone := !slices.ContainsFunc(wanted, func(w Queue) bool { return w.Name == name })
		// What is known about handle times stays, as a replica that reads the log later would know it.
		if gone && q.line.len() == 0 && q.inProgress == 0 && q.handle.n == 0 {
			delete(d.queues, name)
			continue
		}
		q.Queue, q.line = Queue{Name: name, Priority: q.Priority}, newTree(earlier)
		q.version++
	}
	for _, w := range wanted {
		q := d.queues[w.Name]
		if q == nil {
			q = newQueue(w)
			d.queues[w.Name] = q
		}
		q.Queue = w
	}
	for name, q := range d.queues {
		q.steps = min(q.steps, len(q.Ladder))
		d.applyHeld(name)
	}
	for _, p := range d.poolsInOrder {
		for _, name := range p.serves() {
			if q := d.queues[name]; q != nil && !slices.Contains(q.pools, p) {
				q.pools = append(q.pools, p)
			}
		}
	}
	for _, c := range all {
		q := d.queues[c.state.Queue]
		c.virtual = d.virtual(&c.state)
		q.line.insert(&c.place)
		if c.class != nil {
			d.enterClass(c, q)
		}
	}
}

// inQueues lists what waits, by queue and place.
func (d *Desk) inQueues() []*entry {
	names := make([]string, 0, len(d.queues))
	for name := range d.queues {
		names = append(names, name)
	}
	slices.Sort(names)
	var all []*entry
	for _, name := range names {
		d.queues[name].line.walk(func(c *entry) bool {
			all = append(all, c)
			return true
		})
	}
	return all
}

// reconsider gives a waiting conversation what the new configuration says about its queue and priority.
func (d *Desk) reconsider(c *entry, now time.Time) {
	s := &c.state
	gone := s.Queue != conversation.BotQueue && d.knownQueue(s.Queue, "") != nil
	if s.Queue == conversation.BotQueue && !d.config.hasBots() {
		gone = true
	}
	if gone {
		why := fmt.Sprintf("queue %s was removed", s.Queue)
		if s.Status == conversation.StatusOffered {
			d.requeue(c, "", now, why)
		}
		d.moveTo(c, d.config.DefaultQueue, conversation.Queued{Cause: conversation.CauseConfiguration, Why: []string{why}}, now)
		return
	}
	d.settleRing(c, now)
	if p := d.priority(s, s.Queue); p != s.Priority {
		d.emit(now, s.ID, &conversation.Prioritised{Priority: p, Why: []string{fmt.Sprintf("queue %s has priority %d now", s.Queue, p)}})
	}
	if s.Status == conversation.StatusOffered && !d.mayServe(s) {
		d.requeue(c, "", now, s.Agent.ID+" serves queue "+s.Queue+" no longer")
		// Now in the waiting tree; the agents are matched after all conversations.
	}
}

// mayServe says whether the asked agent still serves the queue.
func (d *Desk) mayServe(s *conversation.State) bool {
	a := d.agents[s.Agent.ID]
	if a == nil || a.profile == nil {
		return false
	}
	return d.classOf(d.queues[s.Queue], s).fits[a.profile.index].via != nil
}
