package routing

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// class is what waiting conversations that the same agents may serve have in common. Who may serve a class is
// found once for each profile and kept: an event then costs no look at skills at all.
type class struct {
	key classKey
	// index in Desk.classes.
	index int
	queue *queue
	wants []Wanted
	pools []*pool
	// waiting conversations by place.
	waiting *tree[*entry]
	// eligible profiles, and how well each of Desk.profiles fits.
	eligible bitset
	fits     []fit
}

// classKey tells classes apart.
type classKey struct {
	queue string
	ring  int
	// pool that a single conversation has been given besides those of its queue.
	pool string
	// channel, where any pool gives one a weight.
	channel string
}

// fit of a profile for a class. There is one for each pair of them, so it is small.
type fit struct {
	// via is the pool through which the profile's agents serve the class; nil when they may not.
	via *pool
	// preferred skills that are met, and surplus of skill.
	preferred, surplus int16
	// order of the queue in the lists of the profile's pools.
	order int16
	// weight of one conversation in slots.
	weight int16
	// lacks is the number, from 1, of the required skill in class.wants that keeps the profile out; 0 when pools do.
	lacks int16
}

// better says whether agents of f go before those of o.
func (f *fit) better(o *fit) bool {
	if f.preferred != o.preferred {
		return f.preferred > o.preferred
	}
	return f.surplus < o.surplus
}

// classOf gives the class of a conversation that waits in the queue.
func (d *Desk) classOf(q *queue, s *conversation.State) *class {
	key := classKey{queue: q.name, ring: min(s.Ring, len(q.Rings)), pool: s.OverflowPool}
	if d.weighted[s.Channel] {
		key.channel = s.Channel
	}
	if cl := d.classByKey[key]; cl != nil {
		return cl
	}
	cl := &class{key: key, index: len(d.classes), queue: q, waiting: newTree(earlier)}
	d.classes = append(d.classes, cl)
	d.classByKey[key] = cl
	d.judgeAll(cl)
	return cl
}

// judgeAll finds anew who may serve a class.
func (d *Desk) judgeAll(cl *class) {
	cl.wants, cl.pools = cl.queue.asked(cl.key.ring)
	for _, name := range cl.queue.furtherPools(cl.key) {
		if p := d.pools[name]; p != nil && p.Kind == cl.queue.kind() && !slices.Contains(cl.pools, p) {
			cl.pools = append(cl.pools, p)
		}
	}
	for _, p := range d.profiles {
		cl.judge(p)
	}
}

// asked is what the queue asks for in a ring, and the pools that serve it.
func (q *queue) asked(ring int) ([]Wanted, []*pool) {
	wants := slices.Clone(q.Skills)
	lower, drop := 0, DropNone
	for _, r := range q.Rings[:ring] {
		lower += r.LowerLevelsBy
		if r.Drop == DropAll || r.Drop == DropPreferred && drop != DropAll {
			drop = r.Drop
		}
	}
	wants = slices.DeleteFunc(wants, func(w Wanted) bool { return drop == DropAll || drop == DropPreferred && w.Preferred })
	for i := range wants {
		wants[i].Level = max(1, wants[i].Level-lower)
	}
	return wants, slices.Clone(q.pools)
}

// furtherPools by rings, by the conversation's own overflow and by the queue's.
func (q *queue) furtherPools(key classKey) []string {
	var names []string
	for _, r := range q.Rings[:key.ring] {
		names = append(names, r.AddPools...)
	}
	if key.pool != "" {
		names = append(names, key.pool)
	}
	for i, s := range q.Ladder {
		if s.Action == ActionPool && q.applies(i) {
			names = append(names, s.Pool)
		}
	}
	return names
}

// kind of agents that serve the queue.
func (q *queue) kind() conversation.Kind {
	if q.name == conversation.BotQueue {
		return conversation.KindBot
	}
	return conversation.KindAgent
}

// judge finds how a profile fits the class.
func (cl *class) judge(p *profile) {
	for len(cl.fits) <= p.index {
		cl.fits = append(cl.fits, fit{})
	}
	f := cl.fitOf(p)
	cl.fits[p.index] = f
	if f.via != nil {
		cl.eligible.set(p.index)
		p.classes.set(cl.index)
	} else {
		cl.eligible.clear(p.index)
		p.classes.clear(cl.index)
	}
}

func (cl *class) fitOf(p *profile) fit {
	f := fit{weight: short(p.weight(cl.key.channel))}
	if p.kind != cl.queue.kind() {
		return f
	}
	at := slices.IndexFunc(p.pools, func(of *pool) bool { return slices.Contains(cl.pools, of) })
	if at < 0 {
		return f
	}
	surplus := 0
	for _, s := range p.skills {
		surplus += s.Level
	}
	for i, w := range cl.wants {
		have := p.level(w.Name)
		switch {
		case have >= w.Level:
			surplus -= w.Level
			if w.Preferred {
				f.preferred++
			}
		case w.Preferred:
			surplus -= have // asked for, so it is no surplus
		default:
			f.lacks = short(i + 1)
			return f
		}
	}
	f.via, f.surplus, f.order = p.pools[at], short(surplus), short(p.orderOf(cl.queue.name))
	return f
}

// short keeps a number within what a fit has room for; no desk comes near.
func short(n int) int16 {
	return int16(max(0, min(n, math.MaxInt16))) //nolint:gosec // it is bounded here
}

// orderOf a queue in the lists of the profile's pools; those that come by a ring or an overflow are last.
func (p *profile) orderOf(queue string) int {
	order := 0
	for _, of := range p.pools {
		if i := slices.Index(of.serves(), queue); i >= 0 {
			return order + i
		}
		order += len(of.serves())
	}
	return order
}

// whyRing says what the ring has relaxed; empty in ring 0.
func (cl *class) whyRing() string {
	if cl.key.ring == 0 {
		return ""
	}
	rings := cl.queue.Rings[:cl.key.ring]
	var parts []string
	for _, r := range rings {
		if r.LowerLevelsBy > 0 {
			parts = append(parts, fmt.Sprintf("level −%d", r.LowerLevelsBy))
		}
		if r.Drop == DropAll || r.Drop == DropPreferred {
			parts = append(parts, strings.ToLower(string(r.Drop))+" skills dropped")
		}
		if len(r.AddPools) > 0 {
			parts = append(parts, "with pools "+strings.Join(r.AddPools, ", "))
		}
	}
	return fmt.Sprintf("ring %d since %s: %s", cl.key.ring, span(rings[len(rings)-1].After), strings.Join(parts, ", "))
}

// ringAt is the ring of a conversation that has waited so long.
func (q *queue) ringAt(waited time.Duration) int {
	ring := 0
	for ring < len(q.Rings) && q.Rings[ring].After <= waited {
		ring++
	}
	return ring
}
