package layout

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/deskfleet/deskfleet"

// root of the repository, seen from this package.
var root = filepath.Join("..", "..", "..")

// pkg is what "go list" says of a package of this module; paths of this module are relative to it.
type pkg struct {
	ImportPath string
	Imports    []string // what it imports itself, without tests
	Deps       []string // what it imports with all that those import
}

// layers of the control plane, each allowed to import the ones before it.
var layers = [][]string{
	{"api"},
	{"internal/render"},
	{"internal/plan"},
	{"internal/status"},
	{"internal/apply", "internal/credentials"},
	{"controllers"},
	{"internal/desk", "internal/e2e"},
	{"internal/cli"},
	{"."},
}

// controlPlane knows Kubernetes. Every other package under internal/ is the data plane's and does not, so that a new
// package is strict until somebody decides otherwise here.
var controlPlane = []string{
	"internal/apply", "internal/cli", "internal/credentials", "internal/localcluster", "internal/manifest",
	"internal/plan", "internal/render", "internal/status",
	// They put both planes together.
	"internal/desk", "internal/e2e",
}

// announced are folders of the design that need not exist yet.
var announced = []string{"internal/calendar", "internal/desk", "internal/e2e", "internal/privacy", "internal/scaling"}

// isTestKit: packages for tests join both planes. That the product does not import them is a rule of its own.
func isTestKit(path string) bool {
	return in(path, "internal/testing") || in(path, "internal") && strings.HasSuffix(filepath.Base(path), "test")
}

// pure packages decide: time is an argument, and there is no I/O. A server below one of them (internal/knowledge/server)
// is none.
var pure = []string{
	"internal/calendar", "internal/conversation", "internal/escalation", "internal/knowledge", "internal/link", "internal/plan",
	"internal/privacy", "internal/render", "internal/routing", "internal/runtimeconfig", "internal/scaling",
	"internal/scaling/erlang", "internal/scaling/forecast", "internal/scaling/roster", "internal/scaling/survival",
	"internal/simulation", "internal/simulation/policy", "internal/simulation/whatif", "internal/simulation/world",
}

// ioPackages are the doors to the outside.
var ioPackages = []string{"net", "net/http", "os", "os/exec"}

// allowedIO are the exceptions of pure packages.
var allowedIO = map[string][]string{
	// source.go follows the mounted document; the document itself is pure.
	"internal/runtimeconfig": {"os"},
	// options.go opens the trace that a flag of the benchmark names; what is done with it is pure.
	"internal/simulation/world": {"os"},
}

// in reports whether a path is one of the folders, or lies under one.
func in(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return path == f || strings.HasPrefix(path, f+"/") })
}

func isPure(path string) bool { return slices.Contains(pure, path) }

func layerOf(path string) int {
	return slices.IndexFunc(layers, func(folders []string) bool {
		return path == folders[0] || folders[0] != "." && in(path, folders...)
	})
}

// rules say what is wrong with a package that depends on another one, by itself or by what it imports; "" for nothing.
var rules = []func(path, dependency string) string{
	func(path, dependency string) string {
		if layer := layerOf(path); layer >= 0 && layerOf(dependency) > layer {
			return "imports point from api to cli and not back"
		}
		return ""
	},
	func(path, dependency string) string {
		if in(path, "internal") && !in(path, controlPlane...) && !isTestKit(path) && isControlPlane(dependency) {
			return "the data plane knows neither Kubernetes nor the control plane"
		}
		return ""
	},
	func(path, dependency string) string {
		if isPure(path) && in(dependency, "internal", "controllers") && !isPure(dependency) {
			return "a pure package builds on pure packages"
		}
		return ""
	},
	func(path, dependency string) string {
		if isTestKit(dependency) && !isTestKit(path) && !in(path, "hack") {
			return "the product does not run on test kits"
		}
		return ""
	},
	func(path, dependency string) string {
		if in(path, "api") && in(dependency, "internal", "controllers", "config") {
			return "the API stands alone, strangers import it"
		}
		return ""
	},
}

// emptyNames of packages invite whatever has no place.
var emptyNames = []string{"common", "helper", "helpers", "misc", "util", "utils"}

