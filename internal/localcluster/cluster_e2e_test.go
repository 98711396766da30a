//go:build e2e

package localcluster

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// patience bounds each wait; nothing is asserted about how long it takes.
const patience = 2 * time.Minute

// e2eCluster is a cluster beside the default one's name and ranges.
type e2eCluster struct {
	*cluster
	t *testing.T
}

func e2eOptions(t *testing.T) Options {
	t.Helper()
	if err := requireRoot(); err != nil {
		t.Fatal(err)
	}
	o := DefaultOptions()
	o.Name = "e2e"
	o.NodeIP = netip.MustParseAddr("10.187.0.1")
	o.PodCIDR = netip.MustParsePrefix("10.188.0.0/16")
	o.ServiceCIDR = netip.MustParsePrefix("10.189.0.0/16")
	return o
}

// testWriter shows progress as the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

func (e e2eCluster) kubectl(args ...string) (string, error) {
	out, err := run(e.t.Context(), e.bin["kubectl"].Path, append([]string{"--kubeconfig", e.kubeconfig("admin"), "--cache-dir", e.path("kubectl-cache")}, args...)...)
	return string(out), err
}

func (e e2eCluster) must(args ...string) string {
	e.t.Helper()
	out, err := e.kubectl(args...)
	if err != nil {
		e.t.Fatal(err)
	}
	return out
}

func (e e2eCluster) probe(args ...string) (string, error) {
	return e.kubectl(append([]string{"-n", "e2e", "exec", "keeper-0", "--", "/probe"}, args...)...)
}

// eventually repeats a question until the answer is right.
func (e e2eCluster) eventually(what string, ask func() (string, error), right func(string) bool) string {
	e.t.Helper()
	var answer string
	var err error
	if !pollUntil(e.t.Context(), patience, func() bool { answer, err = ask(); return err == nil && right(answer) }) {
		e.t.Fatalf("%s: the last answer is %q, %v", what, answer, err)
	}
	return answer
}

