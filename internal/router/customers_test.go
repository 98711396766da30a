package router

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// I-14: several messages within milliseconds, on different gateways, are one conversation.
func TestI14MessagesOfOneMomentAreOneConversation(t *testing.T) {
	d := newDesk(t)
	d.startRouter("router-0", nil)
	d.client(bus.PartyBot, "bot-0").signOn()
	for round := range 5 { // as many as the bot has slots
		contact := fmt.Sprint("c-", round)
		convs := make([]conversation.ID, 4)
		var gateways sync.WaitGroup
		for i := range convs {
			conn := d.dial(fmt.Sprint("gateway-", i))
			gateways.Go(func() {
				defer conn.Close()
				gateway := intake.Desk{Log: conn.Log(d.names.Stream()), Subjects: d.names}
				posted, err := gateway.Post(d.ctx, intake.Contact{Channel: "web", ID: contact},
					conversation.Message{Text: "hello", ClientID: fmt.Sprint("m", i)}, "", time.Now())
				if err != nil {
					t.Error(err)
				}
				convs[i] = posted.Conversation
			})
		}
		gateways.Wait()
		for _, conv := range convs[1:] {
			if conv != convs[0] {
				t.Fatalf("the contact has conversations %v", convs)
			}
		}
		d.has(convs[0], conversation.TypeAssigned, 1)
	}
	d.check()
}

// A message that was stored in a conversation that ended meanwhile is not stored again in the next one.
func TestAMessageThatIsSentAgainAfterTheEnd(t *testing.T) {
	d := newDesk(t)
	d.startRouter("router-0", nil)
	bot := d.client(bus.PartyBot, "bot-0")
	bot.signOn()
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeAssigned, 1)
	bot.must(protocol.Request{Type: protocol.Close, Conversation: conv})
	d.released(conv)
	contact := intake.Contact{Channel: "web", ID: "c-1"}
	again, err := d.intake.Post(d.ctx, contact, conversation.Message{Text: "hello", ClientID: "m1"}, conv, time.Now())
	if err != nil || !again.Duplicate || again.Conversation != conv {
		t.Errorf("the repeated message is %+v, %v", again, err)
	}
	next, err := d.intake.Post(d.ctx, contact, conversation.Message{Text: "hello", ClientID: "m2"}, conv, time.Now())
	if err != nil || next.Duplicate || next.Conversation == conv {
		t.Errorf("the new message is %+v, %v", next, err)
	}
}

// A message that slips into an ended conversation, past the gateways' fence, reopens it: it was
// acknowledged, so somebody must read it.
func TestALateMessageReopens(t *testing.T) {
	d := newDesk(t)
	d.startRouter("router-0", nil)
	bot := d.client(bus.PartyBot, "bot-0")
	bot.signOn()
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeAssigned, 1)
	bot.must(protocol.Request{Type: protocol.Close, Conversation: conv})
	d.released(conv)
	now := time.Now()
	e := conversation.NewEvent(conversation.NewID(now), conv, now, &conversation.Message{
		From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c-1"}, Channel: "web", Text: "wait", ClientID: "m2",
	})
	data, err := conversation.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.intake.Log.Append(d.ctx, d.names.Messages(string(conv)), data, bus.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	d.has(conv, conversation.TypeReopened, 1)
	d.has(conv, conversation.TypeAssigned, 2)
	joined, err := d.intake.OpenOrJoin(d.ctx, intake.Contact{Channel: "web", ID: "c-1"}, time.Now())
	if err != nil || joined.Conversation != conv || joined.Opened {
		t.Errorf("the contact's conversation is %+v, %v", joined, err)
	}
	d.check()
}

// A customer who leaves while waiting is given up after a grace, one who comes back in time is not.
func TestCustomersWhoLeave(t *testing.T) {
	d := newDesk(t)
	d.startRouter("router-0", func(o *Options) { o.Times = routing.Times{AbandonAfter: time.Second} })
	d.client(bus.PartyBot, "bot-0").signOn()
	gone, back := d.client(bus.PartyCustomer, "c-1"), d.client(bus.PartyCustomer, "c-2")
	leaves, returns := d.post("c-1", "m1", "refund"), d.post("c-2", "m1", "refund")
	d.has(leaves, conversation.TypeQueued, 1)
	d.has(returns, conversation.TypeQueued, 1)
	back.must(protocol.Request{Type: protocol.Left, Conversation: returns})
	gone.must(protocol.Request{Type: protocol.Left, Conversation: leaves})
	back.must(protocol.Request{Type: protocol.Back, Conversation: returns})
	if _, err := back.ask(protocol.Request{Type: protocol.Close, Conversation: leaves}); !isCode(err, protocol.CodeNotFound) {
		t.Errorf("a contact ends another's conversation: %v", err)
	}
	d.has(leaves, conversation.TypeAbandoned, 1)
	shown := back.must(protocol.Request{Type: protocol.Show, Conversation: returns}).Conversation
	if shown.Status != conversation.StatusQueued || shown.Position != 1 || shown.Waiting != 1 {
		t.Errorf("who came back is %+v", shown)
	}
	d.check()
}

