package localcluster

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func writeTree(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for path, content := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRequiredVersion(t *testing.T) {
	for name, tc := range map[string]struct{ goMod, want string }{
		"one line":          {"module m\n\nrequire k8s.io/kubernetes v1.37.1\n", "v1.37.1"},
		"block":             {"require (\n\tk8s.io/api v0.37.1\n\tk8s.io/kubernetes v1.38.0-rc.1 // why\n)\n", "v1.38.0-rc.1"},
		"windows line ends": {"require k8s.io/kubernetes v1.37.1\r\n", "v1.37.1"},
		"replace only":      {"replace k8s.io/kubernetes => k8s.io/kubernetes v1.0.0\n", ""},
		"longer path":       {"require k8s.io/kubernetes/x v1.37.1\n", ""},
		"path with a dot":   {"require k8sXio/kubernetes v1.37.1\n", ""},
		"commented out":     {"// require k8s.io/kubernetes v1.37.1\n", ""},
	} {
		got, err := requiredVersion([]byte(tc.goMod), "k8s.io/kubernetes")
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// The versions come from the nested modules themselves.
func TestNestedModulesPinEveryProgram(t *testing.T) {
	b, err := newBuilder(t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	found, jobs, err := b.plan(map[string][]string{etcdModule: nil, kubernetesModule: nil, corednsModule: nil})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name, p := range found {
		names = append(names, name)
		if !strings.HasPrefix(p.Version, "v") || !strings.Contains(p.Path, p.Version) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	slices.Sort(names)
	want := []string{"coredns", "etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
	if len(jobs) != len(want) {
		t.Errorf("%d to build into an empty cache", len(jobs))
	}
}

func TestRepoRootPassesOverNestedModules(t *testing.T) {
	root := t.TempDir()
	writeTree(t, root, map[string]string{
		"go.mod":          "// comment\nmodule " + productModule + " // main\n",
		"hack/x/go.mod":   "module " + productModule + "/hack/x\n",
		"hack/x/y/f":      "",
		"elsewhere/go.md": "",
	})
	got, err := repoRoot(filepath.Join(root, "hack/x/y"))
	if err != nil || got != root {
		t.Errorf("root %q, %v", got, err)
	}
	if _, err := repoRoot(t.TempDir()); err == nil || !strings.Contains(err.Error(), productModule) {
		t.Errorf("outside of a clone: %v", err)
	}
}

func TestKubernetesVersionDefinitions(t *testing.T) {
	got := kubernetesVersion("v1.37.1")
	want := []string{
		"k8s.io/component-base/version.gitVersion=v1.37.1",
		"k8s.io/component-base/version.gitMajor=1",
		"k8s.io/component-base/version.gitMinor=37",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCacheKeysOfVersionsDiffer(t *testing.T) {
	if a, b := cacheKey("etcd", "v3.7.2"), cacheKey("etcd", "v3.7.3"); a == b {
		t.Errorf("both are %s", a)
	}
	if a, b := cacheKey("etcd", "v1"), cacheKey("kubernetes", "v1"); a == b {
		t.Errorf("both are %s", a)
	}
}

const mainProgram = "package main\n\nvar version = \"unset\"\n\nfunc main() { println(version) }\n"

// Flags of an outer build must not get into this one.
func TestGoBuildIsDeafToTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"go.mod": "module m\n\ngo 1.26\n", "main.go": mainProgram})
	t.Setenv("GOFLAGS", "-mod=vendor -race -tags=nothing")
	t.Setenv("GOARCH", "wasm")
	t.Setenv("GOOS", "js")
	t.Setenv("GOWORK", filepath.Join(dir, "missing.work"))
	target := filepath.Join(t.TempDir(), "program")
	if err := goBuild(t.Context(), buildSpec{dir: dir, pkg: ".", target: target, definitions: []string{"main.version=v9"}, static: true}); err != nil {
		t.Fatal(err)
	}
	out, err := run(t.Context(), "sh", "-c", target+" 2>&1")
	if err != nil || string(out) != "v9\n" {
		t.Errorf("the program printed %q, %v", out, err)
	}
}

func TestBrokenBuildLeavesNothingAndSaysWhy(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	writeTree(t, dir, map[string]string{"go.mod": "module m\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() { nonsense() }\n"})
	err := goBuild(t.Context(), buildSpec{dir: dir, pkg: ".", target: filepath.Join(cache, "program"), static: true})
	if err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("error is %v", err)
	}
	if entries, err := os.ReadDir(cache); err != nil || len(entries) > 0 {
		t.Errorf("left in the cache: %v, %v", entries, err)
	}
}

// A repository whose nested modules are tiny, so that the whole way is walked.
func tinyRepo(t *testing.T) *builder {
	t.Helper()
	root := t.TempDir()
	for _, m := range modules {
		writeTree(t, root, map[string]string{filepath.Join(m.dir, "go.mod"): "module m\n\ngo 1.26\n\nrequire " + m.path + " v9.9.9\n"})
	}
	return &builder{root: root, cache: t.TempDir(), out: &bytes.Buffer{}}
}

func TestWhatIsInTheCacheIsNotBuilt(t *testing.T) {
	b := tinyRepo(t)
	// Were anything built, it would fail: the module does not exist.
	writeTree(t, b.cache, map[string]string{
		filepath.Join(cacheKey("kubernetes", "v9.9.9"), "kubectl"):        "#!/bin/sh\n",
		filepath.Join(cacheKey("kubernetes", "v9.9.9"), "kube-apiserver"): "#!/bin/sh\n",
		filepath.Join(cacheKey("etcd", "v9.9.9"), "etcd"):                 "#!/bin/sh\n",
	})
	wanted := map[string][]string{etcdModule: nil, kubernetesModule: {"kubectl", "kube-apiserver"}}
	found, err := b.ensure(t.Context(), wanted)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 3 || found["kubectl"].Version != "v9.9.9" {
		t.Errorf("found %+v", found)
	}
	// An empty or unfinished file is no program.
	if err := os.Truncate(found["kubectl"].Path, 0); err != nil {
		t.Fatal(err)
	}
	if _, jobs, err := b.plan(wanted); err != nil || len(jobs) != 1 || jobs[0].name != "kubectl" {
		t.Errorf("to build: %+v, %v", jobs, err)
	}
}

func TestBuildSaysWhichOfHowMany(t *testing.T) {
	b := tinyRepo(t)
	_, err := b.ensure(t.Context(), map[string][]string{etcdModule: nil})
	if err == nil || !strings.Contains(err.Error(), "build etcd v9.9.9") {
		t.Errorf("error is %v", err)
	}
	if out := b.out.(*bytes.Buffer).String(); !strings.Contains(out, "building etcd v9.9.9 (1 of 1)") {
		t.Errorf("progress is %q", out)
	}
}

func TestLockIsExclusiveAndFollowsTheContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		t.Helper()
		f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	unlock, err := lockFile(t.Context(), open(), func() { t.Error("a free lock is busy") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := lockFile(ctx, open(), cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("a taken lock: %v", err)
	}
	// It is had as soon as the other one gives it up.
	second, err := lockFile(t.Context(), open(), func() { unlock() })
	if err != nil {
		t.Fatal(err)
	}
	second()
}

func TestEnvtestAssetsAreTakenFromTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"kube-apiserver": "x", "etcd": "x"})
	t.Setenv(assetsVariable, dir)
	if _, err := EnvtestAssets(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "kubectl") || !strings.Contains(err.Error(), dir) {
		t.Errorf("a folder without kubectl: %v", err)
	}
	writeTree(t, dir, map[string]string{"kubectl": "x"})
	got, err := EnvtestAssets(t.Context(), io.Discard)
	if err != nil || got != dir {
		t.Errorf("%q, %v", got, err)
	}
}

func TestEnsureLinkReplacesAnOldTarget(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "etcd")
	for _, target := range []string{"/old", "/new", "/new"} {
		if err := ensureLink(target, link); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(link); err != nil || got != target {
			t.Errorf("link to %q, %v", got, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

func TestImageArchiveIsReproducibleAndNotRoot(t *testing.T) {
	one, err := ImageArchive("deskfleet.local/x:1", "program", []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := ImageArchive("deskfleet.local/x:1", "program", []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, two) {
		t.Error("equal input gives two archives")
	}
	for _, part := range []string{`"User":"65535:65535"`, `"Entrypoint":["/program"]`, `"os":"linux"`} {
		if !bytes.Contains(one, []byte(part)) {
			t.Errorf("the image's configuration lacks %s", part)
		}
	}
	if _, err := ImageArchive("not a name", "program", nil); err == nil || !strings.Contains(err.Error(), `"not a name"`) {
		t.Errorf("a bad reference: %v", err)
	}
}
