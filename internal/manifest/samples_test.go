package manifest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

const samples = "../../config/samples"

// golden compares text with a file of testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); run with -update and read the difference if it is wanted:\n%s", path, diff)
	}
}

// messages are the errors of the manifests at a path, with names of files that do not depend on the folder.
func messages(t *testing.T, path string) string {
	t.Helper()
	_, err := Load([]string{path}, nil)
	if err == nil {
		t.Fatalf("%s is valid", path)
	}
	return strings.ReplaceAll(err.Error(), filepath.Dir(path)+string(filepath.Separator), "") + "\n"
}

// A broken object tells its author where and what to do.
func TestMessages(t *testing.T) {
	golden(t, "messages", messages(t, filepath.Join("testdata", "messages.yaml")))
}

func TestBrokenSamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(samples, "broken", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 {
		t.Errorf("%d broken samples, want one of each kind", len(files))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(text), "# Wrong: ") {
				t.Error("the first line does not say what is wrong")
			}
			golden(t, "broken-"+name, messages(t, file))
		})
	}
}

// The smallest useful desk has all four kinds and both types of pools in under 40 lines.
func TestMinimalSample(t *testing.T) {
	path := filepath.Join(samples, "minimal.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines >= 40 {
		t.Errorf("%d lines, want under 40", lines)
	}
	o, err := Load([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.ServiceDesks) != 1 || len(o.AgentPools) != 2 || len(o.KnowledgeBases) != 1 || len(o.EscalationPolicies) != 1 || len(o.Notes) != 0 {
		t.Errorf("desks %d, pools %d, knowledge bases %d, policies %d, others %d: want 1, 2, 1, 1, 0", len(o.ServiceDesks),
			len(o.AgentPools), len(o.KnowledgeBases), len(o.EscalationPolicies), len(o.Notes))
	}
	if o.AgentPools[0].Spec.Type == o.AgentPools[1].Spec.Type {
		t.Error("two pools of one type")
	}
}

// BenchmarkLoadMinimal measures what a start of a desk from files costs once the schemas are compiled.
func BenchmarkLoadMinimal(b *testing.B) {
	for b.Loop() {
		if _, err := Load([]string{filepath.Join(samples, "minimal.yaml")}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
