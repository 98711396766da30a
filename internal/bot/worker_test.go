package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	search "github.com/deskfleet/deskfleet/internal/knowledge/protocol"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

var faq = map[string]search.Hit{
	"return": {KnowledgeBase: "faq", ID: "returns", Question: "How do I return it?", Answer: "Within 30 days.", Language: "en", Confidence: 0.9},
	"退货":     {KnowledgeBase: "faq", ID: "returns-zh", Question: "怎么退货", Answer: "30 天内。", Language: "zh", Confidence: 0.9},
	"unsure": {KnowledgeBase: "faq", ID: "vague", Question: "Maybe?", Answer: "Perhaps.", Language: "en", Confidence: 0.3},
}

func newID() conversation.ID { return conversation.NewID(start) }

func TestAnswersWithItsEntry(t *testing.T) {
	d := newDesk(t)
	d.fakes()
	d.knows(faq)
	registry := prometheus.NewRegistry()
	o := d.options("bot-0")
	o.Registerer = registry
	d.signOn(o)
	id := newID()
	d.says(id, "How do I return it?")
	d.assign(id, "bot-0", false)
	d.waitTranscript(id, "< How do I return it?", "> Welcome to the shop!", "= returns")
	d.says(id, "怎么退货？")
	d.waitTranscript(id, "< How", "> Welcome", "= returns", "< 怎么退货？", "= returns-zh")
	d.says(id, "谢谢")
	d.waitTranscript(id, "< How", "> Welcome", "= returns", "< 怎么退货？", "= returns-zh", "< 谢谢", "> 不客气")
	d.waitHolding(1)
	if on := d.asked(protocol.SignOn); len(on) != 1 || on[0].Agent.Pool != "bots" || on[0].Agent.Kind != conversation.KindBot || on[0].Agent.Name != "Shop" {
		t.Errorf("signed on with %+v", on)
	}
	expected := `
# HELP deskfleet_bot_turns_total Turns by what was said: greeting, answer, chat, handoff, nothing.
# TYPE deskfleet_bot_turns_total counter
deskfleet_bot_turns_total{said="answer"} 2
deskfleet_bot_turns_total{said="chat"} 1
`
	eventually.Nil(t, "the turns are counted", func() error {
		return testutil.GatherAndCompare(registry, strings.NewReader(withoutNothing(t, registry, expected)), "deskfleet_bot_turns_total")
	})
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v, %v", problems, err)
	}
}

// withoutNothing adds the turns in which nothing was said, of which there may be any number.
func withoutNothing(t *testing.T, r *prometheus.Registry, expected string) string {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "deskfleet_bot_turns_total" && m.GetLabel()[0].GetValue() == "nothing" {
				expected += fmt.Sprintf("deskfleet_bot_turns_total{said=\"nothing\"} %v\n", m.GetCounter().GetValue())
			}
		}
	}
	return expected
}

func TestHandsOff(t *testing.T) {
	for name, c := range map[string]struct {
		says, said string
		code       conversation.ReasonCode
		language   string
		tried      []string
	}{
		"unsure":   {"I am unsure", "? en", conversation.ReasonNoAnswer, "en", []string{"vague"}},
		"nothing":  {"你们卖自行车吗", "? zh", conversation.ReasonNoAnswer, "zh", nil},
		"a person": {"a person, please", "> Of course", conversation.ReasonAskedForPerson, "en", nil},
		"人工":       {"转人工", "> 好的，正在为您转接人工", conversation.ReasonAskedForPerson, "zh", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.fakes()
			d.knows(faq)
			d.signOn(d.options("bot-0"))
			id := newID()
			d.append(id, &conversation.Message{From: conversation.Actor{Kind: conversation.KindBot, ID: "bot-9"}, Text: "hello", ClientID: "bot-greeting-0-0"})
			d.says(id, c.says)
			d.assign(id, "bot-0", false)
			request := d.waitAsked(protocol.HandOff, 1)[0]
			d.waitTranscript(id, "> hello", "< "+c.says, c.said)
			last, err := d.log.LastSeq(t.Context(), d.subjects.Messages(string(id)))
			if err != nil {
				t.Fatal(err)
			}
			h := request.HandOff
			if request.Conversation != id || h.Reason.Code != c.code || h.Language != c.language || h.TranscriptSeq != last || h.Verification != conversation.VerificationNone {
				t.Errorf("handed off with %+v, the last message is %d", h, last)
			}
			var tried []string
			for _, e := range h.Tried {
				tried = append(tried, e.ID)
			}
			if fmt.Sprint(tried) != fmt.Sprint(c.tried) {
				t.Errorf("tried %v, want %v", tried, c.tried)
			}
			d.waitHolding(0)
		})
	}
}

