package router

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/escalation"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// I-07: an agent that loses its network has its conversations taken back, to their old place.
func TestI07ALostAgentsConversationsReturnToTheirPlace(t *testing.T) {
	d := newDesk(t)
	d.startRouter("router-0", func(o *Options) { o.Times = routing.Times{HeartbeatLost: 2 * time.Second} })
	d.client(bus.PartyBot, "bot-0").signOn()
	ann := d.client(bus.PartyAgent, "ann")
	ann.signOn()
	var convs []conversation.ID
	for i := range 3 {
		convs = append(convs, d.post(fmt.Sprint("c-", i), "m1", "refund"))
		d.has(convs[i], conversation.TypeQueued, 1)
	}
	ann.must(protocol.Request{Type: protocol.Accept, Conversation: convs[0]})
	first := d.has(convs[0], conversation.TypeQueued, 1).Body.(*conversation.Queued)
	ann.die()
	back := d.has(convs[0], conversation.TypeQueued, 2).Body.(*conversation.Queued)
	if back.Cause != conversation.CauseAgentLost || back.Arrival != first.Arrival {
		t.Errorf("it is back with %+v, its place was %+v", back, first.Arrival)
	}
	if e := d.has(convs[1], conversation.TypeOfferEnded, 1).Body.(*conversation.OfferEnded); e.Outcome != conversation.OutcomeRevoked {
		t.Errorf("the open offer ended with %+v", e)
	}
	ben := d.client(bus.PartyAgent, "ben")
	ben.signOn()
	d.has(convs[0], conversation.TypeOffered, 2)
	d.has(convs[1], conversation.TypeOffered, 2)
	if shown := ben.must(protocol.Request{Type: protocol.Show, Conversation: convs[2]}).Conversation; shown.Position != 3 {
		t.Errorf("the third one stands at %d", shown.Position)
	}
	d.check()
}

// An offer that is missed goes to the next agent, and the one who missed it is set away.
func TestAMissedOffer(t *testing.T) {
	d := newDesk(t)
	d.doc.Pools[1].Human.OfferTimeoutSeconds = 1
	d.startRouter("router-0", nil)
	d.client(bus.PartyBot, "bot-0").signOn()
	ann, ben := d.client(bus.PartyAgent, "ann"), d.client(bus.PartyAgent, "ben")
	ann.signOn()
	ben.signOn()
	conv := d.post("c-1", "m1", "refund")
	ann.pushed(protocol.PushOffer, conv, 1) // idle longest
	ended := ann.pushed(protocol.PushOfferEnded, conv, 1)
	if ended.Outcome != conversation.OutcomeExpired || len(ended.Why) == 0 {
		t.Errorf("the end of the offer is %+v", ended)
	}
	if away := ann.pushed(protocol.PushPresence, "", 1); away.Presence != conversation.PresenceAway || len(away.Why) == 0 {
		t.Errorf("the push is %+v", away)
	}
	ben.pushed(protocol.PushOffer, conv, 1)
	ben.must(protocol.Request{Type: protocol.Accept, Conversation: conv})
	if _, err := ann.ask(protocol.Request{Type: protocol.Accept, Conversation: conv}); !isCode(err, protocol.CodeNotOffered) {
		t.Errorf("a late accept: %v", err)
	}
	d.check()
}

