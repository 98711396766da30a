package routing_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// withReserve has ann, who always works, and ben in reserve, who has a shift that would never end.
func withReserve() routing.Config {
	c := peopleOnly()
	c.Pools[0].Members = []string{"ann", "ben"}
	c.Pools[0].Concurrency = 1
	c.Pools[0].Shifts = []routing.Shift{{Name: "always", Hours: every{on: 1000 * time.Hour, off: time.Hour}}}
	c.Pools[0].Reserve = []routing.Tier{{Name: "office", Seats: 1, Members: []string{"ben"}}}
	return c
}

// Who is in reserve is offered conversations only while the tier is called in.
func TestReserveWorksWhileCalled(t *testing.T) {
	c := withReserve()
	s := tell(t, c)
	s.signOn("ann", "ben")
	first, words := s.arrives(routing.Verdict{})
	s.is("ann is there", words, "opened 1, offered 1 ann")
	s.accepts("ann", first)
	_, words = s.arrives(routing.Verdict{})
	s.is("ben is not called", words, "opened 2")
	pool := c.Pools[0].Name
	s.is("the operator calls", s.do(routing.SetReserve{Pool: pool, Called: []string{"office"}}), "reserveCalled, offered 2 ben")
	s.is("again", s.do(routing.SetReserve{Pool: pool, Called: []string{"office", "unknown"}}), "")
	want := []routing.TierView{{Name: "office", Seats: 1, Present: 1, Call: &conversation.ReserveCall{Pool: pool, Tier: "office", Since: s.desk.Reserve(pool)[0].Call.Since}}}
	if diff := cmp.Diff(want, s.desk.Reserve(pool)); diff != "" {
		t.Error(diff)
	}
	restored, err := routing.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := restored.Restore(s.desk.Snapshot(s.now)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, restored.Reserve(pool)); diff != "" {
		t.Errorf("a snapshot forgets who is called in: %s", diff)
	}
	s.accepts("ben", s.desk.Holding("ben")[0].ID)
	s.is("the operator releases", s.do(routing.SetReserve{Pool: pool}), "reserveReleased")
	if n := len(s.desk.Holding("ben")); n != 1 {
		t.Errorf("ben has %d conversations after the release, and was to finish", n)
	}
	s.closes("ben", s.desk.Holding("ben")[0].ID)
	_, words = s.arrives(routing.Verdict{})
	s.is("ben is released", words, "opened 3")
}

// A supervisor's call goes before the operator's word, and ends by itself.
func TestReserveCalledByHand(t *testing.T) {
	c := withReserve()
	pool := c.Pools[0].Name
	s := tell(t, c)
	s.signOn("ben")
	_, words := s.arrives(routing.Verdict{})
	s.is("nobody", words, "opened 1")
	until := s.now.Add(time.Hour)
	call := routing.CallReserve{By: "sara", Pool: pool, Tier: "office", Until: until, Reason: "sale"}
	s.is("sara calls", s.do(call), "reserveCalled, offered 1 ben")
	s.is("and again", s.do(call), "")
	s.is("the operator would not", s.do(routing.SetReserve{Pool: pool}), "")
	if got := s.desk.Reserve(pool)[0].Call; got == nil || got.By != "sara" || got.Reason != "sale" || !got.Until.Equal(until) {
		t.Errorf("the call is %+v", got)
	}
	s.accepts("ben", s.desk.Holding("ben")[0].ID)
	s.closes("ben", s.desk.Holding("ben")[0].ID)
	s.is("the hour is over", s.after(time.Hour), "reserveReleased")
	_, words = s.arrives(routing.Verdict{})
	s.is("then ben is free", words, "opened 2")
	call.Until = s.now.Add(time.Hour)
	s.is("sara calls once more", s.do(call), "reserveCalled, offered 2 ben")
	s.is("and releases", s.do(routing.ReleaseReserve{By: "sara", Pool: pool, Tier: "office"}), "reserveReleased")
	s.is("which is done", s.do(routing.ReleaseReserve{By: "sara", Pool: pool, Tier: "office"}), "")
	for name, in := range map[string]struct {
		in    routing.Input
		field string
	}{
		"no such pool":  {routing.CallReserve{By: "sara", Pool: "nobody", Tier: "office", Until: call.Until, Reason: "x"}, "pool"},
		"no such tier":  {routing.ReleaseReserve{By: "sara", Pool: pool, Tier: "nobody"}, "tier"},
		"two days":      {routing.CallReserve{By: "sara", Pool: pool, Tier: "office", Until: s.now.Add(48 * time.Hour), Reason: "x"}, "until"},
		"past":          {routing.CallReserve{By: "sara", Pool: pool, Tier: "office", Until: s.now.Add(-time.Hour), Reason: "x"}, "until"},
		"without words": {routing.CallReserve{By: "sara", Pool: pool, Tier: "office", Until: call.Until}, "reason"},
	} {
		_, err := s.desk.Decide(s.now, in.in)
		refusal, _ := errors.AsType[*routing.RefusalError](err)
		if refusal == nil || refusal.Field != in.field || refusal.Remedy == "" {
			t.Errorf("%s: %+v", name, err)
		}
	}
}

// What a configuration has no tier for any more is released; the members are pool members like any.
func TestReserveThatIsGone(t *testing.T) {
	c := withReserve()
	pool := c.Pools[0].Name
	s := tell(t, c)
	s.signOn("ben")
	s.is("called", s.do(routing.SetReserve{Pool: pool, Called: []string{"office"}}), "reserveCalled")
	without := withReserve()
	without.Pools[0].Reserve = nil
	s.is("the tier is gone", s.do(routing.Configure{Config: without}), "reserveReleased")
	_, words := s.arrives(routing.Verdict{})
	s.is("ben has a shift", words, "opened 1, offered 1 ben")
}
