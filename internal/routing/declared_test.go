package routing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// after lets time go by; everybody is heard.
func (s *story) after(t time.Duration) string {
	s.t.Helper()
	s.now = s.now.Add(t - time.Second)
	s.desk.SeenAll(s.now)
	return s.do(routing.Tick{})
}

// whyOf the agent that has or is asked for a conversation, as one text.
func (s *story) whyOf(id conversation.ID) string {
	s.t.Helper()
	state, ok := s.desk.State(id)
	if !ok {
		s.t.Fatalf("conversation %s is not known", id)
	}
	return strings.Join(state.Why, "\n")
}

func (s *story) says(what, text string, parts ...string) {
	s.t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			s.t.Errorf("%s: %q does not say %q", what, text, part)
		}
	}
}

// refunds has three people with different skills for a queue that asks for two.
func refunds() routing.Config {
	c := peopleOnly()
	c.Queues = append(c.Queues, routing.Queue{Name: "refunds", Priority: 60, Skills: []routing.Wanted{
		{Skill: routing.Skill{Name: "refund", Level: 2}}, {Skill: routing.Skill{Name: "english", Level: 1}, Preferred: true},
	}})
	c.Pools = []routing.Pool{{
		Name: "people", Kind: conversation.KindAgent, Concurrency: 2, Members: []string{"ann", "ben", "cleo"},
		Queues: []string{"refunds", "general"}, OfferTimeout: 20 * time.Second, Skills: []routing.Skill{{Name: "refund", Level: 1}},
		Overrides: []routing.Override{
			{Agent: "ann", Skills: []routing.Skill{{Name: "refund", Level: 5}}},
			{Agent: "ben", Skills: []routing.Skill{{Name: "refund", Level: 2}}},
		},
	}}
	return c
}

// I-22: skills with levels: only who has them, exact before over-qualified, preferred before all.
func TestI22SkillsWithLevels(t *testing.T) {
	s := tell(t, refunds())
	s.signOn("ann", "cleo", "ben")
	id, words := s.arrives(routing.Verdict{HandOff: "refunds"})
	s.is("exact before over-qualified", words, "opened 1, queued 1, offered 1 ben")
	s.says("why", s.whyOf(id), "refund 2 ≥ 2", "preferred english not met", "ben: exact skills", "1 agent lacks refund", "of 2 free")
	s.is("the next one who has it", s.do(routing.Decline{Agent: "ben", Conversation: id}), "offerEnded 1, offered 1 ann")
	s.says("why", s.whyOf(id), "refund 5 ≥ 2", "ann: surplus of skills 3", "ben declined or missed it")
	s.is("cleo never", s.do(routing.Decline{Agent: "ann", Conversation: id}), "offerEnded 1")
	_, words = s.arrives(routing.Verdict{})
	s.is("without skills who knows least goes first", words, "opened 2, offered 2 cleo")

	c := refunds()
	c.Pools[0].Overrides[0].Skills = append(c.Pools[0].Overrides[0].Skills, routing.Skill{Name: "english", Level: 3})
	s = tell(t, c)
	s.signOn("ben", "ann")
	id, words = s.arrives(routing.Verdict{HandOff: "refunds"})
	s.is("preferred before exact", words, "opened 1, queued 1, offered 1 ann")
	s.says("why", s.whyOf(id), "preferred english met")
}

