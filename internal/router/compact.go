package router

import (
	"context"
	"errors"
	"fmt"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// compact appends a snapshot of the router's state to the decision log, when enough has come since the
// last one, and purges what is before it. The parts follow each other without another batch in
// between, or they do not count: a router that dies or is deposed in the middle has done nothing.
func (s *session) compact(ctx context.Context) error {
	if s.sinceSnapshot < s.opts.CompactEvery {
		return nil
	}
	// Everything decided must be stored and copied before, because the snapshot replaces it.
	if err := s.drain(ctx); err != nil {
		return err
	}
	at := s.now().UTC()
	events := s.desk.Snapshot(at)
	for i := range events {
		events[i].ID = conversation.NewID(at)
	}
	parts, err := snapshotParts(events)
	if err != nil {
		return err
	}
	var first uint64
	for i, events := range parts {
		b := &conversation.Batch{Events: events, Cursor: s.cursor, Snapshot: &conversation.Part{Number: i + 1, Of: len(parts)}}
		if i == 0 {
			b.Requests = s.requests.last(mostInBatch)
		}
		seq, err := s.appendBatch(ctx, b)
		if err != nil {
			return fmt.Errorf("%w: snapshot: %w", errBeginAgain, err)
		}
		if i == 0 {
			first = seq
		}
	}
	s.snapshotTaken(first)
	if err := s.bus.CompactUpTo(ctx, s.subjects.Decisions(), first-1); err != nil {
		s.log.WarnContext(ctx, "decision log was not compacted, the next snapshot will do it", "error", err)
		return nil
	}
	s.log.InfoContext(ctx, "decision log compacted", "first", first, "parts", len(parts), "events", len(events))
	return nil
}

// snapshotParts divides a snapshot into batches; an empty desk has one, too.
func snapshotParts(events []conversation.Event) ([][]conversation.Event, error) {
	if len(events) == 0 {
		return [][]conversation.Event{nil}, nil
	}
	return cut(events)
}

// cut divides events into batches that fit.
func cut(events []conversation.Event) ([][]conversation.Event, error) {
	b := &conversation.Batch{
		V: conversation.Version, ID: conversation.NewID(events[0].At), At: events[0].At, Router: "r", Events: events,
	}
	if len(events) <= mostInBatch {
		_, err := conversation.EncodeBatch(b)
		if err == nil {
			return [][]conversation.Event{events}, nil
		}
		if !errors.Is(err, conversation.ErrBatchSize) || len(events) == 1 {
			return nil, err
		}
	}
	front, err := cut(events[:len(events)/2])
	if err != nil {
		return nil, err
	}
	back, err := cut(events[len(events)/2:])
	return append(front, back...), err
}

// takeConfig applies a new configuration and spreads it over the bus.
func (s *session) takeConfig(ctx context.Context, config runtimeconfig.Snapshot) {
	if config.Revision == s.settings.revision {
		return
	}
	if err := s.configure(config); err != nil {
		s.log.ErrorContext(ctx, "configuration is not applied, the last good one stays", "error", err)
		return
	}
	s.settings = s.current()
	if err := s.conn.Publish(ctx, s.subjects.Config(), s.settings.data); err != nil {
		s.log.WarnContext(ctx, "configuration was not spread", "revision", s.settings.revision, "error", err)
	}
	var err error
	if s.leading {
		s.figures.promise(&s.settings.routing)
		err = s.must(routing.Configure{Config: s.settings.routing})
	} else {
		err = s.desk.Adopt(s.settings.routing)
	}
	if err != nil {
		s.broken = err
		return
	}
	s.log.InfoContext(ctx, "configuration applied", "revision", s.settings.revision)
}
