// Package socket runs one WebSocket of JSON frames: one goroutine reads and handles frames, one writes
// what was pushed, in order, and one looks whether the peer still lives.
//
// A peer that does not read must not make the process hold its frames for ever, and must not hold up
// others: when its queue is full the socket is closed with [CodeSlow], and the client resumes by sequence.
package socket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Close codes of a desk's sockets, besides those of RFC 6455.
const (
	// CodeRestart: the server restarts; come back after the hint of the goodbye frame.
	CodeRestart = websocket.StatusServiceRestart
	// CodeSlow: the client did not read fast enough, or the server cannot serve it now; resume later.
	CodeSlow = websocket.StatusTryAgainLater
	// CodePolicy: the client broke a rule and should not repeat what it did.
	CodePolicy = websocket.StatusPolicyViolation
	// CodeUnauthorised: the token is missing, wrong or was withdrawn; do not come back with it.
	CodeUnauthorised websocket.StatusCode = 4401
)

// TypeGoodbye is the type of the frame that comes before a socket is closed for a restart.
const TypeGoodbye = "goodbye"

// Goodbye is that frame, the same for customers and agents.
type Goodbye struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
	// RetryAfterMillis is when to come back; it differs from client to client.
	RetryAfterMillis int64 `json:"retryAfterMillis"`
}

// Options of a socket. Zero values stand for the defaults in brackets.
type Options struct {
	// ReadLimit of one frame in bytes [conversation.MaxEventBytes]; a longer one closes the socket.
	ReadLimit int64
	// FirstLimit is the ReadLimit of the first frame [16 KiB]: until it has come nobody knows who the peer is.
	FirstLimit int64
	// QueueLimit of frames that wait for the peer [512].
	QueueLimit int
	// WriteTimeout of one frame [10 s].
	WriteTimeout time.Duration
	// FirstFrame is how long the peer may take for its first frame [10 s].
	FirstFrame time.Duration
	// PingEvery is the time between two pings [25 s], PongWithin how long the peer may take to answer [20 s].
	PingEvery, PongWithin time.Duration
	// Ping is a frame that is pushed with each ping, so that a script that cannot see pings can tell a dead
	// connection from a quiet one; nil for none.
	Ping any
}

func (o *Options) complete() {
	if o.ReadLimit == 0 {
		o.ReadLimit = conversation.MaxEventBytes
	}
	if o.FirstLimit == 0 {
		o.FirstLimit = 16 << 10
	}
	if o.QueueLimit == 0 {
		o.QueueLimit = 512
	}
	for _, d := range []struct {
		value   *time.Duration
		standby time.Duration
	}{
		{&o.WriteTimeout, 10 * time.Second}, {&o.FirstFrame, 10 * time.Second},
		{&o.PingEvery, 25 * time.Second}, {&o.PongWithin, 20 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.standby
		}
	}
}

// Session is what a socket serves.
type Session interface {
	// Receive handles one frame of the peer. Frames are handled one after the other, but for what Receive gives
	// to InOrder. An error ends the socket; a *Closing says with which code.
	Receive(ctx context.Context, frame []byte) error
	// Deliver handles one pushed item, usually by writing a frame. Items are handled one after the other,
	// in the order in which they were pushed. An error ends the socket as with Receive.
	Deliver(ctx context.Context, item any) error
}

// Closing ends a socket with a code and a reason of at most 123 bytes.
type Closing struct {
	Code   websocket.StatusCode
	Reason string
}

// Error implements error.
func (c *Closing) Error() string { return fmt.Sprintf("close with %d: %s", c.Code, c.Reason) }

// ErrSilent says that the peer did not answer a ping.
var ErrSilent = errors.New("the peer does not answer")

// ErrGone says that a frame could not be sent: the peer left, its network broke, or it does not read.
var ErrGone = errors.New("the peer is gone")

// Socket is one connection.
type Socket struct {
	ws   *websocket.Conn
	opts Options

	// receiving is held while a frame is received, so that a drain lets those in flight finish.
	receiving sync.Mutex
	ending    bool // guarded by receiving: frames are read and thrown away
	lanes     *lanes

	// own is how this side closed; of the deliverer until it has ended.
	own *Closing

	mu     sync.Mutex
	queue  []any
	over   bool // the queue was full
	closed bool
	wake   chan struct{}
}

// New makes a socket of an accepted connection.
func New(ws *websocket.Conn, opts Options) *Socket {
	opts.complete()
	ws.SetReadLimit(min(opts.FirstLimit, opts.ReadLimit))
	return &Socket{ws: ws, opts: opts, lanes: newLanes(), wake: make(chan struct{}, 1)}
}

