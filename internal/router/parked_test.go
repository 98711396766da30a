package router

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

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

// Messages that are late by more than a request waits, as when the bus loses the server that feeds the tail: the end is
// not decided before they are read, however often it is asked for, and they do not open the conversation again.
func TestAnEndIsNotDecidedBeforeTheLogIsRead(t *testing.T) {
	d := newDesk(t)
	late := &lateLog{}
	d.startRouter("router-0", func(o *Options) { o.WrapLog = late.wrap })
	d.client(bus.PartyBot, "bot-0").signOn()
	customer := d.client(bus.PartyCustomer, "c-1")
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeAssigned, 1)
	late.shut()
	t.Cleanup(late.open) // before the router's end, which waits for its tail
	d.post("c-1", "m2", "thanks, bye")
	last := d.has(conv, conversation.TypeMessage, 2)
	end := protocol.Request{V: protocol.Version, ID: "end-1", Type: protocol.Close, Conversation: conv, Seq: last.Seq}
	data, err := protocol.Encode(end)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := customer.conn.Request(d.ctx, d.names.Intent(bus.PartyCustomer, "c-1"), data)
	if err != nil {
		t.Fatal(err)
	}
	_, err = protocol.DecodeReply(answer)
	if refused, ok := errors.AsType[*protocol.Error](err); !ok || refused.Code != protocol.CodeUnavailable {
		t.Fatalf("the end is answered with %v, want that it is to be sent again", err)
	}
	late.open()
	customer.must(end)
	d.has(conv, conversation.TypeClosed, 1)
	d.released(conv)
	d.check()
	for _, e := range d.stored(conv) {
		if e.Type == conversation.TypeReopened {
			t.Errorf("it was opened again: %s", d.story(conv))
		}
	}
}

// lateLog is a log whose tail stands still while it is shut.
type lateLog struct {
	bus.Log
	gate sync.Mutex
	held atomic.Bool
}

func (l *lateLog) wrap(log bus.Log) bus.Log { l.Log = log; return l }

func (l *lateLog) shut() {
	l.gate.Lock()
	l.held.Store(true)
}

func (l *lateLog) open() {
	if l.held.CompareAndSwap(true, false) {
		l.gate.Unlock()
	}
}

// Tail implements bus.Log.
func (l *lateLog) Tail(ctx context.Context, filters []string, from uint64, h bus.TailHandler) error {
	message := h.Message
	h.Message = func(st bus.Stored) error {
		l.gate.Lock()
		defer l.gate.Unlock()
		return message(st)
	}
	return l.Log.Tail(ctx, filters, from, h)
}

// What never comes, such as a message that the archive has purged, holds no end up once the log is read so far.
func TestAnEndDoesNotWaitForEver(t *testing.T) {
	d := newDesk(t)
	d.startRouter("router-0", nil)
	d.client(bus.PartyBot, "bot-0").signOn()
	customer := d.client(bus.PartyCustomer, "c-1")
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeAssigned, 1)
	other := d.has(d.post("c-2", "m1", "hello"), conversation.TypeMessage, 1)
	customer.must(protocol.Request{Type: protocol.Close, Conversation: conv, Seq: other.Seq})
	d.has(conv, conversation.TypeClosed, 1)
	d.check()
}
