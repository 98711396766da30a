// Package socket runs one WebSocket of JSON frames: one goroutine reads and handles frames. Another one writes what was
// pushed, in order, while there is something, and one pings from time to time: most sockets of a desk are silent most
// of the time, and each costs the memory of what it keeps.
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

	// pinging is held while a ping waits for its answer.
	pinging sync.Mutex
	work    sync.WaitGroup

	mu     sync.Mutex
	queue  []any
	over   bool // the queue was full
	closed bool
	// start begins to deliver; nil while that is done, and before Run.
	start func()
}

// New makes a socket of an accepted connection.
func New(ws *websocket.Conn, opts Options) *Socket {
	opts.complete()
	ws.SetReadLimit(min(opts.FirstLimit, opts.ReadLimit))
	return &Socket{ws: ws, opts: opts, lanes: newLanes()}
}

// Push queues an item for the session's Deliver. It never blocks. It returns false when the socket takes
// nothing more: it is closing, or its peer is too slow, which closes it.
func (s *Socket) Push(item any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := !s.over && !s.closed
	if ok && len(s.queue) >= s.opts.QueueLimit {
		ok, s.over = false, true
		s.queue = nil
	}
	if ok {
		s.queue = append(s.queue, item)
	}
	s.wake()
	return ok
}

// wake begins to deliver if there is something and nobody does; s.mu is held.
func (s *Socket) wake() {
	if s.start != nil && !s.closed && (s.over || len(s.queue) > 0) {
		s.work.Go(s.start)
		s.start = nil
	}
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
	s.begin(func() {
		if err := s.deliver(ctx, session); err != nil {
			cancel(err)
		}
	})
	stopPings := s.keepAlive(ctx, cancel)
	s.serve(ctx, session, cancel, stopPings)
	if s.own != nil {
		return s.own // the peer's answer to it is what the reader ended with
	}
	return context.Cause(ctx)
}

// serve receives until the end, and leaves nothing running, be it that the session panics.
func (s *Socket) serve(ctx context.Context, session Session, cancel context.CancelCauseFunc, stopPings func()) {
	defer func() {
		cancel(errDefect) // unless the end has another cause
		s.Settle()
		s.stop()
		_ = s.ws.CloseNow() // it is gone already, or nobody waits for a handshake
		stopPings()
		s.work.Wait()
	}()
	cancel(s.receive(ctx, session))
}

var errDefect = errors.New("a frame was not handled")

// begin lets deliver run whenever there is something.
func (s *Socket) begin(deliver func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var run func()
	run = func() {
		deliver()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.start = run
		s.wake()
	}
	s.start = run
	s.wake()
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

// deliver handles what is queued. An error ends the socket, and nothing is delivered behind it.
func (s *Socket) deliver(ctx context.Context, session Session) error {
	for {
		item, err := s.next(ctx)
		if err != nil {
			s.stop()
			return err
		}
		if item == nil {
			return nil
		}
		closing, ends := item.(*Closing)
		if !ends {
			err := session.Deliver(ctx, item)
			if err == nil {
				continue
			}
			if !errors.As(err, &closing) {
				s.stop()
				return err
			}
		}
		s.stop()
		s.own = closing
		// The reader still reads, so that it sees the peer's answer to the handshake.
		_ = s.ws.Close(closing.Code, closing.Reason) // ends with the connection in any case
		return closing
	}
}

// next item, nil when there is none.
func (s *Socket) next(ctx context.Context) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case s.over:
		return &Closing{Code: CodeSlow, Reason: "frames were not read fast enough"}, nil
	case len(s.queue) == 0:
		s.queue = nil // a burst's memory is given back
		return nil, nil
	}
	item := s.queue[0]
	s.queue[0] = nil
	s.queue = s.queue[1:]
	return item, nil
}

// keepAlive pings until it is told to stop; proxies close what is silent, and a peer that is gone without a word is
// noticed only so.
func (s *Socket) keepAlive(ctx context.Context, end context.CancelCauseFunc) (stop func()) {
	var timer *time.Timer
	s.pinging.Lock()
	defer s.pinging.Unlock()
	timer = time.AfterFunc(s.opts.PingEvery, func() {
		s.pinging.Lock()
		defer s.pinging.Unlock()
		if ctx.Err() != nil {
			return
		}
		if err := s.ping(ctx); err != nil {
			end(err)
			return
		}
		timer.Reset(s.opts.PingEvery)
	})
	return func() {
		timer.Stop()
		s.pinging.Lock() // one that waits for its answer ends with the context
		defer s.pinging.Unlock()
		timer.Stop()
	}
}

func (s *Socket) ping(ctx context.Context) error {
	if s.opts.Ping != nil {
		s.Push(s.opts.Ping)
	}
	within, cancel := context.WithTimeout(ctx, s.opts.PongWithin)
	defer cancel()
	if err := s.ws.Ping(within); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", ErrSilent, err)
	}
	return nil
}
