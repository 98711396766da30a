package calendar

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxProblems bounds what one calendar or feed can report, so that the whole still fits into a
// condition's message.
const maxProblems = 32

// Problem is one thing that keeps a calendar or an event of a feed from being used, in words for the
// person who wrote it.
type Problem struct {
	// Field is where: openingHours[0].periods[1].to, or the property of an event such as DTSTART.
	Field string
	// Line is the line of a feed, counted from 1; 0 in a declaration.
	Line int
	// Message says what is wrong, with the value.
	Message string
	// Remedy says how to mend it.
	Remedy string
}

// String gives the problem in one line: where, what, how to mend it.
func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d, ", p.Line)
	}
	b.WriteString(p.Field + ": " + p.Message)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// problems collects what is wrong. The zero value is ready to use.
type problems struct {
	list []Problem
	more int
}

func (p *problems) add(field, remedy, format string, args ...any) {
	p.addAt(0, field, remedy, format, args...)
}

func (p *problems) addAt(line int, field, remedy, format string, args ...any) {
	if len(p.list) >= maxProblems-1 {
		p.more++
		return
	}
	p.list = append(p.list, Problem{Field: field, Line: line, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

// all gives the problems, the last of them a count of those that found no room.
func (p *problems) all(whole string) []Problem {
	if p.more == 0 {
		return p.list
	}
	return append(p.list, Problem{Field: whole, Message: fmt.Sprintf("there are %d more problems", p.more), Remedy: "mend those above first"})
}

// maxQuoted bounds, in characters, how much of somebody's own text a message repeats.
const maxQuoted = 40

// quote repeats a piece of a declaration in a message, in quotes, shortened and without control
// characters.
func quote(s string) string {
	if utf8.RuneCountInString(s) > maxQuoted {
		s = string([]rune(s)[:maxQuoted]) + "…"
	}
	return strconv.Quote(s)
}
