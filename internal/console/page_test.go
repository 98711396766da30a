package console

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// handedOff is a conversation that a bot has handed off with a story.
func handedOff(t testing.TB, d *desk, bot *fakeBot, contact string) conversation.ID {
	t.Helper()
	conv := d.customerSays(contact, "m1", "My lamp arrived broken, I want my money back.")
	bot.assigned(conv)
	answer := conversation.Message{
		From: webtest.Bot.Actor(), Text: "You can return goods within 14 days. Does that help?", Language: "en",
		Entry: &conversation.Citation{KnowledgeBase: "shop", ID: "returns", Question: "How do I return goods?", Confidence: 0.62},
	}
	d.Say(conv, answer)
	d.customerSays(contact, "m2", "No. I want to talk to a human!")
	h := webtest.HandOff(2, "The customer asked for a person, after one answer that did not help.")
	h.Summary = "A lamp arrived broken; the customer wants a refund."
	h.Intents = []string{"refund", "damaged goods"}
	bot.handOff(conv, h)
	return conv
}

// TestPage plays an agent in a real browser: sign-in, offer with its story, answer, note, loss of the
// connection, reload, hand-off and close.
func TestPage(t *testing.T) {
	b := webtest.OpenBrowser(t, 1320, 820, "en-GB")
	rig := webtest.New(t)
	rig.StartRouter(routing.Times{})
	d := startOn(t, rig)
	bot := signOnBot(t, rig)
	b.Go(d.http.URL + "/console")
	b.Sees("Sign in with the token")
	b.Shot("console-signin")
	b.Type("#token", "wrong-wrong-wrong-wrong")
	b.Click("#signin-go")
	b.Sees("This token is not accepted.")
	b.Type("#token", chenToken)
	b.Click("#signin-go")
	b.Sees("Lantern Shop", "chen · 0 of 3 slots", "None at the moment.")
	b.Shot("console-empty")

	conv := handedOff(t, d, bot, "c-1")
	b.Sees("Offered to you", "The customer asked for a person", "1 waiting")
	b.Shot("console-offer")
	b.Click(".offer .primary")
	b.Sees("My lamp arrived broken", "You can return goods within 14 days.", "Why it came to a person",
		"A lamp arrived broken; the customer wants a refund.", "refund, damaged goods", "How do I return goods?", "1 of 3 slots")
	data, err := feed.EncodeTyping(conv, conversation.Actor{Kind: conversation.KindCustomer, ID: "c-1", Name: "Li Wei"}, true)
	if err == nil {
		err = d.Conn.Publish(t.Context(), d.Subjects.Live(string(conv)), data)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.Sees("Li Wei is typing")
	b.Enter("#text", "Hello Li Wei, I am sorry about that. I will refund you today.")
	b.Click("#as-note")
	b.Enter("#text", "Photo checked, damage is real.")
	d.awaitMessages(t, conv, 5)
	d.customerSays("c-1", "m3", "Thank you! <b>Great</b>")
	b.Sees("Thank you! <b>Great</b>")
	stored := d.Messages(conv)
	if m := stored[3].Body.(*conversation.Message); m.From.ID != "chen" || m.Note {
		t.Errorf("the reply is %+v", m)
	}
	if m := stored[4].Body.(*conversation.Message); !m.Note {
		t.Errorf("the note is %+v", m)
	}
	b.Shot("console-talk")

	// The connection is lost and comes back; then the page is loaded again.
	for _, s := range d.console.role.Open() {
		s.Abort()
	}
	b.Enter("#text", "Anything else?")
	d.awaitMessages(t, conv, 7)
	b.Run(chromedp.Reload())
	b.Sees("Your conversations", "Li Wei")
	b.Click(".item")
	b.Sees("Anything else?", "Photo checked", "My lamp arrived broken")
	if n := b.Count(".msg"); n != 7 {
		t.Errorf("%d messages are shown after the reload, want 7", n)
	}
	if n := len(d.Messages(conv)); n != 7 {
		t.Errorf("%d messages are stored, want 7", n)
	}

	b.Click("#close")
	b.Shot("console-close")
	b.Run(chromedp.SetValue(chromedp.CSS("#disposition"), "solved"))
	b.Type("#comment", "refund booked")
	b.Click("#closing [value=ok]")
	b.Sees("None at the moment.")
	eventually.True(t, "the conversation is closed", func() bool { return d.show(conv).Status == conversation.StatusClosed })

	// Hand-off with a reason, and away.
	second := handedOff(t, d, bot, "c-2")
	b.Click(".offer .primary")
	b.Sees("Why it came to a person")
	b.Click("#away")
	eventually.True(t, "the agent is away", func() bool { return d.presence(t, "chen") == "away" })
	b.Click("#handoff")
	b.Run(chromedp.SetValue(chromedp.CSS("#queue"), "refunds"))
	b.Type("#reason", "needs a refund clerk")
	b.Shot("console-handoff")
	b.Click("#moving [value=ok]")
	b.Sees("no longer yours")
	if got := d.show(second); got.Queue != "refunds" || got.HandOff.Reason.Words != "needs a refund clerk" {
		t.Errorf("the conversation is in %s with %+v", got.Queue, got.HandOff)
	}
	b.Click("#signout")
	b.Sees("Sign in with the token")
	if kept := webtest.Eval[string](b, "JSON.stringify(sessionStorage) + JSON.stringify(localStorage) + location.href"); strings.Contains(kept, chenToken) {
		t.Errorf("the token is kept after signing out: %s", kept)
	}
}

// TestPageSupervises plays an agent and a supervisor in real browsers: why it was assigned, tags, a whisper, taking
// over, a transfer to a colleague with a note, merge, and later work.
func TestPageSupervises(t *testing.T) {
	b, s := webtest.OpenBrowser(t, 1320, 820, "en"), webtest.OpenBrowser(t, 1320, 820, "en")
	d := startSupervised(t)
	for _, p := range []struct {
		b     *webtest.Browser
		token string
	}{{b, chenToken}, {s, bossToken}} {
		p.b.Go(d.http.URL + "/console/")
		p.b.Type("#token", p.token)
		p.b.Click("#signin-go")
	}
	b.Sees("chen · 0 of 3 slots", "Put aside")
	s.Sees("boss · not taking conversations", "Open conversations")
	conv := d.customerSays("c-1", "m1", "My lamp is broken")
	b.Sees("Offered to you")
	b.Click(".offer .why summary")
	b.Sees("score ", "chen: idle longest")
	b.Shot("console-why")
	b.Click(".offer .primary")
	b.Sees("My lamp is broken", "Assignment", "score ")

	b.Click("#more-title")
	b.Click("#tag")
	b.Type("#tags", "broken 退款")
	b.Shot("console-tags")
	b.Click("#tagging [value=ok]")
	b.Sees("退款")

	s.Click("#opened")
	s.Sees("in talk · general · chen")
	s.Shot("console-open")
	s.Click("#opening-list button")
	s.Sees("My lamp is broken", "You watch", "Stop watching")
	s.Enter("#text", "Offer a voucher.")
	b.Sees("Offer a voucher.")
	s.Shot("console-watch")
	if shown := webtest.Eval[bool](s, "getComputedStyle(document.getElementById('close')).display !== 'none'"); shown {
		t.Error("who only watches can close")
	}
	// A lost connection does not end the watching.
	for _, open := range d.console.role.Open() {
		open.Abort()
	}
	d.customerSays("c-1", "m2", "Are you still there?")
	s.Sees("Are you still there?")
	if n := s.Count(".msg"); n != 3 {
		t.Errorf("the supervisor sees %d messages", n)
	}
	s.Click("#available")
	s.Sees("boss · 0 of 3 slots")
	s.Click("#takeover")
	b.Sees("no longer yours", "boss takes it over")
	s.Enter("#text", "I take care of it myself.")
	d.awaitMessages(t, conv, 4)
	if m := d.Messages(conv)[3].Body.(*conversation.Message); m.Note || m.From.ID != "boss" {
		t.Errorf("the supervisor said %+v", m)
	}

	// A transfer by name, with a note.
	s.Click("#handoff")
	s.Sees("chen (0/3)")
	s.Run(chromedp.SetValue(chromedp.CSS("#colleague"), "chen"))
	s.Type("#reason", "you know the customer")
	s.Type("#summary-note", "A voucher of 10 was promised.")
	s.Shot("console-transfer")
	s.Click("#moving [value=ok]")
	b.Sees("Offered to you", "you know the customer")
	b.Click(".offer .primary")
	b.Sees("A voucher of 10 was promised.")

	// A duplicate, found by the agent.
	s.Click("#away")
	eventually.True(t, "the supervisor is away", func() bool { return d.presence(t, "boss") == "away" })
	twin := d.customerSays("c-2", "m1", "It is me again, the lamp")
	b.Click(".offer .primary")
	b.Sees("It is me again, the lamp")
	b.Click("#more-title")
	b.Click("#merge")
	b.Sees("Goes on in")
	b.Shot("console-merge")
	b.Click("#merging [value=ok]")
	eventually.True(t, "the duplicate is merged", func() bool { return d.show(twin).Status == conversation.StatusClosed })
	b.Click(".item")
	b.Sees("Merged with conversation " + string(twin))

	b.Click("#more-title")
	b.Click("#postpone")
	b.Click("#promised")
	b.Shot("console-postpone")
	b.Click("#postponing [value=ok]")
	b.Sees("None at the moment.")
	if got := d.show(conv); got.Status != conversation.StatusPending {
		t.Errorf("it is %s", got.Status)
	}
	b.Click("#opened")
	b.Sees("put aside")
}

// TestPageOnAPhone in Chinese.
func TestPageOnAPhone(t *testing.T) {
	b := webtest.OpenBrowser(t, 390, 780, "zh-CN")
	rig := webtest.New(t)
	rig.StartRouter(routing.Times{})
	d := startOn(t, rig)
	bot := signOnBot(t, rig)
	b.Go(d.http.URL + "/console/")
	b.Type("#token", wuToken)
	b.Click("#signin-go")
	b.Sees("我的会话")
	handedOff(t, d, bot, "c-1")
	b.Sees("待接入", "接入")
	b.Shot("console-phone-offer")
	b.Click(".offer .primary")
	b.Sees("转交", "结束")
	b.Enter("#text", "您好，马上为您处理退款。")
	b.Sees("马上为您处理退款")
	if webtest.Eval[bool](b, "document.documentElement.scrollWidth > innerWidth") {
		t.Error("the page is wider than the phone")
	}
	b.Shot("console-phone-talk")
	b.Click("#back")
	b.Sees("我的会话")
}

// TestReportPage: a supervisor sees what was done as a table; an agent has no button for it.
func TestReportPage(t *testing.T) {
	b := webtest.OpenBrowser(t, 1200, 760, "en")
	d := start(t, routing.Times{})
	startArchive(t, d)
	d.serveOne(t)
	eventually.True(t, "the conversation is in the report", func() bool {
		var reply reportReply
		status, _ := d.get(t, "/console/v1/reports/agents"+today(), bossToken, &reply)
		return status == 200 && len(reply.Rows) == 1 && reply.Rows[0].Ratings == 1
	})
	b.Go(d.http.URL + "/console/")
	b.Type("#token", bossToken)
	b.Click("#signin-go")
	b.Click("#report")
	b.Sees("First response")
	b.Sees("100 %", "CSAT", "100 % (1)", "Complaints", "Occupancy")
	b.Shot("console-report")
	if n := b.Count("#report-rows tr"); n != 1 {
		t.Errorf("%d rows are shown", n)
	}
}

// TestSupervisorPage: a supervisor searches the archive and reads what was found.
func TestSupervisorPage(t *testing.T) {
	b := webtest.OpenBrowser(t, 1200, 760, "en")
	d := start(t, routing.Times{})
	startArchive(t, d)
	c := d.signedIn(t, chenToken, agentwire.Available, nil)
	d.customerSays("c-1", "m1", "Where is my lantern?")
	conv, _ := c.owns()
	if p := c.request(agentwire.ClientFrame{Type: agentwire.TypeClose, Conversation: conv, Disposition: "solved"}); p != nil {
		t.Fatal(p)
	}
	eventually.True(t, "the archive has it", func() bool {
		status, _ := d.get(t, "/console/v1/search?q=lantern", bossToken, nil)
		return status == 200
	})
	b.Go(d.http.URL + "/console/")
	b.Type("#token", bossToken)
	b.Click("#signin-go")
	b.Click("#find")
	b.Type("#find-text", "lantern")
	b.Click("#find-go")
	b.Sees("Where is my lantern?")
	b.Shot("console-search")
	b.Click("#hits button")
	b.Sees("Li Wei")
	if n := b.Count(".msg"); n != 1 {
		t.Errorf("%d messages are shown", n)
	}
	if shown := webtest.Eval[bool](b, "getComputedStyle(document.getElementById('form')).display !== 'none'"); shown {
		t.Error("a supervisor can write into another's conversation")
	}
}
