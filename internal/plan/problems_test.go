package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deskfleet/deskfleet/internal/manifest"
	"github.com/deskfleet/deskfleet/internal/plan"
)

// Parts of manifests that the cases are made of.
const (
	aDesk   = "apiVersion: deskfleet.dev/v1alpha1\nkind: ServiceDesk\nmetadata: {name: shop}\nspec: {%s}\n---\n"
	aPool   = "apiVersion: deskfleet.dev/v1alpha1\nkind: AgentPool\nmetadata: {name: %s}\nspec: {deskRef: {name: shop}, %s}\n---\n"
	aBase   = "apiVersion: deskfleet.dev/v1alpha1\nkind: KnowledgeBase\nmetadata: {name: faq}\nspec: {sources: {%s}}\n---\n"
	aPolicy = "apiVersion: deskfleet.dev/v1alpha1\nkind: EscalationPolicy\nmetadata: {name: shop}\nspec: {rules: [%s]}\n---\n"
	aMap    = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: faq}\ndata:\n  entries.yaml: |\n%s---\n"
)

var people = fmt.Sprintf(aPool, "people", "type: Human, human: {members: [ann], queues: [general]}")

func offline(t *testing.T, manifests string) *plan.Plans {
	t.Helper()
	o, err := manifest.Parse("test.yaml", []byte(manifests))
	if err != nil {
		t.Fatal(err)
	}
	plans, err := plan.Offline(&plan.Objects{
		ServiceDesks: o.ServiceDesks, AgentPools: o.AgentPools, KnowledgeBases: o.KnowledgeBases,
		EscalationPolicies: o.EscalationPolicies, ConfigMaps: o.ConfigMaps,
	})
	if err != nil {
		t.Fatal(err)
	}
	return plans
}

// problemRow is a set of manifests and every problem of it, word for word: object, field, what is wrong with
// which value, and what to do.
type problemRow struct {
	name      string
	manifests string
	want      []string
}

