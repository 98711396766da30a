package localcluster

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"pgregory.net/rapid"
)

func TestDefaultOptionsAreValid(t *testing.T) {
	o := DefaultOptions()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestValidateNamesFieldValueAndRemedy(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Options)
		want   []string // all in the error; none means valid
	}{
		"name of 11 letters":    {func(o *Options) { o.Name = "abcdefghijk" }, nil},
		"name of 12 letters":    {func(o *Options) { o.Name = "abcdefghijkl" }, []string{"name", `"abcdefghijkl"`, "11"}},
		"upper-case name":       {func(o *Options) { o.Name = "Desk" }, []string{"name", `"Desk"`}},
		"name with a path":      {func(o *Options) { o.Name = "../x" }, []string{"name", `"../x"`}},
		"name ends in a dash":   {func(o *Options) { o.Name = "desk-" }, []string{"name"}},
		"empty name":            {func(o *Options) { o.Name = "" }, []string{"name"}},
		"relative state folder": {func(o *Options) { o.StateDir = "state" }, []string{"state-dir", `"state"`, "absolute"}},
		"quote in state folder": {func(o *Options) { o.StateDir = `/var/"x` }, []string{"state-dir"}},
		"dots in state folder":  {func(o *Options) { o.StateDir = "/var/lib/../x" }, []string{"state-dir", "clean"}},
		"long state folder":     {func(o *Options) { o.StateDir = "/" + strings.Repeat("x", 60) }, []string{"state-dir", "60"}},
		"relative cache folder": {func(o *Options) { o.CacheDir = "cache" }, []string{"cache-dir"}},
		"short timeout":         {func(o *Options) { o.Timeout = time.Second }, []string{"timeout", "1s", "10s"}},
		"loopback node":         {func(o *Options) { o.NodeIP = netip.MustParseAddr("127.0.0.1") }, []string{"node-ip", "127.0.0.1", "loopback"}},
		"no node":               {func(o *Options) { o.NodeIP = netip.Addr{} }, []string{"node-ip"}},
		"IPv6 node":             {func(o *Options) { o.NodeIP = netip.MustParseAddr("fd00::1") }, []string{"node-ip", "IPv4"}},
		"IPv6 pods":             {func(o *Options) { o.PodCIDR = netip.MustParsePrefix("fd00::/64") }, []string{"pod-cidr", "IPv4"}},
		"host bits":             {func(o *Options) { o.PodCIDR = netip.MustParsePrefix("10.1.2.3/16") }, []string{"pod-cidr", "10.1.2.3/16", "10.1.0.0/16"}},
		"tiny service range":    {func(o *Options) { o.ServiceCIDR = netip.MustParsePrefix("10.9.0.0/28") }, []string{"service-cidr", "/24"}},
		"huge service range":    {func(o *Options) { o.ServiceCIDR = netip.MustParsePrefix("10.0.0.0/8") }, []string{"service-cidr", "/12"}},
		"overlap":               {func(o *Options) { o.PodCIDR = netip.MustParsePrefix("10.199.0.0/17") }, []string{"pod-cidr 10.199.0.0/17", "service-cidr 10.199.0.0/16"}},
		"node among pods":       {func(o *Options) { o.NodeIP = netip.MustParseAddr("10.198.3.4") }, []string{"node-ip 10.198.3.4", "pod-cidr"}},
		"node among services":   {func(o *Options) { o.NodeIP = netip.MustParseAddr("10.199.3.4") }, []string{"node-ip 10.199.3.4", "service-cidr"}},
		"two faults at once":    {func(o *Options) { o.Name = "X"; o.NodeIP = netip.Addr{} }, []string{"name", "node-ip"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := DefaultOptions()
			tc.change(&o)
			err := o.Validate()
			if len(tc.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
}

func TestFlagsSetOptions(t *testing.T) {
	o := DefaultOptions()
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.AddFlags(fs)
	if err := fs.Parse([]string{"--name", "other", "--node-ip", "10.1.0.1", "--pod-cidr=10.2.0.0/16", "--service-cidr", "10.3.0.0/16"}); err != nil {
		t.Fatal(err)
	}
	if o.Name != "other" || o.NodeIP.String() != "10.1.0.1" || o.PodCIDR.String() != "10.2.0.0/16" || o.ServiceCIDR.String() != "10.3.0.0/16" {
		t.Errorf("options are %+v", o)
	}
	if got := o.KubeconfigPath(); got != "/var/lib/deskfleet-cluster/other/admin.kubeconfig" {
		t.Errorf("kubeconfig is %s", got)
	}
	if err := fs.Parse([]string{"--pod-cidr", "10.2.0.0"}); err == nil {
		t.Error("a range without a length was accepted")
	}
}

func TestDerivedAddressesLieInTheirRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix := func(label string, first byte, maxBits int) netip.Prefix {
			b := rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, label)
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{first, b[0], b[1], b[2]}), rapid.IntRange(12, maxBits).Draw(t, label+" bits")).Masked()
		}
		pods, services := prefix("pods", 10, 25), prefix("services", 11, 24)
		a, err := deriveAddresses(netip.MustParseAddr("192.0.2.1"), pods, services)
		if err != nil {
			t.Fatal(err)
		}
		if !pods.Contains(a.Gateway) || !services.Contains(a.APIServer) || !services.Contains(a.DNS) {
			t.Fatalf("an address lies outside: %+v", a)
		}
		if a.Gateway == pods.Addr() || a.APIServer == services.Addr() || a.APIServer == a.DNS {
			t.Fatalf("an address is taken twice or names a network: %+v", a)
		}
	})
}
