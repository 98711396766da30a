// Package load lets the replicas of roles that scale tell the router their load: gateways the open chats, the knowledge
// role the rate of searches. Nothing is told where the desk's configuration declares no scaling.
package load

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

const (
	// Every so long a replica tells its load.
	Every = 2 * time.Second
	// Lost is how long a replica may be silent before its load is taken for unknown.
	Lost = 7 * time.Second
)

// Message of one replica.
type Message struct {
	V int `json:"v"`
	// Load in the unit of the role, 0 or more.
	Load float64 `json:"load"`
}

// Teller tells the load of one replica.
type Teller struct {
	Bus      bus.Messenger
	Subjects bus.Subjects
	Role     runtimeconfig.Role
	// Replica is the pod's name.
	Replica string
	Source  runtimeconfig.Source
	// Load as it is now.
	Load   func(now time.Time) float64
	Logger *slog.Logger
}

// Run tells it until ctx ends.
func (t *Teller) Run(ctx context.Context) {
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			t.tell(ctx, now)
		}
	}
}

func (t *Teller) tell(ctx context.Context, now time.Time) {
	load := t.Load(now) // also while nobody asks: a rate is measured from before
	if !slices.Contains(t.Source.Current().Document.Scaled, t.Role) {
		return
	}
	data, err := json.Marshal(Message{V: 1, Load: load})
	if err == nil {
		err = t.Bus.Publish(ctx, t.Subjects.Load(t.Role, t.Replica), data)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Logger.DebugContext(ctx, "load was not told", "error", err)
	}
}

// Rate of something that is counted, over the last minute.
type Rate struct {
	samples []sample
}

type sample struct {
	at    time.Time
	count uint64
}

const (
	window = time.Minute
	// shortest time that a rate is taken over: a few searches in the first seconds are no load.
	shortest = 10 * time.Second
)

// Per second, given the count at now; now must not go back between calls.
func (r *Rate) Per(now time.Time, count uint64) float64 {
	r.samples = append(r.samples, sample{now, count})
	old := 0
	for old+1 < len(r.samples) && now.Sub(r.samples[old+1].at) >= window {
		old++
	}
	r.samples = slices.Delete(r.samples, 0, old)
	first := r.samples[0]
	return float64(count-first.count) / max(shortest, now.Sub(first.at)).Seconds()
}
