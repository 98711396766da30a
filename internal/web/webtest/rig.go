// Package webtest gives tests of the web roles a desk on a real bus, and lets them play the other roles:
// they write the ownership events of a router and the messages of a bot, and answer the router's requests.
package webtest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Bot is the bot worker of all rigs.
var Bot = conversation.Agent{Kind: conversation.KindBot, ID: "bot-0", Name: "Ada", Pool: "bots"}

// Config is a configuration that tests may change.
type Config struct{ *runtimeconfig.Store }

// Set replaces the document.
func (c Config) Set(t testing.TB, doc *runtimeconfig.Document) {
	t.Helper()
	data, err := doc.Marshal()
	if err == nil {
		_, err = c.Offer(data)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Document of a small desk.
func Document() *runtimeconfig.Document {
	return &runtimeconfig.Document{
		Version: runtimeconfig.Version, Namespace: "shop", Desk: "web.chat", DisplayName: "Lantern Shop",
		Languages: []string{"en", "zh"}, RetentionDays: 1, DefaultQueue: "general",
		WebChat: runtimeconfig.WebChat{MaxMessageLength: 2000, MessagesPerMinute: 600},
		Queues:  []runtimeconfig.Queue{{Name: "general"}, {Name: "refunds", Priority: 10}},
		Pools: []runtimeconfig.Pool{
			{Name: "bots", Type: runtimeconfig.PoolBot, Concurrency: 100, Bot: &runtimeconfig.BotSettings{MinConfidence: 0.5}},
			{Name: "people", Type: runtimeconfig.PoolHuman, Concurrency: 3, Human: &runtimeconfig.HumanSettings{
				Members: []string{"chen", "wu"}, Queues: []string{"refunds", "general"}, OfferTimeoutSeconds: 60,
			}},
		},
		Bus: runtimeconfig.Bus{Replicas: 1, MaxStoreBytes: 64 << 20},
	}
}

// Rig is a desk's bus and the other roles as the test plays them.
type Rig struct {
	T        testing.TB
	Server   *bus.Server
	Conn     bus.Conn
	Log      bus.Log
	Subjects bus.Subjects
	Config   Config
}

// New starts a bus that ends with the test, with the document changed first.
func New(t testing.TB, change ...func(*runtimeconfig.Document)) *Rig {
	t.Helper()
	r := &Rig{T: t}
	doc := Document()
	for _, f := range change {
		f(doc)
	}
	var err error
	if r.Config.Store, err = runtimeconfig.NewStoreOf(doc); err != nil {
		t.Fatal(err)
	}
	if r.Subjects, err = bus.NewSubjects(doc.Namespace, doc.Desk); err != nil {
		t.Fatal(err)
	}
	if r.Server, err = bus.StartEmbedded(t.Context(), doc, t.TempDir(), Quiet(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if r.Conn, err = r.Server.Dial(t.Context(), bus.ClientOptions{Name: "rig", Logger: Quiet(t)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Conn.Close)
	r.Log = r.Conn.Log(r.Subjects.Stream())
	return r
}

// Quiet shows warnings and errors of a test that fails.
func Quiet(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// Own stores an ownership event of the conversation, as the router does, and returns its sequence.
func (r *Rig) Own(conv conversation.ID, body conversation.Body) uint64 {
	r.T.Helper()
	return r.store(r.Subjects.Ownership(string(conv)), conversation.NewEvent(newID(), conv, time.Now(), body), bus.AppendOptions{})
}

// Say stores a message of a bot, an agent or the system without looking at who owns the conversation.
func (r *Rig) Say(conv conversation.ID, m conversation.Message) uint64 {
	r.T.Helper()
	if m.ClientID == "" {
		m.ClientID = string(newID())
	}
	return r.store(r.Subjects.Messages(string(conv)), conversation.NewEvent(newID(), conv, time.Now(), &m),
		bus.AppendOptions{MsgID: intake.MsgID(conv, m.ClientID)})
}

func (r *Rig) store(subject string, e conversation.Event, opts bus.AppendOptions) uint64 {
	r.T.Helper()
	data, err := conversation.Encode(e)
	if err != nil {
		r.T.Fatal(err)
	}
	seq, _, err := r.Log.Append(r.T.Context(), subject, data, opts)
	if err != nil {
		r.T.Fatal(err)
	}
	return seq
}

// BotTakes opens the conversation in the bots' queue and gives it to the bot.
func (r *Rig) BotTakes(conv conversation.ID, contact string) {
	r.T.Helper()
	r.Own(conv, &conversation.Opened{
		Channel: "web", Contact: contact, Queue: conversation.BotQueue,
		Arrival: conversation.Arrival{At: time.Now(), Seq: 1},
	})
	r.Own(conv, &conversation.Assigned{Agent: Bot})
}

// HandOff is a valid one.
func HandOff(seq uint64, words string) *conversation.HandOff {
	return &conversation.HandOff{
		TranscriptSeq: max(seq, 1), Reason: conversation.Reason{Code: conversation.ReasonNoAnswer, Words: words},
		Language: "en", Verification: conversation.VerificationNone,
		Tried: []conversation.Citation{{KnowledgeBase: "shop", ID: "returns", Question: "How do I return goods?", Confidence: 0.31}},
	}
}

// Queue puts the conversation into a queue of people.
func (r *Rig) Queue(conv conversation.ID, queue string, h *conversation.HandOff) {
	r.T.Helper()
	r.Own(conv, &conversation.Queued{
		Queue: queue, Arrival: conversation.Arrival{At: time.Now(), Seq: 1}, Cause: conversation.CauseHandOff, HandOff: h,
	})
}

// End closes the conversation and marks the claim ended, as the router does.
func (r *Rig) End(conv conversation.ID, contact string) {
	r.T.Helper()
	r.Own(conv, &conversation.Closed{By: Bot.Actor(), Reason: conversation.CloseResolved})
	subject := r.Subjects.Claim("web", contact)
	last, found, err := r.Log.Last(r.T.Context(), subject)
	if err != nil || !found {
		r.T.Fatalf("claim of %s: found %t, %v", contact, found, err)
	}
	claim, err := conversation.DecodeClaim(last.Data)
	if err != nil {
		r.T.Fatal(err)
	}
	claim.Ended = true
	data, err := conversation.EncodeClaim(claim)
	if err != nil {
		r.T.Fatal(err)
	}
	if _, _, err := r.Log.Append(r.T.Context(), subject, data, bus.AppendOptions{ExpectLast: bus.Expect(last.Seq)}); err != nil {
		r.T.Fatal(err)
	}
}

// Asked is a request to the router.
type Asked struct {
	Party   bus.Party
	Who     string
	Request *protocol.Request
}

// AnswerAs plays the router: each request is answered by f, whose nil stands for plain agreement.
func (r *Rig) AnswerAs(f func(Asked) *protocol.Reply) {
	r.T.Helper()
	_, err := r.Conn.Subscribe(r.T.Context(), r.Subjects.Intents(), func(m *bus.Message) {
		subject, err := r.Subjects.Parse(m.Subject)
		if err != nil {
			r.T.Error(err)
			return
		}
		req, refused := protocol.DecodeRequest(m.Data)
		reply := &protocol.Reply{V: protocol.Version, Error: refused}
		if refused == nil {
			if reply = f(Asked{Party: subject.Party, Who: subject.Who, Request: req}); reply == nil {
				reply = &protocol.Reply{V: protocol.Version, OK: true}
			}
		}
		data, err := protocol.Encode(reply)
		if err != nil {
			r.T.Error(err)
			return
		}
		_ = m.Respond(data) // the asker may be gone at the test's end
	})
	if err != nil {
		r.T.Fatal(err)
	}
}

// Messages stored in the conversation, as its transcript holds them.
func (r *Rig) Messages(conv conversation.ID) []conversation.Event {
	r.T.Helper()
	tr := conversation.NewTranscript(conv)
	for m, err := range r.Log.Read(r.T.Context(), r.Subjects.Messages(string(conv)), 0) {
		if err != nil {
			r.T.Fatal(err)
		}
		e, err := conversation.Decode(m.Data)
		if err != nil {
			r.T.Fatal(err)
		}
		e.Seq = m.Seq
		if _, err := tr.Add(e); err != nil {
			r.T.Fatal(err)
		}
	}
	return tr.Messages()
}

func newID() conversation.ID { return conversation.NewID(time.Now()) }
