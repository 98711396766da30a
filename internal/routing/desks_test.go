package routing_test

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// skilledDesk has everything that a desk may declare about who serves whom.
func skilledDesk() routing.Config {
	c := smallDesk()
	c.Ageing = 10
	c.Queues[1].Skills = []routing.Wanted{
		{Skill: routing.Skill{Name: "refund", Level: 3}}, {Skill: routing.Skill{Name: "english", Level: 1}, Preferred: true},
	}
	c.Queues[1].Rings = []routing.Ring{
		{After: 5 * time.Second, LowerLevelsBy: 1}, {After: 10 * time.Second, Drop: routing.DropPreferred},
		{After: 20 * time.Second, LowerLevelsBy: 1, AddPools: []string{"second", "gone"}}, {After: 40 * time.Second, Drop: routing.DropAll},
	}
	c.Queues[2].Skills = []routing.Wanted{{Skill: routing.Skill{Name: "vip", Level: 1}}}
	c.Pools[1].Concurrency = 4
	c.Pools[1].Skills = []routing.Skill{{Name: "refund", Level: 2}}
	c.Pools[1].Overrides = []routing.Override{{Agent: "ann", Skills: []routing.Skill{{Name: "refund", Level: 5}}, Concurrency: 3}}
	c.Pools[1].Weights = []routing.Weight{{Channel: "mail", Slots: 2}}
	c.Pools[1].Reserved = []routing.Reserved{{Queue: "vip", Slots: 1}}
	c.Pools[1].WrapUp = 5 * time.Second
	c.Pools[1].MaxMisses = 2
	c.StickyFor = time.Minute
	c.Pools[2].Shifts = []routing.Shift{{Name: "late", Members: []string{"cleo"}, Hours: every{on: 40 * time.Second, off: 20 * time.Second}}}
	c.Queues[0].MaxLength, c.Queues[0].MaxWait = 6, time.Minute
	c.Queues[0].Ladder = []routing.Step{
		{PredictedWait: 5 * time.Second, Action: routing.ActionPool, Pool: "bots"}, // of the wrong kind: skipped
		{PredictedWait: 10 * time.Second, Action: routing.ActionMessage, Say: []routing.Text{{Language: "en", Text: "It takes long."}}},
		{PredictedWait: 20 * time.Second, Action: routing.ActionQueue, Queue: "refunds"},
	}
	c.Queues[1].Ladder = []routing.Step{
		{PredictedWait: 10 * time.Second, Action: routing.ActionPool, Pool: "second"},
		{PredictedWait: 15 * time.Second, Action: routing.ActionBot},
		{PredictedWait: 30 * time.Second, Action: routing.ActionCallback, Say: []routing.Text{{Language: "en", Text: "We come back to you."}}},
	}
	c.Tiers = map[string]int{"gold": 30}
	c.Queues[1].MaxWait = 90 * time.Second
	c.Pools[2].Overrides = []routing.Override{{Agent: "cleo", Skills: []routing.Skill{{Name: "vip", Level: 1}, {Name: "english", Level: 2}}}}
	return c
}

// reserveDesk has ben in reserve, and hands over what cleo has not finished soon after her shift.
func reserveDesk() routing.Config {
	c := skilledDesk()
	c.Pools[1].Reserve = []routing.Tier{{Name: "office", Seats: 1, Members: []string{"ben"}}, {Name: "agency", Seats: 2}}
	c.Pools[2].ShiftEndGrace = new(5 * time.Second)
	return c
}

// closedDesk is closed half of the time.
func closedDesk() routing.Config {
	c := skilledDesk()
	c.Hours = every{on: time.Minute, off: time.Minute}
	c.Closed = routing.Closed{Behaviour: routing.ClosedBotOnly, Say: []routing.Text{{Language: "en", Text: "We are closed."}}}
	return c
}

// every opens and closes in turns from the start on.
type every struct{ on, off time.Duration }

// At implements routing.Hours.
func (e every) At(t time.Time) (open bool, change time.Time) {
	into := t.Sub(start) % (e.on + e.off)
	if into < e.on {
		return true, t.Add(e.on - into)
	}
	return false, t.Add(e.on + e.off - into)
}

// attributes of a conversation's contact: some are of a tier.
func attributes(id conversation.ID) conversation.Attributes {
	if id[len(id)-1]%4 == 0 {
		return conversation.Attributes{conversation.AttributeTier: "gold"}
	}
	return nil
}

// channel of a conversation: those of mail take more slots where a pool says so.
func channel(id conversation.ID) string {
	if id[len(id)-1]%3 == 0 {
		return "mail"
	}
	return "web"
}
