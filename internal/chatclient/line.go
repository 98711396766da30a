package chatclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// Bounds of one connection.
const (
	// maxFrame in bytes that a desk may send.
	maxFrame     = 1 << 20
	dialWithin   = 10 * time.Second
	writeWithin  = 10 * time.Second
	leaveWithin  = time.Second
	silenceAfter = 60 * time.Second // the desk says something every 25 s
	// A connection that lasted stableAfter forgets the failed attempts before it.
	stableAfter = 10 * time.Second
)

// pace of frames. A desk closes connections on which they come faster than a person can cause them: this side stays
// below, so that a program that talks fast is slowed down and not thrown out.
type pace struct {
	perSecond, burst int
}

// A customer may send 20 a second and 60 at once, an agent, who serves many of them, 50 and 200.
var (
	customerPace = pace{perSecond: 15, burst: 40}
	agentPace    = pace{perSecond: 40, burst: 150}
)

// Reconnect says how a lost connection is made anew. Zero values stand for the defaults in brackets.
type Reconnect struct {
	// First [500 ms] and Most [30 s] bound the random pause before an attempt: it is anything up to First, and
	// up to twice as much with every further attempt.
	First, Most time.Duration
	// GiveUpAfter is how long the desk may be out of reach before the client ends with [ErrUnreachable]; 0 is
	// for ever.
	GiveUpAfter time.Duration
}

func (r *Reconnect) complete() {
	if r.First <= 0 {
		r.First = 500 * time.Millisecond
	}
	if r.Most <= 0 {
		r.Most = 30 * time.Second
	}
}

// pause before an attempt after so many failed ones. A desk's own hint is already different for each client;
// what it asks of all clients alike is only the least.
func (r *Reconnect) pause(failed int, hint, least time.Duration) time.Duration {
	if hint > 0 {
		return hint
	}
	most := r.Most
	if doubled := r.First << min(failed, 30); doubled > 0 {
		most = min(most, doubled)
	}
	return least + rand.N(most)
}

// talker is what is said over a line. Its methods are called by the line's goroutine only.
type talker interface {
	// hello is the first frame of each connection.
	hello() any
	// take handles a frame. An error ends the connection.
	take(ctx context.Context, v *visit, frame []byte) error
	// due gives the next frame to send. When there is none, wait says when to ask again, unless it is 0.
	due(now time.Time) (frame any, wait time.Duration)
	// lost is told that there is no connection.
	lost(ctx context.Context, err error, pause time.Duration)
}

// line keeps one WebSocket of JSON frames open.
type line struct {
	address   string
	client    *http.Client
	reconnect Reconnect
	pace      pace
	silence   time.Duration
	// wake asks the talker for due frames.
	wake chan struct{}
}

func newLine(address string, client *http.Client, reconnect Reconnect, pace pace) *line {
	reconnect.complete()
	return &line{
		address: address, client: client, reconnect: reconnect, pace: pace, silence: silenceAfter, wake: make(chan struct{}, 1),
	}
}

