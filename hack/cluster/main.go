// Command cluster runs a real single-node Kubernetes on this machine, for
// development and tests. See docs/local-cluster.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/deskfleet/deskfleet/internal/localcluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	o := localcluster.DefaultOptions()
	root := &cobra.Command{
		Use: "cluster", Short: "A real single-node Kubernetes on this machine",
		SilenceUsage: true, SilenceErrors: true,
	}
	o.AddFlags(root.PersistentFlags())
	root.AddCommand(
		leaf("up", "Start the cluster, or what of it has ended", 0, func(cmd *cobra.Command, _ []string) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			o.ToolPath = self
			path, err := localcluster.Up(cmd.Context(), o, cmd.ErrOrStderr())
			return printAll(cmd, err, "export KUBECONFIG="+path)
		}),
		leaf("down", "End the cluster and remove everything it made", 0, func(cmd *cobra.Command, _ []string) error {
			return localcluster.Down(cmd.Context(), o, cmd.ErrOrStderr())
		}),
		leaf("binaries", "Build or find kube-apiserver, etcd and kubectl; print their folder (KUBEBUILDER_ASSETS)", 0, func(cmd *cobra.Command, _ []string) error {
			dir, err := localcluster.EnvtestAssetsIn(cmd.Context(), o.CacheDir, cmd.ErrOrStderr())
			return printAll(cmd, err, dir)
		}),
		leaf("kubeconfig", "Print the path of the administrator's kubeconfig", 0, func(cmd *cobra.Command, _ []string) error {
			_, err := os.Stat(o.KubeconfigPath())
			return printAll(cmd, err, o.KubeconfigPath())
		}),
		leaf("load-image TAR", "Load a Docker or OCI image archive into the cluster", 1, func(cmd *cobra.Command, args []string) error {
			names, err := localcluster.LoadImage(cmd.Context(), o, args[0])
			return printAll(cmd, err, names...)
		}),
		status(&o), provisioner(),
	)
	return root
}

func leaf(use, short string, args int, do func(*cobra.Command, []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(args), RunE: do}
}

// printAll prints what a script reads; progress and errors go to standard error.
func printAll(cmd *cobra.Command, err error, lines ...string) error {
	if err != nil {
		return err
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), line); err != nil {
			return err
		}
	}
	return nil
}

func status(o *localcluster.Options) *cobra.Command {
	var output string
	cmd := leaf("status", "Show the components; exit 1 if the cluster is not up", 0, func(cmd *cobra.Command, _ []string) error {
		if output != "table" && output != "json" {
			return fmt.Errorf("output %q: use table or json", output)
		}
		s, err := localcluster.GetStatus(cmd.Context(), *o)
		if err != nil {
			return err
		}
		write := s.Write
		if output == "json" {
			write = s.WriteJSON
		}
		if err := write(cmd.OutOrStdout()); err != nil || s.Up {
			return err
		}
		return errors.New("the cluster is not up")
	})
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// provisioner is not for people: up starts it.
func provisioner() *cobra.Command {
	p := localcluster.Provisioner{Log: slog.New(slog.NewJSONHandler(os.Stderr, nil))}
	var config string
	cmd := leaf("provisioner", "Serve volume claims from folders", 0, func(cmd *cobra.Command, _ []string) error {
		return p.Run(cmd.Context(), config)
	})
	cmd.Hidden = true
	cmd.Flags().StringVar(&config, "kubeconfig", "", "kubeconfig of the provisioner")
	cmd.Flags().StringVar(&p.Node, "node", "", "name of the node")
	cmd.Flags().StringVar(&p.Volumes, "volumes", "", "folder that holds the volumes")
	return cmd
}
