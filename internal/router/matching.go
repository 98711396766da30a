package router

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/escalation"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// routingConfig is what a document says about who serves whom.
func routingConfig(doc *runtimeconfig.Document, times routing.Times) routing.Config {
	c := routing.Config{
		DefaultQueue: doc.DefaultQueue, Times: times, Ageing: doc.Routing.AgeingPerMinute,
		StickyFor: seconds(doc.Routing.StickyForSeconds), ReopenFor: seconds(doc.Routing.ReopenForSeconds),
	}
	for _, t := range doc.Routing.Tiers {
		if c.Tiers == nil {
			c.Tiers = map[string]int{}
		}
		c.Tiers[t.Name] = t.Priority
	}
	if len(doc.Languages) > 0 {
		c.Language = doc.Languages[0]
	}
	if c.DefaultQueue == "" && len(doc.Queues) > 0 {
		c.DefaultQueue = doc.Queues[0].Name
	}
	for i := range doc.Queues {
		c.Queues = append(c.Queues, queueConfig(&doc.Queues[i]))
	}
	for i := range doc.Pools {
		c.Pools = append(c.Pools, poolConfig(&doc.Pools[i]))
	}
	return c
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func queueConfig(q *runtimeconfig.Queue) routing.Queue {
	c := routing.Queue{
		Name: q.Name, Priority: q.Priority, MaxLength: q.MaxLength, MaxWait: seconds(q.MaxWaitSeconds),
		Announce: cmp.Or(routing.Announce(q.Announce), routing.AnnouncePositionAndWait),
	}
	if q.ServiceLevel != nil {
		c.Within = seconds(q.ServiceLevel.WithinSeconds)
	}
	for _, s := range q.Skills {
		c.Skills = append(c.Skills, routing.Wanted{
			Skill: routing.Skill{Name: s.Name, Level: max(1, s.Level)}, Preferred: s.Need == runtimeconfig.NeedPreferred,
		})
	}
	for _, r := range q.Relax {
		c.Rings = append(c.Rings, routing.Ring{
			After: seconds(r.AfterSeconds), LowerLevelsBy: r.LowerLevelsBy, Drop: routing.Drop(r.Drop), AddPools: r.AddPools,
		})
	}
	slices.SortStableFunc(c.Rings, func(a, b routing.Ring) int { return cmp.Compare(a.After, b.After) })
	for _, s := range q.Overflow {
		c.Ladder = append(c.Ladder, routing.Step{
			PredictedWait: seconds(s.PredictedWaitSeconds), Action: routing.Action(s.Action), Pool: s.Pool, Queue: s.Queue, Say: texts(s.Say),
		})
	}
	slices.SortStableFunc(c.Ladder, func(a, b routing.Step) int { return cmp.Compare(a.PredictedWait, b.PredictedWait) })
	return c
}

func texts(say []escalation.LocalisedText) []routing.Text {
	all := make([]routing.Text, 0, len(say))
	for _, t := range say {
		all = append(all, routing.Text{Language: t.Language, Text: t.Text})
	}
	return all
}

func poolConfig(p *runtimeconfig.Pool) routing.Pool {
	c := routing.Pool{Name: p.Name, Kind: conversation.KindBot, Concurrency: p.Concurrency}
	if p.Type == runtimeconfig.PoolHuman {
		c.Kind = conversation.KindAgent
	}
	h := p.Human
	if h == nil {
		return c
	}
	c.Members, c.Queues = h.Members, h.Queues
	if grace := h.ShiftEndGraceSeconds; grace != nil {
		c.ShiftEndGrace = new(seconds(*grace))
	}
	for _, t := range h.Reserve {
		c.Reserve = append(c.Reserve, routing.Tier{Name: t.Name, Seats: t.Seats, Members: t.Members})
	}
	c.OfferTimeout, c.WrapUp, c.MaxMisses = seconds(h.OfferTimeoutSeconds), seconds(h.WrapUpSeconds), h.MaxMisses
	c.Skills = skills(h.Skills)
	for _, a := range h.Agents {
		c.Overrides = append(c.Overrides, routing.Override{Agent: a.Name, Skills: skills(a.Skills), Concurrency: a.Concurrency})
	}
	for _, r := range h.Reserved {
		c.Reserved = append(c.Reserved, routing.Reserved{Queue: r.Queue, Slots: r.Slots})
	}
	for _, w := range h.Weights {
		c.Weights = append(c.Weights, routing.Weight{Channel: channelToken(w.Channel), Slots: w.Slots})
	}
	return c
}

func skills(of []runtimeconfig.AgentSkill) []routing.Skill {
	all := make([]routing.Skill, 0, len(of))
	for _, s := range of {
		all = append(all, routing.Skill{Name: s.Name, Level: max(1, s.Level)})
	}
	return all
}

// channelToken is how messages name a type of channel.
func channelToken(channel string) string {
	if channel == "WebChat" {
		return "web"
	}
	return strings.ToLower(channel)
}