// importViolations lists what the rules of the repository's layout forbid.
func importViolations(packages []pkg) []string {
	var found []string
	for _, p := range packages {
		for _, d := range p.Deps {
			for _, rule := range rules {
				if why := rule(p.ImportPath, d); why != "" {
					found = append(found, p.ImportPath+" imports "+d+": "+why)
				}
			}
		}
		for _, d := range p.Imports {
			if isPure(p.ImportPath) && slices.Contains(ioPackages, d) && !slices.Contains(allowedIO[p.ImportPath], d) {
				found = append(found, p.ImportPath+" imports "+d+": a pure package does no I/O")
			}
		}
		if slices.Contains(emptyNames, filepath.Base(p.ImportPath)) {
			found = append(found, p.ImportPath+": the name says nothing of what is in it")
		}
	}
	return found
}

func isControlPlane(path string) bool {
	return in(path, "k8s.io", "sigs.k8s.io/controller-runtime", "api", "controllers") || in(path, controlPlane...)
}

// list asks the go command, without a network, for the packages of this module.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOPROXY=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []pkg
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p pkg
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = relative(p.ImportPath)
		// The standard library has a folder internal too.
		p.Deps = slices.DeleteFunc(p.Deps, func(d string) bool { return in(d, "internal", "vendor") })
		for i := range p.Deps {
			p.Deps[i] = relative(p.Deps[i])
		}
		packages = append(packages, p)
	}
}

func relative(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

func TestImports(t *testing.T) {
	packages := list(t)
	for _, violation := range importViolations(packages) {
		t.Error(violation)
	}
	// A rule for a folder that was renamed would hold nothing.
	known := func(folder string) bool {
		return slices.ContainsFunc(packages, func(p pkg) bool { return in(p.ImportPath, folder) })
	}
	for _, folder := range slices.Concat(slices.Concat(layers...), controlPlane, pure) {
		if folder != "." && !slices.Contains(announced, folder) && !known(folder) {
			t.Errorf("there is no package %s: bring the rules of this test up to date", folder)
		}
	}
}

// Each rule is broken once, so that a rule which holds nothing is noticed.
func TestImportRulesCatch(t *testing.T) {
	for _, c := range []struct {
		path, dependency, why string
	}{
		{"api/v1alpha1", "internal/version", "stands alone"},
		{"internal/render", "internal/apply", "not back"},
		{"internal/render", "internal/plan", "not back"},
		{"internal/apply", "controllers/servicedesk", "not back"},
		{"controllers/agentpool", "internal/cli", "not back"},
		{"internal/gateway", "k8s.io/api/core/v1", "data plane"},
		{"internal/router/intake", "sigs.k8s.io/controller-runtime/pkg/client", "data plane"},
		{"internal/anything/new", "api/v1alpha1", "data plane"},
		{"internal/knowledge/server", "internal/render", "data plane"},
		{"internal/routing", "internal/bus", "pure packages"},
		{"internal/scaling", "internal/knowledge/server", "pure packages"},
		{"internal/knowledge", "os", "no I/O"},
		{"internal/runtimeconfig", "net/http", "no I/O"},
		{"internal/plan", "net", "no I/O"},
		{"internal/bench", "internal/web/webtest", "test kits"},
		{".", "internal/testing/apiserver", "test kits"},
		{"internal/web/util", "fmt", "says nothing"},
	} {
		p := pkg{ImportPath: c.path, Imports: []string{c.dependency}, Deps: []string{c.dependency}}
		found := importViolations([]pkg{p})
		if !slices.ContainsFunc(found, func(v string) bool { return strings.Contains(v, c.why) }) {
			t.Errorf("%s may import %s; expected a complaint with %q, got %q", c.path, c.dependency, c.why, found)
		}
	}
	for _, good := range []pkg{
		{ImportPath: ".", Deps: []string{"internal/cli", "controllers", "k8s.io/api/core/v1"}},
		{ImportPath: "internal/apply", Deps: []string{"internal/status", "internal/render", "api/v1alpha1", "k8s.io/api/core/v1"}},
		{ImportPath: "internal/plan", Imports: []string{"net/url"}, Deps: []string{"internal/render", "internal/escalation", "os"}},
		{ImportPath: "internal/link/linktest", Deps: []string{"internal/render", "internal/testing/eventually", "api/v1alpha1"}},
		{ImportPath: "internal/gateway", Imports: []string{"net/http"}, Deps: []string{"internal/conversation", "internal/runtimeconfig"}},
	} {
		if found := importViolations([]pkg{good}); len(found) > 0 {
			t.Errorf("%s is refused: %q", good.ImportPath, found)
		}
	}
}
