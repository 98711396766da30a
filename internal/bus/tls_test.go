package bus

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// authority is a CA made for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t testing.TB, name string) authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert: cert, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// write puts a certificate of the CA and the bundle of CAs in place.
func (a authority) write(t testing.TB, files TLSFiles, bundle ...authority) {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "bus"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var cas []byte
	for _, ca := range bundle {
		cas = append(cas, ca.pem...)
	}
	writeFile(t, files.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	writeFile(t, files.Key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}))
	writeFile(t, files.CA, cas)
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func tlsFiles(t testing.TB) TLSFiles {
	dir := t.TempDir()
	return TLSFiles{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), CA: filepath.Join(dir, "ca.crt")}
}

// startListening starts a server with TLS on a loopback port.
func startListening(t testing.TB, doc *runtimeconfig.Document, files TLSFiles) *Server {
	t.Helper()
	s, err := StartServer(t.Context(), doc, ServerOptions{
		Name: "bus-0", Dir: t.TempDir(), Listen: "127.0.0.1:-1", TLS: files, Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, s) })
	if err := s.EnsureStream(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTLSAndNKeyOverLoopback(t *testing.T) {
	ca, files := newAuthority(t, "desk CA"), tlsFiles(t)
	ca.write(t, files, ca)
	seed, public := newSeed(t)
	doc := testDocument(16 << 20)
	doc.Bus.Users = routerUser(public)
	server := startListening(t, doc, files)
	doc.Bus.URLs = []string{server.URL()}
	s := testSubjects(t)

	good := EndpointFor(doc, routerRole, Files{CA: files.CA, Seed: seed})
	c := connect(t, good)
	mustAppend(t, c.Log(s.Stream()), s.Decisions(), "one", AppendOptions{ExpectLast: Expect(0)})

	strangerCA := filepath.Join(t.TempDir(), "ca.crt")
	writeFile(t, strangerCA, newAuthority(t, "stranger").pem)
	strangerSeed, _ := newSeed(t)
	elsewhere, err := StartServer(t.Context(), doc, ServerOptions{
		Name: "bus-1", Dir: t.TempDir(), Listen: "127.0.0.2:-1", TLS: files, Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, elsewhere) })
	otherHost := []string{elsewhere.URL()} // the certificate names 127.0.0.1
	for name, c := range map[string]struct {
		bad  Endpoint
		want string
	}{
		"no CA":            {Endpoint{URLs: good.URLs, SeedFile: seed}, "unknown authority"},
		"other CA":         {Endpoint{URLs: good.URLs, CAFile: strangerCA, SeedFile: seed}, "unknown authority"},
		"no key":           {Endpoint{URLs: good.URLs, CAFile: files.CA}, "Authorization Violation"},
		"other key":        {Endpoint{URLs: good.URLs, CAFile: files.CA, SeedFile: strangerSeed}, "Authorization Violation"},
		"other host name":  {Endpoint{URLs: otherHost, CAFile: files.CA, SeedFile: seed}, "valid for"},
		"nobody at port 1": {Endpoint{URLs: []string{"tls://127.0.0.1:1"}, CAFile: files.CA, SeedFile: seed}, "refused"},
	} {
		err := dialUntilWarned(t, c.bad)
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want it to say %q", name, err, c.want)
		}
	}
}

// dialUntilWarned dials until the log tells of a failed attempt. Dial itself
// would go on for ever, as the bus may get well.
func dialUntilWarned(t *testing.T, e Endpoint) error {
	t.Helper()
	ctx, cancel := context.WithCancel(deadline(t))
	defer cancel()
	c, err := e.Dial(ctx, ClientOptions{Name: t.Name(), Logger: slog.New(onWarning{cancel})})
	if err == nil {
		c.Close()
		t.Fatal("got in")
	}
	return err
}

// onWarning is a log handler that calls back at each warning.
type onWarning struct{ call func() }

func (onWarning) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (h onWarning) Handle(context.Context, slog.Record) error  { h.call(); return nil }
func (h onWarning) WithAttrs([]slog.Attr) slog.Handler         { return h }
func (h onWarning) WithGroup(string) slog.Handler              { return h }

func TestEndpointRefusesBadFilesAtOnce(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk")
	writeFile(t, junk, []byte("SUxxxxxxx secret words"))
	missing := filepath.Join(dir, "missing")
	seed, _ := newSeed(t)
	urls := []string{"nats://127.0.0.1:1"}
	for name, e := range map[string]Endpoint{
		"no URL":         {},
		"not a URL":      {URLs: []string{"127.0.0.1:4222"}},
		"web URL":        {URLs: []string{"https://user:secret@host:1"}},
		"no seed file":   {URLs: urls, SeedFile: missing},
		"junk seed":      {URLs: urls, SeedFile: junk},
		"no CA file":     {URLs: urls, CAFile: missing},
		"junk CA":        {URLs: urls, CAFile: junk},
		"no credentials": {URLs: urls, CredsFile: missing},
		"two identities": {URLs: urls, SeedFile: seed, CredsFile: seed},
	} {
		_, err := e.Dial(t.Context(), ClientOptions{Logger: quiet(t)})
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells a secret: %v", name, err)
		}
	}
}