// Whoever waits is told the place, again when it changes, and that the wait is over (I-03).
func TestI03PositionsFollowEachChange(t *testing.T) {
	d := newDesk(t)
	d.startRouter("router-0", nil)
	d.client(bus.PartyBot, "bot-0").signOn()
	told := make(chan protocol.Position, 1000)
	if _, err := d.conn.Subscribe(d.ctx, d.names.AllLive(), func(m *bus.Message) {
		if p, ok, err := protocol.DecodePosition(m.Data); err != nil || !ok {
			t.Errorf("live message %s: %v", m.Data, err)
		} else {
			told <- *p
		}
	}); err != nil {
		t.Fatal(err)
	}
	place := func(conv conversation.ID, status conversation.Status, position int) {
		t.Helper()
		for {
			select {
			case p := <-told:
				if p.Conversation == conv && p.Status == status && p.Position == position {
					return
				}
			case <-d.ctx.Done():
				t.Fatalf("%s was never told that it is %s at %d", conv, status, position)
			}
		}
	}
	first, second := d.post("c-1", "m1", "refund"), d.post("c-2", "m1", "refund")
	place(second, conversation.StatusQueued, 2)
	ann := d.client(bus.PartyAgent, "ann")
	ann.signOn()
	ann.must(protocol.Request{Type: protocol.Accept, Conversation: first})
	place(first, conversation.StatusActive, 0)
	place(second, conversation.StatusOffered, 1)
}

// Who is given an agent at once is told no place, not even that the wait is over; who waited is (I-03).
func TestNoPositionWhenASlotIsFree(t *testing.T) {
	d := newDesk(t)
	d.startRouter("router-0", nil)
	bot := d.client(bus.PartyBot, "bot-0")
	bot.signOn()
	told := make(chan protocol.Position, 1000)
	if _, err := d.conn.Subscribe(d.ctx, d.names.AllLive(), func(m *bus.Message) {
		if p, ok, err := protocol.DecodePosition(m.Data); err == nil && ok {
			told <- *p
		}
	}); err != nil {
		t.Fatal(err)
	}
	slots := bot.must(protocol.Request{Type: protocol.Sync}).Agent.Slots
	served := map[conversation.ID]bool{}
	var first conversation.ID
	for i := range slots {
		first = d.post(fmt.Sprint("c-", i), "m1", "hello")
		served[first] = true
	}
	waits := d.post("c-late", "m1", "hello")
	next := func() protocol.Position {
		t.Helper()
		select {
		case p := <-told:
			return p
		case <-d.ctx.Done():
			t.Fatal("no place is told")
			return protocol.Position{}
		}
	}
	// Places are sent in the order of the decisions.
	if p := next(); p.Conversation != waits || p.Position != 1 || p.Waiting != 1 {
		t.Errorf("the first place that is told is %+v, of one who was served at once: %t", p, served[p.Conversation])
	}
	bot.must(protocol.Request{Type: protocol.Close, Conversation: first})
	for {
		p := next()
		if served[p.Conversation] {
			t.Errorf("one who was served at once is told %+v", p)
		}
		if p.Conversation == waits && p.Position == 0 {
			return
		}
	}
}

func TestFigures(t *testing.T) {
	d := newDesk(t)
	seen := make(chan protocol.Figures, 100)
	d.startRouter("router-0", func(o *Options) { o.OnFigures = func(f protocol.Figures) { seen <- f } })
	d.client(bus.PartyBot, "bot-0").signOn()
	first := d.post("c-1", "m1", "refund")
	d.post("c-2", "m1", "refund")
	d.post("c-3", "m1", "hello")
	until := func(what string, suits func(*protocol.Figures) bool) {
		t.Helper()
		for {
			select {
			case f := <-seen:
				if suits(&f) {
					return
				}
			case <-d.ctx.Done():
				t.Fatalf("the figures never said: %s", what)
			}
		}
	}
	until("two wait, the bot is busy with one", func(f *protocol.Figures) bool {
		q, p := refunds(f), f.Pools[0]
		got := []any{q.Waiting, q.Arrived, q.OldestArrival.IsZero(), p.Name, p.Online, p.Slots, p.Used, f.Counters.Opened}
		return cmp.Equal(got, []any{2, uint64(2), false, "bots", 1, 5, 1, uint64(3)})
	})
	ann := d.client(bus.PartyAgent, "ann")
	ann.signOn()
	ann.must(protocol.Request{Type: protocol.Accept, Conversation: first})
	until("one is answered, one on offer", func(f *protocol.Figures) bool {
		q, p := refunds(f), f.Pools[1]
		got := []any{q.Answered, q.InProgress, q.Waiting, q.Offered, p.Used, p.Busy}
		return cmp.Equal(got, []any{uint64(1), 1, 1, 1, 2, 1})
	})
	ann.must(protocol.Request{Type: protocol.Close, Conversation: first})
	until("one is handled", func(f *protocol.Figures) bool {
		q := refunds(f)
		got := []any{f.Pools[1].Handled, f.Counters.Closed, f.Counters.BotClosed, q.InProgress, q.Offers}
		// The time of the talk, and not of the wrap-up alone, which took none here.
		if p := f.Pools[1]; p.Answered != 1 || p.Offers != 2 || p.OffersExpired != 0 {
			return false
		}
		return cmp.Equal(got, []any{uint64(1), uint64(1), uint64(0), 0, uint64(2)}) && f.Pools[1].HandleSeconds > 0 && q.HandleMeanSeconds > 0
	})
}

func refunds(f *protocol.Figures) protocol.QueueFigures {
	i := slices.IndexFunc(f.Queues, func(q protocol.QueueFigures) bool { return q.Name == "refunds" })
	return f.Queues[i]
}
