package routing_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// story is a desk with a clock for short stories.
type story struct {
	t    *testing.T
	desk *routing.Desk
	now  time.Time
	n    int
}

func tell(t *testing.T, config routing.Config) *story {
	t.Helper()
	d, err := routing.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return &story{t: t, desk: d, now: start}
}

// peopleOnly has two people with two slots each for one queue, and no bots.
func peopleOnly() routing.Config {
	return routing.Config{
		Queues: []routing.Queue{{Name: "general", Priority: 50}}, DefaultQueue: "general",
		Pools: []routing.Pool{{
			Name: "people", Kind: conversation.KindAgent, Concurrency: 2, Members: []string{"ann", "ben"},
			Queues: []string{"general"}, OfferTimeout: 20 * time.Second,
		}},
	}
}

// do decides a second later and returns what follows in short words.
func (s *story) do(in routing.Input) string {
	s.t.Helper()
	s.now = s.now.Add(time.Second)
	for _, a := range s.desk.Agents() {
		s.desk.Seen(a.ID, s.now)
	}
	out, err := s.desk.Decide(s.now, in)
	if err != nil {
		s.t.Fatal(err)
	}
	var words []string
	for _, d := range out {
		word := string(d.Body.EventType())
		if d.Conversation != "" {
			word += " " + strings.TrimLeft(string(d.Conversation)[10:], "0")
		}
		if d.After.Agent != nil {
			word += " " + d.After.Agent.ID
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func (s *story) signOn(agents ...string) {
	s.t.Helper()
	for _, id := range agents {
		a := conversation.Agent{Kind: conversation.KindAgent, ID: id}
		if strings.HasPrefix(id, "bot") {
			a.Kind, a.Pool = conversation.KindBot, "bots"
		}
		s.do(routing.SignOn{Agent: a})
	}
}

// arrives lets the next customer write.
func (s *story) arrives(verdict routing.Verdict) (id conversation.ID, words string) {
	s.t.Helper()
	s.n++
	id = conversation.ID(fmt.Sprintf("01JD3KZ8Q8%016d", s.n))
	return id, s.writes(id, verdict)
}

func (s *story) writes(id conversation.ID, verdict routing.Verdict) string {
	s.t.Helper()
	e := conversation.NewEvent(conversation.NewID(s.now), id, s.now, &conversation.Message{
		From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"}, Text: "hello", ClientID: s.now.Format("m150405"),
	})
	e.Seq = uint64(s.now.Unix())
	s.desk.Hear(e)
	return s.do(routing.Wrote{Conversation: id, Seq: e.Seq, Channel: "web", Contact: "c", Verdict: verdict})
}

func (s *story) accepts(agent string, id conversation.ID) {
	s.t.Helper()
	s.do(routing.Accept{Agent: agent, Conversation: id})
}

func (s *story) closes(agent string, id conversation.ID) string {
	s.t.Helper()
	return s.do(routing.Close{Conversation: id, By: conversation.Actor{Kind: conversation.KindAgent, ID: agent}})
}

func (s *story) is(what, got, want string) {
	s.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("%s: %s", what, diff)
	}
}

// I-01, I-08: who is full gets nothing more, the conversation waits instead of being lost.
func TestI01NobodyIsPushedOverTheirSlots(t *testing.T) {
	s := tell(t, peopleOnly())
	s.signOn("ann")
	for range 2 {
		id, _ := s.arrives(routing.Verdict{})
		s.accepts("ann", id)
	}
	_, words := s.arrives(routing.Verdict{})
	s.is("the third customer", words, "opened 3")
	if position, waiting := s.desk.Position("01JD3KZ8Q80000000000000003"); position != 1 || waiting != 1 {
		t.Errorf("the third customer stands at %d of %d", position, waiting)
	}
}

// I-02: who frees up gets the oldest that waits, also when everybody was offline before.
func TestI02TheOldestComesFirst(t *testing.T) {
	s := tell(t, peopleOnly())
	s.arrives(routing.Verdict{})
	s.arrives(routing.Verdict{})
	s.arrives(routing.Verdict{})
	s.is("ann comes on", s.do(routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: "ann"}}),
		"signedOn, offered 1 ann, offered 2 ann")
	first := conversation.ID("01JD3KZ8Q80000000000000001")
	s.accepts("ann", first)
	s.is("ann frees up", s.closes("ann", first), "wrapUpStarted 1 ann, closed 1, offered 3 ann")
}

// I-04: work is spread: who is idle longest comes first, among busy ones who has least.
func TestI04NobodyIsOverloadedWhileOthersAreFree(t *testing.T) {
	s := tell(t, peopleOnly())
	s.signOn("ann", "ben")
	for _, want := range []string{"opened 1, offered 1 ann", "opened 2, offered 2 ben", "opened 3, offered 3 ann", "opened 4, offered 4 ben"} {
		_, words := s.arrives(routing.Verdict{})
		s.is("spread", words, want)
	}
}

