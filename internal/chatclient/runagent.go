package chatclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// signOffWithin is how long an agent who leaves waits for the desk to agree.
const signOffWithin = 3 * time.Second

// RunAgentOptions of [RunAgent].
type RunAgentOptions struct {
	// Connection to the desk's console. Its Presence is set by RunAgent.
	Connection AgentOptions
	// Auto answers by itself; nil for a person who types.
	Auto *Auto
	// Conversations after which the agent leaves; 0 for never.
	Conversations int
	// In gives what the person types; it is not read with Auto. A read that is under way when RunAgent returns
	// goes on.
	In LineReader
	// Echoed says that what is typed stands on the screen already and is not printed again.
	Echoed bool
	// Out gets the dialogues.
	Out io.Writer
}

// RunAgent lets a person, or a program that answers by itself, be an agent: it goes available, and prints
// offers, transcripts and what is said. It signs off and returns nil when the person leaves, ctx ends, or as
// many conversations as asked for are no longer the agent's; an error when the desk does not sign the agent on
// or is lost for good.
func RunAgent(ctx context.Context, opts RunAgentOptions) error {
	opts.Connection.Presence = agentwire.Available
	agent, err := OpenAgent(opts.Connection)
	if err != nil {
		return err
	}
	defer agent.Close()
	s := &seat{agent: agent, opts: opts, printer: newPrinter(opts.Out), desk: map[conversation.ID]*folder{}}
	if opts.Auto != nil {
		s.mind = newAutomaton(s, *opts.Auto)
	} else {
		s.mind = &person{seat: s}
	}
	return errors.Join(s.run(ctx), s.printer.err)
}

// mind decides what an agent does.
type mind interface {
	// offered, taken and heard are told of the conversations; taken comes with the whole transcript.
	offered(ctx context.Context, f *folder)
	taken(ctx context.Context, f *folder)
	heard(ctx context.Context, f *folder, m agentwire.Message)
	// away is told that the desk has set the agent away.
	away(ctx context.Context)
	// typed does what a line says, and returns whether the agent leaves.
	typed(ctx context.Context, line string) (leave bool)
	// late is called when due has passed; due is zero for never.
	late(ctx context.Context, now time.Time)
	due() time.Time
}

// folder is a conversation on the agent's desk.
type folder struct {
	// number by which the person calls it.
	number     int
	id         conversation.ID
	relation   agentwire.Relation
	card       agentwire.Card
	transcript []agentwire.Message
	// read is set when the transcript has come, accepting when the agent has said that it takes the offer.
	read, accepting bool
}

// seat is where an agent works.
type seat struct {
	agent   *Agent
	opts    RunAgentOptions
	printer *printer
	mind    mind
	me      agentwire.AgentCard
	queues  []string
	desk    map[conversation.ID]*folder
	// numbered so far, and done are those that were the agent's and are no longer.
	numbered, done int
	work           sync.WaitGroup
}

func (s *seat) run(ctx context.Context) error {
	working, stop := context.WithCancel(ctx)
	defer s.work.Wait()
	defer stop()
	var lines <-chan typed
	if s.opts.Auto == nil {
		lines = readLines(working, s.opts.In)
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for leave := false; !leave; {
		if due := s.mind.due(); due.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(due))
		}
		select {
		case e, open := <-s.agent.Events():
			if !open {
				return s.agent.Err()
			}
			if err := s.event(working, e); err != nil {
				return err
			}
		case line := <-lines:
			switch {
			case line.err == nil:
				leave = s.mind.typed(working, strings.TrimSpace(line.line))
			case errors.Is(line.err, io.EOF):
				leave = true
			default:
				return fmt.Errorf("read what is typed: %w", line.err)
			}
		case <-timer.C:
			s.mind.late(working, time.Now())
		case <-ctx.Done():
			leave = true
		}
		leave = leave || s.full() && s.done >= s.opts.Conversations
	}
	return s.leave(ctx)
}

// leave gives everything back.
func (s *seat) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signOffWithin)
	defer cancel()
	signedOff := make(chan error, 1)
	s.work.Go(func() { signedOff <- s.agent.SetPresence(ctx, agentwire.Offline) })
	for {
		select {
		case e, open := <-s.agent.Events():
			if !open {
				return s.agent.Err()
			}
			if heard, ok := e.(Heard); ok {
				s.show(heard.Message)
			}
		case err := <-signedOff:
			if err != nil {
				s.printer.note("the desk was not told that you leave: it misses you after %s", 6*time.Second)
			}
			return nil
		}
	}
}

// full says whether the agent has or had as many conversations as it shall have.
func (s *seat) full() bool {
	n := s.done
	for _, f := range s.desk {
		if f.relation == agentwire.Owned || f.accepting {
			n++
		}
	}
	return s.opts.Conversations > 0 && n >= s.opts.Conversations
}

// do runs a request while events are taken, and prints its refusal.
func (s *seat) do(ctx context.Context, what string, f func(context.Context) error) {
	s.work.Go(func() {
		err := f(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrReleased) || errors.Is(err, ErrClosed) {
			return // what became of the conversation is shown by its events
		}
		s.printer.note("%s: %s", what, clean(err.Error()))
	})
}

