package fault

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/escalation"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/testing/ledger"
	"github.com/deskfleet/deskfleet/internal/testing/ports"
)

// people and their slots: fewer than there are customers, so that there is a queue to keep places in.
var people = []string{"ann", "ben"}

const slots = 2

// rig is a desk of processes, and everything that looks at it.
type rig struct {
	t      testing.TB
	ctx    context.Context
	folder string
	doc    *runtimeconfig.Document
	names  bus.Subjects
	lease  time.Duration

	buses, routers, gateways, consoles, bots []*process

	mu     sync.Mutex
	ledger *ledger.Ledger
	change chan struct{}
	// storedAt is when the latest message was stored.
	storedAt time.Time
}

// shape of a rig. Zero values stand for one of each and no bots.
type shape struct {
	buses, routers, gateways, bots int
	// compact is one process with everything.
	compact bool
	// lease of the routers; 0 for a short one, below 0 for the usual one.
	lease time.Duration
	// store is the folder of the first bus; empty for one of the test.
	store string
}

func newRig(t testing.TB, s shape) *rig {
	t.Helper()
	if s.buses = max(s.buses, 1); s.lease == 0 {
		s.lease = 500 * time.Millisecond
	}
	s.lease = max(s.lease, 0)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &rig{t: t, ctx: ctx, folder: t.TempDir(), lease: s.lease, change: make(chan struct{})}
	r.prepare(&s)
	var err error
	if r.names, err = bus.NewSubjects(r.doc.Namespace, r.doc.Desk); err != nil {
		t.Fatal(err)
	}
	r.ledger = ledger.New(r.promises())
	if s.compact {
		d := r.spec(runtimeconfig.RoleDesk, "desk")
		d.BusListen, d.Listen, d.Data = r.busAddress(0), ports.Free(t, 1)[0], cmp.Or(s.store, filepath.Join(r.folder, "desk"))
		if err := os.MkdirAll(filepath.Join(d.Data, "knowledge"), 0o700); err != nil {
			t.Fatal(err)
		}
		p := spawn(t, d)
		r.buses, r.routers, r.gateways, r.consoles = []*process{p}, []*process{p}, []*process{p}, []*process{p}
		r.observe(cancel)
		return r
	}
	for i := range s.buses {
		b := r.spec(runtimeconfig.RoleBus, fmt.Sprintf("bus-%d", i))
		b.BusListen, b.Data = r.busAddress(i), filepath.Join(r.folder, b.Name)
		if s.store != "" && i == 0 {
			b.Data = s.store
		}
		if s.buses > 1 {
			b.BusCluster = strings.TrimPrefix(r.doc.Bus.Routes[i], "nats://")
		}
		r.buses = append(r.buses, spawn(t, b))
	}
	for i := range max(s.routers, 1) {
		r.routers = append(r.routers, spawn(t, r.spec(runtimeconfig.RoleRouter, fmt.Sprintf("router-%d", i))))
	}
	for i := range max(s.gateways, 1) {
		g := r.spec(runtimeconfig.RoleGateway, fmt.Sprintf("gateway-%d", i))
		g.Listen = ports.Free(t, 1)[0]
		r.gateways = append(r.gateways, spawn(t, g))
	}
	c := r.spec(runtimeconfig.RoleConsole, "console-0")
	c.Listen = ports.Free(t, 1)[0]
	r.consoles = append(r.consoles, spawn(t, c))
	for i := range s.bots {
		r.bots = append(r.bots, spawn(t, r.spec(runtimeconfig.RoleBot, fmt.Sprintf("bot-%d", i))))
	}
	r.observe(cancel)
	return r
}

// prepare writes the secrets and the configuration.
func (r *rig) prepare(s *shape) {
	r.t.Helper()
	r.doc = &runtimeconfig.Document{
		Version: runtimeconfig.Version, Namespace: "shop", Desk: "web", DisplayName: "Shop", Languages: []string{"en"}, RetentionDays: 1,
		WebChat: runtimeconfig.WebChat{MaxMessageLength: 2000, MessagesPerMinute: 6000},
		Queues:  []runtimeconfig.Queue{{Name: "general", Priority: 50}, {Name: "refunds", Priority: 50}}, DefaultQueue: "general",
		Pools: []runtimeconfig.Pool{{Name: "people", Type: runtimeconfig.PoolHuman, Concurrency: slots, Human: &runtimeconfig.HumanSettings{
			Members: people, Queues: []string{"refunds", "general"}, OfferTimeoutSeconds: 20,
		}}},
		Rules: []escalation.Rule{{Name: "refund", When: `message.text.contains("refund")`, Then: escalation.Actions{
			HandOff: &escalation.HandOff{Queue: "refunds"}, Say: []escalation.LocalisedText{{Language: "en", Text: "A person will help you."}},
		}}},
		Bus: runtimeconfig.Bus{Replicas: s.buses, MaxStoreBytes: 256 << 20},
	}
	if s.bots > 0 || s.compact {
		r.doc.Pools = append([]runtimeconfig.Pool{{Name: "bots", Type: runtimeconfig.PoolBot, Concurrency: 20, Bot: &runtimeconfig.BotSettings{MinConfidence: 0.5}}}, r.doc.Pools...)
	}
	for _, address := range ports.Free(r.t, s.buses) {
		r.doc.Bus.URLs = append(r.doc.Bus.URLs, "nats://"+address)
	}
	if s.buses > 1 {
		for _, address := range ports.Free(r.t, s.buses) {
			r.doc.Bus.Routes = append(r.doc.Bus.Routes, "nats://"+address)
		}
	}
	for _, role := range runtimeconfig.ClientRoles() {
		r.doc.Bus.Users = append(r.doc.Bus.Users, runtimeconfig.BusUser{Role: role, PublicKey: r.newKey(role)})
	}
	r.write("contact-token.key", strings.Repeat("k", 32))
	tokens := ""
	for _, name := range people {
		tokens += fmt.Sprintf("- {name: %s, role: agent, token: %s}\n", name, tokenOf(name))
	}
	r.write("tokens.yaml", tokens)
}

