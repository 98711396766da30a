package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Error is one thing that is wrong with a manifest. What is not known is empty,
// or 0 for the line.
type Error struct {
	// File is the path as it was given or found, "stdin" for standard input.
	File string
	// Line of the field, or of the nearest thing around it that stands in the file; from 1.
	Line int
	// Kind, Namespace and Name of the object.
	Kind, Namespace, Name string
	// Field is the path of the field, for example "spec.queues[0].name".
	Field string
	// Message says what is wrong, with value and remedy.
	Message string
}

// Error renders "file:line: Kind namespace/name: field: message" on one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Kind != "" {
		fmt.Fprintf(&b, ": %s %s/%s", e.Kind, e.Namespace, cmp.Or(e.Name, "<no name>"))
	}
	if e.Field != "" {
		b.WriteString(": " + e.Field)
	}
	b.WriteString(": " + e.Message)
	return strings.Map(printable, b.String())
}

// printable keeps one error on one line, whatever the manifest holds, and keeps it from talking to the terminal.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}

// Errors is everything that is wrong with a set of manifests, in the order of
// files, lines and fields.
type Errors []*Error

// Error renders one line for each.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find an Error.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, err := range e {
		errs[i] = err
	}
	return errs
}

func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(e, func(a, b *Error) bool { return *a == *b })
}
