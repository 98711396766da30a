// Command operator measures the operator on a real API server without nodes: it
// starts one, runs the manager as a process of its own, makes desks, and prints
// the manager's memory and the time until all children exist, as a table and as
// JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers"
	"github.com/deskfleet/deskfleet/internal/localcluster"
	"github.com/deskfleet/deskfleet/internal/manifest"
)

const (
	// deploymentsPerDesk of the minimal sample: four of the desk, one of its bot pool.
	deploymentsPerDesk = 5
	perNamespace       = 50
	settle             = 5 * time.Second
)

// row is one measurement.
type row struct {
	Desks int `json:"desks"`
	// Seconds from the first create to the last child.
	Seconds float64 `json:"seconds"`
	// RSSMiB of the manager after it came to rest.
	RSSMiB float64 `json:"rssMiB"`
}

func main() {
	manager := flag.String("manager", "bin/deskfleet", "the binary to measure")
	counts := flag.String("desks", "1,100,500", "numbers of desks, rising")
	sample := flag.String("sample", "config/samples/minimal.yaml", "the desk to make")
	flag.Parse()
	if err := run(*manager, *counts, *sample); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(manager, counts, sample string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	assets, err := localcluster.EnvtestAssets(ctx, os.Stderr)
	if err != nil {
		return err
	}
	environment := &envtest.Environment{BinaryAssetsDirectory: assets, CRDDirectoryPaths: []string{"config/crd/bases"}, ErrorIfCRDPathMissing: true}
	environment.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.0.0.0/16")
	config, err := environment.Start()
	if err != nil {
		return err
	}
	defer func() { _ = environment.Stop() }()
	process, err := startManager(ctx, environment, manager)
	if err != nil {
		return err
	}
	defer func() {
		_ = process.Process.Signal(os.Interrupt)
		_ = process.Wait()
	}()
	rows, err := measure(ctx, config, process.Process.Pid, counts, sample)
	if err != nil {
		return err
	}
	return show(rows)
}

// startManager runs the manager with credentials of its own.
func startManager(ctx context.Context, environment *envtest.Environment, binary string) (*exec.Cmd, error) {
	user, err := environment.AddUser(envtest.User{Name: "bench", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return nil, err
	}
	kubeconfig, err := user.KubeConfig()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "bench-operator-")
	if err != nil {
		return nil, err
	}
	defaults := filepath.Join(folder, "defaults.yaml")
	if err := errors.Join(
		os.WriteFile(filepath.Join(folder, "kubeconfig"), kubeconfig, 0o600),
		os.WriteFile(defaults, []byte("image: deskfleet:bench\n"), 0o600),
	); err != nil {
		return nil, err
	}
	process := exec.CommandContext(ctx, binary, "manager", "--defaults="+defaults, "--metrics-bind-address=0", "--health-probe-bind-address=0", "--log-level=error") //nolint:gosec // the binary is the user's
	process.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(folder, "kubeconfig"))
	process.Stderr = os.Stderr
	return process, process.Start()
}

func measure(ctx context.Context, config *rest.Config, pid int, counts, sample string) ([]row, error) {
	config.QPS = -1
	c, err := client.New(config, client.Options{Scheme: controllers.Scheme()})
	if err != nil {
		return nil, err
	}
	objects, err := manifest.Load([]string{sample}, nil)
	if err != nil {
		return nil, err
	}
	var rows []row
	made := 0
	for text := range strings.SplitSeq(counts, ",") {
		wanted, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("-desks: %w", err)
		}
		begin := time.Now()
		for ; made < wanted; made++ {
			if err := create(ctx, c, objects, made); err != nil {
				return nil, err
			}
		}
		if err := waitChildren(ctx, c, wanted); err != nil {
			return nil, err
		}
		took := time.Since(begin)
		select { // the manager comes to rest: status writes, garbage collection
		case <-time.After(settle):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		rss, err := residentMiB(pid)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{Desks: wanted, Seconds: took.Seconds(), RSSMiB: rss})
	}
	return rows, nil
}

// create makes the i-th desk under a name of its own.
func create(ctx context.Context, c client.Client, objects *manifest.Objects, i int) error {
	namespace := fmt.Sprintf("bench-%d", i/perNamespace)
	if i%perNamespace == 0 {
		if err := c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
			return err
		}
	}
	named := func(o client.Object) client.Object {
		o.SetNamespace(namespace)
		o.SetName(fmt.Sprintf("%s-%d", o.GetName(), i))
		o.SetResourceVersion("")
		return o
	}
	suffix := fmt.Sprintf("-%d", i)
	var errs []error
	for _, o := range objects.KnowledgeBases {
		errs = append(errs, c.Create(ctx, named(o.DeepCopy())))
	}
	for _, o := range objects.EscalationPolicies {
		errs = append(errs, c.Create(ctx, named(o.DeepCopy())))
	}
	for _, o := range objects.AgentPools {
		pool := o.DeepCopy()
		pool.Spec.DeskRef.Name += v1alpha1.ObjectName(suffix)
		if pool.Spec.Bot != nil {
			for k := range pool.Spec.Bot.KnowledgeBaseRefs {
				pool.Spec.Bot.KnowledgeBaseRefs[k].Name += v1alpha1.ObjectName(suffix)
			}
		}
		errs = append(errs, c.Create(ctx, named(pool)))
	}
	for _, o := range objects.ServiceDesks {
		desk := o.DeepCopy()
		if desk.Spec.EscalationPolicyRef != nil {
			desk.Spec.EscalationPolicyRef.Name += v1alpha1.ObjectName(suffix)
		}
		errs = append(errs, c.Create(ctx, named(desk)))
	}
	return errors.Join(errs...)
}

func waitChildren(ctx context.Context, c client.Client, desks int) error {
	for {
		var deployments metav1.PartialObjectMetadataList
		deployments.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("DeploymentList"))
		if err := c.List(ctx, &deployments); err != nil {
			return err
		}
		if len(deployments.Items) >= desks*deploymentsPerDesk {
			return nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d of %d Deployments: %w", len(deployments.Items), desks*deploymentsPerDesk, ctx.Err())
		}
	}
}

func residentMiB(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			return kib / 1024, err
		}
	}
	return 0, errors.New("no VmRSS")
}

func show(rows []row) error {
	fmt.Printf("%8s %10s %10s   (%d cores, %s)\n", "desks", "seconds", "RSS MiB", runtime.NumCPU(), runtime.Version())
	for _, r := range rows {
		fmt.Printf("%8d %10.1f %10.0f\n", r.Desks, r.Seconds, r.RSSMiB)
	}
	return json.NewEncoder(os.Stdout).Encode(rows)
}
