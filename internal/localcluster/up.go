package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// stopGrace is the time between SIGTERM and SIGKILL.
const stopGrace = 5 * time.Second

// Up brings the cluster up and returns the path of the administrator's
// kubeconfig. What runs already with the same settings is kept, what has ended
// is started again. It ends with a Ready node and DNS that answers, or with an
// error that holds the end of the log of the component at fault. Progress goes to out.
func Up(ctx context.Context, o Options, out io.Writer) (kubeconfig string, err error) {
	c, err := newCluster(o, out)
	if err != nil {
		return "", err
	}
	if err := requireRoot(); err != nil {
		return "", err
	}
	if err := c.prepare(ctx); err != nil {
		return "", err
	}
	unlock, err := c.lockState(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if err := c.recordHost(ctx); err != nil {
		c.dropBase()
		return "", err
	}
	if err := c.up(ctx); errors.Is(context.Cause(ctx), context.Canceled) {
		return "", errors.New("interrupted; what has been started runs on: up goes on from there, down takes it away")
	} else if err != nil {
		return "", fmt.Errorf("%w\n(logs of all components are in %s; take the remains away by down)", err, c.path("logs"))
	}
	return c.kubeconfig("admin"), nil
}

// prepare gets programs and packages; it takes minutes the first time on a machine.
func (c *cluster) prepare(ctx context.Context) error {
	b, err := newBuilder(c.CacheDir, c.out)
	if err != nil {
		return err
	}
	if c.bin, err = b.ensure(ctx, map[string][]string{etcdModule: nil, kubernetesModule: nil, corednsModule: nil}); err != nil {
		return err
	}
	if c.pause, err = b.ensurePause(ctx); err != nil {
		return err
	}
	if err := c.ensurePackages(ctx); err != nil {
		return err
	}
	containerd, err := findProgram("containerd")
	if err != nil {
		return err
	}
	c.bin[containerdName] = builtProgram{Path: containerd}
	c.cniBin, _ = findCNI()
	if c.ToolPath != "" {
		return nil
	}
	c.ToolPath = filepath.Join(b.cache, cacheKey("tool", "dev"), "cluster")
	if err := os.MkdirAll(filepath.Dir(c.ToolPath), 0o755); err != nil {
		return err
	}
	c.say("building hack/cluster for the volume provisioner")
	return goBuild(ctx, buildSpec{dir: b.root, pkg: "./hack/cluster", target: c.ToolPath})
}

func (c *cluster) up(ctx context.Context) error {
	ca, err := c.writeFiles()
	if err != nil {
		return err
	}
	if err := c.ensureNetwork(ctx); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	if err := c.ensureCgroups(); err != nil {
		return fmt.Errorf("cgroups: %w", err)
	}
	c.say("network, certificates and configuration are in place")
	all := c.components()
	for _, step := range []func(context.Context, map[string]component, *authority) error{
		c.startControlPlane, c.startNode, c.startNetworkServices,
	} {
		if err := step(ctx, all, ca); err != nil {
			return err
		}
	}
	c.say("cluster %s is up; kubeconfig: %s", c.Name, c.kubeconfig("admin"))
	return nil
}

func (c *cluster) writeFiles() (*authority, error) {
	for _, dir := range []string{"logs", "run", "volumes", "pod-logs", "etcd", "kubelet/volume-plugins", "bin"} {
		if err := os.MkdirAll(c.path(dir), 0o755); err != nil {
			return nil, err
		}
	}
	// etcd refuses a data folder that others can read; volumes hold pods' data.
	for _, dir := range []string{c.path("etcd"), c.volumes()} {
		if err := os.Chmod(dir, 0o700); err != nil {
			return nil, err
		}
	}
	ca, err := ensurePKI(c.layout, identities(c.Name, c.addr), time.Now())
	if err != nil {
		return nil, err
	}
	if err := c.writeKubeconfigs(ca); err != nil {
		return nil, err
	}
	files, err := c.settings().renderFiles()
	if err != nil {
		return nil, err
	}
	for path, content := range files {
		if err := writeFile(c.path(path), content, 0o644); err != nil {
			return nil, err
		}
	}
	return ca, copyFile(c.ToolPath, c.tool(), 0o755)
}

func (c *cluster) startControlPlane(ctx context.Context, all map[string]component, ca *authority) error {
	// containerd first: it needs nothing of the others and is ready when the API server is.
	for _, name := range []string{containerdName, etcdName} {
		if err := c.ensureRunning(ctx, all[name]); err != nil {
			return err
		}
	}
	etcdClient, err := c.httpClient(ca, "etcd-client")
	if err != nil {
		return err
	}
	if err := c.await(ctx, etcdName, "etcd", httpOK(etcdClient, "https://"+c.at(ports.Etcd)+"/readyz")); err != nil {
		return err
	}
	if err := c.ensureRunning(ctx, all[apiserverName]); err != nil {
		return err
	}
	admin, err := c.httpClient(ca, "admin")
	if err != nil {
		return err
	}
	if err := c.await(ctx, apiserverName, "the API server", httpOK(admin, c.server()+"/readyz")); err != nil {
		return err
	}
	c.say("the API server is ready at %s", c.server())
	for _, name := range []string{controllerManagerName, schedulerName} {
		if err := c.ensureRunning(ctx, all[name]); err != nil {
			return err
		}
	}
	return c.await(ctx, apiserverName, "the cluster's own objects", c.applyManifests)
}

// applyManifests may fail at first: kube-system is made a moment after the API server is ready.
func (c *cluster) applyManifests(ctx context.Context) error {
	_, err := run(ctx, c.bin["kubectl"].Path, "--kubeconfig", c.kubeconfig("admin"), "--cache-dir", c.path("kubectl-cache"),
		"apply", "--server-side", "--force-conflicts", "--field-manager", "deskfleet-local", "-f", c.config("manifests.yaml"))
	return err
}

func (c *cluster) startNode(ctx context.Context, all map[string]component, _ *authority) error {
	if err := c.await(ctx, containerdName, "containerd", waitSocket(c.containerdSocket())); err != nil {
		return err
	}
	if _, err := c.importImage(ctx, c.pause.tar); err != nil {
		return err
	}
	if err := c.ensureRunning(ctx, all[kubeletName]); err != nil {
		return err
	}
	client, err := c.clientset()
	if err != nil {
		return err
	}
	return c.await(ctx, kubeletName, "the node to be Ready", func(ctx context.Context) error {
		node, err := c.readyNode(ctx, client)
		if err != nil {
			return err
		}
		return c.reported(node)
	})
}

// startNetworkServices runs after the node has an address: before, kube-proxy waits half a minute for it.
func (c *cluster) startNetworkServices(ctx context.Context, all map[string]component, _ *authority) error {
	for _, name := range []string{proxyName, corednsName, provisionerComponent} {
		if err := c.ensureRunning(ctx, all[name]); err != nil {
			return err
		}
	}
	plain, err := c.httpClient(nil, "")
	if err != nil {
		return err
	}
	if err := c.await(ctx, proxyName, "kube-proxy", httpOK(plain, "http://"+c.at(ports.ProxyHealth)+"/healthz")); err != nil {
		return err
	}
	if err := c.await(ctx, corednsName, "CoreDNS", httpOK(plain, "http://"+c.at(ports.DNSReady)+"/ready")); err != nil {
		return err
	}
	if err := c.await(ctx, corednsName, "DNS by the Service's address", c.dnsAnswers); err != nil {
		return err
	}
	client, err := c.clientset()
	if err != nil {
		return err
	}
	// A pod that is made before its namespace has an account is refused.
	return c.await(ctx, controllerManagerName, "the default service account", func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}