func (s *seat) event(ctx context.Context, e AgentEvent) error {
	switch e := e.(type) {
	case SignedIn:
		s.printer.lost = false
		s.me, s.queues = e.Me, e.Desk.Queues
		s.printer.note("signed in at %s as %s (%s)", clean(e.Desk.DisplayName), e.Me.ID, e.Me.Role)
	case Present:
		return s.present(ctx, e.PresenceFrame)
	case Related:
		s.related(ctx, e.Conversation)
	case Heard:
		s.heard(ctx, e.Message)
	case Read:
		s.read(ctx, e.Conversation)
	case AgentRefused:
		s.printer.note("refused: %s", clean(e.Problem.Error()))
	case Lost:
		s.printer.note("no connection (%s), next attempt in %s", clean(e.Err.Error()), e.RetryIn.Round(time.Millisecond))
	case CustomerWriting:
	}
	return nil
}

func (s *seat) present(ctx context.Context, p agentwire.PresenceFrame) error {
	why := clean(strings.Join(p.Why, ", "))
	switch {
	case !p.SignedOn && why != "":
		return fmt.Errorf("the desk does not sign %s on: %s", s.me.ID, why)
	case p.Presence == agentwire.Away && why != "":
		s.printer.note("the desk has set you away: %s", why)
		s.mind.away(ctx)
	case p.Presence == agentwire.Available:
		s.printer.note("available for %d conversations at a time", p.Slots)
	default:
		s.printer.note("%s", p.Presence)
	}
	return nil
}

// related keeps the desk in order.
func (s *seat) related(ctx context.Context, c agentwire.Conversation) {
	f := s.desk[c.Conversation]
	if f == nil {
		s.numbered++
		f = &folder{number: s.numbered, id: c.Conversation}
		s.desk[c.Conversation] = f
	}
	before := f.relation
	if before == c.Relation && !slices.Equal(f.card.Tags, c.Card.Tags) {
		s.printer.note("[%d] tags: %s", f.number, orNone(c.Card.Tags))
	}
	f.relation, f.card = c.Relation, c.Card
	if c.Anew {
		f.transcript, f.read = nil, false
	}
	if before == c.Relation {
		return
	}
	switch c.Relation {
	case agentwire.Offered:
		s.offer(f)
		s.mind.offered(ctx, f)
	case agentwire.Owned:
		s.printer.note("[%d] is yours", f.number)
		if before != agentwire.Offered {
			s.why(f) // who was offered it has read it
		}
	case agentwire.Watched:
		s.printer.note("[%d] you watch: queue %q, %s", f.number, clean(f.card.Queue), orUnknown(f.card.ContactName))
	case agentwire.None:
		delete(s.desk, c.Conversation)
		why := clean(strings.Join(c.Card.Why, ", "))
		if c.Card.Disposition != "" {
			why += ", disposition " + clean(c.Card.Disposition)
		}
		s.printer.note("[%d] is no longer yours: %s", f.number, why)
		if before == agentwire.Owned {
			s.done++
		}
	}
}

// offer prints what an agent should know before taking a conversation.
func (s *seat) offer(f *folder) {
	who := "a customer"
	if f.card.ContactName != "" {
		who = clean(f.card.ContactName)
	}
	waited := time.Since(f.card.ArrivedAt).Round(time.Second)
	s.printer.note("[%d] offered from queue %q: %s, language %s, waits for %s, messages: %d",
		f.number, f.card.Queue, who, orUnknown(f.card.Language), max(0, waited), f.card.Turns)
	s.why(f)
	if h := f.card.HandOff; h != nil {
		s.printer.note("[%d] handed off: %s (%s)", f.number, clean(h.Reason.Words), h.Reason.Code)
		if h.Summary != "" {
			s.printer.note("[%d] summary: %s", f.number, indent(clean(h.Summary)))
		}
		for _, tried := range h.Tried {
			s.printer.note("[%d] tried: %s/%s %q, %.0f %% sure", f.number,
				clean(tried.KnowledgeBase), clean(tried.ID), brief(tried.Question), 100*tried.Confidence)
		}
	}
}

// why prints why a conversation came to the agent, line by line.
func (s *seat) why(f *folder) {
	for _, line := range f.card.Why {
		s.printer.note("[%d] why: %s", f.number, clean(line))
	}
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return clean(s)
}

func (s *seat) heard(ctx context.Context, m agentwire.Message) {
	f := s.desk[m.Conversation]
	if f == nil {
		return
	}
	f.transcript = append(f.transcript, m)
	if !f.read {
		return // it is shown whole
	}
	s.show(m)
	s.mind.heard(ctx, f, m)
}

// read prints the transcript of a conversation that was taken.
func (s *seat) read(ctx context.Context, conv conversation.ID) {
	f := s.desk[conv]
	if f == nil {
		return
	}
	f.read = true
	s.printer.note("[%d] the transcript, %d messages:", f.number, len(f.transcript))
	for _, m := range f.transcript {
		s.show(m)
	}
	s.printer.note("[%d] end of the transcript", f.number)
	s.mind.taken(ctx, f)
}

func (s *seat) show(m agentwire.Message) {
	f := s.desk[m.Conversation]
	if f == nil || m.From.ID == s.me.ID && s.printer.hides(m.ClientID) {
		return
	}
	who := actor(m.From.Kind, m.From.Name)
	if m.Note {
		who += " (note)"
	}
	s.printer.said(fmt.Sprintf("[%d] %s", f.number, who), m.Text, m.Entry)
}
