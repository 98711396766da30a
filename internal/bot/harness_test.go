package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/escalation"
	search "github.com/deskfleet/deskfleet/internal/knowledge/protocol"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/telemetry"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quiet drops logs, unless the tests are run with -v.
func quiet(t testing.TB) *slog.Logger {
	if !testing.Verbose() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

func document() *runtimeconfig.Document {
	return &runtimeconfig.Document{
		Version: runtimeconfig.Version, Namespace: "shop", Desk: "web", DisplayName: "Shop", Languages: []string{"en", "zh"},
		Queues: []runtimeconfig.Queue{{Name: "general", Priority: 50}}, DefaultQueue: "general", RetentionDays: 30,
		Pools: []runtimeconfig.Pool{
			{Name: "bots", Type: runtimeconfig.PoolBot, Concurrency: 3, Bot: &runtimeconfig.BotSettings{
				KnowledgeBases: []string{"faq", "not-ready"}, MinConfidence: 0.6,
				Greeting: []escalation.LocalisedText{{Language: "en", Text: "Welcome to the shop!"}},
			}},
			{Name: "people", Type: runtimeconfig.PoolHuman, Concurrency: 2, Human: &runtimeconfig.HumanSettings{
				Members: []string{"ann"}, Queues: []string{"general"}, OfferTimeoutSeconds: 30,
			}},
		},
		Knowledge: []runtimeconfig.KnowledgeBase{{Name: "faq", Revision: "r1"}},
		Bus:       runtimeconfig.Bus{Replicas: 1, MaxStoreBytes: 64 << 20},
	}
}

// desk is a bus, a customer, and a router and a knowledge role that do what the test says.
type desk struct {
	t        testing.TB
	server   *bus.Server
	conn     bus.Conn
	log      bus.Log
	subjects bus.Subjects
	source   *runtimeconfig.Store

	mu       sync.Mutex
	requests []protocol.Request
	beats    []protocol.Heartbeat
	owned    map[conversation.ID]protocol.Conversation
	signedOn map[string]bool
	refuse   func(protocol.Request) *protocol.Error
	silent   bool
	// answer of the knowledge role; nil when it does not run.
	answer  func(search.Request) search.Reply
	queries []string
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	doc := document()
	logger := quiet(t)
	server, err := bus.StartEmbedded(t.Context(), doc, t.TempDir(), logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	source, err := runtimeconfig.NewStoreOf(doc)
	if err != nil {
		t.Fatal(err)
	}
	subjects, err := bus.NewSubjects(doc.Namespace, doc.Desk)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, server: server, source: source, subjects: subjects, owned: map[conversation.ID]protocol.Conversation{}, signedOn: map[string]bool{}}
	if d.conn, err = server.Dial(t.Context(), bus.ClientOptions{Name: "test", Logger: logger}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.conn.Close)
	d.log = d.conn.Log(subjects.Stream())
	return d
}

// fakes starts the fake router and knowledge role.
func (d *desk) fakes() {
	d.t.Helper()
	for subject, h := range map[string]bus.Handler{
		d.subjects.Intents():                           d.intent,
		d.subjects.Heartbeats():                        d.heartbeat,
		d.subjects.Request(bus.ServiceKnowledgeSearch): d.search,
	} {
		if _, err := d.conn.Subscribe(context.WithoutCancel(d.t.Context()), subject, h); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *desk) intent(m *bus.Message) {
	subject, err := d.subjects.Parse(m.Subject)
	if err != nil {
		d.t.Error(err)
		return
	}
	r, refused := protocol.DecodeRequest(m.Data)
	if refused != nil {
		d.t.Error(refused)
		return
	}
	reply := d.decide(subject, r)
	if reply == nil {
		return
	}
	data, err := protocol.Encode(reply)
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil {
		d.t.Error(err)
	}
}

func (d *desk) decide(subject bus.Subject, r *protocol.Request) *protocol.Reply {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.silent {
		return nil
	}
	d.requests = append(d.requests, *r)
	if d.refuse != nil {
		if e := d.refuse(*r); e != nil {
			return &protocol.Reply{V: 1, Error: e}
		}
	}
	reply := &protocol.Reply{V: 1, OK: true}
	switch r.Type {
	case protocol.SignOn:
		d.signedOn[subject.Who] = true
	case protocol.SignOff:
		delete(d.signedOn, subject.Who)
		for id, c := range d.owned {
			if c.Agent.ID == subject.Who {
				delete(d.owned, id)
			}
		}
	case protocol.HandOff:
		if err := r.HandOff.Validate(); err != nil {
			d.t.Error(err)
		}
		delete(d.owned, r.Conversation)
	default:
	}
	if !d.signedOn[subject.Who] && r.Type != protocol.SignOff {
		return &protocol.Reply{V: 1, Error: &protocol.Error{Code: protocol.CodeNotSignedOn, What: "x", Why: "y", Remedy: "z"}}
	}
	reply.Agent = &protocol.Agent{Kind: conversation.KindBot, ID: subject.Who, SignedOn: d.signedOn[subject.Who], Slots: 3}
	for _, c := range d.owned {
		if c.Agent.ID == subject.Who {
			reply.Conversations = append(reply.Conversations, c)
		}
	}
	return reply
}

func (d *desk) heartbeat(m *bus.Message) {
	b, err := protocol.DecodeHeartbeat(m.Data)
	if err != nil {
		d.t.Error(err)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.beats = append(d.beats, *b)
}

func (d *desk) search(m *bus.Message) {
	var r search.Request
	if err := json.Unmarshal(m.Data, &r); err != nil {
		d.t.Error(err)
		return
	}
	d.mu.Lock()
	answer := d.answer
	d.queries = append(d.queries, r.Query)
	d.mu.Unlock()
	if answer == nil {
		return
	}
	data, err := json.Marshal(answer(r))
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil {
		d.t.Error(err)
	}
}

// knows makes the fake knowledge role answer from a list of words and hits.
func (d *desk) knows(entries map[string]search.Hit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = func(r search.Request) search.Reply {
		reply := search.Reply{V: 1, OK: true}
		for word, hit := range entries {
			if strings.Contains(r.Query, word) {
				reply.Hits = append(reply.Hits, hit)
			}
		}
		return reply
	}
}

func (d *desk) options(name string) Options {
	return Options{
		Name: name, Pool: "bots", Dialer: d.server, Source: d.source, Logger: quiet(d.t),
		Health: telemetry.NewHealth(nil), HeartbeatEvery: 5 * time.Millisecond, LookupTimeout: 10 * time.Second,
	}
}

// run a worker until the returned function is called or the test ends.
func (d *desk) run(o Options) (stop func()) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, o) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := eventually.Receive(d.t, "the worker ends", done); err != nil {
				d.t.Error(err)
			}
		})
	}
	d.t.Cleanup(stop)
	return stop
}