// snapshot is the state of the machine that a cluster may change.
func snapshot(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, command := range map[string][]string{
		"links":     {"ip", "-brief", "link"},
		"addresses": {"ip", "-brief", "address"},
		"routes":    {"ip", "route", "show", "table", "all"},
		"rules":     {"ip", "rule"},
		"nftables":  {"nft", "--stateless", "list", "ruleset"},
	} {
		text, err := run(t.Context(), command[0], command[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	all, err := mounts()
	if err != nil {
		t.Fatal(err)
	}
	out["mounts"] = fmt.Sprint(all)
	for _, name := range append(changedSysctls, "net/ipv4/conf/all/route_localnet", "net/ipv4/conf/default/forwarding") {
		value, _ := os.ReadFile(filepath.Join("/proc/sys", name))
		out["sysctl "+name] = string(value)
	}
	for _, pattern := range []string{"/sys/fs/cgroup/*", "/sys/fs/cgroup/*/*", "/var/lib/*", "/var/log/*", "/var/log/containers/*", "/run/*", "/opt/*", "/etc/cni/*", "/var/lib/cni/*/*", "/run/netns/*", "/run/containerd/*/*", stateBase + "/*"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		out[pattern] = strings.Join(paths, "\n")
	}
	return out
}

func TestClusterUpDown(t *testing.T) {
	o := e2eOptions(t)
	c, err := newCluster(o, testWriter{t})
	if err != nil {
		t.Fatal(err)
	}
	// Binaries and packages stay on the machine, so they come before the first look.
	if err := c.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.ToolPath = c.ToolPath
	e := e2eCluster{cluster: c, t: t}
	before := snapshot(t)
	t.Cleanup(func() {
		if err := Down(context.Background(), o, io.Discard); err != nil {
			t.Errorf("last down: %v", err)
		}
	})
	if _, err := Up(t.Context(), o, testWriter{t}); err != nil {
		t.Fatal(err)
	}
	spy(e)
	deploy(e)
	t.Run("service", func(t *testing.T) { testService(e2eCluster{c, t}) })
	t.Run("volume", func(t *testing.T) { testVolume(e2eCluster{c, t}) })
	t.Run("token", func(t *testing.T) { testTokenOffline(e2eCluster{c, t}) })
	t.Run("restart", func(t *testing.T) { testRestart(e2eCluster{c, t}, o) })
	t.Run("conflict", func(t *testing.T) { testSecondCluster(e2eCluster{c, t}, o) })
	t.Run("nothing leaves", func(t *testing.T) { testNothingLeaves(e2eCluster{c, t}) })
	t.Run("reclaim", func(t *testing.T) { testReclaim(e2eCluster{c, t}) })
	if err := Down(t.Context(), o, testWriter{t}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, snapshot(t)); diff != "" {
		t.Errorf("the machine differs from before (-before +after):\n%s", diff)
	}
	if err := Down(t.Context(), o, testWriter{t}); err != nil {
		t.Errorf("down of a cluster that is down: %v", err)
	}
}

const spyTable = "deskfleet-e2e-spy"

// spy counts what leaves by a device that is not the cluster's.
func spy(e e2eCluster) {
	e.t.Helper()
	rules := fmt.Sprintf(`table inet %s {
	chain leaving {
		type filter hook postrouting priority 300; policy accept;
		oifname { "lo", %q, %q } accept
		ip saddr { %[4]s, %[5]s, %[6]s } counter
		ip daddr { %[4]s, %[5]s, %[6]s } counter
	}
}
`, spyTable, e.podBridge(), e.serviceBridge(), e.addr.Node, e.addr.PodCIDR, e.addr.SvcCIDR)
	if _, err := runInput(e.t.Context(), []byte(rules), "nft", "-f", "-"); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _, _ = run(context.Background(), "nft", "delete", "table", "inet", spyTable) })
}

func testNothingLeaves(e e2eCluster) {
	for _, target := range []string{"192.0.2.1:80", "[2001:db8::1]:80", hostPort(nth(e.addr.SvcCIDR, 5000), 80)} {
		if out, err := e.probe("dial", target); err == nil {
			e.t.Errorf("a pod reached %s: %s", target, out)
		}
	}
	if _, err := e.probe("get", "http://example.org"); err == nil || !strings.Contains(err.Error(), "no such host") {
		e.t.Errorf("a name of the outside: %v", err)
	}
	conn, err := net.DialTimeout("tcp", hostPort(nth(e.addr.SvcCIDR, 5000), 80), 2*time.Second)
	if err == nil {
		_ = conn.Close()
		e.t.Error("an address without a Service answers")
	}
	out, err := run(e.t.Context(), "nft", "list", "table", "inet", spyTable)
	if err != nil {
		e.t.Fatal(err)
	}
	if got := strings.Count(string(out), "counter packets 0 bytes 0"); got != 2 {
		e.t.Errorf("packets left the machine:\n%s", out)
	}
	if _, err := run(e.t.Context(), "nft", "delete", "table", "inet", spyTable); err != nil {
		e.t.Fatal(err)
	}
}

func deploy(e e2eCluster) {
	e.t.Helper()
	root, err := repoRoot(mustWd(e.t))
	if err != nil {
		e.t.Fatal(err)
	}
	program := filepath.Join(e.t.TempDir(), "probe")
	if err := goBuild(e.t.Context(), buildSpec{dir: root, pkg: "./internal/localcluster/testdata/probe", target: program, static: true}); err != nil {
		e.t.Fatal(err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		e.t.Fatal(err)
	}
	archive, err := ImageArchive("deskfleet.local/probe:e2e", "probe", content)
	if err != nil {
		e.t.Fatal(err)
	}
	path := program + ".tar"
	if err := os.WriteFile(path, archive, 0o600); err != nil {
		e.t.Fatal(err)
	}
	names, err := LoadImage(e.t.Context(), e.Options, path)
	if err != nil || !slices.Equal(names, []string{"deskfleet.local/probe:e2e"}) {
		e.t.Fatalf("loaded %v, %v", names, err)
	}
	start := time.Now()
	e.must("apply", "-f", "testdata/e2e.yaml")
	for _, what := range []string{"deployment/web", "statefulset/keeper"} {
		e.must("-n", "e2e", "rollout", "status", what, "--timeout", patience.String())
	}
	e.must("wait", "--for=condition=Ready", "pod/hostport", "--timeout", patience.String())
	e.t.Logf("12 pods are Ready after %s", time.Since(start).Round(100*time.Millisecond))
}

func mustWd(t *testing.T) string {
	t.Helper()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return wd
}

func testService(e e2eCluster) {
	fromWeb := func(s string) bool { return strings.HasPrefix(s, "web-") }
	ask := func(args ...string) func() (string, error) {
		return func() (string, error) { return e.probe(args...) }
	}
	answer := e.eventually("a Service by its name", ask("get", "http://web.e2e.svc.cluster.local"), fromWeb)
	_, from, _ := strings.Cut(answer, " saw ")
	source, err := netip.ParseAddrPort(from)
	if err != nil || !e.addr.PodCIDR.Contains(source.Addr()) || source.Addr() == e.addr.Gateway {
		e.t.Errorf("the pod's address is not kept: %q, %v", answer, err)
	}
	e.eventually("a Service by its short name", ask("get", "http://web"), fromWeb)
	e.eventually("a pod by the Service it serves itself", ask("get", "http://self"), func(s string) bool { return strings.HasPrefix(s, "keeper-0 ") })
	e.eventually("a pod of a StatefulSet by its name", ask("get", "http://keeper-0.self:8080"), func(s string) bool { return strings.HasPrefix(s, "keeper-0 ") })
	e.eventually("a Service from the node", func() (string, error) {
		return httpGet(e.t, e.must("-n", "e2e", "get", "service", "web", "-o", "jsonpath=http://{.spec.clusterIP}"))
	}, fromWeb)
	e.eventually("a host port", func() (string, error) { return httpGet(e.t, "http://"+e.at(18080)) }, func(s string) bool { return strings.HasPrefix(s, "hostport ") })
	if got := e.must("-n", "e2e", "logs", "keeper-0"); got != "serving\n" {
		e.t.Errorf("log of a pod: %q", got)
	}
	if _, err := e.kubectl("-n", "e2e", "run", "root", "--image", "deskfleet.local/probe:e2e", "--dry-run=server"); err == nil || !strings.Contains(err.Error(), "PodSecurity") {
		e.t.Errorf("an unrestricted pod: %v", err)
	}
}

func httpGet(t *testing.T, url string) (string, error) {
	client := http.Client{Timeout: tryTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func testVolume(e e2eCluster) {
	if _, err := e.probe("write", "/data/note", "kept"); err != nil {
		e.t.Fatal(err)
	}
	if _, err := e.probe("write", "/note", "x"); err == nil {
		e.t.Error("the root file system can be written")
	}
	e.must("-n", "e2e", "delete", "pod", "keeper-0", "--wait")
	e.must("-n", "e2e", "rollout", "status", "statefulset/keeper", "--timeout", patience.String())
	e.eventually("what the pod before wrote", func() (string, error) { return e.probe("read", "/data/note") }, func(s string) bool { return s == "kept" })
	volume := e.must("-n", "e2e", "get", "persistentvolumeclaim", "data", "-o", "jsonpath={.spec.volumeName}")
	folder := filepath.Join(e.volumes(), volume)
	if _, err := os.Stat(filepath.Join(folder, "note")); err != nil {
		e.t.Error(err)
	}
}

// testReclaim is the last of a volume.
func testReclaim(e e2eCluster) {
	volume := e.must("-n", "e2e", "get", "persistentvolumeclaim", "data", "-o", "jsonpath={.spec.volumeName}")
	e.must("-n", "e2e", "delete", "statefulset/keeper", "persistentvolumeclaim/data", "--timeout", patience.String())
	e.must("wait", "--for=delete", "persistentvolume/"+volume, "--timeout", patience.String())
	if _, err := os.Stat(filepath.Join(e.volumes(), volume)); err == nil {
		e.t.Error("the folder of a deleted volume stays")
	}
}

// testTokenOffline verifies a service account token with nothing but the published keys.
func testTokenOffline(e e2eCluster) {
	token := strings.TrimSpace(e.must("-n", "e2e", "create", "token", "default", "--audience", "deskfleet-link"))
	var keys struct {
		Keys []struct{ Kid, Alg, N, E string }
	}
	if err := json.Unmarshal([]byte(e.must("get", "--raw", "/openid/v1/jwks")), &keys); err != nil {
		e.t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(keys.Keys) != 1 || keys.Keys[0].Alg != "RS256" {
		e.t.Fatalf("a token of %d parts, keys %+v", len(parts), keys)
	}
	decode := func(s string) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			e.t.Fatal(err)
		}
		return raw
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(decode(keys.Keys[0].N)), E: int(new(big.Int).SetBytes(decode(keys.Keys[0].E)).Int64())}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], decode(parts[2])); err != nil {
		e.t.Error(err)
	}
	if claims := decode(parts[1]); !bytes.Contains(claims, []byte(`"aud":["deskfleet-link"]`)) ||
		!bytes.Contains(claims, []byte(`"iss":"https://kubernetes.default.svc.cluster.local"`)) {
		e.t.Errorf("claims are %s", claims)
	}
}

func pids(t *testing.T, o Options) (map[string]int, bool) {
	t.Helper()
	s, err := GetStatus(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, c := range s.Components {
		out[c.Name] = c.PID
	}
	return out, s.Up
}

func testRestart(e e2eCluster, o Options) {
	first, up := pids(e.t, o)
	if !up {
		e.t.Error("status says that the cluster is not up")
	}
	started := e.must("get", "pods", "-A", "-o", "jsonpath={.items[*].status.containerStatuses[*].state.running.startedAt}")
	if _, err := Up(e.t.Context(), o, testWriter{e.t}); err != nil {
		e.t.Fatal(err)
	}
	second, _ := pids(e.t, o)
	if diff := cmp.Diff(first, second); diff != "" {
		e.t.Errorf("up restarted what ran:\n%s", diff)
	}
	ended := []string{schedulerName, kubeletName, containerdName}
	for _, name := range ended {
		r, err := readRecord(e.record(name))
		if err != nil {
			e.t.Fatal(err)
		}
		if err := r.stop(e.t.Context(), stopGrace); err != nil {
			e.t.Fatal(err)
		}
	}
	if _, up := pids(e.t, o); up {
		e.t.Error("status says that a cluster without a scheduler is up")
	}
	if _, err := Up(e.t.Context(), o, testWriter{e.t}); err != nil {
		e.t.Fatal(err)
	}
	third, up := pids(e.t, o)
	if !up {
		e.t.Error("not up after the restart")
	}
	for name, pid := range third {
		if restarted := pid != first[name]; restarted != slices.Contains(ended, name) {
			e.t.Errorf("%s: restarted is %t", name, restarted)
		}
	}
	if got := e.must("get", "pods", "-A", "-o", "jsonpath={.items[*].status.containerStatuses[*].state.running.startedAt}"); got != started {
		e.t.Errorf("containers were restarted with the node:\n%s\n%s", started, got)
	}
}

func testSecondCluster(e e2eCluster, o Options) {
	o.Name = "second"
	o.NodeIP = netip.MustParseAddr("10.177.0.1")
	_, err := Up(e.t.Context(), o, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "kube-proxy") || !strings.Contains(err.Error(), "--service-cidr "+o.ServiceCIDR.String()) {
		e.t.Errorf("a second cluster: %v", err)
	}
	if _, err := os.Stat(filepath.Join(stateBase, o.Name)); err == nil {
		e.t.Error("the refused cluster left a folder")
	}
}
