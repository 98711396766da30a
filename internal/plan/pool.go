package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// PoolInput is what a pool is looked at together with.
type PoolInput struct {
	Pool *v1alpha1.AgentPool
	// Desk that the pool names; nil while it does not exist.
	Desk *v1alpha1.ServiceDesk
	// Siblings are all pools of that desk; the pool itself may be among them.
	Siblings []*v1alpha1.AgentPool
	// KnowledgeBases of the namespace that the pool names, by name.
	KnowledgeBases map[string]*v1alpha1.KnowledgeBase
}

// Pool plans a pool. The result is nil while the desk does not exist: its
// settings stand in the workers' pods.
func Pool(in *PoolInput) (*render.Pool, []Problem) {
	pool := in.Pool
	found := problems{kind: v1alpha1.KindAgentPool, name: pool.Name}
	if in.Desk == nil {
		found.add(Waiting, v1alpha1.ReasonReferenceMissing, "spec.deskRef.name", "apply the ServiceDesk, or delete the pool",
			"ServiceDesk %s does not exist in namespace %s", pool.Spec.DeskRef.Name, pool.Namespace)
		return nil, found.list
	}
	if bot := pool.Spec.Bot; bot != nil {
		knowledgeProblems(&found, bot, in.KnowledgeBases)
	}
	if human := pool.Spec.Human; human != nil {
		queueProblems(&found, human, in.Desk)
		memberProblems(&found, in)
		shiftProblems(&found, human)
	}
	peakProblems(&found, in)
	return &render.Pool{Owner: ownerOf(v1alpha1.KindAgentPool, pool), Spec: pool.Spec, Desk: in.Desk.Spec}, found.sorted()
}

func knowledgeProblems(found *problems, bot *v1alpha1.BotSettings, bases map[string]*v1alpha1.KnowledgeBase) {
	for i, ref := range bot.KnowledgeBaseRefs {
		field := fmt.Sprintf("spec.bot.knowledgeBaseRefs[%d].name", i)
		switch kb := bases[string(ref.Name)]; {
		case kb == nil:
			found.add(Waiting, v1alpha1.ReasonReferenceMissing, field, "apply the KnowledgeBase, or remove the name",
				"KnowledgeBase %s does not exist", ref.Name)
		case kb.Status.Revision == "":
			found.add(Waiting, v1alpha1.ReasonReferenceNotReady, field, "look at the conditions of that KnowledgeBase",
				"KnowledgeBase %s has no usable revision yet", ref.Name)
		}
	}
}

func queueProblems(found *problems, human *v1alpha1.HumanSettings, desk *v1alpha1.ServiceDesk) {
	for i, queue := range human.Queues {
		if !hasQueue(&desk.Spec, string(queue)) {
			found.add(Waiting, v1alpha1.ReasonReferenceMissing, fmt.Sprintf("spec.human.queues[%d]", i),
				"add the queue to that desk, or remove it here",
				"ServiceDesk %s has no queue %q in spec.queues (it has %s)", desk.Name, queue, strings.Join(queueNames(&desk.Spec), ", "))
		}
	}
}

// memberProblems finds agents of two pools: which slots and queues would be theirs?
// The pool whose name comes first keeps the agent, as in the document.
func memberProblems(found *problems, in *PoolInput) {
	first := map[v1alpha1.DNSLabel]string{}
	for _, sibling := range in.Siblings {
		if sibling.Spec.Human == nil || sibling.Name >= in.Pool.Name {
			continue
		}
		for _, member := range sibling.Spec.Human.Members {
			if name, there := first[member]; !there || sibling.Name < name {
				first[member] = sibling.Name
			}
		}
	}
	for i, member := range in.Pool.Spec.Human.Members {
		if name, taken := first[member]; taken {
			found.add(Terminal, v1alpha1.ReasonInvalidSpec, fmt.Sprintf("spec.human.members[%d]", i),
				"remove the agent from one of the two pools",
				"agent %q is a member of AgentPool %s too", member, name)
		}
	}
}

// shiftProblems finds members of shifts who are none of the pool, and zones that are none.
func shiftProblems(found *problems, human *v1alpha1.HumanSettings) {
	members := map[v1alpha1.DNSLabel]bool{}
	for _, member := range human.Members {
		members[member] = true
	}
	for i := range human.Shifts {
		if zone := human.Shifts[i].TimeZone; zone != "" && !known(zone) {
			found.add(Terminal, v1alpha1.ReasonInvalidSpec, fmt.Sprintf("spec.human.shifts[%d].timeZone", i),
				"use an IANA name such as Asia/Shanghai; until then the shift goes by the desk's time zone",
				"shift %q has %q, which is no time zone", human.Shifts[i].Name, zone)
		}
		for j, member := range human.Shifts[i].Members {
			if !members[member] {
				found.add(Terminal, v1alpha1.ReasonInvalidSpec, fmt.Sprintf("spec.human.shifts[%d].members[%d]", i, j),
					"add the agent to spec.human.members, or mend the name; until then the shift goes without",
					"shift %q names agent %q, who is not among spec.human.members", human.Shifts[i].Name, member)
			}
		}
	}
}

func hasQueue(spec *v1alpha1.ServiceDeskSpec, name string) bool {
	return slices.ContainsFunc(spec.Queues, func(q v1alpha1.Queue) bool { return string(q.Name) == name })
}

func queueNames(spec *v1alpha1.ServiceDeskSpec) []string {
	names := make([]string, len(spec.Queues))
	for i := range spec.Queues {
		names[i] = string(spec.Queues[i].Name)
	}
	return names
}

// documentPools converts the desk's pools, sorted by name. A reference that
// leads nowhere is left out of the document and reported on the pool.
func documentPools(spec *v1alpha1.ServiceDeskSpec, pools []*v1alpha1.AgentPool, served map[string]bool) []runtimeconfig.Pool {
	taken := map[v1alpha1.DNSLabel]bool{}
	converted := make([]runtimeconfig.Pool, 0, len(pools))
	for _, pool := range slices.SortedFunc(slices.Values(pools), byName) {
		p := runtimeconfig.Pool{
			Name: pool.Name, Type: runtimeconfig.PoolType(pool.Spec.Type), Concurrency: int(pool.Spec.Concurrency),
		}
		switch pool.Spec.Type {
		case v1alpha1.PoolTypeBot:
			p.Bot = documentBot(pool.Spec.Bot, served)
		case v1alpha1.PoolTypeHuman:
			p.Human = documentHuman(spec, pool.Spec.Human, taken)
		}
		converted = append(converted, p)
	}
	return converted
}

// defaultMinConfidencePercent is the schema's default, for a pool without bot settings.
const defaultMinConfidencePercent = 60

func documentBot(bot *v1alpha1.BotSettings, served map[string]bool) *runtimeconfig.BotSettings {
	settings := &runtimeconfig.BotSettings{MinConfidence: defaultMinConfidencePercent / 100.0}
	if bot == nil {
		return settings
	}
	if bot.MinConfidencePercent != nil {
		settings.MinConfidence = float64(*bot.MinConfidencePercent) / 100
	}
	settings.Greeting = localized(bot.Greeting)
	for _, ref := range bot.KnowledgeBaseRefs {
		if served[string(ref.Name)] {
			settings.KnowledgeBases = append(settings.KnowledgeBases, string(ref.Name))
		}
	}
	return settings
}
