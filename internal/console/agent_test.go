package console

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

func TestDialogue(t *testing.T) {
	d := start(t, routing.Times{})
	c := d.connect(t)
	c.send(agentwire.ClientFrame{Type: agentwire.TypeSignIn, Token: chenToken, Presence: agentwire.Available})
	welcome := c.next(agentwire.TypeWelcome)
	if welcome.Agent.ID != "chen" || welcome.Agent.Role != "agent" || welcome.Desk.DisplayName != "Lantern Shop" || len(welcome.Desk.Queues) != 2 {
		t.Errorf("welcome is %+v", welcome)
	}
	on := c.until(agentwire.TypePresence, func(f *agentwire.ServerFrame) bool { return f.SignedOn })
	if on.Presence != agentwire.Available || on.Slots != 3 || on.Busy != 0 {
		t.Errorf("presence is %+v", on)
	}

	conv := d.customerSays("c-1", "m1", "Where is my order?")
	offer := c.relation(conv, agentwire.Offered)
	if offer.Card.ContactName != "Li Wei" || offer.Card.Deadline.IsZero() || len(offer.Card.Why) == 0 || offer.Card.Queue != "general" {
		t.Errorf("offer is %+v", offer.Card)
	}
	if p := c.request(agentwire.ClientFrame{Type: agentwire.TypeMessage, Conversation: conv, ClientID: "early", Text: "Hi"}); p.Code() != problem.CodeNotOwner {
		t.Errorf("speaking before the accept gives %v", p)
	}
	if p := c.request(agentwire.ClientFrame{Type: agentwire.TypeAccept, Conversation: conv}); p != nil {
		t.Fatal(p)
	}
	frames := c.collect(agentwire.TypeCaughtUp, func(*agentwire.ServerFrame) bool { return true })
	if diff := cmp.Diff([]string{"Where is my order?"}, texts(frames)); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}

	c.say(conv, "a1", "Let me look.")
	ack := c.until(agentwire.TypeAck, func(f *agentwire.ServerFrame) bool { return f.ClientID == "a1" })
	c.send(agentwire.ClientFrame{Type: agentwire.TypeMessage, Conversation: conv, ClientID: "n1", Text: "looks like fraud", Note: true})
	c.until(agentwire.TypeAck, func(f *agentwire.ServerFrame) bool { return f.ClientID == "n1" })
	c.say(conv, "a1", "Let me look.") // sent again
	if again := c.until(agentwire.TypeAck, func(f *agentwire.ServerFrame) bool { return f.ClientID == "a1" }); again.Seq != ack.Seq || !again.Duplicate {
		t.Errorf("the second ack is %+v", again)
	}
	stored := d.Messages(conv)
	if len(stored) != 3 || stored[1].Seq != ack.Seq {
		t.Fatalf("stored are %v", stored)
	}
	want := &conversation.Message{
		From: conversation.Actor{Kind: conversation.KindAgent, ID: "chen", Name: "chen"},
		Text: "Let me look.", ClientID: "a1", Language: "en",
	}
	if diff := cmp.Diff(want, stored[1].Body.(*conversation.Message)); diff != "" {
		t.Errorf("stored message (-want +got):\n%s", diff)
	}
	if !stored[2].Body.(*conversation.Message).Note {
		t.Error("the note is no note")
	}
	d.customerSays("c-1", "m2", "Thank you")
	if f := c.until(agentwire.TypeMessage, func(f *agentwire.ServerFrame) bool { return f.Text == "Thank you" }); f.From.Kind != conversation.KindCustomer {
		t.Errorf("the customer's message is %+v", f)
	}
	if p := c.request(agentwire.ClientFrame{Type: agentwire.TypeClose, Conversation: conv, Disposition: "solved", Comment: "fine"}); p != nil {
		t.Fatal(p)
	}
	closed := c.relation(conv, agentwire.None)
	if closed.Card.Status != conversation.StatusClosed || closed.Card.Disposition != "solved" {
		t.Errorf("closed is %+v", closed.Card)
	}
	c.say(conv, "late", "one more thing")
	if f := c.next(agentwire.TypeError); f.ClientID != "late" || f.Problem.Code() != problem.CodeNotOwner {
		t.Errorf("speaking behind the end gives %+v", f)
	}
}

