package routing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// why explains a choice in lines for people: the score, the ring, the skills, the agent, and what was passed over.
func (d *Desk) why(c *entry, to *choice, now time.Time) []string {
	lines := make([]string, 0, 6)
	lines = append(lines, d.whyScore(&c.state, now))
	if ring := c.class.whyRing(); ring != "" {
		lines = append(lines, ring)
	}
	if overflow := c.class.whyOverflow(to.fit.via); overflow != "" && !to.pinned {
		lines = append(lines, overflow)
	}
	if skills := c.class.whySkills(to.agent.profile); skills != "" {
		lines = append(lines, skills)
	}
	lines = append(lines, c.class.whyAgent(to, now))
	if passed := d.whyPassed(c, to, now); passed != "" {
		lines = append(lines, clip(passed))
	}
	return lines
}

// whySkills compares what is asked for with what the agent has.
func (cl *class) whySkills(p *profile) string {
	var parts, missed []string
	for _, w := range cl.wants {
		have := p.level(w.Name)
		switch {
		case have < w.Level:
			missed = append(missed, w.Name)
		case w.Preferred:
			parts = append(parts, "preferred "+w.Name+" met")
		default:
			parts = append(parts, fmt.Sprintf("%s %d ≥ %d", w.Name, have, w.Level))
		}
	}
	if len(missed) > 0 {
		parts = append(parts, "preferred "+strings.Join(missed, ", ")+" not met")
	}
	return strings.Join(parts, ", ")
}

// whyOverflow says that the agent serves the conversation by an overflow only.
func (cl *class) whyOverflow(via *pool) string {
	if slices.Contains(cl.queue.pools, via) {
		return ""
	}
	for _, r := range cl.queue.Rings[:cl.key.ring] {
		if slices.Contains(r.AddPools, via.Name) {
			return ""
		}
	}
	for i := range cl.queue.held {
		held := &cl.queue.held[i]
		if step := &cl.queue.Ladder[held.Step-1]; step.Action == ActionPool && step.Pool == via.Name {
			return whyHeld(cl.queue.name, step, held)
		}
	}
	return "overflow of queue " + cl.queue.name + ": pool " + via.Name + " serves it, too"
}

func (cl *class) whyAgent(to *choice, now time.Time) string {
	a := to.agent
	var parts []string
	if len(cl.wants) > 0 && !to.pinned {
		if to.fit.surplus == 0 {
			parts = append(parts, "exact skills")
		} else {
			parts = append(parts, fmt.Sprintf("surplus of skills %d", to.fit.surplus))
		}
	}
	switch {
	case to.pinned:
		parts = append(parts, "asked for by name")
	case to.sticky:
		parts = append(parts, "the contact's last agent")
	case len(a.held) == 0:
		parts = append(parts, "idle longest, for "+span(now.Sub(a.idleSince)))
	default:
		parts = append(parts, fmt.Sprintf("fewest busy slots, %d of %d", a.used, a.slots()))
	}
	if to.fit.weight > 1 {
		parts = append(parts, fmt.Sprintf("takes %d slots", to.fit.weight))
	}
	if to.free > 0 {
		parts = append(parts, fmt.Sprintf("of %d free", to.free))
	}
	return a.ID + ": " + strings.Join(parts, ", ")
}

// whyPassed names who was passed over. Only who would have been asked otherwise is worth a word.
func (d *Desk) whyPassed(c *entry, to *choice, now time.Time) string {
	var parts []string
	for _, p := range c.state.Passed {
		if p.Until.After(now) {
			parts = append(parts, p.Agent+" declined or missed it")
		}
	}
	if len(to.full) > 0 {
		parts = append(parts, fmt.Sprintf("%s: no free slots for %d", strings.Join(to.full, ", "), to.fit.weight))
	}
	if to.free > 0 && len(c.class.wants) > 0 {
		parts = append(parts, d.whyLacking(c.class)...)
	}
	return strings.Join(parts, "; ")
}

// whyLacking counts the signed-on agents whom a required skill keeps out.
func (d *Desk) whyLacking(cl *class) []string {
	counts := make([]int, len(cl.wants)+1)
	for i := range cl.fits {
		if lacks := cl.fits[i].lacks; lacks > 0 {
			counts[lacks] += d.profiles[i].agents
		}
	}
	var parts []string
	for i, w := range cl.wants {
		if n := counts[i+1]; n == 1 {
			parts = append(parts, "1 agent lacks "+w.Name)
		} else if n > 1 {
			parts = append(parts, fmt.Sprintf("%d agents lack %s", n, w.Name))
		}
	}
	return parts
}

// settleRing moves a conversation to the ring that its waiting time gives it.
func (d *Desk) settleRing(c *entry, now time.Time) {
	s := &c.state
	q := d.queues[s.Queue]
	if !s.Status.Waiting() || q == nil || len(q.Rings) == 0 && s.Ring == 0 {
		return
	}
	waited := now.Sub(s.Arrival.At)
	if ring := q.ringAt(waited); ring != s.Ring {
		d.emit(now, s.ID, &conversation.Relaxed{Ring: ring, Why: []string{fmt.Sprintf("waited %s in queue %s", span(waited), q.name)}})
	}
}