// The bot that has lost a conversation is refused, and learns what is still its own.
func TestI13TheBotStopsWhenAPersonTakesOver(t *testing.T) {
	d := newDesk(t)
	d.fakes()
	thinking, think := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.answer = func(search.Request) search.Reply {
		once.Do(func() { close(thinking); <-think })
		return search.Reply{V: 1, OK: true, Hits: []search.Hit{faq["return"]}}
	}
	d.signOn(d.options("bot-0"))
	id := newID()
	d.says(id, "hello, return?")
	d.assign(id, "bot-0", false)
	eventually.Receive(t, "the bot looks the question up", thinkingOf(thinking))
	// A person takes over; the push is lost.
	d.own(id, &conversation.Closed{By: conversation.Actor{Kind: conversation.KindSystem}, Reason: conversation.CloseResolved})
	d.mu.Lock()
	delete(d.owned, id)
	d.mu.Unlock()
	close(think)
	d.waitAsked(protocol.Sync, 1)
	d.waitHolding(0)
	if got := d.transcript(id); len(got) != 1 {
		t.Errorf("a former owner's words are stored: %q", got)
	}
}

// thinkingOf turns a channel that is closed into one that gives a value.
func thinkingOf(closed <-chan struct{}) <-chan bool {
	ch := make(chan bool, 1)
	go func() { <-closed; ch <- true }()
	return ch
}

// A newer sequence of the same owner is no reason to fall silent.
func TestFencedButStillOwner(t *testing.T) {
	d := newDesk(t)
	d.fakes()
	d.knows(faq)
	d.signOn(d.options("bot-0"))
	id := newID()
	d.says(id, "How do I return it?")
	c := d.assign(id, "bot-0", true)
	old := c.OwnSeq
	c.OwnSeq = d.own(id, &conversation.Assigned{Agent: *c.Agent})
	d.mu.Lock()
	d.owned[id] = c
	d.mu.Unlock()
	c.OwnSeq = old
	d.push("bot-0", protocol.Push{Type: protocol.PushAssigned, Conversation: &c})
	d.waitTranscript(id, "< How", "> Welcome", "= returns")
}

// What is pushed while a worker is away is found when it comes back, and what it was given before it started.
func TestPushesMayBeLost(t *testing.T) {
	d := newDesk(t)
	d.fakes()
	d.knows(faq)
	before, later := newID(), newID()
	d.says(before, "How do I return it?")
	d.assign(before, "bot-0", true)
	d.signOn(d.options("bot-0"))
	d.waitTranscript(before, "< How", "> Welcome", "= returns")
	d.says(later, "怎么退货")
	d.assign(later, "bot-0", true)
	d.push("bot-0", protocol.Push{Type: protocol.PushResync})
	d.waitTranscript(later, "< 怎么退货", "> Welcome", "= returns-zh")
	d.waitHolding(2)
	// The router forgot the worker, such as after it was lost for a while.
	d.mu.Lock()
	clear(d.signedOn)
	clear(d.owned)
	d.mu.Unlock()
	d.push("bot-0", protocol.Push{Type: protocol.PushSignOn})
	d.waitAsked(protocol.SignOn, 2)
	d.waitHolding(0)
	// A push that cannot be read is as good as a lost one.
	third := newID()
	d.says(third, "How do I return it?")
	d.assign(third, "bot-0", true)
	if err := d.conn.Publish(t.Context(), d.subjects.Offer(bus.PartyBot, "bot-0"), []byte("?")); err != nil {
		t.Fatal(err)
	}
	d.waitTranscript(third, "< How", "> Welcome", "= returns")
}

