package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/web/limit"
	"github.com/deskfleet/deskfleet/internal/web/page"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// chat serves the WebSocket.
func (g *Gateway) chat(w http.ResponseWriter, r *http.Request) {
	l, err := g.serving()
	if err != nil {
		problem.Write(w, problem.From(err))
		return
	}
	addr := limit.ClientAddr(r, g.opts.TrustedProxies)
	release, ok := g.connections.Acquire(addr)
	if !ok {
		problem.Write(w, problem.New(http.StatusTooManyRequests, problem.CodeConnections,
			"this gateway has as many connections as it takes, in all or from this address", "try again later").RetryAfter(5*time.Second))
		return
	}
	defer release()
	origins := g.document().WebChat.AllowedOrigins
	if p := page.CheckOrigin(r, origins); p != nil {
		problem.Write(w, p)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: origins})
	if err != nil {
		g.log.DebugContext(r.Context(), "no WebSocket", "error", err) // the answer was written
		return
	}
	opts := g.opts.Socket
	opts.Ping = chatwire.Ping{Type: chatwire.TypePing}
	s := &session{
		g: g, link: l, sock: socket.New(ws, opts), addr: addr,
		frames: rate.NewLimiter(framesPerSecond, framesBurst), views: map[conversation.ID]*view{},
	}
	if !g.enter(s) {
		_ = ws.Close(socket.CodeRestart, "the gateway drains") // the client is told or gone
		return
	}
	defer g.leave(s)
	defer s.end()
	err = s.sock.Run(l.sockets, s)
	g.metrics.ended.WithLabelValues(cause(err)).Inc()
	g.log.DebugContext(r.Context(), "socket ended", "contact", s.contact.ID, "error", err)
}

// serving gives the link while customers can be served. The error is a problem.
func (g *Gateway) serving() (*link, error) {
	l := g.link.Load()
	if l == nil || !l.feed.Ready() || g.draining.Load() {
		return nil, problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable,
			"the gateway is starting, draining, or cannot reach its bus", "try again").RetryAfter(time.Second)
	}
	return l, nil
}

// cause of a socket's end, for the metric.
func cause(err error) string {
	var closing *socket.Closing
	switch {
	case errors.As(err, &closing):
		switch closing.Code {
		case socket.CodeRestart:
			return "restart"
		case socket.CodeSlow:
			return "slow"
		case socket.CodePolicy, websocket.StatusUnsupportedData:
			return "policy"
		case socket.CodeUnauthorised:
			return "unauthorised"
		default:
			return "internal"
		}
	case errors.Is(err, socket.ErrSilent):
		return "silent"
	case errors.Is(err, context.Canceled):
		return "restart"
	default:
		return "client"
	}
}
