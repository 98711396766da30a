package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// conn is the connection over the client library.
type conn struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	log  *slog.Logger
	opts ClientOptions
	link *link

	mu      sync.Mutex
	last    error // the latest of the connection
	waiting map[string]map[*waiter]struct{}
	subs    map[*subscription]struct{}
}

// waiter is a request in flight on a subject.
type waiter struct{ cancel context.CancelCauseFunc }

func (c *conn) attach(nc *nats.Conn) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("bus client: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nc, c.js = nc, js
	return nil
}

// beforeReconnect is called before each round of attempts. It looks why the
// one before failed, because the library calls nobody back for a refused sign-on.
func (c *conn) beforeReconnect(attempts int) time.Duration {
	c.mu.Lock()
	nc := c.nc
	c.mu.Unlock()
	if nc != nil {
		if err := nc.LastError(); err != nil {
			c.onReconnectError(nc, err)
		}
	}
	return reconnectDelay(attempts)
}

func (c *conn) onConnect(*nats.Conn) {
	c.log.Info("bus connected")
	c.connected()
}

func (c *conn) onReconnect(*nats.Conn) {
	c.log.Info("bus connected again")
	c.connected()
	if c.opts.OnReconnect != nil {
		c.opts.OnReconnect()
	}
}

func (c *conn) connected() {
	c.mu.Lock()
	c.last = nil
	c.mu.Unlock()
	if c.link.set(true) {
		c.opts.Metrics.linkUp()
	}
}

func (c *conn) onDisconnect(nc *nats.Conn, err error) {
	if nc.IsClosed() || !c.link.set(false) {
		return // closed by ourselves, or never was connected
	}
	c.log.Warn("bus connection lost", "error", err)
	c.opts.Metrics.linkDown(true)
	if c.opts.OnDisconnect != nil {
		c.opts.OnDisconnect(err)
	}
}

func (c *conn) onReconnectError(_ *nats.Conn, err error) {
	if errors.Is(err, nats.ErrNoServers) {
		return // stands in front of the reason, which comes with the next attempt
	}
	c.mu.Lock()
	repeated := c.last != nil && c.last.Error() == err.Error()
	c.last = err
	c.mu.Unlock()
	if !repeated {
		c.log.Warn("bus reports an error", "error", err)
	}
}

// lastError says why there is no connection, as far as it is known.
func (c *conn) lastError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

var deniedPublish = regexp.MustCompile(`Publish to "(\S+)"`)

// onError hears of what the server refuses later. A refused publish gets no
// reply, so that without this its request would wait until its time-out.
func (c *conn) onError(_ *nats.Conn, _ *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) {
		return // reported by the subscription itself
	}
	if !errors.Is(err, nats.ErrPermissionViolation) {
		c.onReconnectError(nil, err) // such as a refused sign-on, which comes back with each attempt
		return
	}
	c.log.Error("bus denies a subject to this role", "error", err)
	if m := deniedPublish.FindStringSubmatch(err.Error()); m != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		for w := range c.waiting[m[1]] {
			w.cancel(fmt.Errorf("%w: %w", ErrDenied, err))
		}
	}
}

// guard gives a context that ends when the connection is lost or when the
// server refuses to publish on one of the subjects. Its cause says which.
func (c *conn) guard(ctx context.Context, subjects ...string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	up, changed := c.link.state()
	if !up {
		cancel(fmt.Errorf("%w: not connected", ErrUnavailable))
		return ctx, func() { cancel(nil) }
	}
	w := &waiter{cancel: cancel}
	c.mu.Lock()
	for _, s := range subjects {
		if c.waiting[s] == nil {
			c.waiting[s] = map[*waiter]struct{}{}
		}
		c.waiting[s][w] = struct{}{}
	}
	c.mu.Unlock()
	go func() {
		select {
		case <-changed:
			cancel(fmt.Errorf("%w: connection lost while waiting for the answer", ErrUnavailable))
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, s := range subjects {
			delete(c.waiting[s], w)
			if len(c.waiting[s]) == 0 {
				delete(c.waiting, s)
			}
		}
	}
}

// roundTrip sends a request once and waits for its reply.
func (c *conn) roundTrip(ctx context.Context, msg *nats.Msg) (*nats.Msg, error) {
	guarded, release := c.guard(ctx, msg.Subject)
	defer release()
	reply, err := c.nc.RequestMsgWithContext(guarded, msg)
	if err == nil {
		return reply, nil
	}
	if cause := context.Cause(guarded); cause != nil {
		err = cause
	}
	return nil, classify(err)
}

func (c *conn) Publish(ctx context.Context, subject string, data []byte) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("publish on %s: %w", subject, err)
	}
	if err := c.nc.Publish(subject, data); err != nil {
		return fmt.Errorf("publish on %s: %w", subject, classify(err))
	}
	return nil
}

func (c *conn) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	reply, err := c.roundTrip(ctx, &nats.Msg{Subject: subject, Data: data})
	if err != nil {
		return nil, fmt.Errorf("request on %s: %w", subject, err)
	}
	return reply.Data, nil
}

func (c *conn) Connected() bool {
	up, _ := c.link.state()
	return up
}

func (c *conn) Log(stream string) Log { return &streamLog{conn: c, stream: stream} }

func (c *conn) Close() {
	c.nc.Close()
	if c.link.close() {
		c.opts.Metrics.linkDown(false)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.subs {
		s.cancel()
	}
}

func (c *conn) Drain(ctx context.Context) error {
	defer c.Close()
	c.mu.Lock()
	pending := make([]*subscription, 0, len(c.subs))
	for s := range c.subs {
		pending = append(pending, s)
	}
	c.mu.Unlock()
	for _, s := range pending {
		if err := s.sub.Drain(); err != nil {
			s.cancel() // not connected: nothing more can arrive
		}
	}
	for _, s := range pending {
		select {
		case <-s.done:
		case <-ctx.Done():
			return fmt.Errorf("drain bus connection: handlers still run: %w", context.Cause(ctx))
		}
	}
	if err := c.flush(ctx); err != nil {
		return fmt.Errorf("drain bus connection: %w", err)
	}
	return nil
}

// flush waits until the server has seen everything sent so far.
func (c *conn) flush(ctx context.Context) error {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	guarded, release := c.guard(ctx)
	defer release()
	if err := c.nc.FlushWithContext(guarded); err != nil {
		if cause := context.Cause(guarded); cause != nil {
			err = cause
		}
		return classify(err)
	}
	return nil
}