// Rings ask for less with the time; they hold over a restart and follow a change of the configuration.
func TestRingsRelaxWithTheWait(t *testing.T) {
	c := refunds()
	c.Pools = append(c.Pools, routing.Pool{Name: "backup", Kind: conversation.KindAgent, Concurrency: 1, Members: []string{"dan"}, Queues: []string{"general"}})
	c.Queues[1].Rings = []routing.Ring{
		{After: 30 * time.Second, LowerLevelsBy: 1}, {After: 60 * time.Second, Drop: routing.DropAll, AddPools: []string{"backup"}},
	}
	s := tell(t, c)
	id, _ := s.arrives(routing.Verdict{HandOff: "refunds"})
	s.signOn("cleo", "dan")
	s.is("before the first ring", s.after(26*time.Second), "")
	s.is("the first ring", s.after(2*time.Second), "relaxed 1, offered 1 cleo")
	s.says("why", s.whyOf(id), "ring 1 since 30 s: level −1", "refund 1 ≥ 1")
	s.do(routing.Decline{Agent: "cleo", Conversation: id})
	restored, err := routing.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := restored.Restore(s.desk.Snapshot(s.now)); err != nil {
		t.Fatal(err)
	}
	s.desk = restored
	s.desk.SeenAll(s.now)
	s.desk.Rearm()
	s.is("the second ring, after a restart", s.after(30*time.Second), "relaxed 1, offered 1 dan")
	s.says("why", s.whyOf(id), "ring 2 since 1 min: level −1, all skills dropped, with pools backup")

	c.Queues[1].Rings = c.Queues[1].Rings[:1]
	s.is("the second ring is taken out of the configuration", s.do(routing.Configure{Config: c}), "relaxed 1 dan, offerEnded 1, offered 1 cleo")
}

