package routing_test

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// degraded is a desk of ann alone, who learned to take a minute for each, with bots and one step of overflow.
func degraded(t *testing.T, step routing.Step) *story {
	c := peopleOnly()
	c.Pools[0].Members = []string{"ann"}
	c.Pools[0].Concurrency = 1
	c.Pools = append(c.Pools, routing.Pool{Name: "bots", Kind: conversation.KindBot, Concurrency: 2})
	step.PredictedWait = 50 * time.Second
	c.Queues[0].Ladder = []routing.Step{step}
	s := tell(t, c)
	s.signOn("ann", "bot-0")
	for range 3 {
		id := s.handedOff()
		s.accepts("ann", id)
		s.now = s.now.Add(time.Minute)
		s.desk.SeenAll(s.now)
		s.closes("ann", id)
	}
	return s
}

// handedOff lets a customer come and the bot hand them off.
func (s *story) handedOff() conversation.ID {
	s.t.Helper()
	id, _ := s.arrives(routing.Verdict{})
	s.handsOff("bot-0", id)
	return id
}

func (s *story) handsOff(bot string, id conversation.ID) string {
	s.t.Helper()
	state, _ := s.desk.State(id)
	return s.do(routing.HandOff{Agent: bot, Conversation: id, HandOff: &conversation.HandOff{
		TranscriptSeq: state.MsgSeq, Language: "en", Verification: conversation.VerificationNone,
		Reason: conversation.Reason{Code: conversation.ReasonAskedForPerson, Words: "wants a person"},
	}})
}

// The bots have a conversation meanwhile, once; handed off again it stands where it stood, and a person's is never theirs.
func TestBotsHelpOutAndThePlaceIsKept(t *testing.T) {
	s := degraded(t, routing.Step{Action: routing.ActionBot, Say: []routing.Text{{Language: "en", Text: "Meanwhile I try."}}})
	s.accepts("ann", s.handedOff()) // 4
	first := s.handedOff()
	second := s.handedOff()
	before, _ := s.desk.State(second)
	s.is("two wait too long", s.do(routing.Review{}), "overflowSet, said 6, queued 6, assigned 6 bot-0")
	state, _ := s.desk.State(second)
	if state.PlaceKept != before.Arrival || state.Status != conversation.StatusBot {
		t.Fatalf("with the bot it is %+v, before it was %+v", state, before)
	}
	third, _ := s.arrives(routing.Verdict{})
	s.is("who comes while the step applies", s.handsOff("bot-0", third), "queued 7, said 7, queued 7, assigned 7 bot-0")
	s.is("handed off again", s.handsOff("bot-0", third), "queued 7")
	s.is("handed off again", s.handsOff("bot-0", second), "queued 6")
	for want, id := range map[int]conversation.ID{1: first, 2: second, 3: third} {
		if got, _ := s.desk.Position(id); got != want {
			t.Errorf("%s stands at %d, expected %d", id, got, want)
		}
	}
	s.is("once in a life", s.do(routing.Review{}), "")
	// Without room with the bots nothing is won.
	s.arrives(routing.Verdict{})
	s.arrives(routing.Verdict{})
	next, _ := s.arrives(routing.Verdict{})
	s.is("the bots have a backlog of their own", s.handsOff("bot-0", "01JD3KZ8Q80000000000000008"), "queued 8, assigned 10 bot-0")
	s.is("there is room again", s.handsOff("bot-0", next), "queued 10, said 10, queued 10, assigned 10 bot-0")
}

// What a person has answered is not given to a machine, however long it waits again.
func TestBotsGetNothingThatAPersonHasAnswered(t *testing.T) {
	s := degraded(t, routing.Step{Action: routing.ActionBot})
	s.accepts("ann", s.handedOff())
	first, second := s.handedOff(), s.handedOff()
	s.closes("ann", "01JD3KZ8Q80000000000000004")
	s.accepts("ann", first)
	for i, id := range []conversation.ID{first, second} {
		e := conversation.NewEvent(conversation.NewID(s.now), id, s.now, &conversation.Message{From: conversation.Actor{Kind: conversation.KindAgent, ID: "ann"}, Text: "hello", ClientID: "a"})
		e.Seq = uint64(s.now.Unix()) + uint64(i)
		s.desk.Hear(e)
	}
	s.do(routing.SignOff{Agent: "ann"})
	s.says("nobody is there, and both were answered", s.do(routing.Review{}), "overflowSet")
	for _, id := range []conversation.ID{first, second} {
		if state, _ := s.desk.State(id); state.Queue != "general" {
			t.Errorf("%s went to the bots: %+v", id, state)
		}
	}
}

// Who was told of a callback keeps the place when they leave, and may say when it suits them.
func TestCallbackIsOffered(t *testing.T) {
	s := degraded(t, routing.Step{Action: routing.ActionCallback, Say: []routing.Text{{Language: "en", Text: "We come back to you."}}})
	s.accepts("ann", s.handedOff())
	near, far := s.handedOff(), s.handedOff()
	s.is("who waits too long", s.do(routing.Review{}), "overflowSet, said 6, callbackOffered 6")
	s.is("once", s.do(routing.Review{}), "")
	for _, id := range []conversation.ID{near, far} {
		s.do(routing.Left{Conversation: id, Contact: "c"})
	}
	s.is("who was told keeps the place", s.after(2*time.Minute), "abandoned 5")
	s.is("a better time", s.do(routing.CallBack{Conversation: far, Contact: "c", At: s.now.Add(time.Hour)}), "pended 6")
	s.is("the time", s.after(time.Hour), "queued 6")
}

// The tier of a contact adds to the priority of each queue, in bounds, and the score says so.
func TestTiersAddToThePriority(t *testing.T) {
	c := peopleOnly()
	c.Tiers = map[string]int{"gold": 20, "black": 90}
	c.Queues[0].Priority = 60
	s := tell(t, c)
	ids := map[string]conversation.ID{}
	for i, tier := range []string{"", "gold", "black", "unheard-of"} {
		id := conversation.ID("01JD3KZ8Q8000000000000000" + string(rune('1'+i)))
		e := conversation.NewEvent(conversation.NewID(s.now), id, s.now, &conversation.Message{From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"}, Text: "x", ClientID: "m"})
		e.Seq = uint64(i + 1)
		s.desk.Hear(e)
		in := routing.Wrote{Conversation: id, Seq: e.Seq, Channel: "web", Contact: "c"}
		if tier != "" {
			in.Attributes = conversation.Attributes{conversation.AttributeTier: tier}
		}
		s.do(in)
		ids[tier] = id
	}
	for tier, want := range map[string]int{"": 60, "gold": 80, "black": 100, "unheard-of": 60} {
		if state, _ := s.desk.State(ids[tier]); state.Priority != want {
			t.Errorf("tier %q has priority %d, expected %d", tier, state.Priority, want)
		}
	}
	s.is("gold goes before", s.do(routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: "ann"}}), "signedOn, offered 3 ann, offered 2 ann")
	s.says("why", s.whyOf(ids["gold"]), "score 80 = priority 60 + 20 for tier gold + 0.1 for 3 s in queue general")
	s.says("why", s.whyOf(ids["black"]), "priority 60 + 40 for tier black")
	c.Tiers = nil
	s.says("tiers are a part of the configuration", s.do(routing.Configure{Config: c}), "prioritised 2")
}
