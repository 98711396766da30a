package console

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

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

// TestI12AgentsMissNothing: an agent whose socket is killed at random points sees what is stored in its
// conversation, exactly once and in order.
func TestI12AgentsMissNothing(t *testing.T) {
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
	c.next(agentwire.TypeFigures)
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
