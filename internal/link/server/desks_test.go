package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/link/linktest"
	"github.com/deskfleet/deskfleet/internal/link/server"
)

// simulated is how many desks the tests play.
const simulated = 2000

// busyReport is that of a desk of usual size: five queues, two pools of bots with
// ten workers in all, two pools of people.
func busyReport(desk string, seq uint64) *link.Report {
	r := report(desk, seq)
	r.Revision = "0123456789abcdef"
	for i := range 5 {
		r.Queues = append(r.Queues, link.Queue{Name: fmt.Sprintf("queue-%d", i), Waiting: i})
	}
	r.Pools = nil
	for i := range 4 {
		p := link.Pool{Name: fmt.Sprintf("pool-%d", i), SignedOn: 5, Slots: 25, InProgress: 9}
		for w := range 5 {
			if i < 2 {
				p.Workers = append(p.Workers, link.Worker{Name: fmt.Sprintf("%s-worker-5d89f4b8c7-x%dz%d", p.Name, w, i), Slots: 5, Busy: w})
			}
		}
		r.Pools = append(r.Pools, p)
	}
	return r
}

// Each of 2,000 desks gets the answer that is meant for it, and none sees another's.
func TestTwoThousandDesks(t *testing.T) {
	m := newManager(t)
	m.options.Answer = func(namespace, desk string) server.Answer {
		n, err := strconv.Atoi(strings.TrimPrefix(desk, "desk-"))
		if err != nil || namespace != "shop" {
			t.Errorf("asked about desk %s of %s", desk, namespace)
		}
		return server.Answer{Revision: desk, Pools: map[string]link.Wanted{"pool-0": {Active: n}}}
	}
	handler := func(desk string, seq uint64) int {
		_, body := m.post(t, link.Path("shop", desk), m.cluster.Token("shop", desk+"-desk", linktest.Claims{}), busyReport(desk, seq))
		var reply link.Reply
		if err := json.Unmarshal(body, &reply); err != nil || reply.Revision != desk {
			t.Errorf("desk %s: %s (%v)", desk, body, err)
		}
		return reply.Pools["pool-0"].Active
	}
	var wg sync.WaitGroup
	for first := range 4 {
		wg.Go(func() {
			for i := first; i < simulated; i += 4 {
				if got := handler(fmt.Sprintf("desk-%d", i), 1); got != i {
					t.Errorf("desk %d is told %d workers", i, got)
				}
			}
		})
	}
	wg.Wait()
	if n := m.desks.Len(); n != simulated {
		t.Errorf("%d desks are kept", n)
	}
	if m.cluster.Fetches() != 1 {
		t.Errorf("the keys were fetched %d times", m.cluster.Fetches())
	}
}

// BenchmarkDesks measures what 2,000 desks with open connections cost a manager:
// memory a desk, and time a report. The desks run in a process of their own.
func BenchmarkDesks(b *testing.B) {
	m := newManager(b)
	m.options.Answer = func(string, string) server.Answer {
		return server.Answer{Revision: "0123456789abcdef", Pools: map[string]link.Wanted{"pool-0": {Active: 5}, "pool-1": {Active: 5}}}
	}
	listener, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.New(m.options).Serve(ctx, listener) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}()
	s := newSwarm(b, m, listener.Addr().String())
	before := inUse()
	s.round(b) // connects
	m.pass()
	s.round(b)
	after := inUse()
	perDesk := (after - before) / simulated
	b.ResetTimer()
	for b.Loop() {
		m.pass()
		s.round(b)
	}
	b.ReportMetric(float64(perDesk), "B/desk")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/simulated, "ns/report")
}

// pass lets a second pass for the limits.
func (m *manager) pass() { m.clock.pass(1e9) }

// inUse is the memory that is in use: heap and stacks.
func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapInuse + s.StackInuse
}

// swarm is a process with 2,000 desks, told by lines when to report.
type swarm struct {
	in  *bufio.Scanner
	out *os.File
}

