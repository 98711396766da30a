package bot

import (
	"context"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// leave ends the sessions between two turns and gives everything back. The router's confirmation is what the
// operator waits for before it removes a worker.
func (w *worker) leave(work context.Context, stop func()) {
	if w.opts.Health != nil {
		w.opts.Health.Drain()
	}
	held := w.holding.Load()
	if w.signedOn.Load() {
		ctx, cancel := context.WithTimeout(work, drainAsk)
		if _, err := w.router.Ask(ctx, w.opts.Name, protocol.Request{Type: protocol.Drain, Draining: true}); err != nil {
			w.log.Warn("bot could not ask for nothing new", "error", err)
		}
		cancel()
	}
	close(w.finish)
	ended := make(chan struct{})
	go func() {
		w.running.Wait()
		close(ended)
	}()
	timer := time.NewTimer(w.opts.TurnTimeout)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		w.log.Warn("bot breaks off turns that take too long", "timeout", w.opts.TurnTimeout)
	}
	farewell, cancel := context.WithTimeout(context.WithoutCancel(work), signOffTimeout)
	defer cancel()
	if w.knocked {
		if _, err := w.router.Ask(farewell, w.opts.Name, protocol.Request{Type: protocol.SignOff}); err != nil {
			w.log.Warn("bot could not sign off, the router will miss its heartbeats", "error", err)
		} else {
			w.log.Info("bot signed off", "held", held)
		}
	}
	stop()
	<-ended
}

// beat sends heartbeats until ctx ends.
func (w *worker) beat(ctx context.Context) {
	ticker := time.NewTicker(w.opts.HeartbeatEvery)
	defer ticker.Stop()
	for {
		holding := int(w.holding.Load())
		data, err := protocol.Encode(protocol.Heartbeat{V: protocol.Version, Holding: &holding})
		if err == nil && w.signedOn.Load() {
			err = w.conn.Publish(ctx, w.subjects.Heartbeat(bus.PartyBot, w.opts.Name), data)
		}
		if err != nil && ctx.Err() == nil {
			w.log.Debug("bot heartbeat was not sent", "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
