package plan

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity says who can mend a problem.
type Severity int

const (
	// Waiting problems may go by themselves: something that is named may still come.
	Waiting Severity = iota
	// Terminal problems need a person to change an object.
	Terminal
)

// Problem is one thing that is wrong with an object in view of the others.
type Problem struct {
	Severity Severity
	// Reason as the condition shows it, one of v1alpha1.Reason….
	Reason string
	// Kind and Name of the object that is wrong.
	Kind, Name string
	// Field of that object, for example "spec.human.queues[1]".
	Field string
	// Message says what is wrong, with the value.
	Message string
	// Remedy says what to do.
	Remedy string
}

// String is the problem as one sentence: object, field, what is wrong, remedy.
func (p Problem) String() string {
	return fmt.Sprintf("%s %s: %s: %s; %s", p.Kind, p.Name, p.Field, p.Message, p.Remedy)
}

// problems collects what is wrong with one object.
type problems struct {
	kind, name string
	list       []Problem
}

func (p *problems) add(severity Severity, reason, field, remedy, format string, args ...any) {
	p.list = append(p.list, Problem{
		Severity: severity, Reason: reason, Kind: p.kind, Name: p.name,
		Field: field, Message: fmt.Sprintf(format, args...), Remedy: remedy,
	})
}

// sorted orders problems so that conditions do not change with the order in
// which objects were read.
func (p *problems) sorted() []Problem {
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
	})
	return p.list
}
