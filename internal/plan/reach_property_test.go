package plan_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/plan"
)

var (
	someQueues = []v1alpha1.DNSLabel{"a", "b", "c"}
	someSkills = []v1alpha1.DNSLabel{"x", "y"}
	somePools  = []string{"p", "q"}
)

func drawQueue(r *rapid.T, name v1alpha1.DNSLabel) v1alpha1.Queue {
	q := v1alpha1.Queue{Name: name, Priority: new(int32(50))}
	for _, s := range rapid.SliceOfNDistinct(rapid.SampledFrom(someSkills), 0, 2, rapid.ID).Draw(r, "wants") {
		need := rapid.SampledFrom([]v1alpha1.SkillNeed{v1alpha1.SkillRequired, v1alpha1.SkillPreferred}).Draw(r, "need")
		q.Skills = append(q.Skills, v1alpha1.QueueSkill{Name: s, Need: need, Level: v1alpha1.SkillLevel(rapid.IntRange(1, 4).Draw(r, "level"))})
	}
	for range rapid.IntRange(0, 2).Draw(r, "rings") {
		q.Relax = append(q.Relax, v1alpha1.Ring{After: "30s", Drop: v1alpha1.DropNone, LowerLevelsBy: new(rapid.Int32Range(1, 2).Draw(r, "lower"))})
	}
	if rapid.Bool().Draw(r, "overflows") {
		to := rapid.SampledFrom(someQueues).Draw(r, "to")
		q.Overflow = []v1alpha1.OverflowStep{{PredictedWait: "1m", Action: v1alpha1.OverflowQueue, Queue: &to}}
	}
	return q
}

func drawPool(r *rapid.T, name string) *v1alpha1.AgentPool {
	human := &v1alpha1.HumanSettings{
		Members: []v1alpha1.DNSLabel{v1alpha1.DNSLabel("ann-" + name), v1alpha1.DNSLabel("bob-" + name)},
		Queues:  rapid.SliceOfNDistinct(rapid.SampledFrom(someQueues), 1, 2, rapid.ID).Draw(r, "queues"),
	}
	for _, s := range rapid.SliceOfNDistinct(rapid.SampledFrom(someSkills), 0, 2, rapid.ID).Draw(r, "has") {
		human.Skills = append(human.Skills, v1alpha1.AgentSkill{Name: s, Level: v1alpha1.SkillLevel(rapid.IntRange(1, 4).Draw(r, "level"))})
	}
	if rapid.Bool().Draw(r, "reserves") {
		human.Reserved = []v1alpha1.ReservedSlots{{Queue: human.Queues[0], Slots: rapid.Int32Range(1, 2).Draw(r, "slots")}}
	}
	pool := &v1alpha1.AgentPool{Spec: v1alpha1.AgentPoolSpec{Type: v1alpha1.PoolTypeHuman, Concurrency: 2, Human: human}}
	pool.Name = name
	return pool
}

// widenings are changes that can only let more people answer more.
var widenings = map[string]func(r *rapid.T, q *v1alpha1.Queue, h *v1alpha1.HumanSettings){
	"a ring drops all": func(_ *rapid.T, q *v1alpha1.Queue, _ *v1alpha1.HumanSettings) {
		q.Relax = append(q.Relax, v1alpha1.Ring{After: "2m", Drop: v1alpha1.DropAll})
	},
	"a ring adds a pool": func(r *rapid.T, q *v1alpha1.Queue, _ *v1alpha1.HumanSettings) {
		q.Relax = append(q.Relax, v1alpha1.Ring{After: "2m", AddPools: []v1alpha1.DNSLabel{v1alpha1.DNSLabel(rapid.SampledFrom(somePools).Draw(r, "add"))}})
	},
	"an overflow adds a pool": func(r *rapid.T, q *v1alpha1.Queue, _ *v1alpha1.HumanSettings) {
		pool := v1alpha1.DNSLabel(rapid.SampledFrom(somePools).Draw(r, "add"))
		q.Overflow = append(q.Overflow, v1alpha1.OverflowStep{PredictedWait: "2m", Action: v1alpha1.OverflowPool, Pool: &pool})
	},
	"a queue asks for less": func(_ *rapid.T, q *v1alpha1.Queue, _ *v1alpha1.HumanSettings) { q.Skills = nil },
	"a member learns": func(r *rapid.T, _ *v1alpha1.Queue, h *v1alpha1.HumanSettings) {
		h.Agents = []v1alpha1.MemberSettings{{Name: h.Members[0], Skills: []v1alpha1.AgentSkill{{Name: rapid.SampledFrom(someSkills).Draw(r, "learns"), Level: 10}}}}
	},
	"nothing is reserved": func(_ *rapid.T, _ *v1alpha1.Queue, h *v1alpha1.HumanSettings) { h.Reserved = nil },
	"a pool serves all":   func(_ *rapid.T, _ *v1alpha1.Queue, h *v1alpha1.HumanSettings) { h.Queues = someQueues },
}

// Whatever lets more people answer makes no queue unreachable, and all of it together makes each reachable: an author
// who follows the remedies comes to an end.
func TestWideningReachesMore(t *testing.T) {
	base := input(t)
	rapid.Check(t, func(r *rapid.T) {
		in := *base
		in.Desk = base.Desk.DeepCopy()
		in.Desk.Spec.Queues, in.Desk.Spec.DefaultQueue, in.Desk.Spec.EscalationPolicyRef, in.Pools = nil, nil, nil, nil
		for _, name := range someQueues {
			in.Desk.Spec.Queues = append(in.Desk.Spec.Queues, drawQueue(r, name))
		}
		for _, name := range somePools {
			in.Pools = append(in.Pools, drawPool(r, name))
		}
		before := unreachable(r, &in)
		names := slices.Sorted(maps.Keys(widenings))
		for _, name := range rapid.Permutation(names).Draw(r, "widenings") {
			q := &in.Desk.Spec.Queues[rapid.IntRange(0, len(someQueues)-1).Draw(r, "of queue")]
			widenings[name](r, q, in.Pools[rapid.IntRange(0, 1).Draw(r, "of pool")].Spec.Human)
			after := unreachable(r, &in)
			for field := range after {
				if !before[field] {
					r.Fatalf("%s made %s unreachable", name, field)
				}
			}
			before = after
		}
		for i := range in.Desk.Spec.Queues {
			in.Desk.Spec.Queues[i].Skills = nil
		}
		for _, pool := range in.Pools {
			pool.Spec.Human.Queues, pool.Spec.Human.Reserved = someQueues, nil
		}
		if left := unreachable(r, &in); len(left) > 0 {
			r.Fatalf("all serve all, and yet: %v", left)
		}
	})
}

// unreachable lists the queues from which nobody is reached.
func unreachable(r *rapid.T, in *plan.DeskInput) map[string]bool {
	_, _, problems, err := plan.Desk(in)
	if err != nil {
		r.Fatal(err)
	}
	found := map[string]bool{}
	for _, p := range problems {
		if p.Reason == v1alpha1.ReasonQueueUnreachable {
			var i int
			if _, err := fmt.Sscanf(p.Field, "spec.queues[%d]", &i); err != nil {
				r.Fatalf("%s: %v", p.Field, err)
			}
			found[string(in.Desk.Spec.Queues[i].Name)] = true
		}
	}
	return found
}
