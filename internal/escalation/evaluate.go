package escalation

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/common/types"
)

// Decision is what a policy says about a conversation.
type Decision struct {
	// Rules are the names of the rules that matched, in order. Empty when none did.
	Rules []string
	// HandOff says where the conversation goes, or nil: it stays where it is.
	HandOff *HandOff
	// Priority is the conversation's new priority, or nil: it stays as it is.
	Priority *int32
	// Say is what the customer is told, in order, each in the best language there is.
	Say []LocalisedText
	// Reason says in words which rules matched and what they did.
	Reason string
}

// RuleError says that a rule was skipped because it failed while it ran.
type RuleError struct {
	// Rule is the rule's name.
	Rule string
	// Err is what went wrong.
	Err error
}

// Error implements error.
func (e *RuleError) Error() string {
	return fmt.Sprintf("escalation rule %q skipped: %v", e.Rule, e.Err)
}

// Unwrap gives what went wrong.
func (e *RuleError) Unwrap() error { return e.Err }

// Evaluate looks at the rules in order and collects what those that match say. The first match
// ends it unless its rule continues. Where several matching rules set the same thing the earlier
// one stands; messages to say add up.
//
// The decision is valid even with an error. A rule that fails (a division by zero, say) is skipped
// and is a [RuleError] in the joined error. Of a text longer than [MaxTextLength] only the beginning
// is looked at, which is an error too.
func (p *Policy) Evaluate(f Facts) (Decision, error) {
	a := p.activations.Get().(*activation) //nolint:forcetypeassert // the pool makes nothing else
	defer func() {
		a.reset()
		p.activations.Put(a)
	}()
	var errs []error
	if head := cutText(f.Message.Text, MaxTextLength); len(head) < len(f.Message.Text) {
		errs = append(errs, fmt.Errorf("%w: it has %d bytes after the first %d characters",
			ErrTextTooLong, len(f.Message.Text)-len(head), MaxTextLength))
		f.Message.Text = head
	}
	a.facts = f
	var d Decision
	for i := range p.rules {
		rule := &p.rules[i]
		matched, _, err := rule.program.Eval(a)
		if err != nil {
			errs = append(errs, &RuleError{Rule: rule.name, Err: err})
			continue
		}
		if matched != types.True {
			continue
		}
		d.apply(rule, f.Message.Language, p.language)
		if !rule.then.Continue {
			break
		}
	}
	if len(d.Rules) == 0 {
		d.Reason = "no rule matched"
	}
	return d, errors.Join(errs...)
}

// apply adds what a matching rule does.
func (d *Decision) apply(rule *compiledRule, languages ...string) {
	then, reason := rule.then, rule.reason
	if d.HandOff != nil && then.HandOff != nil || d.Priority != nil && then.Priority != nil {
		if d.HandOff != nil {
			then.HandOff = nil
		}
		if d.Priority != nil {
			then.Priority = nil
		}
		reason = describe(rule.name, &then)
	}
	d.Rules = append(d.Rules, rule.name)
	if then.HandOff != nil {
		handOff := *then.HandOff
		d.HandOff = &handOff
	}
	if then.Priority != nil {
		priority := *then.Priority
		d.Priority = &priority
	}
	if len(then.Say) > 0 {
		d.Say = append(d.Say, localised(then.Say, languages...))
	}
	if d.Reason != "" {
		reason = strings.Join([]string{d.Reason, reason}, "; ")
	}
	d.Reason = reason
}

// cutText shortens a text to at most limit characters.
func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for i := range s {
		if limit == 0 {
			return s[:i]
		}
		limit--
	}
	return s
}
