package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/link/client"
	"github.com/deskfleet/deskfleet/internal/router"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig/overbus"
	"github.com/deskfleet/deskfleet/internal/telemetry"
)

// Names of the files that roles find in their mounted folders.
const (
	fileCA         = "ca.crt"
	fileSeed       = "nkey.seed"
	fileBusCreds   = "nats.creds" //nolint:gosec // the name of a file, not what is in it
	configInterval = time.Second
)

// roleOptions are the flags that all roles have.
type roleOptions struct {
	config         string
	secrets        string
	busCredentials string
	metricsAddress string
	logLevel       string
	pprof          bool
	name           string

	level slog.Level
}

func (o *roleOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.config, "config", "", "file with the desk's configuration (required)")
	f.StringVar(&o.secrets, "secrets", "", "folder with the role's generated Secret")
	f.StringVar(&o.busCredentials, "bus-credentials", "", "folder with nats.creds and ca.crt of an external bus")
	f.StringVar(&o.metricsAddress, "metrics", ":9090", "address of /metrics, /healthz and /readyz")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	f.BoolVar(&o.pprof, "pprof", false, "serve profiles on the address of the metrics")
	f.StringVar(&o.name, "name", os.Getenv("POD_NAME"), "name of this process on the bus; default the pod's, else the host's")
}

func (o *roleOptions) validate() error {
	if o.config == "" {
		return &usageError{errors.New("--config is empty: name the file with the desk's configuration")}
	}
	if err := o.level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return &usageError{fmt.Errorf("--log-level is %q: use debug, info, warn or error", o.logLevel)}
	}
	if o.name == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("--name is empty and the host has no name: %w", err)
		}
		o.name = host
	}
	return nil
}

// environment is what a role is given to run.
type environment struct {
	role       runtimeconfig.Role
	name       string
	secrets    string
	log        *slog.Logger
	registry   *prometheus.Registry
	health     *telemetry.Health
	source     *runtimeconfig.Store
	busMetrics *bus.Metrics
}

func addLinkFlag(f *pflag.FlagSet, token *string) {
	f.StringVar(token, "link-token", "", "file with the projected ServiceAccount token for the managers; default: report to none")
}

// link to the managers, with the token of a file; nil without one.
func (e *environment) link(token string) *router.Link {
	if token == "" {
		return nil
	}
	return &router.Link{TokenFile: token, Store: e.source, Metrics: client.NewMetrics(e.registry)}
}

// dialer reaches the bus as the desk's configuration says, and takes from it what is newer than the mounted configuration.
func (e *environment) dialer(o *roleOptions) bus.Dialer {
	files := bus.Files{CA: filepath.Join(o.secrets, fileCA), Seed: filepath.Join(o.secrets, fileSeed)}
	if document := e.source.Current().Document; document.Bus.External {
		files = bus.Files{Creds: filepath.Join(o.busCredentials, fileBusCreds)}
		if ca := filepath.Join(o.busCredentials, fileCA); exists(ca) {
			files.CA = ca
		}
	}
	return &overbus.Dialer{Inner: bus.EndpointFor(e.source.Current().Document, e.role, files), Store: e.source, Logger: e.log}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// newRole is the command of a role: common flags, telemetry around the body, and
// an end in the right order: the body drains while /readyz says so.
func newRole(role runtimeconfig.Role, short string, flags func(*pflag.FlagSet), body func(context.Context, *roleOptions, *environment) error) *cobra.Command {
	o := &roleOptions{}
	cmd := &cobra.Command{
		Use:   string(role),
		Short: short,
		Args:  nothing(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return runRole(cmd.Context(), role, o, cmd.ErrOrStderr(), body)
		},
	}
	o.addFlags(cmd.Flags())
	if flags != nil {
		flags(cmd.Flags())
	}
	return cmd
}

func runRole(ctx context.Context, role runtimeconfig.Role, o *roleOptions, stderr io.Writer, body func(context.Context, *roleOptions, *environment) error) error {
	logger := telemetry.NewLogger(stderr, o.level, "name", o.name)
	if role != runtimeconfig.RoleDesk { // its roles are named one by one
		logger = telemetry.ForRole(logger, string(role))
	}
	source, err := runtimeconfig.FromFile(ctx, o.config, configInterval)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	e := &environment{
		role: role, name: o.name, secrets: o.secrets, log: logger, source: source,
		registry: telemetry.NewRegistry(string(role)),
		health:   telemetry.NewHealth(func() string { return source.Current().Revision }),
	}
	e.busMetrics = bus.NewMetrics(e.registry)
	e.health.Report("configuration", func(context.Context) error { return source.Err() })
	return withTelemetry(ctx, telemetry.Options{
		Address: o.metricsAddress, Health: e.health, Registry: e.registry, Pprof: o.pprof, Logger: logger,
	}, func(ctx context.Context) error { return body(ctx, o, e) })
}

// withTelemetry serves health and metrics as long as the body runs, and ends the
// body when they cannot be served: a role that nobody can look at is no use.
func withTelemetry(ctx context.Context, options telemetry.Options, body func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() {
		err := telemetry.Serve(serving, options)
		if serving.Err() == nil {
			cancel(err)
		}
		served <- err
	}()
	err := body(ctx)
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	stop()
	return errors.Join(err, <-served)
}
