package localcluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// hostState is what the machine was like before the cluster: Down puts it back.
type hostState struct {
	// NodeIP, PodCIDR and ServiceCIDR are what the cluster was made with.
	NodeIP      netip.Addr   `json:"nodeIP"`
	PodCIDR     netip.Prefix `json:"podCIDR"`
	ServiceCIDR netip.Prefix `json:"serviceCIDR"`
	// Sysctls are the values of kernel settings that Kubernetes changes, by path below /proc/sys.
	Sysctls map[string]string `json:"sysctls"`
	// Absent are the shared folders that did not exist.
	Absent []string `json:"absent"`
	// Tables are the nftables tables that existed, as "family name".
	Tables []string `json:"tables"`
}

// changedSysctls are set by the kubelet (its protectKernelDefaults is off) and
// by CNI plugins. kernel.panic_on_oops=1 is nothing to leave on a developer's machine.
var changedSysctls = []string{
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
	"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes", "net/ipv4/ip_forward",
	"net/netfilter/nf_conntrack_max",
}

// sharedDirs are folders outside of the state folder that the kubelet,
// containerd, its shims and CNI plugins create without a setting for another place.
var sharedDirs = []string{
	"/var/log/containers", "/var/log/pods", "/var/lib/cni", "/var/lib/kubelet", "/run/containerd",
	"/etc/cni", "/var/run/netns", "/opt/containerd", "/opt/cni", "/usr/libexec/kubernetes", "/var/lib/containerd", "/run/mount",
}

// devicePluginSocket is where every kubelet listens for device plugins.
const devicePluginSocket = "/var/lib/kubelet/device-plugins/kubelet.sock"

// recordHost writes down the state of the machine once, before the first change.
func (c *cluster) recordHost(ctx context.Context) error {
	if found, err := c.exists(); err != nil {
		return err
	} else if found {
		return c.sameAddresses()
	}
	if err := c.refuseConflicts(ctx); err != nil {
		return err
	}
	tables, err := nftTables(ctx)
	if err != nil {
		return err
	}
	state := hostState{
		NodeIP: c.NodeIP, PodCIDR: c.PodCIDR, ServiceCIDR: c.ServiceCIDR,
		Sysctls: map[string]string{}, Tables: tables,
	}
	for _, name := range changedSysctls {
		if value, err := os.ReadFile(filepath.Join("/proc/sys", name)); err == nil {
			state.Sysctls[name] = strings.TrimSpace(string(value))
		}
	}
	for _, dir := range sharedDirs {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			state.Absent = append(state.Absent, dir)
		}
	}
	raw, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(c.host(), append(raw, '\n'), 0o644)
}

func (c *cluster) readHost() (hostState, error) {
	var state hostState
	raw, err := os.ReadFile(c.host())
	if err != nil {
		return state, err
	}
	if err := json.Unmarshal(raw, &state); err != nil {
		return state, fmt.Errorf("%s: %w", c.host(), err)
	}
	return state, nil
}

// sameAddresses: the addresses are in certificates, in stored objects and in
// pods, so that a cluster keeps them for its life.
func (c *cluster) sameAddresses() error {
	was, err := c.readHost()
	if err != nil {
		return err
	}
	if was.NodeIP != c.NodeIP || was.PodCIDR != c.PodCIDR || was.ServiceCIDR != c.ServiceCIDR {
		return fmt.Errorf("cluster %s was made with node-ip %s, pod-cidr %s and service-cidr %s, and cannot change to %s, %s and %s: take it down first",
			c.Name, was.NodeIP, was.PodCIDR, was.ServiceCIDR, c.NodeIP, c.PodCIDR, c.ServiceCIDR)
	}
	return nil
}

// adopt takes over the addresses of an existing cluster, so that status and
// down need not be told them again.
func (c *cluster) adopt() error {
	was, err := c.readHost()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	c.NodeIP, c.PodCIDR, c.ServiceCIDR = was.NodeIP, was.PodCIDR, was.ServiceCIDR
	c.addr, err = deriveAddresses(c.NodeIP, c.PodCIDR, c.ServiceCIDR)
	return err
}

