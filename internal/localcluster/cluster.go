package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	clusterDomain   = "cluster.local"
	provisionerName = "local.deskfleet.dev/folder"
	// StorageClass is the name of the cluster's only and default StorageClass.
	StorageClass = "deskfleet-local"
)

// portNumbers are the ports on the node's address. They need no flags: the
// address itself belongs to the cluster.
type portNumbers struct {
	APIServer, Etcd, EtcdPeer, ControllerManager, Scheduler int
	Kubelet, KubeletHealth, ProxyHealth, ProxyMetrics       int
	DNS, DNSHealth, DNSReady                                int
}

// ports: the well-known ones, except DNS, whose 53 a resolver of the machine may hold on all addresses.
var ports = portNumbers{
	APIServer: 6443, Etcd: 2379, EtcdPeer: 2380, ControllerManager: 10257, Scheduler: 10259,
	Kubelet: 10250, KubeletHealth: 10248, ProxyHealth: 10256, ProxyMetrics: 10249,
	DNS: 1053, DNSHealth: 1054, DNSReady: 1055,
}

// cluster is one call's view of a cluster.
type cluster struct {
	Options
	layout
	addr  addresses
	out   io.Writer
	start time.Time

	bin    binaries
	cniBin string
	pause  pauseImage
	// exits has a channel for each process that this call started.
	exits map[string]<-chan struct{}
}

func newCluster(o Options, out io.Writer) (*cluster, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.StateDir = o.stateDir()
	addr, err := deriveAddresses(o.NodeIP, o.PodCIDR, o.ServiceCIDR)
	if err != nil {
		return nil, err
	}
	return &cluster{
		Options: o, layout: layout{root: o.StateDir}, addr: addr,
		out: out, start: time.Now(), exits: map[string]<-chan struct{}{},
	}, nil
}

func (c *cluster) say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.out, "%6.1fs  %s\n", time.Since(c.start).Seconds(), fmt.Sprintf(format, args...))
}

func (c *cluster) podBridge() string     { return c.Name + "-pod" }
func (c *cluster) serviceBridge() string { return c.Name + "-svc" }
func (c *cluster) guardTable() string    { return "deskfleet-guard-" + c.Name }

// cgroupRoot holds the cgroups of all pods, so that ending them cannot touch
// another kubelet's pods.
func (c *cluster) cgroupRoot() string { return "/deskfleet-" + c.Name }

func (c *cluster) at(port int) string { return hostPort(c.addr.Node, port) }
func (c *cluster) server() string     { return "https://" + c.at(ports.APIServer) }

func hostPort(addr netip.Addr, port int) string {
	return net.JoinHostPort(addr.String(), strconv.Itoa(port))
}

func (c *cluster) settings() settings {
	return settings{
		addresses: c.addr, Name: c.Name, Dir: c.root, Domain: clusterDomain,
		PodBridge: c.podBridge(), ServiceBridge: c.serviceBridge(), GuardTable: c.guardTable(),
		CgroupRoot: c.cgroupRoot(), PauseImage: c.pause.ref, CNIBin: c.cniBin, Ports: ports,
		Users: map[string]string{
			"kubelet": userKubeletClient, "coredns": userCoreDNS, "provisioner": userProvisioner,
		},
		Provisioner: provisionerName, StorageClass: StorageClass,
	}
}

// lockState keeps an up and a down of the same cluster apart. The lock is the
// folder above the state folder, so that taking the cluster down leaves no lock file.
func (c *cluster) lockState(ctx context.Context) (func(), error) {
	dir := filepath.Dir(c.root)
	for {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		folder, err := os.Open(dir)
		if err != nil {
			return nil, err
		}
		unlock, err := lockFile(ctx, folder, func() { c.say("waiting for another up or down below %s", dir) })
		if err != nil {
			return nil, err
		}
		// While this call waited, a down may have removed the folder that is locked now.
		if now, err := os.Stat(dir); err == nil {
			if locked, err := folder.Stat(); err == nil && os.SameFile(now, locked) {
				return unlock, nil
			}
		}
		unlock()
	}
}

// dropBase removes the common folder of all clusters once the last is gone.
func (c *cluster) dropBase() {
	if filepath.Dir(c.root) == stateBase {
		_ = os.Remove(stateBase) // fails, as it should, while something is in it
	}
}

// exists reports whether Up has begun to change the machine for this cluster.
func (c *cluster) exists() (bool, error) {
	_, err := os.Stat(c.host())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
