package routing_test

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// ladders is a desk of ann alone, with bots, a backup pool and every kind of step, none of which the prediction reaches.
func ladders() routing.Config {
	c := peopleOnly()
	c.Pools[0].Members, c.Pools[0].Concurrency = []string{"ann"}, 1
	c.Pools = append(c.Pools,
		routing.Pool{Name: "bots", Kind: conversation.KindBot, Concurrency: 2},
		routing.Pool{Name: "backup", Kind: conversation.KindAgent, Concurrency: 1, Members: []string{"zoe"}, OfferTimeout: 20 * time.Second})
	c.Queues[0].Ladder = []routing.Step{
		{PredictedWait: time.Hour, Action: routing.ActionPool, Pool: "backup"},
		{PredictedWait: time.Hour, Action: routing.ActionBot},
		{PredictedWait: time.Hour, Action: routing.ActionCallback, Say: []routing.Text{{Language: "en", Text: "We come back to you."}}},
	}
	return c
}

func (s *story) holds(step int, span time.Duration) routing.HoldStep {
	return routing.HoldStep{By: "sue", Queue: "general", Step: step, Until: s.now.Add(span), Reason: "sale day"}
}

// "Bot first now": who waits goes to the bots at once, newcomers too, each once and with its place, until the time is
// over; why says who held it.
func TestStepHeldByHandAppliesUntilItsTime(t *testing.T) {
	s := tell(t, ladders())
	s.signOn("ann", "bot-0")
	s.accepts("ann", s.handedOff())
	waiting := s.handedOff()
	before, _ := s.desk.State(waiting)
	s.is("nothing is predicted", s.do(routing.Review{}), "")
	s.is("bot first now", s.do(s.holds(2, 10*time.Minute)), "stepHeld, queued 2, assigned 2 bot-0")
	state, _ := s.desk.State(waiting)
	if state.PlaceKept != before.Arrival {
		t.Errorf("its place is %+v, and was %+v", state.PlaceKept, before.Arrival)
	}
	next, _ := s.arrives(routing.Verdict{})
	s.is("a newcomer", s.handsOff("bot-0", next), "queued 3, queued 3, assigned 3 bot-0")
	s.is("handed off again, once in a life", s.handsOff("bot-0", waiting), "queued 2")
	if position, _ := s.desk.Position(waiting); position != 1 {
		t.Errorf("it stands at %d", position)
	}
	s.is("sent again it changes nothing", s.do(routing.HoldStep{By: "sue", Queue: "general", Step: 2, Until: s.desk.Queues()[1].Held[0].Until, Reason: "sale day"}), "")
	s.is("before its end", s.after(9*time.Minute), "")
	s.is("its end", s.after(time.Minute), "stepReleased")
	last, _ := s.arrives(routing.Verdict{})
	s.is("who comes then waits", s.handsOff("bot-0", last), "queued 4")
}

// A pool that a supervisor adds serves at once, and not when it is released; the offer says why.
func TestPoolHeldByHandServesAtOnce(t *testing.T) {
	s := tell(t, ladders())
	s.signOn("ann", "bot-0", "zoe")
	s.accepts("ann", s.handedOff())
	first := s.handedOff()
	s.is("the reserve now", s.do(s.holds(1, time.Hour)), "stepHeld, offered 2 zoe")
	s.says("why", s.whyOf(first), "overflow of queue general: Pool backup is held by sue until ", ": sale day")
	s.accepts("zoe", first)
	second := s.handedOff()
	s.is("released", s.do(routing.ReleaseStep{By: "sue", Queue: "general", Step: 1}), "stepReleased")
	s.is("released twice", s.do(routing.ReleaseStep{By: "sue", Queue: "general", Step: 1}), "")
	s.is("zoe is free", s.closes("zoe", first), "wrapUpStarted 2 zoe, closed 2")
	if state, _ := s.desk.State(second); state.Status != conversation.StatusQueued {
		t.Errorf("the next one is %+v", state)
	}
}

