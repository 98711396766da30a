package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/internal/bench/load"
)

func newBench() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a desk, or how well its bots find answers",
		Args:  nothing(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBenchLoad(), newBenchRetrieval())
	return cmd
}

type benchLoadOptions struct {
	load    load.Options
	agents  int
	tokens  string
	data    string
	metrics map[string]string
	output  string
}

func (o *benchLoadOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.load.URL, "url", "", "address of the desk's chat; default: a desk of the bench's own, in a process beside this one")
	f.StringVar(&o.load.Console, "console", "", "address of the agents' console; default: that of --url")
	f.StringVar(&o.tokens, "tokens", "", "file with the agents' tokens, a list of {name, role, token} or a Secret that holds it; with --url only")
	f.IntVar(&o.agents, "agents", 50, "agents who answer")
	f.IntVar(&o.load.Conversations, "conversations", 100, "conversations at the same time")
	f.Float64Var(&o.load.Rate, "rate", 0, "new conversations a second; 0: as many as the desk takes")
	f.DurationVar(&o.load.Duration, "duration", 30*time.Second, "time in which conversations begin")
	f.IntVar(&o.load.Turns, "turns", 5, "turns that customer and agent take in a conversation")
	f.IntVar(&o.load.Idle, "idle", 0, "customers who are connected besides and say nothing")
	f.StringVar(&o.data, "data", "", "folder for the desk of the bench's own and for the bus that it is compared with; default: a temporary one")
	f.StringToStringVar(&o.metrics, "metrics", nil, "URL of the metrics of each role to watch, such as router=http://…/metrics; with --url only")
	f.StringVarP(&o.output, "output", "o", "table", "table or json")
}

func newBenchLoad() *cobra.Command {
	o := &benchLoadOptions{}
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Put a desk under load, and check that nothing is lost",
		Long: `Load plays customers and agents over real WebSockets. Each customer asks for a
person, takes turns with an agent, reads the conversation back and ends it. The
report tells what was acknowledged, lost, duplicated and reordered, how long
messages took from end to end, how long it took to ask an agent, and what the
desk used. The exit status is 1 when anything was lost, duplicated or reordered.

Without --url a desk is started beside it, and what it stores a second is
compared with what its bus alone stores on the same disk.`,
		Args: nothing(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return &usageError{err}
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func (o *benchLoadOptions) validate() error {
	switch {
	case o.agents < 1:
		return fmt.Errorf("--agents is %d: use 1 or more", o.agents)
	case o.output != "table" && o.output != "json":
		return fmt.Errorf("--output is %q: use table or json", o.output)
	case o.load.URL != "" && o.tokens == "":
		return errors.New("--tokens is missing: with --url, name a file with the tokens of that desk's agents")
	case o.load.URL == "" && (o.tokens != "" || o.load.Console != "" || len(o.metrics) > 0):
		return errors.New("--url is missing: --tokens, --console and --metrics are about a desk that runs already")
	}
	return nil
}

func (o *benchLoadOptions) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	o.load.Out = stderr
	raw := 0.0
	if o.load.URL == "" {
		closeDesk, perSecond, err := o.ownDesk(ctx, stderr)
		if err != nil {
			return err
		}
		defer closeDesk()
		raw = perSecond
	} else if err := o.foreignDesk(); err != nil {
		return err
	}
	report, err := load.Run(ctx, o.load)
	if err != nil {
		return err
	}
	report.BusRawPerSecond = raw
	if err := o.print(report, stdout); err != nil {
		return err
	}
	if !report.Exact() {
		return fmt.Errorf("%d messages were lost, %d duplicated and %d reordered", report.Lost, report.Duplicated, report.Reordered)
	}
	return nil
}

func (o *benchLoadOptions) print(report *load.Report, out io.Writer) error {
	if o.output == "table" {
		return report.Print(out)
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

// rawFor is how long the bus alone is measured.
const rawFor = 3 * time.Second

// ownDesk measures the bus alone, then starts a desk.
func (o *benchLoadOptions) ownDesk(ctx context.Context, stderr io.Writer) (closeDesk func(), raw float64, err error) {
	parent, remove := o.data, func() {}
	if parent == "" {
		if parent, err = os.MkdirTemp("", "deskfleet-bench-"); err != nil {
			return nil, 0, err
		}
		remove = func() { _ = os.RemoveAll(parent) }
	}
	defer func() {
		if err != nil {
			remove()
		}
	}()
	_, _ = fmt.Fprintf(stderr, "the bus alone is measured for %s\n", rawFor)
	if raw, err = load.BusRaw(ctx, filepath.Join(parent, "raw"), o.load.Conversations, rawFor); err != nil {
		return nil, 0, err
	}
	binary, err := os.Executable()
	if err != nil {
		return nil, 0, err
	}
	d, err := load.OpenDesk(ctx, binary, parent, o.agents, o.load.Conversations)
	if err != nil {
		return nil, 0, err
	}
	o.load.URL, o.load.Tokens, o.load.Watch = d.URL, d.Tokens, d.Watch
	return func() {
		if err := d.Close(); err != nil {
			_, _ = fmt.Fprintln(stderr, "the desk's end:", err)
		}
		remove()
	}, raw, nil
}

// foreignDesk reads the agents' tokens.
func (o *benchLoadOptions) foreignDesk() error {
	data, err := os.ReadFile(o.tokens)
	if err != nil {
		return fmt.Errorf("--tokens: %w", err)
	}
	tokens, err := agentTokens(data)
	if err != nil {
		return fmt.Errorf("--tokens: %s: %w", o.tokens, err)
	}
	if len(tokens) < o.agents {
		return fmt.Errorf("--agents is %d, and %s holds the tokens of %d agents: use at most so many", o.agents, o.tokens, len(tokens))
	}
	o.load.Tokens = tokens[:o.agents]
	if len(o.metrics) > 0 {
		o.load.Watch = load.Endpoints(o.metrics)
	}
	return nil
}

// agentTokens reads a list of tokens, or a Secret that holds one, and gives those of agents.
func agentTokens(data []byte) ([]string, error) {
	var secret struct {
		Kind       string
		StringData map[string]string
		Data       map[string][]byte
	}
	if yaml.Unmarshal(data, &secret) == nil && secret.Kind == "Secret" {
		const key = "tokens.yaml"
		if data = secret.Data[key]; secret.StringData[key] != "" {
			data = []byte(secret.StringData[key])
		}
	}
	var list []agentToken
	if err := yaml.Unmarshal(data, &list); err != nil {
		return nil, errors.New("it is no list of {name, role, token}, and no Secret with such a list in tokens.yaml")
	}
	var tokens []string
	for _, t := range list {
		if t.Role == "agent" && strings.TrimSpace(t.Token) != "" {
			tokens = append(tokens, t.Token)
		}
	}
	return tokens, nil
}
