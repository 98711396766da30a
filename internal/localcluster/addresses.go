package localcluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// addresses are the fixed addresses that follow from the ranges.
type addresses struct {
	Node      netip.Addr
	PodCIDR   netip.Prefix
	SvcCIDR   netip.Prefix
	Gateway   netip.Addr // of the pods: the first address of the pod range
	APIServer netip.Addr // ClusterIP of default/kubernetes: kube-apiserver takes the first of the service range
	DNS       netip.Addr // ClusterIP of kube-system/kube-dns: the tenth, as kubeadm does
}

func deriveAddresses(node netip.Addr, pods, services netip.Prefix) (addresses, error) {
	var errs []error
	if !node.Is4() || node.IsLoopback() || node.IsUnspecified() || node.IsMulticast() {
		// The kubelet refuses a loopback node address.
		errs = append(errs, fmt.Errorf("node-ip %q: use an IPv4 address that is neither loopback, multicast nor 0.0.0.0", node))
	}
	if err := checkRange("pod-cidr", pods, 12, 25); err != nil {
		errs = append(errs, err)
	}
	if err := checkRange("service-cidr", services, 12, 24); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return addresses{}, errors.Join(errs...)
	}
	if pods.Overlaps(services) {
		errs = append(errs, fmt.Errorf("pod-cidr %s overlaps service-cidr %s: choose two ranges that share no address", pods, services))
	}
	for name, r := range map[string]netip.Prefix{"pod-cidr": pods, "service-cidr": services} {
		if r.Contains(node) {
			errs = append(errs, fmt.Errorf("node-ip %s lies in %s %s: choose an address outside of it", node, name, r))
		}
	}
	return addresses{
		Node: node, PodCIDR: pods, SvcCIDR: services,
		Gateway: nth(pods, 1), APIServer: nth(services, 1), DNS: nth(services, 10),
	}, errors.Join(errs...)
}

func checkRange(name string, p netip.Prefix, minBits, maxBits int) error {
	switch {
	case !p.IsValid() || !p.Addr().Is4():
		return fmt.Errorf("%s %q: use an IPv4 prefix like 10.198.0.0/16", name, p)
	case p.Masked() != p:
		return fmt.Errorf("%s %s: the address has host bits set; use %s", name, p, p.Masked())
	case p.Bits() < minBits || p.Bits() > maxBits:
		return fmt.Errorf("%s %s: use a prefix length from /%d to /%d", name, p, minBits, maxBits)
	}
	return nil
}

// nth returns the n-th address of an IPv4 prefix, counted from its network address.
func nth(p netip.Prefix, n uint32) netip.Addr {
	base := p.Masked().Addr().As4()
	var out [4]byte
	binary.BigEndian.PutUint32(out[:], binary.BigEndian.Uint32(base[:])+n)
	return netip.AddrFrom4(out)
}
