package gateway

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/socket"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// TestI16ADrainSpreadsWhoComesBack: what is in flight is stored and acknowledged, the client is told to come back, resumes on
// another gateway and has lost nothing; new sockets are refused.
func TestI16ADrainSpreadsWhoComesBack(t *testing.T) {
	a := start(t)
	b := startOn(t, a.Rig, func(o *Options) { o.Name = "gw-1" })
	c := a.connect(t)
	welcome, _ := c.hello(chatwire.ClientFrame{})
	const n = 20
	for i := range n {
		c.say(fmt.Sprint("m", i), fmt.Sprint("text ", i), "")
	}
	c.next(chatwire.TypeAck) // some are in flight, some not even read
	stopped := make(chan struct{})
	go func() { a.stop(); close(stopped) }()
	code, frames := c.closeCode()
	if code != socket.CodeRestart {
		t.Errorf("closed with %d", code)
	}
	acked := map[string]bool{"m0": true}
	var cursor uint64
	var conv conversation.ID
	goodbye := frames[len(frames)-1]
	if goodbye.Type != chatwire.TypeGoodbye || goodbye.RetryAfterMillis <= 0 {
		t.Errorf("the last frame is %s", describe(goodbye))
	}
	for _, f := range frames {
		switch f.Type {
		case chatwire.TypeAck:
			acked[f.ClientID] = true
		case chatwire.TypeMessage:
			cursor, conv = f.Seq, f.Conversation
		}
	}
	eventually.Receive(t, "the gateway has drained", receiveClosed(stopped))
	if _, resp, err := a.dial(nil); err == nil || resp != nil && resp.StatusCode != 503 {
		t.Errorf("a draining gateway takes sockets: %v", err)
	}

	// The rest is sent again, and so is one that was acknowledged.
	back := b.connect(t)
	_, _ = back.hello(chatwire.ClientFrame{Token: welcome.Token, Conversation: conv, ResumeAfter: cursor})
	for i := range n {
		if id := fmt.Sprint("m", i); !acked[id] || i == 0 {
			back.say(id, fmt.Sprint("text ", i), conv)
			back.until(chatwire.TypeAck, func(f *chatwire.ServerFrame) bool { return f.ClientID == id })
		}
	}
	stored := a.Messages(b.openConversation(welcome.Contact.ID))
	if len(stored) != n {
		t.Fatalf("%d messages are stored", len(stored))
	}
	for i, e := range stored {
		if m := e.Body.(*conversation.Message); m.Text != fmt.Sprint("text ", i) {
			t.Errorf("message %d is %q", i, m.Text)
		}
	}
}

// receiveClosed turns a closed channel into a value.
func receiveClosed(ch <-chan struct{}) <-chan bool {
	out := make(chan bool, 1)
	go func() { <-ch; out <- true }()
	return out
}

// TestSlowClient: a client that does not read is closed and gets the rest when it resumes.
func TestSlowClient(t *testing.T) {
	d := start(t, func(o *Options) { o.Socket = socket.Options{QueueLimit: 8, WriteTimeout: 200 * time.Millisecond} })
	c := d.connect(t)
	welcome, _ := c.hello(chatwire.ClientFrame{})
	conv := c.sayAcked("m1", "hello").Conversation
	// More than the kernel's buffers of a connection hold.
	const n = 1200
	long := strings.Repeat("x", 15<<10)
	for range n {
		d.Say(conv, botMessage(long))
	}
	eventually.True(t, "the slow client is closed", func() bool { return d.gw.connections.Open() == 0 })
	var cursor uint64
	got := 0
	for {
		f, err := c.read()
		if err != nil {
			var ce websocket.CloseError
			if errors.As(err, &ce) && ce.Code != socket.CodeSlow {
				t.Errorf("closed with %d", ce.Code)
			}
			break
		}
		if f.Type == chatwire.TypeMessage && f.From.Kind == conversation.KindBot {
			cursor = f.Seq
			got++
		}
	}
	if got == n {
		t.Fatal("nothing was held back: the test proves nothing")
	}
	resume := func() *client {
		again := d.connect(t)
		again.send(chatwire.ClientFrame{Type: chatwire.TypeHello, Token: welcome.Token, Conversation: conv, ResumeAfter: cursor})
		return again
	}
	// On a busy machine the one who reads may be too slow as well: whoever resumes often enough gets all of it.
	again := resume()
	eventually.True(t, "everything has come", func() bool {
		f, err := again.read()
		switch {
		case err != nil:
			again = resume()
		case f.Type == chatwire.TypeMessage && f.From.Kind == conversation.KindBot:
			if f.Seq <= cursor {
				t.Errorf("message %d came behind %d", f.Seq, cursor)
			}
			cursor = f.Seq
			got++
		}
		return got == n
	})
}

// TestAttendance: the router hears that the customer left only when no gateway has a socket any more, and
// that it is back.
func TestAttendance(t *testing.T) {
	rig := webtest.New(t)
	told := make(chan protocol.RequestType, 16)
	rig.AnswerAs(func(a webtest.Asked) *protocol.Reply {
		if a.Request.Type == protocol.Left || a.Request.Type == protocol.Back {
			if behind := a.Request.Type == protocol.Left; behind != (a.Request.Seq > 0) {
				t.Errorf("%s is to follow message %d", a.Request.Type, a.Request.Seq)
			}
			told <- a.Request.Type
		}
		return nil
	})
	a := startOn(t, rig)
	b := startOn(t, rig, func(o *Options) { o.Name = "gw-1" })
	sought := make(chan string, 16)
	_, err := rig.Conn.Subscribe(t.Context(), rig.Subjects.AllLive(), func(m *bus.Message) {
		if said, ok := feed.DecodeAttendance(m.Data); ok {
			sought <- said.Type + " " + said.Gateway
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	c := a.connect(t)
	welcome, _ := c.hello(chatwire.ClientFrame{})
	conv := c.sayAcked("m1", "hello").Conversation
	rig.BotTakes(conv, welcome.Contact.ID)
	c.until(chatwire.TypeState, func(f *chatwire.ServerFrame) bool { return f.Status == conversation.StatusBot })

	// The customer comes back through the other gateway before the first has noticed the end.
	second := b.connect(t)
	_, _ = second.hello(chatwire.ClientFrame{Token: welcome.Token})
	if got := eventually.Receive(t, "back", told); got != protocol.Back {
		t.Errorf("the router is told %s", got)
	}
	if got := eventually.Receive(t, "presence of gw-1", sought); got != "present gw-1" {
		t.Errorf("live says %s", got)
	}
	_ = c.ws.CloseNow()
	eventually.True(t, "gw-0 forgets the conversation", func() bool { return a.gw.link.Load().Feed.Topics() == 0 })
	// It has asked and was answered, or the word of gw-1 came so late that it need not ask any more.
	for len(sought) > 0 {
		if said := <-sought; said != "sought gw-0" && said != "present gw-1" {
			t.Errorf("live says %s", said)
		}
	}
	if len(told) > 0 {
		t.Errorf("the router is told %s although the customer is there", <-told)
	}

	// Now the last socket ends.
	_ = second.ws.CloseNow()
	if got := eventually.Receive(t, "left", told); got != protocol.Left {
		t.Errorf("the router is told %s", got)
	}
}
