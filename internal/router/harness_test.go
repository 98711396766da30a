package router

import (
	"context"
	"errors"
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
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet(t testing.TB) *slog.Logger {
	if !testing.Verbose() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// document of a desk with a bot pool, people for two queues, and a policy.
func document() *runtimeconfig.Document {
	priority := int32(80)
	return &runtimeconfig.Document{
		Version: runtimeconfig.Version, Namespace: "shop", Desk: "web", Languages: []string{"en", "zh"},
		Queues:       []runtimeconfig.Queue{{Name: "general", Priority: 50}, {Name: "refunds", Priority: 60}},
		DefaultQueue: "general",
		Pools: []runtimeconfig.Pool{
			{Name: "bots", Type: runtimeconfig.PoolBot, Concurrency: 5, Bot: &runtimeconfig.BotSettings{}},
			{Name: "people", Type: runtimeconfig.PoolHuman, Concurrency: 2, Human: &runtimeconfig.HumanSettings{
				Members: []string{"ann", "ben"}, Queues: []string{"refunds", "general"}, OfferTimeoutSeconds: 30,
			}},
		},
		Rules: []escalation.Rule{{
			Name: "refund", When: `message.text.contains("refund")`,
			Then: escalation.Actions{
				HandOff: &escalation.HandOff{Queue: "refunds"}, Priority: &priority,
				Say: []escalation.LocalisedText{{Language: "en", Text: "A person will help you."}},
			},
		}},
		Bus: runtimeconfig.Bus{Replicas: 1, MaxStoreBytes: 64 << 20},
	}
}

func configOf(t testing.TB, doc *runtimeconfig.Document) *runtimeconfig.Store {
	t.Helper()
	store, err := runtimeconfig.NewStoreOf(doc)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// desk is a bus with everything that watches it.
type desk struct {
	t      testing.TB
	ctx    context.Context
	server *bus.Server
	conn   bus.Conn
	doc    *runtimeconfig.Document
	names  bus.Subjects
	intake intake.Desk

	mu     sync.Mutex
	events []conversation.Event
	claims []bus.Stored
	change chan struct{}
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	doc := document()
	server, err := bus.StartEmbedded(t.Context(), doc, t.TempDir(), quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutDown(t, server) })
	return newDeskOn(t, server, doc)
}

func shutDown(t testing.TB, server *bus.Server) {
	t.Helper()
	if err := server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

func newDeskOn(t testing.TB, server *bus.Server, doc *runtimeconfig.Document) *desk {
	t.Helper()
	names, err := bus.NewSubjects(doc.Namespace, doc.Desk)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	d := &desk{t: t, ctx: ctx, server: server, doc: doc, names: names, change: make(chan struct{})}
	d.conn = d.dial("test")
	d.intake = intake.Desk{Log: d.conn.Log(names.Stream()), Subjects: names}
	var tails sync.WaitGroup
	tails.Go(func() { d.watch(ctx) })
	t.Cleanup(func() {
		cancel()
		tails.Wait()
		d.conn.Close()
	})
	return d
}

func (d *desk) dial(name string) bus.Conn {
	d.t.Helper()
	conn, err := d.server.Dial(d.ctx, bus.ClientOptions{Name: name, Logger: quiet(d.t)})
	if err != nil {
		d.t.Fatal(err)
	}
	return conn
}

// watch collects what the bus has stored.
func (d *desk) watch(ctx context.Context) {
	_ = d.conn.Log(d.names.Stream()).Tail(ctx, []string{d.names.Conversations(), d.names.Claims()}, 1, bus.TailHandler{
		Message: func(st bus.Stored) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			if strings.HasPrefix(st.Subject, "ct.") {
				d.claims = append(d.claims, st)
			} else if e, err := conversation.Decode(st.Data); err == nil {
				e.Seq = st.Seq
				d.events = append(d.events, e)
			} else {
				d.t.Errorf("%s holds %s: %v", st.Subject, st.Data, err)
			}
			close(d.change)
			d.change = make(chan struct{})
			return nil
		},
	})
}

// stored lists the events of a conversation, or of all with an empty id, in the order of the stream.
func (d *desk) stored(conv conversation.ID) []conversation.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.events), func(e conversation.Event) bool {
		return conv != "" && e.Conversation != conv
	})
}

// until waits until what is stored suits.
func (d *desk) until(what string, suits func() bool) {
	d.t.Helper()
	for {
		d.mu.Lock()
		change := d.change
		d.mu.Unlock()
		if suits() {
			return
		}
		select {
		case <-change:
		case <-d.ctx.Done():
			d.t.Fatalf("never came: %s; stored: %s", what, strings.Join(d.story(""), "\n"))
		}
	}
}

