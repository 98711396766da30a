package gateway

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/telemetry"
	"github.com/deskfleet/deskfleet/internal/web/limit"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// Channel is the name of the web chat in events.
const Channel = "web"

// Options of the role. Zero values stand for the defaults in brackets.
type Options struct {
	// Name of this gateway, the pod's name. Required and different for each replica.
	Name string
	// Listen is HOST:PORT to serve on. Empty: nothing is listened on and the caller serves [Gateway.Handler].
	Listen string
	// Source of the configuration. Required.
	Source runtimeconfig.Source
	// Dialer of the bus. Required.
	Dialer bus.Dialer
	// BusMetrics counts what happens on the connection; nil counts nothing.
	BusMetrics *bus.Metrics
	// Secrets is the folder that holds contact-token.key. Required.
	Secrets string
	// Webhooks is the folder that holds the folder of secrets of the channel for bridges, see
	// runtimeconfig.ChannelWebhookName; empty: no bridge is believed.
	Webhooks string
	// Logger [slog.Default].
	Logger *slog.Logger
	// Registerer for the role's metrics; nil registers none.
	Registerer prometheus.Registerer
	// Health that the role adds its checks to; nil for none.
	Health *telemetry.Health
	// TrustedProxies may say in X-Forwarded-For where a request comes from [limit.PrivateNetworks].
	TrustedProxies []netip.Prefix
	// MaxConnections of WebSockets in all [20000] and from one address [100]; customers behind one company's
	// address share the latter.
	MaxConnections, MaxConnectionsPerAddress int
	// NewContactsPerMinute from one address [60].
	NewContactsPerMinute int
	// DrainWithin is how long open sockets and requests may take to end [20 s].
	DrainWithin time.Duration
	// LeftAfter is how long after a contact's last socket the router is told that the customer left [5 s]: a
	// page that is loaded again must not count.
	LeftAfter time.Duration
	// Socket limits.
	Socket socket.Options
}

func (o *Options) complete() error {
	switch {
	case o.Name == "":
		return errors.New("gateway: Name is empty: give the pod's name")
	case o.Source == nil || o.Dialer == nil:
		return errors.New("gateway: Source and Dialer are required")
	case o.Secrets == "":
		return errors.New("gateway: Secrets is empty: name the folder that holds contact-token.key")
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
		{&o.MaxConnections, 20000}, {&o.MaxConnectionsPerAddress, 100}, {&o.NewContactsPerMinute, 60},
	} {
		if *n.value == 0 {
			*n.value = n.standby
		}
	}
	for _, d := range []struct {
		value   *time.Duration
		standby time.Duration
	}{
		{&o.DrainWithin, 20 * time.Second}, {&o.LeftAfter, 5 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.standby
		}
	}
	return nil
}