func checkProblems(t *testing.T, rows []problemRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			plans := offline(t, row.manifests)
			got := make([]string, 0, len(plans.Problems))
			for _, p := range plans.Problems {
				got = append(got, p.String())
			}
			slices.Sort(got)
			if diff := cmp.Diff(row.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("problems (-expected +got):\n%s", diff)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	entries := "    - {id: %s, questions: [\"Q?\"], answer: \"A.\"}\n"
	checkProblems(t, []problemRow{
		{name: "none", manifests: fmt.Sprintf(aDesk, "escalationPolicyRef: {name: shop}") + people +
			fmt.Sprintf(aPool, "bots", "type: Bot, bot: {knowledgeBaseRefs: [{name: faq}]}") +
			fmt.Sprintf(aBase, "configMaps: [{name: faq}]") + fmt.Sprintf(aMap, fmt.Sprintf(entries, "one")) +
			fmt.Sprintf(aPolicy, "{name: a, when: message.asksForPerson, then: {handOff: {queue: general}}}")},
		{name: "a pool without its desk", manifests: people, want: []string{
			"AgentPool people: spec.deskRef.name: ServiceDesk shop does not exist in namespace default; apply the ServiceDesk, or delete the pool",
		}},
		{name: "a queue that nobody serves", manifests: fmt.Sprintf(aDesk, "queues: [{name: general}, {name: vip}]") + people, want: []string{
			`ServiceDesk shop: spec.queues[1].name: queue "vip" is served by no AgentPool of type Human: its conversations would wait for ever; ` +
				"add the queue to spec.human.queues of an AgentPool of this desk, or remove it here",
		}},
		{name: "a queue that the desk does not have", manifests: fmt.Sprintf(aDesk, "queues: [{name: general}, {name: b}]") +
			fmt.Sprintf(aPool, "people", "type: Human, human: {members: [ann], queues: [general, vip, b]}"), want: []string{
			`AgentPool people: spec.human.queues[1]: ServiceDesk shop has no queue "vip" in spec.queues (it has general, b); add the queue to that desk, or remove it here`,
		}},
		{name: "an agent of two pools", manifests: fmt.Sprintf(aDesk, "") + people +
			fmt.Sprintf(aPool, "zz", "type: Human, human: {members: [bob, ann], queues: [general]}"), want: []string{
			`AgentPool zz: spec.human.members[1]: agent "ann" is a member of AgentPool people too; remove the agent from one of the two pools`,
		}},
		{name: "no knowledge base", manifests: fmt.Sprintf(aDesk, "") + people + fmt.Sprintf(aPool, "bots", "type: Bot, bot: {knowledgeBaseRefs: [{name: faq}]}"), want: []string{
			"AgentPool bots: spec.bot.knowledgeBaseRefs[0].name: KnowledgeBase faq does not exist; apply the KnowledgeBase, or remove the name",
		}},
		{name: "a knowledge base without its ConfigMap", manifests: fmt.Sprintf(aDesk, "") + people +
			fmt.Sprintf(aPool, "bots", "type: Bot, bot: {knowledgeBaseRefs: [{name: faq}]}") + fmt.Sprintf(aBase, "configMaps: [{name: faq}]"), want: []string{
			"AgentPool bots: spec.bot.knowledgeBaseRefs[0].name: KnowledgeBase faq has no usable revision yet; look at the conditions of that KnowledgeBase",
			"KnowledgeBase faq: spec.sources.configMaps[0].name: ConfigMap faq does not exist in namespace default; apply the ConfigMap, or remove the name",
		}},
		{name: "an id given twice", manifests: fmt.Sprintf(aBase, `inline: [{id: one, questions: ["Q?"], answer: "A."}], configMaps: [{name: faq}]`) +
			fmt.Sprintf(aMap, fmt.Sprintf(entries, "one")), want: []string{
			`KnowledgeBase faq: spec.sources.configMaps[0].name: the id "one" of ConfigMap faq, key entries.yaml was given already in spec.sources.inline; give each entry an id of its own`,
		}},
		{name: "a ConfigMap without entries", manifests: fmt.Sprintf(aBase, "configMaps: [{name: faq}]") + fmt.Sprintf(aMap, "    []\n"), want: []string{
			"KnowledgeBase faq: spec.sources: the sources hold no entry; add entries to one of the sources",
		}},
		{name: "no policy", manifests: fmt.Sprintf(aDesk, "escalationPolicyRef: {name: shop}") + people, want: []string{
			"ServiceDesk shop: spec.escalationPolicyRef.name: EscalationPolicy shop does not exist in namespace default; apply the EscalationPolicy, or remove the reference",
		}},
		{name: "a policy that does not compile", manifests: fmt.Sprintf(aDesk, "escalationPolicyRef: {name: shop}") + people +
			fmt.Sprintf(aPolicy, `{name: a, when: "message.txt == 'x'", then: {priority: 1}}`), want: []string{
			"EscalationPolicy shop: spec.rules[0](a).when: line 1, column 9: there is no fact message.txt; did you mean message.text?",
			"ServiceDesk shop: spec.escalationPolicyRef.name: EscalationPolicy shop has never compiled; look at the conditions of that EscalationPolicy",
		}},
		{name: "a rule for a queue that the desk does not have", manifests: fmt.Sprintf(aDesk, "escalationPolicyRef: {name: shop}") + people +
			fmt.Sprintf(aPolicy, "{name: a, when: message.asksForPerson, then: {handOff: {queue: vip}}}"), want: []string{
			`ServiceDesk shop: spec.queues: rule "a" of EscalationPolicy shop hands off to queue "vip", which the desk does not have; ` +
				"add the queue to the desk, or change spec.rules[0](a).then.handOff.queue of the policy; until then the rule hands off to general",
		}},
	})
}

// TestBrokenEntryIsPlaced: the author of entries in a ConfigMap is told where to look.
func TestBrokenEntryIsPlaced(t *testing.T) {
	plans := offline(t, fmt.Sprintf(aBase, "configMaps: [{name: faq}]")+fmt.Sprintf(aMap, "    - {id: one, questions: [\"Q?\"]}\n"))
	if len(plans.Problems) != 1 {
		t.Fatalf("%v", plans.Problems)
	}
	got := plans.Problems[0].String()
	for _, want := range []string{"KnowledgeBase faq: spec.sources.configMaps[0].name: ConfigMap faq, key entries.yaml: ", "answer", "; mend the entry in that ConfigMap"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not contain %q", got, want)
		}
	}
}

// TestNamespacesAreBlindToEachOther: objects of the same name elsewhere are of no use.
func TestNamespacesAreBlindToEachOther(t *testing.T) {
	elsewhere := strings.NewReplacer("{name: shop}\nspec", "{name: shop, namespace: b}\nspec", "{name: people}", "{name: people, namespace: a}")
	plans := offline(t, elsewhere.Replace(fmt.Sprintf(aDesk, "")+people))
	if len(plans.Problems) != 2 || len(plans.Pools) != 0 {
		t.Errorf("problems %v", plans.Problems)
	}
}
