package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Limits of the server, so that nobody who reaches it can hold the role up.
const (
	readTimeout     = 5 * time.Second
	writeTimeout    = 30 * time.Second
	profileTimeout  = 2 * time.Minute // of everything when profiles are on
	idleTimeout     = time.Minute
	maxHeader       = 16 << 10
	scrapesAtOnce   = 4
	shutdownTimeout = 5 * time.Second
)

// Options of [Serve].
type Options struct {
	// Address to listen on, HOST:PORT; ignored with a Listener.
	Address string
	// Listener to serve on; Serve closes it.
	Listener net.Listener
	Health   *Health
	Registry *prometheus.Registry
	// Pprof serves /debug/pprof/. Off by default: profiles tell a lot and cost a lot.
	Pprof  bool
	Logger *slog.Logger
}

// Serve answers /metrics, /healthz and /readyz until ctx ends. Let ctx end
// last of all, after the role has drained: until then the role must be able to
// say that it is draining.
func Serve(ctx context.Context, o Options) error {
	listener := o.Listener
	if listener == nil {
		var err error
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", o.Address); err != nil {
			return fmt.Errorf("telemetry: listen on %q: %w", o.Address, err)
		}
	}
	server := &http.Server{
		Handler:           Handler(o),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
	}
	if o.Pprof {
		server.WriteTimeout = profileTimeout
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	o.Logger.InfoContext(ctx, "telemetry serves", "address", listener.Addr().String(), "pprof", o.Pprof)
	select {
	case err := <-served:
		return fmt.Errorf("telemetry: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(stop)
	if err != nil {
		err = errors.Join(fmt.Errorf("telemetry: shutdown: %w", err), server.Close())
	}
	<-served
	return err
}

// Handler of Serve, for a role that serves it on a listener of its own.
func Handler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{
		Registry:            o.Registry,
		MaxRequestsInFlight: scrapesAtOnce,
		Timeout:             writeTimeout / 2,
	}))
	mux.HandleFunc("GET /healthz", serveLive)
	mux.HandleFunc("GET /readyz", o.Health.serveReady)
	if o.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}
