package gateway

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/web/ask"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// TestNoPositionWhenABotIsFree: who is served at once sees no place in the queue, also when the page is loaded
// again right behind the first message.
func TestNoPositionWhenABotIsFree(t *testing.T) {
	rig := webtest.New(t)
	rig.StartRouter(routing.Times{HeartbeatLost: time.Hour})
	bot := ask.Router{Bus: rig.Conn, Subjects: rig.Subjects, Party: bus.PartyBot}
	if _, err := bot.Ask(t.Context(), webtest.Bot.ID, protocol.Request{
		Type: protocol.SignOn, Agent: &webtest.Bot, Presence: conversation.PresenceOnline,
	}); err != nil {
		t.Fatal(err)
	}
	d := startOn(t, rig)
	c := d.connect(t)
	welcome, _ := c.hello(chatwire.ClientFrame{})
	c.say("m1", "hello", "")
	again := d.connect(t)
	_, _ = again.hello(chatwire.ClientFrame{Token: welcome.Token})
	for _, seen := range []*client{c, again} {
		for f := (&chatwire.ServerFrame{}); !f.Status.Ended(); {
			var err error
			if f, err = seen.read(); err != nil {
				t.Fatal(err)
			}
			if f.Type == chatwire.TypePosition {
				t.Errorf("who is served at once is told %+v", f)
			}
			if f.Status == conversation.StatusBot && seen == c {
				c.send(chatwire.ClientFrame{Type: chatwire.TypeClose})
			}
		}
	}
}

// TestI03ANumberThatWasOvertakenIsNotTold: the place that was asked for is not shown when the router has pushed a newer one.
func TestI03ANumberThatWasOvertakenIsNotTold(t *testing.T) {
	d := start(t)
	var conv conversation.ID
	shown := make(chan struct{})
	d.AnswerAs(func(a webtest.Asked) *protocol.Reply {
		if a.Request.Type != protocol.Show {
			return nil
		}
		// The push overtakes the answer.
		d.place(t, conv, 1)
		<-shown
		return &protocol.Reply{V: 1, OK: true, Conversation: &protocol.Conversation{
			ID: conv, Status: conversation.StatusQueued, Queue: "general", Position: 2, Waiting: 5,
		}}
	})
	c := d.connect(t)
	welcome, _ := c.hello(chatwire.ClientFrame{})
	conv = c.sayAcked("m1", "hello").Conversation
	d.BotTakes(conv, welcome.Contact.ID)
	d.Queue(conv, "general", webtest.HandOff(1, "no answer"))
	again := d.connect(t)
	_, _ = again.hello(chatwire.ClientFrame{Token: welcome.Token})
	f := again.next(chatwire.TypePosition)
	close(shown)
	if f.Position != 1 {
		t.Errorf("the first place is %+v", f)
	}
	d.gw.link.Load().attend.work.Wait() // the answer has come, and would be sent before the ack
	again.say("m2", "still there?", "")
	for f.Type != chatwire.TypeAck {
		var err error
		if f, err = again.read(); err != nil {
			t.Fatal(err)
		}
		if f.Type == chatwire.TypePosition {
			t.Errorf("an old place is shown behind the new one: %+v", f)
		}
	}
}

// place pushes a place in the queue, as the router does.
func (d *desk) place(t testing.TB, conv conversation.ID, position int) {
	t.Helper()
	data, err := protocol.Encode(protocol.Position{
		V: protocol.Version, Type: protocol.LivePosition, Conversation: conv, Status: conversation.StatusQueued,
		Queue: "general", Position: position, Waiting: 5, At: time.Now().UTC(),
	})
	if err == nil {
		err = d.Conn.Publish(t.Context(), d.Subjects.Live(string(conv)), data)
	}
	if err != nil {
		t.Error(err)
	}
}
