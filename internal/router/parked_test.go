package router

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// A customer says a last thing and ends the conversation. The end, which is asked for, overtakes the message, which
// is read from the log: it waits for it, and the message does not open the conversation again.
func TestAnEndWaitsForTheMessageBeforeIt(t *testing.T) {
	d := newDesk(t)
	d.startRouter("router-0", nil)
	d.client(bus.PartyBot, "bot-0").signOn()
	customer := d.client(bus.PartyCustomer, "c-1")
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeAssigned, 1)
	info, err := d.intake.Log.Info(d.ctx)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := customer.ask(protocol.Request{Type: protocol.Close, Conversation: conv, Seq: info.LastSeq + 1})
		ended <- err
	}()
	for range 20 {
		if shown := customer.must(protocol.Request{Type: protocol.Show, Conversation: conv}).Conversation; shown.Status != conversation.StatusBot {
			t.Fatalf("it is %s before the last message came", shown.Status)
		}
	}
	if got := d.post("c-1", "m2", "thanks, bye"); got != conv {
		t.Fatalf("the message went to %s", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	d.has(conv, conversation.TypeClosed, 1)
	d.released(conv)
	d.check()
	for _, e := range d.stored(conv) {
		if e.Type == conversation.TypeReopened {
			t.Errorf("it was opened again: %s", d.story(conv))
		}
	}
}

// What never comes, such as a message that the archive has purged, holds an end up for a second only.
func TestAnEndDoesNotWaitForEver(t *testing.T) {
	d := newDesk(t)
	d.startRouter("router-0", nil)
	d.client(bus.PartyBot, "bot-0").signOn()
	customer := d.client(bus.PartyCustomer, "c-1")
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeAssigned, 1)
	begin := time.Now()
	customer.must(protocol.Request{Type: protocol.Close, Conversation: conv, Seq: 1 << 40})
	d.has(conv, conversation.TypeClosed, 1)
	t.Logf("ended after %s", time.Since(begin))
	d.check()
}