// refuseConflicts finds what would be broken by this cluster, or would break it.
func (c *cluster) refuseConflicts(ctx context.Context) error {
	var errs []error
	// Down removes everything in the state folder.
	if entries, err := os.ReadDir(c.root); err == nil && len(entries) > 0 {
		errs = append(errs, fmt.Errorf("--state-dir %s is not empty and holds no cluster: choose a folder that does not exist yet", c.root))
	}
	for _, name := range []string{c.podBridge(), c.serviceBridge()} {
		if _, err := net.InterfaceByName(name); err == nil {
			errs = append(errs, fmt.Errorf("network device %s exists and is not this cluster's: choose another --name or delete it", name))
		}
	}
	tables, err := nftTables(ctx)
	if err != nil {
		return err
	}
	if slices.Contains(tables, "ip kube-proxy") {
		errs = append(errs, errors.New("nftables table \"ip kube-proxy\" exists: another Kubernetes with kube-proxy runs on this machine and its name cannot be changed; take that one down first (clusters of this tool lie in "+stateBase+"), or use it by its kubeconfig"))
	}
	out, err := run(ctx, "ip", "-json", "route", "show", "table", "all")
	if err != nil {
		return err
	}
	routes, err := parseRoutes(out)
	if err != nil {
		return err
	}
	return errors.Join(append(errs, routeConflicts(routes, map[string]netip.Prefix{
		"pod-cidr": c.addr.PodCIDR, "service-cidr": c.addr.SvcCIDR, "node-ip": netip.PrefixFrom(c.addr.Node, 32),
	})...)...)
}

type route struct {
	Dst netip.Prefix
	Dev string
}

func parseRoutes(raw []byte) ([]route, error) {
	var list []struct{ Dst, Dev string }
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("ip route: %w", err)
	}
	var routes []route
	for _, r := range list {
		if p, err := netip.ParsePrefix(r.Dst); err == nil {
			routes = append(routes, route{p, r.Dev})
		} else if a, err := netip.ParseAddr(r.Dst); err == nil {
			routes = append(routes, route{netip.PrefixFrom(a, a.BitLen()), r.Dev})
		}
	}
	return routes, nil
}

// routeConflicts: a route as narrow as a range of ours or narrower would send
// the cluster's packets elsewhere. A wider one (the default, a VPN's 10.0.0.0/8) yields to ours.
func routeConflicts(routes []route, ranges map[string]netip.Prefix) []error {
	var errs []error
	for flag, own := range ranges {
		for _, r := range routes {
			if r.Dst.Bits() >= own.Bits() && own.Overlaps(r.Dst) {
				errs = append(errs, fmt.Errorf("--%s %s: this machine already routes %s to device %s; choose another range", flag, own, r.Dst, r.Dev))
			}
		}
	}
	return errs
}

func nftTables(ctx context.Context) ([]string, error) {
	out, err := run(ctx, "nft", "list", "tables")
	if err != nil {
		return nil, err
	}
	var tables []string
	for line := range bytes.Lines(out) {
		if rest, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("table ")); ok {
			tables = append(tables, string(rest))
		}
	}
	return tables, nil
}

func restoreSysctls(state hostState) error {
	var errs []error
	for name, value := range state.Sysctls {
		path := filepath.Join("/proc/sys", name)
		if now, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(now)) == value {
			continue
		}
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			errs = append(errs, fmt.Errorf("put sysctl %s back to %s: %w", name, value, err))
		}
	}
	return errors.Join(errs...)
}

// removeEmptyTree removes a folder that holds nothing but folders; it leaves
// everything in which somebody keeps a file.
func removeEmptyTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeEmptyTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if entries, err = os.ReadDir(dir); err != nil || len(entries) > 0 {
		return err
	}
	return os.Remove(dir)
}
