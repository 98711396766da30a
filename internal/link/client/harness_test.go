package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/link/client"
	"github.com/deskfleet/deskfleet/internal/link/linktest"
	"github.com/deskfleet/deskfleet/internal/link/server"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var key = server.Key{Namespace: "shop", Desk: "web"}

// network connects clients and managers inside a bubble.
type network struct {
	t       *testing.T
	cluster *linktest.Cluster

	mu       sync.Mutex
	managers map[string]*manager // by address
	found    []netip.Addr
	lookup   error
	dials    int
}

// manager is one replica of the operator.
type manager struct {
	desks *server.Desks
	conns chan net.Conn
	done  context.Context
	stop  func()

	mu     sync.Mutex
	leads  bool
	since  time.Time
	answer server.Answer
	calls  int
	// recalled is what came back last.
	recalled map[string][]byte
}

func newNetwork(t *testing.T) *network {
	return &network{t: t, cluster: linktest.NewCluster(t), managers: map[string]*manager{}}
}

// start starts a manager at an address, and the name of the managers leads there, too.
func (n *network) start(address string, change func(*manager)) *manager {
	n.t.Helper()
	m := &manager{desks: server.NewDesks(time.Now), conns: make(chan net.Conn)}
	if change != nil {
		change(m)
	}
	cluster := n.cluster
	s := server.New(server.Options{
		Name: address, Verifier: server.NewVerifier(cluster, time.Now), Desks: m.desks,
		AccountOf: func(desk string) string { return desk + "-desk" },
		Known:     func(string, string) bool { return true },
		Leads:     func() (time.Time, bool) { m.mu.Lock(); defer m.mu.Unlock(); return m.since, m.leads },
		Answer: func(string, string) server.Answer {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.calls++
			return m.answer
		},
		Recalled: func(_, _ string, learned map[string][]byte) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.recalled = learned
		},
		Certificate: cluster.Certificate, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	m.done = ctx
	go func() { served <- s.Serve(ctx, m) }()
	m.stop = sync.OnceFunc(func() {
		n.mu.Lock()
		delete(n.managers, address)
		n.mu.Unlock()
		cancel()
		<-served
	})
	n.t.Cleanup(m.stop)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.managers[address] = m
	n.found = append(n.found, netip.MustParseAddr(address))
	return m
}

func (m *manager) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done.Done():
		return nil, net.ErrClosed
	}
}
func (m *manager) Close() error   { return nil }
func (m *manager) Addr() net.Addr { return &net.TCPAddr{} }

func (m *manager) lead(since time.Time, answer server.Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leads, m.since, m.answer = true, since, answer
}

// reports is the number of the last report.
func (m *manager) reports() uint64 {
	if r, _ := m.desks.Last(key); r != nil {
		return r.Seq
	}
	return 0
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.dials++
	m := n.managers[host]
	n.mu.Unlock()
	if m == nil {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	select {
	case m.conns <- far:
		return near, nil
	case <-m.done.Done():
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *network) resolve(_ context.Context, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if host != linktest.Host {
		return nil, fmt.Errorf("look up %q: no such host", host)
	}
	return n.found, n.lookup
}

func (n *network) find(addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.found = nil
	for _, a := range addresses {
		n.found = append(n.found, netip.MustParseAddr(a))
	}
}

// desk is a client with its configuration.
type desk struct {
	*client.Client
	store *runtimeconfig.Store
	token string

	mu     sync.Mutex
	wanted map[string]link.Wanted
	told   int
}

func document(t *testing.T, change func(*runtimeconfig.Document)) []byte {
	t.Helper()
	d := &runtimeconfig.Document{
		Version: runtimeconfig.Version, Generation: 1, Namespace: "shop", Desk: "web", Languages: []string{"en"},
		Queues: []runtimeconfig.Queue{{Name: "people"}}, DefaultQueue: "people",
	}
	change(d)
	data, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (n *network) managersOf(d *runtimeconfig.Document) {
	d.Link = &runtimeconfig.Link{Host: linktest.Host, Port: link.Port, CA: n.cluster.CA()}
}

// desk runs a client until the test ends.
func (n *network) desk() *desk {
	n.t.Helper()
	return n.deskWith(n.managersOf, slog.DiscardHandler)
}

func (n *network) deskKeeping(k client.Keeper) *desk {
	n.t.Helper()
	return n.deskThat(n.managersOf, slog.DiscardHandler, k)
}

func (n *network) deskWith(change func(*runtimeconfig.Document), log slog.Handler) *desk {
	n.t.Helper()
	return n.deskThat(change, log, nil)
}

func (n *network) deskThat(change func(*runtimeconfig.Document), log slog.Handler, k client.Keeper) *desk {
	n.t.Helper()
	store, err := runtimeconfig.NewStore(document(n.t, change))
	if err != nil {
		n.t.Fatal(err)
	}
	d := &desk{store: store, token: filepath.Join(n.t.TempDir(), "token")}
	n.write(d, n.cluster.Token("shop", "web-desk", linktest.Claims{Expiry: time.Now().Add(24 * time.Hour)}))
	d.Client = client.New(client.Options{
		Config: store, TokenFile: d.token, Lookup: n.resolve, Dial: n.dial, Logger: slog.New(log), Keeper: k,
		OnWanted: func(wanted map[string]link.Wanted) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.wanted = wanted
			d.told++
		},
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	n.t.Cleanup(func() { stop(); <-done })
	return d
}

func (n *network) write(d *desk, token string) {
	n.t.Helper()
	if err := os.WriteFile(d.token, []byte(token+"\n"), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

func (d *desk) active() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wanted["bots"].Active
}

// run reports each second for some seconds, as the leading router does.
func (d *desk) run(seconds int, waiting func(second int) int) {
	for s := range seconds {
		d.Report(&link.Report{Router: "router-0_a", Term: 7, Queues: []link.Queue{{Name: "bot", Waiting: waiting(s)}}})
		pass(time.Second)
	}
}

// pass lets time pass in the bubble.
func pass(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

func still(int) int    { return 3 }
func rising(s int) int { return s }
func wanted(active int) server.Answer {
	return server.Answer{Pools: map[string]link.Wanted{"bots": {Active: active}}}
}
