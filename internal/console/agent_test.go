package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/web/problem"
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
	// The same over the socket, whose session knows that the conversation is gone.
	c.say(conv, "a1", "a1")
	if f := c.until(agentwire.TypeAck, func(f *agentwire.ServerFrame) bool { return f.ClientID == "a1" }); f.Seq != first || !f.Duplicate {
		t.Errorf("sent again behind the hand-off it is answered with %+v", f)
	}
	for _, e := range d.Messages(conv) {
		if e.Body.(*conversation.Message).Text == "a3" {
			t.Error("the former owner's message is in the transcript")
		}
	}
}

// TestSpeaksBeforeCaughtUp: an agent who comes back sends what was not acknowledged at once. It owns the
// conversation, so nothing may be refused because the console has not read that yet.
func TestSpeaksBeforeCaughtUp(t *testing.T) {
	d := start(t, routing.Times{HeartbeatLost: time.Minute})
	c := d.signedIn(t, chenToken, agentwire.Available, nil)
	d.customerSays("c-1", "m1", "hello")
	conv, frames := c.owns()
	_ = c.ws.CloseNow()
	for i := range 20 {
		back := d.connect(t)
		resume := map[conversation.ID]uint64{conv: frames[len(frames)-1].Seq}
		if i%2 == 0 {
			resume = nil // a client that does not know any more what it had read
		}
		back.send(agentwire.ClientFrame{Type: agentwire.TypeSignIn, Token: chenToken, Presence: agentwire.Available, Resume: resume})
		id := fmt.Sprint("a", i)
		back.say(conv, id, "pending "+id)
		for {
			f, err := back.read()
			if err != nil {
				t.Fatal(err)
			}
			if f.ClientID == id && f.Type == agentwire.TypeError {
				t.Fatalf("the owner's message %s is refused: %v", id, f.Problem)
			}
			if f.ClientID == id && f.Type == agentwire.TypeAck {
				break
			}
		}
		_ = back.ws.CloseNow()
	}
	if n := len(d.Messages(conv)); n != 21 {
		t.Errorf("%d messages are stored, want 21", n)
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

// TestTheLongestMessage: agents read the longest message of a customer and may write as much.
func TestTheLongestMessage(t *testing.T) {
	d := start(t, routing.Times{})
	c := d.signedIn(t, chenToken, agentwire.Available, nil)
	asked := strings.Repeat("字", conversation.MaxTextRunes)
	conv := d.customerSays("c-1", "m1", asked)
	c.relation(conv, agentwire.Offered)
	if p := c.request(agentwire.ClientFrame{Type: agentwire.TypeAccept, Conversation: conv}); p != nil {
		t.Fatal(p)
	}
	frames := c.collect(agentwire.TypeCaughtUp, func(*agentwire.ServerFrame) bool { return true })
	if got := texts(frames); len(got) != 1 || got[0] != asked {
		t.Errorf("the agent reads %d messages", len(got))
	}
	answer := strings.Repeat("<", conversation.MaxTextBytes) // six times as long in JSON
	c.say(conv, "a1", answer)
	c.until(agentwire.TypeAck, func(f *agentwire.ServerFrame) bool { return f.ClientID == "a1" })
	if stored := d.Messages(conv); len(stored) != 2 || stored[1].Body.(*conversation.Message).Text != answer {
		t.Errorf("stored are %d messages", len(stored))
	}
	c.say(conv, "a2", answer+"<")
	if f := c.next(agentwire.TypeError); f.ClientID != "a2" || f.Problem.Status != http.StatusRequestEntityTooLarge ||
		!strings.Contains(f.Problem.Remedy, "32000 bytes") {
		t.Errorf("one byte more gives %+v", f.Problem)
	}
}

// TestOthersConversations: who names a conversation that it never had learns nothing of it.
func TestOthersConversations(t *testing.T) {
	d := start(t, routing.Times{})
	chen := d.signedIn(t, chenToken, agentwire.Available, nil)
	conv := d.customerSays("c-1", "m1", "Where is my order?")
	chen.relation(conv, agentwire.Offered)
	wu := d.signedIn(t, wuToken, agentwire.Offline, map[conversation.ID]uint64{conv: 0})
	f := wu.relation(conv, agentwire.None)
	if diff := cmp.Diff(agentwire.Card{Status: conversation.StatusOffered}, f.Card); diff != "" {
		t.Errorf("the card of another's conversation (-want +got):\n%s", diff)
	}
}
