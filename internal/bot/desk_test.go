package bot

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/archive"
	archived "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/escalation"
	"github.com/deskfleet/deskfleet/internal/knowledge"
	knowledgeserver "github.com/deskfleet/deskfleet/internal/knowledge/server"
	"github.com/deskfleet/deskfleet/internal/router"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/ask"
)

var entries = []knowledge.Entry{
	{ID: "returns", Questions: []string{"How do I return an item?", "How can I send my order back?", "What is your return policy?"}, Answer: "Within 30 days.", Language: "en"},
	{ID: "returns-zh", Questions: []string{"怎么退货？", "我想退货，怎么办理？", "退货流程是什么？"}, Answer: "30 天内可以退货。", Language: "zh"},
	{ID: "shipping", Questions: []string{"Where is my order?", "Track my parcel", "When does my delivery arrive?"}, Answer: "See the tracking page.", Language: "en"},
	{ID: "invoice", Questions: []string{"Can I have an invoice?", "I need a receipt for my company"}, Answer: "It is in your account.", Language: "en"},
	{ID: "invoice-zh", Questions: []string{"怎么开发票？", "可以开公司发票吗？"}, Answer: "在订单页面申请发票。", Language: "zh"},
}

// A worker without a heartbeat is lost after lostAfter; those of these tests send one each beatEvery.
const (
	lostAfter = 3 * time.Second
	beatEvery = 5 * time.Millisecond
)

func (d *desk) worker(name string) Options {
	o := d.options(name)
	o.HeartbeatEvery = 5 * time.Millisecond
	return o
}

// realDesk has the real router, knowledge role and archive.
func realDesk(t *testing.T, changes ...func(*runtimeconfig.Document)) *desk {
	t.Helper()
	d := newDesk(t)
	folder := t.TempDir()
	doc := document()
	doc.Knowledge = []runtimeconfig.KnowledgeBase{publish(t, folder, "faq", entries)}
	doc.Pools[0].Bot.MinConfidence = 0.5
	for _, change := range changes {
		change(doc)
	}
	data, err := doc.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.source.Offer(data); err != nil {
		t.Fatal(err)
	}
	logger := quiet(t)
	file := filepath.Join(t.TempDir(), "archive.db")
	d.role("router", func(ctx context.Context) error {
		return router.Run(ctx, router.Options{Dialer: d.server, Name: "router-0", Config: d.source, Logger: logger, Times: routing.Times{HeartbeatLost: lostAfter}})
	})
	d.role("knowledge", func(ctx context.Context) error {
		return knowledgeserver.Run(ctx, knowledgeserver.Options{Name: "knowledge-0", Dialer: d.server, Source: d.source, Folder: folder, Logger: logger})
	})
	d.role("archive", func(ctx context.Context) error {
		return archive.Run(ctx, archive.Options{
			Dialer: d.server, Source: d.source, Logger: logger, Grace: time.Nanosecond, PurgeEvery: 20 * time.Millisecond,
			Open: func(ctx context.Context, s bus.Subjects) (archive.Store, error) {
				return archive.OpenSQLite(ctx, file, s)
			},
		})
	})
	return d
}

// publish writes a knowledge base as the operator would, in two parts.
func publish(t *testing.T, folder, name string, entries []knowledge.Entry) runtimeconfig.KnowledgeBase {
	t.Helper()
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	if err := errors.Join(json.NewEncoder(zip).Encode(entries), zip.Close()); err != nil {
		t.Fatal(err)
	}
	base := runtimeconfig.KnowledgeBase{Name: name, Revision: knowledge.Revision(entries)}
	for i, part := range [][]byte{zipped.Bytes()[:50], zipped.Bytes()[50:]} {
		path := fmt.Sprintf("%s.%d.json.gz", name, i)
		if err := os.WriteFile(filepath.Join(folder, path), part, 0o600); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(part)
		base.Parts = append(base.Parts, runtimeconfig.KnowledgePart{Path: path, SHA256: hex.EncodeToString(sum[:])})
	}
	return base
}

func (d *desk) role(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(d.t.Context()))
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	d.t.Cleanup(func() {
		cancel()
		if err := eventually.Receive(d.t, name+" ends", done); err != nil {
			d.t.Errorf("%s: %v", name, err)
		}
	})
}

