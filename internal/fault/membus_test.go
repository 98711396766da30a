package fault

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
)

// memory is a bus in memory, for bubbles of testing/synctest. It keeps what package bus promises and no more: core messages
// get lost, answers of appends too, and everything takes its time.
type memory struct {
	mu      sync.Mutex
	random  *rand.Rand
	seq     uint64
	stored  []bus.Stored
	ids     map[string]bus.Stored
	latest  map[string]bus.Stored
	subs    map[*memorySub]struct{}
	change  chan struct{}
	history func(bus.Stored)
}

func newMemory(random *rand.Rand, history func(bus.Stored)) *memory {
	return &memory{random: random, ids: map[string]bus.Stored{}, latest: map[string]bus.Stored{}, subs: map[*memorySub]struct{}{}, change: make(chan struct{}), history: history}
}

// dice draws a number below n.
func (m *memory) dice(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.random.IntN(n)
}

func matches(filter, subject string) bool {
	f, s := strings.Split(filter, "."), strings.Split(subject, ".")
	for i, token := range f {
		if token == ">" {
			return true
		}
		if i >= len(s) || token != "*" && token != s[i] {
			return false
		}
	}
	return len(f) == len(s)
}

func (m *memory) last(filter string) (bus.Stored, bool) {
	if !strings.ContainsAny(filter, "*>") {
		st, ok := m.latest[filter]
		return st, ok
	}
	for _, st := range slices.Backward(m.stored) {
		if matches(filter, st.Subject) {
			return st, true
		}
	}
	return bus.Stored{}, false
}

func (m *memory) append(subject string, data []byte, o bus.AppendOptions) (uint64, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if st, twice := m.ids[o.MsgID]; twice && o.MsgID != "" {
		return st.Seq, true, nil
	}
	if o.ExpectLast != nil {
		filter := o.ExpectFilter
		if filter == "" {
			filter = subject
		}
		if last, _ := m.last(filter); last.Seq != *o.ExpectLast {
			return 0, false, &bus.FencedError{Subject: filter, Expected: *o.ExpectLast, Actual: last.Seq}
		}
	}
	m.seq++
	st := bus.Stored{Subject: subject, Seq: m.seq, Time: time.Now().UTC(), MsgID: o.MsgID, Data: slices.Clone(data)}
	m.stored = append(m.stored, st)
	m.ids[o.MsgID], m.latest[subject] = st, st
	m.history(st)
	close(m.change)
	m.change = make(chan struct{})
	return m.seq, false, nil
}

type memorySub struct {
	subject string
	queue   chan *bus.Message
}

// client is a connection of one process. It is a bus.Dialer, too.
type client struct {
	*memory
	mu sync.Mutex
	// gate is not nil while the connection is cut or its process stands still, and closed when that is over.
	gate chan struct{}
	cut  bool
	dead bool
	opts bus.ClientOptions
}

func (m *memory) client() *client { return &client{memory: m} }

var errDead = errors.New("the process is dead")

// shut holds everything that the process does with the bus; with cut the process knows.
func (c *client) shut(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gate == nil {
		c.gate, c.cut = make(chan struct{}), cut
	}
}

func (c *client) open() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gate == nil {
		return
	}
	close(c.gate)
	again := c.cut
	c.gate, c.cut = nil, false
	if again && c.opts.OnReconnect != nil {
		go c.opts.OnReconnect()
	}
}

func (c *client) kill() {
	c.mu.Lock()
	c.dead = true
	c.mu.Unlock()
	c.open()
}

// pass waits until the process may go on.
func (c *client) pass(ctx context.Context) error {
	for {
		c.mu.Lock()
		gate, dead, cut := c.gate, c.dead, c.cut
		c.mu.Unlock()
		switch {
		case dead:
			return errDead
		case gate == nil:
			return nil
		}
		done := ctx.Done()
		if !cut {
			done = nil // it stands still: its time does not pass
		}
		select {
		case <-gate:
		case <-done:
			return fmt.Errorf("%w: %w", bus.ErrUnavailable, context.Cause(ctx))
		}
	}
}

func (c *client) travel() { time.Sleep(time.Duration(c.dice(3000)) * time.Microsecond) } //nolint:forbidigo // in a bubble time is what passes

// Dial implements bus.Dialer.
func (c *client) Dial(_ context.Context, o bus.ClientOptions) (bus.Conn, error) {
	c.opts = o
	return c, nil
}

// Publish implements bus.Conn. One in thirty core messages is lost.
func (c *client) Publish(ctx context.Context, subject string, data []byte) error {
	if err := c.pass(ctx); err != nil {
		return err
	}
	if c.dice(30) > 0 {
		c.deliver(bus.NewMessage(subject, data, nil))
	}
	return nil
}

func (m *memory) deliver(msg *bus.Message) (heard bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.subs {
		if matches(s.subject, msg.Subject) {
			heard = true
			select {
			case s.queue <- msg:
			default: // a slow consumer
			}
		}
	}
	return heard
}

// Request implements bus.Conn.
func (c *client) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	if err := c.pass(ctx); err != nil {
		return nil, err
	}
	c.travel()
	answer := make(chan []byte, 64)
	if !c.deliver(bus.NewMessage(subject, data, func(data []byte) error {
		answer <- data
		return nil
	})) {
		return nil, bus.ErrNoResponders
	}
	select {
	case data := <-answer:
		if c.dice(30) == 0 {
			return nil, fmt.Errorf("%w: the answer is lost", bus.ErrUnavailable)
		}
		return data, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", bus.ErrUnavailable, context.Cause(ctx))
	}
}

type stopper func()

// Stop implements bus.Subscription.
func (s stopper) Stop() { s() }

