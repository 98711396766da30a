package archive

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
)

// How far the archive is behind is told while it cannot write, and that it has caught up.
func TestLag(t *testing.T) {
	b, s := newBench(t), newScript(t)
	full := &fullStore{}
	full.set(true)
	o := b.options()
	o.BehindAfter = time.Nanosecond
	o.Open = func(ctx context.Context, subjects bus.Subjects) (Store, error) {
		db, err := OpenSQLite(ctx, b.file, subjects)
		full.Store = db
		return full, err
	}
	id, want := s.served("c-17", "where is my order")
	b.play(s)
	b.run(o)
	first := b.waitStatus("it is behind", func(s *protocol.Status) bool { return s.Behind && s.Lag == 12 && s.LagSeconds > 0 })
	b.waitStatus("it gets worse", func(s *protocol.Status) bool { return s.Behind && s.LagSeconds > first.LagSeconds })
	full.set(false)
	b.waitStatus("it has caught up", func(s *protocol.Status) bool { return !s.Behind && s.Lag == 0 && s.LagSeconds == 0 })
	b.waitArchived(id, want)
}

// A value that swings around the limit is told once.
func TestBehindHasTwoLimits(t *testing.T) {
	r := &role{opts: Options{BehindAfter: time.Minute}, log: quiet, metrics: newMetrics(nil)}
	for i, c := range []struct {
		seconds float64
		behind  bool
	}{{0, false}, {59, false}, {60, true}, {59, true}, {10, true}, {9.9, false}, {59, false}, {61, true}, {0, false}} {
		s := protocol.Status{LagSeconds: c.seconds}
		r.keepStatus(&s, nil)
		if s.Behind != c.behind || testutil.ToFloat64(r.metrics.behind) != float64(oneIf(c.behind)) || testutil.ToFloat64(r.metrics.lagSeconds) != c.seconds {
			t.Errorf("step %d, %v s: behind is %v", i, c.seconds, s.Behind)
		}
	}
}

// A database that does not answer keeps nobody from hearing how far behind the archive is.
func TestStatusWithoutTheDatabase(t *testing.T) {
	b, s := newBench(t), newScript(t)
	away := &awayStore{}
	o := b.options()
	o.BehindAfter = time.Nanosecond
	o.Open = func(ctx context.Context, subjects bus.Subjects) (Store, error) {
		db, err := OpenSQLite(ctx, b.file, subjects)
		away.Store = db
		return away, err
	}
	b.run(o)
	s.served("c-1", "where is my order")
	b.play(s)
	b.waitStatus("it stores", func(s *protocol.Status) bool { return s.Messages == 5 && s.Lag == 0 })
	away.away.Store(true)
	s.served("c-2", "where is mine")
	b.play(s)
	b.waitStatus("what was known, and that it is behind", func(s *protocol.Status) bool {
		return s.Messages == 5 && s.Behind && s.Lag >= 12 && s.LagSeconds > 0 && s.Problem != ""
	})
	away.away.Store(false)
	b.waitStatus("all is well", func(s *protocol.Status) bool { return s.Messages == 10 && !s.Behind && s.Problem == "" })
}

// awayStore does not answer while it is away.
type awayStore struct {
	Store
	away atomic.Bool
}

var errAway = errors.New("connection refused")

func (s *awayStore) Position(ctx context.Context) (Position, error) {
	if s.away.Load() {
		return Position{}, errAway
	}
	return s.Store.Position(ctx)
}

func (s *awayStore) Write(ctx context.Context, from Position, through uint64, entries []bus.Stored) (Position, Written, error) {
	if s.away.Load() {
		return from, Written{}, errAway
	}
	return s.Store.Write(ctx, from, through, entries)
}