// TestHandOffAndTransfer: who accepts gets the reason, what was tried and the whole transcript, and who
// hands off further keeps it.
func TestHandOffAndTransfer(t *testing.T) {
	rig := webtest.New(t)
	rig.StartRouter(routing.Times{})
	d := startOn(t, rig)
	chen := d.signedIn(t, chenToken, agentwire.Available, nil)
	bot := signOnBot(t, rig)
	conv := d.customerSays("c-1", "m1", "I want my money back")
	ownSeq := bot.assigned(conv)
	bot.say(conv, ownSeq, "I am not sure.")
	bot.handOff(conv, webtest.HandOff(1, "no sure answer"))
	offer := chen.relation(conv, agentwire.Offered)
	if h := offer.Card.HandOff; h == nil || h.Reason.Words != "no sure answer" || len(h.Tried) != 1 || h.Tried[0].ID != "returns" {
		t.Errorf("hand-off is %+v", h)
	}
	chen.send(agentwire.ClientFrame{Type: agentwire.TypeAccept, Conversation: conv})
	frames := chen.collect(agentwire.TypeCaughtUp, func(*agentwire.ServerFrame) bool { return true })
	if diff := cmp.Diff([]string{"I want my money back", "I am not sure."}, texts(frames)); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}

	if p := chen.request(agentwire.ClientFrame{Type: agentwire.TypeHandOff, Conversation: conv, Queue: "nowhere", Reason: "x"}); p == nil || p.Code() != problem.CodeInvalid {
		t.Errorf("a hand-off to nowhere gives %v", p)
	}
	wu := d.signedIn(t, wuToken, agentwire.Available, nil)
	chen.send(agentwire.ClientFrame{Type: agentwire.TypePresence, Presence: agentwire.Away})
	chen.until(agentwire.TypePresence, func(f *agentwire.ServerFrame) bool { return f.Presence == agentwire.Away })
	if p := chen.request(agentwire.ClientFrame{Type: agentwire.TypeHandOff, Conversation: conv, Queue: "refunds", Reason: "needs a refund", Summary: "angry"}); p != nil {
		t.Fatal(p)
	}
	lost := chen.relation(conv, agentwire.None)
	if lost.Card.Queue != "refunds" || len(lost.Card.Why) == 0 {
		t.Errorf("the giver sees %+v", lost.Card)
	}
	given := wu.relation(conv, agentwire.Offered)
	h := given.Card.HandOff
	if h == nil || h.Reason.Words != "needs a refund" || h.Summary != "angry" || h.Reason.Code != conversation.ReasonTransfer || len(h.Tried) != 1 || h.TranscriptSeq < 2 {
		t.Errorf("the taker sees %+v", h)
	}
}

// TestFencing: what a former owner says is refused by the log, even when its console has not noticed yet.
func TestFencing(t *testing.T) {
	d := start(t, routing.Times{})
	c := d.signedIn(t, chenToken, agentwire.Available, nil)
	d.customerSays("c-1", "m1", "hello")
	conv, _ := c.owns()
	l := d.console.link.Load()
	h, ok := l.agents.all()[0].held(conv)
	if !ok {
		t.Fatal("the session does not hold what it owns")
	}
	chen := user{}
	chen.Name = "chen"
	try := func(id string, ownSeq uint64) (uint64, bool, error) {
		return post{link: l, user: chen, frame: &agentwire.ClientFrame{Conversation: conv, ClientID: id, Text: id}}.store(t.Context(), ownSeq)
	}
	first, _, err := try("a1", h.ownSeq)
	if err != nil {
		t.Fatal(err)
	}
	// An older sequence of the same owner is no reason to refuse.
	if seq, duplicate, err := try("a2", h.ownSeq-1); err != nil || duplicate || seq <= first {
		t.Errorf("with an old sequence: %d, %t, %v", seq, duplicate, err)
	}
	if p := c.request(agentwire.ClientFrame{Type: agentwire.TypeHandOff, Conversation: conv, Reason: "break"}); p != nil {
		t.Fatal(p)
	}
	if _, _, err := try("a3", h.ownSeq); problem.From(err).Code() != problem.CodeNotOwner {
		t.Errorf("a former owner's message gives %v", err)
	}
	// What was stored before is not called refused because the answer was lost.
	if seq, duplicate, err := try("a1", h.ownSeq); err != nil || !duplicate || seq != first {
		t.Errorf("a message that is stored gives %d, %t, %v", seq, duplicate, err)
	}
	for _, e := range d.Messages(conv) {
		if e.Body.(*conversation.Message).Text == "a3" {
			t.Error("the former owner's message is in the transcript")
		}
	}
}

func TestDecline(t *testing.T) {
	d := start(t, routing.Times{})
	chen := d.signedIn(t, chenToken, agentwire.Available, nil)
	conv := d.customerSays("c-1", "m1", "hello")
	chen.relation(conv, agentwire.Offered)
	wu := d.signedIn(t, wuToken, agentwire.Available, nil)
	if p := chen.request(agentwire.ClientFrame{Type: agentwire.TypeDecline, Conversation: conv}); p != nil {
		t.Fatal(p)
	}
	if f := chen.relation(conv, agentwire.None); !strings.Contains(strings.Join(f.Card.Why, " "), "declined") {
		t.Errorf("the decliner sees %v", f.Card.Why)
	}
	wu.relation(conv, agentwire.Offered)
	if p := chen.request(agentwire.ClientFrame{Type: agentwire.TypeAccept, Conversation: conv}); p == nil || p.Code() != problem.CodeNotOwner {
		t.Errorf("accepting another's offer gives %v", p)
	}
}

