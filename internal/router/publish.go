package router

import (
	"context"
	"slices"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// publish tells those concerned about a decision that is stored, counts it and logs it.
func (s *session) publish(ctx context.Context, d *decided) {
	s.figures.count(d, s.opts.Metrics)
	s.logDecision(ctx, d)
	if d.Conversation == "" {
		if gone, ok := d.Body.(*conversation.SignedOff); ok {
			delete(s.empty, gone.Agent)
		}
		if p, ok := d.Body.(*conversation.PresenceSet); ok && len(p.Why) > 0 {
			if a, signedOn := s.desk.Agent(p.Agent); signedOn {
				s.push(partyOf(a.Kind), a.ID, protocol.Push{Type: protocol.PushPresence, Presence: p.Presence, Why: p.Why})
			}
		}
		return
	}
	// What was true after this decision, with what is stored by now.
	after := d.After
	if now, ok := s.desk.State(d.Conversation); ok {
		after.OwnSeq, after.MsgSeq = now.OwnSeq, now.MsgSeq
	}
	s.pushFor(d, &after)
	if d.Before.Status != after.Status || d.Before.Queue != after.Queue || d.Before.Priority != after.Priority {
		if now, ok := s.desk.State(d.Conversation); ok {
			s.showPosition(&now, s.now())
		}
	}
}

// pushFor tells the agents that a decision gives something to or takes something from.
func (s *session) pushFor(d *decided, after *conversation.State) {
	view := s.view(after)
	if why := whyOf(d.Body); why != nil {
		view.Why = why
	}
	switch b := d.Body.(type) {
	case *conversation.Offered:
		s.push(bus.PartyAgent, b.Agent.ID, protocol.Push{Type: protocol.PushOffer, Conversation: view})
	case *conversation.OfferEnded:
		s.push(bus.PartyAgent, b.Agent.ID, protocol.Push{Type: protocol.PushOfferEnded, Conversation: view, Outcome: b.Outcome, Why: b.Why})
	case *conversation.Assigned:
		s.push(bus.PartyBot, b.Agent.ID, protocol.Push{Type: protocol.PushAssigned, Conversation: view})
	case *conversation.Accepted:
		s.push(bus.PartyAgent, b.Agent.ID, protocol.Push{Type: protocol.PushAssigned, Conversation: view})
	case *conversation.WrapUpStarted:
		if b.Ending != nil { // closed does not follow at once
			s.push(partyOf(b.Agent.Kind), b.Agent.ID, protocol.Push{Type: protocol.PushAssigned, Conversation: view})
		}
	case *conversation.Resumed:
		s.push(partyOf(b.Agent.Kind), b.Agent.ID, protocol.Push{Type: protocol.PushAssigned, Conversation: view})
	case *conversation.Prioritised, *conversation.Tagged:
		// The copy has moved the sequence that fences the owner.
		if owner := after.Owner(); owner != nil {
			s.push(partyOf(owner.Kind), owner.ID, protocol.Push{Type: protocol.PushAssigned, Conversation: view})
		}
	case *conversation.Queued, *conversation.Closed, *conversation.Pended:
		if owner := d.Before.Owner(); owner != nil {
			s.push(partyOf(owner.Kind), owner.ID, protocol.Push{Type: protocol.PushReleased, Conversation: view, Why: view.Why})
		}
	}
}

func whyOf(body conversation.Body) []string {
	switch b := body.(type) {
	case *conversation.PresenceSet:
		return b.Why
	case *conversation.SignedOff:
		return b.Why
	case *conversation.DrainSet:
		return b.Why
	case *conversation.OverflowSet:
		return b.Why
	case *conversation.StepReleased:
		return b.Why
	case *conversation.ReserveCalled:
		return b.Why
	case *conversation.ReserveReleased:
		return b.Why
	default:
		return whyOfConversation(body)
	}
}

func whyOfConversation(body conversation.Body) []string {
	switch b := body.(type) {
	case *conversation.Opened:
		return b.Why
	case *conversation.Assigned:
		return b.Why
	case *conversation.Queued:
		return b.Why
	case *conversation.Offered:
		return b.Why
	case *conversation.OfferEnded:
		return b.Why
	case *conversation.Prioritised:
		return b.Why
	case *conversation.Abandoned:
		return b.Why
	case *conversation.Pended:
		return b.Why
	case *conversation.Relaxed:
		return b.Why
	case *conversation.Overflowed:
		return b.Why
	case *conversation.CallbackOffered:
		return b.Why
	default:
		return nil
	}
}

func (s *session) push(party bus.Party, who string, p protocol.Push) {
	p.V = protocol.Version
	s.send(s.subjects.Offer(party, who), p)
}

// send publishes a core message. It may be lost: agents sync, positions and figures come again.
func (s *session) send(subject string, v any) {
	data, err := protocol.Encode(v)
	if err == nil {
		err = s.conn.Publish(context.Background(), subject, data)
	}
	if err != nil {
		s.log.Debug("message was not sent", "subject", subject, "error", err)
	}
}

func (s *session) logDecision(ctx context.Context, d *decided) {
	args := []any{"type", d.Body.EventType()}
	if d.Conversation != "" {
		args = append(args, "conversation", d.Conversation, "status", d.After.Status, "queue", d.After.Queue)
	}
	switch b := d.Body.(type) {
	case *conversation.SignedOn:
		args = append(args, "agent", b.Agent.ID)
	case *conversation.PresenceSet:
		args = append(args, "agent", b.Agent, "presence", b.Presence)
	case *conversation.SignedOff:
		args = append(args, "agent", b.Agent, "lost", b.Lost)
	case *conversation.DrainSet:
		args = append(args, "agent", b.Agent, "draining", b.Draining)
	case *conversation.OverflowSet:
		args = append(args, "queue", b.Queue, "steps", b.Steps)
	case *conversation.StepHeld:
		args = append(args, "queue", b.Queue, "step", b.Step, "action", b.Action, "until", b.Until, "by", b.By)
	case *conversation.StepReleased:
		args = append(args, "queue", b.Queue, "step", b.Step, "by", b.By)
	case *conversation.ReserveCalled:
		args = append(args, "pool", b.Pool, "tier", b.Tier, "until", b.Until, "by", b.By)
	case *conversation.ReserveReleased:
		args = append(args, "pool", b.Pool, "tier", b.Tier, "by", b.By)
	case *conversation.OfferEnded:
		args = append(args, "agent", b.Agent.ID, "outcome", b.Outcome)
	default:
		if d.After.Agent != nil {
			args = append(args, "agent", d.After.Agent.ID)
		}
	}
	if why := whyOf(d.Body); len(why) > 0 {
		args = append(args, "why", why)
	}
	s.log.InfoContext(ctx, "decision", args...)
}

// endedOldestFirst lists ended conversations: those that were not looked at for longest first.
func (s *session) endedOldestFirst() []conversation.ID {
	var ids []conversation.ID
	for _, id := range s.desk.Conversations() {
		if state, _ := s.desk.State(id); state.Status.Ended() {
			ids = append(ids, id)
		}
	}
	slices.SortStableFunc(ids, func(a, b conversation.ID) int { return s.lookedAt[a] - s.lookedAt[b] })
	return ids
}
