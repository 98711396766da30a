package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/deskfleet/deskfleet/hack/bench/scaling/report"
	"github.com/deskfleet/deskfleet/internal/simulation/policy"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

func run(args []string, out, problems io.Writer) error {
	fs := flag.NewFlagSet("scaling", flag.ContinueOnError)
	fs.SetOutput(problems)
	options := world.Options{}
	options.AddFlags(fs)
	output := fs.String("o", "table", "table or json")
	plots := fs.String("plots", "", "folder for plots, an SVG a scenario")
	var shown []string
	fs.Func("plot", "a policy that plots show; may be repeated, default all", func(name string) error {
		shown = append(shown, name)
		return nil
	})
	sweep := fs.Bool("sweep", false, "our policy with other objectives, too")
	var peers []string
	fs.Func("peer", "a program that runs a peer by its own code and prints a sheet; may be repeated", func(path string) error {
		peers = append(peers, path)
		return nil
	})
	if err := fs.Parse(args); err != nil {
		return err
	}
	groups, err := options.Scenarios()
	if err != nil {
		return err
	}
	var sheet report.Sheet
	for _, group := range groups {
		sheet.Add(group, func(s *world.Scenario) []world.Result {
			results := []world.Result{
				policy.Defaults(s).Run(s), policy.Clairvoyant(s), policy.Static(s, "static peak", 1), policy.Static(s, "static 0.8 peak", 0.8),
			}
			if *sweep {
				results = append(results, policy.Sweep(s)...)
			}
			return results
		})
	}
	for _, peer := range peers {
		other, err := runPeer(peer, options.Args())
		if err != nil {
			return err
		}
		sheet.Merge(other)
	}
	if *plots != "" {
		if err := sheet.Plot(*plots, shown...); err != nil {
			return err
		}
	}
	return sheet.Write(out, *output)
}

// runPeer has the program of a peer, which is a test, run the same scenarios.
func runPeer(path string, args []string) (*report.Sheet, error) {
	folder, err := os.MkdirTemp("", "scaling")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a folder for files that pass away
	output := filepath.Join(folder, "sheet.json")
	cmd := exec.CommandContext(context.Background(), path, append([]string{"-test.run=^TestPeer$", "-out=" + output}, args...)...) //nolint:gosec // the program that the caller names is what is to run
	if log, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("peer %s: %w: %s", filepath.Base(path), err, bytes.TrimSpace(log[max(0, len(log)-2000):]))
	}
	content, err := os.ReadFile(output)
	if err != nil {
		return nil, fmt.Errorf("peer %s: %w", filepath.Base(path), err)
	}
	var sheet report.Sheet
	if err := json.Unmarshal(content, &sheet); err != nil {
		return nil, fmt.Errorf("peer %s: %w", filepath.Base(path), err)
	}
	return &sheet, nil
}
