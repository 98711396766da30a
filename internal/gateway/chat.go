package gateway

import (
	"net/http"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/web/limit"
	"github.com/deskfleet/deskfleet/internal/web/page"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/role"
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
	served := false
	defer func() {
		if !served {
			release()
		}
	}()
	origins := g.document().WebChat.AllowedOrigins
	if p := page.CheckOrigin(r, origins); p != nil {
		problem.Write(w, p)
		return
	}
	ws, err := socket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: origins})
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
	if served = g.role.Serve(s.sock, func() { g.serveChat(s, release) }); !served {
		_ = ws.Close(socket.CodeRestart, "the gateway drains") // the client is told or gone
	}
}

func (g *Gateway) serveChat(s *session, release func()) {
	defer release()
	g.metrics.sockets.Inc()
	defer g.metrics.sockets.Dec()
	defer s.end()
	err := s.sock.Run(s.link.Sockets, s)
	g.metrics.ended.WithLabelValues(role.Cause(err)).Inc()
	g.log.Debug("socket ended", "contact", s.contact.ID, "error", err)
}