// signOn runs a worker and waits until it is signed on.
func (d *desk) signOn(o Options) (stop func()) {
	d.t.Helper()
	stop = d.run(o)
	eventually.True(d.t, "the worker is signed on", func() bool {
		r := o.Health.Readiness(d.t.Context())
		return r.Ready && r.Checks["router"].OK
	})
	return stop
}

// says stores a customer's message.
func (d *desk) says(conv conversation.ID, text string) uint64 {
	d.t.Helper()
	return d.append(conv, &conversation.Message{
		From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c-17"}, Text: text, ClientID: string(conversation.NewID(start)),
	})
}

func (d *desk) append(conv conversation.ID, m *conversation.Message) uint64 {
	d.t.Helper()
	data, err := conversation.Encode(conversation.NewEvent(conversation.NewID(start), conv, start, m))
	if err != nil {
		d.t.Fatal(err)
	}
	seq, _, err := d.log.Append(d.t.Context(), d.subjects.Messages(string(conv)), data, bus.AppendOptions{MsgID: intake.MsgID(conv, m.ClientID)})
	if err != nil {
		d.t.Fatal(err)
	}
	return seq
}

// own writes an event of ownership and gives its sequence.
func (d *desk) own(conv conversation.ID, body conversation.Body) uint64 {
	d.t.Helper()
	data, err := conversation.Encode(conversation.NewEvent(conversation.NewID(start), conv, start, body))
	if err != nil {
		d.t.Fatal(err)
	}
	seq, _, err := d.log.Append(d.t.Context(), d.subjects.Ownership(string(conv)), data, bus.AppendOptions{})
	if err != nil {
		d.t.Fatal(err)
	}
	return seq
}

