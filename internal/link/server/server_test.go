package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/link/linktest"
	"github.com/deskfleet/deskfleet/internal/link/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var began = time.Date(2026, 11, 11, 0, 0, 0, 0, time.UTC)

// manager is a server with what it needs; tests change it before they use it.
type manager struct {
	cluster *linktest.Cluster
	clock   *clock
	desks   *server.Desks
	options server.Options
	leads   bool
	answer  server.Answer
}

func newManager(t testing.TB) *manager {
	m := &manager{cluster: linktest.NewCluster(t), clock: newClock(), leads: true}
	m.desks = server.NewDesks(m.clock.Now)
	m.options = server.Options{
		Name: "manager-0", Verifier: server.NewVerifier(m.cluster, m.clock.Now), Desks: m.desks,
		AccountOf:   func(desk string) string { return desk + "-desk" },
		Known:       func(_, desk string) bool { return desk != "gone" },
		Leads:       func() (time.Time, bool) { return began, m.leads },
		Answer:      func(_, _ string) server.Answer { return m.answer },
		Certificate: m.cluster.Certificate,
		Logger:      slog.New(slog.DiscardHandler),
	}
	return m
}

func report(desk string, seq uint64) *link.Report {
	return &link.Report{
		V: link.Version, Namespace: "shop", Desk: desk, Router: "router-0_a", Term: 7, Seq: seq,
		Queues: []link.Queue{{Name: "bot", Waiting: 3}},
		Pools:  []link.Pool{{Name: "bots", SignedOn: 1, Slots: 5, InProgress: 2, Workers: []link.Worker{{Name: "bots-0", Slots: 5, Busy: 2}}}},
	}
}

// post sends a body to the handler and returns status and body of the reply.
func (m *manager) post(t testing.TB, path, token string, body any) (int, []byte) {
	t.Helper()
	data, isBytes := body.([]byte)
	if !isBytes {
		var err error
		if data, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	request := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(data))
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	server.New(m.options).Handler().ServeHTTP(w, request)
	return w.Code, w.Body.Bytes()
}

func TestReportIsKeptAndAnswered(t *testing.T) {
	m := newManager(t)
	m.answer = server.Answer{
		Revision: "r2", Document: func() (string, error) { return `{"version":1}`, nil },
		Pools: map[string]link.Wanted{"bots": {Active: 4, DrainSeconds: 600, Leaving: []string{"bots-9"}}},
	}
	token := m.cluster.Token("shop", "web-desk", linktest.Claims{})
	sent := report("web", 1)
	sent.Revision = "r1"
	code, body := m.post(t, link.Path("shop", "web"), token, sent)
	var reply link.Reply
	if err := json.Unmarshal(body, &reply); err != nil || code != http.StatusOK {
		t.Fatalf("status %d, %s: %v", code, body, err)
	}
	want := link.Reply{V: 1, Manager: "manager-0", Leads: true, Since: began, Revision: "r2", Document: `{"version":1}`, Pools: m.answer.Pools}
	if diff := cmp.Diff(want, reply); diff != "" {
		t.Error(diff)
	}
	kept, received := m.desks.Last(server.Key{Namespace: "shop", Desk: "web"})
	if diff := cmp.Diff(sent, kept); diff != "" || !received.Equal(m.clock.Now()) {
		t.Errorf("received at %s: %s", received, diff)
	}
	// A desk that has the configuration, or cannot read it, does not get it again.
	for _, has := range []func(*link.Report){func(r *link.Report) { r.Revision = "r2" }, func(r *link.Report) { r.Revision, r.Refused = "r1", "r2" }} {
		again := report("web", 2)
		has(again)
		if _, body := m.post(t, link.Path("shop", "web"), token, again); strings.Contains(string(body), "document") {
			t.Errorf("sent again: %s", body)
		}
	}
	// What cannot be read now is asked for again with the next report.
	m.answer.Document = func() (string, error) { return "", errors.New("not in the cache yet") }
	if code, body := m.post(t, link.Path("shop", "web"), token, report("web", 4)); code != http.StatusOK || strings.Contains(string(body), "document") {
		t.Errorf("status %d, %s", code, body)
	}
}

// A manager that does not lead keeps what it hears and wants nothing.
func TestFollowerStaysWarm(t *testing.T) {
	m := newManager(t)
	m.leads, m.answer = false, server.Answer{Revision: "r2", Pools: map[string]link.Wanted{"bots": {Active: 1}}}
	code, body := m.post(t, link.Path("shop", "web"), m.cluster.Token("shop", "web-desk", linktest.Claims{}), report("web", 1))
	if got, want := strings.TrimSpace(string(body)), `{"v":1,"manager":"manager-0","leads":false}`; code != http.StatusOK || got != want {
		t.Errorf("status %d, %s, expected %s", code, got, want)
	}
	if kept, _ := m.desks.Last(server.Key{Namespace: "shop", Desk: "web"}); kept == nil {
		t.Error("the report was not kept")
	}
}

