package localcluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

const (
	etcdName              = "etcd"
	apiserverName         = "kube-apiserver"
	controllerManagerName = "kube-controller-manager"
	schedulerName         = "kube-scheduler"
	containerdName        = "containerd"
	kubeletName           = "kubelet"
	proxyName             = "kube-proxy"
	corednsName           = "coredns"
	provisionerComponent  = "provisioner"
)

// componentNames is the order in which components start.
var componentNames = []string{
	etcdName, apiserverName, controllerManagerName, schedulerName, containerdName,
	kubeletName, proxyName, corednsName, provisionerComponent,
}

// component is a process of the cluster.
type component struct {
	name    string
	path    string
	version string
	args    []string
	// inputs are the files it reads at its start: when one changes, it is restarted.
	inputs []string
	// port on the node's address that must be free before it starts; 0 means none.
	port int
}

// flags renders "--name=value" pairs in the given order.
func flags(pairs ...string) []string {
	args := make([]string, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		args = append(args, "--"+pairs[i]+"="+pairs[i+1])
	}
	return args
}

// components returns the processes of the cluster, by name.
func (c *cluster) components() map[string]component {
	out := map[string]component{}
	for _, p := range []component{
		c.etcd(), c.apiserver(), c.controllerManager(), c.scheduler(),
		c.containerd(), c.kubelet(), c.proxy(), c.coredns(), c.provisioner(),
	} {
		if b, ok := c.bin[p.name]; ok {
			p.path, p.version = b.Path, b.Version
		}
		out[p.name] = p
	}
	return out
}

func (c *cluster) pair(name string) []string { return []string{c.cert(name), c.key(name)} }

func (c *cluster) etcd() component {
	client, peer := "https://"+c.at(ports.Etcd), "https://"+c.at(ports.EtcdPeer)
	return component{
		name: etcdName, port: ports.Etcd, inputs: append(c.pair("etcd"), c.cert("ca")),
		args: append([]string{
			// A lost machine loses this cluster anyway; without fsync etcd is several times faster on a slow disk.
			"--unsafe-no-fsync", "--client-cert-auth", "--peer-client-cert-auth",
		}, flags(
			"name", c.Name, "data-dir", c.path("etcd"), "logger", "zap", "log-level", "warn",
			"listen-client-urls", client, "advertise-client-urls", client,
			"listen-peer-urls", peer, "initial-advertise-peer-urls", peer, "initial-cluster", c.Name+"="+peer,
			"cert-file", c.cert("etcd"), "key-file", c.key("etcd"), "trusted-ca-file", c.cert("ca"),
			"peer-cert-file", c.cert("etcd"), "peer-key-file", c.key("etcd"), "peer-trusted-ca-file", c.cert("ca"),
		)...),
	}
}

func (c *cluster) apiserver() component {
	inputs := append(c.pair("apiserver"), c.pair("etcd-client")...)
	inputs = append(inputs, c.pair("kubelet-client")...)
	return component{
		name: apiserverName, port: ports.APIServer, inputs: append(inputs, c.cert("ca"), c.key("sa")),
		args: flags(
			"bind-address", c.addr.Node.String(), "advertise-address", c.addr.Node.String(), "secure-port", strconv.Itoa(ports.APIServer),
			"etcd-servers", "https://"+c.at(ports.Etcd),
			"etcd-cafile", c.cert("ca"), "etcd-certfile", c.cert("etcd-client"), "etcd-keyfile", c.key("etcd-client"),
			"tls-cert-file", c.cert("apiserver"), "tls-private-key-file", c.key("apiserver"), "client-ca-file", c.cert("ca"),
			"kubelet-certificate-authority", c.cert("ca"),
			"kubelet-client-certificate", c.cert("kubelet-client"), "kubelet-client-key", c.key("kubelet-client"),
			"kubelet-preferred-address-types", "InternalIP",
			"service-account-issuer", "https://kubernetes.default.svc."+clusterDomain,
			"service-account-key-file", c.path("pki", "sa.pub"), "service-account-signing-key-file", c.key("sa"),
			"service-cluster-ip-range", c.addr.SvcCIDR.String(),
			"authorization-mode", "Node,RBAC", "enable-admission-plugins", "NodeRestriction",
			"allow-privileged", "true", "profiling", "false",
		),
	}
}

func (c *cluster) controllerManager() component {
	config := c.kubeconfig("controller-manager")
	return component{
		name: controllerManagerName, port: ports.ControllerManager,
		inputs: append(c.pair("ca"), config, c.key("sa")),
		args: flags(
			"kubeconfig", config, "authentication-kubeconfig", config, "authorization-kubeconfig", config,
			"bind-address", c.addr.Node.String(), "secure-port", strconv.Itoa(ports.ControllerManager),
			"use-service-account-credentials", "true",
			"service-account-private-key-file", c.key("sa"), "root-ca-file", c.cert("ca"),
			"cluster-signing-cert-file", c.cert("ca"), "cluster-signing-key-file", c.key("ca"),
			"flex-volume-plugin-dir", c.path("kubelet", "volume-plugins"),
			// One of each: an election would only write to the API every two seconds.
			"leader-elect", "false", "profiling", "false",
		),
	}
}

