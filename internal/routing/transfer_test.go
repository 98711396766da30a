package routing_test

import (
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
