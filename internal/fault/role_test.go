package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/archive"
	"github.com/deskfleet/deskfleet/internal/bot"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console"
	"github.com/deskfleet/deskfleet/internal/desk"
	"github.com/deskfleet/deskfleet/internal/gateway"
	"github.com/deskfleet/deskfleet/internal/router"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/telemetry"
)

// roleVariable makes the test's binary a role of the desk instead of a test.
const roleVariable = "DESKFLEET_FAULT_ROLE"

// spec is what a child is told to be.
type spec struct {
	Role     runtimeconfig.Role
	Name     string
	Document *runtimeconfig.Document
	// Seed of the role's key on the bus, and the folders and addresses of the roles that have some.
	Seed, Secrets, Tokens, Data   string
	Listen, BusListen, BusCluster string
	// Lease of a router; 0 for the usual one.
	Lease time.Duration
	// Clock is by how much the wall clock of the machine is wrong.
	Clock time.Duration
	// Kill the process by its own hand at a point; nil for never.
	Kill *point
}

func TestMain(m *testing.M) {
	if text := os.Getenv(roleVariable); text != "" {
		var s spec
		err := json.Unmarshal([]byte(text), &s)
		if err == nil {
			err = s.run()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// run is the child. It ends when its standard input does, so that none outlives the test.
func (s *spec) run() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	source, err := runtimeconfig.NewStoreOf(s.Document)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	registry, health := prometheus.NewRegistry(), telemetry.NewHealth(nil)
	var dialer bus.Dialer = bus.EndpointFor(s.Document, s.Role, bus.Files{Seed: s.Seed})
	if s.Kill != nil {
		dialer = mortal{dialer, s.Kill}
	}
	server := bus.ServerOptions{Name: s.Name, Dir: filepath.Join(s.Data, "bus"), Listen: s.BusListen, ClusterListen: s.BusCluster, Plaintext: true, Logger: logger}
	switch s.Role {
	case runtimeconfig.RoleBus:
		return bus.RunServer(ctx, bus.RunOptions{Server: server, Source: source, Registry: registry, Health: health})
	case runtimeconfig.RoleRouter:
		return router.Run(ctx, router.Options{Name: s.Name, Dialer: dialer, Config: source, Logger: logger, LeaseFor: s.Lease, Clock: s.clock()})
	case runtimeconfig.RoleGateway:
		return gateway.Run(ctx, gateway.Options{
			Name: s.Name, Listen: s.Listen, Source: source, Dialer: dialer, Secrets: s.Secrets, Logger: logger, DrainWithin: 5 * time.Second,
		})
	case runtimeconfig.RoleConsole:
		return console.Run(ctx, console.Options{
			Name: s.Name, Listen: s.Listen, Source: source, Dialer: dialer, Tokens: s.Tokens, Logger: logger, DrainWithin: 5 * time.Second,
		})
	case runtimeconfig.RoleBot:
		return bot.Run(ctx, bot.Options{Name: s.Name, Pool: "bots", Source: source, Dialer: dialer, Logger: logger})
	case runtimeconfig.RoleDesk:
		return s.runDesk(ctx, source, server, logger, registry, health)
	default:
		return errors.New("no such role: " + string(s.Role))
	}
}

func (s *spec) clock() func() time.Time {
	if s.Clock == 0 {
		return nil
	}
	return func() time.Time { return time.Now().Add(s.Clock) }
}

// runDesk is profile Compact, with a bot worker beside.
func (s *spec) runDesk(ctx context.Context, source *runtimeconfig.Store, server bus.ServerOptions, logger *slog.Logger, registry *prometheus.Registry, health *telemetry.Health) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return err
	}
	return desk.Run(ctx, desk.Options{
		Name: s.Name, Source: source, Bus: server, Data: s.Data, Knowledge: filepath.Join(s.Data, "knowledge"), Secrets: s.Secrets, Tokens: s.Tokens,
		Listener: listener, Workers: []desk.Worker{{Name: "bot-0", Pool: "bots"}},
		Open: func(ctx context.Context, subjects bus.Subjects) (archive.Store, error) {
			return archive.OpenSQLite(ctx, filepath.Join(s.Data, "archive.db"), subjects)
		},
		BusMetrics: bus.NewMetrics(registry), Logger: logger, Registry: registry, Health: health,
	})
}
