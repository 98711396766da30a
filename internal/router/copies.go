package router

import (
	"context"
	"errors"
	"slices"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/intake"
)

// mostCopies are on their way to the disk at the same time.
const mostCopies = 64

// copying is what is stored of one conversation because of one group: the copies of its decisions, in the order
// of the log, and then the end of its contact's claim if it has ended.
type copying struct {
	conversation conversation.ID
	events       []conversation.Event
	// known is false for a conversation that was forgotten: nothing of it is copied any more.
	known bool
	// before is what must be stored first; nil for nothing.
	before *copying
	// ownSeq is the sequence of its last copy on .own.
	ownSeq uint64
	// release is nil for a conversation that has not ended.
	release *release

	// done is closed when the following is set.
	done chan struct{}
	// copied are the sequences of the events that need no copy any more.
	copied []copied
	err    error
}

type copied struct {
	event conversation.ID
	// seq is 0 for one that has none on .own.
	seq uint64
}

// copied says whether everything of the group is stored, or failed.
func (g *group) copied() bool {
	return !slices.ContainsFunc(g.copies, func(c *copying) bool { return !isClosed(c.done) })
}

// copyAll begins to store the copies that are owed for a group. Those of one conversation go in the order of the log. Each waits
// for the disk, so those of different conversations, which have nothing to do with each other, go side by side.
func (s *session) copyAll(ctx context.Context, g *group, owed []conversation.Event) {
	of := map[conversation.ID]*copying{}
	on := func(id conversation.ID) *copying {
		c := of[id]
		if c == nil {
			state, known := s.desk.State(id)
			c = &copying{conversation: id, known: known, ownSeq: state.OwnSeq, before: s.pipe.copying[id], done: make(chan struct{})}
			of[id], s.pipe.copying[id] = c, c
			g.copies = append(g.copies, c)
		}
		return c
	}
	for _, e := range owed {
		if e.Conversation == "" { // what people do stands for itself
			g.copies = append(g.copies, &copying{events: []conversation.Event{e}, done: make(chan struct{})})
			continue
		}
		c := on(e.Conversation)
		c.events = append(c.events, e)
	}
	for i := range g.decided {
		r := s.releaseAfter(&g.decided[i], g.cursor)
		if r == nil {
			continue
		}
		if c := on(r.conversation); c.release == nil { // it may have ended twice in the group
			c.release = r
			s.pipe.releasing[r.subject]++
		}
	}
	for _, c := range g.copies {
		s.pipe.run(func() {
			defer close(c.done)
			c.err = s.store(ctx, c)
		})
	}
}

// store appends what is to be stored of a conversation, up to the first that fails. It runs beside the session and
// changes nothing but c.
func (s *session) store(ctx context.Context, c *copying) error {
	if c.before != nil {
		<-c.before.done
		if c.before.err != nil {
			return c.before.err
		}
		c.ownSeq, c.before = c.before.ownSeq, nil
	}
	s.pipe.places <- struct{}{}
	defer func() { <-s.pipe.places }()
	for _, e := range c.events {
		before, err := c.ownSeq, error(nil)
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
		s.pipe.move()
		now := copied{event: e.ID}
		if c.ownSeq != before {
			now.seq = c.ownSeq
		}
		c.copied = append(c.copied, now)
	}
	if c.release == nil {
		return nil
	}
	return s.writeRelease(ctx, c.release)
}

// settled takes over what was stored, and notes the sequences of the copies.
func (s *session) settled(c *copying, seqs map[conversation.ID]uint64) {
	for _, done := range c.copied {
		s.paid(done.event)
		seqs[done.event] = done.seq
	}
	if s.pipe.copying[c.conversation] == c {
		delete(s.pipe.copying, c.conversation)
	}
	if c.release == nil {
		return
	}
	subject := c.release.subject
	if s.pipe.releasing[subject]--; s.pipe.releasing[subject] == 0 {
		delete(s.pipe.releasing, subject)
	}
	if s.claims[subject].seq < c.release.seq {
		s.claims[subject] = claim{Claim: c.release.next, seq: c.release.seq}
	}
}

// copyOwn appends a decision to its conversation's .own behind the last copy.
func (s *session) copyOwn(ctx context.Context, c *copying, e conversation.Event) error {
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
