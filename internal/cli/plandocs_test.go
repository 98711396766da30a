package cli_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/cli"
)

var update = flag.Bool("update", false, "write the outputs on docs/plan.md anew")

var consoleBlock = regexp.MustCompile("(?ms)^```console\n\\$ deskfleet ([^\n]*)\n(.*?)^```")

// What the page shows is what its commands print, from the root of the repository.
func TestPlanPage(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "plan.md")
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join("..", ".."))
	blocks := 0
	written := consoleBlock.ReplaceAllStringFunc(string(content), func(block string) string {
		blocks++
		command := consoleBlock.FindStringSubmatch(block)[1]
		var stdout, stderr bytes.Buffer
		status := cli.Run(t.Context(), strings.Fields(command), strings.NewReader(""), &stdout, &stderr)
		if status != 0 && (status != 1 || !strings.Contains(command, "--check")) {
			t.Errorf("%s: status %d: %s", command, status, &stderr)
		}
		return "```console\n$ deskfleet " + command + "\n" + stdout.String() + stderr.String() + "```"
	})
	if blocks < 2 {
		t.Errorf("the page has %d commands", blocks)
	}
	if *update {
		if err := os.WriteFile(filepath.Join("docs", "plan.md"), []byte(written), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(content), written); diff != "" {
		t.Errorf("docs/plan.md shows something else (write it anew with make golden):\n%s", diff)
	}
}
