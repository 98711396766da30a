package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Bounds of what waits for a handler, if no option says otherwise.
const (
	DefaultPendingMessages = 8192
	DefaultPendingBytes    = 16 << 20
)

// SubscribeOption changes one subscription.
type SubscribeOption func(*subscribeOptions)

type subscribeOptions struct {
	pendingMessages, pendingBytes int
	onDropped                     func()
}

// WithPending bounds what waits for the handler, in messages (at most
// [DefaultPendingMessages]) and bytes. What comes beyond is dropped and
// reported to [WithDropped].
func WithPending(messages, bytes int) SubscribeOption {
	return func(o *subscribeOptions) {
		o.pendingMessages, o.pendingBytes = min(messages, DefaultPendingMessages), bytes
	}
}

// WithDropped is told, once for each run of losses, that messages were dropped
// because the handler was too slow. It runs in the place of the handler. The
// caller reads the log again.
func WithDropped(f func()) SubscribeOption {
	return func(o *subscribeOptions) { o.onDropped = f }
}

func newSubscribeOptions(opts []SubscribeOption) subscribeOptions {
	o := subscribeOptions{pendingMessages: DefaultPendingMessages, pendingBytes: DefaultPendingBytes}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

type subscription struct {
	conn    *conn
	sub     *nats.Subscription
	handler Handler
	dropped func()
	cancel  context.CancelFunc
	done    chan struct{}
}

func (c *conn) Subscribe(ctx context.Context, subject string, h Handler, opts ...SubscribeOption) (Subscription, error) {
	return c.subscribe(ctx, subject, "", h, opts)
}

func (c *conn) QueueSubscribe(ctx context.Context, subject, group string, h Handler, opts ...SubscribeOption) (Subscription, error) {
	return c.subscribe(ctx, subject, group, h, opts)
}

func (c *conn) subscribe(ctx context.Context, subject, group string, h Handler, opts []SubscribeOption) (Subscription, error) {
	o := newSubscribeOptions(opts)
	// A synchronous subscription, because it reports a refusal in order, right
	// after the flush, and because Stop is then certain to stop.
	var sub *nats.Subscription
	var err error
	if group == "" {
		sub, err = c.nc.SubscribeSync(subject)
	} else {
		sub, err = c.nc.QueueSubscribeSync(subject, group)
	}
	if err == nil {
		err = sub.SetPendingLimits(o.pendingMessages, o.pendingBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, classify(err))
	}
	first, err := c.confirm(ctx, sub)
	if err != nil {
		_ = sub.Unsubscribe() // the connection may be gone with it
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &subscription{conn: c, sub: sub, handler: h, dropped: o.onDropped, cancel: cancel, done: make(chan struct{})}
	c.mu.Lock()
	c.subs[s] = struct{}{}
	c.mu.Unlock()
	go s.run(ctx, first)
	return s, nil
}

// confirm waits until the server knows the subscription. While disconnected
// there is nobody to ask: the client library subscribes at the next connect.
func (c *conn) confirm(ctx context.Context, sub *nats.Subscription) (first *nats.Msg, err error) {
	if err := c.flush(ctx); err != nil {
		if ctx.Err() == nil && !errors.Is(err, ErrClosed) && !c.Connected() {
			return nil, nil
		}
		return nil, err
	}
	first, err = sub.NextMsg(time.Nanosecond)
	if errors.Is(err, nats.ErrPermissionViolation) {
		return nil, classify(err)
	}
	return first, nil
}

func (s *subscription) run(ctx context.Context, first *nats.Msg) {
	defer s.finish()
	if first != nil {
		s.handle(ctx, first)
	}
	for {
		msg, err := s.sub.NextMsgWithContext(ctx)
		switch {
		case err == nil:
			s.handle(ctx, msg)
		case errors.Is(err, nats.ErrSlowConsumer):
			s.conn.log.Warn("bus messages dropped, the handler is too slow", "subject", s.sub.Subject)
			s.conn.opts.Metrics.incDropped()
			if s.dropped != nil {
				s.dropped()
			}
		case errors.Is(err, nats.ErrPermissionViolation):
			// The permission was withdrawn. It may come back with the next connection.
			_, changed := s.conn.link.state()
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		default:
			return // stopped, drained or closed
		}
	}
}

func (s *subscription) handle(ctx context.Context, msg *nats.Msg) {
	if ctx.Err() != nil {
		return
	}
	if replayed(msg) {
		s.conn.log.Warn("bus message ignored, it was replayed from a stream and not published", "subject", msg.Subject)
		return
	}
	s.handler(receive(msg))
}

func (s *subscription) finish() {
	s.cancel()
	_ = s.sub.Unsubscribe() // fails only when it is gone already
	s.conn.mu.Lock()
	delete(s.conn.subs, s)
	s.conn.mu.Unlock()
	close(s.done)
}

func (s *subscription) Stop() { s.cancel() }
