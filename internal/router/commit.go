package router

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// newEvent makes an event for the log.
func (s *session) newEvent(conv conversation.ID, at time.Time, body conversation.Body) conversation.Event {
	return conversation.NewEvent(conversation.NewID(at), conv, at, body)
}

// mostInBatch events are tried in one batch when all do not fit, and mostKeysInBatch requests.
const (
	mostInBatch     = 128
	mostKeysInBatch = 512
)

// storeCursorEvery so many messages without a decision the cursor is stored by itself.
const storeCursorEvery = 256

// encode makes the batches of a group, in as few as they fit in. Only the last one moves the cursor and marks
// requests as done: if the router dies before it, messages and requests are acted on again, which changes nothing
// where it was done.
func (s *session) encode(g *group, events []conversation.Event) error {
	if len(events) <= conversation.MaxBatchEvents && len(g.requested) <= mostKeysInBatch {
		err := g.add(s.prepared(&conversation.Batch{Events: events, Requests: g.requested, Cursor: g.cursor}))
		if !errors.Is(err, conversation.ErrBatchSize) {
			return err
		}
	}
	var parts [][]conversation.Event
	if len(events) > 0 {
		var err error
		if parts, err = cut(events); err != nil {
			return err
		}
	}
	for _, part := range parts {
		if err := g.add(s.prepared(&conversation.Batch{Events: part})); err != nil {
			return err
		}
	}
	for keys := range slices.Chunk(g.requested, mostKeysInBatch) {
		if err := g.add(s.prepared(&conversation.Batch{Requests: keys})); err != nil {
			return err
		}
	}
	return g.add(s.prepared(&conversation.Batch{Cursor: g.cursor}))
}

func (g *group) add(b *conversation.Batch) error {
	data, err := conversation.EncodeBatch(b)
	if err == nil {
		g.batches, g.data = append(g.batches, b), append(g.data, data)
	}
	return err
}

// prepared fills in what all batches carry.
func (s *session) prepared(b *conversation.Batch) *conversation.Batch {
	b.V, b.At, b.Router = conversation.Version, s.now().Round(0).UTC(), s.instance
	// The archive waits for the cursor of the last batch: it must not go back.
	b.Cursor = max(b.Cursor, s.stored)
	if b.ID == "" {
		b.ID = conversation.NewID(b.At)
	}
	return b
}

// storeBatch appends a batch behind the last decision, whose sequence is given. It changes nothing of the session.
func (s *session) storeBatch(ctx context.Context, id conversation.ID, data []byte, last uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	seq, _, err := s.bus.Append(ctx, s.subjects.Decisions(), data, bus.AppendOptions{
		MsgID: string(id), ExpectLast: bus.Expect(last),
	})
	return seq, err
}

// appendBatch appends to the decision log behind the last decision that this router knows, and waits. As the
// leader it takes the batch over at once; otherwise the tail brings it. Nothing may be on its way.
func (s *session) appendBatch(ctx context.Context, b *conversation.Batch) (uint64, error) {
	data, err := conversation.EncodeBatch(s.prepared(b))
	if err != nil {
		return 0, err
	}
	seq, err := s.storeBatch(ctx, b.ID, data, s.dk)
	if err == nil && s.leading {
		s.took(b, seq)
	}
	return seq, err
}

// took takes over a batch that this router has stored as the leader, and returns what is owed for it.
func (s *session) took(b *conversation.Batch, seq uint64) (owed []conversation.Event) {
	s.dk, s.stored, s.decidedAt = seq, b.Cursor, b.At
	s.sinceSnapshot++
	if b.Snapshot == nil {
		for _, e := range b.Events {
			if s.owe(e) {
				owed = append(owed, e)
			}
		}
	}
	for _, id := range b.Requests {
		s.requests.add(id)
	}
	return owed
}