func TestReleased(t *testing.T) {
	d := newDesk(t)
	d.fakes()
	d.knows(faq)
	d.signOn(d.options("bot-0"))
	id := newID()
	d.says(id, "How do I return it?")
	c := d.assign(id, "bot-0", false)
	d.waitTranscript(id, "< How", "> Welcome", "= returns")
	// An old push, from before the conversation came here, changes nothing.
	stale := c
	stale.OwnSeq--
	d.push("bot-0", protocol.Push{Type: protocol.PushReleased, Conversation: &stale})
	d.says(id, "谢谢")
	d.waitTranscript(id, "< How", "> Welcome", "= returns", "< 谢谢", "> 不客气")
	c.OwnSeq = d.own(id, &conversation.Closed{By: conversation.Actor{Kind: conversation.KindSystem}, Reason: conversation.CloseIdle})
	d.mu.Lock()
	delete(d.owned, id)
	d.mu.Unlock()
	d.push("bot-0", protocol.Push{Type: protocol.PushReleased, Conversation: &c})
	d.waitHolding(0)
}

// On its way out the worker finishes its turn, begins no other one, and leaves only when the router knows.
func TestLeavesBetweenTwoTurns(t *testing.T) {
	d := newDesk(t)
	d.fakes()
	thinking, think := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.answer = func(search.Request) search.Reply {
		once.Do(func() { close(thinking); <-think })
		return search.Reply{V: 1, OK: true, Hits: []search.Hit{faq["return"]}}
	}
	o := d.options("bot-0")
	o.Health.Report("x", func(context.Context) error { return nil })
	stop := d.signOn(o)
	busy, idle := newID(), newID()
	d.says(idle, "谢谢")
	d.assign(idle, "bot-0", false)
	d.waitTranscript(idle, "< 谢谢", "> Welcome")
	d.says(busy, "How do I return it?")
	d.assign(busy, "bot-0", false)
	eventually.Receive(t, "the bot looks the question up", thinkingOf(thinking))
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	d.waitAsked(protocol.Drain, 1)
	eventually.True(t, "it is not ready any more", func() bool { return !o.Health.Readiness(t.Context()).Ready })
	if n := len(d.asked(protocol.SignOff)); n != 0 {
		t.Error("it signs off in the middle of a turn")
	}
	close(think)
	eventually.Receive(t, "the worker ends", thinkingOf(stopped))
	if n := len(d.asked(protocol.SignOff)); n != 1 {
		t.Errorf("it signed off %d times", n)
	}
	d.waitTranscript(busy, "< How do I return it?", "> Welcome", "= returns")
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.owned) != 0 {
		t.Errorf("still owned: %v", d.owned)
	}
}

// Another worker goes on where the first one stopped, also when that died right after its promise.
func TestNextWorkerGoesOn(t *testing.T) {
	d := newDesk(t)
	d.fakes()
	d.knows(faq)
	broken := true
	d.refuse = func(r protocol.Request) *protocol.Error {
		if r.Type == protocol.HandOff && broken {
			return &protocol.Error{Code: protocol.CodeUnavailable, What: "x", Why: "no leader", Remedy: "again"}
		}
		return nil
	}
	stop := d.signOn(d.options("bot-0"))
	id := newID()
	d.says(id, "How do I return it?")
	d.assign(id, "bot-0", false)
	d.waitTranscript(id, "< How", "> Welcome", "= returns")
	d.says(id, "转人工")
	d.waitTranscript(id, "< How", "> Welcome", "= returns", "< 转人工", "> 好的")
	d.waitAsked(protocol.HandOff, 2)
	ids := map[string]bool{}
	for _, r := range d.asked(protocol.HandOff) {
		ids[r.ID] = true
	}
	if len(ids) != 1 {
		t.Errorf("the request was repeated under %d ids", len(ids))
	}
	stop()
	d.mu.Lock()
	broken = false
	d.requests = nil
	d.mu.Unlock()
	d.signOn(d.options("bot-1"))
	d.assign(id, "bot-1", false)
	h := d.waitAsked(protocol.HandOff, 1)[0].HandOff
	if h.Reason.Code != conversation.ReasonAskedForPerson || len(h.Tried) != 1 || h.Tried[0].ID != "returns" || h.Language != "zh" {
		t.Errorf("handed off with %+v", h)
	}
	d.waitTranscript(id, "< How", "> Welcome", "= returns", "< 转人工", "> 好的")
}

// Without the knowledge role nobody is left waiting for an answer.
func TestKnowledgeIsDown(t *testing.T) {
	d := newDesk(t)
	d.fakes()
	o := d.options("bot-0")
	o.LookupTimeout = time.Millisecond
	d.signOn(o)
	id := newID()
	d.says(id, "How do I return it?")
	d.assign(id, "bot-0", false)
	if h := d.waitAsked(protocol.HandOff, 1)[0].HandOff; h.Reason.Code != conversation.ReasonFault {
		t.Errorf("handed off with %+v", h)
	}
	d.waitTranscript(id, "< How", "> Welcome", "> I'm sorry, I can't look that up")
}