// TestPresence: who goes offline gives everything back, and who is in no pool cannot be available.
func TestPresence(t *testing.T) {
	d := start(t, routing.Times{})
	chen := d.signedIn(t, chenToken, agentwire.Away, nil)
	conv := d.customerSays("c-1", "m1", "hello")
	wu := d.signedIn(t, wuToken, agentwire.Available, nil)
	wu.relation(conv, agentwire.Offered)
	if p := wu.request(agentwire.ClientFrame{Type: agentwire.TypePresence, Presence: agentwire.Offline}); p != nil {
		t.Fatal(p)
	}
	wu.relation(conv, agentwire.None)
	if p := chen.request(agentwire.ClientFrame{Type: agentwire.TypePresence, Presence: agentwire.Available}); p != nil {
		t.Fatal(p)
	}
	chen.relation(conv, agentwire.Offered)

	boss := d.connect(t)
	boss.send(agentwire.ClientFrame{Type: agentwire.TypeSignIn, Token: bossToken, Presence: agentwire.Available})
	if f := boss.next(agentwire.TypeError); f.Problem.Status != http.StatusForbidden || !strings.Contains(f.Problem.Detail, "pool") {
		t.Errorf("who is in no pool gets %+v", f.Problem)
	}
}

// TestMissedOffer: an agent who misses an offer is set away and told why, and stays away until it says
// otherwise.
func TestMissedOffer(t *testing.T) {
	d := startWith(t, routing.Times{NotAgain: time.Millisecond}, 1)
	chen := d.signedIn(t, chenToken, agentwire.Available, nil)
	conv := d.customerSays("c-1", "m1", "hello")
	chen.relation(conv, agentwire.Offered)
	missed := chen.until(agentwire.TypePresence, func(f *agentwire.ServerFrame) bool { return f.Presence == agentwire.Away && len(f.Why) > 0 })
	if !strings.Contains(missed.Why[0], "not answered") || !missed.SignedOn {
		t.Errorf("after a missed offer presence is %+v", missed)
	}
	if p := chen.request(agentwire.ClientFrame{Type: agentwire.TypePresence, Presence: agentwire.Available}); p != nil {
		t.Fatal(p)
	}
	chen.relation(conv, agentwire.Offered)
}

// TestLostSocket: an agent whose socket is gone keeps its conversations for a while; who comes back in time
// goes on without having missed anything, otherwise they go to others at their old place.
func TestLostSocket(t *testing.T) {
	d := start(t, routing.Times{HeartbeatLost: 2 * time.Second})
	chen := d.signedIn(t, chenToken, agentwire.Available, nil)
	d.customerSays("c-1", "m1", "one")
	conv, frames := chen.owns()
	last := frames[len(frames)-1].Seq
	_ = chen.ws.CloseNow()
	d.customerSays("c-1", "m2", "two")
	back := d.connect(t)
	back.send(agentwire.ClientFrame{Type: agentwire.TypeSignIn, Token: chenToken, Presence: agentwire.Available, Resume: map[conversation.ID]uint64{conv: last}})
	resumed := back.collect(agentwire.TypeCaughtUp, func(f *agentwire.ServerFrame) bool { return f.Conversation == conv })
	if diff := cmp.Diff([]string{"two"}, texts(resumed)); diff != "" {
		t.Errorf("resumed (-want +got):\n%s", diff)
	}
	back.say(conv, "a1", "still here")
	back.until(agentwire.TypeAck, func(f *agentwire.ServerFrame) bool { return f.ClientID == "a1" })
	if got := d.show(conv); got.Status != conversation.StatusActive || got.Agent.ID != "chen" {
		t.Errorf("the conversation is %s of %v", got.Status, got.Agent)
	}
	arrived := d.show(conv).ArrivedAt

	wu := d.signedIn(t, wuToken, agentwire.Available, nil)
	_ = back.ws.CloseNow()
	offer := wu.relation(conv, agentwire.Offered)
	if !offer.Card.ArrivedAt.Equal(arrived) {
		t.Errorf("the place is of %s, it was of %s", offer.Card.ArrivedAt, arrived)
	}

	// Who comes back too late is told.
	late := d.connect(t)
	late.send(agentwire.ClientFrame{Type: agentwire.TypeSignIn, Token: chenToken, Presence: agentwire.Available, Resume: map[conversation.ID]uint64{conv: last}})
	late.relation(conv, agentwire.None)
}

