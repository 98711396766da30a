// Package apiserver runs a real kube-apiserver with etcd for tests, and counts
// or breaks the calls that a client makes to it.
package apiserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/deskfleet/deskfleet/internal/localcluster"
)

// Run starts an API server with the project's CRDs, runs the tests of a package
// and stops it; it is the body of a TestMain. The binaries are those of
// KUBEBUILDER_ASSETS, or built and kept in the user's cache.
func Run(m *testing.M, use func(*rest.Config)) int {
	environment, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start an API server for the tests:", err)
		return 1
	}
	use(environment.Config)
	code := m.Run()
	if err := environment.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the API server:", err)
		return 1
	}
	return code
}

func start() (*envtest.Environment, error) {
	assets, err := localcluster.EnvtestAssets(context.Background(), os.Stderr)
	if err != nil {
		return nil, err
	}
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return nil, errors.New("the source file of this package is unknown")
	}
	root := filepath.Join(filepath.Dir(file), "..", "..", "..")
	environment := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		CRDDirectoryPaths:     []string{filepath.Join(root, "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	// The default of a /24 is full after about 250 Services.
	environment.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.0.0.0/16")
	if _, err := environment.Start(); err != nil {
		// What was started before the failure, for example of a CRD that is not valid, would outlive the tests.
		return nil, errors.Join(err, environment.Stop())
	}
	// The tests' clients are never throttled: a client limit would hide how many calls there are behind time.
	environment.Config.QPS = -1
	return environment, nil
}
