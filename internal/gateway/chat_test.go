package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

func TestDialogue(t *testing.T) {
	d := start(t)
	c := d.connect(t)
	welcome, frames := c.hello(chatwire.ClientFrame{Contact: &chatwire.ContactCard{Name: "Li Wei"}, Language: "en"})
	if welcome.Token == "" || welcome.Contact.Name != "Li Wei" || welcome.Conversation != "" ||
		welcome.Desk.DisplayName != "Lantern Shop" || welcome.Limits.MaxMessageLength != 2000 {
		t.Fatalf("welcome is %+v", welcome)
	}
	if len(frames) != 1 || frames[0].State != nil {
		t.Fatalf("a new contact gets %s", describe(frames[0]))
	}

	ack := c.sayAcked("m1", "Where is my order 1234? I want to talk to a human.")
	stored := d.Messages(ack.Conversation)
	if len(stored) != 1 || stored[0].Seq != ack.Seq {
		t.Fatalf("ack says %d, stored is %v", ack.Seq, stored)
	}
	m := stored[0].Body.(*conversation.Message)
	want := &conversation.Message{
		From:     conversation.Actor{Kind: conversation.KindCustomer, ID: welcome.Contact.ID, Name: "Li Wei"},
		Text:     "Where is my order 1234? I want to talk to a human.",
		Language: "en", ClientID: "m1", Channel: Channel, AsksForPerson: true,
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("stored message (-want +got):\n%s", diff)
	}

	// The bot answers, a note stays inside, an agent joins and the conversation ends.
	conv := ack.Conversation
	d.BotTakes(conv, welcome.Contact.ID)
	if f := c.next(chatwire.TypeState); f.Status != conversation.StatusQueued || f.Queue != conversation.BotQueue {
		t.Errorf("state is %s in %q", f.Status, f.Queue)
	}
	if f := c.next(chatwire.TypeState); f.Status != conversation.StatusBot || f.Agent.Name != "Ada" {
		t.Errorf("state is %s with %v", f.Status, f.Agent)
	}
	cited := botMessage("It ships tomorrow.")
	cited.Entry = &conversation.Citation{KnowledgeBase: "shop", ID: "shipping", Question: "When does it ship?", Confidence: 0.9}
	d.Say(conv, cited)
	f := c.next(chatwire.TypeMessage)
	if f.Text != "It ships tomorrow." || f.Entry == nil || f.Entry.ID != "shipping" || f.From.Kind != conversation.KindBot || f.ClientID != "" {
		t.Errorf("answer is %+v", f)
	}
	chen := conversation.Agent{Kind: conversation.KindAgent, ID: "chen", Name: "Chen"}
	d.Say(conv, conversation.Message{From: chen.Actor(), Text: "careful, fraud?", Note: true})
	d.Queue(conv, "refunds", webtest.HandOff(f.Seq, "not sure"))
	if f := c.next(chatwire.TypeState); f.Status != conversation.StatusQueued || f.Queue != "refunds" || f.Agent != nil {
		t.Errorf("state is %+v", f)
	}
	d.Own(conv, &conversation.Offered{Agent: chen, Deadline: stored[0].At.Add(3e10)})
	if f := c.next(chatwire.TypeState); f.Status != conversation.StatusOffered || f.Agent != nil {
		t.Errorf("an asked agent is shown: %+v", f)
	}
	d.Own(conv, &conversation.Accepted{Agent: chen})
	if f := c.next(chatwire.TypeState); f.Status != conversation.StatusActive || f.Agent == nil || f.Agent.Name != "Chen" {
		t.Errorf("state is %+v", f)
	}
	d.Say(conv, conversation.Message{From: chen.Actor(), Text: "Hello, Chen here."})
	if f := c.next(chatwire.TypeMessage); f.Text != "Hello, Chen here." {
		t.Errorf("the customer sees %q", f.Text)
	}
	for _, e := range d.Messages(conv) {
		if e.Body.(*conversation.Message).Note && e.Seq == f.Seq {
			t.Error("the note was sent")
		}
	}
}