// poke makes the line ask for due frames.
func (l *line) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run connects again and again until ctx ends, which is no error, or trying again is of no use.
func (l *line) run(ctx context.Context, t talker) error {
	if l.client == nil {
		// A transport of its own, so that nothing of it stays when the line ends.
		transport, ok := http.DefaultTransport.(*http.Transport)
		if !ok {
			return errors.New("http.DefaultTransport was replaced: give an HTTPClient")
		}
		transport = transport.Clone()
		defer transport.CloseIdleConnections()
		l.client = &http.Client{Transport: transport}
	}
	failed, everOnline, lastOnline := 0, false, time.Now()
	for {
		v := &visit{}
		err := l.connect(ctx, v, t)
		if ctx.Err() != nil {
			return nil
		}
		if !v.onlineAt.IsZero() {
			everOnline, lastOnline = true, time.Now()
			if time.Since(v.onlineAt) > stableAfter {
				failed = 0
			}
		}
		if final := v.verdict(err, everOnline); final != nil {
			return final
		}
		if websocket.CloseStatus(err) == socket.CodePolicy {
			failed += 5 // a desk that says that a rule was broken is not asked again soon
		}
		pause := l.reconnect.pause(failed, v.hint, v.least(err))
		if give := l.reconnect.GiveUpAfter; give > 0 && time.Since(lastOnline)+pause > give {
			return fmt.Errorf("%w for %s: %w", ErrUnreachable, give, err)
		}
		failed++
		t.lost(ctx, err, pause)
		if !sleep(ctx, pause) {
			return nil
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// connect makes one connection, lets the talker talk, and returns why it ended.
func (l *line) connect(ctx context.Context, v *visit, t talker) error {
	dialing, cancel := context.WithTimeout(ctx, dialWithin)
	ws, resp, err := websocket.Dial(dialing, l.address, &websocket.DialOptions{HTTPClient: l.client}) //nolint:bodyclose // the library closes it
	cancel()
	if err != nil {
		return dialError(resp, err)
	}
	ws.SetReadLimit(maxFrame)
	c := &connection{ws: ws, frames: make(chan []byte), ended: make(chan error, 1), leaving: make(chan struct{})}
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	var reader sync.WaitGroup
	reader.Go(func() { c.ended <- c.read(reading) })
	err = c.write(ctx, t.hello())
	if err == nil {
		err = l.talk(ctx, c, v, t)
	}
	close(c.leaving)
	if ctx.Err() != nil {
		c.leave(stop)
	}
	stop()
	_ = ws.CloseNow() // it is of no more use, however it ends
	reader.Wait()
	return err
}

// talk hands frames to and fro until the connection ends.
func (l *line) talk(ctx context.Context, c *connection, v *visit, t talker) error {
	silence := time.NewTimer(l.silence)
	defer silence.Stop()
	again := time.NewTimer(0)
	defer again.Stop()
	pace := rate.NewLimiter(rate.Limit(l.pace.perSecond), l.pace.burst)
	for {
		wait, err := c.flush(ctx, t, pace)
		if err != nil {
			return err
		}
		if wait > 0 {
			again.Reset(wait)
		}
		select {
		case frame := <-c.frames:
			silence.Reset(l.silence)
			if err := t.take(ctx, v, frame); err != nil {
				return err
			}
		case err := <-c.ended:
			return err
		case <-silence.C:
			return fmt.Errorf("%w for %s", errSilent, l.silence)
		case <-l.wake:
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// connection is one WebSocket.
type connection struct {
	ws     *websocket.Conn
	frames chan []byte
	ended  chan error
	// leaving is closed when nobody takes frames any more.
	leaving chan struct{}
}

func (c *connection) read(ctx context.Context) error {
	for {
		kind, frame, err := c.ws.Read(ctx)
		if err != nil {
			return err
		}
		if kind != websocket.MessageText {
			return errors.New("the desk sent a binary frame")
		}
		select {
		case c.frames <- frame:
		case <-c.leaving:
		}
	}
}

// flush writes what is due, not faster than the pace, and returns when to look again; 0 for not by time.
func (c *connection) flush(ctx context.Context, t talker, pace *rate.Limiter) (time.Duration, error) {
	for {
		if pace.Tokens() < 1 {
			return time.Duration(float64(time.Second) / float64(pace.Limit())), nil
		}
		frame, wait := t.due(time.Now())
		if frame == nil {
			return wait, nil
		}
		pace.Allow()
		if err := c.write(ctx, frame); err != nil {
			return 0, err
		}
	}
}

func (c *connection) write(ctx context.Context, frame any) error {
	data, err := json.Marshal(frame)
	if err != nil {
		return fmt.Errorf("encode frame %T: %w", frame, err)
	}
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	return c.ws.Write(ctx, websocket.MessageText, data)
}

// leave says goodbye: a desk that sees a customer leave need not wait whether it comes back. A peer that
// does not answer is left without.
func (c *connection) leave(stop context.CancelFunc) {
	defer time.AfterFunc(leaveWithin, stop).Stop()
	_ = c.ws.Close(websocket.StatusNormalClosure, "") // the connection may have ended before
}
