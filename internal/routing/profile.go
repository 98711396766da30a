package routing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// profile is what agents that may serve the same conversations have in common.
type profile struct {
	// index in Desk.profiles.
	index int
	kind  conversation.Kind
	// pools in the configuration's order.
	pools []*pool
	// skills with levels, sorted by name.
	skills   []Skill
	slots    int
	reserved []Reserved
	weights  []Weight
	// classes that its agents may serve.
	classes bitset
	// free are the agents that have a slot, agents counts all that are signed on.
	free   *tree[*agent]
	agents int
}

// level of a skill; 0 for none.
func (p *profile) level(skill string) int {
	i, found := slices.BinarySearchFunc(p.skills, skill, func(s Skill, name string) int { return cmp.Compare(s.Name, name) })
	if !found {
		return 0
	}
	return p.skills[i].Level
}

// weight of a channel in slots.
func (p *profile) weight(channel string) int {
	for _, w := range p.weights {
		if w.Channel == channel {
			return max(1, min(w.Slots, p.slots))
		}
	}
	return 1
}

// key has equal texts for profiles that are the same.
func (p *profile) key() string {
	var b strings.Builder
	b.WriteString(string(p.kind))
	for _, of := range p.pools {
		b.WriteByte('/')
		b.WriteString(of.Name)
	}
	fmt.Fprintf(&b, " %d", p.slots)
	for _, s := range p.skills {
		fmt.Fprintf(&b, " %s=%d", s.Name, s.Level)
	}
	for _, r := range p.reserved {
		fmt.Fprintf(&b, " r %s=%d", r.Queue, r.Slots)
	}
	for _, w := range p.weights {
		fmt.Fprintf(&b, " w %s=%d", w.Channel, w.Slots)
	}
	return b.String()
}

// profileOf gives the profile of an agent by the configuration; nil when no pool has it.
func (d *Desk) profileOf(a *agent) *profile {
	p := &profile{kind: a.Kind}
	skills := map[string]int{}
	for _, of := range d.poolsInOrder {
		if !of.has(a) {
			continue
		}
		p.pools = append(p.pools, of)
		p.slots = max(p.slots, of.slotsOf(a.ID))
		for _, s := range of.skillsOf(a.ID) {
			skills[s.Name] = max(skills[s.Name], s.Level, 1)
		}
		for _, r := range of.Reserved {
			if !slices.ContainsFunc(p.reserved, func(o Reserved) bool { return o.Queue == r.Queue }) {
				p.reserved = append(p.reserved, r)
			}
		}
		for _, w := range of.Weights {
			if !slices.ContainsFunc(p.weights, func(o Weight) bool { return o.Channel == w.Channel }) {
				p.weights = append(p.weights, w)
			}
		}
	}
	if len(p.pools) == 0 {
		return nil
	}
	for name, level := range skills {
		p.skills = append(p.skills, Skill{Name: name, Level: level})
	}
	slices.SortFunc(p.skills, func(a, b Skill) int { return cmp.Compare(a.Name, b.Name) })
	return d.known(p)
}

// known gives the profile that is the same, or makes this one known.
func (d *Desk) known(p *profile) *profile {
	key := p.key()
	if same := d.profileByKey[key]; same != nil {
		return same
	}
	p.index, p.free = len(d.profiles), newTree(readier)
	d.profiles = append(d.profiles, p)
	d.profileByKey[key] = p
	for _, cl := range d.classes {
		cl.judge(p)
	}
	return p
}

// has says whether the pool has the agent.
func (p *pool) has(a *agent) bool {
	if p.Kind != a.Kind {
		return false
	}
	if p.Kind == conversation.KindBot {
		return p.Name == a.Pool
	}
	_, member := p.members[a.ID]
	return member
}

// slotsOf an agent of the pool.
func (p *pool) slotsOf(agent string) int {
	if o := p.members[agent]; o != nil && o.Concurrency > 0 {
		return o.Concurrency
	}
	return p.Concurrency
}

// skillsOf an agent of the pool: an override's level goes before the pool's.
func (p *pool) skillsOf(agent string) []Skill {
	o := p.members[agent]
	if o == nil || len(o.Skills) == 0 {
		return p.Skills
	}
	own := slices.Clone(o.Skills)
	for _, s := range p.Skills {
		if !slices.ContainsFunc(own, func(x Skill) bool { return x.Name == s.Name }) {
			own = append(own, s)
		}
	}
	return own
}

// indexMembers prepares has, slotsOf and skillsOf.
func (p *pool) indexMembers() {
	p.members = make(map[string]*Override, len(p.Members))
	for _, m := range p.Members {
		p.members[m] = nil
	}
	for i := range p.Overrides {
		if o := &p.Overrides[i]; slices.Contains(p.Members, o.Agent) {
			p.members[o.Agent] = o
		}
	}
}
