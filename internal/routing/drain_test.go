package routing_test

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

func withBots() routing.Config {
	c := peopleOnly()
	c.Pools = append(c.Pools, routing.Pool{Name: "bots", Kind: conversation.KindBot, Concurrency: 2})
	return c
}

// What a worker cannot finish in time goes to another at its old place; nothing is taken from one that serves.
func TestDrainedWorkersHandOver(t *testing.T) {
	s := tell(t, withBots())
	s.signOn("bot-a")
	first, words := s.arrives(routing.Verdict{})
	s.is("first", words, "opened 1, assigned 1 bot-a")
	s.is("of who serves nothing is taken", s.do(routing.HandOver{Agent: "bot-a", Why: "late"}), "")
	s.is("mark", s.do(routing.SetDrain{Agent: "bot-a", Draining: true, Scaling: true}), "drainSet")
	second, words := s.arrives(routing.Verdict{})
	s.is("second waits", words, "opened 2")
	before, _ := s.desk.State(first)
	s.is("hand-over", s.do(routing.HandOver{Agent: "bot-a", Why: "late"}), "queued 1")
	after, _ := s.desk.State(first)
	if before.Arrival != after.Arrival || after.Status != conversation.StatusQueued {
		t.Errorf("it lost its place: %+v, was %+v", after.Arrival, before.Arrival)
	}
	if position, waiting := s.desk.Position(first); position != 1 || waiting != 2 {
		t.Errorf("its position is %d of %d, it came before %s", position, waiting, second)
	}
	s.signOn("bot-b")
	if got := s.desk.Holding("bot-b"); len(got) != 2 || got[0].ID != first {
		t.Errorf("the next worker has %+v", got)
	}
	s.is("nobody is asked twice", s.do(routing.HandOver{Agent: "bot-a", Why: "late"}), "")
	if _, err := s.desk.Decide(s.now, routing.HandOver{Agent: "bot-z", Why: "late"}); err == nil {
		t.Error("a worker that is not signed on was heard")
	}
}

// A worker that was told to end is not taken back into service from outside.
func TestWhoEndsByItselfStaysDraining(t *testing.T) {
	s := tell(t, withBots())
	s.signOn("bot-a")
	s.is("marked from outside", s.do(routing.SetDrain{Agent: "bot-a", Draining: true, Scaling: true}), "drainSet")
	marked := s.now
	s.is("again", s.do(routing.SetDrain{Agent: "bot-a", Draining: true, Scaling: true}), "")
	s.is("it is told to end", s.do(routing.SetDrain{Agent: "bot-a", Draining: true}), "drainSet")
	s.is("capacity is needed again", s.do(routing.SetDrain{Agent: "bot-a", Scaling: true}), "")
	s.is("and taken back again", s.do(routing.SetDrain{Agent: "bot-a", Draining: true, Scaling: true}), "")
	a, _ := s.desk.Agent("bot-a")
	if !a.Draining || a.Scaling || !a.DrainingSince.Equal(marked) {
		t.Errorf("%+v", a)
	}
	// A snapshot keeps who asked, and since when.
	restored, err := routing.New(withBots())
	if err != nil {
		t.Fatal(err)
	}
	if err := restored.Restore(s.desk.Snapshot(s.now.Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	if b, _ := restored.Agent("bot-a"); b.Draining != a.Draining || b.Scaling != a.Scaling || !b.DrainingSince.Equal(a.DrainingSince) {
		t.Errorf("after a snapshot %+v, before %+v", b, a)
	}
	s.is("itself may", s.do(routing.SetDrain{Agent: "bot-a"}), "drainSet")
	if a, _ := s.desk.Agent("bot-a"); a.Draining || !a.DrainingSince.IsZero() {
		t.Errorf("%+v", a)
	}
}
