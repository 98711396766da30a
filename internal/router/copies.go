package router

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/intake"
)

// mostCopies are on their way to the disk at the same time.
const mostCopies = 64

// chain is what is owed of one conversation, in the order of the log.
type chain struct {
	conversation conversation.ID
	events       []conversation.Event
	// known is false for a conversation that was forgotten: nothing of it is copied any more.
	known bool
	// ownSeq is the sequence of its last copy on .own.
	ownSeq uint64
	// stored are the events that need no copy any more.
	stored []conversation.ID
}

// settle stores the copies that are owed. Those of one conversation go in the order of the log. Each waits for
// the disk, so those of different conversations, which have nothing to do with each other, go side by side.
func (s *session) settle(ctx context.Context) error {
	chains := s.chains()
	errs := make([]error, len(chains))
	places := make(chan struct{}, mostCopies)
	var work sync.WaitGroup
	for i, c := range chains {
		work.Go(func() {
			places <- struct{}{}
			errs[i] = s.store(ctx, c)
			<-places
		})
	}
	work.Wait()
	paid := map[conversation.ID]bool{}
	for _, c := range chains {
		s.desk.Owned(c.conversation, c.ownSeq)
		for _, id := range c.stored {
			paid[id] = true
		}
	}
	s.owed = slices.DeleteFunc(s.owed, func(e conversation.Event) bool { return paid[e.ID] })
	return errors.Join(errs...)
}

// chains groups what is owed by conversation.
func (s *session) chains() []*chain {
	var chains []*chain
	of := map[conversation.ID]*chain{}
	for _, e := range s.owed {
		key := e.Conversation
		if key == "" {
			key = e.ID // what people do stands for itself
		}
		c := of[key]
		if c == nil {
			state, known := s.desk.State(e.Conversation)
			c = &chain{conversation: e.Conversation, known: known, ownSeq: state.OwnSeq}
			of[key] = c
			chains = append(chains, c)
		}
		c.events = append(c.events, e)
	}
	return chains
}

// store appends a chain's copies, up to the first that fails. It runs beside others and changes nothing but the chain.
func (s *session) store(ctx context.Context, c *chain) error {
	for _, e := range c.events {
		var err error
		switch {
		case e.Type == conversation.TypeSaid:
			err = s.say(ctx, e)
		case e.Conversation == "":
			err = s.tellAudit(ctx, e)
		case c.known:
			err = s.copyOwn(ctx, c, e)
		}
		if err != nil {
			return err
		}
		c.stored = append(c.stored, e.ID)
	}
	return nil
}

// copyOwn appends a decision to its conversation's .own behind the last copy.
func (s *session) copyOwn(ctx context.Context, c *chain, e conversation.Event) error {
	data, err := conversation.Encode(e)
	if err != nil {
		return err
	}
	seq, err := s.appendOwn(ctx, e, data, c.ownSeq)
	if fenced, ok := errors.AsType[*bus.FencedError](err); ok && fenced.Actual == 0 && c.ownSeq > 0 {
		// The archive has purged the earlier copies.
		seq, err = s.appendOwn(ctx, e, data, 0)
	}
	if err != nil {
		return err
	}
	c.ownSeq = seq
	return nil
}

func (s *session) appendOwn(ctx context.Context, e conversation.Event, data []byte, last uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	seq, _, err := s.bus.Append(ctx, s.subjects.Ownership(string(e.Conversation)), data, bus.AppendOptions{
		MsgID: string(e.ID), ExpectLast: new(last),
	})
	return seq, err
}

// say appends a message of the desk. Its client id is the decision's id, so that it is said once
// whoever appends it.
func (s *session) say(ctx context.Context, e conversation.Event) error {
	said, ok := e.Body.(*conversation.Said)
	if !ok {
		return nil
	}
	m := conversation.NewEvent(e.ID, e.Conversation, e.At, &conversation.Message{
		From: conversation.Actor{Kind: conversation.KindSystem}, Text: said.Text, Language: said.Language,
		ClientID: string(e.ID), Rule: said.Rule, Note: said.Note,
	})
	data, err := conversation.Encode(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	_, _, err = s.bus.Append(ctx, s.subjects.Messages(string(e.Conversation)), data, bus.AppendOptions{
		MsgID: intake.MsgID(e.Conversation, string(e.ID)),
	})
	return err
}