// assign gives a conversation to a worker, as a router would; without a push if quietly.
func (d *desk) assign(conv conversation.ID, worker string, quietly bool) protocol.Conversation {
	d.t.Helper()
	agent := conversation.Agent{Kind: conversation.KindBot, ID: worker, Pool: "bots"}
	c := protocol.Conversation{ID: conv, Status: conversation.StatusBot, Agent: &agent, OwnSeq: d.own(conv, &conversation.Assigned{Agent: agent})}
	d.mu.Lock()
	d.owned[conv] = c
	d.mu.Unlock()
	if !quietly {
		d.push(worker, protocol.Push{Type: protocol.PushAssigned, Conversation: &c})
	}
	return c
}

func (d *desk) push(worker string, p protocol.Push) {
	d.t.Helper()
	p.V = 1
	data, err := protocol.Encode(p)
	if err == nil {
		err = d.conn.Publish(d.t.Context(), d.subjects.Offer(bus.PartyBot, worker), data)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// transcript lists what was said: the customer's lines with "<", the bots' with the entry or mark.
func (d *desk) transcript(conv conversation.ID) []string {
	d.t.Helper()
	var lines []string
	for m, err := range d.log.Read(d.t.Context(), d.subjects.Messages(string(conv)), 0) {
		if err != nil {
			d.t.Fatal(err)
		}
		e, err := conversation.Decode(m.Data)
		if err != nil {
			d.t.Fatal(err)
		}
		msg, ok := e.Body.(*conversation.Message)
		switch {
		case !ok:
			d.t.Fatalf("%s on a message subject", e.Type)
		case msg.From.Kind != conversation.KindBot:
			lines = append(lines, "< "+msg.Text)
		case msg.Entry != nil:
			lines = append(lines, "= "+msg.Entry.ID)
		case msg.Missed:
			lines = append(lines, "? "+msg.Language)
		default:
			lines = append(lines, "> "+msg.Text)
		}
	}
	return lines
}

func (d *desk) waitTranscript(conv conversation.ID, want ...string) {
	d.t.Helper()
	eventually.Nil(d.t, "the transcript", func() error {
		got := d.transcript(conv)
		if len(got) != len(want) {
			return fmt.Errorf("%q, want %q", got, want)
		}
		for i := range got {
			if !strings.HasPrefix(got[i], want[i]) {
				return fmt.Errorf("%q, want %q", got, want)
			}
		}
		return nil
	})
}

// asked lists the requests of a type so far.
func (d *desk) asked(kind protocol.RequestType) []protocol.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.requests), func(r protocol.Request) bool { return r.Type != kind })
}

func (d *desk) waitAsked(kind protocol.RequestType, n int) []protocol.Request {
	d.t.Helper()
	eventually.Nil(d.t, "requests", func() error {
		if got := d.asked(kind); len(got) < n {
			return fmt.Errorf("%d requests to %s, want %d", len(got), kind, n)
		}
		return nil
	})
	return d.asked(kind)
}

// waitHolding waits for a heartbeat with that many conversations.
func (d *desk) waitHolding(n int) {
	d.t.Helper()
	eventually.Nil(d.t, "the heartbeat", func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.beats) == 0 {
			return fmt.Errorf("no heartbeat")
		}
		if last := d.beats[len(d.beats)-1]; last.Holding == nil || *last.Holding != n {
			return fmt.Errorf("the last of %d heartbeats is %+v, want %d conversations", len(d.beats), last, n)
		}
		return nil
	})
}
