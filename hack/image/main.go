// Command image packs static binaries of deskfleet into a container image,
// without Docker: one as an archive to load, or one an architecture as a push to
// a registry.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/deskfleet/deskfleet/internal/image"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

type options struct {
	image.Options
	ref, output string
	push        bool
}

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "image BINARY...",
		Short: "Pack static binaries into a container image",
		Long: `Image packs a static Linux binary into an archive (--output), or one binary an
architecture into a registry (--push), and prints REFERENCE@DIGEST.
The time in the image is that of SOURCE_DATE_EPOCH.`,
		Args:         cobra.MinimumNArgs(1),
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, binaries []string) error {
			digest, err := run(cmd.Context(), &o, binaries)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s@%s\n", o.ref, digest)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.ref, "ref", "", "name of the image (required)")
	f.StringVar(&o.output, "output", "", "archive to write, of one binary")
	f.BoolVar(&o.push, "push", false, "push to the registry that the name begins with")
	f.StringVar(&o.Version, "version", "devel", "release, for the image's labels")
	f.StringVar(&o.Revision, "revision", "", "commit, for the image's labels")
	return cmd
}

func run(ctx context.Context, o *options, binaries []string) (v1.Hash, error) {
	switch {
	case o.ref == "":
		return v1.Hash{}, errors.New("--ref is empty: name the image")
	case o.push == (o.output != ""):
		return v1.Hash{}, errors.New("say either --output FILE or --push")
	case o.output != "" && len(binaries) != 1:
		return v1.Hash{}, fmt.Errorf("an archive holds one architecture, and %d binaries are given: write one archive for each", len(binaries))
	}
	var err error
	if o.Created, err = sourceTime(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return v1.Hash{}, err
	}
	images := make([]v1.Image, len(binaries))
	for i, path := range binaries {
		content, err := os.ReadFile(path)
		if err != nil {
			return v1.Hash{}, err
		}
		if images[i], err = image.Build(content, o.Options); err != nil {
			return v1.Hash{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	if o.push {
		return image.Push(ctx, o.ref, images...)
	}
	if err := replace(o.output, func(w io.Writer) error { return image.WriteArchive(w, o.ref, images[0]) }); err != nil {
		return v1.Hash{}, err
	}
	return images[0].Digest()
}

// replace writes a file anew; a half-written one never has its name.
func replace(path string, write func(io.Writer) error) (err error) {
	file, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), path)
}

func sourceTime(epoch string) (time.Time, error) {
	if epoch == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is %q: write seconds since 1970: %w", epoch, err)
	}
	return time.Unix(seconds, 0), nil
}
