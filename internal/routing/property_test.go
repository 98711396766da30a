package routing_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

func smallDesk() routing.Config {
	return routing.Config{
		Queues: []routing.Queue{{Name: "general", Priority: 50}, {Name: "refunds", Priority: 50}, {Name: "vip", Priority: 90}},
		Pools: []routing.Pool{
			{Name: "bots", Kind: conversation.KindBot, Concurrency: 2},
			{Name: "first", Kind: conversation.KindAgent, Concurrency: 2, Members: []string{"ann", "ben"}, Queues: []string{"refunds", "general"}, OfferTimeout: 20 * time.Second},
			{Name: "second", Kind: conversation.KindAgent, Concurrency: 1, Members: []string{"ben", "cleo"}, Queues: []string{"general", "vip"}, OfferTimeout: 10 * time.Second},
		},
		DefaultQueue: "general", Language: "en",
		Times: routing.Times{BotIdleAfter: 3 * time.Minute},
	}
}

// driver plays random events against a desk.
type driver struct {
	t     *rapid.T
	desk  *routing.Desk
	model *model
	log   journal
	now   time.Time
	seq   uint64
	convs []conversation.ID
	said  int
	ids   int

	inputs int
	// base makes the configuration that changes are drawn from.
	base func() routing.Config
}

// id gives the next conversation's id; a random one would make failures irreproducible.
func (d *driver) id() conversation.ID {
	d.ids++
	return conversation.ID(fmt.Sprintf("01JD3KZ8Q8%016d", d.ids))
}

var (
	people    = []string{"ann", "ben", "cleo"}
	everybody = append(slices.Clone(people), "bot-0", "bot-1")
)

func (d *driver) agent() string {
	return rapid.SampledFrom(everybody).Draw(d.t, "agent")
}

func (d *driver) conversation() conversation.ID {
	if len(d.convs) == 0 {
		return d.id()
	}
	return rapid.SampledFrom(d.convs).Draw(d.t, "conversation")
}

// do decides, checks every decision, and writes the log.
func (d *driver) do(in routing.Input) {
	// Rendering a desk is slow: only some refusals are compared.
	d.inputs++
	before := ""
	if d.inputs%16 == 0 {
		before = dump(d.t, d.desk)
	}
	decisions, err := d.desk.Decide(d.now, in)
	if refused, ok := errors.AsType[*routing.RefusalError](err); ok {
		if refused.What == "" || refused.Why == "" || refused.Remedy == "" {
			d.t.Fatalf("the refusal %+v does not say what, why and remedy", refused)
		}
		if before != "" && dump(d.t, d.desk) != before {
			d.t.Fatalf("%T was refused (%v) and changed the desk", in, err)
		}
		return
	}
	if err != nil {
		d.t.Fatalf("%T: %v", in, err)
	}
	if c, ok := in.(routing.Configure); ok {
		d.model.config = c.Config
	}
	for _, decision := range decisions {
		d.model.follow(d.t, d.now, decision)
		e := event(d.now, decision)
		d.seq++
		e.Seq = d.seq
		own := uint64(0)
		if e.Type.OnOwn() {
			own = d.seq
			d.desk.Owned(e.Conversation, own)
		}
		d.log.add(d.t, e, own)
	}
	d.model.checkRest(d.t, d.now, d.desk)
	checkFlow(d.t, d.now, d.desk)
}

// checkFlow: whoever came to the bots is there still, or went.
func checkFlow(t *rapid.T, now time.Time, d *routing.Desk) {
	f := d.BotFlow()
	waiting, owned := 0, 0
	for _, q := range d.Queues() {
		if q.Name == conversation.BotQueue {
			waiting = q.Waiting
		}
	}
	for _, a := range d.Agents() {
		if a.Kind == conversation.KindBot {
			owned += a.Owned
		}
	}
	var handled uint64
	for _, n := range f.Handled {
		handled += n
	}
	ages := 0
	for _, n := range f.Ages(now) {
		ages += n
	}
	if int(f.Arrived-f.Started-f.Left) != waiting || int(f.Started-f.Ended) != owned || handled != f.Ended || ages != owned || f.Waited < 0 {
		t.Fatalf("%d wait for bots, who have %d in progress, and the flow is %+v with %d ages", waiting, owned, f, ages)
	}
}

