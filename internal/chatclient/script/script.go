// Package script is the language in which a customer's side of a dialogue is written down, to be played by
// "deskfleet chat --script", by the demo and by tests.
//
//	## Blank lines and lines that begin with two hashes mean nothing.
//	Where is my order 1234?
//	# expect: (?i)tomorrow
//	# expect-from: bot
//	I want to talk to a person
//	# within: 2m
//	# wait: handed-off
//	# wait: agent
//	# expect-from: agent
//	\# a line that begins with a hash is said behind a backslash
//	# close
//
// Each other line is what the customer says; it waits until the desk has stored it. Directives begin with
// one hash:
//
//	expect: REGEX               the next message from the desk matches the regular expression (RE2) anywhere
//	expect-from: bot|agent      the next message from the desk is from a bot, from a person
//	wait: handed-off            people are asked to help, or help already
//	wait: agent                 a person has joined
//	wait: closed                the conversation has ended
//	within: DURATION            how long each directive and line below may take, such as 90s; at first 30s
//	close                       the customer ends the conversation, and it ends
//
// Messages from the desk are taken one after the other: each expect takes the next one, whenever it came. An
// expect and an expect-from in lines that follow each other speak of the same message. A wait passes over
// the messages from before the state that it waits for; a state that holds already passes over nothing.
package script

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Bounds of a script.
const (
	// MaxBytes of a script.
	MaxBytes = 1 << 20
	// DefaultWithin is how long a step may take when the script says nothing about it.
	DefaultWithin = 30 * time.Second
	// MaxWithin that a script may ask for.
	MaxWithin = time.Hour
	// mostErrors that are reported of one script.
	mostErrors = 20
)

// Action is what a step does.
type Action string

// Actions.
const (
	Say    Action = "say"
	Expect Action = "expect"
	Wait   Action = "wait"
	Close  Action = "close"
)

// State that a script waits for.
type State string

// States.
const (
	HandedOff State = "handed-off"
	Agent     State = "agent"
	Closed    State = "closed"
)

// Step of a script.
type Step struct {
	// Line of the script, from 1.
	Line int
	Do   Action
	// Text to say.
	Text string
	// Match is what the expected message matches, nil for any; From is who it is from, empty for anybody of
	// the desk.
	Match *regexp.Regexp
	From  conversation.Kind
	// For is the state that is waited for.
	For State
	// Within is how long the step may take.
	Within time.Duration
}

// Script is a customer's side of a dialogue.
type Script struct {
	// Name for messages, such as the file's.
	Name  string
	Steps []Step
}

// Where names a step for messages: the script and the line.
func (s *Script) Where(step Step) string { return s.Name + ":" + strconv.Itoa(step.Line) }

// Parse reads a script. Its errors name the line, what is wrong and what to write, up to 20 of them joined.
func Parse(name string, data []byte) (*Script, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%s: it has %d bytes: use at most %d", name, len(data), MaxBytes)
	}
	p := &parser{script: &Script{Name: name}, within: DefaultWithin}
	text := strings.TrimPrefix(string(data), "\ufeff")
	var problems []error
	for i, line := range strings.Split(text, "\n") {
		if err := p.line(i+1, line); err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %w", name, i+1, err))
		}
		if len(problems) == mostErrors {
			break
		}
	}
	if len(problems) == 0 && len(p.script.Steps) == 0 {
		problems = append(problems, fmt.Errorf("%s: nothing is said: write what the customer says, a message a line", name))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return p.script, nil
}

type parser struct {
	script *Script
	within time.Duration
	// expected is the line of the last expect or expect-from.
	expected int
}