func tokenOf(agent string) string { return "token-of-" + agent + "-0123456789" }

func (r *rig) write(name, content string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.folder, name), []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) seed(role runtimeconfig.Role) string {
	return filepath.Join(r.folder, string(role)+".seed")
}

func (r *rig) newKey(role runtimeconfig.Role) (public string) {
	r.t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		r.t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		r.t.Fatal(err)
	}
	if public, err = pair.PublicKey(); err != nil {
		r.t.Fatal(err)
	}
	r.write(string(role)+".seed", string(seed))
	return public
}

func (r *rig) busAddress(i int) string { return strings.TrimPrefix(r.doc.Bus.URLs[i], "nats://") }

func (r *rig) spec(role runtimeconfig.Role, name string) *spec {
	return &spec{
		Role: role, Name: name, Document: r.doc, Seed: r.seed(role), Secrets: r.folder, Tokens: filepath.Join(r.folder, "tokens.yaml"), Lease: r.lease,
	}
}

// promises are what the ledger holds the desk to.
func (r *rig) promises() ledger.Desk {
	d := ledger.Desk{Subjects: r.names, Agents: map[string]ledger.Agent{}}
	for _, name := range people {
		d.Agents[name] = ledger.Agent{Slots: slots, Queues: []string{"refunds", "general"}}
	}
	for i := range 4 {
		d.Agents[fmt.Sprintf("bot-%d", i)] = ledger.Agent{Slots: 20, Queues: []string{conversation.BotQueue}}
	}
	return d
}

// observe follows what the bus stores, over all its restarts.
func (r *rig) observe(cancel context.CancelFunc) {
	r.t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	conn, err := r.dialer(runtimeconfig.RoleArchive).Dial(r.ctx, bus.ClientOptions{Name: "observer", Logger: quiet})
	if err != nil {
		r.t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		if err := conn.WaitStream(r.ctx, r.names.Stream()); err != nil {
			return
		}
		err := conn.Log(r.names.Stream()).Tail(r.ctx, []string{r.names.Conversations(), r.names.Decisions()}, 1, bus.TailHandler{Message: func(st bus.Stored) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.ledger.Add(st)
			r.storedAt = time.Now()
			close(r.change)
			r.change = make(chan struct{})
			return nil
		}})
		if r.ctx.Err() == nil {
			r.t.Errorf("the log cannot be followed: %v", err)
		}
	})
	r.t.Cleanup(func() {
		cancel()
		work.Wait()
		conn.Close()
	})
}

func (r *rig) dialer(role runtimeconfig.Role) bus.Dialer {
	return bus.EndpointFor(r.doc, role, bus.Files{Seed: r.seed(role)})
}

// until waits until what is stored suits.
func (r *rig) until(what string, suits func(*ledger.Ledger) bool) {
	r.t.Helper()
	timer := time.NewTimer(eventually.Limit)
	defer timer.Stop()
	for {
		r.mu.Lock()
		change, ok := r.change, suits(r.ledger)
		problems := r.ledger.Problems()
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-change:
		case <-timer.C:
			r.tell()
			r.t.Fatalf("not within %s: %s; problems so far: %q", eventually.Limit, what, problems)
		}
	}
}

// tell what is stored of the open conversations.
func (r *rig) tell() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.ledger.Open() {
		r.t.Logf("%s of %s is %s of %v:\n%s", s.ID, s.Contact, s.Status, s.Agent, strings.Join(r.ledger.Story(s.ID), "\n"))
	}
}

// ends waits until so many more conversations have ended: the desk serves.
func (r *rig) ends(more int) {
	r.t.Helper()
	r.mu.Lock()
	before := r.ledger.Ended()
	r.mu.Unlock()
	r.until(fmt.Sprintf("%d more conversations have ended", more), func(l *ledger.Ledger) bool { return l.Ended() >= before+more })
}

// recovers waits until so many more conversations have ended, and starts the process anew whenever it gives up, as a
// cluster would.
func (r *rig) recovers(p *process, more int) {
	r.t.Helper()
	r.mu.Lock()
	target := r.ledger.Ended() + more
	r.mu.Unlock()
	eventually.True(r.t, "the desk serves again", func() bool {
		p.revive()
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.ledger.Ended() >= target
	})
}

// leader waits until one of the routers leads that is not the given one.
func (r *rig) leader(not *process) (leads *process) {
	r.t.Helper()
	r.until("a router leads", func(l *ledger.Ledger) bool {
		for _, p := range r.routers {
			if p != not && strings.HasPrefix(l.Leader(), p.spec.Name+"_") {
				leads = p
				return true
			}
		}
		return false
	})
	return leads
}

// leads waits until a process that was started after the given leader leads.
func (r *rig) leads(p *process, not string) {
	r.t.Helper()
	r.until(p.spec.Name+" leads", func(l *ledger.Ledger) bool {
		return l.Leader() != not && strings.HasPrefix(l.Leader(), p.spec.Name+"_")
	})
}

// instance of the router that leads.
func (r *rig) instance() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ledger.Leader()
}
