package router

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// newEvent makes an event for the log.
func (s *session) newEvent(conv conversation.ID, at time.Time, body conversation.Body) conversation.Event {
	return conversation.NewEvent(conversation.NewID(at), conv, at, body)
}

// flush stores what was decided, brings the copies up to date, and then tells everybody. An error means
// that the desk holds what the log does not: the session must begin again.
func (s *session) flush(ctx context.Context) error {
	if s.broken != nil {
		return fmt.Errorf("%w: %w", errBeginAgain, s.broken)
	}
	if !s.leading {
		// Requests without a decision that came just before another router took over.
		s.answer(ctx, errStandsBy)
		return nil
	}
	made := s.decided
	events := make([]conversation.Event, len(made))
	for i, d := range made {
		events[i] = s.newEvent(d.Conversation, d.at, d.Body)
	}
	if err := s.appendDecisions(ctx, events); err != nil {
		return fmt.Errorf("%w: %w", errBeginAgain, err)
	}
	if s.acted >= storeCursorEvery || s.acted > 0 && s.storeCursor {
		// Standbys keep messages until they hear that they were acted on, and the archive does not purge them.
		if _, err := s.appendSome(ctx, nil, true); err != nil {
			return fmt.Errorf("%w: %w", errBeginAgain, err)
		}
	}
	s.storeCursor = false
	s.decided, s.requested = nil, nil
	if err := s.settle(ctx); err != nil {
		return fmt.Errorf("%w: %w", errBeginAgain, err)
	}
	if err := s.releaseAfter(ctx, made); err != nil {
		return fmt.Errorf("%w: %w", errBeginAgain, err)
	}
	for i := range made {
		s.publish(ctx, &made[i])
	}
	s.answer(ctx, nil)
	return nil
}

// answer sends the replies that waited for the decisions.
func (s *session) answer(ctx context.Context, err error) {
	replies := s.replies
	s.replies = nil
	for _, reply := range replies {
		reply(ctx, err)
	}
}

// mostInBatch keeps a batch of ordinary decisions within the stream's message size.
const mostInBatch = 128

// storeCursorEvery so many messages without a decision the cursor is stored by itself.
const storeCursorEvery = 256

// appendDecisions appends the events in as few batches as they fit in.
func (s *session) appendDecisions(ctx context.Context, events []conversation.Event) error {
	for len(events) > 0 {
		n := min(len(events), mostInBatch)
		taken, err := s.appendSome(ctx, events[:n], len(events) == n)
		if err != nil {
			return err
		}
		events = events[taken:]
	}
	return nil
}

// appendSome appends the first events, all of them if they fit. Only the last batch moves the cursor and
// marks requests as done: if the router dies before it, messages and requests are acted on again,
// which changes nothing where it was done.
func (s *session) appendSome(ctx context.Context, events []conversation.Event, last bool) (int, error) {
	b := &conversation.Batch{Events: events}
	if last {
		b.Requests = s.requested
		b.Cursor = s.cursor
	}
	_, err := s.appendBatch(ctx, b)
	if errors.Is(err, conversation.ErrBatchSize) && len(events) > 1 {
		return s.appendSome(ctx, events[:len(events)/2], false)
	}
	if err != nil {
		return 0, err
	}
	if last {
		s.acted = 0
	}
	return len(events), nil
}

// appendBatch appends to the decision log behind the last decision that this router knows. As the
// leader it takes the batch over at once; otherwise the tail brings it.
func (s *session) appendBatch(ctx context.Context, b *conversation.Batch) (uint64, error) {
	b.V, b.At, b.Router = conversation.Version, s.now().Round(0).UTC(), s.instance
	// The archive waits for the cursor of the last batch: it must not go back.
	b.Cursor = max(b.Cursor, s.stored)
	if b.ID == "" {
		b.ID = conversation.NewID(b.At)
	}
	data, err := conversation.EncodeBatch(b)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	seq, _, err := s.bus.Append(ctx, s.subjects.Decisions(), data, bus.AppendOptions{
		MsgID: string(b.ID), ExpectLast: bus.Expect(s.dk),
	})
	if err != nil {
		return 0, err
	}
	if s.leading {
		s.dk, s.stored, s.decidedAt = seq, b.Cursor, b.At
		s.sinceSnapshot++
		if b.Snapshot == nil {
			for _, e := range b.Events {
				s.owe(e)
			}
		}
		for _, id := range b.Requests {
			s.requests.add(id)
		}
	}
	return seq, nil
}
