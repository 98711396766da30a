package localcluster

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestRouteConflicts(t *testing.T) {
	routes, err := parseRoutes([]byte(`[
		{"dst":"default","gateway":"192.0.2.1","dev":"eth0"},
		{"dst":"10.0.0.0/8","dev":"tun0"},
		{"dst":"10.198.4.0/24","dev":"docker0"},
		{"type":"local","dst":"10.197.0.1","dev":"lo"},
		{"dst":"fe80::/64","dev":"eth0"}]`))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		own  string
		want string // in the error; empty means no conflict
	}{
		"a wider route yields":    {"10.199.0.0/16", ""},
		"a narrower one does not": {"10.198.0.0/16", "docker0"},
		"the same address":        {"10.197.0.1/32", "lo"},
		"elsewhere":               {"172.16.0.0/16", ""},
		"the same range":          {"10.0.0.0/8", "tun0"},
	} {
		errs := routeConflicts(routes, map[string]netip.Prefix{"pod-cidr": netip.MustParsePrefix(tc.own)})
		switch {
		case tc.want == "" && len(errs) > 0:
			t.Errorf("%s: %v", name, errs)
		case tc.want != "" && (len(errs) == 0 || !strings.Contains(errs[0].Error(), tc.want) || !strings.Contains(errs[0].Error(), "--pod-cidr "+tc.own)):
			t.Errorf("%s: %v", name, errs)
		}
	}
	if _, err := parseRoutes([]byte("nonsense")); err == nil {
		t.Error("nonsense was read as routes")
	}
}

func TestRemoveEmptyTreeKeepsFiles(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "cni")
	writeTree(t, dir, map[string]string{"results/theirs/file": "x"})
	if err := os.MkdirAll(filepath.Join(dir, "networks", "ours"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := removeEmptyTree(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "results/theirs/file")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "networks")); err == nil {
		t.Error("an empty folder stayed")
	}
	if err := os.Remove(filepath.Join(dir, "results/theirs/file")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a missing folder is fine
		if err := removeEmptyTree(dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the empty tree stayed")
	}
}

// shortTempDir is a folder whose path is short enough for a state folder.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "lc-") //nolint:usetesting // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestUpRefusesOtherAddressesForAnExistingCluster(t *testing.T) {
	dir := shortTempDir(t)
	c := testCluster(t, func(o *Options) { o.StateDir = dir })
	writeTree(t, dir, map[string]string{"host.json": `{"nodeIP":"10.197.0.1","podCIDR":"10.198.0.0/16","serviceCIDR":"10.199.0.0/16"}`})
	if err := c.recordHost(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.PodCIDR = netip.MustParsePrefix("10.100.0.0/16")
	err := c.recordHost(t.Context())
	if err == nil || !strings.Contains(err.Error(), "10.198.0.0/16") || !strings.Contains(err.Error(), "10.100.0.0/16") || !strings.Contains(err.Error(), "down") {
		t.Errorf("error is %v", err)
	}
	// status and down find out themselves.
	if err := c.adopt(); err != nil || c.addr.PodCIDR.String() != "10.198.0.0/16" {
		t.Errorf("adopted %v, %v", c.addr.PodCIDR, err)
	}
}

func TestMissingPackages(t *testing.T) {
	none := func(string) bool { return false }
	all := func(string) bool { return true }
	if got := missingPackages(all, true); len(got) > 0 {
		t.Errorf("nothing is missing, but %v", got)
	}
	want := []string{"conntrack", "containerd", "containernetworking-plugins", "iproute2", "iptables", "mount", "nftables", "runc"}
	if diff := cmp.Diff(want, missingPackages(none, false)); diff != "" {
		t.Error(diff)
	}
	onlyCtr := func(name string) bool { return name != "ctr" }
	if diff := cmp.Diff([]string{"containerd"}, missingPackages(onlyCtr, true)); diff != "" {
		t.Error(diff)
	}
}

