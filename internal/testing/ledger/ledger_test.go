package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// book writes what a bus would store.
type book struct {
	t     *testing.T
	l     *Ledger
	names bus.Subjects
	seq   uint64
	last  conversation.Event
}

func newBook(t *testing.T) *book {
	t.Helper()
	names, err := bus.NewSubjects("shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	return &book{t: t, names: names, l: New(Desk{Subjects: names, Agents: map[string]Agent{
		"ann": {Slots: 1, Queues: []string{"general"}}, "ben": {Slots: 1, Queues: []string{"general"}},
	}})}
}

func (b *book) now() time.Time { return start.Add(time.Duration(b.seq) * time.Second) }

func (b *book) store(subject string, data []byte, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	b.seq++
	b.l.Add(bus.Stored{Subject: subject, Seq: b.seq, Time: b.now(), Data: data})
}

// batch of a router; each decision gets its copy.
func (b *book) batch(router string, conv conversation.ID, bodies ...conversation.Body) {
	b.t.Helper()
	batch := &conversation.Batch{V: 1, ID: conversation.NewID(b.now()), At: b.now(), Router: router}
	for _, body := range bodies {
		b.last = conversation.NewEvent(conversation.NewID(b.now()), conv, b.now(), body)
		batch.Events = append(batch.Events, b.last)
	}
	data, err := conversation.EncodeBatch(batch)
	b.store(b.names.Decisions(), data, err)
	for _, e := range batch.Events {
		if e.Type.OnOwn() {
			b.copy(e)
		}
	}
}

func (b *book) copy(e conversation.Event) {
	b.t.Helper()
	data, err := conversation.Encode(e)
	b.store(b.names.Ownership(string(e.Conversation)), data, err)
}

func (b *book) says(conv conversation.ID, kind conversation.Kind, who, clientID string) uint64 {
	b.t.Helper()
	e := conversation.NewEvent(conversation.NewID(b.now()), conv, b.now(), &conversation.Message{
		From: conversation.Actor{Kind: kind, ID: who}, Text: "text", ClientID: clientID,
	})
	data, err := conversation.Encode(e)
	b.store(b.names.Messages(string(conv)), data, err)
	return b.seq
}

const one, two = conversation.ID("01JD3KZ8Q80000000000000001"), conversation.ID("01JD3KZ8Q80000000000000002")

func ann() conversation.Agent { return conversation.Agent{Kind: conversation.KindAgent, ID: "ann"} }
func ben() conversation.Agent { return conversation.Agent{Kind: conversation.KindAgent, ID: "ben"} }

func (b *book) leads(router string) { b.batch(router, "", &conversation.TookOver{Router: router}) }

func (b *book) signsOn(a conversation.Agent) {
	b.batch("r", "", &conversation.SignedOn{Agent: a, Presence: conversation.PresenceOnline})
}

func (b *book) opens(conv conversation.ID, contact string) {
	b.batch("r", conv, &conversation.Opened{Channel: "web", Contact: contact, Queue: "general", Priority: 50,
		Arrival: conversation.Arrival{At: b.now(), Seq: b.seq}})
}

func (b *book) offers(conv conversation.ID, a conversation.Agent) {
	b.batch("r", conv, &conversation.Offered{Agent: a, Deadline: b.now().Add(time.Hour)})
}

// served is a desk that is right: what each case does comes behind it.
func served(b *book) []Receipt {
	b.leads("r")
	m := b.says(one, conversation.KindCustomer, "c-1", "m1")
	b.opens(one, "c-1")
	b.batch("r", "", &conversation.SignedOn{Agent: ann(), Presence: conversation.PresenceAway})
	b.batch("r", "", &conversation.SignedOff{Agent: "ann"})
	return []Receipt{{Conversation: one, ClientID: "m1", Seq: m}}
}

func TestARightDeskHasNoProblems(t *testing.T) {
	b := newBook(t)
	receipts := served(b)
	if problems := b.l.Close(receipts); len(problems) > 0 || !b.l.Settled() || len(b.l.Open()) != 1 {
		t.Errorf("%q", problems)
	}
}