// I-05: who comes back from a holiday is not flooded: only the present counts.
func TestI05ReturningAgentsDoNotCatchUp(t *testing.T) {
	s := tell(t, peopleOnly())
	s.signOn("ben")
	for range 20 {
		id, _ := s.arrives(routing.Verdict{})
		s.accepts("ben", id)
		s.closes("ben", id)
	}
	s.signOn("ann")
	_, words := s.arrives(routing.Verdict{})
	s.is("first", words, "opened 21, offered 21 ben")
	_, words = s.arrives(routing.Verdict{})
	s.is("second", words, "opened 22, offered 22 ann")
	_, words = s.arrives(routing.Verdict{})
	s.is("third", words, "opened 23, offered 23 ben")
}

// I-06: a reopened conversation does not go to an agent who is gone.
func TestI06ReopenedConversationsGoToWhoIsThere(t *testing.T) {
	s := tell(t, peopleOnly())
	s.signOn("ann")
	id, _ := s.arrives(routing.Verdict{})
	s.accepts("ann", id)
	s.closes("ann", id)
	s.do(routing.SignOff{Agent: "ann"})
	s.signOn("ben")
	s.is("the customer writes again", s.writes(id, routing.Verdict{}), "reopened 1, queued 1, offered 1 ben")
}

// I-07: what an agent had who vanished is back at its old place, before those who came later.
func TestI07LostAgentsGiveBack(t *testing.T) {
	s := tell(t, peopleOnly())
	s.signOn("ann")
	first, _ := s.arrives(routing.Verdict{})
	s.accepts("ann", first)
	s.arrives(routing.Verdict{})
	s.arrives(routing.Verdict{})
	s.now = s.now.Add(7 * time.Second)
	out, err := s.desk.Decide(s.now, routing.Tick{})
	if err != nil || len(out) != 3 {
		t.Fatalf("%d decisions, %v", len(out), err)
	}
	for i, id := range []conversation.ID{first, "01JD3KZ8Q80000000000000002", "01JD3KZ8Q80000000000000003"} {
		if position, _ := s.desk.Position(id); position != i+1 {
			t.Errorf("%s stands at %d, want %d", id, position, i+1)
		}
	}
}

// I-13: a hand-off is a decision and not a phrase; it always ends in a queue of people, and the bot is
// out of it for good.
func TestI13HandOffsHappen(t *testing.T) {
	c := peopleOnly()
	c.Pools = append(c.Pools, routing.Pool{Name: "bots", Kind: conversation.KindBot, Concurrency: 3})
	s := tell(t, c)
	s.signOn("bot-0", "bot-1")
	id, words := s.arrives(routing.Verdict{})
	s.is("first the bot", words, "opened 1, assigned 1 bot-0")
	h := &conversation.HandOff{
		TranscriptSeq: 1, Language: "zh", Verification: conversation.VerificationNone,
		Reason: conversation.Reason{Code: conversation.ReasonAskedForPerson, Words: "转人工"},
	}
	s.is("hand-off", s.do(routing.HandOff{Agent: "bot-0", Conversation: id, HandOff: h}), "queued 1")
	s.is("another bot comes", s.do(routing.SignOff{Agent: "bot-1"}), "signedOff")
	s.signOn("bot-1")
	if state, _ := s.desk.State(id); state.Status != conversation.StatusQueued || state.Queue != "general" || state.HandOff == nil {
		t.Errorf("after the hand-off it is %+v", state)
	}
	s.is("a person comes", s.do(routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: "ann"}}), "signedOn, offered 1 ann")
}

// The better score first, whatever the queue: of equal priorities that is the earlier arrival.
func TestOrderOfService(t *testing.T) {
	c := peopleOnly()
	c.Queues = append(c.Queues, routing.Queue{Name: "second", Priority: 50}, routing.Queue{Name: "vip", Priority: 90})
	c.Pools[0].Concurrency = 5
	c.Pools[0].Queues = []string{"second", "general", "vip"}
	s := tell(t, c)
	s.arrives(routing.Verdict{})                                // 1 general
	s.arrives(routing.Verdict{HandOff: "second"})               // 2 second
	s.arrives(routing.Verdict{HandOff: "vip"})                  // 3 vip
	s.arrives(routing.Verdict{Priority: new(95)})               // 4 general, raised by a rule
	s.arrives(routing.Verdict{HandOff: "a queue that is gone"}) // 5 general
	s.is("ann comes on", s.do(routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: "ann"}}),
		"signedOn, offered 4 ann, offered 3 ann, offered 1 ann, offered 2 ann, offered 5 ann")
}

