package conversation_test

import (
	"slices"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// What belongs to the stay in a queue ends with it; an offer that runs out does not end it.
func TestRingAndFurtherPoolBelongToTheStayInTheQueue(t *testing.T) {
	waiting := []conversation.Body{
		opened(), &conversation.Assigned{Agent: bot}, queued("refunds"),
		&conversation.Relaxed{Ring: 2}, &conversation.Overflowed{Pool: "backup"},
		offered(ann), &conversation.OfferEnded{Agent: ann, Outcome: conversation.OutcomeExpired},
	}
	if s := fold(t, waiting...); s.Ring != 2 || s.OverflowPool != "backup" {
		t.Errorf("after an offer that ran out it is in ring %d, with pool %q", s.Ring, s.OverflowPool)
	}
	moved := queued("general")
	moved.Overflow = true
	if s := fold(t, append(waiting, moved)...); s.Ring != 0 || s.OverflowPool != "" || !s.Overflow {
		t.Errorf("in another queue it is in ring %d, with pool %q, overflow %v", s.Ring, s.OverflowPool, s.Overflow)
	}
}

func TestWrapUpCanBeTakenBack(t *testing.T) {
	until := start.Add(time.Minute)
	talk := []conversation.Body{
		opened(), &conversation.Assigned{Agent: bot}, queued("refunds"), offered(ann), &conversation.Accepted{Agent: ann},
		&conversation.WrapUpStarted{Agent: ann, Until: until, Ending: &conversation.Ending{By: ann.Actor(), Reason: conversation.CloseResolved}},
	}
	s := fold(t, talk...)
	if !s.Deadline.Equal(until) || s.Ending == nil || s.Owner().ID != "ann" {
		t.Errorf("in wrap-up it is %+v", s)
	}
	s = fold(t, append(talk, &conversation.Resumed{Agent: ann})...)
	if s.Status != conversation.StatusActive || s.Ending != nil || !s.Deadline.IsZero() || s.Owner().ID != "ann" {
		t.Errorf("taken back it is %+v", s)
	}
	if _, err := conversation.Apply(fold(t, talk...), event(9, &conversation.Resumed{Agent: ben})); err == nil {
		t.Error("another agent takes a conversation out of ann's wrap-up")
	}
}

func TestTheLastPersonIsRemembered(t *testing.T) {
	s := fold(t, opened(), &conversation.Assigned{Agent: bot}, queued("refunds"), offered(ann), &conversation.Accepted{Agent: ann},
		&conversation.WrapUpStarted{Agent: ann}, closed(), &conversation.Reopened{Cause: conversation.CauseReopened, Seq: 9},
		&conversation.Queued{Queue: "refunds", Arrival: conversation.Arrival{At: start.Add(10 * time.Minute)}, Cause: conversation.CauseReopened})
	if got := s.PreferredAgent(time.Hour); got != "ann" {
		t.Errorf("within the window %q is preferred", got)
	}
	for _, window := range []time.Duration{0, time.Minute} {
		if got := s.PreferredAgent(window); got != "" {
			t.Errorf("within %v %q is preferred", window, got)
		}
	}
}

func TestWhyStaysWhileAnAgentHasIt(t *testing.T) {
	offer := offered(ann)
	offer.Why = []string{"ann: idle longest"}
	bodies := []conversation.Body{opened(), &conversation.Assigned{Agent: bot}, queued("refunds"), offer, &conversation.Accepted{Agent: ann}}
	if s := fold(t, bodies...); !slices.Equal(s.Why, offer.Why) {
		t.Errorf("ann has it because of %q", s.Why)
	}
	if s := fold(t, append(bodies, queued("general"))...); s.Why != nil {
		t.Errorf("nobody has it, because of %q", s.Why)
	}
}

// Nobody is shut out while they wait, unless the desk is closed.
func TestWhatWaitsIsClosedOutsideTheHoursOnly(t *testing.T) {
	waiting := fold(t, opened())
	if _, err := conversation.Apply(waiting, event(9, closed())); err == nil {
		t.Error("a waiting conversation was closed as resolved")
	}
	hours := &conversation.Closed{By: conversation.Actor{Kind: conversation.KindSystem}, Reason: conversation.CloseHours}
	if s, err := conversation.Apply(waiting, event(9, hours)); err != nil || s.Status != conversation.StatusClosed {
		t.Errorf("outside the hours it is %s: %v", s.Status, err)
	}
}