const swarmAddress = "DESKFLEET_TEST_SWARM"

func newSwarm(b *testing.B, m *manager, address string) *swarm {
	b.Helper()
	tokens, err := os.Create(b.TempDir() + "/tokens")
	if err != nil {
		b.Fatal(err)
	}
	for i := range simulated {
		_, err := fmt.Fprintln(tokens, m.cluster.Token("shop", fmt.Sprintf("desk-%d-desk", i), linktest.Claims{}))
		if err != nil {
			b.Fatal(err)
		}
	}
	ca := tokens.Name() + ".ca"
	if err := os.WriteFile(ca, []byte(m.cluster.CA()), 0o600); err != nil {
		b.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), self, "-test.run=^TestSwarm$", "-test.v")
	cmd.Env = append(os.Environ(), swarmAddress+"="+address, "DESKFLEET_TEST_TOKENS="+tokens.Name(), "DESKFLEET_TEST_CA="+ca)
	cmd.Stdin, cmd.Stderr = read, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = write.Close(); _ = cmd.Wait() })
	return &swarm{in: bufio.NewScanner(out), out: write}
}

// round lets all desks report once.
func (s *swarm) round(b *testing.B) {
	b.Helper()
	if _, err := fmt.Fprintln(s.out, "go"); err != nil {
		b.Fatal(err)
	}
	for s.in.Scan() {
		switch line := s.in.Text(); {
		case line == "done":
			return
		case strings.HasPrefix(line, "failed"):
			b.Fatal(line)
		}
	}
	b.Fatal("the desks ended")
}

// TestSwarm is the process of the desks; alone it does nothing.
func TestSwarm(t *testing.T) {
	address := os.Getenv(swarmAddress)
	if address == "" {
		return // the benchmark starts it
	}
	data, err := os.ReadFile(os.Getenv("DESKFLEET_TEST_TOKENS"))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(os.Getenv("DESKFLEET_TEST_CA"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	tokens := strings.Fields(string(data))
	clients := make([]*http.Client, len(tokens))
	for i := range clients {
		clients[i] = &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: linktest.Host, MinVersion: tls.VersionTLS13},
		}}
	}
	defer func() {
		for _, c := range clients {
			c.CloseIdleConnections()
		}
	}()
	lines := bufio.NewScanner(os.Stdin)
	for seq := uint64(1); lines.Scan(); seq++ {
		if failed := postAll(t, address, clients, tokens, seq); len(failed) > 0 {
			_, _ = fmt.Fprintln(os.Stdout, "failed", len(failed), failed[0])
			return
		}
		_, _ = fmt.Fprintln(os.Stdout, "done")
	}
}

func postAll(t *testing.T, address string, clients []*http.Client, tokens []string, seq uint64) []string {
	failed := make([]string, len(clients))
	var wg sync.WaitGroup
	for worker := range 32 {
		wg.Go(func() {
			for i := worker; i < len(clients); i += 32 {
				desk := fmt.Sprintf("desk-%d", i)
				body, err := json.Marshal(busyReport(desk, seq))
				if err != nil {
					failed[i] = err.Error()
					continue
				}
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+address+link.Path("shop", desk), strings.NewReader(string(body)))
				if err != nil {
					failed[i] = err.Error()
					continue
				}
				request.Header.Set("Authorization", "Bearer "+tokens[i])
				response, err := clients[i].Do(request)
				if err != nil {
					failed[i] = err.Error()
					continue
				}
				var reply link.Reply
				if err := json.NewDecoder(response.Body).Decode(&reply); err != nil || response.StatusCode != http.StatusOK || !reply.Leads {
					failed[i] = fmt.Sprintf("status %d: %v", response.StatusCode, err)
				}
				_ = response.Body.Close()
			}
		})
	}
	wg.Wait()
	return slices.DeleteFunc(failed, func(s string) bool { return s == "" })
}