// One base that cannot be asked does not take the others' answers away.
func TestOneBaseIsNotReady(t *testing.T) {
	d := newDesk(t)
	d.fakes()
	doc := document()
	doc.Knowledge = append(doc.Knowledge, doc.Knowledge[0])
	doc.Knowledge[1].Name = "not-ready"
	data, err := doc.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.source.Offer(data); err != nil {
		t.Fatal(err)
	}
	d.answer = func(r search.Request) search.Reply {
		for _, b := range r.KnowledgeBases {
			if b != "faq" {
				return search.Reply{V: 1, Error: &search.Error{Code: search.CodeUnavailable, What: b, Why: "not loaded", Remedy: "again"}}
			}
		}
		return search.Reply{V: 1, OK: true, Hits: []search.Hit{faq["return"]}}
	}
	d.signOn(d.options("bot-0"))
	id := newID()
	d.says(id, "How do I return it?")
	d.assign(id, "bot-0", false)
	d.waitTranscript(id, "< How", "> Welcome", "= returns")
}

// Settings change without a restart.
func TestConfigurationChanges(t *testing.T) {
	d := newDesk(t)
	d.fakes()
	d.knows(faq)
	d.signOn(d.options("bot-0"))
	doc := document()
	doc.Pools[0].Bot.MinConfidence, doc.Pools[0].Bot.Greeting = 0.2, nil
	data, err := doc.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.source.Offer(data); err != nil {
		t.Fatal(err)
	}
	id := newID()
	d.says(id, "I am unsure")
	d.assign(id, "bot-0", false)
	d.waitTranscript(id, "< I am unsure", "= vague")
}

// A live message is a hint: one that is received before it is stored is waited for, one that is never stored is not.
func TestLiveMessagesAreHints(t *testing.T) {
	d := newDesk(t)
	d.fakes()
	d.knows(faq)
	d.signOn(d.options("bot-0"))
	id := newID()
	d.says(id, "How do I return it?")
	d.assign(id, "bot-0", false)
	d.waitTranscript(id, "< How", "> Welcome", "= returns")
	// Refused by the log, but seen live.
	data, err := conversation.Encode(conversation.NewEvent(newID(), id, start, &conversation.Message{
		From: conversation.Actor{Kind: conversation.KindBot, ID: "bot-9"}, Text: "I still think that it is mine", ClientID: "x",
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = d.log.Append(t.Context(), d.subjects.Messages(string(id)), data, bus.AppendOptions{
		ExpectLast: bus.Expect(1 << 40), ExpectFilter: d.subjects.Ownership(string(id)),
	})
	if !errors.Is(err, bus.ErrFenced) {
		t.Fatal(err)
	}
	d.says(id, "谢谢")
	d.waitTranscript(id, "< How", "> Welcome", "= returns", "< 谢谢", "> 不客气")
}

func TestRefusedToSignOn(t *testing.T) {
	d := newDesk(t)
	d.fakes()
	d.knows(faq)
	refusing := true
	d.refuse = func(protocol.Request) *protocol.Error {
		if refusing {
			return &protocol.Error{Code: protocol.CodeUnknownPool, What: "x", Why: "no such pool", Remedy: "later"}
		}
		return nil
	}
	o := d.options("bot-0")
	d.run(o)
	d.waitAsked(protocol.SignOn, 2)
	if r := o.Health.Readiness(t.Context()); r.Ready || r.Checks["router"].OK {
		t.Errorf("readiness %+v", r)
	}
	d.mu.Lock()
	refusing = false
	d.mu.Unlock()
	eventually.True(t, "it signs on later", func() bool { return o.Health.Readiness(t.Context()).Ready })
}

func TestStartFailures(t *testing.T) {
	d := newDesk(t)
	for want, change := range map[string]func(*Options){
		"Source": func(o *Options) { o.Source = nil },
		"Name":   func(o *Options) { o.Name = "bot.0" },
		"Pool":   func(o *Options) { o.Pool = "" },
	} {
		o := d.options("bot-0")
		change(&o)
		if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
