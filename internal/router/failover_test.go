package router

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// TestAPausedLeaderIsFenced stops the leader in the middle of each append of a scene, lets another one
// play the scene to its end, and lets the first one go on: what it then writes is refused, whatever it
// believes, and it stands by.
func TestAPausedLeaderIsFenced(t *testing.T) {
	want, appends := referenceStory(t)
	for k := 1; k <= appends; k += 2 { // the kill test has them all; here each second one
		t.Run(fmt.Sprint("at ", k), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			fault := newFailingLog(k, false)
			fault.hold = make(chan struct{})
			paused := d.startRouter("router-0", func(o *Options) { o.WrapLog = fault.wrap })
			if k > 1 {
				d.leads(paused, fault)
			}
			other := d.startRouter("router-1", nil)
			scene(d)
			if paused.Status().Leading && !other.Status().Leading {
				t.Skip("the scene was over before the append came")
			}
			close(fault.hold)
			d.standsBy(paused)
			d.check()
			if diff := cmp.Diff(want, d.stories()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// standsBy waits until a router has seen that it does not lead.
func (d *desk) standsBy(p *process) {
	d.t.Helper()
	for p.Status().Leading || !p.Status().CaughtUp {
		if d.ctx.Err() != nil {
			d.t.Fatal("the fenced router never stands by")
		}
		// A request makes the bus, and so both routers, do something.
		if _, err := d.intake.Log.Info(d.ctx); err != nil {
			d.t.Fatal(err)
		}
	}
}

// Three routers that never believe each other to be well take the lead from each other all the time. It
// is slow, and right all the same.
func TestRoutersThatFight(t *testing.T) {
	want, _ := referenceStory(t)
	d := newDesk(t)
	for i := range 3 {
		d.startRouter(fmt.Sprint("router-", i), func(o *Options) { o.LeaseFor = 30 * time.Millisecond })
	}
	scene(d)
	d.check()
	if diff := cmp.Diff(want, d.stories()); diff != "" {
		t.Error(diff)
	}
}

// A router that is told to stop hands over at once: the standby's lease would last an hour.
func TestAGracefulStopHandsOverAtOnce(t *testing.T) {
	d := newDesk(t)
	first := d.startRouter("router-0", func(o *Options) { o.LeaseFor = time.Hour })
	bot := d.client(bus.PartyBot, "bot-0")
	bot.signOn()
	second := d.startRouter("router-1", func(o *Options) { o.LeaseFor = time.Hour })
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeAssigned, 1)
	first.end(t)
	bot.must(protocol.Request{Type: protocol.Close, Conversation: conv})
	if !second.Status().Leading {
		t.Error("the standby does not lead")
	}
	d.check()
}

// A request that is sent again to the next leader is recognised: it is answered and not done twice.
func TestARepeatedRequestIsDoneOnce(t *testing.T) {
	d := newDesk(t)
	first := d.startRouter("router-0", nil)
	bot, ann, ben := d.client(bus.PartyBot, "bot-0"), d.client(bus.PartyAgent, "ann"), d.client(bus.PartyAgent, "ben")
	bot.signOn()
	ann.signOn()
	conv := d.post("c-1", "m1", "a refund, please")
	d.has(conv, conversation.TypeOffered, 1)
	decline := protocol.Request{ID: "decline-1", Type: protocol.Decline, Conversation: conv}
	ann.must(decline)
	first.end(t)
	d.startRouter("router-1", nil)
	ben.signOn()
	d.has(conv, conversation.TypeOffered, 2)
	ann.must(decline) // its first answer might have been lost
	if _, err := ann.ask(protocol.Request{ID: "decline-2", Type: protocol.Decline, Conversation: conv}); !isCode(err, protocol.CodeNotOffered) {
		t.Errorf("a new decline of what is offered to ben: %v", err)
	}
	ben.must(protocol.Request{Type: protocol.Accept, Conversation: conv})
	d.check()
}

func isCode(err error, code protocol.Code) bool {
	refused, ok := errors.AsType[*protocol.Error](err)
	return ok && refused.Code == code && refused.What != "" && refused.Why != "" && refused.Remedy != ""
}

// The decision log is compacted and the state is built again from the snapshot, with what came after it.
func TestCompactionKeepsTheState(t *testing.T) {
	d := newDesk(t)
	every := func(o *Options) { o.CompactEvery = 5 }
	first := d.startRouter("router-0", every)
	bot, ann := d.client(bus.PartyBot, "bot-0"), d.client(bus.PartyAgent, "ann")
	bot.signOn()
	var convs []conversation.ID
	for i := range 8 {
		convs = append(convs, d.post(fmt.Sprint("c-", i), "m1", "hello"))
	}
	ann.signOn()
	d.post("c-0", "m2", "refund")
	d.post("c-1", "m2", "refund")
	d.post("c-2", "m2", "refund") // ann has two slots: this one waits
	d.has(convs[2], conversation.TypeQueued, 1)
	d.compacted()
	before := bot.must(protocol.Request{Type: protocol.Sync})
	waiting := ann.must(protocol.Request{Type: protocol.Show, Conversation: convs[2]})
	first.end(t)

	d.startRouter("router-1", nil)
	after := bot.must(protocol.Request{Type: protocol.Sync})
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the bot has something else after the restart: %s", diff)
	}
	again := ann.must(protocol.Request{Type: protocol.Show, Conversation: convs[2]})
	if diff := cmp.Diff(waiting.Conversation, again.Conversation); diff != "" {
		t.Errorf("the waiting conversation is another one: %s", diff)
	}
	ann.must(protocol.Request{Type: protocol.Accept, Conversation: convs[0]})
	ann.must(protocol.Request{Type: protocol.Close, Conversation: convs[0]})
	d.has(convs[2], conversation.TypeOffered, 1)
	d.check()
}

// compacted waits until the decision log does not begin with the first decision any more.
func (d *desk) compacted() {
	d.t.Helper()
	var first uint64
	for {
		for st, err := range d.intake.Log.Read(d.ctx, d.names.Decisions(), 1) {
			if err != nil {
				d.t.Fatal(err)
			}
			if b, err := conversation.DecodeBatch(st.Data); err == nil && b.Snapshot != nil {
				return
			}
			if first == 0 {
				first = st.Seq
			}
			break
		}
	}
}

// An ended conversation is forgotten when the archive has purged it, and its claim is gone with it.
func TestPurgedConversationsAreForgotten(t *testing.T) {
	d := newDesk(t)
	d.startRouter("router-0", nil)
	bot := d.client(bus.PartyBot, "bot-0")
	bot.signOn()
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeAssigned, 1)
	bot.must(protocol.Request{Type: protocol.Close, Conversation: conv})
	d.released(conv)
	last, err := d.intake.Log.LastSeq(d.ctx, d.names.Conversation(string(conv)))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.intake.Log.PurgeUpTo(d.ctx, d.names.Conversation(string(conv)), last); err != nil {
		t.Fatal(err)
	}
	for {
		left, err := d.intake.Log.LastSeq(d.ctx, d.names.Claims())
		if err != nil {
			t.Fatal(err)
		}
		if left == 0 {
			break
		}
	}
	if _, err := bot.ask(protocol.Request{Type: protocol.Show, Conversation: conv}); !isCode(err, protocol.CodeNotFound) {
		t.Errorf("a forgotten conversation is shown: %v", err)
	}
	if next := d.post("c-1", "m2", "hello again"); next == conv {
		t.Error("the forgotten conversation goes on")
	}
}

// Whatever somebody writes into the log that makes no sense is reported, and the desk goes on.
func TestJunkInTheLogStopsNobody(t *testing.T) {
	d := newDesk(t)
	id := string(conversation.NewID(time.Now()))
	other := string(conversation.NewID(time.Now()))
	foreign, err := conversation.Encode(conversation.NewEvent(conversation.NewID(time.Now()), conversation.ID(other), time.Now(),
		&conversation.Accepted{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: "ann"}}))
	if err != nil {
		t.Fatal(err)
	}
	illegal := fmt.Appendf(nil, `{"v":1,"id":"%s","at":"2026-11-20T08:00:00Z","router":"r","cursor":0,"events":[%s]}`, id, foreign)
	later := fmt.Appendf(nil, `{"v":9,"id":"%s","at":"2026-11-20T08:00:00Z","router":"r","cursor":0,"events":[
		{"v":9,"id":"%s","type":"celebrated","conversation":"%s","at":"2026-11-20T08:00:00Z","with":"cake"}]}`, other, id, id)
	for subject, data := range map[string][][]byte{
		d.names.Ownership(id):         {foreign},
		d.names.Claim("web", "c-1"):   {[]byte("junk"), []byte("{}")},
		d.names.Decisions():           {[]byte("junk"), illegal, later},
		d.names.Messages(id):          {foreign},
		d.names.Claim("chat", "c-99"): {[]byte(`{"v":1,"conversation":"x"}`)},
	} {
		for _, junk := range data {
			if _, _, err := d.intake.Log.Append(d.ctx, subject, junk, bus.AppendOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.startRouter("router-0", nil)
	bot := d.client(bus.PartyBot, "bot-0")
	bot.signOn()
	conv := d.post("c-1", "m1", "hello")
	bot.pushed(protocol.PushAssigned, conv, 1)
}