func TestRefusedReports(t *testing.T) {
	m := newManager(t)
	registry := prometheus.NewRegistry()
	m.options.Metrics = server.NewMetrics(registry, m.desks)
	good := m.cluster.Token("shop", "web-desk", linktest.Claims{})
	changed := func(change func(*link.Report)) *link.Report {
		r := report("web", 1)
		change(r)
		return r
	}
	for name, c := range map[string]struct {
		path, token string
		body        any
		status      int
		result, say string
	}{
		"no token":                   {link.Path("shop", "web"), "", report("web", 1), 401, "unauthenticated", "no bearer token"},
		"forged token":               {link.Path("shop", "web"), linktest.NewCluster(t).Token("shop", "web-desk", linktest.Claims{}), report("web", 1), 401, "unauthenticated", "no key of this cluster"},
		"token of another desk":      {link.Path("shop", "web"), m.cluster.Token("shop", "other-desk", linktest.Claims{}), report("web", 1), 403, "forbidden", "does not speak for desk web"},
		"token of another namespace": {link.Path("shop", "web"), m.cluster.Token("rival", "web-desk", linktest.Claims{}), report("web", 1), 403, "forbidden", "ServiceAccount web-desk of namespace rival"},
		"report of another desk":     {link.Path("shop", "web"), good, report("other", 1), 403, "forbidden", "came for desk web"},
		"report of another tenant":   {link.Path("shop", "web"), good, changed(func(r *link.Report) { r.Namespace = "rival" }), 403, "forbidden", "namespace rival"},
		"desk that is gone":          {link.Path("shop", "gone"), m.cluster.Token("shop", "gone-desk", linktest.Claims{}), report("gone", 1), 404, "unknown_desk", "does not exist"},
		"no JSON":                    {link.Path("shop", "web"), good, []byte("{"), 400, "malformed", "not the JSON"},
		"no version":                 {link.Path("shop", "web"), good, changed(func(r *link.Report) { r.V = 0 }), 400, "malformed", "v is 0: send 1"},
		"negative figures":           {link.Path("shop", "web"), good, changed(func(r *link.Report) { r.Queues[0].Waiting = -1 }), 400, "malformed", "queues[0].waiting is -1"},
		"a worker that talks and is drained": {link.Path("shop", "web"), good, changed(func(r *link.Report) {
			r.Pools[0].Workers[0].Drained = true
		}), 400, "malformed", "pools[0].workers[0].drained"},
		"too many workers": {link.Path("shop", "web"), good, changed(func(r *link.Report) {
			r.Pools[0].Workers = make([]link.Worker, 8193)
			for i := range r.Pools[0].Workers {
				r.Pools[0].Workers[i].Name = "w"
			}
		}), 400, "malformed", "8193 workers"},
		"too many bytes": {link.Path("shop", "web"), good, []byte(`{"v":1,"desk":"` + strings.Repeat("a", link.MaxReportBytes) + `"}`), 413, "malformed", "more than 786432 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			m.clock.pass(time.Minute) // each has its own share of the limit
			code, body := m.post(t, c.path, c.token, c.body)
			var problem link.Problem
			if err := json.Unmarshal(body, &problem); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if code != c.status || !strings.Contains(problem.What, c.say) || problem.Remedy == "" {
				t.Errorf("status %d, %+v; expected %d and %q", code, problem, c.status, c.say)
			}
		})
	}
	if n := testutil.CollectAndCount(registry, "deskfleet_link_reports_total"); n != 4 {
		t.Errorf("%d results are counted", n)
	}
	if kept, _ := m.desks.Last(server.Key{Namespace: "shop", Desk: "web"}); kept != nil {
		t.Errorf("a refused report was kept: %+v", kept)
	}
}

func TestOneDeskCannotFlood(t *testing.T) {
	m := newManager(t)
	web, other := m.cluster.Token("shop", "web-desk", linktest.Claims{}), m.cluster.Token("shop", "other-desk", linktest.Claims{})
	taken := 0
	for i := range 100 {
		code, _ := m.post(t, link.Path("shop", "web"), web, report("web", uint64(i+1)))
		switch code {
		case http.StatusOK:
			taken++
		case http.StatusTooManyRequests:
		default:
			t.Fatalf("status %d", code)
		}
	}
	if taken != 10 {
		t.Errorf("%d reports of one moment were taken, expected the burst of 10", taken)
	}
	if code, _ := m.post(t, link.Path("shop", "other"), other, report("other", 1)); code != http.StatusOK {
		t.Errorf("another desk gets status %d", code)
	}
	m.clock.pass(2 * time.Second)
	if code, _ := m.post(t, link.Path("shop", "web"), web, report("web", 200)); code != http.StatusOK {
		t.Errorf("after a pause the status is %d", code)
	}
}

