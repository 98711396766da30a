package explain

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

const id conversation.ID = "01JD3KZ8Q80000000000000001"

// Each decision has words of its own, in the order in which it was made, with its reasons; what was said is none.
func TestDecisionsInWords(t *testing.T) {
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	mei := conversation.Agent{Kind: conversation.KindAgent, ID: "mei", Pool: "people"}
	bot := conversation.Agent{Kind: conversation.KindBot, ID: "bot-0", Pool: "bots"}
	why := []string{"a reason"}
	stories := []struct {
		body conversation.Body
		text string
		why  []string
	}{
		{&conversation.Opened{Channel: "web", Queue: "bot", Priority: 75, Attributes: conversation.Attributes{"tier": "gold"}, Why: why}, "came by web to queue bot with priority 75, as a contact of tier gold", why},
		{&conversation.Assigned{Agent: bot, Why: why}, "given to bot bot-0 of bots", why},
		{&conversation.Queued{Queue: "refunds", Priority: 60, Cause: conversation.CauseEscalation, Rule: "vip,refunds", Pin: "mei", Why: why},
			"waits in queue refunds with priority 60: escalated by rule vip, refunds, for mei", why},
		{&conversation.Queued{Queue: "refunds", Priority: 60, Cause: "whim"}, "waits in queue refunds with priority 60: whim", nil},
		{&conversation.CallbackOffered{Why: why}, "the customer was told of a later answer, and keeps the place", why},
		{&conversation.Prioritised{Priority: 90, Rule: "angry", Why: why}, "has priority 90 now by rule angry", why},
		{&conversation.Offered{Agent: mei, Deadline: at.Add(time.Minute), Why: why}, "offered to mei of people until 08:01:00", why},
		{&conversation.OfferEnded{Agent: mei, Outcome: conversation.OutcomeDeclined, Why: why}, "mei of people declined", why},
		{&conversation.OfferEnded{Agent: mei, Outcome: conversation.OutcomeExpired}, "mei of people missed the offer", nil},
		{&conversation.OfferEnded{Agent: mei, Outcome: conversation.OutcomeRevoked}, "mei of people's offer was taken back", nil},
		{&conversation.Accepted{Agent: mei}, "mei of people accepted", nil},
		{&conversation.Pended{Until: at.Add(time.Hour), Agent: "mei", Why: why}, "mei put it off until 2026-11-20T09:00:00Z", why},
		{&conversation.Pended{Until: at.Add(time.Hour)}, "the customer is to be called back at 2026-11-20T09:00:00Z", nil},
		{&conversation.WrapUpStarted{Agent: mei}, "mei of people ended the talk", nil},
		{&conversation.Resumed{Agent: mei}, "the customer wrote, mei of people goes on", nil},
		{&conversation.Closed{By: mei.Actor(), Reason: conversation.CloseResolved, Disposition: "refunded"}, "closed by agent mei: resolved, refunded", nil},
		{&conversation.Closed{By: conversation.Actor{Kind: conversation.KindCustomer, ID: "c-1"}, Reason: conversation.CloseCustomer}, "closed by customer: customer", nil},
		{&conversation.Reopened{Cause: conversation.CauseReopened}, "the customer wrote again", nil},
		{&conversation.Abandoned{WaitedMillis: 61_400, Why: why}, "the customer gave up after 1m1s", why},
		{&conversation.Tagged{By: mei.Actor(), Tags: []string{"damaged", "refund"}}, "mei tagged it damaged, refund", nil},
		{&conversation.Rated{Rating: conversation.Rating{Score: 4}}, "the customer gave 4 of 5", nil},
		{&conversation.Unknown{Type: "teleported", Raw: json.RawMessage(`{}`)}, "a decision of a newer release: teleported", nil},
	}
	events := []conversation.Event{conversation.NewEvent(id, id, at, &conversation.Message{Text: "hello"})}
	var want []Decision
	for i, s := range stories {
		e := conversation.NewEvent(id, id, at.Add(time.Duration(i)*time.Second), s.body)
		e.Seq = uint64(i + 2)
		events = append(events, e)
		want = append(want, Decision{At: e.At, Seq: e.Seq, Type: e.Type, Text: s.text, Why: s.why})
	}
	if diff := cmp.Diff(want, Decisions(events)); diff != "" {
		t.Error(diff)
	}
}

// No type that goes into a conversation's story is left without words.
func TestEveryDecisionHasWords(t *testing.T) {
	for _, body := range []conversation.Body{
		&conversation.Opened{}, &conversation.Assigned{}, &conversation.Queued{}, &conversation.Offered{}, &conversation.OfferEnded{},
		&conversation.Accepted{}, &conversation.Prioritised{}, &conversation.WrapUpStarted{}, &conversation.Resumed{}, &conversation.Pended{},
		&conversation.Closed{}, &conversation.Abandoned{}, &conversation.Reopened{}, &conversation.CallbackOffered{},
		&conversation.Tagged{},
	} {
		if !body.EventType().OnOwn() {
			t.Errorf("%s is in no story", body.EventType())
		}
		if text, _ := tell(body); text == string(body.EventType()) || strings.TrimSpace(text) == "" {
			t.Errorf("%s has no words", body.EventType())
		}
	}
}