func TestLiveFrames(t *testing.T) {
	d := start(t)
	c := d.connect(t)
	_, _ = c.hello(chatwire.ClientFrame{})
	conv := c.sayAcked("m1", "hello").Conversation
	typed := make(chan feed.Typing, 4)
	_, err := d.Conn.Subscribe(t.Context(), d.Subjects.AllLive(), func(m *bus.Message) {
		if typing, ok := feed.DecodeTyping(m.Data); ok && typing.From.Kind == conversation.KindCustomer {
			typed <- typing
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	publish := func(data []byte, err error) {
		t.Helper()
		if err == nil {
			err = d.Conn.Publish(t.Context(), d.Subjects.Live(string(conv)), data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	publish(feed.EncodeTyping(conv, webtest.Bot.Actor(), true))
	if f := c.next(chatwire.TypeTyping); !f.On || f.From.Name != "Ada" {
		t.Errorf("typing is %+v", f)
	}
	publish(protocol.Encode(protocol.Position{V: 1, Type: protocol.LivePosition, Conversation: conv, Queue: "refunds", Position: 3, Waiting: 9}))
	if f := c.next(chatwire.TypePosition); f.Position != 3 || f.Waiting != 9 || f.Queue != "refunds" {
		t.Errorf("position is %+v", f)
	}
	c.send(chatwire.ClientFrame{Type: chatwire.TypeTyping, On: true})
	c.send(chatwire.ClientFrame{Type: chatwire.TypeTyping, On: true}) // within the same second
	c.send(chatwire.ClientFrame{Type: chatwire.TypeTyping, On: false})
	if first, second := <-typed, <-typed; !first.On || second.On {
		t.Errorf("typing passed on is %t, %t; want on once and off", first.On, second.On)
	}
}

func TestPositionAtReturn(t *testing.T) {
	d := start(t)
	d.AnswerAs(func(a webtest.Asked) *protocol.Reply {
		if a.Request.Type != protocol.Show {
			return nil
		}
		return &protocol.Reply{V: 1, OK: true, Conversation: &protocol.Conversation{
			ID: a.Request.Conversation, Status: conversation.StatusQueued, Queue: "general", Position: 2, Waiting: 5,
		}}
	})
	c := d.connect(t)
	welcome, _ := c.hello(chatwire.ClientFrame{})
	conv := c.sayAcked("m1", "hello").Conversation
	d.BotTakes(conv, welcome.Contact.ID)
	d.Queue(conv, "general", webtest.HandOff(1, "no answer"))
	again := d.connect(t)
	_, _ = again.hello(chatwire.ClientFrame{Token: welcome.Token})
	if f := again.next(chatwire.TypePosition); f.Position != 2 || f.Waiting != 5 {
		t.Errorf("position is %+v", f)
	}
}

func TestRefusals(t *testing.T) {
	d := start(t)
	doc := webtest.Document()
	doc.WebChat = runtimeWebChat(5, 2)
	d.Config.Set(t, doc)
	c := d.connect(t)
	_, _ = c.hello(chatwire.ClientFrame{})
	refused := func(id, text, code string, status int) *problem.Problem {
		t.Helper()
		c.say(id, text, "")
		f := c.next(chatwire.TypeError)
		if f.ClientID != id || f.Problem.Code() != code || f.Problem.Status != status || f.Problem.Remedy == "" {
			t.Errorf("refusal of %q is %+v for %q", text, f.Problem, f.ClientID)
		}
		return f.Problem
	}
	if p := refused("m1", "六个字太长了", problem.CodeTooLarge, 413); p.Field != "text" || !strings.Contains(p.Detail, "6 characters") {
		t.Errorf("problem is %+v", p)
	}
	c.sayAcked("m2", "五个字刚好") // the limit counts characters, not bytes
	if p := refused("m3", " ", problem.CodeInvalid, 400); p.Field != "text" {
		t.Errorf("problem is %+v", p)
	}
	c.sayAcked("m4", "two")
	if p := refused("m5", "three", problem.CodeRate, 429); p.RetryAfterSeconds < 1 || p.RetryAfterSeconds > 30 {
		t.Errorf("retry after %d s", p.RetryAfterSeconds)
	}
	// Another contact is not held up.
	other := d.connect(t)
	_, _ = other.hello(chatwire.ClientFrame{})
	other.sayAcked("m1", "hi")
}

func TestCloseCodes(t *testing.T) {
	d := start(t)
	for _, tc := range []struct {
		name   string
		frames []string
		code   websocket.StatusCode
		// problem that comes before, empty for none.
		problem string
	}{
		{"no hello", []string{`{"type":"message","clientId":"m1","text":"hi"}`}, socket.CodePolicy, problem.CodeProtocol},
		{"no JSON", []string{`hi`}, socket.CodePolicy, problem.CodeProtocol},
		{"forged token", []string{`{"type":"hello","token":"dft1.e30.AAAA"}`}, socket.CodeUnauthorised, problem.CodeToken},
		{"second hello", []string{`{"type":"hello"}`, `{"type":"hello"}`}, socket.CodePolicy, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := d.connect(t)
			for _, f := range tc.frames {
				if err := c.ws.Write(t.Context(), websocket.MessageText, []byte(f)); err != nil {
					t.Fatal(err)
				}
			}
			code, frames := c.closeCode()
			if code != tc.code {
				t.Errorf("closed with %d, want %d", code, tc.code)
			}
			for _, f := range frames {
				if f.Type == chatwire.TypeError && f.Problem.Code() != tc.problem {
					t.Errorf("problem is %v", f.Problem)
				}
			}
			if tc.problem != "" && len(frames) == 0 {
				t.Error("no problem was sent")
			}
		})
	}
	t.Run("too long", func(t *testing.T) {
		c := d.connect(t)
		_, _ = c.hello(chatwire.ClientFrame{})
		// The gateway need not read it to the end: either the rest cannot be written any more, or the code says why.
		err := c.ws.Write(t.Context(), websocket.MessageText, []byte(`{"type":"typing","text":"`+strings.Repeat("x", conversation.MaxEventBytes)+`"}`))
		for err == nil {
			_, err = c.read()
		}
		if code := websocket.CloseStatus(err); code != -1 && code != websocket.StatusMessageTooBig {
			t.Errorf("closed with %d", code)
		}
		eventually.True(t, "the socket is gone", func() bool { return len(d.gw.role.Open()) == 0 })
	})
	t.Run("binary frame", func(t *testing.T) {
		c := d.connect(t)
		if err := c.ws.Write(t.Context(), websocket.MessageBinary, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if code, _ := c.closeCode(); code != websocket.StatusUnsupportedData {
			t.Errorf("closed with %d", code)
		}
	})
	t.Run("flood", func(t *testing.T) {
		c := d.connect(t)
		_, _ = c.hello(chatwire.ClientFrame{})
		for range 3 * framesBurst {
			if c.ws.Write(t.Context(), websocket.MessageText, []byte(`{"type":"typing","on":true}`)) != nil {
				break // closed meanwhile
			}
		}
		if code, _ := c.closeCode(); code != socket.CodePolicy {
			t.Errorf("closed with %d", code)
		}
	})
}

func TestOrigins(t *testing.T) {
	d := start(t)
	doc := webtest.Document()
	doc.WebChat.AllowedOrigins = []string{"https://*.lantern.example", "https://shop.example:8443"}
	d.Config.Set(t, doc)
	for _, tc := range []struct {
		origin string
		ok     bool
	}{
		{"", true},
		{d.http.URL, true},
		{"https://www.lantern.example", true},
		{"https://a.b.lantern.example", true},
		{"https://shop.example:8443", true},
		{"http://www.lantern.example", false},
		{"https://lantern.example", false},
		{"https://shop.example", false},
		{"https://evil.example", false},
		{"https://www.lantern.example.evil.example", false},
		{"https://evil.example/https://www.lantern.example", false},
		{"null", false},
		{"https://", false},
	} {
		t.Run(tc.origin, func(t *testing.T) {
			header := http.Header{}
			if tc.origin != "" {
				header.Set("Origin", tc.origin)
			}
			ws, resp, err := d.dial(header)
			if err == nil {
				_ = ws.CloseNow()
			}
			if (err == nil) != tc.ok {
				t.Errorf("WebSocket: %v", err)
			}
			if !tc.ok && resp.StatusCode != http.StatusForbidden {
				t.Errorf("WebSocket refused with %d", resp.StatusCode)
			}
		})
	}
}
