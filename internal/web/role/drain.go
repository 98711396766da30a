package role

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// returnsPerSecond bounds how fast a draining role sends its clients to the other replicas.
const returnsPerSecond = 500

// shortestReturn and the jitter on top are how long a client is asked to wait.
const (
	shortestReturn = 100 * time.Millisecond
	returnJitter   = 500 * time.Millisecond
)

// drain ends the role without losing anything: no new sockets, those that are open are closed one after
// the other behind what they have in flight, requests are finished.
func (r *Role) drain(server *server) {
	within, cancel := context.WithTimeout(context.Background(), r.opts.DrainWithin)
	defer cancel()
	if r.opts.Health != nil {
		r.opts.Health.Drain()
	}
	open := r.beginDrain()
	r.log.InfoContext(within, "web role drains", "sockets", len(open))
	var work sync.WaitGroup
	if server != nil {
		work.Go(func() {
			if err := server.http.Shutdown(within); err != nil {
				_ = server.http.Close() // the time is up
			}
		})
	}
	spread := min(time.Duration(len(open))*time.Second/returnsPerSecond, r.opts.DrainWithin/2)
	for _, s := range open {
		work.Go(func() { sendAway(within, s, spread) })
	}
	work.Wait()
	select {
	case <-r.ended:
	case <-within.Done():
		r.log.InfoContext(within, "sockets that did not close in time are ended", "sockets", len(r.Open()))
	}
}

// beginDrain refuses what is new from now on and lists what is open.
func (r *Role) beginDrain() []*socket.Socket {
	r.mu.Lock()
	r.draining.Store(true)
	if len(r.open) == 0 {
		close(r.ended)
	}
	r.mu.Unlock()
	return r.Open()
}

// sendAway closes one socket at a random moment within spread.
func sendAway(ctx context.Context, s *socket.Socket, spread time.Duration) {
	if spread > 0 {
		timer := time.NewTimer(rand.N(spread))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	back := shortestReturn + rand.N(returnJitter)
	s.End(socket.CodeRestart, "restart: resume", socket.Goodbye{
		Type: socket.TypeGoodbye, Reason: "restart", RetryAfterMillis: back.Milliseconds(),
	})
}
