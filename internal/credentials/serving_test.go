package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const servingHost = "deskfleet-link.deskfleet-system.svc"

func serve(t *testing.T, existing map[string][]byte, now time.Time) *Serving {
	t.Helper()
	s, err := EnsureServing("deskfleet-link-tls", []string{servingHost}, existing, now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// accepts says whether a client that holds a bundle accepts what a server has.
func accepts(t *testing.T, bundle, server map[string][]byte, now time.Time) error {
	t.Helper()
	pair, err := tls.X509KeyPair(server[FileCertificate], server[FilePrivateKey])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle[FileCA])
	_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: servingHost, Roots: roots, CurrentTime: now})
	return err
}

func TestServingIsMadeOnceAndKept(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	first := serve(t, nil, begin)
	if !first.Changed {
		t.Fatal("nothing was made")
	}
	if err := accepts(t, first.Content, first.Content, begin); err != nil {
		t.Fatal(err)
	}
	for _, later := range []time.Duration{0, 24 * time.Hour, 240 * 24 * time.Hour} {
		again := serve(t, first.Content, begin.Add(later))
		if again.Changed || cmp.Diff(first.Content, again.Content) != "" || !again.RenewAt.Equal(first.RenewAt) {
			t.Errorf("after %s: changed is %v", later, again.Changed)
		}
	}
}

// Over twenty years clients that hear of a new bundle only a month late accept
// every certificate.
func TestServingIsRenewedWithOverlap(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	server := serve(t, nil, now)
	client, authorities, certificates := server.Content, 0, 0
	for month := range 240 {
		now = now.AddDate(0, 1, 0)
		next := serve(t, server.Content, now)
		if next.Changed != !now.Before(server.RenewAt) {
			t.Fatalf("month %d: changed is %v, and renewal was due at %s", month, next.Changed, server.RenewAt)
		}
		if string(next.Content[FileCAKey]) != string(server.Content[FileCAKey]) {
			authorities++
		}
		if string(next.Content[FileCertificate]) != string(server.Content[FileCertificate]) {
			certificates++
		}
		if err := accepts(t, client, next.Content, now); err != nil {
			t.Fatalf("month %d: a client that has the bundle of last month: %v", month, err)
		}
		client, server = next.Content, next
	}
	if authorities < 2 || certificates < 20 {
		t.Errorf("%d authorities and %d certificates in 20 years", authorities, certificates)
	}
}

// Whatever was damaged is made anew.
func TestDamagedServingIsMadeAnew(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	good := serve(t, nil, now).Content
	for _, file := range []string{FileCA, FileCAKey, FileCertificate, FilePrivateKey} {
		for _, damage := range [][]byte{nil, []byte("damaged")} {
			content := maps.Clone(good)
			content[file] = damage
			mended := serve(t, content, now)
			if !mended.Changed {
				t.Errorf("%s as %q was left", file, damage)
			}
			if err := accepts(t, mended.Content, mended.Content, now); err != nil {
				t.Errorf("%s as %q: %v", file, damage, err)
			}
		}
	}
}
