package router

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/escalation"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// people makes the desk one without bots, with all that the test changes.
func (d *desk) people(change func(queue *runtimeconfig.Queue, pool *runtimeconfig.HumanSettings)) {
	d.doc.Pools = d.doc.Pools[1:]
	d.doc.Rules = nil
	change(&d.doc.Queues[0], d.doc.Pools[0].Human)
}

// Why an agent is asked is stored with the decision, and shown to whoever looks later.
func TestTheReasonOfAnOfferIsStoredAndShown(t *testing.T) {
	d := newDesk(t)
	d.people(func(q *runtimeconfig.Queue, p *runtimeconfig.HumanSettings) {
		q.Skills = []runtimeconfig.QueueSkill{{Name: "refund", Level: 2}}
		p.Skills = []runtimeconfig.AgentSkill{{Name: "refund"}}
		p.Agents = []runtimeconfig.AgentSettings{{Name: "ben", Skills: []runtimeconfig.AgentSkill{{Name: "refund", Level: 3}}}}
	})
	d.startRouter("router-0", nil)
	ann, ben := d.client(bus.PartyAgent, "ann"), d.client(bus.PartyAgent, "ben")
	ann.signOn()
	ben.signOn()
	conv := d.post("c-1", "m1", "hello")
	offered, ok := d.has(conv, conversation.TypeOffered, 1).Body.(*conversation.Offered)
	if !ok || offered.Agent.ID != "ben" {
		t.Fatalf("the offer is %+v", offered)
	}
	why := strings.Join(offered.Why, "\n")
	for _, part := range []string{"priority 50", "in queue general", "refund 3 ≥ 2", "ben: surplus of skills 1", "1 agent lacks refund"} {
		if !strings.Contains(why, part) {
			t.Errorf("%q does not say %q", why, part)
		}
	}
	ben.must(protocol.Request{Type: protocol.Accept, Conversation: conv})
	shown := ben.must(protocol.Request{Type: protocol.Show, Conversation: conv}).Conversation
	if diff := cmp.Diff(offered.Why, shown.Why); diff != "" {
		t.Errorf("shown later: %s", diff)
	}
	d.check()
}

// What a gateway's claim says of a contact counts for the conversation that opens, and the offer says so.
func TestATierGoesBefore(t *testing.T) {
	d := newDesk(t)
	d.doc.Routing.Tiers = []runtimeconfig.Tier{{Name: "gold", Priority: 25}}
	d.doc.Pools[1].Concurrency = 1
	d.people(func(*runtimeconfig.Queue, *runtimeconfig.HumanSettings) {})
	d.startRouter("router-0", nil)
	usual := d.post("c-1", "m1", "hello")
	posted, err := d.intake.Post(d.ctx, intake.Contact{
		Channel: "web", ID: "c-2", Language: "en", Attributes: conversation.Attributes{conversation.AttributeTier: "gold"},
	}, conversation.Message{Text: "hello", Language: "en", ClientID: "m1"}, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	d.has(usual, conversation.TypeOpened, 1)
	opened, _ := d.has(posted.Conversation, conversation.TypeOpened, 1).Body.(*conversation.Opened)
	if opened.Priority != 75 || opened.Attributes.Tier() != "gold" {
		t.Errorf("it opens as %+v", opened)
	}
	ann := d.client(bus.PartyAgent, "ann")
	ann.signOn()
	first, _ := d.has(posted.Conversation, conversation.TypeOffered, 1).Body.(*conversation.Offered)
	if !strings.Contains(first.Why[0], "priority 50 + 25 for tier gold") {
		t.Errorf("the offer says %q", first.Why)
	}
	if story := strings.Join(d.story(usual), " "); strings.Contains(story, "offered") {
		t.Errorf("ann has one slot, and the one without a tier was offered too: %s", story)
	}
	d.check()
}

// I-06: a contact who comes again within the window goes to whom they talked to, also behind a failover.
func TestAContactReturnsToTheLastAgent(t *testing.T) {
	d := newDesk(t)
	d.doc.Routing.StickyForSeconds = 3600
	d.people(func(*runtimeconfig.Queue, *runtimeconfig.HumanSettings) {})
	first := d.startRouter("router-0", nil)
	ben := d.client(bus.PartyAgent, "ben")
	ben.signOn()
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeOffered, 1)
	ben.must(protocol.Request{Type: protocol.Accept, Conversation: conv})
	ann := d.client(bus.PartyAgent, "ann")
	ann.signOn()
	ben.must(protocol.Request{Type: protocol.Close, Conversation: conv})
	d.released(conv)
	first.end(t)
	d.startRouter("router-1", nil)
	again := d.post("c-1", "m2", "hello again")
	if again == conv {
		t.Fatal("the conversation that had ended was taken up again")
	}
	if o, _ := d.has(again, conversation.TypeOffered, 1).Body.(*conversation.Offered); o.Agent.ID != "ben" {
		t.Errorf("the contact goes to %s, because of %q", o.Agent.ID, o.Why)
	}
	if o, _ := d.has(d.post("c-2", "m1", "hello"), conversation.TypeOffered, 1).Body.(*conversation.Offered); o.Agent.ID != "ann" {
		t.Errorf("another contact goes to %s, because of %q", o.Agent.ID, o.Why)
	}
	d.check()
}