// posts a customer's message through the gateway's way in.
func (d *desk) posts(contact, text string) conversation.ID {
	d.t.Helper()
	desk := intake.Desk{Log: d.log, Subjects: d.subjects}
	p, err := desk.Post(d.t.Context(), intake.Contact{Channel: "web", ID: contact}, conversation.Message{
		Text: text, ClientID: string(newID()), AsksForPerson: knowledge.AsksForPerson(text),
	}, "", time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	return p.Conversation
}

func (d *desk) status(conv conversation.ID) *protocol.Conversation {
	reply, err := ask.Router{Bus: d.conn, Subjects: d.subjects, Party: bus.PartyAgent}.Ask(d.t.Context(), "ann", protocol.Request{Type: protocol.Show, Conversation: conv})
	if err != nil {
		return &protocol.Conversation{}
	}
	return reply.Conversation
}

// The whole way with everything real: question, answer, a question without one, a person, the end, the archive.
func TestWithTheRealDesk(t *testing.T) {
	d := realDesk(t)
	d.signOn(d.worker("bot-0"))
	ann := ask.Router{Bus: d.conn, Subjects: d.subjects, Party: bus.PartyAgent}
	offers := d.offers("ann")
	id := d.posts("c-1", "How can I return an item?")
	d.waitTranscript(id, "< How can I return an item?", "> Welcome to the shop!", "= returns")
	d.posts("c-1", "怎么开发票")
	d.waitTranscript(id, "< How", "> Welcome", "= returns", "< 怎么开发票", "= invoice-zh")
	d.posts("c-1", "转人工")
	d.waitTranscript(id, "< How", "> Welcome", "= returns", "< 怎么开发票", "= invoice-zh", "< 转人工", "> 好的")
	request := func(r protocol.Request) *protocol.Reply {
		t.Helper()
		reply, err := ann.Ask(t.Context(), "ann", r)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	request(protocol.Request{Type: protocol.SignOn, Agent: &conversation.Agent{Kind: conversation.KindAgent, ID: "ann", Name: "Ann"}, Presence: conversation.PresenceOnline})
	offer := eventually.Receive(t, "Ann is asked", offers)
	h := offer.Conversation.HandOff
	if offer.Conversation.ID != id || h == nil || h.Reason.Code != conversation.ReasonAskedForPerson || h.Language != "zh" || len(h.Tried) != 2 {
		t.Fatalf("offered %+v with %+v", offer.Conversation, h)
	}
	request(protocol.Request{Type: protocol.Accept, Conversation: id})
	request(protocol.Request{Type: protocol.Close, Conversation: id, Disposition: "done"})
	eventually.True(t, "the conversation is closed", func() bool {
		s := d.status(id).Status
		if s == conversation.StatusWrapUp {
			request(protocol.Request{Type: protocol.Close, Conversation: id, Disposition: "done"})
		}
		return s == conversation.StatusClosed || s == ""
	})
	if c := d.waitArchived(id); c.Messages != 7 || c.Status != conversation.StatusClosed || c.Disposition != "done" {
		t.Errorf("archived %+v", c)
	}
}

// While nobody is there the bot helps out: it leaves what was said to people alone, answers what the customer asks then, and
// the place in the queue is kept.
func TestHelpsOutWhileCustomersWait(t *testing.T) {
	d := realDesk(t, func(doc *runtimeconfig.Document) {
		doc.Queues[0].Overflow = []runtimeconfig.Overflow{{
			PredictedWaitSeconds: 60, Action: runtimeconfig.OverflowBot, Say: []escalation.LocalisedText{{Language: "en", Text: "Nobody is free. Ask me meanwhile."}},
		}}
	})
	d.signOn(d.worker("bot-0"))
	id := d.posts("c-1", "I want to talk to a person")
	d.waitTranscript(id, "< I want", "> Of course", "< Nobody is free")
	eventually.True(t, "the bot has it", func() bool { return d.status(id).Status == conversation.StatusBot })
	arrived := d.status(id).ArrivedAt
	d.posts("c-1", "How can I return an item?")
	d.waitTranscript(id, "< I want", "> Of course", "< Nobody is free", "< How", "= returns")
	d.posts("c-1", "I still want to talk to a person")
	d.waitTranscript(id, "< I want", "> Of course", "< Nobody is free", "< How", "= returns", "< I still", "> Of course")
	eventually.True(t, "it waits for people", func() bool { return d.status(id).Queue == "general" })
	if s := d.status(id); !s.ArrivedAt.Equal(arrived) || s.Status != conversation.StatusQueued {
		t.Errorf("it waits as %+v, arrived at %s", s, arrived)
	}
}

// waitArchived waits until the archive has a conversation and the bus has not.
func (d *desk) waitArchived(id conversation.ID) *archived.Conversation {
	d.t.Helper()
	client := archived.Client{Bus: d.conn, Subjects: d.subjects}
	eventually.Nil(d.t, "the archive has it and the bus has not", func() error {
		s, err := client.Status(d.t.Context())
		if err != nil {
			return err
		}
		if last, err := d.log.LastSeq(d.t.Context(), d.subjects.Conversation(string(id))); err != nil || last != 0 {
			return fmt.Errorf("the log holds %d, archive %+v, error %w", last, s, err)
		}
		return nil
	})
	reply, err := client.Transcript(d.t.Context(), archived.TranscriptRequest{Conversation: id})
	if err != nil {
		d.t.Fatal(err)
	}
	return reply.Conversation
}

// offers to a person.
func (d *desk) offers(person string) <-chan *protocol.Push {
	d.t.Helper()
	offers := make(chan *protocol.Push, 16)
	_, err := d.conn.Subscribe(context.WithoutCancel(d.t.Context()), d.subjects.Offer(bus.PartyAgent, person), func(m *bus.Message) {
		if p, err := protocol.DecodePush(m.Data); err == nil && p.Type == protocol.PushOffer {
			offers <- p
		}
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return offers
}

// Workers come and go while customers ask; every question is answered exactly once.
func TestRollingWorkers(t *testing.T) {
	const customers, questions, workers = 3, 4, 6
	d := realDesk(t)
	stop := d.signOn(d.worker("bot-0"))
	var conversations [customers]conversation.ID
	asks := func(i int) string {
		return []string{"How do I return an item?", "Where is my order?", "怎么开发票？", "怎么退货？"}[i]
	}
	var asking sync.WaitGroup
	for c := range customers {
		asking.Go(func() {
			for q := range questions {
				conversations[c] = d.posts(fmt.Sprintf("c-%d", c), asks(q))
				eventually.Nil(t, "an answer", func() error {
					if n := answers(d.transcript(conversations[c])); n != q+1 {
						return fmt.Errorf("%d answers to %d questions of %s: %q", n, q+1, conversations[c], d.transcript(conversations[c]))
					}
					return nil
				})
			}
		})
	}
	for w := 1; w < workers; w++ {
		next := d.signOn(d.worker(fmt.Sprintf("bot-%d", w)))
		stop()
		stop = next
	}
	asking.Wait()
	for _, id := range conversations {
		want := []string{"< How", "> Welcome", "= returns", "< Where", "= shipping", "< 怎么开发票？", "= invoice-zh", "< 怎么退货？", "= returns-zh"}
		got := d.transcript(id)
		for i := range min(len(got), len(want)) {
			got[i] = got[i][:min(len(got[i]), len(want[i]))]
		}
		if !cmp.Equal(got, want) {
			t.Error(cmp.Diff(want, got))
		}
	}
}

func answers(lines []string) int {
	n := 0
	for _, l := range lines {
		if l[0] == '=' || l[0] == '?' {
			n++
		}
	}
	return n
}

// The conversation of a worker that is gone without a word goes to the next one, which knows all that was said.
func TestLostWorker(t *testing.T) {
	d := realDesk(t)
	ghost := ask.Router{Bus: d.conn, Subjects: d.subjects, Party: bus.PartyBot}
	_, err := ghost.Ask(t.Context(), "ghost", protocol.Request{
		Type: protocol.SignOn, Agent: &conversation.Agent{Kind: conversation.KindBot, ID: "ghost", Pool: "bots"}, Presence: conversation.PresenceOnline,
	})
	if err != nil {
		t.Fatal(err)
	}
	id := d.posts("c-1", "How can I return an item?")
	d.signOn(d.worker("bot-0"))
	d.waitTranscript(id, "< How", "> Welcome", "= returns")
}
