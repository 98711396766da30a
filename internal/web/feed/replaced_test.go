package feed_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// replacedOnce is a connection whose first tail ends as it does when the log was made anew.
type replacedOnce struct {
	bus.Conn
	replace chan struct{}
	tails   atomic.Int32
}

func (c *replacedOnce) Log(stream string) bus.Log {
	return &replacedLog{Log: c.Conn.Log(stream), conn: c}
}

type replacedLog struct {
	bus.Log
	conn *replacedOnce
}

func (l *replacedLog) Tail(ctx context.Context, filters []string, from uint64, h bus.TailHandler) error {
	if l.conn.tails.Add(1) > 1 {
		return l.Log.Tail(ctx, filters, from, h)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-l.conn.replace:
			cancel(bus.ErrLogReplaced)
		case <-ctx.Done():
		}
	}()
	return l.Log.Tail(ctx, filters, from, h)
}

// TestReplacedLog: when the log is another one all sinks are told to begin anew, and the feed follows the new
// log without anybody joining again.
func TestReplacedLog(t *testing.T) {
	r := webtest.New(t)
	conn := &replacedOnce{Conn: r.Conn, replace: make(chan struct{})}
	r.Conn = conn
	f := follow(t, r, false)
	conv := newConversation()
	s := &sink{}
	f.Join(s, feed.OfConversation(string(conv)))
	before := say(r, conv, "before")
	eventually.True(t, "the first tail brings it", func() bool { return len(s.seqs()) == 1 })
	close(conn.replace)
	eventually.True(t, "the sink is told", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.resets == 1 })
	eventually.True(t, "the feed follows again", f.Ready)
	after := say(r, conv, "after")
	eventually.True(t, "the second tail brings it", func() bool { return len(s.seqs()) == 2 })
	if got := s.seqs(); got[0] != before || got[1] != after {
		t.Errorf("received %v, want %d and %d", got, before, after)
	}
}
