package console

import (
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/web/limit"
	"github.com/deskfleet/deskfleet/internal/web/page"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/role"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// serveAgent serves the WebSocket.
func (c *Console) serveAgent(w http.ResponseWriter, r *http.Request) {
	l, err := c.serving()
	if err != nil {
		problem.Write(w, problem.From(err))
		return
	}
	// Accept refuses other sites' pages by itself, but does not say so in the form of all other refusals.
	if p := page.CheckOrigin(r, nil); p != nil {
		p.Detail, p.Remedy = "only the console's own page may sign agents in", "open the console at "+Path
		problem.Write(w, p)
		return
	}
	addr := limit.ClientAddr(r, c.opts.TrustedProxies)
	release, ok := c.connections.Acquire(addr)
	if !ok {
		problem.Write(w, problem.New(http.StatusTooManyRequests, problem.CodeConnections,
			"this console has as many connections as it takes, in all or from this address", "try again later").RetryAfter(5*time.Second))
		return
	}
	served := false
	defer func() {
		if !served {
			release()
		}
	}()
	ws, err := socket.Accept(w, r, nil)
	if err != nil {
		c.log.DebugContext(r.Context(), "no WebSocket", "error", err) // the answer was written
		return
	}
	opts := c.opts.Socket
	opts.Ping = agentwire.Ping{Type: agentwire.TypePing}
	s := &session{
		c: c, link: l, sock: socket.New(ws, opts), addr: addr, token: bearer(r),
		frames: rate.NewLimiter(framesPerSecond, framesBurst),
		views:  map[conversation.ID]*view{}, holds: map[conversation.ID]hold{},
		watched: map[conversation.ID]struct{}{},
	}
	if served = c.role.Serve(s.sock, func() { c.serve(s, release) }); !served {
		_ = ws.Close(socket.CodeRestart, "the console drains") // the client is told or gone
	}
}

func (c *Console) serve(s *session, release func()) {
	defer release()
	c.metrics.sockets.Inc()
	defer c.metrics.sockets.Dec()
	defer s.end()
	err := s.sock.Run(s.link.Sockets, s)
	c.metrics.ended.WithLabelValues(role.Cause(err)).Inc()
	c.log.Debug("socket ended", "agent", s.user.Name, "error", err)
}

// serving gives the link while agents can be served. The error is a problem.
func (c *Console) serving() (*link, error) {
	if _, err := c.role.Link(); err != nil {
		return nil, err
	}
	l := c.link.Load()
	if l == nil { // it has just ended
		_, err := c.role.Link()
		return nil, err
	}
	return l, nil
}
