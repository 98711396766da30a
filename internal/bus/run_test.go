package bus

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/telemetry"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/testing/ports"
)

// runningBus is a RunServer until the test ends.
type runningBus struct {
	store    *runtimeconfig.Store
	health   *telemetry.Health
	registry *prometheus.Registry
	address  string
	stop     context.CancelFunc
	result   chan error
}

func completeDocument(users ...runtimeconfig.BusUser) *runtimeconfig.Document {
	doc := testDocument(16 << 20)
	doc.Languages, doc.Queues = []string{"en"}, []runtimeconfig.Queue{{Name: "people"}}
	doc.Bus.Users = users
	return doc
}

func runBus(t *testing.T, doc *runtimeconfig.Document, dir string, files TLSFiles) *runningBus {
	t.Helper()
	store, err := runtimeconfig.NewStoreOf(doc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b := &runningBus{
		store: store, registry: prometheus.NewRegistry(), address: ports.Free(t, 1)[0], stop: cancel, result: make(chan error, 1),
		health: telemetry.NewHealth(func() string { return store.Current().Revision }),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.result <- RunServer(ctx, RunOptions{
			Server: ServerOptions{Name: "bus-0", Dir: dir, Listen: b.address, TLS: files, Logger: quiet(t)},
			Source: store, Registry: b.registry, Health: b.health, ReloadInterval: 10 * time.Millisecond,
		})
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return b
}

func (b *runningBus) waitReady(t *testing.T) {
	t.Helper()
	eventually.True(t, "the bus is ready with its stream", func() bool {
		r := b.health.Readiness(t.Context())
		return r.Ready && r.Checks["stream"].OK && r.Checks["server"].OK
	})
}

func (b *runningBus) offer(t *testing.T, doc *runtimeconfig.Document) {
	t.Helper()
	data, err := doc.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Offer(data); err != nil {
		t.Fatal(err)
	}
}

func TestRunServerFollowsConfigurationAndCertificates(t *testing.T) {
	ca, files := newAuthority(t, "desk CA"), tlsFiles(t)
	ca.write(t, files, ca)
	firstSeed, firstKey := newSeed(t)
	secondSeed, secondKey := newSeed(t)
	b := runBus(t, completeDocument(routerUser(firstKey)...), t.TempDir(), files)
	b.waitReady(t)
	endpoint := Endpoint{URLs: []string{"tls://" + b.address}, CAFile: files.CA, SeedFile: firstSeed, InboxPrefix: InboxPrefix(routerRole)}
	s := testSubjects(t)
	c := connect(t, endpoint)
	mustAppend(t, c.Log(s.Stream()), s.Decisions(), "one", AppendOptions{})

	// A second key of the role and more room, as in a rotation with overlap.
	changed := completeDocument(append(routerUser(firstKey), routerUser(secondKey)...)...)
	changed.Bus.MaxStoreBytes = 32 << 20
	b.offer(t, changed)
	endpoint.SeedFile = secondSeed
	connect(t, endpoint)
	eventually.True(t, "the stream has more room", func() bool {
		info, err := c.Log(s.Stream()).Info(t.Context())
		return err == nil && info.MaxBytes == streamBytes(changed.Bus)
	})

	expected := `
# HELP deskfleet_bus_server_log_messages Messages in the desk's log: open conversations and what the archive has yet to take.
# TYPE deskfleet_bus_server_log_messages gauge
deskfleet_bus_server_log_messages 1
# HELP deskfleet_bus_server_ready 1 when the server may serve.
# TYPE deskfleet_bus_server_ready gauge
deskfleet_bus_server_ready 1
`
	if err := testutil.GatherAndCompare(b.registry, strings.NewReader(expected), "deskfleet_bus_server_ready", "deskfleet_bus_server_log_messages"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(b.registry); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v, %v", problems, err)
	}
	if n, err := testutil.GatherAndCount(b.registry); err != nil || n != 18 {
		t.Errorf("%d metrics, %v", n, err)
	}

	// What needs a restart is said, and the bus goes on.
	smaller := completeDocument(routerUser(secondKey)...)
	smaller.Bus.MaxStoreBytes = 8 << 20
	b.offer(t, smaller)
	eventually.True(t, "the refused change is reported", func() bool {
		r := b.health.Readiness(t.Context())
		return r.Ready && strings.Contains(r.Checks["configuration"].Error, "restart the bus")
	})

	good, err := os.ReadFile(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, files.Key, []byte("junk"))
	eventually.True(t, "bad certificates are reported", func() bool {
		r := b.health.Readiness(t.Context())
		return r.Ready && !r.Checks["certificates"].OK
	})
	writeFile(t, files.Key, good)
	eventually.True(t, "good certificates again", func() bool { return b.health.Readiness(t.Context()).Checks["certificates"].OK })

	b.stop()
	if err := eventually.Receive(t, "the bus ends", b.result); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if r := b.health.Readiness(t.Context()); r.Ready || !r.Draining {
		t.Errorf("after the end it says %+v", r)
	}
}

func TestRunServerKeepsItsStore(t *testing.T) {
	ca, files, dir := newAuthority(t, "desk CA"), tlsFiles(t), t.TempDir()
	ca.write(t, files, ca)
	seed, key := newSeed(t)
	s := testSubjects(t)
	for i := range 2 {
		b := runBus(t, completeDocument(routerUser(key)...), dir, files)
		b.waitReady(t)
		c := connect(t, Endpoint{URLs: []string{"tls://" + b.address}, CAFile: files.CA, SeedFile: seed, InboxPrefix: InboxPrefix(routerRole)})
		if got := mustAppend(t, c.Log(s.Stream()), s.Decisions(), "x", AppendOptions{}); got != uint64(i+1) {
			t.Errorf("run %d stores sequence %d", i, got)
		}
		b.stop()
		if err := eventually.Receive(t, "the bus ends", b.result); err != nil {
			t.Fatal(err)
		}
	}
}

// A server without its store is of no use: the process ends and says why.
func TestRunServerEndsWhenTheStoreIsLost(t *testing.T) {
	ca, files := newAuthority(t, "desk CA"), tlsFiles(t)
	ca.write(t, files, ca)
	store, err := runtimeconfig.NewStoreOf(completeDocument())
	if err != nil {
		t.Fatal(err)
	}
	server, err := StartServer(t.Context(), completeDocument(), ServerOptions{Name: "bus-0", Dir: t.TempDir(), Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, server) })
	r := &runner{options: RunOptions{Server: server.opts, Source: store}, server: server}
	if err := server.nats.DisableJetStream(); err != nil {
		t.Fatal(err)
	}
	if err := r.watch(t.Context()); err == nil || !strings.Contains(err.Error(), server.opts.Dir) {
		t.Errorf("got %v, want an error that names the store", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, nil)
	b := runBus(t, completeDocument(), file, files)
	if err := eventually.Receive(t, "the bus ends", b.result); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("a bus without a usable store ended with %v", err)
	}
}

// What keeps acknowledged messages and what keeps others out.
func TestServerIsLimited(t *testing.T) {
	server := startTestServer(t, testDocument(16<<20), t.TempDir())
	jsz, err := server.nats.Jsz(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !jsz.Config.SyncAlways || jsz.Config.MaxStore != 16<<20 || jsz.Config.MaxMemory != maxMemory {
		t.Errorf("JetStream has %+v", jsz.Config)
	}
	varz, err := server.nats.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	type limits struct {
		Payload, Connections, Subscriptions int
		Pending                             int64
	}
	want := limits{MaxMessage + headerRoom, maxConnections, maxSubscriptions, maxPending}
	if got := (limits{varz.MaxPayload, varz.MaxConn, varz.MaxSubs, varz.MaxPending}); got != want {
		t.Errorf("limits are %+v, want %+v", got, want)
	}
	for name, port := range map[string]int{
		"leaf nodes": varz.LeafNode.Port, "MQTT": varz.MQTT.Port, "WebSocket": varz.Websocket.Port,
		"gateways": varz.Gateway.Port, "monitoring": varz.HTTPPort + varz.HTTPSPort,
	} {
		if port != 0 {
			t.Errorf("it listens for %s on port %d", name, port)
		}
	}
	if !varz.AuthRequired {
		t.Error("it asks for no sign-on")
	}
}