func (p *parser) line(n int, line string) error {
	if !utf8.ValidString(line) {
		return errors.New("it is not UTF-8: save the file as UTF-8")
	}
	line = strings.TrimSpace(line)
	switch {
	case line == "" || strings.HasPrefix(line, "##"):
		return nil
	case strings.HasPrefix(line, "#"):
		return p.directive(n, strings.TrimSpace(line[1:]))
	case strings.HasPrefix(line, `\`):
		line = line[1:]
	}
	if strings.TrimSpace(line) == "" {
		return errors.New("nothing is said: write a message behind the backslash")
	}
	if len(line) > conversation.MaxTextBytes {
		return fmt.Errorf("the message has %d bytes: use at most %d", len(line), conversation.MaxTextBytes)
	}
	p.add(Step{Line: n, Do: Say, Text: line})
	return nil
}

func (p *parser) add(s Step) {
	s.Within = p.within
	p.script.Steps = append(p.script.Steps, s)
}

func (p *parser) directive(n int, text string) error {
	name, value, _ := strings.Cut(text, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	switch name {
	case "expect":
		match, err := pattern(value)
		if err != nil {
			return err
		}
		p.expect(n, Step{Match: match})
	case "expect-from":
		from := conversation.Kind(value)
		if !from.IsAgent() {
			return fmt.Errorf("expect-from %q: use bot or agent", value)
		}
		p.expect(n, Step{From: from})
	case "wait":
		switch state := State(value); state {
		case HandedOff, Agent, Closed:
			p.add(Step{Line: n, Do: Wait, For: state})
		default:
			return fmt.Errorf("wait %q: use %s, %s or %s", value, HandedOff, Agent, Closed)
		}
	case "within":
		return p.limit(value)
	case "close":
		if value != "" {
			return fmt.Errorf("close %q: write close alone", value)
		}
		p.add(Step{Line: n, Do: Close})
	default:
		return fmt.Errorf("directive %q: use expect, expect-from, wait, within or close; ## begins a comment, and \\# says a hash", name)
	}
	return nil
}

// limit sets how long the steps below may take.
func (p *parser) limit(value string) error {
	within, err := time.ParseDuration(value)
	if err != nil || within <= 0 || within > MaxWithin {
		return fmt.Errorf("within %q: use a duration such as 30s, more than 0 and at most %s", value, MaxWithin)
	}
	p.within = within
	return nil
}

func pattern(value string) (*regexp.Regexp, error) {
	if value == "" {
		return nil, errors.New("expect is empty: write a regular expression, . for any message")
	}
	match, err := regexp.Compile(value)
	if err != nil {
		return nil, fmt.Errorf("expect %q: %w: write a regular expression of RE2", value, err)
	}
	return match, nil
}

// expect adds an expectation, to the one in the line before if that says only the other half.
func (p *parser) expect(n int, s Step) {
	before := p.expected
	p.expected = n
	if before == n-1 && before > 0 {
		last := &p.script.Steps[len(p.script.Steps)-1]
		switch {
		case last.Match == nil && last.From != "" && s.Match != nil:
			last.Match = s.Match
			return
		case last.From == "" && last.Match != nil && s.From != "":
			last.From = s.From
			return
		}
	}
	s.Line, s.Do = n, Expect
	p.add(s)
}

// String writes the script so that it reads back the same.
func (s *Script) String() string {
	var b strings.Builder
	within := DefaultWithin
	for _, step := range s.Steps {
		if step.Within != within {
			within = step.Within
			fmt.Fprintf(&b, "# within: %s\n", within)
		}
		switch step.Do {
		case Say:
			b.WriteString(said(step.Text))
		case Expect:
			if step.Match != nil {
				fmt.Fprintf(&b, "# expect: %s\n", step.Match)
			}
			if step.From != "" {
				fmt.Fprintf(&b, "# expect-from: %s\n", step.From)
			}
		case Wait:
			fmt.Fprintf(&b, "# wait: %s\n", step.For)
		case Close:
			b.WriteString("# close\n")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// said is a line that says the text.
func said(text string) string {
	if text != strings.TrimSpace(text) || strings.IndexAny(text, "#\\\ufeff") == 0 {
		text = `\` + text
	}
	return text + "\n"
}
