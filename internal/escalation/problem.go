package escalation

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxProblemsPerRule bounds what one rule can report, so that a broken policy of [MaxRules] rules
// still fits into a condition's message or a log line.
const maxProblemsPerRule = 8

// Problem is one thing that keeps a policy from being used, in words for the person who wrote it.
type Problem struct {
	// Rule is the rule's name, or rules[N] (counted from 0) when it has no usable one. Empty when
	// the policy as a whole is meant.
	Rule string
	// Index is the rule's place in the policy, counted from 0; -1 when the policy as a whole is meant.
	Index int
	// Field is where in the rule: name, when, then, then.handOff.queue, then.say[0].text …
	Field string
	// Line and Column say where in the field, both counted from 1, the column in characters. Zero
	// when the field as a whole is meant.
	Line, Column int
	// Message says what is wrong.
	Message string
	// Remedy says how to mend it.
	Remedy string
}

// String gives the problem in one line: where, what, how to mend it.
func (p Problem) String() string {
	var b strings.Builder
	if p.Rule != "" {
		fmt.Fprintf(&b, "rule %q, ", p.Rule)
	}
	b.WriteString(p.Field)
	if p.Line > 0 {
		fmt.Fprintf(&b, ", line %d, column %d", p.Line, p.Column)
	}
	b.WriteString(": " + p.Message)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// position is a place in a rule's condition, both counted from 1, the column in characters.
type position struct{ line, column int }

func (p position) before(other position) bool {
	return p.line < other.line || p.line == other.line && p.column < other.column
}

// at makes a problem of a condition; the rule is filled in by the caller.
func (p position) problem(remedy, format string, args ...any) Problem {
	return Problem{
		Field: "when", Line: p.line, Column: p.column,
		Message: fmt.Sprintf(format, args...), Remedy: remedy,
	}
}

// maxQuoted bounds, in characters, how much of a rule's own text a message repeats.
const maxQuoted = 40

// quote repeats a piece of a rule in a message, in quotes, shortened and without control characters.
func quote(s string) string { return strconv.Quote(clip(s)) }

func clip(s string) string {
	if utf8.RuneCountInString(s) <= maxQuoted {
		return s
	}
	return string([]rune(s)[:maxQuoted]) + "…"
}
