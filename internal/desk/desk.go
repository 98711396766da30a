// Package desk runs the roles of a desk in one process: profile Compact, and the
// desk that a newcomer tries out without a cluster.
package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/archive"
	"github.com/deskfleet/deskfleet/internal/bot"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console"
	"github.com/deskfleet/deskfleet/internal/gateway"
	knowledge "github.com/deskfleet/deskfleet/internal/knowledge/server"
	"github.com/deskfleet/deskfleet/internal/router"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/telemetry"
)

// Options of a desk in one process.
type Options struct {
	// Name of the process on the bus. Required.
	Name string
	// Source of the configuration. Required.
	Source *runtimeconfig.Store
	// Bus says where the bus listens, if it does, and with which certificate. Its folder is below Data.
	Bus bus.ServerOptions
	// Data is the folder of everything that is stored. Required.
	Data string
	// Knowledge is the folder with the knowledge files. Required.
	Knowledge string
	// Secrets is the folder with the key that signs customers' tokens. Required.
	Secrets string
	// Tokens is the file with the agents' tokens; empty: nobody can sign on.
	Tokens string
	// Webhooks is the folder with the secrets of webhooks; empty: none can be signed.
	Webhooks string
	// Listener for customers and agents. Required; Run closes it.
	Listener net.Listener
	// Workers are bot workers that run in the process too; a desk on Kubernetes has pods for them.
	Workers []Worker
	// Open the archive's database. Required.
	Open func(context.Context, bus.Subjects) (archive.Store, error)
	// Link to the managers; nil for none.
	Link *router.Link
	// BusMetrics of the connections of all roles. Required.
	BusMetrics *bus.Metrics
	// Logger, Registry and Health of the process. Required.
	Logger   *slog.Logger
	Registry *prometheus.Registry
	Health   *telemetry.Health
	// Ready is called once, when customers are served.
	Ready func()
}

// Worker is a bot worker.
type Worker struct{ Name, Pool string }

// failedTimeout is how long the roles may take to end when one has failed. Together with the start it stays below the 10 s
// in which a desk of one process serves again.
const failedTimeout = 3 * time.Second

// shutdownTimeout of the HTTP server, after gateway and console have drained.
const shutdownTimeout = 5 * time.Second

// Run runs the desk until ctx ends, and then drains it.
func Run(ctx context.Context, o Options) error {
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	l := layers{log: o.Logger, failed: failed}
	err := o.start(ctx, &l)
	if err == nil {
		<-ctx.Done()
		if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
			err = cause
		}
	}
	o.Health.Drain()
	if err != nil {
		return errors.Join(err, l.stopWithin(failedTimeout))
	}
	return l.stop()
}

// start the layers: each needs those before it.
func (o *Options) start(ctx context.Context, l *layers) error {
	metrics := o.BusMetrics
	dialer, err := o.startBus(ctx, l)
	if err != nil {
		return err
	}
	r, err := router.New(router.Options{
		Name: o.Name, Dialer: dialer, Config: o.Source, Link: o.Link, Logger: o.logger(runtimeconfig.RoleRouter),
		Metrics: router.NewMetrics(o.Registry), BusMetrics: metrics,
	})
	if err != nil {
		return err
	}
	l.start(
		part{"router", r.Run},
		part{"knowledge", func(ctx context.Context) error {
			return knowledge.Run(ctx, knowledge.Options{
				Name: o.Name, Dialer: dialer, BusMetrics: metrics, Source: o.Source, Folder: o.Knowledge,
				Logger: o.logger(runtimeconfig.RoleKnowledge), Registerer: o.Registry, Health: o.Health,
			})
		}},
		part{"archive", func(ctx context.Context) error {
			return archive.Run(ctx, archive.Options{
				Name: o.Name, Dialer: dialer, BusMetrics: metrics, Source: o.Source, Open: o.Open, WebhookSecrets: o.Webhooks,
				Logger: o.logger(runtimeconfig.RoleArchive), Registerer: o.Registry, Health: o.Health, Beside: true,
			})
		}},
	)
	if len(o.Workers) > 0 {
		l.start(o.workers(dialer)...)
	}
	return o.startWeb(l, dialer, metrics)
}

func (o *Options) logger(role runtimeconfig.Role) *slog.Logger {
	return telemetry.ForRole(o.Logger, string(role))
}

// startBus returns when the bus accepts connections.
func (o *Options) startBus(ctx context.Context, l *layers) (bus.Dialer, error) {
	started := make(chan bus.Dialer, 1)
	server := o.Bus
	server.Name, server.Dir, server.Logger = o.Name, filepath.Join(o.Data, "bus"), o.logger(runtimeconfig.RoleBus)
	l.start(part{"bus", func(ctx context.Context) error {
		return bus.RunServer(ctx, bus.RunOptions{
			Server: server, Source: o.Source, Registry: o.Registry, Health: o.Health,
			Started: func(d bus.Dialer) { started <- d },
		})
	}})
	select {
	case dialer := <-started:
		return dialer, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (o *Options) workers(dialer bus.Dialer) []part {
	parts := make([]part, 0, len(o.Workers))
	for _, w := range o.Workers {
		parts = append(parts, part{"bot " + w.Name, func(ctx context.Context) error {
			return bot.Run(ctx, bot.Options{
				Name: w.Name, Pool: w.Pool, Dialer: dialer, Source: o.Source, Logger: o.logger(runtimeconfig.RoleBot),
			})
		}})
	}
	return parts
}

// startWeb serves gateway and console on one listener.
func (o *Options) startWeb(l *layers, dialer bus.Dialer, metrics *bus.Metrics) error {
	g, err := gateway.New(gateway.Options{
		Name: o.Name, Source: o.Source, Dialer: dialer, BusMetrics: metrics, Secrets: o.Secrets, Webhooks: o.Webhooks,
		Logger: o.logger(runtimeconfig.RoleGateway), Registerer: o.Registry, Health: o.Health,
	})
	if err != nil {
		return err
	}
	c, err := console.New(console.Options{
		Name: o.Name, Source: o.Source, Dialer: dialer, BusMetrics: metrics, Tokens: o.Tokens,
		Logger: o.logger(runtimeconfig.RoleConsole), Registerer: o.Registry, Health: o.Health,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(console.Path, c.Handler())
	mux.Handle(console.Path+"/", c.Handler())
	mux.Handle("/", g.Handler())
	l.start(part{"web", func(ctx context.Context) error { return o.serve(ctx, mux) }})
	// Above the listener: the sockets are told to come back while they can still be answered.
	l.start(part{"gateway", g.Run}, part{"console", c.Run})
	if o.Ready != nil {
		o.Ready()
	}
	return nil
}

func (o *Options) serve(ctx context.Context, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(o.Listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve customers and agents: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(stop)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	<-served
	return err
}
