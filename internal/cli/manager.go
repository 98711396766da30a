package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/deskfleet/deskfleet/controllers"
	"github.com/deskfleet/deskfleet/controllers/link"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/status"
)

type managerOptions struct {
	defaultsFile   string
	namespaces     []string
	concurrency    int
	leaderElect    bool
	metricsAddress string
	healthAddress  string
	linkAddress    string
	logLevel       string

	settings render.Settings
	level    slog.Level
}

func (o *managerOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.defaultsFile, "defaults", "", "file with the defaults of all desks: image, pull secrets, storage class, resources, log level (required)")
	f.StringSliceVar(&o.namespaces, "namespaces", nil, "namespaces to watch; default all")
	f.IntVar(&o.concurrency, "max-concurrent-reconciles", 10, "objects of each kind that are reconciled at a time, 1 to 100")
	f.BoolVar(&o.leaderElect, "leader-elect", false, "let one of several replicas work, the others stand by")
	f.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443", "address of /metrics, over HTTPS for those who may read it; 0 for none")
	f.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	f.StringVar(&o.linkAddress, "link-bind-address", ":9443", "address on which desks report, over HTTPS; 0 for none. It takes POD_NAMESPACE and the Service deskfleet-link there")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
}

func (o *managerOptions) validate() error {
	if o.defaultsFile == "" {
		return &usageError{fmt.Errorf("--defaults is empty: name the file with the defaults of all desks")}
	}
	if o.concurrency < 1 || o.concurrency > 100 {
		return &usageError{fmt.Errorf("--max-concurrent-reconciles is %d: use 1 to 100", o.concurrency)}
	}
	if err := o.level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return &usageError{fmt.Errorf("--log-level is %q: use debug, info, warn or error", o.logLevel)}
	}
	data, err := os.ReadFile(o.defaultsFile)
	if err != nil {
		return fmt.Errorf("--defaults: %w", err)
	}
	o.settings, err = render.ParseSettings(data)
	return err
}

func newManager() *cobra.Command {
	o := &managerOptions{}
	cmd := &cobra.Command{
		Use:   "manager",
		Short: "Run the operator",
		Args: noneBut(func(string) string {
			return "its settings are flags, and the defaults of desks stand in the file that --defaults names"
		}),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return runManager(cmd.Context(), o)
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// link to the desks; nil where the manager is reached by none.
func (o *managerOptions) link(ctx context.Context, log *slog.Logger) *link.Options {
	namespace := os.Getenv("POD_NAMESPACE")
	switch {
	case o.linkAddress == "0":
		return nil
	case namespace == "":
		// Outside of a cluster no desk finds the manager.
		log.InfoContext(ctx, "link is off", "why", "POD_NAMESPACE is empty, so that desks would not know the managers' address")
		return nil
	}
	return &link.Options{Namespace: namespace, Name: os.Getenv("POD_NAME"), Address: o.linkAddress}
}

func runManager(ctx context.Context, o *managerOptions) error {
	handler := status.Quiet(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: o.level}))
	logger := slog.New(handler)
	log.SetLogger(logr.FromSlogHandler(handler))
	klog.SetSlogLogger(logger)

	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	kinds, err := controllers.Kinds(config)
	if err != nil {
		return err
	}
	options := controllers.ManagerOptions(o.namespaces, o.leaderElect)
	options.Metrics = metricsserver.Options{
		BindAddress: o.metricsAddress, SecureServing: true, FilterProvider: filters.WithAuthenticationAndAuthorization,
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.MinVersion = tls.VersionTLS12 }},
	}
	options.HealthProbeBindAddress = o.healthAddress
	options.GracefulShutdownTimeout = new(20 * time.Second)
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		return fmt.Errorf("make the manager: %w", err)
	}
	if err := controllers.Setup(ctx, mgr, controllers.Options{
		Settings: o.settings, Kinds: kinds, Concurrency: o.concurrency, Namespaces: o.namespaces, Link: o.link(ctx, logger), Log: logger,
	}); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add a health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add a readiness check: %w", err)
	}
	logger.InfoContext(ctx, "manager starts", "namespaces", o.namespaces, "image", o.settings.Image)
	return mgr.Start(ctx)
}
