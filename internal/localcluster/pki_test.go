package localcluster

import (
	"crypto/x509"
	"maps"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var testNow = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func testAddresses(t *testing.T) addresses {
	t.Helper()
	o := DefaultOptions()
	a, err := deriveAddresses(o.NodeIP, o.PodCIDR, o.ServiceCIDR)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ensure makes the PKI and returns the content of all its files.
func ensureTestPKI(t *testing.T, l layout, ids []identity, now time.Time) map[string]string {
	t.Helper()
	if _, err := ensurePKI(l, ids, now); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	entries, err := os.ReadDir(l.path("pki"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		content, err := os.ReadFile(l.path("pki", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(content)
	}
	return files
}

func TestServersAreTrustedByTheNamesTheyAreCalled(t *testing.T) {
	l := layout{root: t.TempDir()}
	ensureTestPKI(t, l, identities("deskfleet", testAddresses(t)), testNow)
	ca, _, err := readCert(l.cert("ca"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	for name, hosts := range map[string][]string{
		"apiserver": {
			"10.197.0.1", "10.199.0.1", "127.0.0.1", "localhost", "kubernetes", "kubernetes.default",
			"kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		},
		"etcd":           {"10.197.0.1", "127.0.0.1"},
		"kubelet-server": {"10.197.0.1", "deskfleet"},
	} {
		cert, _, err := readCert(l.cert(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range hosts {
			if _, err := cert.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, CurrentTime: testNow}); err != nil {
				t.Errorf("%s as %s: %v", name, host, err)
			}
		}
		if _, err := cert.Verify(x509.VerifyOptions{DNSName: "example.org", Roots: roots, CurrentTime: testNow}); err == nil {
			t.Errorf("%s is also example.org", name)
		}
	}
}

func TestClientsCannotPoseAsServersAndHaveTheirGroups(t *testing.T) {
	l := layout{root: t.TempDir()}
	ids := identities("deskfleet", testAddresses(t))
	ensureTestPKI(t, l, ids, testNow)
	groups := map[string][]string{}
	for _, id := range ids {
		cert, _, err := readCert(l.cert(id.Name))
		if err != nil {
			t.Fatal(err)
		}
		if len(cert.Subject.Organization) > 0 {
			groups[cert.Subject.CommonName] = cert.Subject.Organization
		}
		serves := false
		for _, usage := range cert.ExtKeyUsage {
			serves = serves || usage == x509.ExtKeyUsageServerAuth
		}
		if serves != id.Server {
			t.Errorf("%s: usable by a server: %t", id.Name, serves)
		}
		info, err := os.Stat(l.key(id.Name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("key of %s has mode %o", id.Name, info.Mode().Perm())
		}
	}
	want := map[string][]string{"deskfleet-local:admin": {"system:masters"}, "system:node:deskfleet": {"system:nodes"}}
	if diff := cmp.Diff(want, groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

// A new certificate restarts its component, so that only what must change may.
func TestCertificatesAreKeptUntilTheyMustChange(t *testing.T) {
	l := layout{root: t.TempDir()}
	a := testAddresses(t)
	first := ensureTestPKI(t, l, identities("deskfleet", a), testNow)
	changed := func(now time.Time, a addresses) []string {
		t.Helper()
		before := maps.Clone(first)
		first = ensureTestPKI(t, l, identities("deskfleet", a), now)
		var out []string
		for name := range first {
			if before[name] != first[name] {
				out = append(out, name)
			}
		}
		return out
	}
	if got := changed(testNow.Add(300*24*time.Hour), a); len(got) > 0 {
		t.Errorf("after 300 days these changed: %v", got)
	}
	if got := changed(testNow.Add(340*24*time.Hour), a); len(got) != 2*len(identities("deskfleet", a)) {
		t.Errorf("within the last 30 days all certificates and keys but the authority's and sa's should change, these did: %v", got)
	}
	a.Node = netip.MustParseAddr("10.197.0.9")
	want := map[string]bool{
		"apiserver.crt": true, "apiserver.key": true, "etcd.crt": true, "etcd.key": true,
		"kubelet-server.crt": true, "kubelet-server.key": true,
	}
	got := map[string]bool{}
	for _, name := range changed(testNow.Add(340*24*time.Hour), a) {
		got[name] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after a new node address (-want +got):\n%s", diff)
	}
}

func TestBrokenAuthorityIsReportedNotReplaced(t *testing.T) {
	l := layout{root: t.TempDir()}
	ids := identities("deskfleet", testAddresses(t))
	ensureTestPKI(t, l, ids, testNow)
	if err := os.WriteFile(l.key("ca"), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ensurePKI(l, ids, testNow); err == nil {
		t.Fatal("a broken key of the authority went unnoticed")
	}
}
