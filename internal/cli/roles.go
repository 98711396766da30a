package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/deskfleet/deskfleet/internal/archive"
	"github.com/deskfleet/deskfleet/internal/bot"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console"
	"github.com/deskfleet/deskfleet/internal/gateway"
	knowledge "github.com/deskfleet/deskfleet/internal/knowledge/server"
	"github.com/deskfleet/deskfleet/internal/router"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"

	"github.com/spf13/cobra"
)

// databaseFile is the archive's SQLite database in its data folder.
const databaseFile = "archive.db"

func newBus() *cobra.Command {
	var data, listen, cluster string
	return newRole(runtimeconfig.RoleBus, "Run a server of a desk's bus", func(f *pflag.FlagSet) {
		f.StringVar(&data, "data", "", "folder of the stored messages (required)")
		f.StringVar(&listen, "listen", ":4222", "address for the roles")
		f.StringVar(&cluster, "cluster-listen", ":6222", "address for the other servers of a cluster")
	}, func(ctx context.Context, o *roleOptions, e *environment) error {
		if data == "" {
			return &usageError{errors.New("--data is empty: name the folder of the stored messages")}
		}
		return bus.RunServer(ctx, bus.RunOptions{
			Server: bus.ServerOptions{
				Name: e.name, Dir: filepath.Join(data, "bus"), Listen: listen, ClusterListen: cluster, Logger: e.log,
				TLS: bus.TLSFiles{
					Cert: filepath.Join(o.secrets, "tls.crt"), Key: filepath.Join(o.secrets, "tls.key"), CA: filepath.Join(o.secrets, fileCA),
				},
			},
			Source: e.source, Registry: e.registry, Health: e.health,
		})
	})
}

func newRouter() *cobra.Command {
	var token string
	return newRole(runtimeconfig.RoleRouter, "Run a replica of the role that decides who answers", func(f *pflag.FlagSet) {
		addLinkFlag(f, &token)
	}, func(ctx context.Context, o *roleOptions, e *environment) error {
		return runRouter(ctx, e, router.Options{Dialer: e.dialer(o), Link: e.link(token)})
	})
}

// runRouter completes a router's options with the environment and runs it.
func runRouter(ctx context.Context, e *environment, options router.Options) error {
	options.Name, options.Logger, options.Config = e.name, e.log, e.source
	options.Metrics, options.BusMetrics = router.NewMetrics(e.registry), e.busMetrics
	r, err := router.New(options)
	if err != nil {
		return err
	}
	e.health.Require("router", func(context.Context) error {
		if !r.Status().CaughtUp {
			return errors.New("the desk's log is not read yet")
		}
		return nil
	})
	e.health.Report("policy", func(context.Context) error {
		if problem := r.Status().PolicyProblem; problem != "" {
			return fmt.Errorf("the escalation policy does not run, the last good one does: %s", problem)
		}
		return nil
	})
	return r.Run(ctx)
}

func newKnowledge() *cobra.Command {
	var folder string
	return newRole(runtimeconfig.RoleKnowledge, "Run the role that searches a desk's knowledge bases", func(f *pflag.FlagSet) {
		f.StringVar(&folder, "knowledge", "", "folder with the knowledge files (required)")
	}, func(ctx context.Context, o *roleOptions, e *environment) error {
		if folder == "" {
			return &usageError{errors.New("--knowledge is empty: name the folder with the knowledge files")}
		}
		return knowledge.Run(ctx, knowledge.Options{
			Name: e.name, Dialer: e.dialer(o), BusMetrics: e.busMetrics, Source: e.source, Folder: folder,
			Logger: e.log, Registerer: e.registry, Health: e.health,
		})
	})
}