func TestNewestReportWins(t *testing.T) {
	m := newManager(t)
	token := m.cluster.Token("shop", "web-desk", linktest.Claims{})
	send := func(term, seq uint64, router string) {
		t.Helper()
		r := report("web", seq)
		r.Term, r.Router = term, router
		if code, body := m.post(t, link.Path("shop", "web"), token, r); code != http.StatusOK {
			t.Fatalf("status %d: %s", code, body)
		}
	}
	kept := func(term, seq uint64) {
		t.Helper()
		if last, _ := m.desks.Last(server.Key{Namespace: "shop", Desk: "web"}); last.Term != term || last.Seq != seq {
			t.Errorf("kept is %d/%d, expected %d/%d", last.Term, last.Seq, term, seq)
		}
	}
	send(7, 3, "a")
	send(7, 2, "a") // overtaken
	kept(7, 3)
	send(9, 1, "b") // the lead changed
	kept(9, 1)
	send(7, 4, "a") // deposed, and does not know it yet
	kept(9, 1)
	m.clock.pass(20 * time.Second)
	send(2, 1, "c") // the bus lost its volume: the log began anew, and terms with it
	kept(2, 1)
}

func TestSilentDesksAreForgotten(t *testing.T) {
	m := newManager(t)
	for i := range 50 {
		desk := fmt.Sprintf("desk%d", i)
		if code, _ := m.post(t, link.Path("shop", desk), m.cluster.Token("shop", desk+"-desk", linktest.Claims{}), report(desk, 1)); code != http.StatusOK {
			t.Fatalf("status %d", code)
		}
	}
	m.clock.pass(11 * time.Minute)
	if code, _ := m.post(t, link.Path("shop", "web"), m.cluster.Token("shop", "web-desk", linktest.Claims{}), report("web", 1)); code != http.StatusOK {
		t.Fatalf("status %d", code)
	}
	if n := m.desks.Len(); n != 1 {
		t.Errorf("%d desks are kept", n)
	}
}

// pipes is a listener inside the process, so that time can be that of a bubble.
type pipes struct {
	connections chan net.Conn
	closed      context.Context
	close       context.CancelFunc
}

func newPipes() *pipes {
	p := &pipes{connections: make(chan net.Conn)}
	p.closed, p.close = context.WithCancel(context.Background())
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.connections:
		return c, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.close(); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(t *testing.T) net.Conn {
	t.Helper()
	near, far := net.Pipe()
	p.connections <- far
	return near
}

// serve runs the server on pipes until the test ends.
func (m *manager) serve(t *testing.T) *pipes {
	t.Helper()
	listener := newPipes()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.New(m.options).Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return listener
}

func (m *manager) secure(t *testing.T, raw net.Conn) *tls.Conn {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(m.cluster.CA()))
	conn := tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: linktest.Host, MinVersion: tls.VersionTLS13})
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Nobody can hold a connection by sending slowly, or nothing.
func TestSlowClientsAreCutOff(t *testing.T) {
	for name, talk := range map[string]func(t *testing.T, m *manager, raw net.Conn) net.Conn{
		"no handshake": func(_ *testing.T, _ *manager, raw net.Conn) net.Conn { return raw },
		"no request":   func(t *testing.T, m *manager, raw net.Conn) net.Conn { return m.secure(t, raw) },
		"half a header": func(t *testing.T, m *manager, raw net.Conn) net.Conn {
			conn := m.secure(t, raw)
			_, _ = io.WriteString(conn, "POST "+link.Path("shop", "web")+" HTTP/1.1\r\nHost: x\r\nX-Slow: ")
			return conn
		},
		"half a body": func(t *testing.T, m *manager, raw net.Conn) net.Conn {
			conn := m.secure(t, raw)
			_, _ = io.WriteString(conn, "POST "+link.Path("shop", "web")+" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nAuthorization: Bearer "+
				m.cluster.Token("shop", "web-desk", linktest.Claims{})+"\r\n\r\n{")
			return conn
		},
		"idle after a reply": func(t *testing.T, m *manager, raw net.Conn) net.Conn {
			conn := m.secure(t, raw)
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			return conn
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManager(t)
				listener := m.serve(t)
				conn := talk(t, m, listener.dial(t))
				start := time.Now()
				_, err := io.Copy(io.Discard, conn)
				_ = conn.Close()
				if held := time.Since(start); held > 15*time.Second {
					t.Errorf("held for %s, ended by %v", held, err)
				}
			})
		})
	}
}

func TestOnlyTLS13AndTheRightNameAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t)
		listener := m.serve(t)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(m.cluster.CA()))
		for name, c := range map[string]*tls.Config{
			"TLS 1.2":      {RootCAs: roots, ServerName: linktest.Host, MaxVersion: tls.VersionTLS12},
			"another name": {RootCAs: roots, ServerName: "example.com"},
			"another CA":   {ServerName: linktest.Host},
		} {
			raw := listener.dial(t)
			if err := tls.Client(raw, c).HandshakeContext(t.Context()); err == nil {
				t.Errorf("%s: the handshake succeeded", name)
			}
			_ = raw.Close()
		}
	})
}
