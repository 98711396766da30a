package routing_test

import (
	"errors"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// refused says with which code an input is refused.
func (s *story) refused(what string, in routing.Input, code routing.Code) {
	s.t.Helper()
	_, err := s.desk.Decide(s.now, in)
	if no, ok := errors.AsType[*routing.RefusalError](err); !ok || no.Code != code {
		s.t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func (s *story) state(id conversation.ID) conversation.State {
	state, _ := s.desk.State(id)
	return state
}

func merging(s *story, by string, duplicate, into conversation.ID) routing.Merge {
	return routing.Merge{
		By: by, Conversation: duplicate, Seq: s.state(duplicate).MsgSeq, Into: into,
		Note: "what was said", Say: conversation.Said{Text: "it goes on elsewhere"},
	}
}

// A duplicate ends wherever it is; its slot is free at once, and merging again changes nothing.
func TestMergeEndsTheDuplicate(t *testing.T) {
	s := tell(t, peopleOnly())
	s.signOn("ann")
	first, _ := s.arrives(routing.Verdict{})
	s.accepts("ann", first)
	active, _ := s.arrives(routing.Verdict{})
	s.accepts("ann", active)
	waiting, words := s.arrives(routing.Verdict{})
	s.is("ann is full", words, "opened 3")
	s.is("one that she has", s.do(merging(s, "ann", active, first)), "said 1 ann, said 2 ann, wrapUpStarted 2 ann, closed 2, offered 3 ann")
	s.is("once more", s.do(merging(s, "ann", active, first)), "")
	s.is("one that is on offer", s.do(merging(s, "ann", waiting, first)), "said 1 ann, said 3 ann, offerEnded 3, closed 3")
	if got := s.state(waiting); got.Status != conversation.StatusClosed || got.MergedInto != first {
		t.Errorf("the duplicate is %s, merged into %q", got.Status, got.MergedInto)
	}
	put, _ := s.arrives(routing.Verdict{})
	s.accepts("ann", put)
	s.do(routing.Postpone{Agent: "ann", Conversation: put, Until: s.now.Add(time.Hour)})
	s.is("one that is put aside", s.do(merging(s, "ann", put, first)), "said 1 ann, said 4, closed 4")
	s.refused("into one that has ended", merging(s, "ann", first, put), routing.CodeState)
	s.refused("into itself", merging(s, "ann", first, first), routing.CodeMalformed)
	other, _ := s.arrives(routing.Verdict{})
	s.refused("into one that nobody has", merging(s, "ann", first, other), routing.CodeState)
	empty := merging(s, "ann", other, first)
	empty.Note = ""
	s.refused("without the note", empty, routing.CodeMalformed)
}

// What the agent has not seen refuses the merge; what comes later opens the duplicate again, for the same agent and
// nobody else, so that no message is lost.
func TestMergeLosesNoMessage(t *testing.T) {
	c := peopleOnly()
	c.Pools[0].Concurrency = 3
	s := tell(t, c)
	s.signOn("ann")
	first, _ := s.arrives(routing.Verdict{})
	s.accepts("ann", first)
	twin, _ := s.arrives(routing.Verdict{})
	s.accepts("ann", twin)
	s.signOn("ben")
	stale := merging(s, "ann", twin, first)
	s.writes(twin, routing.Verdict{})
	s.refused("a message came meanwhile", stale, routing.CodeState)
	s.do(merging(s, "ann", twin, first))
	s.is("a message on its way", s.writes(twin, routing.Verdict{}), "reopened 2, queued 2, offered 2 ann")
	if got := s.state(twin); got.MergedInto != "" || got.HandOff == nil {
		t.Errorf("it is opened again as %+v", got)
	}
	s.accepts("ann", twin)
	s.do(merging(s, "ann", twin, first))
	s.closes("ann", first)
	s.is("and when that has ended, too, it goes the way of all others", s.writes(twin, routing.Verdict{}), "reopened 2, queued 2, offered 2 ann")
	if s.state(twin).Pin != "" {
		t.Error("it is kept for somebody")
	}
}

// Who wants to be called when it is their turn keeps the place without being connected; others lose it.
func TestAPlaceIsKept(t *testing.T) {
	s := tell(t, peopleOnly())
	first, _ := s.arrives(routing.Verdict{})
	second, _ := s.arrives(routing.Verdict{})
	s.is("the first one wants a call", s.do(routing.CallBack{Conversation: first, Contact: "c"}), "callbackOffered 1")
	s.is("once more", s.do(routing.CallBack{Conversation: first, Contact: "c"}), "")
	for _, id := range []conversation.ID{first, second} {
		s.do(routing.Left{Conversation: id, Contact: "c"})
	}
	s.is("who only left is gone", s.after(time.Hour), "abandoned 2")
	if position, _ := s.desk.Position(first); position != 1 {
		t.Errorf("the place is %d", position)
	}
	s.is("their turn", s.do(routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: "ann"}}), "signedOn, offered 1 ann")
}

// The tags are replaced, sorted, and survive a restart of the router and the end.
func TestTags(t *testing.T) {
	s := tell(t, peopleOnly())
	by := conversation.Actor{Kind: conversation.KindAgent, ID: "ann"}
	id, _ := s.arrives(routing.Verdict{})
	s.is("two tags", s.do(routing.Tag{By: by, Conversation: id, Tags: []string{"refund", "broken"}}), "tagged 1")
	s.is("the same", s.do(routing.Tag{By: by, Conversation: id, Tags: []string{"broken", "refund"}}), "")
	s.refused("a tag that is none", routing.Tag{By: by, Conversation: id, Tags: []string{"a b"}}, routing.CodeMalformed)
	if got := s.state(id).Tags; len(got) != 2 || got[0] != "broken" {
		t.Errorf("tags are %v", got)
	}
	s.is("none", s.do(routing.Tag{By: by, Conversation: id}), "tagged 1")
	if got := s.state(id).Tags; len(got) != 0 {
		t.Errorf("tags are %v", got)
	}
	s.signOn("ann")
	s.accepts("ann", id)
	s.closes("ann", id)
	s.refused("behind the end", routing.Tag{By: by, Conversation: id, Tags: []string{"x"}}, routing.CodeState)
}
