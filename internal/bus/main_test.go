package bus

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(builtServer); err != nil {
			code = 1
		}
		os.Exit(code)
	}))
}

// quiet drops log lines unless tests run with -v.
func quiet(t testing.TB) *slog.Logger {
	if !testing.Verbose() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func testSubjects(t testing.TB) Subjects {
	t.Helper()
	s, err := NewSubjects("shop", "web.chat")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testDocument(maxStore int64) *runtimeconfig.Document {
	return &runtimeconfig.Document{
		Version: runtimeconfig.Version, Namespace: "shop", Desk: "web.chat",
		Bus: runtimeconfig.Bus{Replicas: 1, MaxStoreBytes: maxStore},
	}
}

// startTestServer starts a server that the test's end shuts down.
func startTestServer(t testing.TB, doc *runtimeconfig.Document, dir string) *Server {
	t.Helper()
	s, err := StartEmbedded(t.Context(), doc, dir, quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, s) })
	return s
}

func shutdown(t testing.TB, s *Server) {
	t.Helper()
	if err := s.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

func connect(t testing.TB, d Dialer) Conn {
	t.Helper()
	c, err := d.Dial(t.Context(), ClientOptions{Name: t.Name(), Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// testLog is a fresh log with everything allowed.
func testLog(t testing.TB) (Log, Subjects) {
	t.Helper()
	return testLogWith(t, 16<<20)
}

func testLogWith(t testing.TB, maxStore int64) (Log, Subjects) {
	t.Helper()
	s := testSubjects(t)
	server := startTestServer(t, testDocument(maxStore), t.TempDir())
	return connect(t, server).Log(s.Stream()), s
}

func mustAppend(t testing.TB, l Log, subject, data string, opts AppendOptions) uint64 {
	t.Helper()
	seq, duplicate, err := l.Append(t.Context(), subject, []byte(data), opts)
	if err != nil || duplicate {
		t.Fatalf("append %q to %s: duplicate %t, error %v", data, subject, duplicate, err)
	}
	return seq
}

func readAll(t testing.TB, l Log, filter string, from uint64) []string {
	t.Helper()
	var out []string
	for m, err := range l.Read(t.Context(), filter, from) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(m.Data))
	}
	return out
}

// newSeed writes a seed file and returns it with its public key.
func newSeed(t testing.TB) (file, public string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	public, err = pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "seed")
	if err := os.WriteFile(file, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, public
}

// insideAs connects inside the process as a role, with its permissions.
type insideAs struct {
	server nats.InProcessConnProvider
	role   runtimeconfig.Role
	seed   string
}

func (d insideAs) Dial(ctx context.Context, opts ClientOptions) (Conn, error) {
	options, err := Endpoint{URLs: []string{"nats://inside"}, SeedFile: d.seed, InboxPrefix: InboxPrefix(d.role)}.options()
	if err != nil {
		return nil, err
	}
	return dial(ctx, "", opts, append(options, nats.InProcessServer(d.server)))
}

// replaceable is a server that a test can replace by its successor on the same
// store, as a restarted pod does.
type replaceable struct {
	mu     sync.Mutex
	server *Server
}

func (r *replaceable) set(s *Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.server = s
}

func (r *replaceable) InProcessConn() (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.server == nil {
		return nil, fmt.Errorf("server is down")
	}
	return r.server.InProcessConn()
}
