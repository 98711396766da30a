package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/telemetry"
)

// RunOptions of the bus role.
type RunOptions struct {
	Server ServerOptions
	// Source of the configuration: users, limits and routes.
	Source runtimeconfig.Source
	// Registry and Health of the role; both are needed.
	Registry prometheus.Registerer
	Health   *telemetry.Health
	// Started is called once the server accepts connections, with a dialer inside the process; nil for nobody.
	Started func(Dialer)
	// ReloadInterval in which the certificate files are looked at; 0 for 10 s.
	ReloadInterval time.Duration
	// StopTimeout for handing over to the other servers of a cluster; 0 for 10 s.
	StopTimeout time.Duration
}

const (
	defaultReload = 10 * time.Second
	defaultStop   = 10 * time.Second
)

// RunServer runs the bus role: it starts the server, makes the desk's stream,
// follows configuration and certificates, and ends gracefully with ctx. It
// returns nil then, or the reason why the server could not run.
func RunServer(ctx context.Context, o RunOptions) error {
	if o.Server.Logger == nil {
		o.Server.Logger = slog.Default()
	}
	r := &runner{options: o, log: o.Server.Logger}
	o.Health.Report("configuration", func(context.Context) error { return errors.Join(o.Source.Err(), r.get(&r.applied)) })
	o.Health.Report("certificates", func(context.Context) error { return r.get(&r.certificates) })
	// Not required: the servers of a cluster need each other to make the
	// stream, and would never meet if none became ready without it.
	o.Health.Report("stream", func(context.Context) error { return r.get(&r.stream) })
	r.set(&r.stream, errors.New("the stream is not made yet"))

	server, err := StartServer(ctx, o.Source.Current().Document, o.Server)
	if err != nil {
		return err
	}
	r.server = server
	if o.Started != nil {
		o.Started(server)
	}
	o.Health.Require("server", func(context.Context) error { return server.Ready() })
	o.Health.Report("store", func(context.Context) error { return server.logger.storeErr() })
	collector := server.Collector()
	if err := o.Registry.Register(collector); err != nil {
		err = fmt.Errorf("bus server: metrics: %w", err)
		return errors.Join(err, server.Shutdown(context.WithoutCancel(ctx)))
	}
	defer o.Registry.Unregister(collector)

	follow, stopFollowing := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { r.followConfiguration(follow) })
	wg.Go(func() { r.followCertificates(follow) })
	err = r.watch(ctx)
	o.Health.Drain()
	stopFollowing()
	wg.Wait()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), orDefault(o.StopTimeout, defaultStop))
	defer cancel()
	return errors.Join(err, server.Shutdown(stop))
}

// watch returns when ctx ends, or with the reason why the server is of no more
// use. The server gives up its store when it cannot write, for example to a
// full volume, and takes it up again only when it is started anew.
func (r *runner) watch(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.server.logger.died:
			return fmt.Errorf("bus server failed: %w", r.server.logger.err())
		case <-ticker.C:
		}
		if !r.server.nats.Running() {
			return errors.New("bus server ended by itself")
		}
		if !r.server.nats.JetStreamEnabled() {
			return fmt.Errorf("bus server gave up its store %s: it cannot write there, look for space on the volume", r.options.Server.Dir)
		}
		if err := r.server.logger.storeErr(); err != nil && writable(r.options.Server.Dir) {
			return fmt.Errorf("bus server could not write its store and takes it up again only when it is started anew: %w", err)
		}
	}
}

// probeBytes is what must fit into the store before a server that could not write there is started anew: less would
// be full again at once.
const probeBytes = 1 << 20

// writable says whether there is room on the volume of a folder.
func writable(dir string) bool {
	file, err := os.CreateTemp(dir, "probe-")
	if err != nil {
		return false
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(make([]byte, probeBytes))
	return errors.Join(err, file.Sync(), file.Close()) == nil
}

// runner is one RunServer.
type runner struct {
	options RunOptions
	log     *slog.Logger
	server  *Server

	mu                            sync.Mutex
	applied, certificates, stream error
}

func (r *runner) set(field *error, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*field = err
}

func (r *runner) get(field *error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return *field
}

// followConfiguration makes the stream and applies each change of the
// document, the first one too. What failed is tried again.
func (r *runner) followConfiguration(ctx context.Context) {
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	watch := r.options.Source.Watch(ctx)
	pending := false
	for {
		select {
		case <-ctx.Done():
			return
		case snapshot, open := <-watch:
			if !open {
				return
			}
			err := r.apply(snapshot)
			if err != nil {
				r.log.ErrorContext(ctx, "bus configuration not applied", "revision", snapshot.Revision, "error", err)
			} else {
				r.log.InfoContext(ctx, "bus configuration applied", "revision", snapshot.Revision)
			}
			r.set(&r.applied, err)
			pending = true
		case <-retry.C:
		}
		if pending {
			err := r.server.EnsureStream(ctx)
			r.set(&r.stream, err)
			pending = err != nil
			if err != nil && ctx.Err() == nil {
				r.log.WarnContext(ctx, "bus stream not ready, trying again", "error", err)
			}
		}
	}
}

// apply a document, but not the one that the server was started with.
func (r *runner) apply(snapshot runtimeconfig.Snapshot) error {
	if r.server.document() == snapshot.Document {
		return nil
	}
	return r.server.Apply(snapshot.Document)
}

func (r *runner) followCertificates(ctx context.Context) {
	ticker := time.NewTicker(orDefault(r.options.ReloadInterval, defaultReload))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		changed, err := r.server.ReloadTLS()
		r.set(&r.certificates, err)
		switch {
		case err != nil:
			r.log.ErrorContext(ctx, "bus certificates not usable, going on with the previous ones", "error", err)
		case changed:
			r.log.InfoContext(ctx, "bus certificates reloaded")
		}
	}
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return fallback
}