// Each gift says why it is one.
func TestDecisionsSayWhy(t *testing.T) {
	s := tell(t, peopleOnly())
	s.signOn("ann", "ben")
	s.now = s.now.Add(time.Minute)
	s.desk.SeenAll(s.now)
	id, _ := s.arrives(routing.Verdict{})
	s.do(routing.Decline{Agent: "ann", Conversation: id})
	s.now = s.now.Add(30 * time.Second)
	s.desk.SeenAll(s.now)
	out, err := s.desk.Decide(s.now, routing.Decline{Agent: "ben", Conversation: id})
	if err != nil {
		t.Fatal(err)
	}
	o, ok := out[len(out)-1].Body.(*conversation.Offered)
	if !ok {
		t.Fatalf("after ben declines too: %+v", out)
	}
	want := []string{
		"score 50.5 = priority 50 + 0.5 for 31 s in queue general", "ann: idle longest, for 30 s, of 2 free", "ben declined or missed it",
	}
	if diff := cmp.Diff(want, o.Why); diff != "" {
		t.Error(diff)
	}
}

// A bot's conversation does not take its slot for ever.
func TestSilentBotConversationsEnd(t *testing.T) {
	c := peopleOnly()
	c.Pools = append(c.Pools, routing.Pool{Name: "bots", Kind: conversation.KindBot, Concurrency: 1})
	s := tell(t, c)
	s.signOn("bot-0")
	s.arrives(routing.Verdict{})
	_, words := s.arrives(routing.Verdict{})
	s.is("the second waits", words, "opened 2")
	s.now = s.now.Add(15 * time.Minute)
	s.desk.SeenAll(s.now)
	s.is("after 15 minutes of silence", s.do(routing.Tick{}), "closed 1, assigned 2 bot-0")
	s.do(routing.Left{Conversation: "01JD3KZ8Q80000000000000002", Contact: "c"})
	s.now = s.now.Add(2 * time.Minute)
	s.desk.SeenAll(s.now)
	s.is("two minutes after the customer left", s.do(routing.Tick{}), "closed 2")
}

// I-08: of two who take the same conversation one has it; and what was handed off is assigned, with the bot out of it.
func TestI08OneOwnerWhateverHappensAtOnce(t *testing.T) {
	c := peopleOnly()
	c.Pools = append(c.Pools, routing.Pool{Name: "bots", Kind: conversation.KindBot, Concurrency: 1})
	s := tell(t, c)
	s.signOn("bot-0", "ann", "ben")
	id, _ := s.arrives(routing.Verdict{})
	h := &conversation.HandOff{TranscriptSeq: 1, Language: "en", Verification: conversation.VerificationNone,
		Reason: conversation.Reason{Code: conversation.ReasonNoAnswer, Words: "no answer"}}
	s.is("hand-off", s.do(routing.HandOff{Agent: "bot-0", Conversation: id, HandOff: h}), "queued 1, offered 1 ann")
	for _, in := range []routing.Input{
		routing.Accept{Agent: "ben", Conversation: id},
		routing.HandOff{Agent: "bot-0", Conversation: id, HandOff: h},
		routing.Close{Conversation: id, By: conversation.Actor{Kind: conversation.KindBot, ID: "bot-0"}},
	} {
		if out, err := s.desk.Decide(s.now, in); err == nil {
			t.Errorf("%T of who does not have it gave %d decisions", in, len(out))
		}
	}
	s.accepts("ann", id)
	s.is("accepted twice", s.do(routing.Accept{Agent: "ann", Conversation: id}), "")
	if state, _ := s.desk.State(id); state.Owner() == nil || state.Owner().ID != "ann" {
		t.Errorf("its owner is %+v", state.Owner())
	}
	if v, _ := s.desk.Agent("bot-0"); v.Busy != 0 {
		t.Errorf("the bot still has %d", v.Busy)
	}
}

// I-15: who takes over sees what was said and tried; a hand-off without that is refused and changes nothing.
func TestI15NoHandOffWithoutTheStory(t *testing.T) {
	c := peopleOnly()
	c.Pools = append(c.Pools, routing.Pool{Name: "bots", Kind: conversation.KindBot, Concurrency: 1})
	s := tell(t, c)
	s.signOn("bot-0", "ann")
	id, _ := s.arrives(routing.Verdict{})
	told := conversation.HandOff{TranscriptSeq: 7, Language: "zh", Verification: conversation.VerificationNone, Intents: []string{"refund"},
		Reason: conversation.Reason{Code: conversation.ReasonNoAnswer, Words: "no sure answer"}}
	for name, spoil := range map[string]func(*conversation.HandOff){
		"transcript": func(h *conversation.HandOff) { h.TranscriptSeq = 0 },
		"reason":     func(h *conversation.HandOff) { h.Reason.Words = "" },
		"language":   func(h *conversation.HandOff) { h.Language = "" },
	} {
		h := told
		spoil(&h)
		if _, err := s.desk.Decide(s.now, routing.HandOff{Agent: "bot-0", Conversation: id, HandOff: &h}); err == nil {
			t.Errorf("a hand-off without %s was taken", name)
		}
	}
	s.do(routing.HandOff{Agent: "bot-0", Conversation: id, HandOff: &told})
	s.do(routing.Decline{Agent: "ann", Conversation: id})
	state, _ := s.desk.State(id)
	if diff := cmp.Diff(&told, state.HandOff); diff != "" {
		t.Errorf("behind a declined offer the story is another: %s", diff)
	}
}
