package bot

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/telemetry"
)

// Options of the role. Zero values stand for the defaults in brackets.
type Options struct {
	// Name of the worker, the pod's name: a token, different for each worker. Required.
	Name string
	// Pool that it serves, by the name in the configuration. Required.
	Pool string
	// Dialer of the bus. Required.
	Dialer bus.Dialer
	// BusMetrics of the connection; nil counts nothing.
	BusMetrics *bus.Metrics
	// Source of the configuration. Required.
	Source runtimeconfig.Source
	// Logger [slog.Default].
	Logger *slog.Logger
	// Registerer of the role's metrics; nil registers none.
	Registerer prometheus.Registerer
	// Health that the role adds its checks to; nil for none.
	Health *telemetry.Health
	// HeartbeatEvery [protocol.HeartbeatEvery].
	HeartbeatEvery time.Duration
	// LookupTimeout of all tries to search the knowledge bases [5 s]; then the conversation is handed off.
	LookupTimeout time.Duration
	// TurnTimeout is how long a turn that has begun may take to end when the worker is to stop [10 s].
	TurnTimeout time.Duration
	// LookEvery is the pause after which a session looks for messages although nothing told it to [30 s].
	LookEvery time.Duration
}

func (o *Options) complete() error {
	switch {
	case o.Dialer == nil || o.Source == nil:
		return errors.New("bot: Dialer and Source are required")
	case !conversation.IsToken(o.Name):
		return fmt.Errorf("bot: Name %q: use 1 to 64 characters of A-Z, a-z, 0-9, _ and -", o.Name)
	case o.Pool == "":
		return errors.New("bot: Pool is empty: name the bot pool that the worker serves")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&o.HeartbeatEvery, protocol.HeartbeatEvery}, {&o.LookupTimeout, 5 * time.Second},
		{&o.TurnTimeout, 10 * time.Second}, {&o.LookEvery, 30 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.usual
		}
	}
	return nil
}