// What is held goes before what the prediction asks for, outlives a restart, a snapshot and a change of the
// configuration, and ends when the step is gone.
func TestHeldStepOutlivesWhatItMust(t *testing.T) {
	c := ladders()
	s := tell(t, c)
	s.signOn("ann", "bot-0")
	s.accepts("ann", s.handedOff())
	s.handedOff()
	s.is("callback only", s.do(s.holds(3, 2*time.Hour)), "stepHeld, said 2, callbackOffered 2")
	s.do(routing.SignOff{Agent: "ann"})
	s.says("now the bots would have it", s.do(routing.Review{}), "overflowSet, ", "queued 2, assigned 2 bot-0")
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
	next := ladders()
	next.Queues[0].Ladder = append([]routing.Step{{Action: routing.ActionPool, Pool: "second"}}, next.Queues[0].Ladder...)
	s.says("a step comes before it", s.do(routing.Configure{Config: next}), "stepReleased, stepHeld")
	if held := s.desk.Queues()[1].Held; len(held) != 1 || held[0].Step != 4 || held[0].Action != string(routing.ActionCallback) {
		t.Errorf("held is %+v", held)
	}
	next.Queues[0].Ladder = next.Queues[0].Ladder[:3]
	s.says("the step is gone", s.do(routing.Configure{Config: next}), "stepReleased")
	if held := s.desk.Queues()[1].Held; len(held) != 0 {
		t.Errorf("held is %+v", held)
	}
}

// A time that came while no router led is over before anything is decided.
func TestHeldStepIsOverWhenNobodyLed(t *testing.T) {
	s := tell(t, ladders())
	s.signOn("ann", "bot-0", "zoe")
	s.do(s.holds(1, time.Minute))
	restored, err := routing.New(ladders())
	if err != nil {
		t.Fatal(err)
	}
	if err := restored.Restore(s.desk.Snapshot(s.now)); err != nil {
		t.Fatal(err)
	}
	s.desk, s.now = restored, s.now.Add(time.Hour)
	s.desk.SeenAll(s.now)
	s.desk.Rearm()
	s.is("the successor begins", s.do(routing.Configure{Config: ladders()}), "stepReleased")
}

// Only declared steps can be held, for a time, with a reason; what is refused says what to do.
func TestRefusedHolds(t *testing.T) {
	s := tell(t, ladders())
	refused := func(what string, in routing.Input, code routing.Code, parts ...string) {
		t.Helper()
		_, err := s.desk.Decide(s.now, in)
		no, ok := err.(*routing.RefusalError) //nolint:errorlint // Decide returns it as it is
		if !ok || no.Code != code {
			t.Fatalf("%s: %v", what, err)
		}
		s.says(what, no.Error(), parts...)
	}
	at := func(change func(*routing.HoldStep)) routing.HoldStep {
		in := s.holds(2, time.Hour)
		change(&in)
		return in
	}
	refused("a queue", at(func(in *routing.HoldStep) { in.Queue = "vip" }), routing.CodeUnknownQueue, `no queue "vip"`, "use one of general")
	refused("the bots' queue", at(func(in *routing.HoldStep) { in.Queue = conversation.BotQueue }), routing.CodeUnknownQueue, "use one of general")
	refused("a step", at(func(in *routing.HoldStep) { in.Step = 4 }), routing.CodeMalformed, "step is 4", "declares 3 in overflow", "1 for Pool backup, 2 for Bot, 3 for Callback")
	refused("no step", routing.ReleaseStep{By: "sue", Queue: "general"}, routing.CodeMalformed, "step is 0")
	refused("the past", at(func(in *routing.HoldStep) { in.Until = s.now }), routing.CodeMalformed, "until is ", "in the next 24 hours")
	refused("too long", at(func(in *routing.HoldStep) { in.Until = s.now.Add(conversation.MaxHeld + time.Second) }), routing.CodeMalformed, "in the next 24 hours")
	refused("no reason", at(func(in *routing.HoldStep) { in.Reason = " " }), routing.CodeMalformed, "reason", "say why")
	c := ladders()
	c.Queues[0].Ladder = nil
	s.do(routing.Configure{Config: c})
	refused("no ladder", s.holds(1, time.Hour), routing.CodeMalformed, "declares 0", "declare overflow of the queue")
}
