package socket

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// session is a session made of functions.
type session struct {
	receive func(ctx context.Context, frame []byte) error
	deliver func(ctx context.Context, item any) error
}

func (s session) Receive(ctx context.Context, frame []byte) error { return s.receive(ctx, frame) }
func (s session) Deliver(ctx context.Context, item any) error     { return s.deliver(ctx, item) }

// serve runs one socket and returns the client's side, the socket, and why Run ended.
func serve(t *testing.T, opts Options, with func(*Socket) Session) (*websocket.Conn, *Socket, <-chan error) {
	t.Helper()
	sockets, ended := one[*Socket](), one[error]()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		s := New(ws, opts)
		sockets <- s
		ended <- s.Run(context.WithoutCancel(r.Context()), with(s))
	}))
	t.Cleanup(server.Close)
	client, _, err := websocket.Dial(t.Context(), strings.Replace(server.URL, "http", "ws", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.CloseNow() })
	return client, <-sockets, ended
}

// one is a channel that takes a value without a receiver.
func one[T any]() chan T { return make(chan T, 1) }

// echo writes each item and pushes each frame back.
func echo(s *Socket) Session {
	return session{
		receive: func(_ context.Context, frame []byte) error { s.Push(string(frame)); return nil },
		deliver: s.Write,
	}
}

func send(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, c *websocket.Conn) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventually.Limit)
	defer cancel()
	_, data, err := c.Read(ctx)
	return string(data), err
}

func closed(t *testing.T, c *websocket.Conn) (code websocket.StatusCode, before []string) {
	t.Helper()
	for {
		text, err := read(t, c)
		if err != nil {
			return websocket.CloseStatus(err), before
		}
		before = append(before, text)
	}
}

func TestOrder(t *testing.T) {
	c, _, ended := serve(t, Options{}, echo)
	for _, text := range []string{"a", "b", "c"} {
		send(t, c, text)
	}
	for _, want := range []string{`"a"`, `"b"`, `"c"`} {
		if got, err := read(t, c); err != nil || got != want {
			t.Fatalf("got %s, %v; want %s", got, err, want)
		}
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	if err := eventually.Receive(t, "the end", ended); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("ended with %v", err)
	}
}

// TestEndWaits: the frame in flight is handled and answered before the socket closes, and later ones are not.
func TestEndWaits(t *testing.T) {
	inFlight, goOn := make(chan struct{}), make(chan struct{})
	handled := 0
	c, s, ended := serve(t, Options{}, func(s *Socket) Session {
		return session{
			receive: func(_ context.Context, frame []byte) error {
				if handled++; handled == 1 {
					close(inFlight)
					<-goOn
				}
				s.Push("answer to " + string(frame))
				return nil
			},
			deliver: s.Write,
		}
	})
	send(t, c, "1")
	send(t, c, "2")
	<-inFlight
	done := make(chan struct{})
	go func() { s.End(CodeRestart, "restart", "goodbye"); close(done) }()
	close(goOn)
	<-done
	code, frames := closed(t, c)
	if code != CodeRestart || frames[len(frames)-1] != `"goodbye"` || frames[0] != `"answer to 1"` {
		t.Errorf("closed with %d behind %q", code, frames)
	}
	var closing *Closing
	if err := eventually.Receive(t, "the end", ended); !errors.As(err, &closing) || closing.Code != CodeRestart {
		t.Errorf("ended with %v", err)
	}
	if s.Push("late") {
		t.Error("a closed socket takes items")
	}
}

func TestSlowPeer(t *testing.T) {
	block := make(chan struct{})
	c, s, ended := serve(t, Options{QueueLimit: 3}, func(s *Socket) Session {
		return session{
			receive: func(context.Context, []byte) error { return nil },
			deliver: func(ctx context.Context, item any) error { <-block; return s.Write(ctx, item) },
		}
	})
	pushed := 0
	for s.Push(pushed) {
		pushed++
	}
	// One item may be in delivery besides those that wait.
	if pushed < 3 || pushed > 4 {
		t.Errorf("%d items were taken", pushed)
	}
	close(block)
	if code, _ := closed(t, c); code != CodeSlow {
		t.Errorf("closed with %d", code)
	}
	eventually.Receive(t, "the end", ended)
}

func TestFirstFrameInTime(t *testing.T) {
	c, _, ended := serve(t, Options{FirstFrame: time.Millisecond}, echo)
	if code, _ := closed(t, c); code != CodePolicy {
		t.Errorf("closed with %d", code)
	}
	eventually.Receive(t, "the end", ended)
}

func TestErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		code websocket.StatusCode
	}{
		"closing": {&Closing{Code: CodeUnauthorised, Reason: "no"}, CodeUnauthorised},
		"other":   {errors.New("broken"), websocket.StatusInternalError},
	} {
		t.Run(name, func(t *testing.T) {
			c, _, ended := serve(t, Options{}, func(s *Socket) Session {
				return session{receive: func(context.Context, []byte) error { s.Push("why"); return tc.err }, deliver: s.Write}
			})
			send(t, c, "x")
			if code, frames := closed(t, c); code != tc.code || len(frames) != 1 {
				t.Errorf("closed with %d behind %q", code, frames)
			}
			eventually.Receive(t, "the end", ended)
		})
	}
	t.Run("delivery", func(t *testing.T) {
		c, s, ended := serve(t, Options{}, func(*Socket) Session {
			return session{
				receive: func(context.Context, []byte) error { return nil },
				deliver: func(context.Context, any) error { return &Closing{Code: CodeRestart} },
			}
		})
		s.Push("x")
		if code, _ := closed(t, c); code != CodeRestart {
			t.Errorf("closed with %d", code)
		}
		eventually.Receive(t, "the end", ended)
	})
}

func TestPing(t *testing.T) {
	c, _, ended := serve(t, Options{PingEvery: time.Millisecond, Ping: map[string]string{"type": "ping"}}, echo)
	for range 3 { // reading answers the pings
		if got, err := read(t, c); err != nil || got != `{"type":"ping"}` {
			t.Fatalf("got %s, %v", got, err)
		}
	}
	_ = c.CloseNow()
	eventually.Receive(t, "the end", ended)
}

func TestSilentPeer(t *testing.T) {
	_, _, ended := serve(t, Options{PingEvery: time.Millisecond, PongWithin: 20 * time.Millisecond}, echo)
	// The client does not read, so that it answers no ping.
	if err := eventually.Receive(t, "the end", ended); !errors.Is(err, ErrSilent) {
		t.Errorf("ended with %v", err)
	}
}

func TestAbort(t *testing.T) {
	c, s, ended := serve(t, Options{}, echo)
	s.Abort()
	if code, _ := closed(t, c); code != -1 {
		t.Errorf("closed with %d", code)
	}
	eventually.Receive(t, "the end", ended)
}

// TestPushIsSafe: many goroutines push while the socket ends.
func TestPushIsSafe(t *testing.T) {
	c, s, ended := serve(t, Options{}, echo)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				s.Push("x")
			}
		})
	}
	wg.Go(func() { s.End(CodeRestart, "") })
	closed(t, c)
	wg.Wait()
	eventually.Receive(t, "the end", ended)
}
