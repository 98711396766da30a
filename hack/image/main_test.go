package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// staticProgram builds a real static program for the architecture of this machine.
func staticProgram(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"go.mod": "module program\n", "main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", "program", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "program")
}

func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := command()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestPacksAProgramTwiceTheSame(t *testing.T) {
	program := staticProgram(t)
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	var outputs, archives []string
	for _, name := range []string{"first.tar", "second.tar"} {
		path := filepath.Join(t.TempDir(), name)
		out, err := execute(t, "--ref", "deskfleet.local/deskfleet:dev", "--output", path, program)
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		outputs, archives = append(outputs, out), append(archives, string(content))
	}
	if outputs[0] != outputs[1] || !strings.HasPrefix(outputs[0], "deskfleet.local/deskfleet:dev@sha256:") {
		t.Errorf("prints %q, then %q", outputs[0], outputs[1])
	}
	if archives[0] != archives[1] {
		t.Error("the two archives differ")
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		epoch  string
		args   []string
		remedy string
	}{
		"no name":       {"", []string{"--push", "a"}, "--ref"},
		"no target":     {"", []string{"--ref", "x:y", "a"}, "--output FILE or --push"},
		"two targets":   {"", []string{"--ref", "x:y", "--output", "o", "--push", "a"}, "--output FILE or --push"},
		"two binaries":  {"", []string{"--ref", "x:y", "--output", "o", "a", "b"}, "one archive for each"},
		"not a time":    {"yesterday", []string{"--ref", "x:y", "--output", "o", "a"}, "SOURCE_DATE_EPOCH"},
		"no such file":  {"", []string{"--ref", "x:y", "--output", "o", "absent"}, "absent"},
		"not a program": {"", []string{"--ref", "x:y", "--output", "o", "main.go"}, "GOOS=linux"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SOURCE_DATE_EPOCH", c.epoch)
			if _, err := execute(t, c.args...); err == nil || !strings.Contains(err.Error(), c.remedy) {
				t.Errorf("error %v, want one that says %s", err, c.remedy)
			}
		})
	}
}
