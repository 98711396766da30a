package whatif

import (
	"fmt"
	"strings"
	"time"
)

// assumed is what the answer rests on, in words: what the caller assumed, then what the simulation does.
func (q *Question) assumed() []string {
	list := append([]string{}, q.Assumed...)
	switch {
	case len(q.Desk.Bots) == 0:
		list = append(list, "no bots: what arrives comes to people at once")
	case len(q.Desk.People) > 0:
		list = append(list, fmt.Sprintf("bots hand off %.3g %% of what they answer, when they are done with it", 100*q.HandOff))
	default:
		list = append(list, "no people: nobody takes over from the bots")
	}
	if n := len(q.Desk.Bots); n > 1 {
		list = append(list, fmt.Sprintf("the %d pools of bots share what arrives by the most slots that each may have; in the desk one helps out the other", n))
	}
	if n := len(q.Desk.People); n > 1 {
		list = append(list, fmt.Sprintf("the %d pools of people share what is handed off by their slots, whatever queue it is for", n))
	}
	if len(q.Desk.People) > 0 {
		list = append(list, "people take any conversation at once when they have a slot: skills, overflow and offers that are missed are left out")
	}
	for i := range q.Desk.Bots {
		if p := &q.Desk.Bots[i]; p.Scaling != nil {
			list = append(list, fmt.Sprintf("a worker of %s serves %s after it is asked for, a fifth more or less", p.Name, Spell(p.ColdStart)))
		}
	}
	return append(list, "customers who hang up do not come back")
}

// judge says whether the objectives hold.
func (a *Answer) judge() {
	a.Holds = true
	var good, bad []string
	for i := range a.Pools {
		p := &a.Pools[i]
		if p.Met {
			good = append(good, fmt.Sprintf("%s answers %s within %s", p.Name, percent(p.ServiceLevel.Mean), seconds(p.Objective.WithinSeconds)))
			continue
		}
		a.Holds = false
		bad = append(bad, p.broken())
	}
	if a.Holds {
		a.Verdict = "The objective holds: " + strings.Join(good, ", ") + "."
	} else {
		a.Verdict = "The objective does not hold: " + strings.Join(bad, "; ") + "."
	}
	if p := a.limitedBots(); p != nil && len(a.Pools) > 1 {
		a.Verdict += " People get only what " + p.Name + " answers: with more bots they need more seats."
	}
	for i := range a.Pools {
		if a.Pools[i].Close && a.Draws > 1 {
			a.Verdict += " It is close for " + a.Pools[i].Name + ": other draws might say otherwise."
		}
	}
}

// limitedBots is a pool of bots that keeps customers from people; nil for none.
func (a *Answer) limitedBots() *Pool {
	for i := range a.Pools {
		if p := &a.Pools[i]; p.Type == TypeBot && !p.Met && a.Pools[len(a.Pools)-1].Type == TypeHuman {
			return p
		}
	}
	return nil
}

// broken says how an objective is missed, and by what.
func (p *Pool) broken() string {
	var parts []string
	if p.ServiceLevel.Mean < p.Objective.Share {
		parts = append(parts, fmt.Sprintf("answers %s within %s instead of %s", percent(p.ServiceLevel.Mean), seconds(p.Objective.WithinSeconds), percent(p.Objective.Share)))
	}
	if p.Abandonment.Mean > p.Objective.MaxAbandonment {
		parts = append(parts, fmt.Sprintf("loses %s instead of at most %s", percent(p.Abandonment.Mean), percent(p.Objective.MaxAbandonment)))
	}
	text := p.Name + " " + strings.Join(parts, " and ")
	if p.Limit != nil {
		text += ", limited by " + p.Limit.words()
	}
	return text
}

func (l *Limit) words() string {
	switch l.Name {
	case LimitMax:
		return fmt.Sprintf("max %g", l.Value)
	case LimitCap:
		return "the cap of a peak"
	case LimitBudget:
		return fmt.Sprintf("the budget of %g agent-hours a day", l.Value)
	case LimitQuota:
		return fmt.Sprintf("the quota of %g workers", l.Value)
	case LimitReplicas:
		return fmt.Sprintf("replicas %g", l.Value)
	default:
		if l.Value == 1 {
			return "1 seat"
		}
		return fmt.Sprintf("%g seats", l.Value)
	}
}

// sentence tells all about a limit.
func (p *Pool) sentence(l *Limit, draws int) string {
	text := fmt.Sprintf("%s: %s from %s, %s in all", p.Name, l.words(), l.First.Format(clock), hours(l.Hours))
	if l.Name == LimitSeats || l.Name == LimitReplicas {
		text += fmt.Sprintf("; %d are required at %s", p.PeakRequired, p.PeakAt.Format(clock))
	}
	if l.Draws < draws {
		text += fmt.Sprintf(", in %d of %d draws", l.Draws, draws)
	}
	if w := l.Without; w != nil {
		text += fmt.Sprintf("; without it %s in time instead of %s, and %.1f agent-hours instead of %.1f",
			percent(w.ServiceLevel.Mean), percent(p.ServiceLevel.Mean), w.AgentHours.Mean, p.AgentHours.Mean)
	}
	return text
}

const clock = "2 Jan 15:04"

func hours(h float64) string { return Spell(time.Duration(h * float64(time.Hour)).Round(time.Minute)) }

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func seconds(s float64) string { return Spell(time.Duration(s * float64(time.Second))) }

// Spell a duration without the units that are 0: 1h, 3m5s.
func Spell(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
