package localcluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// productModule is the module whose root holds the nested modules.
const productModule = "github.com/deskfleet/deskfleet"

// module is a nested Go module that pins programs to build. Each has a go.mod
// of its own, so that the product's stays small.
type module struct {
	name     string // of the cache folder, with the version
	dir      string // below the root of the product's module
	path     string // module path whose version is the programs' version
	programs []program
	// version returns the linker's -X definitions for a version.
	version func(version string) []string
}

type program struct{ name, pkg string }

const (
	kubernetesModule = "kubernetes"
	etcdModule       = "etcd"
	corednsModule    = "coredns"
)

// modules are in the order in which a cluster needs them.
var modules = []module{
	{
		name: etcdModule, dir: "hack/localcluster/etcd", path: "go.etcd.io/etcd/server/v3",
		programs: []program{{"etcd", "go.etcd.io/etcd/server/v3"}},
	},
	{
		name: kubernetesModule, dir: "hack/localcluster", path: "k8s.io/kubernetes",
		programs: []program{
			{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
			{"kubectl", "k8s.io/kubernetes/cmd/kubectl"},
			{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
			{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"},
			{"kubelet", "k8s.io/kubernetes/cmd/kubelet"},
			{"kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"},
		},
		version: kubernetesVersion,
	},
	{
		name: corednsModule, dir: "hack/localcluster/coredns", path: "github.com/coredns/coredns",
		programs: []program{{"coredns", "github.com/coredns/coredns"}},
	},
}

// kubernetesVersion: without these definitions the node and the API server
// report v0.0.0-master and clients that compare versions go wrong.
func kubernetesVersion(version string) []string {
	const pkg = "k8s.io/component-base/version."
	major, minor, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	return []string{pkg + "gitVersion=" + version, pkg + "gitMajor=" + major, pkg + "gitMinor=" + minor}
}

// requiredVersion returns the version that a go.mod file requires of a module.
func requiredVersion(goMod []byte, path string) (string, error) {
	pattern := regexp.MustCompile(`(?m)^(?:require)?[ \t]+` + regexp.QuoteMeta(path) + `[ \t]+(v[^ \t\r\n]+)[ \t]*(?://.*)?\r?$`)
	match := pattern.FindSubmatch(goMod)
	if match == nil {
		return "", fmt.Errorf("go.mod requires no %s: add it with go get", path)
	}
	return string(match[1]), nil
}

// repoRoot finds the root of the product's module from a folder upwards. Nested
// modules on the way are passed over.
func repoRoot(from string) (string, error) {
	for dir := from; ; dir = filepath.Dir(dir) {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if declaresModule(content, productModule) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no module %s in %s or above: run this inside a clone of the repository", productModule, from)
		}
	}
}

func declaresModule(goMod []byte, path string) bool {
	for line := range strings.Lines(string(goMod)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "module" {
			return fields[1] == path
		}
	}
	return false
}
