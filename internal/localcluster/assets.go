package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// assetsVariable is where controller-runtime's envtest looks for control plane binaries.
const assetsVariable = "KUBEBUILDER_ASSETS"

var envtestPrograms = []string{"etcd", "kube-apiserver", "kubectl"}

// EnvtestAssets returns a folder with kube-apiserver, etcd and kubectl for
// controller-runtime's envtest: the one that KUBEBUILDER_ASSETS names, or one
// in the user's cache whose programs are built from the repository's pinned
// modules on first use (minutes; progress goes to out). It needs neither root
// nor a cluster.
func EnvtestAssets(ctx context.Context, out io.Writer) (dir string, err error) {
	return EnvtestAssetsIn(ctx, "", out)
}

// EnvtestAssetsIn is [EnvtestAssets] with another cache folder; empty means the user's.
func EnvtestAssetsIn(ctx context.Context, cacheDir string, out io.Writer) (dir string, err error) {
	if dir := os.Getenv(assetsVariable); dir != "" {
		for _, name := range envtestPrograms {
			if !isExecutable(filepath.Join(dir, name)) {
				return "", fmt.Errorf("%s=%s has no program %s: point it at a folder with %v, or unset it to build them",
					assetsVariable, dir, name, envtestPrograms)
			}
		}
		return dir, nil
	}
	b, err := newBuilder(cacheDir, out)
	if err != nil {
		return "", err
	}
	found, err := b.ensure(ctx, map[string][]string{
		etcdModule:       nil,
		kubernetesModule: {"kube-apiserver", "kubectl"},
	})
	if err != nil {
		return "", err
	}
	dir = filepath.Join(b.cache, cacheKey("envtest", found["kube-apiserver"].Version+"-etcd-"+found["etcd"].Version))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, name := range envtestPrograms {
		if err := ensureLink(found[name].Path, filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// ensureLink makes a symbolic link; test processes that do so at the same time do not disturb each other.
func ensureLink(target, link string) error {
	if now, err := os.Readlink(link); err == nil && now == target {
		return nil
	}
	tmp, err := os.MkdirTemp(filepath.Dir(link), ".link-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	fresh := filepath.Join(tmp, "link")
	if err := os.Symlink(target, fresh); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(fresh, link)
}