// Push queues an item for the session's Deliver. It never blocks. It returns false when the socket takes
// nothing more: it is closing, or its peer is too slow, which closes it.
func (s *Socket) Push(item any) bool {
	s.mu.Lock()
	ok := !s.over && !s.closed
	if ok && len(s.queue) >= s.opts.QueueLimit {
		ok, s.over = false, true
		s.queue = nil
	}
	if ok {
		s.queue = append(s.queue, item)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return ok
}

// End closes the socket behind what is queued, after the frames in flight were handled. The items are the
// last ones that are delivered. The session's Receive must not call it: it returns a *Closing instead.
func (s *Socket) End(code websocket.StatusCode, reason string, items ...any) {
	s.receiving.Lock()
	defer s.receiving.Unlock()
	s.Settle() // nothing new is received meanwhile
	s.end(code, reason, items...)
}

func (s *Socket) end(code websocket.StatusCode, reason string, items ...any) {
	s.ending = true
	for _, item := range items {
		s.Push(item)
	}
	s.Push(&Closing{Code: code, Reason: reason})
}

// Abort ends the connection without a word, as a network that fails does.
func (s *Socket) Abort() { _ = s.ws.CloseNow() }

// Write sends one frame at once. Only the session's Deliver may call it. Errors are ErrGone, but for a frame
// that cannot be encoded.
func (s *Socket) Write(ctx context.Context, frame any) error {
	data, err := json.Marshal(frame)
	if err != nil {
		return fmt.Errorf("encode frame %T: %w", frame, err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.WriteTimeout)
	defer cancel()
	if err := s.ws.Write(ctx, websocket.MessageText, data); err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return nil
}

// Run serves the session until the connection ends or ctx does, and returns why. All its goroutines have
// ended when it returns.
func (s *Socket) Run(ctx context.Context, session Session) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() { cancel(s.deliver(ctx, session)) })
	wg.Go(func() {
		if err := s.keepAlive(ctx); err != nil {
			cancel(err)
		}
	})
	cancel(s.receive(ctx, session))
	s.Settle()
	s.stop()
	_ = s.ws.CloseNow() // it is gone already, or nobody waits for a handshake
	wg.Wait()
	if s.own != nil {
		return s.own // the peer's answer to it is what the reader ended with
	}
	return context.Cause(ctx)
}

func (s *Socket) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.queue = true, nil
}

func (s *Socket) receive(ctx context.Context, session Session) error {
	first := time.AfterFunc(s.opts.FirstFrame, func() { s.End(CodePolicy, "no hello in time") })
	defer first.Stop()
	for {
		kind, data, err := s.ws.Read(ctx)
		if err != nil {
			return err
		}
		if first.Stop() {
			s.ws.SetReadLimit(s.opts.ReadLimit)
		}
		s.receiveOne(ctx, session, kind, data)
	}
}

func (s *Socket) receiveOne(ctx context.Context, session Session, kind websocket.MessageType, data []byte) {
	s.receiving.Lock()
	defer s.receiving.Unlock()
	if s.ending {
		return
	}
	if kind != websocket.MessageText {
		s.end(websocket.StatusUnsupportedData, "send text frames")
		return
	}
	err := session.Receive(ctx, data)
	var closing *Closing
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.As(err, &closing):
		s.end(closing.Code, closing.Reason)
	default:
		s.end(websocket.StatusInternalError, "internal error")
	}
}

func (s *Socket) deliver(ctx context.Context, session Session) error {
	for {
		item, err := s.next(ctx)
		if err != nil {
			return err
		}
		closing, ends := item.(*Closing)
		if !ends {
			err := session.Deliver(ctx, item)
			if err == nil {
				continue
			}
			if !errors.As(err, &closing) {
				return err
			}
		}
		s.own = closing
		// The reader still reads, so that it sees the peer's answer to the handshake.
		_ = s.ws.Close(closing.Code, closing.Reason) // ends with the connection in any case
		return closing
	}
}

func (s *Socket) next(ctx context.Context) (any, error) {
	for {
		s.mu.Lock()
		if s.over {
			s.mu.Unlock()
			return &Closing{Code: CodeSlow, Reason: "frames were not read fast enough"}, nil
		}
		if len(s.queue) > 0 {
			item := s.queue[0]
			s.queue[0] = nil
			if s.queue = s.queue[1:]; len(s.queue) == 0 {
				s.queue = nil // a burst's memory is given back
			}
			s.mu.Unlock()
			return item, nil
		}
		s.mu.Unlock()
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// keepAlive pings until ctx ends; proxies close what is silent, and a peer that is gone without a word is
// noticed only so.
func (s *Socket) keepAlive(ctx context.Context) error {
	ticker := time.NewTicker(s.opts.PingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if s.opts.Ping != nil {
			s.Push(s.opts.Ping)
		}
		within, cancel := context.WithTimeout(ctx, s.opts.PongWithin)
		err := s.ws.Ping(within)
		cancel()
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("%w: %w", ErrSilent, err)
		}
	}
}
