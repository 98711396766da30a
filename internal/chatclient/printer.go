package chatclient

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
)

// printer writes a dialogue for people to read.
type printer struct {
	mu sync.Mutex
	w  io.Writer
	// hidden are the client ids of messages that stand on the screen already.
	hidden map[string]bool
	// lost is set while there is no connection.
	lost  bool
	place chatwire.Position
	// err of the first write that failed.
	err error
}

func newPrinter(w io.Writer) *printer { return &printer{w: w, hidden: map[string]bool{}} }

func (p *printer) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := fmt.Fprintf(p.w, format+"\n", args...); err != nil && p.err == nil {
		p.err = fmt.Errorf("print the dialogue: %w", err)
	}
}

// hide keeps a message of the person's own from being printed again.
func (p *printer) hide(clientID string) { p.hidden[clientID] = true }

func (p *printer) hides(clientID string) bool { return p.hidden[clientID] }

func (p *printer) note(format string, args ...any) { p.line("-- "+format, args...) }

// event prints what a customer should know of an event.
func (p *printer) event(e Event) {
	switch e := e.(type) {
	case Said:
		if e.From.Kind != conversation.KindCustomer || !p.hides(e.ClientID) {
			p.said(actor(e.From.Kind, e.From.Name), e.Text, e.Entry)
		}
	case Changed:
		if text := describeState(&e.State); text != "" {
			p.note("%s", text)
		}
	case Placed:
		p.placed(e.Position)
	case Refused:
		if e.Text != "" {
			p.note("not sent: %q: %s", brief(e.Text), clean(e.Problem.Error()))
		} else {
			p.note("%s", clean(e.Problem.Error()))
		}
	case Delayed:
		p.note("the desk asks to wait %d s: %s", e.Problem.RetryAfterSeconds, clean(e.Problem.Error()))
	case Lost:
		p.lost = true
		p.note("no connection (%s), next attempt in %s", clean(e.Err.Error()), e.RetryIn.Round(time.Millisecond))
	case Online:
		if p.lost {
			p.note("connected again")
		}
		p.lost = false
	case Anew:
		p.note("the desk's log was replaced, everything comes again")
	case Stored, Writing:
	}
}

func (p *printer) said(who, text string, entry *conversation.Citation) {
	p.line("%s: %s", clean(who), indent(clean(text)))
	if entry == nil {
		return
	}
	question := ""
	if entry.Question != "" {
		question = fmt.Sprintf(" %q", brief(entry.Question))
	}
	p.line("  [from %s/%s%s, %.0f %% sure]", clean(entry.KnowledgeBase), clean(entry.ID), question, math.Floor(100*entry.Confidence))
}

// indent sets the further lines of a text off from what follows it.
func indent(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if i > 0 && line != "" {
			lines[i] = "  " + line
		}
	}
	return strings.Join(lines, "\n")
}

// placed prints a place once.
func (p *printer) placed(now chatwire.Position) {
	before := p.place
	p.place = now
	// The expected wait changes every few seconds: it is told again with each place only, and when it becomes known.
	known := before.ExpectedWaitSeconds > 0 || now.ExpectedWaitSeconds == 0
	if now.Position == 0 || now.Position == before.Position && now.Waiting == before.Waiting && now.Queue == before.Queue && known {
		return
	}
	if now.ExpectedWaitSeconds > 0 {
		p.note("number %d of %d in queue %q, about %s to go", now.Position, now.Waiting, now.Queue, roughly(now.ExpectedWaitSeconds))
		return
	}
	p.note("number %d of %d in queue %q", now.Position, now.Waiting, now.Queue)
}

// roughly is a time as people say it: seconds up to a minute, then minutes rounded up.
func roughly(seconds int) string {
	if seconds < 60 {
		return fmt.Sprintf("%d s", seconds)
	}
	return fmt.Sprintf("%d min", (seconds+59)/60)
}

// actor names somebody with the kind, which tells a bot from a person.
func actor(kind conversation.Kind, name string) string {
	if name == "" {
		return string(kind)
	}
	return string(kind) + " " + name
}

// describeState tells customers what a state means to them; empty for nothing.
func describeState(s *chatwire.State) string {
	who := "somebody"
	if s.Agent != nil {
		who = clean(actor(s.Agent.Kind, s.Agent.Name))
	}
	switch s.Status {
	case conversation.StatusQueued:
		if s.Queue == conversation.BotQueue {
			return "waits for a bot"
		}
		if s.CallBack {
			return "your place is kept, you need not stay: an agent answers when it is your turn"
		}
		return fmt.Sprintf("waits for an agent in queue %q", s.Queue)
	case conversation.StatusPending, conversation.StatusCallbackPending:
		if s.Until.IsZero() {
			return "an agent comes back to it later"
		}
		return "goes on at " + s.Until.Local().Format(time.DateTime)
	case conversation.StatusBot, conversation.StatusActive:
		return who + " has joined"
	case conversation.StatusOffered:
		return "an agent is asked"
	case conversation.StatusClosed:
		if s.Score > 0 {
			return fmt.Sprintf("rated with %d of 5", s.Score)
		}
		return "the conversation is closed: /rate 1 to 5"
	case conversation.StatusAbandoned:
		return "the conversation has ended before an agent answered"
	case conversation.StatusReopened:
		return "the conversation goes on"
	default: // wrap-up is the agent's business, and others are of a newer release
		return ""
	}
}

// clean keeps what others wrote from commanding the reader's terminal: control characters, and those that
// turn the direction of the text around, are replaced.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// briefly many characters of a text stand in messages about it.
const briefly = 80

func brief(s string) string {
	n := 0
	for i := range s {
		if n == briefly {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