func (d *driver) write(conv conversation.ID, verdict routing.Verdict) {
	d.seq++
	d.said++
	clientID := fmt.Sprint("m", d.said)
	e := conversation.NewEvent(conversation.NewID(d.now), conv, d.now, &conversation.Message{
		From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c-" + string(conv)}, Text: "hello", ClientID: clientID,
	})
	e.Seq = d.seq
	if !d.desk.Hear(e) {
		d.t.Fatalf("a new message is not heard")
	}
	d.log.add(d.t, e, 0)
	if rapid.Bool().Draw(d.t, "delivered twice") && d.desk.Hear(e) {
		d.t.Fatalf("a message is heard twice")
	}
	d.do(routing.Wrote{Conversation: conv, Seq: d.seq, Channel: channel(conv), Contact: "c-" + string(conv), Attributes: attributes(conv), Verdict: verdict})
}

func (d *driver) verdict() routing.Verdict {
	v := routing.Verdict{Rules: "rule", Reason: "the rule matched"}
	if rapid.IntRange(0, 3).Draw(d.t, "hand-off") == 0 {
		v.HandOff = rapid.SampledFrom([]string{"general", "refunds", "vip", "gone"}).Draw(d.t, "queue")
	}
	if rapid.IntRange(0, 4).Draw(d.t, "priority") == 0 {
		p := rapid.SampledFrom([]int{10, 50, 95}).Draw(d.t, "to")
		v.Priority = &p
	}
	if rapid.IntRange(0, 4).Draw(d.t, "say") == 0 {
		v.Say = []conversation.Said{{Text: "one moment", Rule: "rule"}}
	}
	return v
}

func (d *driver) handOff() *conversation.HandOff {
	h := &conversation.HandOff{
		TranscriptSeq: d.seq, Language: "en", Verification: conversation.VerificationNone,
		Reason: conversation.Reason{Code: conversation.ReasonNoAnswer, Words: "no sure answer"},
		Queue:  rapid.SampledFrom([]string{"", "general", "refunds", "vip", "gone"}).Draw(d.t, "queue"),
	}
	if rapid.IntRange(0, 2).Draw(d.t, "by name") == 0 {
		h.Agent = rapid.SampledFrom(people).Draw(d.t, "to")
	}
	if rapid.IntRange(0, 5).Draw(d.t, "incomplete") == 0 {
		h.TranscriptSeq = 0
	}
	return h
}

// owner draws an agent: mostly the right one.
func (d *driver) owner(conv conversation.ID) string {
	if s, ok := d.desk.State(conv); ok && s.Agent != nil && rapid.IntRange(0, 4).Draw(d.t, "right") > 0 {
		return s.Agent.ID
	}
	return d.agent()
}

func (d *driver) signOn(id string) {
	a := conversation.Agent{Kind: conversation.KindAgent, ID: id}
	if id[:3] == "bot" {
		a.Kind, a.Pool = conversation.KindBot, "bots"
	}
	d.do(routing.SignOn{Agent: a, Presence: conversation.PresenceOnline})
}

// pass lets time go by, to exactly the next timer or beyond; some agents are heard meanwhile.
func (d *driver) pass() {
	step := time.Duration(rapid.IntRange(0, 8000).Draw(d.t, "millis")) * time.Millisecond
	if next := d.desk.NextTimer(); !next.IsZero() && rapid.Bool().Draw(d.t, "to the timer") {
		step = max(0, next.Sub(d.now))
	}
	d.now = d.now.Add(step)
	for _, id := range everybody {
		if rapid.IntRange(0, 9).Draw(d.t, "heard") > 0 {
			d.desk.Seen(id, d.now)
		}
	}
	d.do(routing.Tick{})
	if next := d.desk.NextTimer(); !next.IsZero() && !next.After(d.now) {
		d.t.Fatalf("after Tick at %v the next timer is %v", d.now, next)
	}
	d.model.checkNoneOver(d.t, d.now)
}

func (d *driver) configure() {
	c := d.base()
	c.Ageing = rapid.SampledFrom([]int{0, 1, 7, 100}).Draw(d.t, "ageing")
	c.Queues[0].Priority = rapid.SampledFrom([]int{20, 50, 90}).Draw(d.t, "priority of general")
	switch rapid.IntRange(0, 5).Draw(d.t, "change") {
	case 0:
		c.Queues = c.Queues[:2] // no vip
	case 1:
		c.Pools = c.Pools[1:] // no bots
	case 2:
		c.Pools[1].Queues = []string{"general"}
	case 3:
		c.Queues[1].Rings, c.Queues[1].Ladder = nil, nil
	case 4:
		c.Queues[0].Ladder = slices.Insert(slices.Clone(c.Queues[0].Ladder), 0, routing.Step{Action: routing.ActionPool, Pool: "second"})
	}
	d.do(routing.Configure{Config: c})
}

// restart throws the desk away and builds it from the log.
func (d *driver) restart() {
	rebuilt := d.log.replay(d.t, d.model.config)
	same(d.t, "the desk that was built from the log differs", d.desk, rebuilt)
	rebuilt.SeenAll(d.now)
	if rapid.Bool().Draw(d.t, "timers were dropped") {
		rebuilt.DropTimers(d.now)
		rebuilt.Rearm()
	}
	d.desk = rebuilt
	// What is due while nobody decided is decided now.
	d.do(routing.Tick{})
}

