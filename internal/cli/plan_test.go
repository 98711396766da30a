package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/internal/cli"
)

// TestPlan runs the command as a pipeline does.
func TestPlan(t *testing.T) {
	shop, minimal := filepath.Join("..", "..", "config", "samples", "shop"), filepath.Join("..", "..", "config", "samples", "minimal.yaml")
	trace := filepath.Join(t.TempDir(), "trace.csv")
	if err := os.WriteFile(trace, []byte("arrival_s,service_s\n1,NaN\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	day := []string{"--arrivals-per-day", "400", "--start", "2026-11-18", "--draws", "1"}
	for _, row := range []struct {
		name   string
		args   []string
		status int
		// prints stands on standard output, says on standard error.
		prints, says []string
	}{
		{name: "a day that holds", args: append([]string{"-f", shop, "--check"}, day...), prints: []string{"The objective holds: shop-bots answers", "Nothing limits."}},
		{name: "a check that fails", args: append([]string{"-f", shop, "--check", "--seats", "0"}, day...), status: 1,
			prints: []string{"shop-people answers 0.0 % within 20s instead of 80.0 %", "limited by 0 seats"}, says: []string{"Error: the objective does not hold"}},
		{name: "without a check", args: append([]string{"-f", shop, "--seats", "0"}, day...), prints: []string{"The objective does not hold"}},
		{name: "fixed replicas", args: append([]string{"-f", minimal, "--multiplier", "10"}, day...), prints: []string{"hello-bots: replicas 1 from 18 Nov"}},
		{name: "CSV", args: append([]string{"-f", shop, "-o", "csv"}, day...), prints: []string{"start,pool,type,", "2026-11-18T23:45:00Z,shop-people,Human,"}},
		{name: "no file", args: day, status: 2, says: []string{"-f is missing"}},
		{name: "nothing arrives", args: []string{"-f", shop}, status: 2, says: []string{"give --trace FILE, --from-archive 28d, or --arrivals-per-day N"}},
		{name: "two loads", args: append([]string{"-f", shop, "--trace", trace}, day...), status: 2, says: []string{"give one of --trace, --from-archive and --arrivals-per-day"}},
		{name: "no share", args: append([]string{"-f", shop, "--handoff", "30"}, day...), status: 2, says: []string{`--handoff: "30" is no share: write it as 30% or 0.3`}},
		{name: "no day", args: []string{"-f", shop, "--arrivals-per-day", "5", "--start", "tomorrow"}, status: 2, says: []string{`--start is "tomorrow": write a day as 2026-11-11`}},
		{name: "no multiplier", args: append([]string{"-f", shop, "--multiplier", "-1"}, day...), status: 2, says: []string{"--multiplier is -1: use more than 0"}},
		{name: "too much", args: append([]string{"-f", shop}, "--arrivals-per-day", "4000000", "--multiplier", "2", "--start", "2026-11-18"), status: 2, says: []string{"more than 5000000 arrivals"}},
		{name: "a broken trace", args: []string{"-f", shop, "--trace", trace}, status: 1, says: []string{"trace.csv: line 2: \"NaN\" is no number of 0 or more"}},
		{name: "no trace", args: []string{"-f", shop, "--trace", "no-such.csv"}, status: 1, says: []string{"Error: --trace: open no-such.csv"}},
		{name: "another desk", args: append([]string{"-f", shop, "--desk", "store"}, day...), status: 1, says: []string{`--desk is "store", the manifests hold the desks shop`}},
		{name: "a broken desk", args: append([]string{"-f", filepath.Join("..", "..", "config", "samples", "broken")}, day...), status: 1, says: []string{"servicedesk.yaml:"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if status := cli.Run(t.Context(), append([]string{"plan"}, row.args...), strings.NewReader(""), &stdout, &stderr); status != row.status {
				t.Errorf("exit status %d, expected %d; standard error:\n%s", status, row.status, &stderr)
			}
			for _, text := range row.prints {
				if !strings.Contains(stdout.String(), text) {
					t.Errorf("standard output does not hold %q:\n%s", text, &stdout)
				}
			}
			for _, text := range row.says {
				if !strings.Contains(stderr.String(), text) {
					t.Errorf("standard error does not say %q:\n%s", text, &stderr)
				}
			}
		})
	}
}

func TestPlanAsJSON(t *testing.T) {
	shop := filepath.Join("..", "..", "config", "samples", "shop")
	var stdout, stderr bytes.Buffer
	args := []string{"plan", "-f", shop, "--arrivals-per-day", "400", "--start", "2026-11-18", "--draws", "1", "-o", "json"}
	if status := cli.Run(t.Context(), args, strings.NewReader(""), &stdout, &stderr); status != 0 {
		t.Fatal(&stderr)
	}
	var answer struct {
		Holds bool
		Pools []struct {
			Name, Type   string
			ServiceLevel struct{ Mean float64 }
			Quarters     []struct{ Required int }
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil || !answer.Holds || len(answer.Pools) != 2 || answer.Pools[1].Type != "Human" ||
		answer.Pools[0].ServiceLevel.Mean < 0.9 || len(answer.Pools[0].Quarters) != 96 {
		t.Errorf("%v: %+v", err, answer)
	}
}
