package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
)

// ensureNetwork makes both bridges, the addresses, the route and the guard. It
// runs before the API server: without the route of the service range, a request
// to a Service that kube-proxy has not programmed yet would leave the machine by
// the default route.
func (c *cluster) ensureNetwork(ctx context.Context) error {
	if err := ensureBridgeFilter(ctx); err != nil {
		return err
	}
	node := netip.PrefixFrom(c.addr.Node, 32)
	gateway := netip.PrefixFrom(c.addr.Gateway, c.addr.PodCIDR.Bits())
	if err := ensureBridge(ctx, c.serviceBridge(), node); err != nil {
		return err
	}
	if _, err := run(ctx, "ip", "route", "replace", c.addr.SvcCIDR.String(), "dev", c.serviceBridge(), "src", c.addr.Node.String()); err != nil {
		return err
	}
	if err := ensureBridge(ctx, c.podBridge(), gateway); err != nil {
		return err
	}
	// Forwarding for this bridge alone: the machine does not become a router of its other networks.
	if err := setNetFile("/proc/sys/net/ipv4/conf", c.podBridge(), "forwarding"); err != nil {
		return err
	}
	// A pod answers another pod of the bridge directly. Only if bridged packets
	// pass the IP hooks too is the Service address put back into the answer.
	if err := setNetFile("/sys/class/net", c.podBridge(), "bridge/nf_call_iptables"); err != nil {
		return err
	}
	return c.ensureGuard(ctx)
}

func setNetFile(base, device, name string) error {
	path := filepath.Join(base, device, name)
	if err := os.WriteFile(path, []byte("1"), 0); err != nil {
		return fmt.Errorf("switch on %s: %w", path, err)
	}
	return nil
}

// ensureBridgeFilter loads the kernel's filter for bridged packets where it is a module.
func ensureBridgeFilter(ctx context.Context) error {
	const sign = "/proc/sys/net/bridge"
	if _, err := os.Stat(sign); err == nil {
		return nil
	}
	_, err := run(ctx, "modprobe", "br_netfilter")
	if _, statErr := os.Stat(sign); statErr != nil {
		return fmt.Errorf("the kernel has no br_netfilter, without which pods cannot reach Services: load or build that module: %w", errors.Join(err, statErr))
	}
	return nil
}

func ensureBridge(ctx context.Context, name string, addr netip.Prefix) error {
	if _, err := net.InterfaceByName(name); err != nil {
		// A fixed hardware address: otherwise it changes when pods come and go, and pods know the old one.
		a := addr.Addr().As4()
		mac := net.HardwareAddr{0x02, 0xdf, a[0], a[1], a[2], a[3]}
		if _, err := run(ctx, "ip", "link", "add", name, "address", mac.String(), "type", "bridge"); err != nil {
			return err
		}
	}
	if _, err := run(ctx, "ip", "link", "set", name, "up"); err != nil {
		return err
	}
	_, err := run(ctx, "ip", "address", "replace", addr.String(), "dev", name)
	return err
}

// ensureGuard puts the nftables table in place that keeps pods' packets on the machine.
func (c *cluster) ensureGuard(ctx context.Context) error {
	rules, err := os.ReadFile(c.config("guard.nft"))
	if err != nil {
		return err
	}
	// Declared, deleted and made anew in one transaction: there is no moment without the guard.
	head := fmt.Sprintf("table inet %[1]s\ndelete table inet %[1]s\n", c.guardTable())
	_, err = runInput(ctx, append([]byte(head), rules...), "nft", "-f", "-")
	return err
}

// deleteNetwork removes what ensureNetwork, kube-proxy and the portmap plugin made.
func (c *cluster) deleteNetwork(ctx context.Context, before hostState) error {
	var errs []error
	for _, name := range []string{c.podBridge(), c.serviceBridge()} {
		if _, err := net.InterfaceByName(name); err != nil {
			continue
		}
		_, err := run(ctx, "ip", "link", "delete", name) // its routes go with it
		errs = append(errs, err)
	}
	errs = append(errs, c.deleteTables(ctx, before))
	// Connections to addresses that are gone; "no entries" is reported as an error.
	_, _ = run(ctx, "conntrack", "--delete", "--orig-dst", c.addr.SvcCIDR.String())
	return errors.Join(errs...)
}

// removeIfExists removes a file; a missing one is fine.
func removeIfExists(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