func (d *driver) step() {
	conv := d.conversation()
	switch event := rapid.IntRange(0, 27).Draw(d.t, "event"); event {
	case 0:
		d.do(routing.Postpone{Agent: d.owner(conv), Conversation: conv, Until: d.now.Add(d.seconds())})
	case 1:
		d.do(routing.CallBack{Conversation: conv, Contact: "c-" + string(conv), At: d.now.Add(d.seconds())})
	case 2:
		d.review()
	case 3:
		d.writeAgain(conv)
	case 4, 5:
		d.signOn(d.agent())
	case 6:
		d.do(routing.SetPresence{Agent: d.agent(), Presence: rapid.SampledFrom([]conversation.Presence{"online", "away"}).Draw(d.t, "presence")})
	case 7:
		d.do(routing.SetDrain{Agent: d.agent(), Draining: rapid.Bool().Draw(d.t, "draining"), Scaling: rapid.Bool().Draw(d.t, "scaling")})
	case 8:
		d.do(routing.SignOff{Agent: d.agent()})
	case 9, 10:
		d.do(routing.Accept{Agent: d.owner(conv), Conversation: conv})
	case 11:
		d.do(routing.Decline{Agent: d.owner(conv), Conversation: conv})
	case 12:
		d.do(routing.HandOff{Agent: d.owner(conv), Conversation: conv, HandOff: d.handOff()})
	case 13:
		d.endSomehow(conv)
	case 14:
		d.do(routing.Left{Conversation: conv, Contact: "c-" + string(conv)})
	case 15:
		d.do(routing.Looked{Conversation: conv, Verdict: d.verdict()})
	case 16:
		d.restart()
	case 18:
		d.do(routing.HandOver{Agent: d.agent(), Why: "its time is over"})
	case 19:
		d.do(routing.TakeOver{Agent: d.agent(), Conversation: conv})
	case 20, 21, 22:
		d.label(conv, event)
	case 23:
		d.holdSomehow()
	case 24:
		d.do(routing.SetReserve{Pool: "first", Called: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"office", "agency", "gone"}), 0, 2, rapid.ID).Draw(d.t, "called")})
	case 17:
		d.do(routing.Back{Conversation: conv, Contact: "c-" + string(conv)})
	default:
		d.begin()
	}
}

// holdSomehow lets a supervisor hold a step of a queue, or release one; some are not declared.
func (d *driver) holdSomehow() {
	queue, step := rapid.SampledFrom([]string{"general", "refunds", "vip", "gone"}).Draw(d.t, "queue"), rapid.IntRange(0, 4).Draw(d.t, "held step")
	if rapid.IntRange(0, 3).Draw(d.t, "release") == 0 {
		d.do(routing.ReleaseStep{By: "sue", Queue: queue, Step: step})
		return
	}
	d.do(routing.HoldStep{By: "sue", Queue: queue, Step: step, Until: d.now.Add(d.seconds()), Reason: "many come"})
}

// label says something about a conversation, or merges it into another one, mostly with what was seen of it.
func (d *driver) label(conv conversation.ID, event int) {
	switch event {
	case 20:
		s, _ := d.desk.State(conv)
		d.do(routing.Merge{
			By: d.agent(), Conversation: conv, Seq: s.MsgSeq - uint64(rapid.IntRange(0, 1).Draw(d.t, "stale"))*min(s.MsgSeq, 1),
			Into: d.conversation(), Note: "what was said", Say: conversation.Said{Text: "it goes on elsewhere"},
		})
	case 21:
		d.do(routing.Tag{By: conversation.Actor{Kind: conversation.KindAgent, ID: d.agent()}, Conversation: conv,
			Tags: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2, rapid.ID).Draw(d.t, "tags")})
	default:
		d.do(routing.CallBack{Conversation: conv, Contact: "c-" + string(conv)})
	}
}

// review holds that what it leaves out, as nothing has changed there, has nothing to be decided.
func (d *driver) review() {
	before := d.seq
	d.do(routing.Review{})
	if d.seq != before {
		return
	}
	d.desk.ForgetSweeps()
	d.do(routing.Review{})
	if d.seq != before {
		d.t.Fatalf("a review left %d decisions out:\n%s\n%s", d.seq-before, d.log.entries[len(d.log.entries)-2].data, d.log.entries[len(d.log.entries)-1].data)
	}
}

func (d *driver) seconds() time.Duration {
	return time.Duration(rapid.IntRange(0, 60).Draw(d.t, "seconds")) * time.Second
}