// TestTwoConsoles: an agent with sockets at two consoles is one agent, and sees the same at both.
func TestTwoConsoles(t *testing.T) {
	a := start(t, routing.Times{HeartbeatLost: 2 * time.Second})
	b := startOn(t, a.Rig, func(o *Options) { o.Name = "console-1" })
	one := a.signedIn(t, chenToken, agentwire.Available, nil)
	two := b.signedIn(t, chenToken, agentwire.Available, nil)
	a.customerSays("c-1", "m1", "hello")
	conv, _ := one.owns()
	two.collect(agentwire.TypeCaughtUp, func(f *agentwire.ServerFrame) bool { return f.Conversation == conv })
	two.say(conv, "a1", "from the other one")
	two.until(agentwire.TypeAck, func(f *agentwire.ServerFrame) bool { return f.ClientID == "a1" })
	one.until(agentwire.TypeMessage, func(f *agentwire.ServerFrame) bool { return f.Text == "from the other one" })

	// The first console is drained: the agent stays what it was.
	go a.stop()
	if code, frames := one.closeCode(); code != socket.CodeRestart || frames[len(frames)-1].Type != agentwire.TypeGoodbye {
		t.Errorf("closed with %d", code)
	}
	a.customerSays("c-1", "m2", "still there?")
	two.until(agentwire.TypeMessage, func(f *agentwire.ServerFrame) bool { return f.Text == "still there?" })
	two.say(conv, "a2", "yes")
	two.until(agentwire.TypeAck, func(f *agentwire.ServerFrame) bool { return f.ClientID == "a2" })
}

// TestResumeExactlyOnce: an agent whose socket is killed at random points sees what is stored in its
// conversation, exactly once and in order.
func TestResumeExactlyOnce(t *testing.T) {
	d := start(t, routing.Times{HeartbeatLost: time.Minute})
	c := d.signedIn(t, chenToken, agentwire.Available, nil)
	d.customerSays("c-1", "m0", "hello")
	conv, frames := c.owns()
	_ = c.ws.CloseNow()
	const n = 120
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := range n {
			d.customerSays("c-1", fmt.Sprint("x", i), fmt.Sprint("message ", i))
		}
	})
	var seen []uint64
	for _, f := range frames {
		if f.Type == agentwire.TypeMessage {
			seen = append(seen, f.Seq)
		}
	}
	for len(seen) < n+1 {
		again := d.connect(t)
		again.send(agentwire.ClientFrame{
			Type: agentwire.TypeSignIn, Token: chenToken, Presence: agentwire.Available,
			Resume: map[conversation.ID]uint64{conv: seen[len(seen)-1]},
		})
		for range 5 + rand.IntN(30) {
			if len(seen) == n+1 {
				break
			}
			f, err := again.read()
			if err != nil {
				t.Fatal(err)
			}
			if f.Type == agentwire.TypeMessage {
				seen = append(seen, f.Seq)
			}
		}
		_ = again.ws.CloseNow()
	}
	writing.Wait()
	var stored []uint64
	for _, e := range d.Messages(conv) {
		stored = append(stored, e.Seq)
	}
	if diff := cmp.Diff(stored, seen); diff != "" {
		t.Errorf("stored (-) and seen (+) differ:\n%s", diff)
	}
}

func TestLive(t *testing.T) {
	d := start(t, routing.Times{})
	c := d.signedIn(t, chenToken, agentwire.Available, nil)
	c.next(agentwire.TypeFigures)
	conv := d.customerSays("c-1", "m1", "hello")
	c.relation(conv, agentwire.Offered)
	c.until(agentwire.TypeFigures, func(f *agentwire.ServerFrame) bool { return true })
	c.send(agentwire.ClientFrame{Type: agentwire.TypeAccept, Conversation: conv})
	c.relation(conv, agentwire.Owned)
	customer := conversation.Actor{Kind: conversation.KindCustomer, ID: "c-1", Name: "Li Wei"}
	data, err := feed.EncodeTyping(conv, customer, true)
	if err == nil {
		err = d.Conn.Publish(t.Context(), d.Subjects.Live(string(conv)), data)
	}
	if err != nil {
		t.Fatal(err)
	}
	if f := c.next(agentwire.TypeTyping); !f.On || f.From.Name != "Li Wei" {
		t.Errorf("typing is %+v", f)
	}
	typed := make(chan feed.Typing, 1)
	watchTyping(t, d, typed)
	c.send(agentwire.ClientFrame{Type: agentwire.TypeTyping, Conversation: conv, On: true})
	if got := eventually.Receive(t, "typing", typed); !got.On || got.From.ID != "chen" {
		t.Errorf("typing is %+v", got)
	}
}
