package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console"
	"github.com/deskfleet/deskfleet/internal/credentials"
	"github.com/deskfleet/deskfleet/internal/desk"
	"github.com/deskfleet/deskfleet/internal/manifest"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/telemetry"
)

// trialStoreBytes is what the bus of a desk without a cluster may store.
const trialStoreBytes = 1 << 30

type deskOptions struct {
	roleOptions
	files     []string
	desk      string
	listen    string
	busListen string
	data      string
	knowledge string
	tokens    string
	webhooks  string
	linkToken string
	dsn       string
}

func (o *deskOptions) addFlags(f *pflag.FlagSet) {
	o.roleOptions.addFlags(f)
	f.StringArrayVarP(&o.files, "filename", "f", nil, "run the desk of these manifests without a cluster: file or folder, - for standard input; may be given several times")
	f.StringVar(&o.desk, "desk", "", "name of the desk, where the manifests hold several")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address for customers and agents")
	f.StringVar(&o.busListen, "bus-listen", ":4222", "address of the bus for bot workers in other pods; with --config only")
	f.StringVar(&o.data, "data", "", "folder of everything that is stored; default with -f: a temporary one")
	f.StringVar(&o.knowledge, "knowledge", "", "folder with the knowledge files; with --config only")
	f.StringVar(&o.webhooks, "webhooks", "", "folder with a folder of secrets for each webhook; default with -f: the Secrets in the manifests")
	f.StringVar(&o.tokens, "tokens", "", "file with the agents' tokens; default with -f: the Secret in the manifests, else made up and printed")
	addLinkFlag(f, &o.linkToken)
	addDSNFlag(f, &o.dsn)
	f.Lookup("postgres-dsn").Usage += "; with --config only"
	f.Lookup("log-level").Usage += "; default with -f: warn"
	f.Lookup("metrics").Usage += "; with --config only"
}

