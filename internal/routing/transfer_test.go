package routing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

func to(agent string) *conversation.HandOff {
	return &conversation.HandOff{TranscriptSeq: 1, Language: "en", Verification: conversation.VerificationNone, Agent: agent,
		Reason: conversation.Reason{Code: conversation.ReasonTransfer, Words: "knows the matter"}}
}

// A conversation that is transferred to somebody waits for that person, whatever the skills; and not for ever.
func TestTransferToAnAgent(t *testing.T) {
	c := refunds()
	c.Pools[0].Concurrency, c.Pools[0].Overrides[0].Concurrency = 1, 2
	s := tell(t, c)
	s.signOn("ben", "cleo")
	first, words := s.arrives(routing.Verdict{HandOff: "refunds"})
	s.is("ben has the skill", words, "opened 1, queued 1, offered 1 ben")
	s.accepts("ben", first)
	second, words := s.arrives(routing.Verdict{})
	s.is("cleo is free", words, "opened 2, offered 2 cleo")
	s.accepts("cleo", second)
	s.is("cleo is busy: it waits for her", s.do(routing.HandOff{Agent: "ben", Conversation: first, HandOff: to("cleo")}), "queued 1")
	s.is("and not for ann, who could", s.do(routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: "ann"}}), "signedOn")
	s.is("cleo is free, she needs no skill", s.closes("cleo", second), "wrapUpStarted 2 cleo, closed 2, offered 1 cleo")
	s.says("why", s.whyOf(first), "asked for by name")
	s.is("she declines: anybody may have it", s.do(routing.Decline{Agent: "cleo", Conversation: first}), "offerEnded 1, offered 1 ben")
	s.accepts("ben", first)
	s.do(routing.SetPresence{Agent: "ann", Presence: conversation.PresenceAway})
	for name, agent := range map[string]string{"who is away": "ann", "who is not there": "dan", "who has it": "ben"} {
		if _, err := s.desk.Decide(s.now, routing.HandOff{Agent: "ben", Conversation: first, HandOff: to(agent)}); err == nil {
			t.Errorf("it was transferred to %s", name)
		}
	}
	s.do(routing.SetPresence{Agent: "ann", Presence: conversation.PresenceOnline})
	s.arrives(routing.Verdict{})
	s.accepts("cleo", "01JD3KZ8Q80000000000000003")
	s.is("cleo is busy again", s.do(routing.HandOff{Agent: "ben", Conversation: first, HandOff: to("cleo")}), "queued 1")
	s.is("the time of an offer later it is for anybody", s.after(20*time.Second), "offered 1 ben")
}

// What an agent puts off takes no slot, and comes back to that agent first: at the time, or when the customer writes.
func TestPostponedWorkComesBackToItsOwner(t *testing.T) {
	c := peopleOnly()
	c.Pools[0].Concurrency = 1
	s := tell(t, c)
	s.signOn("ann")
	first, _ := s.arrives(routing.Verdict{})
	s.accepts("ann", first)
	s.arrives(routing.Verdict{})
	if _, err := s.desk.Decide(s.now, routing.Postpone{Agent: "ann", Conversation: first, Until: s.now}); err == nil {
		t.Error("it was put off to a time that is past")
	}
	s.is("ann puts it off", s.do(routing.Postpone{Agent: "ann", Conversation: first, Until: s.now.Add(time.Hour)}), "pended 1, offered 2 ann")
	s.accepts("ann", "01JD3KZ8Q80000000000000002")
	s.do(routing.Left{Conversation: first, Contact: "c"})
	s.signOn("ben")
	restored, err := routing.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := restored.Restore(s.desk.Snapshot(s.now)); err != nil {
		t.Fatal(err)
	}
	s.desk = restored
	s.desk.Rearm()
	s.is("an hour later, behind a restart, ann is asked when she is free", s.after(time.Hour), "queued 1")
	s.is("if that is soon", s.after(19*time.Second), "")
	s.is("ann is free", s.closes("ann", "01JD3KZ8Q80000000000000002"), "wrapUpStarted 2 ann, closed 2, offered 1 ann")
	s.accepts("ann", first)
	s.do(routing.Postpone{Agent: "ann", Conversation: first, Until: s.now.Add(time.Hour)})
	s.is("the customer writes before the time", s.writes(first, routing.Verdict{}), "queued 1, offered 1 ann")
	s.accepts("ann", first)
	s.do(routing.Postpone{Agent: "ann", Conversation: first, Until: s.now.Add(time.Hour)})
	s.is("ann is done with it before the time", s.closes("ann", first), "closed 1")

	fifth, _ := s.arrives(routing.Verdict{})
	s.accepts("ben", fifth)
	s.do(routing.Postpone{Agent: "ben", Conversation: fifth, Until: s.now.Add(time.Minute)})
	s.do(routing.SetPresence{Agent: "ann", Presence: conversation.PresenceAway})
	_, words := s.arrives(routing.Verdict{})
	s.is("somebody else keeps ben busy", words, "opened 4, offered 4 ben")
	s.accepts("ben", "01JD3KZ8Q80000000000000004")
	s.do(routing.SetPresence{Agent: "ann", Presence: conversation.PresenceOnline})
	s.is("the time", s.after(time.Minute), "queued 3")
	s.is("ben is not free in the time of an offer: ann is", s.after(20*time.Second), "offered 3 ann")
}

