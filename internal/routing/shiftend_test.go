package routing_test

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// withShift has ann, who works every other hour, with ten minutes to finish, and ben, who comes later.
func withShift(grace time.Duration) routing.Config {
	c := peopleOnly()
	c.Pools[0].Members = []string{"ann", "ben"}
	c.Pools[0].Shifts = []routing.Shift{{Name: "early", Hours: every{on: time.Hour, off: 3 * time.Hour}, Members: []string{"ann"}}}
	c.Pools[0].ShiftEndGrace = &grace
	return c
}

// What is left after a shift goes on with somebody else: at its old place, the customer told, with a note.
func TestShiftEndHandsOver(t *testing.T) {
	s := tell(t, withShift(10*time.Minute))
	s.signOn("ann")
	id, words := s.arrives(routing.Verdict{})
	s.is("in the shift", words, "opened 1, offered 1 ann")
	s.accepts("ann", id)
	before, _ := s.desk.State(id)
	s.now = start.Add(time.Hour)
	s.desk.SeenAll(s.now)
	s.is("the shift ends", s.do(routing.Tick{}), "")
	s.is("within the grace", s.after(9*time.Minute), "")
	s.is("after the grace", s.after(2*time.Minute), "queued 1, said 1, said 1")
	after, _ := s.desk.State(id)
	if after.Status != conversation.StatusQueued || after.Arrival != before.Arrival || len(s.desk.Holding("ann")) != 0 {
		t.Errorf("it is %s at %+v, was at %+v", after.Status, after.Arrival, before.Arrival)
	}
	s.signOn("ben")
	if got := s.desk.Holding("ben"); len(got) != 1 || got[0].ID != id {
		t.Errorf("ben is asked for %+v", got)
	}
}

// A break hands nothing over, a shift that follows in time does not either, nor a supervisor's late take-over; and without a
// grace nobody is cut.
func TestShiftEndThatHandsNothingOver(t *testing.T) {
	config := withShift(10 * time.Minute)
	config.Pools[0].Shifts[0].Whole = every{on: 1000 * time.Hour, off: time.Hour}
	broken := tell(t, config)
	next := withShift(10 * time.Minute)
	next.Pools[0].Shifts[0].Hours = every{on: time.Hour, off: 5 * time.Minute}
	endless := withShift(0)
	endless.Pools[0].ShiftEndGrace = nil
	for name, s := range map[string]*story{"a break": broken, "the next shift": tell(t, next), "without a grace": tell(t, endless)} {
		s.signOn("ann")
		id, _ := s.arrives(routing.Verdict{})
		s.accepts("ann", id)
		for s.now.Before(start.Add(100 * time.Minute)) {
			s.after(time.Minute)
		}
		if state, _ := s.desk.State(id); state.Status != conversation.StatusActive {
			t.Errorf("%s: it is %s", name, state.Status)
		}
	}
	s := tell(t, withShift(0))
	s.signOn("ann")
	id, _ := s.arrives(routing.Verdict{})
	s.now = start.Add(90 * time.Minute)
	s.desk.SeenAll(s.now)
	s.do(routing.Tick{})
	s.do(routing.SetPresence{Agent: "ann", Presence: conversation.PresenceOnline}) // she missed the offer
	s.do(routing.TakeOver{Agent: "ann", Conversation: id})
	s.after(time.Minute)
	s.signOn("ann")
	s.after(time.Minute)
	if state, _ := s.desk.State(id); state.Status != conversation.StatusActive {
		t.Errorf("what ann took over after the shift is %s", state.Status)
	}
}

// A successor hands over what its predecessor would have.
func TestShiftEndOutlivesTheRouter(t *testing.T) {
	config := withShift(10 * time.Minute)
	s := tell(t, config)
	s.signOn("ann")
	id, _ := s.arrives(routing.Verdict{})
	s.accepts("ann", id)
	next, err := routing.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Restore(s.desk.Snapshot(s.now)); err != nil {
		t.Fatal(err)
	}
	now := start.Add(75 * time.Minute)
	next.SeenAll(now)
	next.Rearm()
	if _, err := next.Decide(now, routing.Tick{}); err != nil {
		t.Fatal(err)
	}
	if state, _ := next.State(id); state.Status != conversation.StatusQueued {
		t.Errorf("it is %s", state.Status)
	}
}
