package escalation

import (
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// selfName is how matchesAny finds the activation it runs in. It is no identifier of the language,
// so a rule cannot reach it.
const selfName = "@facts"

// activation gives the facts of one evaluation to all rules of a policy. Values are made once, on
// first use, and shared between the rules.
type activation struct {
	facts  Facts
	values []ref.Val // by position in the table of facts; nil until used

	folded   string
	isFolded bool
}

var _ interpreter.Activation = (*activation)(nil)

func newActivation() *activation { return &activation{values: make([]ref.Val, len(facts))} }

// ResolveName gives the activation itself for each group of facts: the groups have no value of
// their own, the fields are read from it by [factProvider].
func (a *activation) ResolveName(name string) (any, bool) {
	switch name {
	case selfName:
		return a, true
	default:
		_, ok := groupTypes[name]
		return a, ok
	}
}

// Parent implements [interpreter.Activation]; there is none.
func (a *activation) Parent() interpreter.Activation { return nil }

func (a *activation) value(i int) ref.Val {
	if a.values[i] == nil {
		a.values[i] = facts[i].value(&a.facts)
	}
	return a.values[i]
}

// fold folds s, remembering the result for the message's text: nearly every matchesAny asks for
// that one.
func (a *activation) fold(s string) string {
	if s != a.facts.Message.Text {
		return fold(s)
	}
	if !a.isFolded {
		a.folded, a.isFolded = fold(s), true
	}
	return a.folded
}

// reset forgets everything, so that a pooled activation keeps no customer's text alive.
func (a *activation) reset() {
	a.facts = Facts{}
	clear(a.values)
	a.folded, a.isFolded = "", false
}