// has waits for an event of a type in a conversation, the nth of its type.
func (d *desk) has(conv conversation.ID, kind conversation.Type, nth int) conversation.Event {
	d.t.Helper()
	var found conversation.Event
	d.until(string(kind)+" of "+string(conv), func() bool {
		n := 0
		for _, e := range d.stored(conv) {
			if e.Type == kind {
				if n++; n == nth {
					found = e
					return true
				}
			}
		}
		return false
	})
	return found
}

// story tells the life of a conversation without what differs from run to run.
func (d *desk) story(conv conversation.ID) []string {
	var lines []string
	for _, e := range d.stored(conv) {
		line := string(e.Type)
		switch b := e.Body.(type) {
		case *conversation.Message:
			line += " " + string(b.From.Kind) + " " + b.Text
		case *conversation.Opened:
			line += " " + b.Queue
		case *conversation.Queued:
			line += " " + b.Queue + " " + string(b.Cause)
		case *conversation.Assigned:
			line += " " + b.Agent.ID
		case *conversation.Offered:
			line += " " + b.Agent.ID
		case *conversation.OfferEnded:
			line += " " + b.Agent.ID + " " + string(b.Outcome)
		case *conversation.Accepted:
			line += " " + b.Agent.ID
		case *conversation.Closed:
			line += " " + string(b.Reason) + " " + b.Disposition
		}
		lines = append(lines, line)
	}
	return lines
}

// check holds what must be true of every log: each conversation's .own is a legal life, nothing is
// stored twice, owners' messages were theirs to write, and no contact had two open conversations.
func (d *desk) check() {
	d.t.Helper()
	states := map[conversation.ID]conversation.State{}
	ids := map[conversation.ID]bool{}
	clients := map[string]bool{}
	open := map[string]conversation.ID{}
	for _, e := range d.stored("") {
		if ids[e.ID] {
			d.t.Errorf("event %s is stored twice", e.ID)
		}
		ids[e.ID] = true
		s := states[e.Conversation]
		if m, ok := e.Body.(*conversation.Message); ok {
			key := string(e.Conversation) + ":" + m.ClientID
			if clients[key] {
				d.t.Errorf("message %s is stored twice", key)
			}
			clients[key] = true
			if owner := s.Owner(); m.From.Kind.IsAgent() && (owner == nil || owner.ID != m.From.ID) {
				d.t.Errorf("%s wrote in %s, whose state is %s", m.From.ID, e.Conversation, s.Status)
			}
		}
		next, err := conversation.Apply(s, e)
		if err != nil {
			d.t.Errorf("the log of %s is no legal life: %v", e.Conversation, err)
			continue
		}
		states[e.Conversation] = next
		contact := next.Channel + "/" + next.Contact
		switch {
		case next.Contact == "":
		case next.Status.Ended():
			if open[contact] == e.Conversation {
				delete(open, contact)
			}
		case open[contact] != "" && open[contact] != e.Conversation:
			d.t.Errorf("contact %s has two open conversations, %s and %s", contact, open[contact], e.Conversation)
		default:
			open[contact] = e.Conversation
		}
	}
}

// post sends a customer's message as a gateway does.
func (d *desk) post(contact, clientID, text string) conversation.ID {
	d.t.Helper()
	posted, err := d.intake.Post(d.ctx, intake.Contact{Channel: "web", ID: contact, Language: "en"},
		conversation.Message{Text: text, Language: "en", ClientID: clientID}, "", time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	return posted.Conversation
}

// process is a router that a test can stop, kill or pause.
type process struct {
	*Router
	stop context.CancelFunc
	done chan error
}

func (d *desk) startRouter(name string, change func(*Options)) *process {
	d.t.Helper()
	opts := Options{
		Dialer: d.server, Name: name, Config: configOf(d.t, d.doc), Logger: quiet(d.t).With("at", name),
		LeaseFor: 300 * time.Millisecond,
	}
	if change != nil {
		change(&opts)
	}
	r, err := New(opts)
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(d.ctx))
	p := &process{Router: r, stop: stop, done: make(chan error, 1)}
	go func() { p.done <- r.Run(ctx) }()
	d.t.Cleanup(func() {
		stop()
		if p.done != nil {
			<-p.done
		}
	})
	return p
}

// end stops the router gracefully, or finds it dead.
func (p *process) end(t testing.TB) {
	t.Helper()
	p.stop()
	err := <-p.done
	p.done = nil
	if err != nil && !errors.Is(err, errKilled) {
		t.Errorf("router ended: %v", err)
	}
}
