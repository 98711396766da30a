package plan_test

import (
	"fmt"
	"testing"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/plan"
)

// What a queue requires, what rings and overflow change about it, and what the pools of the desk offer stand in
// different objects: that they never meet is told on the queue, with both objects and their fields.
func TestReachability(t *testing.T) {
	vip := func(fields string) string {
		return fmt.Sprintf(aDesk, "queues: [{name: general}, {name: vip, "+fields+"}]")
	}
	pool := func(name, human string) string { return fmt.Sprintf(aPool, name, "type: Human, human: {"+human+"}") }
	short := pool("people", "members: [ann, bob], queues: [general, vip], skills: [{name: refund, level: 2}], agents: [{name: bob, skills: [{name: english, level: 5}]}]")
	checkProblems(t, []problemRow{
		{name: "a member has all that is required", manifests: vip("skills: [{name: refund, level: 2}, {name: english, level: 5}, {name: french, need: Preferred}]") + short},
		{name: "no single member has all", manifests: vip("skills: [{name: refund, level: 3}, {name: english, level: 5}]") + short, want: []string{
			`ServiceDesk shop: spec.queues[1].skills: queue "vip" requires refund at level 3 and english at level 5, and no member of AgentPool people has that; ` +
				"nearest is bob of people, who lacks refund (has level 2): its conversations would wait for ever; " +
				"add what is missing to spec.human.skills or spec.human.agents of AgentPool people, or relax it in spec.queues[1].relax",
		}},
		{name: "rings lower it far enough", manifests: vip("skills: [{name: refund, level: 5}], relax: [{after: 30s, lowerLevelsBy: 1}, {after: 60s, lowerLevelsBy: 2}]") + short},
		{name: "rings do not lower it far enough", manifests: vip("skills: [{name: refund, level: 5}], relax: [{after: 30s, lowerLevelsBy: 1}, {after: 60s, drop: Preferred, lowerLevelsBy: 1}]") + short, want: []string{
			`ServiceDesk shop: spec.queues[1].skills: queue "vip" requires refund at level 3 after all rings, and no member of AgentPool people has that; ` +
				"nearest is ann of people, who lacks refund (has level 2): its conversations would wait for ever; " +
				"add what is missing to spec.human.skills or spec.human.agents of AgentPool people, or relax it in spec.queues[1].relax",
		}},
		{name: "a level is lowered to 1 at least", manifests: vip("skills: [{name: french}], relax: [{after: 30s, lowerLevelsBy: 9}]") + short, want: []string{
			`ServiceDesk shop: spec.queues[1].skills: queue "vip" requires french at level 1 after all rings, and no member of AgentPool people has that; ` +
				"nearest is ann of people, who lacks french: its conversations would wait for ever; " +
				"add what is missing to spec.human.skills or spec.human.agents of AgentPool people, or relax it in spec.queues[1].relax",
		}},
		{name: "a ring drops all", manifests: vip("skills: [{name: french}], relax: [{after: 30s, drop: All}]") + short},
		{name: "a ring adds a pool", manifests: vip("relax: [{after: 30s, addPools: [people]}]") + people},
		{name: "a ring adds a pool that cannot do it", manifests: vip("skills: [{name: french}], relax: [{after: 30s, addPools: [people]}]") + people, want: []string{
			`ServiceDesk shop: spec.queues[1].skills: queue "vip" requires french at level 1 after all rings, and no member of AgentPool people has that; ` +
				"nearest is ann of people, who lacks french: its conversations would wait for ever; " +
				"add what is missing to spec.human.skills or spec.human.agents of AgentPool people, or relax it in spec.queues[1].relax",
		}},
		{name: "an overflow adds a pool", manifests: vip("overflow: [{predictedWait: 1m, action: Pool, pool: people}]") + people},
		{name: "an overflow leads to another queue", manifests: vip("overflow: [{predictedWait: 1m, action: Queue, queue: general}]") + people},
		{name: "an overflow leads to a queue that reaches nobody", manifests: vip("overflow: [{predictedWait: 1m, action: Queue, queue: general}]") + pool("people", "members: [ann], queues: [other]"), want: []string{
			`AgentPool people: spec.human.queues[0]: ServiceDesk shop has no queue "other" in spec.queues (it has general, vip); add the queue to that desk, or remove it here`,
			`ServiceDesk shop: spec.queues[0].name: queue "general" is served by no AgentPool of type Human: its conversations would wait for ever; ` +
				"add the queue to spec.human.queues of an AgentPool of this desk, or remove it here",
			`ServiceDesk shop: spec.queues[1].name: queue "vip" is served by no AgentPool of type Human: its conversations would wait for ever; ` +
				"add the queue to spec.human.queues of an AgentPool of this desk, or remove it here",
		}},
		{name: "an overflow takes one hop", manifests: fmt.Sprintf(aDesk, "queues: [{name: general}, {name: b, overflow: [{predictedWait: 1m, action: Queue, queue: general}]}, {name: c, overflow: [{predictedWait: 1m, action: Queue, queue: b}]}]") + people, want: []string{
			`ServiceDesk shop: spec.queues[2].name: queue "c" is served by no AgentPool of type Human: its conversations would wait for ever; ` +
				"add the queue to spec.human.queues of an AgentPool of this desk, or remove it here",
		}},
		{name: "all slots are kept for others", manifests: vip("priority: 90") +
			fmt.Sprintf(aPool, "people", "type: Human, concurrency: 2, human: {members: [ann], queues: [general, vip], reserved: [{queue: vip, slots: 2}]}"), want: []string{
			`ServiceDesk shop: spec.queues[0].name: queue "general" finds no room: AgentPool people reserves the slots of its members who could answer for other queues: its conversations would wait for ever; ` +
				"reserve fewer slots in spec.human.reserved, or raise spec.concurrency, of AgentPool people",
		}},
		{name: "what is left is too little for one conversation", manifests: vip("priority: 90") +
			fmt.Sprintf(aPool, "people", "type: Human, concurrency: 3, human: {members: [ann], queues: [general, vip], weights: [{channel: WebChat, slots: 2}], reserved: [{queue: vip, slots: 2}]}"), want: []string{
			`ServiceDesk shop: spec.queues[0].name: queue "general" finds no room for conversations by WebChat, which take 2 slots: AgentPool people reserves the slots of its members who could answer for other queues: its conversations would wait for ever; ` +
				"reserve fewer slots in spec.human.reserved, or raise spec.concurrency, of AgentPool people",
		}},
		{name: "what is left is too little for one conversation of a channel", manifests: fmt.Sprintf(aDesk, "queues: [{name: general}, {name: vip, priority: 90}], channels: {webhook: {url: 'https://bridge.example.com/', secretRef: {name: bridge}}}") +
			fmt.Sprintf(aPool, "people", "type: Human, concurrency: 3, human: {members: [ann], queues: [general, vip], weights: [{channel: Webhook, slots: 2}], reserved: [{queue: vip, slots: 2}]}"), want: []string{
			`ServiceDesk shop: spec.queues[0].name: queue "general" finds no room for conversations by Webhook, which take 2 slots: AgentPool people reserves the slots of its members who could answer for other queues: its conversations would wait for ever; ` +
				"reserve fewer slots in spec.human.reserved, or raise spec.concurrency, of AgentPool people",
		}},
		{name: "bots that are to have conversations meanwhile are missing", manifests: fmt.Sprintf(aDesk, "queues: [{name: general, overflow: [{predictedWait: 1m, action: Bot}]}]") +
			fmt.Sprintf(aPool, "people", "type: Human, human: {members: [ann], queues: [general]}"), want: []string{
			"ServiceDesk shop: spec.queues[0].overflow[0].action: action is Bot, and ServiceDesk shop has no AgentPool of type Bot in namespace default; " +
				"apply an AgentPool of type Bot with spec.deskRef.name shop, or use another action; until then the step is left out",
		}},
	})
}