// Each promise that is broken is noticed.
func TestBrokenPromisesAreNoticed(t *testing.T) {
	for want, spoil := range map[string]func(b *book) []Receipt{
		"acknowledged and is not stored": func(*book) []Receipt { return []Receipt{{Conversation: one, ClientID: "m9"}} },
		"was acknowledged at 99":         func(*book) []Receipt { return []Receipt{{Conversation: one, ClientID: "m1", Seq: 99}} },
		"acknowledged earlier": func(b *book) []Receipt {
			b.says(one, conversation.KindCustomer, "c-1", "m2")
			return []Receipt{{Conversation: one, ClientID: "m2"}, {Conversation: one, ClientID: "m1"}}
		},
		"is stored twice": func(b *book) []Receipt { b.says(one, conversation.KindCustomer, "c-1", "m1"); return nil },
		"ann wrote in":    func(b *book) []Receipt { b.says(one, conversation.KindAgent, "ann", "a1"); return nil },
		"although r has":  func(b *book) []Receipt { b.batch("deposed", one, &conversation.CustomerLeft{}); return nil },
		"leaves the lead": func(b *book) []Receipt { b.batch("x", "", &conversation.TookOver{Router: "x", Left: true}); return nil },
		"never decided": func(b *book) []Receipt {
			b.copy(conversation.NewEvent(two, one, b.now(), &conversation.Prioritised{Priority: 5}))
			return nil
		},
		"no legal life":    func(b *book) []Receipt { b.batch("r", one, &conversation.Accepted{Agent: ann()}); return nil },
		"is given to ann":  func(b *book) []Receipt { b.offers(one, ann()); return nil },
		"was never said":   func(b *book) []Receipt { b.batch("r", one, &conversation.Said{Text: "hello"}); return nil },
		"whose line is":    func(b *book) []Receipt { b.opens(two, "c-2"); b.signsOn(ann()); b.offers(two, ann()); return nil },
		"while ann is":     func(b *book) []Receipt { b.signsOn(ann()); return nil },
		"two open":         func(b *book) []Receipt { b.opens(two, "c-1"); return nil },
		"never decided to": func(b *book) []Receipt { b.says(one, conversation.KindSystem, "", "s1"); return nil },
		"lost its place": func(b *book) []Receipt {
			b.batch("r", one, &conversation.Queued{Queue: "general", Priority: 50, Cause: conversation.CauseOverflow, Arrival: conversation.Arrival{At: b.now(), Seq: b.seq}})
			return nil
		},
		"by a clock that is": func(b *book) []Receipt {
			b.seq += 3600 // the batch is from an hour before it is stored
			data, err := conversation.EncodeBatch(&conversation.Batch{V: 1, ID: two, At: start, Router: "r"})
			b.store(b.names.Decisions(), data, err)
			return nil
		},
		"is done twice": func(b *book) []Receipt {
			for range 2 {
				data, err := conversation.EncodeBatch(&conversation.Batch{V: 1, ID: conversation.NewID(b.now()), At: b.now(), Router: "r", Requests: []string{"q"}})
				b.store(b.names.Decisions(), data, err)
			}
			return nil
		},
		"1 slots": func(b *book) []Receipt {
			b.signsOn(ann())
			b.opens(two, "c-2")
			b.offers(one, ann())
			b.offers(two, ann())
			return nil
		},
		"wrote in 01JD3KZ8Q80000000000000001, which is Active": func(b *book) []Receipt {
			b.signsOn(ann())
			b.offers(one, ann())
			b.batch("r", one, &conversation.Accepted{Agent: ann()})
			b.says(one, conversation.KindAgent, ben().ID, "b1")
			return nil
		},
	} {
		b := newBook(t)
		served(b)
		if problems := b.l.Close(spoil(b)); !strings.Contains(strings.Join(problems, "\n"), want) {
			t.Errorf("want %q: %q", want, problems)
		}
	}
}