func (c *cluster) scheduler() component {
	config := c.kubeconfig("scheduler")
	return component{
		name: schedulerName, port: ports.Scheduler, inputs: []string{config},
		args: flags(
			"kubeconfig", config, "authentication-kubeconfig", config, "authorization-kubeconfig", config,
			"bind-address", c.addr.Node.String(), "secure-port", strconv.Itoa(ports.Scheduler),
			"leader-elect", "false", "profiling", "false",
		),
	}
}

func (c *cluster) containerd() component {
	config := c.config("containerd.toml")
	return component{
		name: containerdName, inputs: []string{config},
		args: flags("config", config, "log-level", "warn"),
	}
}

func (c *cluster) kubelet() component {
	config := c.config("kubelet.yaml")
	return component{
		name: kubeletName, port: ports.Kubelet,
		inputs: append(c.pair("kubelet-server"), c.cert("ca"), config, c.kubeconfig("kubelet"), c.config("resolv.conf")),
		args: flags(
			"config", config, "kubeconfig", c.kubeconfig("kubelet"),
			"root-dir", c.path("kubelet"), "cert-dir", c.path("kubelet", "pki"),
			"hostname-override", c.Name, "node-ip", c.addr.Node.String(),
			// Topology spread over zones needs a zone to count.
			"node-labels", "topology.kubernetes.io/region=local,topology.kubernetes.io/zone=local",
		),
	}
}

func (c *cluster) proxy() component {
	config := c.config("kube-proxy.yaml")
	return component{
		name: proxyName, port: ports.ProxyHealth, inputs: []string{config, c.kubeconfig("proxy")},
		args: flags("config", config),
	}
}

func (c *cluster) coredns() component {
	config := c.config("Corefile")
	return component{
		name: corednsName, port: ports.DNS, inputs: []string{config, c.kubeconfig("coredns")},
		args: []string{"-conf", config},
	}
}

func (c *cluster) provisioner() component {
	config := c.kubeconfig("provisioner")
	return component{
		name: provisionerComponent, path: c.tool(), inputs: []string{config, c.tool()},
		args: append([]string{"provisioner"}, flags("kubeconfig", config, "node", c.Name, "volumes", c.volumes())...),
	}
}

// spec digests what a component runs with. Equal specs need no restart.
func (p component) spec() (string, error) {
	text := fmt.Appendf(nil, "%q %q\n", p.path, p.args)
	// A program changed in place, as a package upgrade does.
	info, err := os.Stat(p.path)
	if err != nil {
		return "", err
	}
	text = fmt.Appendf(text, "%d %d\n", info.Size(), info.ModTime().UnixNano())
	for _, path := range p.inputs {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		text = fmt.Appendf(text, "%q %x\n", path, sha256.Sum256(content))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12]), nil
}

// ensureRunning starts a component unless it runs with the wanted command and files.
func (c *cluster) ensureRunning(ctx context.Context, p component) error {
	spec, err := p.spec()
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	old, err := readRecord(c.record(p.name))
	if err != nil {
		return err
	}
	verb := "started"
	switch {
	case old.alive(proc) && old.Spec == spec:
		c.say("%s runs (pid %d)", p.name, old.PID)
		return nil
	case old.alive(proc):
		verb = "restarted with changed settings"
		if err := old.stop(ctx, stopGrace); err != nil {
			return err
		}
	case old != nil:
		verb = "had ended and was started again"
	}
	if err := c.portFree(ctx, p); err != nil {
		return err
	}
	r, exited, err := spawn(p.path, p.args, c.log(p.name))
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	r.Component, r.Spec, r.Version = p.name, spec, p.version
	if err := r.write(c.record(p.name)); err != nil {
		return errors.Join(fmt.Errorf("record %s: %w", p.name, err), r.stop(ctx, stopGrace))
	}
	c.exits[p.name] = exited
	c.say("%s %s (pid %d, log %s)", p.name, verb, r.PID, r.Log)
	return nil
}

// records returns the recorded processes by component.
func (c *cluster) records() (map[string]*record, error) {
	entries, err := os.ReadDir(c.path("run"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	out := map[string]*record{}
	for _, e := range entries {
		r, err := readRecord(c.path("run", e.Name()))
		if err != nil {
			return nil, err
		}
		if r != nil {
			out[r.Component] = r
		}
	}
	return out, nil
}
