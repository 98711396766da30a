package fault

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/deskfleet/deskfleet/internal/bus"
)

// point is where a process kills itself: before or after the nth time that it does something to the bus.
type point struct {
	// Do is "append", "publish", "request" or "reply", On the begin of the subject.
	Do, On string
	N      int
	After  bool

	mu   sync.Mutex
	seen int
}

func (p *point) String() string {
	side := "before"
	if p.After {
		side = "after"
	}
	return fmt.Sprintf("%s %s to %s #%d", side, p.Do, p.On, p.N)
}

// step says whether it is the one at which to die, and dies at once if that is before it.
func (p *point) step(do, subject string) (last bool) {
	if do != p.Do || !strings.HasPrefix(subject, p.On) {
		return false
	}
	p.mu.Lock()
	p.seen++
	last = p.seen == p.N
	p.mu.Unlock()
	if last && !p.After {
		die()
	}
	return last
}

// die by SIGKILL: nothing is flushed, closed or handed over.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// mortal connections kill their process.
type mortal struct {
	bus.Dialer
	*point
}

// Dial implements bus.Dialer.
func (m mortal) Dial(ctx context.Context, o bus.ClientOptions) (bus.Conn, error) {
	c, err := m.Dialer.Dial(ctx, o)
	return mortalConn{c, m.point}, err
}

type mortalConn struct {
	bus.Conn
	*point
}

func (c mortalConn) String() string { return c.point.String() }

// Log implements bus.Conn.
func (c mortalConn) Log(stream string) bus.Log { return mortalLog{c.Conn.Log(stream), c.point} }

// Publish implements bus.Conn.
func (c mortalConn) Publish(ctx context.Context, subject string, data []byte) error {
	last := c.step("publish", subject)
	err := c.Conn.Publish(ctx, subject, data)
	if last {
		die()
	}
	return err
}

// Request implements bus.Conn.
func (c mortalConn) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	last := c.step("request", subject)
	reply, err := c.Conn.Request(ctx, subject, data)
	if last {
		die()
	}
	return reply, err
}

// Subscribe implements bus.Conn.
func (c mortalConn) Subscribe(ctx context.Context, subject string, h bus.Handler, opts ...bus.SubscribeOption) (bus.Subscription, error) {
	return c.Conn.Subscribe(ctx, subject, func(m *bus.Message) {
		if !m.WantsReply() {
			h(m)
			return
		}
		h(bus.NewMessage(m.Subject, m.Data, func(data []byte) error {
			last := c.step("reply", m.Subject)
			err := m.Respond(data)
			if last {
				die()
			}
			return err
		}))
	}, opts...)
}

type mortalLog struct {
	bus.Log
	*point
}

// Append implements bus.Log.
func (l mortalLog) Append(ctx context.Context, subject string, data []byte, opts bus.AppendOptions) (uint64, bool, error) {
	on := subject
	if strings.HasPrefix(subject, "cv.") { // .msg and .own are told apart by their end
		on = subject[strings.LastIndexByte(subject, '.')+1:]
	}
	last := l.step("append", on)
	seq, duplicate, err := l.Log.Append(ctx, subject, data, opts)
	if last {
		die()
	}
	return seq, duplicate, err
}