func newArchive() *cobra.Command {
	var data, dsn, webhooks string
	return newRole(runtimeconfig.RoleArchive, "Run the role that keeps closed conversations and the audit table", func(f *pflag.FlagSet) {
		f.StringVar(&data, "data", "", "folder of the SQLite database; this or --postgres-dsn is required")
		addDSNFlag(f, &dsn)
		f.StringVar(&webhooks, "webhooks", "", "folder with a folder of secrets for each webhook")
	}, func(ctx context.Context, o *roleOptions, e *environment) error {
		if (data == "") == (dsn == "") {
			return &usageError{errors.New("give either --data, the folder of an SQLite database, or --postgres-dsn, a file with a DSN")}
		}
		return archive.Run(ctx, archive.Options{
			Name: e.name, Dialer: e.dialer(o), BusMetrics: e.busMetrics, Source: e.source, Open: openArchive(data, dsn, e.log),
			WebhookSecrets: webhooks,
			Logger:         e.log, Registerer: e.registry, Health: e.health,
		})
	})
}

// addDSNFlag takes the name of a file: what stands in an argument can be read by all who can list processes.
func addDSNFlag(f *pflag.FlagSet, dsn *string) {
	f.StringVar(dsn, "postgres-dsn", "", "file with the DSN of the archive's PostgreSQL, which may come later")
}

// openArchive opens the PostgreSQL of a file with a DSN, or without one the SQLite database in a folder, which it makes.
func openArchive(data, dsn string, logger *slog.Logger) func(context.Context, bus.Subjects) (archive.Store, error) {
	if dsn != "" {
		return archive.PostgresFromFile(dsn, logger)
	}
	return func(ctx context.Context, subjects bus.Subjects) (archive.Store, error) {
		folder := filepath.Join(data, "archive")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("--data: %w", err)
		}
		return archive.OpenSQLite(ctx, filepath.Join(folder, databaseFile), subjects)
	}
}

func newGateway() *cobra.Command {
	var listen, webhooks string
	return newRole(runtimeconfig.RoleGateway, "Run the role that customers connect to", func(f *pflag.FlagSet) {
		f.StringVar(&webhooks, "webhooks", "", "folder with a folder of secrets for each channel that is a webhook")
		f.StringVar(&listen, "listen", ":8080", "address for customers")
	}, func(ctx context.Context, o *roleOptions, e *environment) error {
		return gateway.Run(ctx, gateway.Options{
			Name: e.name, Listen: listen, Source: e.source, Dialer: e.dialer(o), BusMetrics: e.busMetrics, Secrets: o.secrets,
			Webhooks: webhooks,
			Logger:   e.log, Registerer: e.registry, Health: e.health,
		})
	})
}

func newBot() *cobra.Command {
	var pool string
	return newRole(runtimeconfig.RoleBot, "Run a bot worker of a pool", func(f *pflag.FlagSet) {
		f.StringVar(&pool, "pool", "", "name of the AgentPool (required)")
	}, func(ctx context.Context, o *roleOptions, e *environment) error {
		if pool == "" {
			return &usageError{errors.New("--pool is empty: name the AgentPool")}
		}
		return bot.Run(ctx, bot.Options{
			Name: e.name, Pool: pool, Dialer: e.dialer(o), BusMetrics: e.busMetrics, Source: e.source,
			Logger: e.log, Registerer: e.registry, Health: e.health,
		})
	})
}

func newConsole() *cobra.Command {
	var listen, tokens string
	return newRole(runtimeconfig.RoleConsole, "Run the role that agents connect to", func(f *pflag.FlagSet) {
		f.StringVar(&listen, "listen", ":8080", "address for agents")
		f.StringVar(&tokens, "tokens", "", "file with the agents' tokens; without it nobody can sign in")
	}, func(ctx context.Context, o *roleOptions, e *environment) error {
		return console.Run(ctx, console.Options{
			Name: e.name, Listen: listen, Source: e.source, Dialer: e.dialer(o), BusMetrics: e.busMetrics, Tokens: tokens,
			Logger: e.log, Registerer: e.registry, Health: e.health,
		})
	})
}