// Who asks to be called back keeps the place that the wait has earned; that the customer is gone ends nothing.
func TestCallbackAtAChosenTime(t *testing.T) {
	c := peopleOnly()
	c.Pools[0].Members = []string{"ann"}
	s := tell(t, c)
	first, _ := s.arrives(routing.Verdict{})
	s.after(10 * time.Minute)
	if _, err := s.desk.Decide(s.now, routing.CallBack{Conversation: first, Contact: "another", At: s.now.Add(time.Hour)}); err == nil {
		t.Error("another contact put it off")
	}
	s.is("a callback", s.do(routing.CallBack{Conversation: first, Contact: "c", At: s.now.Add(time.Hour)}), "pended 1")
	s.do(routing.Left{Conversation: first, Contact: "c"})
	s.now = s.now.Add(55 * time.Minute)
	s.arrives(routing.Verdict{}) // five minutes before the callback
	s.is("the time", s.after(5*time.Minute), "queued 1")
	if position, _ := s.desk.Position(first); position != 1 {
		t.Errorf("with ten minutes of waiting before it stands at %d", position)
	}
	s.is("the customer is not connected, nothing ends", s.after(5*time.Minute), "")
	s.is("ann comes", s.do(routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: "ann"}}), "signedOn, offered 1 ann, offered 2 ann")
}

// A supervisor takes over whatever goes on, at once; who had it has it no longer, and is free for the next one.
func TestTakeOver(t *testing.T) {
	c := peopleOnly()
	c.Pools = append(c.Pools, routing.Pool{Name: "bots", Kind: conversation.KindBot, Concurrency: 1})
	c.Pools[0].Members, c.Pools[0].Concurrency = []string{"ann", "sara"}, 1
	s := tell(t, c)
	s.signOn("bot-0", "ann")
	first, _ := s.arrives(routing.Verdict{HandOff: "general"})
	s.accepts("ann", first)
	s.arrives(routing.Verdict{HandOff: "general"})
	s.do(routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: "sara"}, Presence: conversation.PresenceAway})
	if _, err := s.desk.Decide(s.now, routing.TakeOver{Agent: "sara", Conversation: first}); err == nil {
		t.Error("who is away took it over")
	}
	s.do(routing.Close{Conversation: "01JD3KZ8Q80000000000000002", By: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"}})
	s.do(routing.SetPresence{Agent: "sara", Presence: conversation.PresenceOnline})
	s.is("from ann", s.do(routing.TakeOver{Agent: "sara", Conversation: first}), "queued 1, offered 1 sara, accepted 1 sara")
	s.is("twice", s.do(routing.TakeOver{Agent: "sara", Conversation: first}), "")
	third, words := s.arrives(routing.Verdict{})
	s.is("a bot has it", words, "opened 3, assigned 3 bot-0")
	if _, err := s.desk.Decide(s.now, routing.TakeOver{Agent: "sara", Conversation: third}); err == nil {
		t.Error("she has two in one slot")
	}
	s.closes("sara", first)
	s.is("from a bot", s.do(routing.TakeOver{Agent: "sara", Conversation: third}), "queued 3, offered 3 sara, accepted 3 sara")
	if state, _ := s.desk.State(third); state.HandOff == nil || state.Owner().ID != "sara" {
		t.Errorf("it is %+v", state)
	}
	if _, err := s.desk.Decide(s.now, routing.Close{Conversation: first, By: conversation.Actor{Kind: conversation.KindAgent, ID: "ann"}}); err != nil {
		t.Error(err) // it has ended already
	}
}

// What is taken over out of a queue that is gone goes to the default queue, for which a slot that is kept for another one
// does not count.
func TestATakeOverCountsTheQueueItGoesTo(t *testing.T) {
	c := peopleOnly()
	c.Queues = append(c.Queues, routing.Queue{Name: "vip", Priority: 90})
	c.Pools[0].Queues = []string{"vip", "general"}
	c.Pools[0].Reserved = []routing.Reserved{{Queue: "vip", Slots: 1}}
	s := tell(t, c)
	s.signOn("ann")
	first, _ := s.arrives(routing.Verdict{})
	s.accepts("ann", first)
	s.do(routing.SetPresence{Agent: "ann", Presence: conversation.PresenceAway})
	s.signOn("ben")
	second, _ := s.arrives(routing.Verdict{HandOff: "vip"})
	s.accepts("ben", second)
	c.Queues = c.Queues[:1]
	s.do(routing.Configure{Config: c})
	s.do(routing.SetPresence{Agent: "ann", Presence: conversation.PresenceOnline})
	_, err := s.desk.Decide(s.now, routing.TakeOver{Agent: "ann", Conversation: second})
	if err == nil || !strings.Contains(err.Error(), "all slots are taken") {
		t.Errorf("it is taken over: %v", err)
	}
}
