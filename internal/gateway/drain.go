package gateway

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// returnsPerSecond bounds how fast a draining gateway sends its clients to the others.
const returnsPerSecond = 500

// shortestReturn and the jitter on top are how long a client is asked to wait.
const (
	shortestReturn = 100 * time.Millisecond
	returnJitter   = 500 * time.Millisecond
)

// drain ends the role without losing anything: no new sockets, those that are open are closed one after
// the other behind what they have in flight, requests are finished.
func (g *Gateway) drain(serve *serving) {
	within, cancel := context.WithTimeout(context.Background(), g.opts.DrainWithin)
	defer cancel()
	if g.opts.Health != nil {
		g.opts.Health.Drain()
	}
	open := g.beginDrain()
	g.log.InfoContext(within, "gateway drains", "sockets", len(open))
	var work sync.WaitGroup
	if serve != nil {
		work.Go(func() {
			if err := serve.server.Shutdown(within); err != nil {
				_ = serve.server.Close() // the time is up
			}
		})
	}
	spread := min(time.Duration(len(open))*time.Second/returnsPerSecond, g.opts.DrainWithin/2)
	for _, s := range open {
		work.Go(func() { s.drain(within, spread) })
	}
	work.Wait()
	select {
	case <-g.ended:
	case <-within.Done():
		g.log.WarnContext(within, "gateway ends sockets that did not close in time")
	}
}

// beginDrain refuses what is new from now on and lists what is open.
func (g *Gateway) beginDrain() []*session {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.draining.Store(true)
	open := make([]*session, 0, len(g.sessions))
	for s := range g.sessions {
		open = append(open, s)
	}
	if len(open) == 0 {
		close(g.ended)
	}
	return open
}

// enter counts a socket; false while draining.
func (g *Gateway) enter(s *session) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining.Load() {
		return false
	}
	g.sessions[s] = struct{}{}
	g.metrics.sockets.Inc()
	return true
}

func (g *Gateway) leave(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sessions, s)
	g.metrics.sockets.Dec()
	if g.draining.Load() && len(g.sessions) == 0 {
		close(g.ended)
	}
}

// drain closes one socket at a random moment within spread.
func (s *session) drain(ctx context.Context, spread time.Duration) {
	if spread > 0 {
		timer := time.NewTimer(rand.N(spread))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	back := shortestReturn + rand.N(returnJitter)
	s.sock.End(socket.CodeRestart, "the gateway restarts: resume", chatwire.Goodbye{
		Type: chatwire.TypeGoodbye, Reason: "restart", RetryAfterMillis: back.Milliseconds(),
	})
}
