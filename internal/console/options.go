package console

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/telemetry"
	"github.com/deskfleet/deskfleet/internal/web/limit"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// Path that everything of the console stands under, so that it can share a host with the chat.
const Path = "/console"

// Options of the role. Zero values stand for the defaults in brackets.
type Options struct {
	// Name of this console, the pod's name. Required.
	Name string
	// Listen is HOST:PORT to serve on. Empty: nothing is listened on and the caller serves [Console.Handler].
	Listen string
	// Source of the configuration. Required.
	Source runtimeconfig.Source
	// Dialer of the bus. Required.
	Dialer bus.Dialer
	// BusMetrics counts what happens on the connection; nil counts nothing.
	BusMetrics *bus.Metrics
	// Tokens is the file with the agents' tokens; empty when the desk names none, nobody can sign in then.
	Tokens string
	// Logger [slog.Default].
	Logger *slog.Logger
	// Registerer for the role's metrics; nil registers none.
	Registerer prometheus.Registerer
	// Health that the role adds its checks to; nil for none.
	Health *telemetry.Health
	// TrustedProxies may say in X-Forwarded-For where a request comes from [limit.PrivateNetworks].
	TrustedProxies []netip.Prefix
	// MaxConnections of WebSockets in all [5000] and from one address [500].
	MaxConnections, MaxConnectionsPerAddress int
	// WrongTokensPerMinute from one address [10], after which no token of it is looked at for a while; from all
	// addresses together sixty times as many.
	WrongTokensPerMinute int
	// HeartbeatEvery of signed-on agents [protocol.HeartbeatEvery].
	HeartbeatEvery time.Duration
	// TokensEvery is how often the tokens are read again [5 s].
	TokensEvery time.Duration
	// DrainWithin is how long open sockets and requests may take to end [20 s].
	DrainWithin time.Duration
	// Socket limits.
	Socket socket.Options
}

func (o *Options) complete() error {
	switch {
	case o.Name == "":
		return errors.New("console: Name is empty: give the pod's name")
	case o.Source == nil || o.Dialer == nil:
		return errors.New("console: Source and Dialer are required")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.TrustedProxies == nil {
		o.TrustedProxies = limit.PrivateNetworks()
	}
	for _, n := range []struct {
		value   *int
		standby int
	}{
		{&o.MaxConnections, 5000}, {&o.MaxConnectionsPerAddress, 500}, {&o.WrongTokensPerMinute, 10},
	} {
		if *n.value == 0 {
			*n.value = n.standby
		}
	}
	for _, d := range []struct {
		value   *time.Duration
		standby time.Duration
	}{
		{&o.HeartbeatEvery, protocol.HeartbeatEvery}, {&o.TokensEvery, 5 * time.Second}, {&o.DrainWithin, 20 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.standby
		}
	}
	return nil
}