// The certificates and the CA rotate with overlap while clients stay connected.
func TestTLSReloadWithoutRestart(t *testing.T) {
	oldCA, newCA, files := newAuthority(t, "old"), newAuthority(t, "new"), tlsFiles(t)
	oldCA.write(t, files, oldCA)
	seed, public := newSeed(t)
	doc := testDocument(16 << 20)
	doc.Bus.Users = routerUser(public)
	server := startListening(t, doc, files)
	clientCA := filepath.Join(t.TempDir(), "ca.crt")
	writeFile(t, clientCA, oldCA.pem)
	endpoint := Endpoint{URLs: []string{server.URL()}, CAFile: clientCA, SeedFile: seed, InboxPrefix: InboxPrefix(routerRole)}
	early := connect(t, endpoint)

	if changed, err := server.ReloadTLS(); changed || err != nil {
		t.Errorf("nothing changed, but reload says %t, %v", changed, err)
	}
	// Half of a swap: the key does not fit yet. The server goes on with what it has.
	before, err := os.ReadFile(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	newCA.write(t, files, oldCA, newCA)
	after, err := os.ReadFile(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, files.Key, before)
	if changed, err := server.ReloadTLS(); changed || err == nil {
		t.Errorf("a key that does not fit was taken: %t, %v", changed, err)
	}
	connect(t, endpoint)
	writeFile(t, files.Key, after)
	if changed, err := server.ReloadTLS(); !changed || err != nil {
		t.Fatalf("reload says %t, %v", changed, err)
	}
	if !early.Connected() {
		t.Error("the reload disconnected a client")
	}
	writeFile(t, clientCA, append(append([]byte{}, oldCA.pem...), newCA.pem...))
	connect(t, endpoint)
	// The early connection reads the CA file again when it comes back.
	back := make(chan struct{}, 1)
	c, err := endpoint.Dial(t.Context(), ClientOptions{Name: "early", Logger: quiet(t), OnReconnect: func() { back <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	writeFile(t, clientCA, newCA.pem)
	if err := c.(*conn).nc.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	eventually.Receive(t, "the client is back with the new CA", back)
}

func TestServerRefusesUnsafeOptions(t *testing.T) {
	doc := testDocument(16 << 20)
	routed := testDocument(16 << 20)
	routed.Bus.Routes = []string{"tls://127.0.0.1:1"}
	files := tlsFiles(t)
	newAuthority(t, "x").write(t, files)
	for name, c := range map[string]struct {
		doc  *runtimeconfig.Document
		opts ServerOptions
	}{
		"listens without TLS": {doc, ServerOptions{Listen: "127.0.0.1:-1"}},
		"no port":             {doc, ServerOptions{Listen: "127.0.0.1", Plaintext: true}},
		"bad port":            {doc, ServerOptions{Listen: "127.0.0.1:x", Plaintext: true}},
		"missing files":       {doc, ServerOptions{Listen: "127.0.0.1:-1", TLS: TLSFiles{Cert: "/missing", Key: "/missing", CA: "/missing"}}},
		"empty CA":            {doc, ServerOptions{Listen: "127.0.0.1:-1", TLS: files}},
		"routes, no listener": {routed, ServerOptions{}},
		"routes, no TLS":      {routed, ServerOptions{Listen: "127.0.0.1:-1", ClusterListen: "127.0.0.1:-1"}},
		"no desk":             {&runtimeconfig.Document{}, ServerOptions{}},
	} {
		c.opts.Name, c.opts.Dir, c.opts.Logger = "bus-0", t.TempDir(), quiet(t)
		s, err := StartServer(t.Context(), c.doc, c.opts)
		if err == nil {
			shutdown(t, s)
			t.Errorf("%s: started", name)
		}
	}
}

// A store that cannot be used ends the start with its reason, not the process.
func TestUnusableStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	writeFile(t, dir, []byte("not a directory"))
	s, err := StartServer(t.Context(), testDocument(16<<20), ServerOptions{Name: "bus-0", Dir: dir, Logger: quiet(t)})
	if err == nil {
		shutdown(t, s)
		t.Fatal("started on a store that is a file")
	}
	if !strings.Contains(err.Error(), dir) {
		t.Errorf("the error does not name the store: %v", err)
	}
}
