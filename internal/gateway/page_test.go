package gateway

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// onlyContact waits until one contact has opened a conversation and returns both.
func (d *desk) onlyContact(t testing.TB) (contact string, conv conversation.ID) {
	t.Helper()
	eventually.True(t, "a contact opens a conversation", func() bool {
		for m, err := range d.Log.Read(t.Context(), d.Subjects.Claims(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			claim, err := conversation.DecodeClaim(m.Data)
			if err != nil {
				t.Fatal(err)
			}
			contact, conv = claim.Contact, claim.Conversation
		}
		return conv != ""
	})
	return contact, conv
}

func (d *desk) awaitMessages(t testing.TB, conv conversation.ID, n int) []conversation.Event {
	t.Helper()
	var out []conversation.Event
	eventually.True(t, fmt.Sprint(n, " messages are stored"), func() bool {
		out = d.Messages(conv)
		return len(out) >= n
	})
	return out
}

func (d *desk) live(t testing.TB, conv conversation.ID, data []byte, err error) {
	t.Helper()
	if err == nil {
		err = d.Conn.Publish(t.Context(), d.Subjects.Live(string(conv)), data)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// cut ends all sockets without a word, as a network does.
func (d *desk) cut() {
	for _, s := range d.gw.role.Open() {
		s.Abort()
	}
}

// TestChatPage plays a customer in a real browser: question, cited answer, queue, agent, reload, loss of the
// connection, and the end.
func TestChatPage(t *testing.T) {
	b := webtest.OpenBrowser(t, 900, 760, "en-GB")
	d := start(t)
	d.AnswerAs(func(a webtest.Asked) *protocol.Reply {
		if a.Request.Type == protocol.Close {
			d.Own(a.Request.Conversation, &conversation.WrapUpStarted{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: "chen"}})
		}
		return nil
	})
	b.Go(d.http.URL)
	b.Sees("Lantern Shop", "How can we help?", "Online")
	b.Shot("chat-empty")
	b.Enter("#text", "Where is my order?")
	contact, conv := d.onlyContact(t)
	d.awaitMessages(t, conv, 1)
	d.BotTakes(conv, contact)
	b.Sees("Ada answers")
	typing, err := feed.EncodeTyping(conv, webtest.Bot.Actor(), true)
	d.live(t, conv, typing, err)
	b.Sees("Ada is typing")
	answer := botMessage("Orders ship within 24 hours. You can follow yours at https://shop.example/track with its number. <b>No tags</b> here.")
	answer.Entry = &conversation.Citation{KnowledgeBase: "shop", ID: "shipping", Question: "When does my order ship?", Confidence: 0.93}
	d.Say(conv, answer)
	b.Sees("Orders ship within 24 hours", "<b>No tags</b>", "Source", "When does my order ship?")
	if strings.Contains(b.Text(), "is typing") {
		t.Error("an answer leaves the typing notice standing")
	}
	if n := b.Count(`.msg a[href="https://shop.example/track"]`); n != 1 {
		t.Errorf("%d links are shown", n)
	}
	b.Shot("chat-answer")

	// A person, please.
	b.Click("#person")
	asked := d.awaitMessages(t, conv, 3)[2].Body.(*conversation.Message)
	if !asked.AsksForPerson {
		t.Errorf("the page's request for a person is not recognised as one: %q", asked.Text)
	}
	d.Queue(conv, "general", webtest.HandOff(1, "asked for a person"))
	b.Sees("You are in the queue for an agent", "Waiting for an agent")
	position, err := protocol.Encode(protocol.Position{V: 1, Type: protocol.LivePosition, Conversation: conv, Queue: "general", Position: 2, Waiting: 7})
	d.live(t, conv, position, err)
	b.Sees("You are number 2 of 7 in the queue")
	b.Shot("chat-queue")
	chen := conversation.Agent{Kind: conversation.KindAgent, ID: "chen", Name: "Chen Mei"}
	d.Own(conv, &conversation.Offered{Agent: chen, Deadline: time.Now().Add(time.Minute)})
	d.Own(conv, &conversation.Accepted{Agent: chen})
	d.Say(conv, conversation.Message{From: chen.Actor(), Text: "secret note", Note: true})
	d.Say(conv, conversation.Message{From: chen.Actor(), Text: "Hello, this is Chen. I am looking at your order now."})
	b.Sees("Chen Mei has joined", "Hello, this is Chen.", "Chen Mei answers")
	if text := b.Text(); strings.Contains(text, "number 2") || strings.Contains(text, "secret note") {
		t.Errorf("the page still shows a place, or a note:\n%s", text)
	}

	// After a reload everything is there again, once.
	b.Run(chromedp.Reload())
	b.Sees("Chen Mei answers", "Orders ship within 24 hours", "Hello, this is Chen.")
	if n := b.Count(".msg"); n != 4 {
		t.Errorf("%d messages are shown after the reload, want 4", n)
	}
	b.Shot("chat-agent")

	// Without a connection a message waits, and is sent once when there is one again.
	d.cut()
	b.Enter("#text", "Thank you, that helps!")
	d.awaitMessages(t, conv, 6)
	b.Sees("Chen Mei answers")
	if n := len(d.Messages(conv)); n != 6 {
		t.Errorf("%d messages are stored, want 6 with the note", n)
	}

	// The customer ends it.
	b.Click("#end")
	b.Sees("End this conversation?")
	b.Click("#end")
	b.Sees("Conversation ended")
	d.End(conv, contact)
	b.Sees("The conversation has ended.")
	b.Shot("chat-ended")
}

// TestChatPageOnAPhone in Chinese: nothing overflows and the words are Chinese.
func TestChatPageOnAPhone(t *testing.T) {
	b := webtest.OpenBrowser(t, 390, 780, "zh-CN")
	d := start(t)
	b.Go(d.http.URL)
	b.Sees("您好，有什么可以帮您？")
	b.Shot("phone-empty")
	b.Enter("#text", "我想退货，多久能退款？")
	contact, conv := d.onlyContact(t)
	d.BotTakes(conv, contact)
	answer := botMessage("签收后 7 天内可以申请退货，退款在我们收到商品后 3 个工作日内原路退回。")
	answer.From.Name = ""
	answer.Entry = &conversation.Citation{KnowledgeBase: "shop", ID: "returns", Question: "退货后多久能收到退款？", Confidence: 0.9}
	d.Say(conv, answer)
	d.Say(conv, botMessage("A-very-long-word-without-any-break-"+strings.Repeat("abcdefghij", 12)))
	b.Sees("原路退回", "参考", "转人工客服", "已发送")
	if webtest.Eval[bool](b, "document.documentElement.scrollWidth > innerWidth || document.querySelector('#log').scrollWidth > document.querySelector('#log').clientWidth") {
		t.Error("the page is wider than the phone")
	}
	d.Queue(conv, "refunds", webtest.HandOff(1, "退款"))
	position, err := protocol.Encode(protocol.Position{V: 1, Type: protocol.LivePosition, Conversation: conv, Queue: "refunds", Position: 1, Waiting: 1})
	d.live(t, conv, position, err)
	b.Sees("排队中：下一位就是您")
	b.Shot("phone-queue")
}

// TestWidget: a site that is allowed shows the chat in a frame; one that is not gets an empty frame.
func TestWidget(t *testing.T) {
	b := webtest.OpenBrowser(t, 1100, 800, "en")
	d := start(t)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><title>Shop</title><body style="font-family:sans-serif;margin:40px">
			<h1>Lamps</h1><p>A shop of our own.</p><script src="%s/widget.js" async></script>`, d.http.URL)
	}))
	t.Cleanup(site.Close)
	// The site has another origin than the desk: another host.
	doc := webtest.Document()
	address := strings.Replace(site.URL, "127.0.0.1", "localhost", 1)
	doc.WebChat.AllowedOrigins = []string{address}
	d.Config.Set(t, doc)
	b.Go(address)
	b.Click(`button[aria-label="Chat"]`)
	frame := b.Frame(d.http.URL)
	frame.Sees("How can we help?", "Online")
	frame.Enter("#text", "Hi from the shop")
	contact, conv := d.onlyContact(t)
	d.BotTakes(conv, contact)
	d.Say(conv, botMessage("Hello to the shop"))
	frame.Sees("Hello to the shop")
	b.Shot("widget")
	b.Click(`button[aria-label="Chat"]`)
	d.Say(conv, botMessage("Are you still there?"))
	b.Sees("1")

	d.Config.Set(t, webtest.Document())
	resp, err := http.Get(d.http.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	_ = resp.Body.Close()
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "frame-ancestors 'self'") {
		t.Errorf("policy is %s", csp)
	}
}

// TestWidgetIsSmall: it is loaded by pages that have nothing to do with the desk.
func TestWidgetIsSmall(t *testing.T) {
	if n := len(must(static.ReadFile("static/widget.js"))); n > 2000 {
		t.Errorf("widget.js has %d bytes", n)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