// Names of pools and members that lead nowhere are told on the object that holds them.
func TestRoutingNames(t *testing.T) {
	checkProblems(t, []problemRow{
		{name: "pools of rings and overflow", manifests: fmt.Sprintf(aDesk, "queues: [{name: general, relax: [{after: 30s, addPools: [people, backup]}], overflow: [{predictedWait: 1m, action: Pool, pool: bots}, {predictedWait: 2m, action: Pool, pool: reserve}]}]") +
			people + fmt.Sprintf(aPool, "bots", "type: Bot"), want: []string{
			"ServiceDesk shop: spec.queues[0].overflow[0].pool: AgentPool bots is of type Bot, and bots serve no queue of people; name an AgentPool of type Human; until then the step is left out",
			"ServiceDesk shop: spec.queues[0].overflow[1].pool: AgentPool reserve of ServiceDesk shop does not exist in namespace default; apply an AgentPool of that name with spec.deskRef.name shop, or remove the name; until then the step is left out",
			"ServiceDesk shop: spec.queues[0].relax[0].addPools[1]: AgentPool backup of ServiceDesk shop does not exist in namespace default; apply an AgentPool of that name with spec.deskRef.name shop, or remove the name; until then the ring goes without it",
		}},
		{name: "the zone of a shift", manifests: fmt.Sprintf(aDesk, "") + fmt.Sprintf(aPool, "people",
			`type: Human, human: {members: [ann], queues: [general], shifts: [{name: early, days: [Monday], from: "08:00", to: "16:00", timeZone: Asia/Berlin}]}`), want: []string{
			`AgentPool people: spec.human.shifts[0].timeZone: shift "early" has "Asia/Berlin", which is no time zone; use an IANA name such as Asia/Shanghai; until then the shift goes by the desk's time zone`,
		}},
		{name: "a peak of people", manifests: fmt.Sprintf(aDesk, "") + fmt.Sprintf(aPool, "people",
			`type: Human, human: {members: [ann], queues: [general], peaks: [{name: sale, start: "2026-11-11T00:00:00Z", end: "2026-11-12T00:00:00Z", multiplierPercent: 300, recurrence: "FREQ=HOURLY"}]}`), want: []string{
			`AgentPool people: spec.human.peaks[0].recurrence: FREQ=HOURLY is none of DAILY, WEEKLY, MONTHLY, YEARLY; use a rule such as FREQ=WEEKLY;BYDAY=MO,TH; until then the pool goes without this peak`,
		}},
		{name: "members of shifts", manifests: fmt.Sprintf(aDesk, "") + fmt.Sprintf(aPool, "people",
			`type: Human, human: {members: [ann], queues: [general], shifts: [{name: early, days: [Monday], from: "08:00", to: "16:00", members: [ann, bob]}]}`), want: []string{
			`AgentPool people: spec.human.shifts[0].members[1]: shift "early" names agent "bob", who is not among spec.human.members; add the agent to spec.human.members, or mend the name; until then the shift goes without`,
		}},
	})
}

