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
	return Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// Run runs a command line and returns its exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
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
		_, _ = fmt.Fprintf(stderr, "See '%s --help'.\n", root.Name())
		return exitUsage
	}
	return exitFailure
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "deskfleet",
		Short: "Customer-service desks on Kubernetes",
		Long: `Deskfleet runs customer-service desks: bots that answer from a knowledge base,
people who take over with the whole dialogue, and capacity that follows the queue.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newManager(), newDesk(), newChat(), newAgent(), newRender(), newVersion(),
		newGateway(), newRouter(), newBot(), newConsole(), newKnowledge(), newArchive(), newBus(),
	)
	return root
}