// Subscribe implements bus.Conn.
func (c *client) Subscribe(ctx context.Context, subject string, h bus.Handler, _ ...bus.SubscribeOption) (bus.Subscription, error) {
	s := &memorySub{subject: subject, queue: make(chan *bus.Message, 1024)}
	c.memory.mu.Lock()
	c.subs[s] = struct{}{}
	c.memory.mu.Unlock()
	ctx, stop := context.WithCancel(ctx)
	go func() {
		for {
			select {
			case m := <-s.queue:
				if c.pass(ctx) == nil {
					h(m)
				}
			case <-ctx.Done():
				c.memory.mu.Lock()
				delete(c.subs, s)
				c.memory.mu.Unlock()
				return
			}
		}
	}()
	return stopper(stop), nil
}

// QueueSubscribe implements bus.Conn.
func (c *client) QueueSubscribe(ctx context.Context, subject, _ string, h bus.Handler, opts ...bus.SubscribeOption) (bus.Subscription, error) {
	return c.Subscribe(ctx, subject, h, opts...)
}

// Connected implements bus.Conn.
func (c *client) Connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.cut && !c.dead
}

// The rest of bus.Conn.
func (c *client) EnsureStream(context.Context, bus.StreamSpec) error { return nil }
func (c *client) WaitStream(context.Context, string) error           { return nil }
func (c *client) Log(string) bus.Log                                 { return c }
func (c *client) Drain(context.Context) error                        { return nil }
func (c *client) Close()                                             {}

// Append implements bus.Log. One answer in forty is lost: then it is sent again, as package bus does, or the caller is told
// that it is not known.
func (c *client) Append(ctx context.Context, subject string, data []byte, o bus.AppendOptions) (uint64, bool, error) {
	if err := c.pass(ctx); err != nil {
		return 0, false, err
	}
	c.travel()
	// What stood still is sent when it goes on, however late.
	if err := c.pass(ctx); err != nil {
		return 0, false, err
	}
	seq, duplicate, err := c.append(subject, data, o)
	c.travel()
	if failed := c.pass(ctx); failed != nil {
		return 0, false, failed
	}
	switch fate := c.dice(80); {
	case fate == 0 && o.MsgID != "":
		return c.append(subject, data, o)
	case fate == 1:
		return 0, false, fmt.Errorf("%w: the answer is lost", bus.ErrUnavailable)
	}
	return seq, duplicate, err
}

// Tail implements bus.Log.
func (c *client) Tail(ctx context.Context, filters []string, from uint64, h bus.TailHandler) error {
	caughtUp := false
	for next := from; ; {
		if err := c.pass(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		c.memory.mu.Lock()
		i, _ := slices.BinarySearchFunc(c.stored, next, func(st bus.Stored, seq uint64) int { return int(st.Seq) - int(seq) })
		batch, change := slices.Clone(c.stored[i:]), c.change
		c.memory.mu.Unlock()
		for _, st := range batch {
			next = st.Seq + 1
			if slices.ContainsFunc(filters, func(f string) bool { return matches(f, st.Subject) }) {
				if err := h.Message(st); err != nil {
					return err
				}
			}
		}
		if !caughtUp && h.CaughtUp != nil {
			if err := h.CaughtUp(); err != nil {
				return err
			}
		}
		caughtUp = true
		select {
		case <-change:
			c.travel()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Read implements bus.Log.
func (c *client) Read(ctx context.Context, filter string, from uint64) iter.Seq2[bus.Stored, error] {
	return func(yield func(bus.Stored, error) bool) {
		if err := c.pass(ctx); err != nil {
			yield(bus.Stored{}, err)
			return
		}
		c.memory.mu.Lock()
		all := slices.Clone(c.stored)
		c.memory.mu.Unlock()
		for _, st := range all {
			if st.Seq >= from && matches(filter, st.Subject) && !yield(st, nil) {
				return
			}
		}
	}
}

// Last implements bus.Log.
func (c *client) Last(ctx context.Context, filter string) (bus.Stored, bool, error) {
	if err := c.pass(ctx); err != nil {
		return bus.Stored{}, false, err
	}
	c.travel()
	c.memory.mu.Lock()
	defer c.memory.mu.Unlock()
	st, ok := c.last(filter)
	return st, ok, nil
}

// LastSeq implements bus.Log.
func (c *client) LastSeq(ctx context.Context, filter string) (uint64, error) {
	st, _, err := c.Last(ctx, filter)
	return st.Seq, err
}

// PurgeUpTo implements bus.Log.
func (c *client) PurgeUpTo(ctx context.Context, filter string, seq uint64) error {
	if err := c.pass(ctx); err != nil {
		return err
	}
	c.memory.mu.Lock()
	defer c.memory.mu.Unlock()
	for subject, st := range c.latest {
		if st.Seq <= seq && matches(filter, subject) {
			delete(c.latest, subject)
		}
	}
	c.stored = slices.DeleteFunc(c.stored, func(st bus.Stored) bool { return st.Seq <= seq && matches(filter, st.Subject) })
	return nil
}

// CompactUpTo implements bus.Log.
func (c *client) CompactUpTo(ctx context.Context, subject string, seq uint64) error {
	last, err := c.LastSeq(ctx, subject)
	if err != nil || last == 0 {
		return err
	}
	return c.PurgeUpTo(ctx, subject, min(seq, last-1))
}

// Info implements bus.Log.
func (c *client) Info(ctx context.Context) (bus.LogInfo, error) {
	if err := c.pass(ctx); err != nil {
		return bus.LogInfo{}, err
	}
	c.memory.mu.Lock()
	defer c.memory.mu.Unlock()
	return bus.LogInfo{LastSeq: c.seq, Messages: uint64(len(c.stored)), MaxBytes: 1 << 30, Replicas: 1, Now: time.Now().UTC()}, nil
}
