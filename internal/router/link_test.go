package router

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/link/linktest"
	"github.com/deskfleet/deskfleet/internal/link/server"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig/overbus"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// manager is a real server of the link that a test leads.
type manager struct {
	cluster *linktest.Cluster
	desks   *server.Desks
	address string

	mu     sync.Mutex
	answer server.Answer
	// began is when it began to lead. loop decides in place of answer; nil for answer.
	began time.Time
	loop  *capacity.Loop
}

func newTestManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{cluster: linktest.NewCluster(t), desks: server.NewDesks(time.Now), began: time.Now()}
	m.serve(t)
	return m
}

// serve takes reports until the test ends.
func (m *manager) serve(t *testing.T) {
	t.Helper()
	s := server.New(server.Options{
		Name: "manager-0", Verifier: server.NewVerifier(m.cluster, time.Now), Desks: m.desks,
		AccountOf: func(desk string) string { return desk + "-desk" },
		Known:     func(string, string) bool { return true },
		Leads: func() (time.Time, bool) {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.began, true
		},
		Answer: m.answerTo,
		Recalled: func(namespace, desk string, learned map[string][]byte) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.loop.Recalled(namespace, desk, learned)
		},
		Certificate: m.cluster.Certificate, Logger: slog.New(slog.DiscardHandler),
	})
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.address = listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (m *manager) answerTo(namespace, desk string) server.Answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.loop == nil {
		return m.answer
	}
	_, pools := m.loop.Answer(namespace, desk)
	learned, recall := m.loop.History(namespace, desk)
	return server.Answer{Pools: pools, Learned: learned, Recall: recall}
}

// link of a router to the manager.
func (m *manager) link(t *testing.T, d *desk, store *runtimeconfig.Store) *Link {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(m.cluster.Token(d.doc.Namespace, d.doc.Desk+"-desk", linktest.Claims{})), 0o600); err != nil {
		t.Fatal(err)
	}
	return &Link{
		TokenFile: token, Store: store,
		find: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
		dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, m.address)
		},
	}
}

func (m *manager) wants(a server.Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = a
}

// The router reports to a real manager, drains what it does not want, and takes and spreads the
// configuration that comes back.
func TestRouterReportsAndObeys(t *testing.T) {
	d, m := newDesk(t), newTestManager(t)
	d.doc.Generation = 1
	d.doc.Link = &runtimeconfig.Link{Host: linktest.Host, Port: link.Port, CA: m.cluster.CA()}
	store := configOf(t, d.doc)
	r := d.startRouter("router-0", func(o *Options) {
		o.Config = store
		o.Link = m.link(t, d, store)
	})
	other := configOf(t, d.doc) // of another role, which follows the bus
	role, err := (&overbus.Dialer{Inner: d.server, Store: other, Logger: quiet(t)}).Dial(d.ctx, bus.ClientOptions{Name: "role", Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(role.Close)
	bot := d.client(bus.PartyBot, "bot-0")
	bot.signOn()
	reported := func(what string, suits func(w link.Worker, last *link.Report) bool) {
		t.Helper()
		eventually.True(t, what, func() bool {
			last, _ := m.desks.Last(server.Key{Namespace: d.doc.Namespace, Desk: d.doc.Desk})
			return last != nil && suits(worker(last, "bot-0"), last)
		})
	}
	reported("the worker", func(w link.Worker, last *link.Report) bool {
		return w.Slots == 5 && !w.Draining && last.Router == r.instance && last.Revision == store.Current().Revision
	})
	d.post("c-1", "m1", "refund")
	reported("how its queues and pools are served", func(_ link.Worker, last *link.Report) bool {
		i := slices.IndexFunc(last.Queues, func(q link.Queue) bool { return q.Name == "refunds" })
		q, p := last.Queues[i].Figures, last.Pools[0].Figures
		return !last.Since.IsZero() && q.Arrived == 1 && q.Nobody && q.Handle == nil && q.ExpectedWaitSeconds == nil && p != nil && p.Answered == 0 && last.Pools[0].Flow != nil
	})
	m.wants(server.Answer{Pools: map[string]link.Wanted{"bots": {Active: 0}}})
	reported("it is drained", func(w link.Worker, _ *link.Report) bool { return w.Drained })

	// The plan of the people comes once, and is told to whoever asks.
	plan := &link.Staffing{
		Revision: "p1", Start: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), StepSeconds: 900, ShrinkagePercent: 30,
		Arrivals: []float64{4.5, -1}, Required: []int{2, -1}, Scheduled: []int{3, -1}, Rostered: []int{1, 1},
	}
	ann := d.client(bus.PartyAgent, "ann")
	refused := func(pool string) *protocol.Error {
		t.Helper()
		_, err := ann.ask(protocol.Request{Type: protocol.Staffing, Pool: pool})
		no, _ := errors.AsType[*protocol.Error](err)
		if no == nil {
			t.Fatalf("the plan of %s is not refused: %v", pool, err)
		}
		return no
	}
	if no := refused("people"); no.Code != protocol.CodeNotFound || no.Remedy == "" {
		t.Errorf("a plan that nobody sent is refused with %+v", no)
	}
	m.wants(server.Answer{Pools: map[string]link.Wanted{"bots": {Active: 0}}, Seats: map[string]link.Seats{"people": {Staffing: plan}}})
	reported("the plan has come", func(_ link.Worker, last *link.Report) bool { return last.Pools[1].Staffing == "p1" })
	m.wants(server.Answer{Pools: map[string]link.Wanted{"bots": {Active: 0}}, Seats: map[string]link.Seats{"people": {}}})
	if got := ann.must(protocol.Request{Type: protocol.Staffing, Pool: "people"}).Staffing; got == nil || got.StepSeconds != 900 || !slices.Equal(got.Required, plan.Required) || !slices.Equal(got.Arrivals, plan.Arrivals) {
		t.Errorf("the plan is told as %+v", got)
	}
	if no := refused("bots"); no.Code != protocol.CodeNotFound {
		t.Errorf("a plan of bots is refused with %+v", no)
	}

	next := *d.doc
	next.Generation, next.DisplayName = 2, "Shop of the year"
	data, err := next.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	m.wants(server.Answer{
		Revision: runtimeconfig.Revision(data), Document: func() (string, error) { return string(data), nil },
		Pools: map[string]link.Wanted{"bots": {Active: 1}},
	})
	reported("it serves again, and the desk has the new configuration", func(w link.Worker, last *link.Report) bool {
		return !w.Draining && w.Slots == 5 && last.Revision == runtimeconfig.Revision(data) && last.Generation == 2
	})
	eventually.True(t, "another role has it too", func() bool { return other.Current().Document.DisplayName == "Shop of the year" })
	d.check()
}
