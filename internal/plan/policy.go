package plan

import (
	"encoding/json"
	"fmt"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/escalation"
)

// EscalationPolicy compiles a policy's rules and reports every error with its
// line and column. The rules are the ones to remember as the last good policy
// when there are no problems.
func EscalationPolicy(policy *v1alpha1.EscalationPolicy) []Problem {
	found := problems{kind: v1alpha1.KindEscalationPolicy, name: policy.Name}
	if size := rulesSize(policy.Spec.Rules); size > maxRulesBytes {
		found.add(Terminal, v1alpha1.ReasonInvalidSpec, "spec.rules", "shorten what the rules say, or use fewer rules",
			"the rules are %d KiB, and %d KiB fit", size>>10, maxRulesBytes>>10)
		return found.sorted()
	}
	_, bad := escalation.Compile(Rules(policy.Spec.Rules), escalation.Options{})
	for _, b := range bad {
		found.add(Terminal, v1alpha1.ReasonInvalidSpec, ruleField(b), b.Remedy, "%s%s", place(b), b.Message)
	}
	return found.sorted()
}

// maxRulesBytes is the most that rules may be, as JSON. The status remembers the
// last good ones beside those of the spec, and etcd takes an object of 1.5 MiB:
// a larger policy could be stored, but nothing could be said about it.
const maxRulesBytes = 512 << 10

func rulesSize(rules []v1alpha1.Rule) int {
	data, err := json.Marshal(rules)
	if err != nil {
		return 0 // rules came as JSON, so they can be written as such
	}
	return len(data)
}

// ruleField is the field of the API that a compile error speaks of.
func ruleField(p escalation.Problem) string {
	field := "spec.rules"
	if p.Index >= 0 { // below 0 the problem is one of the policy as a whole
		field = fmt.Sprintf("spec.rules[%d](%s)", p.Index, p.Rule)
		if p.Field != "" {
			field += "." + p.Field
		}
	}
	return field
}

// place is where in a condition an error stands; empty when it has no place.
func place(p escalation.Problem) string {
	if p.Line == 0 {
		return ""
	}
	return fmt.Sprintf("line %d, column %d: ", p.Line, p.Column)
}

// Rules converts the API's rules to those that the router evaluates.
func Rules(rules []v1alpha1.Rule) []escalation.Rule {
	converted := make([]escalation.Rule, 0, len(rules))
	for i := range rules {
		converted = append(converted, rule(&rules[i]))
	}
	return converted
}

func rule(r *v1alpha1.Rule) escalation.Rule {
	c := escalation.Rule{
		Name: string(r.Name),
		When: r.When,
		Then: escalation.Actions{
			Priority: r.Then.Priority,
			Say:      localized(r.Then.Say),
			Continue: r.OnMatch == v1alpha1.MatchContinue,
		},
	}
	if h := r.Then.HandOff; h != nil {
		c.Then.HandOff = &escalation.HandOff{}
		if h.Queue != nil {
			c.Then.HandOff.Queue = string(*h.Queue)
		}
	}
	return c
}

func localized(texts []v1alpha1.LocalizedText) []escalation.LocalisedText {
	converted := make([]escalation.LocalisedText, 0, len(texts))
	for _, t := range texts {
		converted = append(converted, escalation.LocalisedText{Language: string(t.Language), Text: t.Text})
	}
	if len(converted) == 0 {
		return nil
	}
	return converted
}