func (d *driver) writeAgain(conv conversation.ID) {
	if len(d.convs) > 0 {
		d.write(conv, d.verdict())
	}
}

// begin opens a conversation; now and then the configuration changes instead.
func (d *driver) begin() {
	if rapid.IntRange(0, 12).Draw(d.t, "rarely") == 0 {
		d.configure()
		return
	}
	id := d.id()
	d.convs = append(d.convs, id)
	d.write(id, d.verdict())
}

func (d *driver) endSomehow(conv conversation.ID) {
	switch rapid.IntRange(0, 4).Draw(d.t, "end") {
	case 0:
		d.do(routing.Close{Conversation: conv, By: conversation.Actor{Kind: conversation.KindCustomer, ID: "c-" + string(conv)}})
	case 1:
		d.do(routing.Forget{Conversation: conv, Seq: d.seq})
		if _, ok := d.desk.State(conv); !ok {
			for i, id := range d.convs {
				if id == conv {
					d.convs = append(d.convs[:i:i], d.convs[i+1:]...)
					break
				}
			}
		}
	default:
		d.do(routing.Close{Conversation: conv, By: conversation.Actor{Kind: conversation.KindAgent, ID: d.owner(conv)}})
	}
}

// TestInvariants plays random events, crashes and duplicates, and holds the design's invariants 3 to 6
// after each decision: one owner and never over the slots, the bot fenced off, nothing for agents that
// are offline, away or draining, places kept, first come first served; and that the log gives the desk.
//
// Thousands of schedules at once: parts of as many as -rapid.checks says, side by side. What a failed part prints plays
// its schedule again with -run TestInvariants/PART.
func TestInvariants(t *testing.T) {
	const parts = 20
	for part := range parts {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, playSchedule)
		})
	}
}

// lengths of schedules. Most defects show in a few steps, and some need many.
var lengths = []int{3, 10, 10, 20, 20, 20, 30, 30, 30, 40, 40, 60, 60, 80, 100, 250}

func playSchedule(t *rapid.T) {
	base := rapid.SampledFrom([]func() routing.Config{smallDesk, skilledDesk, closedDesk, reserveDesk}).Draw(t, "desk")
	desk, err := routing.New(base())
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{t: t, desk: desk, model: newModel(base()), now: start, base: base}
	for range rapid.SampledFrom(lengths).Draw(t, "steps") {
		d.step()
		d.pass()
	}
	d.restart()
	d.checkSnapshot()
	d.drainOut()
}

// checkSnapshot holds that a snapshot gives the same desk, with or without the log before it.
func (d *driver) checkSnapshot() {
	var decided []conversation.Event
	for _, e := range d.desk.Snapshot(d.now) {
		e.ID = conversation.NewID(d.now)
		data, err := conversation.Encode(e)
		if err != nil {
			d.t.Fatalf("%v", err)
		}
		back, err := conversation.Decode(data)
		if err != nil {
			d.t.Fatalf("%v", err)
		}
		decided = append(decided, back)
	}
	fresh, err := routing.New(d.model.config)
	if err != nil {
		d.t.Fatalf("%v", err)
	}
	later := d.log.replay(d.t, d.model.config)
	for name, other := range map[string]*routing.Desk{"an empty desk": fresh, "a standby": later} {
		if err := other.Restore(decided); err != nil {
			d.t.Fatalf("restore: %v", err)
		}
		same(d.t, "the snapshot gives another desk to "+name, d.desk, other)
	}
}

// drainOut lets the agents work until nobody waits: whoever waits is served in the end.
func (d *driver) drainOut() {
	d.do(routing.Configure{Config: d.base()})
	for range 10_000 {
		for _, id := range everybody {
			if a, on := d.desk.Agent(id); !on || a.Presence != conversation.PresenceOnline || a.Draining {
				d.signOn(id)
				d.do(routing.SetPresence{Agent: id, Presence: conversation.PresenceOnline})
				d.do(routing.SetDrain{Agent: id})
			}
			d.desk.Seen(id, d.now)
		}
		open := 0
		for _, id := range d.desk.Conversations() {
			s, _ := d.desk.State(id)
			if !s.Status.Ended() {
				open++
			}
			if s.Status == conversation.StatusOffered {
				d.do(routing.Accept{Agent: s.Agent.ID, Conversation: id})
			}
			if s, _ = d.desk.State(id); s.Owner() != nil {
				d.do(routing.Close{Conversation: id, By: s.Agent.Actor()})
			}
		}
		if open == 0 {
			return
		}
		d.now = d.now.Add(time.Second)
		d.do(routing.Tick{})
	}
	d.t.Fatalf("conversations are never served: %s", dump(d.t, d.desk))
}
