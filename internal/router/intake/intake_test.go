package intake_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

var li = intake.Contact{Channel: "web", ID: "c-1", Name: "Li Wei", Language: "zh"}

type desk struct{ intake.Desk }

func newDesk(t *testing.T) desk {
	t.Helper()
	doc := &runtimeconfig.Document{
		Version: runtimeconfig.Version, Namespace: "shop", Desk: "web", Bus: runtimeconfig.Bus{Replicas: 1, MaxStoreBytes: 16 << 20},
	}
	quiet := slog.New(slog.DiscardHandler)
	server, err := bus.StartEmbedded(t.Context(), doc, t.TempDir(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	conn, err := server.Dial(t.Context(), bus.ClientOptions{Name: "test", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	subjects, err := bus.NewSubjects("shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	return desk{intake.Desk{Log: conn.Log(subjects.Stream()), Subjects: subjects}}
}

// end does what the router does when a conversation has ended.
func end(t *testing.T, d desk, j intake.Joined) {
	t.Helper()
	endActed(t, d, j, 0)
}

// endActed says too which message the router acted on last.
func endActed(t *testing.T, d desk, j intake.Joined, acted uint64) {
	t.Helper()
	last, ok, err := d.Log.Last(t.Context(), j.Subject)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	claim, err := conversation.DecodeClaim(last.Data)
	if err != nil {
		t.Fatal(err)
	}
	claim.Ended, claim.Acted = true, acted
	data, err := conversation.EncodeClaim(claim)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Log.Append(t.Context(), j.Subject, data, bus.AppendOptions{ExpectLast: &last.Seq}); err != nil {
		t.Fatal(err)
	}
}

func TestOneOfManyOpensAndTheOthersJoin(t *testing.T) {
	d := newDesk(t)
	joined := make([]intake.Joined, 12)
	var callers sync.WaitGroup
	for i := range joined {
		callers.Go(func() {
			var err error
			if joined[i], err = d.OpenOrJoin(t.Context(), li, time.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	opened := 0
	for _, j := range joined {
		if j.Opened {
			opened++
		}
		if j.Conversation != joined[0].Conversation || j.Seq != joined[0].Seq {
			t.Errorf("%+v and %+v", j, joined[0])
		}
	}
	if opened != 1 {
		t.Errorf("%d callers opened the conversation", opened)
	}
}

func TestAnEndedConversationIsFollowedByAnother(t *testing.T) {
	d := newDesk(t)
	first, err := d.OpenOrJoin(t.Context(), li, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	end(t, d, first)
	second, err := d.OpenOrJoin(t.Context(), li, time.Now())
	if err != nil || !second.Opened || second.Conversation == first.Conversation {
		t.Errorf("after the end: %+v, %v", second, err)
	}
	// What cannot be read keeps nobody out.
	if _, _, err := d.Log.Append(t.Context(), second.Subject, []byte("{"), bus.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	third, err := d.OpenOrJoin(t.Context(), li, time.Now())
	if err != nil || !third.Opened {
		t.Errorf("after a broken claim: %+v, %v", third, err)
	}
}

// interrupted is a log in which something happens right before the first append to a subject, and in
// which the answer to that append may be lost.
type interrupted struct {
	bus.Log
	subject string
	before  func()
	once    sync.Once
}

func (l *interrupted) Append(ctx context.Context, subject string, data []byte, opts bus.AppendOptions) (uint64, bool, error) {
	if subject == l.subject {
		l.once.Do(l.before)
	}
	return l.Log.Append(ctx, subject, data, opts)
}

// A message for a conversation that ends in the very moment goes to the next one, once.
func TestAMessageAtTheEndGoesToTheNextConversation(t *testing.T) {
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprint("an earlier try was stored: ", stored), func(t *testing.T) {
			d := newDesk(t)
			first, err := d.OpenOrJoin(t.Context(), li, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			m := conversation.Message{Text: "你好", ClientID: "m1"}
			messages := d.Subjects.Messages(string(first.Conversation))
			broken := d
			broken.Log = &interrupted{Log: d.Log, subject: messages, before: func() {
				if stored {
					if _, err := d.Post(t.Context(), li, m, "", time.Now()); err != nil {
						t.Error(err)
					}
				}
				end(t, d, first)
			}}
			posted, err := broken.Post(t.Context(), li, m, "", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if stored != (posted.Conversation == first.Conversation) || stored != posted.Duplicate {
				t.Errorf("the message is %+v", posted)
			}
			n := 0
			for _, err := range d.Log.Read(t.Context(), d.Subjects.AllMessages(), 1) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != 1 {
				t.Errorf("the message is stored %d times", n)
			}
			if claims := d.claims(t); stored && claims != 2 || !stored && claims != 3 {
				t.Errorf("there are %d claims", claims) // opened and ended, and the next one opened for its message
			}
		})
	}
}

// A conversation that has ended is taken up again if a customer's message waits in it, and only then.
func TestWhatReopens(t *testing.T) {
	say := func(d desk, conv conversation.ID, kind conversation.Kind, id string) uint64 {
		t.Helper()
		e := conversation.NewEvent(conversation.NewID(time.Now()), conv, time.Now(), &conversation.Message{
			From: conversation.Actor{Kind: kind, ID: "x"}, Text: "hello", ClientID: id, Channel: "web",
		})
		data, err := conversation.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		seq, _, err := d.Log.Append(t.Context(), d.Subjects.Messages(string(conv)), data, bus.AppendOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	for name, tc := range map[string]struct {
		// behind are who speaks behind what the router acted on; unknown is a claim that does not say how far that is.
		behind  []conversation.Kind
		unknown bool
		reopens bool
	}{
		"nothing":                    {},
		"a bot":                      {behind: []conversation.Kind{conversation.KindBot, conversation.KindSystem}},
		"the customer":               {behind: []conversation.Kind{conversation.KindCustomer}, reopens: true},
		"the customer before a bot":  {behind: []conversation.Kind{conversation.KindCustomer, conversation.KindBot}, reopens: true},
		"a claim of another release": {behind: []conversation.Kind{conversation.KindCustomer}, unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			first, err := d.OpenOrJoin(t.Context(), li, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			acted := say(d, first.Conversation, conversation.KindCustomer, "m1")
			for i, kind := range tc.behind {
				say(d, first.Conversation, kind, fmt.Sprint("b", i))
			}
			if tc.unknown {
				acted = 0
			}
			endActed(t, d, first, acted)
			next, err := d.OpenOrJoin(t.Context(), li, time.Now())
			if err != nil || next.Opened == tc.reopens || (next.Conversation == first.Conversation) != tc.reopens {
				t.Errorf("behind the end: %+v, %v; before %s", next, err, first.Conversation)
			}
			joined, err := d.OpenOrJoin(t.Context(), li, time.Now())
			if err != nil || joined.Opened || joined.Conversation != next.Conversation || joined.Seq != next.Seq {
				t.Errorf("and then: %+v, %v; want %+v", joined, err, next)
			}
		})
	}
}

// claims that were ever written.
func (d desk) claims(t *testing.T) int {
	t.Helper()
	n := 0
	for _, err := range d.Log.Read(t.Context(), d.Subjects.Claims(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// A message that is sent again long after, when its conversation has ended, is found there and opens none: one
// in which nothing is ever said would wait for a bot, be answered by nobody and end abandoned.
func TestALateResendOpensNothing(t *testing.T) {
	d := newDesk(t)
	m := conversation.Message{Text: "你好", ClientID: "m1"}
	first, err := d.Post(t.Context(), li, m, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	joined, err := d.OpenOrJoin(t.Context(), li, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	end(t, d, joined)
	again, err := d.Post(t.Context(), li, m, first.Conversation, time.Now())
	if err != nil || !again.Duplicate || again.Seq != first.Seq || again.ID != first.ID || again.Conversation != first.Conversation {
		t.Errorf("sent again: %+v, %v; first %+v", again, err, first)
	}
	if n := d.claims(t); n != 2 {
		t.Errorf("there are %d claims, want the opened and the ended one", n)
	}
	// What was never stored goes to the next conversation, which it opens.
	next, err := d.Post(t.Context(), li, conversation.Message{Text: "再见", ClientID: "m2"}, first.Conversation, time.Now())
	if err != nil || next.Duplicate || next.Conversation == first.Conversation {
		t.Errorf("the next message: %+v, %v", next, err)
	}
}

func TestWhatIsStored(t *testing.T) {
	d := newDesk(t)
	posted, err := d.Post(t.Context(), li, conversation.Message{
		Text: "我的订单呢", Language: "zh", ClientID: "m1", From: conversation.Actor{Kind: conversation.KindAgent, ID: "ann"},
	}, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	last, ok, err := d.Log.Last(t.Context(), d.Subjects.Messages(string(posted.Conversation)))
	if err != nil || !ok || last.Seq != posted.Seq {
		t.Fatalf("%+v, %v, %v", last, ok, err)
	}
	e, err := conversation.Decode(last.Data)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := e.Body.(*conversation.Message)
	// Whatever the caller says, it speaks for the contact.
	if !ok || m.From != (conversation.Actor{Kind: conversation.KindCustomer, ID: "c-1", Name: "Li Wei"}) || m.Channel != "web" || e.ID != posted.ID {
		t.Errorf("stored is %s", last.Data)
	}
	again, err := d.Post(t.Context(), li, *m, "", time.Now())
	if err != nil || !again.Duplicate || again.Seq != posted.Seq {
		t.Errorf("posted again: %+v, %v", again, err)
	}
}

func TestRefusals(t *testing.T) {
	d := newDesk(t)
	good := conversation.Message{Text: "hello", ClientID: "m1"}
	for name, c := range map[string]struct {
		contact  intake.Contact
		message  conversation.Message
		believed conversation.ID
		field    string
	}{
		"contact":  {intake.Contact{Channel: "web", ID: "li@example.org"}, good, "", "contact"},
		"channel":  {intake.Contact{Channel: "web chat", ID: "c-1"}, good, "", "channel"},
		"text":     {li, conversation.Message{Text: " ", ClientID: "m1"}, "", "text"},
		"clientId": {li, conversation.Message{Text: "hello"}, "", "clientId"},
		"note":     {li, conversation.Message{Text: "hello", ClientID: "m1", Note: true}, "", "note"},
	} {
		_, err := d.Post(t.Context(), c.contact, c.message, c.believed, time.Now())
		if wrong, ok := errors.AsType[*conversation.FieldError](err); !ok || wrong.Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.Post(t.Context(), li, good, "../x", time.Now()); err == nil {
		t.Error("a believed conversation that is no id is accepted")
	}
	if last, err := d.Log.LastSeq(t.Context(), d.Subjects.Claims()); err != nil || last != 0 {
		t.Errorf("a refused message has left a claim at %d, %v", last, err)
	}
}
