package localcluster

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (make it by go test -update)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got; accept by go test -update):\n%s", path, diff)
	}
}

// testCluster has fixed paths, so that what it renders is the same on each machine.
func testCluster(t *testing.T, change func(*Options)) *cluster {
	t.Helper()
	o := DefaultOptions()
	o.ToolPath = "/cache/tool"
	change(&o)
	c, err := newCluster(o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	c.cniBin = "/usr/lib/cni"
	c.pause = pauseImage{ref: pauseRepository + ":test"}
	c.bin = binaries{}
	for _, m := range modules {
		for _, p := range m.programs {
			c.bin[p.name] = builtProgram{Path: "/cache/" + p.name, Version: "v1"}
		}
	}
	c.bin[containerdName] = builtProgram{Path: "/usr/bin/containerd"}
	return c
}

var goldenClusters = map[string]func(*Options){
	"default": func(*Options) {},
	"other": func(o *Options) {
		o.Name, o.StateDir = "other", "/srv/other"
		o.NodeIP = netip.MustParseAddr("172.20.0.1")
		o.PodCIDR = netip.MustParsePrefix("172.21.0.0/20")
		o.ServiceCIDR = netip.MustParsePrefix("172.22.0.0/16")
	},
}

func TestRenderedConfiguration(t *testing.T) {
	for name, change := range goldenClusters {
		files, err := testCluster(t, change).settings().renderFiles()
		if err != nil {
			t.Fatal(err)
		}
		for path, content := range files {
			golden(t, filepath.Join(name, filepath.Base(path)), content)
		}
	}
}

// Nothing of the default cluster may be baked into a template.
func TestAnotherClusterSharesNothingWithTheDefaultOne(t *testing.T) {
	c := testCluster(t, goldenClusters["other"])
	files, err := c.settings().renderFiles()
	if err != nil {
		t.Fatal(err)
	}
	all := commandLines(c)
	for _, content := range files {
		all += string(content)
	}
	for _, word := range []string{"10.197.", "10.198.", "10.199.", stateBase, "deskfleet-pod", "deskfleet-svc", "/deskfleet-deskfleet"} {
		if strings.Contains(all, word) {
			t.Errorf("another cluster's configuration holds %q", word)
		}
	}
}

func TestStructuredFilesParse(t *testing.T) {
	files, err := testCluster(t, goldenClusters["default"]).settings().renderFiles()
	if err != nil {
		t.Fatal(err)
	}
	var network struct {
		Plugins []struct{ Type string }
	}
	if err := json.Unmarshal(files["config/cni/10-pods.conflist"], &network); err != nil {
		t.Error(err)
	}
	if len(network.Plugins) != 2 {
		t.Errorf("CNI plugins: %+v", network.Plugins)
	}
	for _, path := range []string{"config/kubelet.yaml", "config/kube-proxy.yaml"} {
		if err := yaml.UnmarshalStrict(files[path], &map[string]any{}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for i, doc := range strings.Split(string(files["config/manifests.yaml"]), "\n---\n") {
		var object struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal([]byte(doc), &object); err != nil || object.Kind == "" || object.APIVersion == "" {
			t.Errorf("manifest %d: %+v, %v", i, object, err)
		}
	}
}

func commandLines(c *cluster) string {
	var b strings.Builder
	all := c.components()
	for _, name := range componentNames {
		p := all[name]
		fmt.Fprintf(&b, "%s\n  %s\n", p.name, p.path)
		for _, arg := range p.args {
			fmt.Fprintf(&b, "    %s\n", arg)
		}
	}
	return b.String()
}

func TestCommandLines(t *testing.T) {
	for name, change := range goldenClusters {
		golden(t, filepath.Join(name, "commands"), []byte(commandLines(testCluster(t, change))))
	}
}

func TestWriteFileLeavesEqualContentAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	for _, content := range []string{"one", "one", "two"} {
		before, _ := os.Stat(path)
		if err := writeFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		after, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if content == "one" && before != nil && !os.SameFile(before, after) {
			t.Error("equal content was written anew")
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content || after.Mode().Perm() != 0o600 {
			t.Errorf("content %q, mode %o, error %v", got, after.Mode().Perm(), err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("temporary files are left: %v, %v", entries, err)
	}
}

// A component is restarted when, and only when, its program, arguments or files change.
func TestSpecFollowsProgramArgumentsAndFiles(t *testing.T) {
	dir := t.TempDir()
	program, input := filepath.Join(dir, "program"), filepath.Join(dir, "input")
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(program, "v1")
	write(input, "a")
	seen := map[string]string{}
	spec := func(what string, args ...string) string {
		t.Helper()
		s, err := component{path: program, args: args, inputs: []string{input}}.spec()
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[s]; ok {
			t.Errorf("%s has the spec of %s", what, other)
		}
		seen[s] = what
		return s
	}
	spec("first", "--x=1")
	spec("other argument", "--x=2")
	spec("two arguments in one", "--x=1 --y=2")
	spec("two arguments", "--x=1", "--y=2")
	write(input, "b")
	spec("other file", "--x=1")
	write(program, "v2 is longer")
	last := spec("other program", "--x=1")
	delete(seen, last)
	if again := spec("unchanged", "--x=1"); again != last {
		t.Error("an unchanged component has another spec")
	}
	if _, err := (component{path: program, inputs: []string{filepath.Join(dir, "missing")}}).spec(); err == nil {
		t.Error("a missing file went unnoticed")
	}
}