// A wrap-up that began under one router ends under the next, and a message in it goes to its owner.
func TestWrapUpOutlivesARouter(t *testing.T) {
	d := newDesk(t)
	d.people(func(_ *runtimeconfig.Queue, p *runtimeconfig.HumanSettings) { p.WrapUpSeconds = 2 })
	first := d.startRouter("router-0", nil)
	ann := d.client(bus.PartyAgent, "ann")
	ann.signOn()
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeOffered, 1)
	ann.must(protocol.Request{Type: protocol.Accept, Conversation: conv})
	reply := ann.must(protocol.Request{Type: protocol.Close, Conversation: conv, Disposition: "done"})
	if c := reply.Conversation; c.Status != conversation.StatusWrapUp || c.Deadline.IsZero() {
		t.Errorf("after the close it is %s until %v", c.Status, c.Deadline)
	}
	if again := d.post("c-1", "m2", "one more thing"); again != conv {
		t.Errorf("a message in the wrap-up opened %s", again)
	}
	d.has(conv, conversation.TypeResumed, 1)
	ann.must(protocol.Request{Type: protocol.Close, Conversation: conv, Disposition: "done"})
	first.end(t)
	d.startRouter("router-1", nil)
	closed, ok := d.has(conv, conversation.TypeClosed, 1).Body.(*conversation.Closed)
	if !ok || closed.Disposition != "done" || closed.By.ID != "ann" {
		t.Errorf("it was closed as %+v", closed)
	}
	d.check()
}

// I-03: who waits is told how long, from the moment at which that can be told.
func TestExpectedWaitIsTold(t *testing.T) {
	d := newDesk(t)
	d.people(func(_ *runtimeconfig.Queue, p *runtimeconfig.HumanSettings) { p.Members = []string{"ann"} })
	d.doc.Pools[0].Concurrency = 1
	d.startRouter("router-0", nil)
	ann := d.client(bus.PartyAgent, "ann")
	ann.signOn()
	for _, contact := range []string{"c-1", "c-2"} {
		conv := d.post(contact, "m1", "hello")
		d.has(conv, conversation.TypeOffered, 1)
		ann.must(protocol.Request{Type: protocol.Accept, Conversation: conv})
		if contact == "c-1" {
			ann.must(protocol.Request{Type: protocol.Close, Conversation: conv})
			d.released(conv)
		}
	}
	told := make(chan protocol.Position, 1000)
	if _, err := d.conn.Subscribe(d.ctx, d.names.AllLive(), func(m *bus.Message) {
		if p, ok, err := protocol.DecodePosition(m.Data); err == nil && ok {
			told <- *p
		}
	}); err != nil {
		t.Fatal(err)
	}
	waits := d.post("c-3", "m1", "hello")
	for {
		select {
		case p := <-told:
			if p.Conversation == waits && p.Position == 1 && p.ExpectedWaitSeconds >= 5 {
				return
			}
		case <-d.ctx.Done():
			t.Fatal("no expected wait is told")
		}
	}
}