// A pool that a sync may still bring makes nothing Stalled.
func TestMissingPoolsMayStillCome(t *testing.T) {
	plans := offline(t, fmt.Sprintf(aDesk, "queues: [{name: general, skills: [{name: french}], relax: [{after: 30s, addPools: [backup]}]}]")+people)
	if len(plans.Problems) != 2 {
		t.Fatal(plans.Problems)
	}
	for _, p := range plans.Problems {
		if p.Severity != plan.Waiting || p.Reason != v1alpha1.ReasonReferenceMissing && p.Reason != v1alpha1.ReasonQueueUnreachable {
			t.Errorf("severity %d, reason %s: %s", p.Severity, p.Reason, p)
		}
	}
}

// What leads nowhere is left out of the document: the ladder goes on with the next step, and a shift of which no
// member is left does not become one of all.
func TestDocumentLeavesOutWhatLeadsNowhere(t *testing.T) {
	in := input(t)
	in.Pools = in.Pools[:2] // without the reserve
	in.Pools[1].Spec.Human.Shifts[0].Members = []v1alpha1.DNSLabel{"nobody"}
	in.Pools[1].Spec.Human.Agents[0].Name = "nobody"
	in.Desk.Spec.Queues = append(in.Desk.Spec.Queues, v1alpha1.Queue{Name: "late", Priority: new(int32(1))})
	in.Pools[1].Spec.Human.Reserved = append(in.Pools[1].Spec.Human.Reserved, v1alpha1.ReservedSlots{Queue: "gone", Slots: 1})
	_, document, _ := desk(t, in)
	refunds, human := document.Queues[1], document.Pools[1].Human
	if len(refunds.Overflow) != 4 || refunds.Overflow[0].Queue != "general" || len(refunds.Relax) != 3 || len(refunds.Relax[2].AddPools) != 0 {
		t.Errorf("overflow %+v, relax %+v", refunds.Overflow, refunds.Relax)
	}
	if len(human.Shifts) != 1 || human.Shifts[0].Name != "night" || len(human.Agents) != 0 || len(human.Reserved) != 1 {
		t.Errorf("shifts %+v, agents %+v, reserved %+v", human.Shifts, human.Agents, human.Reserved)
	}
}