func readTestdata(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestPortmapCleanupRemovesAllOfTheOnlyNetwork(t *testing.T) {
	saved := readTestdata(t, "iptables/nat.save")
	script := portmapCleanup(saved, "nat", "deskfleet")
	if !strings.HasPrefix(script, "*nat\n") || !strings.HasSuffix(script, "\nCOMMIT\n") {
		t.Errorf("script is %q", script)
	}
	for line := range strings.Lines(saved) {
		line = strings.TrimSpace(line)
		rule, isRule := strings.CutPrefix(line, "-A ")
		removed := isRule && strings.Contains(script, "-D "+rule+"\n")
		if isRule && removed != strings.Contains(line, "CNI-") {
			t.Errorf("removed is %t for %s", removed, line)
		}
	}
	for _, chain := range []string{"CNI-DN-aa5f15229131d0c636d43", "CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-MASQ", "CNI-HOSTPORT-SETMARK"} {
		if strings.Count(script, "-X "+chain+"\n") != 1 {
			t.Errorf("chain %s stays", chain)
		}
	}
	if strings.Contains(script, "DOCKER") {
		t.Errorf("the script touches another program's rules:\n%s", script)
	}
}

func TestPortmapCleanupLeavesAnotherNetworkAlone(t *testing.T) {
	saved := strings.Replace(readTestdata(t, "iptables/nat.save"), "COMMIT", `-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"podman\" id: \"77\"" -m multiport --dports 81 -j CNI-DN-podman
-A CNI-DN-podman -p tcp -m tcp --dport 81 -j DNAT --to-destination 10.88.0.2:80
COMMIT`, 1)
	script := portmapCleanup(saved, "nat", "deskfleet")
	if !strings.Contains(script, "-X CNI-DN-aa5f15229131d0c636d43\n") {
		t.Errorf("own rules stay:\n%s", script)
	}
	if strings.Contains(script, "podman") || strings.Contains(script, "-X CNI-HOSTPORT") {
		t.Errorf("the script touches another network:\n%s", script)
	}
	if got := portmapCleanup(saved, "nat", "desk"); got != "" {
		t.Errorf("a network whose name only begins alike: %q", got)
	}
	if got := portmapCleanup("*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n", "nat", "deskfleet"); got != "" {
		t.Errorf("nothing to do: %q", got)
	}
}

func TestUnusedTable(t *testing.T) {
	for saved, want := range map[string]bool{
		"*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n":                  true,
		"*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\nCOMMIT\n": false,
		"*nat\n-A PREROUTING -j ACCEPT\nCOMMIT\n":                   false,
		"": true,
	} {
		if got := unusedTable(saved); got != want {
			t.Errorf("unused is %t for %q", got, saved)
		}
	}
}

func TestParseMounts(t *testing.T) {
	got := parseMounts(`22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /sys/fs/cgroup/cpu rw master:3 propagate_from:2 - cgroup cgroup rw,cpu
31 22 0:27 / /with\040blank\134 rw - cgroup2 none rw
broken line
`)
	want := []mountPoint{{"/", "ext4"}, {"/sys/fs/cgroup/cpu", "cgroup"}, {`/with blank\`, "cgroup2"}}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(mountPoint{})); diff != "" {
		t.Error(diff)
	}
}

func TestPodPIDsAreThoseBelowTheRoots(t *testing.T) {
	root := t.TempDir()
	writeTree(t, root, map[string]string{
		"cpu/own/cgroup.procs":          "",
		"cpu/own/kubepods/cgroup.procs": "12\n13\n",
		"pids/own/cgroup.procs":         "13\n14\n0\n",
		"pids/other/cgroup.procs":       "1\n",
		"pids/own/tasks":                "99\n",
	})
	got := podPIDs([]string{filepath.Join(root, "cpu/own"), filepath.Join(root, "pids/own"), filepath.Join(root, "missing")})
	if diff := cmp.Diff(map[int]bool{12: true, 13: true, 14: true}, got); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyOurShimsAreEnded(t *testing.T) {
	const socket = "/var/lib/deskfleet-cluster/deskfleet/containerd/containerd.sock"
	join := func(args ...string) []byte { return []byte(strings.Join(args, "\x00") + "\x00") }
	for name, tc := range map[string]struct {
		cmdline []byte
		want    bool
	}{
		"ours":            {join("/usr/bin/containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", "x", "-address", socket), true},
		"docker's":        {join("/usr/bin/containerd-shim-runc-v2", "-namespace", "moby", "-id", "x", "-address", "/run/containerd/containerd.sock"), false},
		"another cluster": {join("/usr/bin/containerd-shim-runc-v2", "-address", strings.Replace(socket, "/deskfleet/", "/other/", 1)), false},
		"an editor":       {join("/usr/bin/vi", "-address", socket), false},
		"cut short":       {join("containerd-shim-runc-v2", "-address"), false},
		"kernel thread":   {nil, false},
	} {
		if got := isShim(tc.cmdline, socket); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
