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
	"github.com/deskfleet/deskfleet/internal/router/protocol"
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
		if err := server.Shutdown(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
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
		leaseFor: 300 * time.Millisecond,
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

// client is a scripted bot or person.
type client struct {
	d     *desk
	party bus.Party
	id    string
	conn  bus.Conn
	beats sync.WaitGroup
	quit  context.CancelFunc
	gone  <-chan struct{}

	mu     sync.Mutex
	pushes []protocol.Push
	change chan struct{}
}

func (d *desk) client(party bus.Party, id string) *client {
	d.t.Helper()
	c := &client{d: d, party: party, id: id, conn: d.conn, change: make(chan struct{})}
	if party == bus.PartyCustomer {
		return c
	}
	ctx, quit := context.WithCancel(d.ctx)
	c.quit, c.gone = quit, ctx.Done()
	if _, err := d.conn.Subscribe(ctx, d.names.Offer(party, id), c.take); err != nil {
		d.t.Fatal(err)
	}
	c.beats.Go(func() { c.beat(ctx) })
	d.t.Cleanup(c.die)
	return c
}

func (c *client) take(m *bus.Message) {
	p, err := protocol.DecodePush(m.Data)
	if err != nil {
		c.d.t.Errorf("push %s: %v", m.Data, err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pushes = append(c.pushes, *p)
	close(c.change)
	c.change = make(chan struct{})
}

// beat is the heart of the client.
func (c *client) beat(ctx context.Context) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		data, err := protocol.Encode(protocol.Heartbeat{V: 1})
		if err != nil {
			c.d.t.Error(err)
		}
		_ = c.conn.Publish(ctx, c.d.names.Heartbeat(c.party, c.id), data)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// die stops the heart, without a word.
func (c *client) die() {
	c.quit()
	c.beats.Wait()
}

// pushed waits for a push of a type about a conversation, the nth.
func (c *client) pushed(kind protocol.PushType, conv conversation.ID, nth int) protocol.Push {
	c.d.t.Helper()
	for {
		c.mu.Lock()
		n, change := 0, c.change
		for _, p := range c.pushes {
			if p.Type == kind && (conv == "" || p.Conversation != nil && p.Conversation.ID == conv) {
				if n++; n == nth {
					c.mu.Unlock()
					return p
				}
			}
		}
		c.mu.Unlock()
		select {
		case <-change:
		case <-c.d.ctx.Done():
			c.d.t.Fatalf("%s was never pushed %s about %s", c.id, kind, conv)
		}
	}
}

// ask sends a request again and again, with the same id, until the router answers.
func (c *client) ask(req protocol.Request) (*protocol.Reply, error) {
	c.d.t.Helper()
	req.V = 1
	if req.ID == "" {
		req.ID = string(conversation.NewID(time.Now()))
	}
	data, err := protocol.Encode(req)
	if err != nil {
		c.d.t.Fatal(err)
	}
	for {
		ctx, cancel := context.WithTimeout(c.d.ctx, 500*time.Millisecond)
		answer, err := c.conn.Request(ctx, c.d.names.Intent(c.party, c.id), data)
		cancel()
		if err != nil {
			if c.d.ctx.Err() != nil {
				c.d.t.Fatalf("%s is never answered to %s: %v; stored: %s", c.id, req.Type, err, strings.Join(c.d.story(""), "\n"))
			}
			continue
		}
		reply, err := protocol.DecodeReply(answer)
		if refused, ok := errors.AsType[*protocol.Error](err); ok && refused.Code == protocol.CodeUnavailable {
			continue
		}
		return reply, err
	}
}

// must is ask for what may not be refused.
func (c *client) must(req protocol.Request) *protocol.Reply {
	c.d.t.Helper()
	reply, err := c.ask(req)
	if err != nil {
		c.d.t.Fatalf("%s of %s: %v", req.Type, c.id, err)
	}
	return reply
}

func (c *client) signOn() *protocol.Reply {
	c.d.t.Helper()
	a := conversation.Agent{Kind: conversation.KindAgent, ID: c.id}
	if c.party == bus.PartyBot {
		a.Kind, a.Pool = conversation.KindBot, "bots"
	}
	return c.must(protocol.Request{Type: protocol.SignOn, Agent: &a, Presence: conversation.PresenceOnline})
}

// say writes as the owner, behind the given sequence of .own.
func (c *client) say(conv conversation.ID, clientID, text string, ownSeq uint64) error {
	kind := conversation.KindAgent
	if c.party == bus.PartyBot {
		kind = conversation.KindBot
	}
	now := time.Now()
	e := conversation.NewEvent(conversation.NewID(now), conv, now, &conversation.Message{
		From: conversation.Actor{Kind: kind, ID: c.id}, Text: text, ClientID: clientID,
	})
	data, err := conversation.Encode(e)
	if err != nil {
		return err
	}
	_, _, err = c.conn.Log(c.d.names.Stream()).Append(c.d.ctx, c.d.names.Messages(string(conv)), data, bus.AppendOptions{
		MsgID: intake.MsgID(conv, clientID), ExpectLast: bus.Expect(ownSeq), ExpectFilter: c.d.names.Ownership(string(conv)),
	})
	return err
}

func handOffNow(seq uint64) *conversation.HandOff {
	return &conversation.HandOff{
		TranscriptSeq: seq, Language: "en", Verification: conversation.VerificationNone,
		Reason: conversation.Reason{Code: conversation.ReasonNoAnswer, Words: "no sure answer"},
	}
}