// Everything that a document declares about who serves whom reaches routing.
func TestRoutingConfigOfADocument(t *testing.T) {
	doc := document()
	doc.Routing = runtimeconfig.Routing{AgeingPerMinute: 5, StickyForSeconds: 60, ReopenForSeconds: 120}
	doc.TimeZone = "Asia/Shanghai"
	doc.Calendar = &runtimeconfig.Calendar{
		OpeningHours: []runtimeconfig.OpeningHours{{Days: []string{"Friday"}, Periods: []runtimeconfig.Period{{From: "09:00", To: "18:00"}}}},
		Closed:       runtimeconfig.Closed{Behaviour: runtimeconfig.ClosedBotOnly, Say: []escalation.LocalisedText{{Language: "en", Text: "closed"}}},
	}
	doc.Queues[0] = runtimeconfig.Queue{
		Name: "general", Priority: 50, MaxLength: 9, MaxWaitSeconds: 600, Announce: runtimeconfig.AnnouncePosition,
		ServiceLevel: &runtimeconfig.ServiceLevel{Percent: 80, WithinSeconds: 20},
		Skills:       []runtimeconfig.QueueSkill{{Name: "refund", Level: 2}, {Name: "english", Need: runtimeconfig.NeedPreferred}},
		Relax:        []runtimeconfig.Relax{{AfterSeconds: 30, LowerLevelsBy: 1}, {AfterSeconds: 60, Drop: runtimeconfig.DropAll, AddPools: []string{"people"}}},
		Overflow:     []runtimeconfig.Overflow{{PredictedWaitSeconds: 60, Action: runtimeconfig.OverflowQueue, Queue: "refunds"}},
	}
	h := doc.Pools[1].Human
	h.WrapUpSeconds, h.MaxMisses = 30, 3
	h.Reserved, h.Weights = []runtimeconfig.Reserved{{Queue: "refunds", Slots: 1}}, []runtimeconfig.Weight{{Channel: "WebChat", Slots: 2}}
	h.Shifts = []runtimeconfig.Shift{{Name: "early", Days: []string{"Friday"}, From: "08:00", To: "16:00", Members: []string{"ann"}}, {Name: "wrong", Days: []string{"Frieday"}, From: "1", To: "2"}}
	c := routingConfig(doc, routing.Times{})
	problem := setHours(&c, doc)
	if !strings.Contains(problem, "shift wrong of pool people") || !strings.Contains(problem, "Frieday") {
		t.Errorf("the problem is %q", problem)
	}
	friday := time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC) // ten in Shanghai
	for _, tt := range []struct {
		name  string
		hours routing.Hours
		until time.Time
	}{
		{"the desk", c.Hours, friday.Add(8 * time.Hour)},
		{"the shift", c.Pools[1].Shifts[0].Hours, friday.Add(6 * time.Hour)},
	} {
		if open, until := tt.hours.At(friday); !open || !until.Equal(tt.until) {
			t.Errorf("%s is open %v until %v, want %v", tt.name, open, until, tt.until)
		}
	}
	if len(c.Pools[1].Shifts) != 1 {
		t.Errorf("there are %d shifts, the wrong one is one of them", len(c.Pools[1].Shifts))
	}
	c.Hours, c.Pools[1].Shifts = nil, nil
	want := routing.Config{
		DefaultQueue: "general", Language: "en", Ageing: 5, StickyFor: time.Minute, ReopenFor: 2 * time.Minute,
		Closed: routing.Closed{Behaviour: routing.ClosedBotOnly, Say: []routing.Text{{Language: "en", Text: "closed"}}},
		Queues: []routing.Queue{
			{
				Name: "general", Priority: 50, MaxLength: 9, MaxWait: 10 * time.Minute, Announce: routing.AnnouncePosition, Within: 20 * time.Second,
				Skills: []routing.Wanted{{Skill: routing.Skill{Name: "refund", Level: 2}}, {Skill: routing.Skill{Name: "english", Level: 1}, Preferred: true}},
				Rings:  []routing.Ring{{After: 30 * time.Second, LowerLevelsBy: 1}, {After: time.Minute, Drop: routing.DropAll, AddPools: []string{"people"}}},
				Ladder: []routing.Step{{PredictedWait: time.Minute, Action: routing.ActionQueue, Queue: "refunds"}},
			},
			{Name: "refunds", Priority: 60, Announce: routing.AnnouncePositionAndWait},
		},
		Pools: []routing.Pool{
			{Name: "bots", Kind: conversation.KindBot, Concurrency: 5},
			{
				Name: "people", Kind: conversation.KindAgent, Concurrency: 2, Members: []string{"ann", "ben"}, Queues: []string{"refunds", "general"},
				OfferTimeout: 30 * time.Second, WrapUp: 30 * time.Second, MaxMisses: 3,
				Reserved: []routing.Reserved{{Queue: "refunds", Slots: 1}}, Weights: []routing.Weight{{Channel: "web", Slots: 2}},
			},
		},
	}
	if diff := cmp.Diff(want, c, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// I-07, for people who go on purpose: a follow-up that is put off outlives the router and comes back to its owner;
// and a customer who does not want to wait on is called back.
func TestFollowUpAndCallback(t *testing.T) {
	d := newDesk(t)
	d.people(func(_ *runtimeconfig.Queue, p *runtimeconfig.HumanSettings) { p.Members = []string{"ann"} })
	d.doc.Pools[0].Concurrency = 1
	first := d.startRouter("router-0", nil)
	ann := d.client(bus.PartyAgent, "ann")
	ann.signOn()
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeOffered, 1)
	ann.must(protocol.Request{Type: protocol.Accept, Conversation: conv})
	waits := d.post("c-2", "m1", "hello")
	d.has(waits, conversation.TypeOpened, 1)
	customer := d.client(bus.PartyCustomer, "c-2")
	reply := customer.must(protocol.Request{Type: protocol.CallBack, Conversation: waits, Until: time.Now().Add(time.Hour)})
	if c := reply.Conversation; c.Status != conversation.StatusCallbackPending || c.Position != 0 || c.Deadline.IsZero() {
		t.Errorf("who is to be called back is %s at %d until %v", c.Status, c.Position, c.Deadline)
	}
	if _, err := ann.ask(protocol.Request{Type: protocol.CallBack, Conversation: waits, Until: time.Now().Add(time.Hour)}); !isCode(err, protocol.CodeUnsupported) {
		t.Errorf("an agent asks to be called back: %v", err)
	}
	ann.must(protocol.Request{Type: protocol.Postpone, Conversation: conv, Until: time.Now().Add(2 * time.Second)})
	ann.pushed(protocol.PushReleased, conv, 1)
	first.end(t)
	d.startRouter("router-1", nil)
	d.has(conv, conversation.TypeOffered, 2)
	if again := d.post("c-2", "m2", "I am back"); again != waits {
		t.Errorf("a message before the callback opened %s", again)
	}
	d.has(waits, conversation.TypeQueued, 1)
	d.check()
}

