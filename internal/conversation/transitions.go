package conversation

import (
	"fmt"
	"slices"
	"time"
)

// from lists the statuses in which each type of event fits.
var from = map[Type][]Status{
	TypeOpened:        {StatusNone},
	TypeAssigned:      {StatusQueued},
	TypeQueued:        {StatusQueued, StatusBot, StatusActive, StatusReopened, StatusPending, StatusCallbackPending},
	TypeOffered:       {StatusQueued},
	TypeOfferEnded:    {StatusOffered},
	TypeAccepted:      {StatusOffered},
	TypePrioritised:   {StatusQueued, StatusOffered, StatusBot},
	TypeWrapUpStarted: {StatusActive},
	TypeResumed:       {StatusWrapUp},
	TypeClosed:        {StatusBot, StatusWrapUp, StatusQueued, StatusPending, StatusCallbackPending},
	TypePended:        {StatusActive, StatusQueued},
	TypeRelaxed:       {StatusQueued, StatusOffered},
	TypeOverflowed:    {StatusQueued, StatusOffered},
	TypeAbandoned:     {StatusQueued},

	TypeCallbackOffered: {StatusQueued, StatusOffered},
	TypeReopened:        {StatusClosed, StatusAbandoned},
	TypeCustomerLeft:    {StatusQueued, StatusBot, StatusOffered, StatusActive, StatusWrapUp, StatusPending, StatusCallbackPending},
	TypeCustomerBack:    {StatusQueued, StatusBot, StatusOffered, StatusActive, StatusWrapUp, StatusPending, StatusCallbackPending},
	TypeSaid:            {StatusQueued, StatusBot, StatusOffered, StatusActive, StatusWrapUp, StatusReopened, StatusPending, StatusCallbackPending},
	TypeTagged:          {StatusQueued, StatusBot, StatusOffered, StatusActive, StatusWrapUp, StatusPending, StatusCallbackPending},
	TypeForgotten:       {StatusClosed, StatusAbandoned},
	TypeRestored:        {StatusNone},
}

func (s *State) transit(e Event) error {
	if !slices.Contains(from[e.Type], s.Status) {
		return s.refuse(e, fmt.Sprintf("it fits %v only", from[e.Type]))
	}
	switch b := e.Body.(type) {
	case *CustomerLeft:
		s.LeftAt = e.At
	case *CustomerBack:
		s.LeftAt = time.Time{}
		s.FollowUp = s.FollowUp && s.Status.Pending()
	case *Prioritised:
		s.Priority, s.FixedPriority = b.Priority, b.FixedPriority
	case *Said:
		// A new slice: the one of the state before must not change.
		s.Said = append(slices.Clone(s.Said), SaidHash(b.Text))
	case *Relaxed:
		s.Ring = b.Ring
	case *Overflowed:
		s.OverflowPool = b.Pool
	case *CallbackOffered:
		s.CallbackOffered = true
	case *Forgotten:
	case *Tagged:
		s.Tags = b.Tags
	case *Restored:
		if b.State.ID != e.Conversation {
			return s.refuse(e, "its state is that of "+string(b.State.ID))
		}
		*s = b.State
	default:
		return s.move(e)
	}
	return nil
}

// move folds the events that change the status.
func (s *State) move(e Event) error {
	switch b := e.Body.(type) {
	case *Opened:
		s.open(b, e.At)
	case *Assigned:
		if s.Queue != BotQueue {
			return s.refuse(e, "bots take from queue "+BotQueue+" only, it is in "+s.Queue)
		}
		s.enter(StatusBot, e.At, &b.Agent)
		s.Why, s.ServedAt = b.Why, e.At
	case *Queued:
		return s.queue(b, e)
	case *Offered:
		return s.offer(b, e)
	case *OfferEnded:
		return s.endOffer(b, e)
	case *Accepted:
		if s.Agent.ID != b.Agent.ID {
			return s.refuse(e, "it is offered to "+s.Agent.ID+", not to "+b.Agent.ID)
		}
		why := s.Why
		s.enter(StatusActive, e.At, s.Agent)
		s.Why, s.Passed, s.ServedAt = why, nil, e.At
		s.Pin, s.PinUntil = "", time.Time{}
	case *WrapUpStarted, *Resumed, *Closed:
		return s.finish(e)
	case *Pended:
		return s.pend(b, e)
	case *Abandoned:
		s.enter(StatusAbandoned, e.At, nil)
	case *Reopened:
		s.enter(StatusReopened, e.At, nil)
		s.clearLabels()
	default:
		return s.refuse(e, "this release does not fold it")
	}
	return nil
}

func (s *State) open(b *Opened, at time.Time) {
	s.enter(StatusQueued, at, nil)
	s.OpenedAt = at
	s.Channel, s.Contact, s.ContactName = b.Channel, b.Contact, b.ContactName
	if s.Language == "" {
		s.Language = b.Language
	}
	s.Queue, s.Priority, s.Arrival = b.Queue, b.Priority, b.Arrival
	s.LastAgent, s.LastAgentAt = b.LastAgent, b.LastAgentAt
	s.Attributes = b.Attributes
}

