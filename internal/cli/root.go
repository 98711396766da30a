// Package cli is the command line: one file a subcommand, each with Options that
// bind flags and validate, and a run function that does the work.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitFailure = 1
	// exitUsage is for a wrong command line, as most tools have it.
	exitUsage = 2
)

// usageError is a wrong command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// Main runs the command line of the process and returns its exit status.
func Main() int {
	// A second signal ends the process at once: cancel stops listening after the first.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	context.AfterFunc(ctx, cancel)
	return run(ctx, calledAs(os.Args[0]), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// nameOfTool is what the binary is called.
const nameOfTool = "deskfleet"

// calledAs is how the user calls the binary: installed as kubectl-desk it is a plugin of kubectl.
func calledAs(arg0 string) string {
	if strings.HasPrefix(filepath.Base(arg0), "kubectl-desk") {
		return "kubectl desk"
	}
	return nameOfTool
}

// Run runs a command line and returns its exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return run(ctx, nameOfTool, args, stdin, stdout, stderr)
}

func run(ctx context.Context, name string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: name}
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintln(stderr, "Error:", err)
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		_, _ = fmt.Fprintf(stderr, "See '%s --help'.\n", name)
		return exitUsage
	}
	return exitFailure
}

// noneBut is cobra.NoArgs with an exit status of wrong usage and a remedy.
func noneBut(remedy func(stray string) string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return &usageError{fmt.Errorf("%q: %s takes no arguments without a flag: %s", args[0], cmd.CommandPath(), remedy(args[0]))}
	}
}

// nothing is for commands that take flags only.
func nothing() cobra.PositionalArgs {
	return noneBut(func(stray string) string { return "remove " + stray })
}

// inFiles is for commands that take manifests by -f.
func inFiles() cobra.PositionalArgs {
	return noneBut(func(stray string) string { return "put -f before each file or folder, as in -f " + stray })
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   nameOfTool,
		Short: "Customer-service desks on Kubernetes",
		Long: `Deskfleet runs customer-service desks: bots that answer from a knowledge base,
people who take over with the whole dialogue, and capacity that follows the queue.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return &usageError{fmt.Errorf("%q is no command: choose one of those that deskfleet --help lists", args[0])}
		},
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newManager(), newDesk(), newChat(), newAgent(), newWhy(), newRender(), newPlan(), newBench(), newVersion(),
		newGateway(), newRouter(), newBot(), newConsole(), newKnowledge(), newArchive(), newBus(),
	)
	return root
}