// 50 customers at once, two bots with five slots each and two people with two: everyone is served.
func TestFiftyConcurrentConversations(t *testing.T) {
	d := newDesk(t)
	d.startRouter("router-0", nil)
	bots := []*client{d.client(bus.PartyBot, "bot-0"), d.client(bus.PartyBot, "bot-1")}
	people := []*client{d.client(bus.PartyAgent, "ann"), d.client(bus.PartyAgent, "ben")}
	var working sync.WaitGroup
	for _, c := range append(append([]*client{}, bots...), people...) {
		c.signOn()
		working.Go(c.work)
	}
	const n = 50
	convs := make([]conversation.ID, n)
	var posting sync.WaitGroup
	for i := range n {
		posting.Go(func() {
			text := "hello"
			if i%3 == 0 {
				text = "refund"
			}
			convs[i] = d.post(fmt.Sprint("c-", i), "m1", text)
		})
	}
	posting.Wait()
	for _, conv := range convs {
		d.has(conv, conversation.TypeClosed, 1)
	}
	d.check()
	for _, c := range append(append([]*client{}, bots...), people...) {
		if a := c.must(protocol.Request{Type: protocol.Sync}).Agent; a.Busy != 0 {
			t.Errorf("%s still has %d of %d slots busy", c.id, a.Busy, a.Slots)
		}
		c.die()
	}
	working.Wait()
}

// work answers whatever it is given, until the client dies.
func (c *client) work() {
	done := map[conversation.ID]bool{}
	seen := 0
	for {
		c.mu.Lock()
		pushes, change := c.pushes[seen:], c.change
		seen = len(c.pushes)
		c.mu.Unlock()
		for _, p := range pushes {
			c.workOn(p, done)
		}
		if len(pushes) > 0 {
			continue
		}
		select {
		case <-change:
		case <-c.gone:
			return
		}
	}
}

func (c *client) workOn(p protocol.Push, done map[conversation.ID]bool) {
	switch {
	case p.Type == protocol.PushOffer:
		// It may have been accepted by an earlier push, or be gone.
		_, _ = c.ask(protocol.Request{Type: protocol.Accept, Conversation: p.Conversation.ID})
	case p.Type == protocol.PushAssigned && !done[p.Conversation.ID]:
		done[p.Conversation.ID] = true
		// Fenced when the policy was faster: then it is somebody else's.
		if c.say(p.Conversation.ID, "answer-"+c.id, "Good day", p.Conversation.OwnSeq) == nil {
			_, _ = c.ask(protocol.Request{Type: protocol.Close, Conversation: p.Conversation.ID})
		}
	}
}