// The claim that tells of the last agent outlives the conversation, and goes when it tells nothing any more.
func TestALastAgentOutlivesThePurge(t *testing.T) {
	d := newDesk(t)
	d.doc.Routing.StickyForSeconds = 3600
	d.people(func(*runtimeconfig.Queue, *runtimeconfig.HumanSettings) {})
	d.startRouter("router-0", nil)
	ben := d.client(bus.PartyAgent, "ben")
	ben.signOn()
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeOffered, 1)
	ben.must(protocol.Request{Type: protocol.Accept, Conversation: conv})
	ben.must(protocol.Request{Type: protocol.Close, Conversation: conv})
	d.released(conv)
	subject := d.names.Conversation(string(conv))
	last, err := d.intake.Log.LastSeq(d.ctx, subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.intake.Log.PurgeUpTo(d.ctx, subject, last); err != nil {
		t.Fatal(err)
	}
	for { // until the router has forgotten it
		if _, err := ben.ask(protocol.Request{Type: protocol.Show, Conversation: conv}); isCode(err, protocol.CodeNotFound) {
			break
		}
	}
	ann := d.client(bus.PartyAgent, "ann")
	ann.signOn()
	other := d.post("c-2", "m1", "hello")
	if o, _ := d.has(other, conversation.TypeOffered, 1).Body.(*conversation.Offered); o.Agent.ID != "ben" {
		t.Fatalf("ben has been idle longest, %s is asked", o.Agent.ID)
	}
	again := d.post("c-1", "m2", "hello again")
	if o, _ := d.has(again, conversation.TypeOffered, 1).Body.(*conversation.Offered); o.Agent.ID != "ben" {
		t.Errorf("the contact goes to %s, because of %q", o.Agent.ID, o.Why)
	}
	d.check()
}

// A queue may keep the place to itself: then nobody is told one, not even who asks.
func TestNothingIsAnnounced(t *testing.T) {
	d := newDesk(t)
	d.people(func(q *runtimeconfig.Queue, _ *runtimeconfig.HumanSettings) {
		q.Announce = runtimeconfig.AnnounceNothing
	})
	ticks := make(chan protocol.Figures, 100)
	d.startRouter("router-0", func(o *Options) { o.OnFigures = func(f protocol.Figures) { ticks <- f } })
	told := make(chan protocol.Position, 1000)
	if _, err := d.conn.Subscribe(d.ctx, d.names.AllLive(), func(m *bus.Message) {
		if p, ok, err := protocol.DecodePosition(m.Data); err == nil && ok {
			told <- *p
		}
	}); err != nil {
		t.Fatal(err)
	}
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeOpened, 1)
	shown := d.client(bus.PartyCustomer, "c-1").must(protocol.Request{Type: protocol.Show, Conversation: conv}).Conversation
	if shown.Status != conversation.StatusQueued || shown.Position != 0 || shown.Waiting != 0 || shown.ExpectedWaitSeconds != 0 {
		t.Errorf("who asks is told %d of %d, %d s", shown.Position, shown.Waiting, shown.ExpectedWaitSeconds)
	}
	for range 6 { // seconds: all places are told each fifth
		select {
		case <-ticks:
		case <-d.ctx.Done():
			t.Fatal("the router tells no figures")
		}
	}
	if len(told) > 0 {
		t.Errorf("told was %+v", <-told)
	}
}