// A conversation that takes more slots is not starved by those that take one.
func TestHeavyConversationsAreNotStarved(t *testing.T) {
	c := peopleOnly()
	c.Pools[0].Members = []string{"ann"}
	c.Pools[0].Weights = []routing.Weight{{Channel: "mail", Slots: 2}}
	s := tell(t, c)
	s.signOn("ann")
	first, _ := s.arrives(routing.Verdict{})
	second, _ := s.arrives(routing.Verdict{})
	s.accepts("ann", first)
	s.accepts("ann", second)
	s.n++
	mail := conversation.ID("01JD3KZ8Q80000000000000003")
	e := conversation.NewEvent(mail, mail, s.now, &conversation.Message{From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"}, Text: "hello", ClientID: "m"})
	e.Seq = 100
	s.desk.Hear(e)
	s.is("a mail waits for two slots", s.do(routing.Wrote{Conversation: mail, Seq: 100, Channel: "mail", Contact: "c"}), "opened 3")
	s.arrives(routing.Verdict{})
	s.is("one that came soon after it may go first", s.closes("ann", first), "wrapUpStarted 1 ann, closed 1, offered 4 ann")
	s.accepts("ann", "01JD3KZ8Q80000000000000004")
	s.after(2 * time.Minute)
	s.arrives(routing.Verdict{})
	s.is("one that came much later may not", s.closes("ann", second), "wrapUpStarted 2 ann, closed 2")
	s.is("the mail gets its two slots", s.closes("ann", "01JD3KZ8Q80000000000000004"), "wrapUpStarted 4 ann, closed 4, offered 3 ann")
	s.says("why", s.whyOf(mail), "takes 2 slots")
	s.is("slots that are kept are used when the mail is gone", s.do(routing.Close{Conversation: mail, By: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"}}),
		"offerEnded 3, abandoned 3, offered 5 ann")
}

// A slot that is reserved for a queue is taken by that queue only.
func TestReservedSlots(t *testing.T) {
	c := peopleOnly()
	c.Queues = append(c.Queues, routing.Queue{Name: "vip", Priority: 50})
	c.Pools[0].Members, c.Pools[0].Queues = []string{"ann"}, []string{"general", "vip"}
	c.Pools[0].Reserved = []routing.Reserved{{Queue: "vip", Slots: 1}}
	s := tell(t, c)
	s.signOn("ann")
	s.arrives(routing.Verdict{})
	_, words := s.arrives(routing.Verdict{})
	s.is("the reserved slot stays free", words, "opened 2")
	_, words = s.arrives(routing.Verdict{HandOff: "vip"})
	s.is("for a VIP", words, "opened 3, queued 3, offered 3 ann")
}

// Whoever misses some offers in a row is set away; one missed offer may be an accident.
func TestMaxMisses(t *testing.T) {
	c := peopleOnly()
	c.Pools[0].MaxMisses = 2
	s := tell(t, c)
	s.signOn("ann")
	s.arrives(routing.Verdict{})
	s.is("the first miss", s.after(20*time.Second), "offerEnded 1")
	_, words := s.arrives(routing.Verdict{})
	s.is("ann is asked again", words, "opened 2, offered 2 ann")
	s.is("the second miss in a row", s.after(20*time.Second), "offerEnded 2, presenceSet")
	s.do(routing.SetPresence{Agent: "ann", Presence: conversation.PresenceOnline})
	s.after(30 * time.Second)
	s.accepts("ann", "01JD3KZ8Q80000000000000001")
	s.is("an answer begins the count anew", s.after(20*time.Second), "offerEnded 2")
}

// I-06: who returns gets the agent who knows the matter, if that one is there; nobody waits for one who is not.
func TestI06TheLastAgentGoesFirstWhileThere(t *testing.T) {
	c := peopleOnly()
	c.StickyFor = time.Hour
	s := tell(t, c)
	s.signOn("ann", "ben")
	returns := func(agent string, ago time.Duration) (conversation.ID, string) {
		s.n++
		id := conversation.ID("01JD3KZ8Q8000000000000010" + string(rune('0'+s.n)))
		e := conversation.NewEvent(id, id, s.now, &conversation.Message{From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"}, Text: "again", ClientID: "m"})
		e.Seq = uint64(1000 + s.n)
		s.desk.Hear(e)
		return id, s.do(routing.Wrote{Conversation: id, Seq: e.Seq, Channel: "web", Contact: "c", LastAgent: agent, LastAgentAt: s.now.Add(-ago)})
	}
	id, words := returns("ben", time.Minute)
	s.is("within the window", words, "opened 101, offered 101 ben")
	s.says("why", s.whyOf(id), "the contact's last agent")
	s.accepts("ben", id)
	_, words = returns("ben", 2*time.Hour)
	s.is("behind the window", words, "opened 102, offered 102 ann")
	s.do(routing.SetPresence{Agent: "ben", Presence: conversation.PresenceAway})
	_, words = returns("ben", time.Minute)
	s.is("an agent who is away", words, "opened 103, offered 103 ann")
}

// A customer's message in the wrap-up goes to the agent who is still at it.
func TestWrapUp(t *testing.T) {
	c := peopleOnly()
	c.Pools[0].WrapUp = 30 * time.Second
	c.Pools[0].Members, c.Pools[0].Concurrency = []string{"ann"}, 1
	s := tell(t, c)
	s.signOn("ann")
	first, _ := s.arrives(routing.Verdict{})
	s.accepts("ann", first)
	s.arrives(routing.Verdict{})
	s.is("the talk ends", s.do(routing.Close{Conversation: first, By: conversation.Actor{Kind: conversation.KindAgent, ID: "ann"}, Disposition: "refunded"}),
		"wrapUpStarted 1 ann")
	s.is("the customer has one more thing", s.writes(first, routing.Verdict{}), "resumed 1 ann")
	s.closes("ann", first)
	s.is("half a minute later", s.after(30*time.Second), "closed 1, offered 2 ann")
	s.accepts("ann", "01JD3KZ8Q80000000000000002")
	s.do(routing.Close{Conversation: "01JD3KZ8Q80000000000000002", By: conversation.Actor{Kind: conversation.KindAgent, ID: "ann"}, Disposition: "refunded"})
	s.is("the agent is done before", s.closes("ann", "01JD3KZ8Q80000000000000002"), "closed 2")
	if state, _ := s.desk.State("01JD3KZ8Q80000000000000002"); state.Disposition != "refunded" {
		t.Errorf("the disposition of the first word was lost: %q", state.Disposition)
	}
}

// Nothing is offered that would pass the end of a shift, and nothing at all outside it.
func TestNothingIsOfferedPastTheShift(t *testing.T) {
	c := peopleOnly()
	c.Pools[0].Members = []string{"ann"}
	c.Pools[0].Shifts = []routing.Shift{{Name: "early", Hours: every{on: time.Hour, off: time.Hour}}}
	s := tell(t, c)
	s.signOn("ann")
	first, words := s.arrives(routing.Verdict{})
	s.is("in the shift", words, "opened 1, offered 1 ann")
	s.accepts("ann", first)
	s.now = start.Add(20 * time.Minute)
	s.desk.SeenAll(s.now)
	s.closes("ann", first) // it took nearly 20 minutes
	s.now = start.Add(50 * time.Minute)
	s.desk.SeenAll(s.now)
	_, words = s.arrives(routing.Verdict{})
	s.is("ten minutes before the end", words, "opened 2")
	s.now = start.Add(2*time.Hour - time.Second)
	s.desk.SeenAll(s.now)
	s.is("the next shift", s.do(routing.Tick{}), "offered 2 ann")
}

// The ladder is entered by the predicted wait and left with a margin; an overflow goes one queue far.
func TestOverflowByPredictedWait(t *testing.T) {
	c := peopleOnly()
	c.Queues = []routing.Queue{
		{Name: "general", Priority: 50, Ladder: []routing.Step{
			{PredictedWait: 30 * time.Second, Action: routing.ActionPool, Pool: "backup"},
			{PredictedWait: 2 * time.Minute, Action: routing.ActionQueue, Queue: "other"},
		}},
		{Name: "other", Priority: 50, Ladder: []routing.Step{
			{PredictedWait: time.Minute, Action: routing.ActionQueue, Queue: "general"},
			{PredictedWait: 2 * time.Minute, Action: routing.ActionMessage, Say: []routing.Text{{Language: "zh", Text: "请稍候"}, {Language: "en", Text: "It takes long."}}},
		}},
	}
	c.Pools[0].Members = []string{"ann"}
	c.Pools = append(c.Pools, routing.Pool{Name: "backup", Kind: conversation.KindAgent, Concurrency: 1, Members: []string{"ben"}, Queues: []string{"other"}})
	s := tell(t, c)
	s.signOn("ann", "ben")
	s.is("at rest", s.do(routing.Review{}), "")
	for range 2 { // ann learns to take a minute for each
		id, _ := s.arrives(routing.Verdict{})
		s.accepts("ann", id)
		s.now = s.now.Add(time.Minute)
		s.desk.SeenAll(s.now)
		s.closes("ann", id)
	}
	for range 2 {
		id, _ := s.arrives(routing.Verdict{})
		s.accepts("ann", id)
	}
	fifth, words := s.arrives(routing.Verdict{})
	s.is("ann is full", words, "opened 5")
	s.is("the prediction passes the first step", s.do(routing.Review{}), "overflowSet, offered 5 ben")
	s.says("why", s.whyOf(fifth), "overflow of queue general: pool backup serves it, too")
	for range 6 {
		s.arrives(routing.Verdict{})
	}
	words = s.do(routing.Review{})
	s.says("those at the end of the line go to the other queue", words, "overflowSet", "queued 11")
	if strings.Contains(words, "queued 6") {
		t.Errorf("the first in line was moved, too: %s", words)
	}
	s.do(routing.Review{})
	for _, id := range s.desk.Conversations() {
		if state, _ := s.desk.State(id); state.Overflow && state.Queue != "other" {
			t.Errorf("%s overflowed twice", id)
		}
	}
}

// A full queue and a wait that is too long take the last step, whatever the prediction.
func TestFullQueuesAndLongWaits(t *testing.T) {
	c := peopleOnly()
	c.Queues[0].MaxLength, c.Queues[0].MaxWait = 1, time.Minute
	c.Queues[0].Ladder = []routing.Step{{PredictedWait: time.Hour, Action: routing.ActionPool, Pool: "backup"}}
	c.Pools = append(c.Pools, routing.Pool{Name: "backup", Kind: conversation.KindAgent, Concurrency: 1, Members: []string{"dan"}, Queues: []string{"none"}})
	s := tell(t, c)
	s.signOn("dan")
	s.arrives(routing.Verdict{})
	id, words := s.arrives(routing.Verdict{})
	s.is("the queue is full", words, "opened 2, overflowed 2, offered 2 dan")
	s.accepts("dan", id)
	s.closes("dan", id)
	s.is("a minute", s.after(time.Minute), "overflowed 1, offered 1 dan")
}

// Nobody is sent to a queue in which nobody is, and nobody anywhere while the desk is closed: who waits for it to open
// waits for those who know the matter.
func TestNoOverflowToNobodyAndNoneAtNight(t *testing.T) {
	c := peopleOnly()
	c.Queues = []routing.Queue{
		{Name: "general", Priority: 50, Ladder: []routing.Step{{PredictedWait: time.Minute, Action: routing.ActionQueue, Queue: "other"}}},
		{Name: "other", Priority: 50},
	}
	c.Pools = append(c.Pools, routing.Pool{Name: "others", Kind: conversation.KindAgent, Concurrency: 1, Members: []string{"dan"}, Queues: []string{"other"}})
	c.Hours, c.Closed = every{on: time.Hour, off: time.Hour}, routing.Closed{Behaviour: routing.ClosedCallback}
	s := tell(t, c)
	s.is("nobody is there", s.do(routing.Review{}), "overflowSet")
	_, words := s.arrives(routing.Verdict{})
	s.is("nobody is there either", words, "opened 1")
	s.is("dan comes", s.do(routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: "dan"}}), "signedOn")
	s.is("now somebody is", s.do(routing.Review{}), "queued 1, offered 1 dan")
	s.now = start.Add(time.Hour)
	s.desk.SeenAll(s.now)
	_, words = s.arrives(routing.Verdict{})
	s.is("at night", words, "opened 2")
	s.is("all night", s.do(routing.Review{}), "")
	s.now = start.Add(2 * time.Hour)
	s.desk.SeenAll(s.now)
	s.says("in the morning", s.do(routing.Review{}), "queued 2")
}

// Outside the hours nobody is left waiting for a whole night, and everybody is told.
func TestClosedHours(t *testing.T) {
	say := []routing.Text{{Language: "en", Text: "We are closed until 9."}}
	config := func(b routing.ClosedBehaviour, bots bool) routing.Config {
		c := peopleOnly()
		c.Hours, c.Closed = every{on: time.Second, off: 10 * time.Hour}, routing.Closed{Behaviour: b, Say: say}
		if bots {
			c.Pools = append(c.Pools, routing.Pool{Name: "bots", Kind: conversation.KindBot, Concurrency: 3})
		}
		return c
	}
	for name, tt := range map[string]struct {
		behaviour           routing.ClosedBehaviour
		bots                bool
		arrives, handedOver string
	}{
		"message":            {routing.ClosedMessage, true, "opened 1, said 1, closed 1", ""},
		"bots only":          {routing.ClosedBotOnly, true, "opened 1, assigned 1 bot-0", "said 1 bot-0, closed 1"},
		"bots only, no bots": {routing.ClosedBotOnly, false, "opened 1, said 1, closed 1", ""},
		"callback":           {routing.ClosedCallback, true, "opened 1, assigned 1 bot-0", "said 1 bot-0, queued 1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := tell(t, config(tt.behaviour, tt.bots))
			s.now = start.Add(time.Minute)
			if tt.bots {
				s.signOn("bot-0")
			}
			id, words := s.arrives(routing.Verdict{})
			s.is("a customer comes", words, tt.arrives)
			if tt.handedOver == "" {
				return
			}
			h := &conversation.HandOff{TranscriptSeq: 1, Language: "en", Verification: conversation.VerificationNone,
				Reason: conversation.Reason{Code: conversation.ReasonNoAnswer, Words: "no answer"}}
			s.is("the bot hands off", s.do(routing.HandOff{Agent: "bot-0", Conversation: id, HandOff: h}), tt.handedOver)
			if tt.behaviour == routing.ClosedCallback {
				s.do(routing.Left{Conversation: id, Contact: "c"})
				s.is("the customer leaves, and is not forgotten", s.after(time.Hour), "")
			}
		})
	}
}
