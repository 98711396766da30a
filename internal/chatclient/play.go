package chatclient

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/deskfleet/deskfleet/internal/chatclient/script"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
)

// StepError says which step of a script did not go as it says.
type StepError struct {
	// Where is the script's name and the line.
	Where string
	// Want is what the line asks for, Got what came instead.
	Want, Got string
	// Err behind it; nil when the desk simply said something else.
	Err error
}

// Error implements error.
func (e *StepError) Error() string { return fmt.Sprintf("%s: want %s, got %s", e.Where, e.Want, e.Got) }

// Unwrap gives the error behind.
func (e *StepError) Unwrap() error { return e.Err }

// errLate ends a step that takes longer than the script allows.
var errLate = errors.New("the time is up")

// player plays a script. Steps look at messages and states in the order in which they are stored, not in
// which they happen to arrive, so that a script means the same on a fast and on a slow desk.
type player struct {
	chat    *Chat
	script  *script.Script
	printer *printer

	// pending are the desk's messages and the states that no step has looked at.
	pending []Event
	// state behind the last event that a step looked at, and whether the conversation was handed off by then.
	state     chatwire.State
	handedOff bool
	// said is the sequence of the customer's last message, and seen are the own messages that came back.
	said uint64
	seen map[string]bool
	// trouble is the last thing that was in the way.
	trouble error
}

func (p *player) play(ctx context.Context) error {
	p.seen = map[string]bool{}
	for _, step := range p.script.Steps {
		within, cancel := context.WithTimeoutCause(ctx, step.Within, errLate)
		err := p.step(within, step)
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *player) step(ctx context.Context, s script.Step) error {
	switch s.Do {
	case script.Say:
		return p.say(ctx, s)
	case script.Expect:
		return p.expect(ctx, s)
	case script.Wait:
		return p.wait(ctx, s)
	default:
		return p.close(ctx, s)
	}
}

// say sends a message and waits until it came back, so that it is printed where it stands in the dialogue.
func (p *player) say(ctx context.Context, s script.Step) error {
	want := fmt.Sprintf("%q to be stored within %s", brief(s.Text), s.Within)
	var stored Receipt
	err := p.during(ctx, func() (err error) {
		stored, err = p.chat.Send(ctx, Outgoing{Text: s.Text})
		return err
	})
	for err == nil && !p.seen[stored.ClientID] {
		err = p.more(ctx)
	}
	if err != nil {
		return p.failed(s, want, err)
	}
	p.said = stored.Seq
	return nil
}

func (p *player) close(ctx context.Context, s script.Step) error {
	const want = "the conversation to be closed"
	if p.chat.Standing().Conversation == "" {
		return &StepError{Where: p.script.Where(s), Want: want, Got: "no conversation: say something first"}
	}
	if err := p.during(ctx, func() error { return p.chat.End(ctx) }); err != nil {
		return p.failed(s, want, err)
	}
	s.For = script.Closed
	return p.wait(ctx, s)
}

// expect takes the next message of the desk.
func (p *player) expect(ctx context.Context, s script.Step) error {
	want := describeExpected(s)
	for !p.over() {
		e, err := p.next(ctx)
		if err != nil {
			return p.failed(s, want, err)
		}
		said, ok := e.(Said)
		if !ok {
			continue
		}
		if s.From != "" && said.From.Kind != s.From || s.Match != nil && !s.Match.MatchString(said.Text) {
			return &StepError{
				Where: p.script.Where(s), Want: want,
				Got: fmt.Sprintf("%q from %s", brief(said.Text), clean(actor(said.From.Kind, said.From.Name))),
			}
		}
		return nil
	}
	return p.ended(s, want)
}

// ended is the error of a step that waits for what cannot come any more.
func (p *player) ended(s script.Step, want string) error {
	return &StepError{Where: p.script.Where(s), Want: want, Got: "the end: " + describeState(&p.state)}
}

func describeExpected(s script.Step) string {
	var b strings.Builder
	b.WriteString("a message")
	if s.From != "" {
		fmt.Fprintf(&b, " from %s", article(string(s.From)))
	}
	if s.Match != nil {
		fmt.Fprintf(&b, " that matches %q", s.Match)
	}
	return b.String()
}

func article(noun string) string {
	if strings.HasPrefix(noun, "a") {
		return "an " + noun
	}
	return "a " + noun
}

// wait passes over everything before the state.
func (p *player) wait(ctx context.Context, s script.Step) error {
	want := "the conversation to be " + map[script.State]string{
		script.HandedOff: "handed off", script.Agent: "with an agent", script.Closed: "closed",
	}[s.For]
	for !p.holds(s.For) {
		if p.over() {
			return p.ended(s, want)
		}
		if _, err := p.next(ctx); err != nil {
			return p.failed(s, want, err)
		}
	}
	return nil
}

func (p *player) holds(state script.State) bool {
	switch state {
	case script.HandedOff:
		return p.handedOff
	case script.Agent:
		return p.state.Status == conversation.StatusActive || p.state.Status == conversation.StatusWrapUp
	default:
		return p.over()
	}
}

// over says whether the conversation has ended behind the customer's last message, as far as was looked. A
// message behind the end reopens it or opens another.
func (p *player) over() bool { return p.state.Status.Ended() && p.state.Seq > p.said }

// next looks at the next message or state.
func (p *player) next(ctx context.Context) (Event, error) {
	for len(p.pending) == 0 {
		if err := p.more(ctx); err != nil {
			return nil, err
		}
	}
	e := p.pending[0]
	p.pending = p.pending[1:]
	if changed, ok := e.(Changed); ok {
		if changed.Conversation != p.state.Conversation {
			p.handedOff = false
		}
		p.state = changed.State
		p.handedOff = p.handedOff || withPeople(&p.state)
	}
	return e, nil
}

// withPeople says whether people are asked to help, or help.
func withPeople(s *chatwire.State) bool {
	switch s.Status {
	case conversation.StatusQueued:
		return s.Queue != conversation.BotQueue
	case conversation.StatusOffered, conversation.StatusActive, conversation.StatusWrapUp:
		return true
	default:
		return false
	}
}

// during takes events while f runs.
func (p *player) during(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	for {
		select {
		case err := <-done:
			return err
		case e, open := <-p.chat.Events():
			if !open {
				return <-done // it ends with the client
			}
			if err := p.event(e); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// more takes one event.
func (p *player) more(ctx context.Context) error {
	select {
	case e, open := <-p.chat.Events():
		if !open {
			return p.chat.Err()
		}
		return p.event(e)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *player) event(e Event) error {
	p.printer.event(e)
	switch e := e.(type) {
	case Said:
		if e.From.Kind == conversation.KindCustomer {
			p.seen[e.ClientID] = true
		} else {
			p.pending = append(p.pending, e)
		}
	case Changed:
		p.pending = append(p.pending, e)
	case Lost:
		p.trouble = e.Err
	case Delayed:
		p.trouble = e.Problem
	case Online, Stored:
		p.trouble = nil
	case Anew:
		return errors.New("the desk's log was replaced, and the script does not say what comes then")
	}
	return nil
}

// failed makes the error of a step.
func (p *player) failed(s script.Step, want string, err error) error {
	got := clean(err.Error())
	if errors.Is(err, errLate) {
		got = fmt.Sprintf("nothing of it within %s", s.Within)
		if p.trouble != nil {
			got += ": " + clean(p.trouble.Error())
		} else if text := describeState(&p.state); text != "" {
			got += "; the last state: " + text
		}
	}
	return &StepError{Where: p.script.Where(s), Want: want, Got: got, Err: err}
}