// Pools, queues, priorities and the policy change while the router runs; a policy that does not compile
// keeps the last good one.
func TestConfigurationChangesLive(t *testing.T) {
	d := newDesk(t)
	store := configOf(t, d.doc)
	update := func(doc *runtimeconfig.Document) {
		t.Helper()
		data, err := doc.Marshal()
		if err == nil {
			_, err = store.Offer(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := make(chan protocol.Figures, 100)
	d.startRouter("router-0", func(o *Options) {
		o.Config = store
		o.OnFigures = func(f protocol.Figures) { seen <- f }
	})
	d.client(bus.PartyBot, "bot-0").signOn()
	cleo := d.client(bus.PartyAgent, "cleo")
	a := conversation.Agent{Kind: conversation.KindAgent, ID: "cleo"}
	if _, err := cleo.ask(protocol.Request{Type: protocol.SignOn, Agent: &a}); !isCode(err, protocol.CodeUnknownPool) {
		t.Errorf("somebody of no pool signs on: %v", err)
	}
	conv := d.post("c-1", "m1", "refund")
	d.has(conv, conversation.TypeQueued, 1)

	next := document()
	next.Pools[1].Human.Members = append(next.Pools[1].Human.Members, "cleo")
	next.Rules = []escalation.Rule{{Name: "broken", When: "message.txt == 1", Then: escalation.Actions{HandOff: &escalation.HandOff{Queue: "general"}}}}
	update(next)
	for f := range seen {
		if f.PolicyProblem != "" {
			break
		}
	}
	if served := cleo.signOn().Agent.Queues; !cmp.Equal(served, []string{"refunds", "general"}) {
		t.Errorf("cleo serves %v", served)
	}
	d.has(conv, conversation.TypeOffered, 1)
	other := d.post("c-2", "m1", "refund")
	if q := d.has(other, conversation.TypeQueued, 1).Body.(*conversation.Queued); q.Rule != "refund" {
		t.Errorf("the last good policy does not run: %+v", q)
	}

	last := document()
	last.Queues = last.Queues[:1] // no refunds any more
	last.Pools[1].Human.Queues = []string{"general"}
	update(last)
	moved := d.has(other, conversation.TypeQueued, 2).Body.(*conversation.Queued)
	if moved.Queue != "general" || moved.Cause != conversation.CauseConfiguration {
		t.Errorf("what waited in the removed queue is %+v", moved)
	}
	d.check()
}

// A draining worker keeps what it has and gets nothing new; what is not drained any more does.
func TestDraining(t *testing.T) {
	d := newDesk(t)
	r := d.startRouter("router-0", nil)
	bot := d.client(bus.PartyBot, "bot-0")
	bot.signOn()
	kept := d.post("c-1", "m1", "hello")
	d.has(kept, conversation.TypeAssigned, 1)
	r.SetWanted(map[string]link.Wanted{"bots": {Active: 0}})
	for !bot.must(protocol.Request{Type: protocol.Sync}).Agent.Draining {
	}
	waits := d.post("c-2", "m1", "hello")
	d.has(waits, conversation.TypeOpened, 1)
	if a := bot.must(protocol.Request{Type: protocol.Sync}); a.Agent.Busy != 1 || a.Conversations[0].ID != kept {
		t.Errorf("the draining bot has %+v", a)
	}
	r.SetWanted(map[string]link.Wanted{"bots": {Active: 1}})
	d.has(waits, conversation.TypeAssigned, 1)
	bot.must(protocol.Request{Type: protocol.SignOff})
	back := d.has(kept, conversation.TypeQueued, 1).Body.(*conversation.Queued)
	if back.Queue != conversation.BotQueue || back.Cause != conversation.CauseSignedOff {
		t.Errorf("after sign-off it is %+v", back)
	}
	d.check()
}

func TestRequestsThatAreRefused(t *testing.T) {
	d := newDesk(t)
	d.startRouter("router-0", nil)
	bot := d.client(bus.PartyBot, "bot-0")
	bot.signOn()
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeAssigned, 1)
	ann := d.client(bus.PartyAgent, "ann")
	customer := d.client(bus.PartyCustomer, "c-1")
	incomplete := handOffNow(0)
	unknown := handOffNow(1)
	unknown.Queue = "nowhere"
	for name, c := range map[string]struct {
		who  *client
		req  protocol.Request
		code protocol.Code
	}{
		"accept before sign-on":    {ann, protocol.Request{Type: protocol.Accept, Conversation: conv}, protocol.CodeNotSignedOn},
		"close of another's":       {ann, protocol.Request{Type: protocol.Close, Conversation: conv}, protocol.CodeNotOwner},
		"incomplete hand-off":      {bot, protocol.Request{Type: protocol.HandOff, Conversation: conv, HandOff: incomplete}, protocol.CodeMalformed},
		"no hand-off":              {bot, protocol.Request{Type: protocol.HandOff, Conversation: conv}, protocol.CodeMalformed},
		"hand-off to nowhere":      {bot, protocol.Request{Type: protocol.HandOff, Conversation: conv, HandOff: unknown}, protocol.CodeUnknownQueue},
		"unknown conversation":     {bot, protocol.Request{Type: protocol.Close, Conversation: "01JD3KZ8Q80000000000000000"}, protocol.CodeNotFound},
		"unknown request":          {bot, protocol.Request{Type: "dance"}, protocol.CodeUnsupported},
		"request of another party": {customer, protocol.Request{Type: protocol.Accept, Conversation: conv}, protocol.CodeUnsupported},
		"sign-on as somebody else": {ann, protocol.Request{Type: protocol.SignOn, Agent: &conversation.Agent{Kind: conversation.KindAgent, ID: "ben"}}, protocol.CodeMalformed},
		"no id":                    {ann, protocol.Request{ID: "a b", Type: protocol.Sync}, protocol.CodeMalformed},
	} {
		if _, err := c.who.ask(c.req); !isCode(err, c.code) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	d.check()
}