func newDesk() *cobra.Command {
	o := &deskOptions{}
	cmd := &cobra.Command{
		Use:   "desk -f FILE...",
		Short: "Run a whole desk in one process",
		Long: `Desk runs all roles of a desk in this process. With -f it takes the same manifests
as a cluster, prints the addresses of the chat and the console, and needs nothing
else: for trying out. With --config it is the pod of a desk of profile Compact.`,
		Args: inFiles(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case len(o.files) > 0 && o.config != "":
				return &usageError{errors.New("-f and --config exclude each other: manifests without a cluster, or the configuration of one")}
			case len(o.files) > 0:
				if !cmd.Flags().Changed("log-level") {
					o.logLevel = slog.LevelWarn.String() // a person reads along, who came for the addresses
				}
				return runTrial(cmd.Context(), o, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			case o.config == "":
				return &usageError{errors.New("-f is missing: name a file or folder with manifests")}
			}
			if err := o.validate(); err != nil {
				return err
			}
			return runRole(cmd.Context(), runtimeconfig.RoleDesk, &o.roleOptions, cmd.ErrOrStderr(), o.runCompact)
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// runCompact is the pod of profile Compact.
func (o *deskOptions) runCompact(ctx context.Context, _ *roleOptions, e *environment) error {
	if o.data == "" || o.knowledge == "" || o.secrets == "" {
		return &usageError{errors.New("--data, --knowledge and --secrets are required with --config")}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	return desk.Run(ctx, desk.Options{
		Name: e.name, Source: e.source, Data: o.data, Knowledge: o.knowledge, Secrets: o.secrets, Tokens: o.tokens, Webhooks: o.webhooks,
		Bus: bus.ServerOptions{Listen: o.busListen, TLS: bus.TLSFiles{
			Cert: filepath.Join(o.secrets, credentials.FileCertificate), Key: filepath.Join(o.secrets, credentials.FilePrivateKey), CA: filepath.Join(o.secrets, fileCA),
		}},
		Listener: listener, Open: openArchive(o.data, o.dsn, e.log), Link: e.link(o.linkToken), BusMetrics: e.busMetrics, Logger: e.log, Registry: e.registry, Health: e.health,
	})
}

// runTrial runs the desk of manifests without a cluster.
func runTrial(ctx context.Context, o *deskOptions, stdin io.Reader, stdout, stderr io.Writer) error {
	begin := time.Now()
	if err := o.level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return &usageError{fmt.Errorf("--log-level is %q: use debug, info, warn or error", o.logLevel)}
	}
	objects, err := manifest.Load(o.files, stdin)
	if err != nil {
		return err
	}
	plans, err := planOf(objects, stderr)
	if err != nil {
		return err
	}
	for _, problem := range plans.Problems {
		_, _ = fmt.Fprintln(stderr, "Warning:", problem)
	}
	planned, err := chooseDesk(plans, o.desk)
	if err != nil {
		return err
	}
	data, cleanUp, err := o.folder()
	if err != nil {
		return err
	}
	defer cleanUp()
	t := trial{options: o, planned: planned, data: data, stdout: stdout}
	if err := t.prepare(objects); err != nil {
		return err
	}
	return t.run(ctx, stderr, plans, begin)
}

func chooseDesk(plans *plan.Plans, name string) (*render.Desk, error) {
	var names []string
	for _, d := range plans.Desks {
		if d.Owner.Name == name || (name == "" && len(plans.Desks) == 1) {
			return d, nil
		}
		names = append(names, d.Owner.Name)
	}
	if len(names) == 0 {
		return nil, errors.New("the manifests hold no ServiceDesk: add one")
	}
	return nil, fmt.Errorf("--desk is %q, the manifests hold the desks %s: name one of them", name, strings.Join(names, ", "))
}

// folder is where the trial stores everything; a temporary one goes at the end.
func (o *deskOptions) folder() (string, func(), error) {
	if o.data != "" {
		return o.data, func() {}, os.MkdirAll(o.data, 0o700)
	}
	folder, err := os.MkdirTemp("", "deskfleet-")
	return folder, func() { _ = os.RemoveAll(folder) }, err
}

// trial is a desk without a cluster.
type trial struct {
	options  *deskOptions
	planned  *render.Desk
	data     string
	stdout   io.Writer
	document *runtimeconfig.Document
	tokens   string
	// shown are the tokens that are printed: those that were made up.
	shown []agentToken
}

// agentToken is an entry of tokens.yaml.
type agentToken struct {
	Name  string `json:"name"`
	Role  string `json:"role"`
	Token string `json:"token"`
}

func (t *trial) knowledge() string { return filepath.Join(t.data, "knowledge") }
func (t *trial) secrets() string   { return filepath.Join(t.data, "secrets") }

func (t *trial) webhooks() string {
	return cmp.Or(t.options.webhooks, filepath.Join(t.data, "webhooks"))
}

// prepare lays out what a cluster would mount.
func (t *trial) prepare(objects *manifest.Objects) error {
	document, err := runtimeconfig.Parse(t.planned.Document)
	if err != nil {
		return err
	}
	// The bus runs in this process and is reached in it: no addresses, no keys, no volume to share.
	document.Bus = runtimeconfig.Bus{Replicas: 1, MaxStoreBytes: trialStoreBytes}
	t.document = document
	for _, folder := range []string{t.knowledge(), t.secrets()} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	for _, shard := range t.planned.Shards {
		for file, content := range shard {
			if err := os.WriteFile(filepath.Join(t.knowledge(), file), content, 0o600); err != nil {
				return err
			}
		}
	}
	key := filepath.Join(t.secrets(), credentials.FileContactTokenKey)
	if !exists(key) { // kept with --data: customers resume after a restart
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails
		if err := os.WriteFile(key, secret, 0o600); err != nil {
			return err
		}
	}
	if err := t.prepareWebhooks(objects); err != nil {
		return err
	}
	return t.prepareTokens(objects)
}

// prepareTokens takes the agents' tokens from the flag, from the Secret that the desk names, or makes them up.
func (t *trial) prepareTokens(objects *manifest.Objects) error {
	t.tokens = t.options.tokens
	if t.tokens != "" {
		return nil
	}
	t.tokens = filepath.Join(t.secrets(), "tokens.yaml")
	if auth := t.planned.Spec.AgentsAuth; auth != nil {
		for _, secret := range objects.Secrets {
			if secret.Namespace == t.planned.Owner.Namespace && secret.Name == string(auth.TokensSecretRef.Name) {
				return os.WriteFile(t.tokens, secret.Data["tokens.yaml"], 0o600)
			}
		}
	}
	for i := range t.document.Pools {
		if human := t.document.Pools[i].Human; human != nil {
			for _, member := range human.Members {
				t.shown = append(t.shown, agentToken{Name: member, Role: "agent", Token: rand.Text()})
			}
		}
	}
	data, err := json.Marshal(t.shown) // JSON is YAML
	if err != nil {
		return err
	}
	return os.WriteFile(t.tokens, data, 0o600)
}

func (t *trial) run(ctx context.Context, stderr io.Writer, plans *plan.Plans, begin time.Time) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", t.options.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	source, err := runtimeconfig.NewStoreOf(t.document)
	if err != nil {
		return err
	}
	logger, registry := telemetry.NewLogger(stderr, t.options.level), telemetry.NewRegistry("desk")
	return desk.Run(ctx, desk.Options{
		Name: "desk", Source: source, Data: t.data, Knowledge: t.knowledge(), Secrets: t.secrets(), Tokens: t.tokens, Webhooks: t.webhooks(),
		Listener: listener, Workers: t.workers(plans), Open: openArchive(t.data, "", logger),
		BusMetrics: bus.NewMetrics(registry), Logger: logger, Registry: registry, Health: telemetry.NewHealth(nil),
		Ready: func() { t.greet(listener.Addr().String(), time.Since(begin)) },
	})
}

// workers are the bot workers of the desk's pools, in this process.
func (t *trial) workers(plans *plan.Plans) []desk.Worker {
	var workers []desk.Worker
	for _, pool := range plans.Pools {
		if pool.Owner.Namespace != t.planned.Owner.Namespace || string(pool.Spec.DeskRef.Name) != t.planned.Owner.Name || pool.Spec.Bot == nil {
			continue
		}
		for i := range pool.Spec.Replicas {
			workers = append(workers, desk.Worker{Name: fmt.Sprintf("%s-%d", pool.Owner.Name, i), Pool: pool.Owner.Name})
		}
	}
	return workers
}

func (t *trial) greet(address string, took time.Duration) {
	_, _ = fmt.Fprintf(t.stdout, "Desk %s is ready after %s.\n  Chat:    http://%s/\n  Console: http://%s%s\n",
		t.planned.Owner.Name, took.Round(10*time.Millisecond), address, address, console.Path)
	for _, token := range t.shown {
		_, _ = fmt.Fprintf(t.stdout, "  Sign in as %s with the token %s\n", token.Name, token.Token)
	}
	if len(t.shown) == 0 {
		_, _ = fmt.Fprintf(t.stdout, "  Sign in with a token of %s\n", t.tokensOrigin())
	}
	_, _ = fmt.Fprintln(t.stdout, "Press Ctrl-C to end it.")
}

func (t *trial) tokensOrigin() string {
	if t.options.tokens != "" {
		return t.options.tokens
	}
	return "the Secret " + string(t.planned.Spec.AgentsAuth.TokensSecretRef.Name) + " in the manifests"
}
