package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// logged keeps what a gateway logs from debug on.
type logged struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

// TestClientsThatLeaveAreNoWarning: a client that leaves, or whose network breaks, at any moment is daily life.
func TestClientsThatLeaveAreNoWarning(t *testing.T) {
	lines := &logged{}
	d := start(t, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	c := d.connect(t)
	welcome, _ := c.hello(chatwire.ClientFrame{})
	conv := c.sayAcked("m1", "hello").Conversation
	left, leave := context.WithCancel(t.Context())
	leave()

	sessions := make(chan error, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		_ = ws.CloseNow() // as a network that breaks
		s := &session{
			g: d.gw, link: d.gw.link.Load(), sock: socket.New(ws, socket.Options{}), views: map[conversation.ID]*view{},
			contact: contact{ID: welcome.Contact.ID, Token: welcome.Token},
		}
		defer s.end()
		sessions <- s.Deliver(r.Context(), hello{frame: &chatwire.ClientFrame{}})
		sessions <- s.Deliver(left, hello{frame: &chatwire.ClientFrame{}})
	}))
	defer server.Close()
	if ws, _, err := websocket.Dial(t.Context(), strings.Replace(server.URL, "http", "ws", 1), nil); err == nil {
		defer func() { _ = ws.CloseNow() }()
	}
	for range 2 {
		err := <-sessions
		if closing, ok := errors.AsType[*socket.Closing](err); err == nil || ok {
			t.Errorf("the session ends with %v", closing)
		}
	}

	for _, call := range []struct{ method, path, body string }{
		{"GET", "/v1/conversations/" + string(conv) + "/messages", ""},
		{"POST", "/v1/conversations/" + string(conv) + "/messages", `{"clientId":"m2","text":"bye"}`},
		{"POST", "/v1/conversations", `{}`},
	} {
		r := httptest.NewRequestWithContext(left, call.method, call.path, strings.NewReader(call.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+welcome.Token)
		d.gw.Handler().ServeHTTP(httptest.NewRecorder(), r)
	}
	for line := range strings.SplitSeq(lines.String(), "\n") {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
			t.Errorf("logged is %s", line)
		}
	}
	if !strings.Contains(lines.String(), "request failed") {
		t.Error("the requests were answered: nothing was tested")
	}
}
