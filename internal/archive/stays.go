package archive

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Outcomes of waiting in a queue.
const (
	stayWaiting   = "waiting"   // nobody has answered yet
	stayAnswered  = "answered"  // a person accepted it, or it was assigned to a bot
	stayAbandoned = "abandoned" // the customer left
	stayMoved     = "moved"     // it waits in another queue
	stayClosed    = "closed"    // the desk was closed
	stayPutOff    = "putOff"    // the customer wants to be called back
)

// Endings of an agent's part, besides the causes of conversation.Queued.
const (
	endClosed    = "closed"
	endTakenOver = "takenOver"
	endPutOff    = "putOff"
	endMerged    = "merged"
)

// stay is the time that a conversation was in one queue, and with the agent who answered it from there. Reports add
// up stays: each has its own wait, answer and end, which a row of a conversation cannot hold for several agents.
type stay struct {
	queue string
	// began is when it came into the queue, since when the customer waits without a break: a conversation that is
	// moved from queue to queue has waited since the first one.
	began, since time.Time
	outcome      string
	// decided is when the waiting ended; zero while it waits.
	decided time.Time
	agent   conversation.Agent
	// replied is when the agent first said something to the customer, left when the agent's part ended; zero for not.
	replied, left time.Time
	ending        string
	// closing says that the conversation ended with this agent, reopened that it was opened again after that.
	closing, reopened bool
	// deflected says that a bot ended the conversation and it never was in a queue of people.
	deflected bool
}

// staysOf tells the stays of a conversation from its events, in the order of the log.
func staysOf(events []conversation.Event) []stay {
	var f stayFold
	for i := range events {
		f.fold(&events[i])
	}
	toPeople := false
	for i := range f.stays {
		toPeople = toPeople || f.stays[i].queue != conversation.BotQueue
	}
	for i := range f.stays {
		s := &f.stays[i]
		s.deflected = s.closing && s.agent.Kind == conversation.KindBot && !toPeople
	}
	return f.stays
}

type stayFold struct {
	stays []stay
	// open says that the last stay goes on.
	open bool
}

func (f *stayFold) current() *stay {
	if !f.open {
		return nil
	}
	return &f.stays[len(f.stays)-1]
}

func (f *stayFold) begin(queue string, at, since time.Time) {
	f.stays = append(f.stays, stay{queue: queue, began: at, since: since, outcome: stayWaiting})
	f.open = true
}

func (f *stayFold) fold(e *conversation.Event) {
	switch b := e.Body.(type) {
	case *conversation.Message:
		f.said(b, e.At)
	case *conversation.Opened:
		if f.current() == nil {
			f.begin(b.Queue, e.At, e.At)
		}
	case *conversation.Queued:
		f.queued(b, e.At)
	case *conversation.Assigned:
		f.answered(b.Agent, e.At)
	case *conversation.Accepted:
		f.answered(b.Agent, e.At)
	case *conversation.Closed:
		if b.MergedInto != "" {
			f.end(stayMoved, endMerged, e.At) // it goes on elsewhere: nothing was resolved
			return
		}
		f.closed(e.At)
	case *conversation.Pended:
		f.end(stayPutOff, endPutOff, e.At)
	case *conversation.Abandoned:
		f.end(stayAbandoned, stayAbandoned, e.At)
	case *conversation.Reopened:
		if n := len(f.stays); n > 0 && f.stays[n-1].closing {
			f.stays[n-1].reopened = true
		}
	}
}

func (f *stayFold) said(m *conversation.Message, at time.Time) {
	s := f.current()
	if s != nil && s.outcome == stayAnswered && s.replied.IsZero() && !m.Note && m.From.Kind == s.agent.Kind && m.From.ID == s.agent.ID {
		s.replied = at
	}
}

func (f *stayFold) queued(b *conversation.Queued, at time.Time) {
	s := f.current()
	switch {
	case s == nil:
		f.begin(b.Queue, at, at)
	case s.outcome == stayAnswered:
		f.end("", string(b.Cause), at)
		f.begin(b.Queue, at, at)
	case s.queue != b.Queue:
		since := s.since
		f.end(stayMoved, "", at)
		f.begin(b.Queue, at, since)
	}
}

func (f *stayFold) answered(agent conversation.Agent, at time.Time) {
	s := f.current()
	if s == nil {
		return // the archive has missed the beginning
	}
	if s.outcome == stayAnswered {
		queue := s.queue
		f.end("", endTakenOver, at)
		f.begin(queue, at, at)
		s = f.current()
	}
	s.outcome, s.decided, s.agent = stayAnswered, at, agent
}

// closed ends what goes on. What its owner had put off ends with that owner.
func (f *stayFold) closed(at time.Time) {
	if n := len(f.stays); !f.open && n > 0 && f.stays[n-1].ending == endPutOff {
		f.stays[n-1].closing = true
	}
	f.end(stayClosed, endClosed, at)
}

// end the stay that goes on: with the outcome if it still waits, else with the ending of the agent's part.
func (f *stayFold) end(outcome, ending string, at time.Time) {
	s := f.current()
	if s == nil {
		return
	}
	if s.outcome == stayAnswered {
		s.left, s.ending, s.closing = at, ending, ending == endClosed
	} else {
		s.outcome, s.decided = outcome, at
	}
	f.open = false
}