// pend puts the conversation aside.
func (s *State) pend(b *Pended, e Event) error {
	switch {
	case s.Status == StatusActive && b.Agent != s.Agent.ID:
		return s.refuse(e, "its owner is "+s.Agent.ID+", not "+b.Agent)
	case s.Status == StatusQueued && (b.Agent != "" || s.Queue == BotQueue):
		return s.refuse(e, "only its customer can put off what waits for people")
	}
	status := StatusCallbackPending
	if b.Agent != "" {
		status = StatusPending
	}
	s.enter(status, e.At, nil)
	s.Deadline, s.FollowUp, s.Pin, s.PinUntil = b.Until, true, b.Agent, time.Time{}
	s.Promised = b.Promised
	return nil
}

// finish folds the events around the end of a talk.
func (s *State) finish(e Event) error {
	switch b := e.Body.(type) {
	case *WrapUpStarted:
		if s.Agent.ID != b.Agent.ID {
			return s.refuse(e, "its owner is "+s.Agent.ID+", not "+b.Agent.ID)
		}
		why := s.Why
		s.enter(StatusWrapUp, e.At, s.Agent)
		s.Why, s.Deadline, s.Ending = why, b.Until, b.Ending
	case *Resumed:
		if s.Agent.ID != b.Agent.ID {
			return s.refuse(e, "its owner is "+s.Agent.ID+", not "+b.Agent.ID)
		}
		why := s.Why
		s.enter(StatusActive, e.At, s.Agent)
		s.Why = why
	case *Closed:
		if s.Status == StatusQueued && b.Reason != CloseHours && b.Reason != CloseMerged {
			return s.refuse(e, "what waits is abandoned, merged, or told that the desk is closed")
		}
		if s.Agent != nil && s.Agent.Kind == KindAgent {
			s.LastAgent, s.LastAgentAt = s.Agent.ID, e.At
		} else if s.Status == StatusPending {
			s.LastAgent, s.LastAgentAt = s.Pin, e.At
		}
		s.enter(StatusClosed, e.At, nil)
		s.Disposition, s.MergedInto = b.Disposition, b.MergedInto
	}
	return nil
}

func (s *State) queue(b *Queued, e Event) error {
	// A person must get the story, whoever the conversation comes from.
	if s.Status == StatusBot && b.Queue != BotQueue && b.HandOff == nil && s.HandOff == nil {
		return s.refuse(e, "a bot's conversation goes to people with a hand-off only: give transcriptSeq, reason and language")
	}
	s.enter(StatusQueued, e.At, nil)
	if b.Queue != s.Queue {
		s.Passed = nil
		s.Ring, s.OverflowPool = 0, ""
	}
	if b.Arrival != s.Arrival {
		s.Ring = 0
	}
	s.Overflow = s.Overflow || b.Overflow
	switch {
	case b.Queue != BotQueue:
		s.PlaceKept, s.BotsFrom = Arrival{}, 0
	case b.Overflow && s.Queue != BotQueue:
		s.PlaceKept, s.BotsFrom = s.Arrival, b.BotsFrom
	}
	if s.Pin, s.PinUntil = b.Pin, b.PinUntil; s.Pin != "" {
		s.Passed = nil // who is asked for by name is asked, whatever they said before
	}
	s.Queue, s.Priority, s.FixedPriority, s.Arrival = b.Queue, b.Priority, b.FixedPriority, b.Arrival
	if b.HandOff != nil {
		s.HandOff = b.HandOff
	}
	return nil
}

func (s *State) offer(b *Offered, e Event) error {
	if s.Queue == BotQueue {
		return s.refuse(e, "people take from their own queues, it is in "+BotQueue)
	}
	s.enter(StatusOffered, e.At, &b.Agent)
	s.Deadline, s.Why = b.Deadline, b.Why
	return nil
}

func (s *State) endOffer(b *OfferEnded, e Event) error {
	if s.Agent.ID != b.Agent.ID {
		return s.refuse(e, "it is offered to "+s.Agent.ID+", not to "+b.Agent.ID)
	}
	s.enter(StatusQueued, e.At, nil)
	// A new slice: the one of the state before must not change.
	var passed []Passed
	for _, p := range s.Passed {
		if p.Until.After(e.At) && p.Agent != b.Agent.ID {
			passed = append(passed, p)
		}
	}
	if b.NotBefore.After(e.At) {
		passed = append(passed, Passed{Agent: b.Agent.ID, Until: b.NotBefore})
	}
	s.Passed = passed
	if s.Pin == b.Agent.ID {
		s.Pin, s.PinUntil = "", time.Time{}
	}
	return nil
}

func (s *State) enter(status Status, at time.Time, agent *Agent) {
	s.Status, s.StatusAt, s.Agent, s.Deadline = status, at, agent, time.Time{}
	s.Why, s.Ending = nil, nil
	if agent == nil {
		s.ServedAt = time.Time{}
	}
}

func (s *State) refuse(e Event, why string) error {
	return &TransitionError{Conversation: e.Conversation, From: s.Status, Event: e.Type, Why: why}
}
