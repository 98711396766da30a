package conversation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

var (
	start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	conv  = conversation.NewID(start)
	bot   = conversation.Agent{Kind: conversation.KindBot, ID: "bot-0", Pool: "bots"}
	ann   = conversation.Agent{Kind: conversation.KindAgent, ID: "ann", Name: "Ann", Pool: "people"}
	ben   = conversation.Agent{Kind: conversation.KindAgent, ID: "ben", Pool: "people"}
	place = conversation.Arrival{At: start, Seq: 3}
)

func handOff() *conversation.HandOff {
	return &conversation.HandOff{
		TranscriptSeq: 4, Language: "en", Verification: conversation.VerificationNone,
		Reason: conversation.Reason{Code: conversation.ReasonNoAnswer, Words: "no entry above the floor"},
		Tried:  []conversation.Citation{{KnowledgeBase: "shop", ID: "refund", Confidence: 0.3}},
	}
}

func opened() *conversation.Opened {
	return &conversation.Opened{Channel: "web", Contact: "c-1", Language: "en", Queue: conversation.BotQueue, Arrival: place}
}

func queued(queue string) *conversation.Queued {
	return &conversation.Queued{Queue: queue, Priority: 50, Arrival: place, Cause: conversation.CauseHandOff, HandOff: handOff()}
}

func offered(a conversation.Agent) *conversation.Offered {
	return &conversation.Offered{Agent: a, Deadline: start.Add(time.Minute)}
}

func closed() *conversation.Closed {
	return &conversation.Closed{By: ann.Actor(), Reason: conversation.CloseResolved, Disposition: "refunded"}
}

// event makes an event; seq is both its sequence and its age in seconds.
func event(seq uint64, b conversation.Body) conversation.Event {
	at := start.Add(time.Duration(seq) * time.Second)
	id := conv
	if b.EventType().OfAgent() {
		id = ""
	}
	e := conversation.NewEvent(conversation.NewID(at), id, at, b)
	e.Seq = seq
	return e
}

func fold(t *testing.T, bodies ...conversation.Body) conversation.State {
	t.Helper()
	var s conversation.State
	for i, b := range bodies {
		next, err := conversation.Apply(s, event(uint64(i+1), b))
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		s = next
	}
	return s
}

func TestLifeOfAConversation(t *testing.T) {
	steps := []struct {
		body   conversation.Body
		status conversation.Status
		owner  string
	}{
		{opened(), conversation.StatusQueued, ""},
		{&conversation.Assigned{Agent: bot}, conversation.StatusBot, "bot-0"},
		{queued("refunds"), conversation.StatusQueued, ""},
		{offered(ann), conversation.StatusOffered, ""},
		{&conversation.OfferEnded{Agent: ann, Outcome: conversation.OutcomeExpired, NotBefore: start.Add(time.Hour)}, conversation.StatusQueued, ""},
		{offered(ben), conversation.StatusOffered, ""},
		{&conversation.Accepted{Agent: ben}, conversation.StatusActive, "ben"},
		{&conversation.WrapUpStarted{Agent: ben}, conversation.StatusWrapUp, "ben"},
		{closed(), conversation.StatusClosed, ""},
		{&conversation.Reopened{Cause: conversation.CauseReopened, Seq: 9}, conversation.StatusReopened, ""},
		{&conversation.Queued{Queue: "refunds", Arrival: place, Cause: conversation.CauseReopened}, conversation.StatusQueued, ""},
		{&conversation.Abandoned{WaitedMillis: 5}, conversation.StatusAbandoned, ""},
	}
	var s conversation.State
	for i, step := range steps {
		next, err := conversation.Apply(s, event(uint64(i+1), step.body))
		if err != nil {
			t.Fatal(err)
		}
		s = next
		if s.Status != step.status {
			t.Errorf("after %s: status %s, want %s", step.body.EventType(), s.Status, step.status)
		}
		owner := ""
		if a := s.Owner(); a != nil {
			owner = a.ID
		}
		if owner != step.owner {
			t.Errorf("after %s: owner %q, want %q", step.body.EventType(), owner, step.owner)
		}
		if s.OwnSeq != uint64(i+1) {
			t.Errorf("after %s: OwnSeq %d, want %d", step.body.EventType(), s.OwnSeq, i+1)
		}
	}
}

// every status is reached by the shortest way there.
func reach(t *testing.T) map[conversation.Status]conversation.State {
	active := []conversation.Body{
		opened(), &conversation.Assigned{Agent: bot}, queued("refunds"), offered(ann),
		&conversation.Accepted{Agent: ann}, &conversation.WrapUpStarted{Agent: ann}, closed(),
		&conversation.Reopened{Cause: conversation.CauseReopened},
	}
	states := map[conversation.Status]conversation.State{conversation.StatusNone: {}}
	for i := range active {
		s := fold(t, active[:i+1]...)
		states[s.Status] = s
	}
	s := fold(t, opened(), &conversation.Abandoned{})
	states[s.Status] = s
	return states
}

func TestIllegalTransitionsAreRefusedAndChangeNothing(t *testing.T) {
	legal := map[conversation.Status][]conversation.Type{
		conversation.StatusNone:      {"opened", "restored"},
		conversation.StatusQueued:    {"queued", "offered", "prioritised", "abandoned", "customerLeft", "customerBack", "said"},
		conversation.StatusBot:       {"queued", "closed", "prioritised", "customerLeft", "customerBack", "said"},
		conversation.StatusOffered:   {"offerEnded", "accepted", "prioritised", "customerLeft", "customerBack", "said"},
		conversation.StatusActive:    {"queued", "wrapUpStarted", "customerLeft", "customerBack", "said"},
		conversation.StatusWrapUp:    {"closed", "customerLeft", "customerBack", "said"},
		conversation.StatusClosed:    {"reopened", "forgotten"},
		conversation.StatusAbandoned: {"reopened", "forgotten"},
		conversation.StatusReopened:  {"queued", "said"},
	}
	restored := conversation.Restored{State: fold(t, opened())}
	all := []conversation.Body{
		opened(), &conversation.Assigned{Agent: bot}, queued("refunds"), offered(ann),
		&conversation.OfferEnded{Agent: ann, Outcome: conversation.OutcomeDeclined}, &conversation.Accepted{Agent: ann},
		&conversation.Prioritised{Priority: 9}, &conversation.WrapUpStarted{Agent: ann}, closed(), &conversation.Abandoned{},
		&conversation.Reopened{Cause: conversation.CauseReopened}, &conversation.CustomerLeft{}, &conversation.CustomerBack{},
		&conversation.Said{Text: "hello"}, &conversation.Forgotten{}, &restored,
	}
	for status, s := range reach(t) {
		for _, b := range all {
			name := string(status) + "/" + string(b.EventType())
			got, err := conversation.Apply(s, event(99, b))
			want := false
			for _, l := range legal[status] {
				want = want || l == b.EventType()
			}
			if want != (err == nil) {
				t.Errorf("%s: error %v, legal is %v", name, err, want)
			}
			var refused *conversation.TransitionError
			if err != nil && !errors.As(err, &refused) {
				t.Errorf("%s: error %v is no TransitionError", name, err)
			}
			if err != nil && !cmp.Equal(s, got) {
				t.Errorf("%s: the refused event changed the state: %s", name, cmp.Diff(s, got))
			}
		}
	}
}

func TestSomebodyElsesOfferOrConversation(t *testing.T) {
	asked := fold(t, opened(), &conversation.Assigned{Agent: bot}, queued("refunds"), offered(ann))
	active := fold(t, opened(), &conversation.Assigned{Agent: bot}, queued("refunds"), offered(ann), &conversation.Accepted{Agent: ann})
	for name, c := range map[string]struct {
		s conversation.State
		b conversation.Body
	}{
		"accept of another's offer":    {asked, &conversation.Accepted{Agent: ben}},
		"end of another's offer":       {asked, &conversation.OfferEnded{Agent: ben, Outcome: conversation.OutcomeDeclined}},
		"wrap-up by a former owner":    {active, &conversation.WrapUpStarted{Agent: ben}},
		"a bot takes from people":      {fold(t, opened(), &conversation.Assigned{Agent: bot}, queued("refunds")), &conversation.Assigned{Agent: bot}},
		"a person takes from the bots": {fold(t, opened()), offered(ann)},
		"a bot hands off with nothing": {fold(t, opened(), &conversation.Assigned{Agent: bot}), &conversation.Queued{
			Queue: "refunds", Arrival: place, Cause: conversation.CauseEscalation}},
	} {
		var refused *conversation.TransitionError
		if _, err := conversation.Apply(c.s, event(9, c.b)); !errors.As(err, &refused) {
			t.Errorf("%s: error %v, want a TransitionError", name, err)
		}
	}
	e := event(9, &conversation.Forgotten{})
	e.Conversation = conversation.NewID(start)
	if _, err := conversation.Apply(asked, e); !errors.Is(err, conversation.ErrForeign) {
		t.Errorf("event of another conversation: error %v", err)
	}
}

func TestARequeuedConversationKeepsItsPlaceAndItsHandOff(t *testing.T) {
	s := fold(t, opened(), &conversation.Assigned{Agent: bot}, queued("refunds"), offered(ann), &conversation.Accepted{Agent: ann},
		&conversation.Queued{Queue: "refunds", Priority: 50, Arrival: place, Cause: conversation.CauseAgentLost})
	if s.Arrival != place || s.Agent != nil || s.Status != conversation.StatusQueued {
		t.Errorf("place %v, agent %v, status %s", s.Arrival, s.Agent, s.Status)
	}
	if diff := cmp.Diff(handOff(), s.HandOff); diff != "" {
		t.Errorf("hand-off: %s", diff)
	}
}

func TestPassedAgentsAreRememberedUntilTheirTime(t *testing.T) {
	ended := &conversation.OfferEnded{Agent: ann, Outcome: conversation.OutcomeDeclined, NotBefore: start.Add(time.Minute)}
	s := fold(t, opened(), &conversation.Assigned{Agent: bot}, queued("refunds"), offered(ann), ended)
	if !s.PassedBy("ann", start.Add(59*time.Second)) || s.PassedBy("ann", start.Add(time.Minute)) || s.PassedBy("ben", start) {
		t.Errorf("passed by: %v", s.Passed)
	}
}

func TestMessagesCountTurnsMissesAndLanguage(t *testing.T) {
	say := func(kind conversation.Kind, text string, change func(*conversation.Message)) *conversation.Message {
		m := &conversation.Message{From: conversation.Actor{Kind: kind, ID: "x"}, Text: text, ClientID: "m"}
		if change != nil {
			change(m)
		}
		return m
	}
	s := fold(t, opened(),
		say(conversation.KindCustomer, "你好", func(m *conversation.Message) { m.Language = "zh" }),
		say(conversation.KindBot, "?", func(m *conversation.Message) { m.Missed = true }),
		say(conversation.KindAgent, "aside", func(m *conversation.Message) { m.Note = true }),
		say(conversation.KindCustomer, "ok", nil),
		say(conversation.KindAgent, "hello", nil))
	if s.Turns != 2 || s.Misses != 1 || s.Language != "zh" || s.MsgSeq != 6 || s.OwnSeq != 1 {
		t.Errorf("turns %d misses %d language %s msg %d own %d", s.Turns, s.Misses, s.Language, s.MsgSeq, s.OwnSeq)
	}
	if want := start.Add(6 * time.Second); !s.AnsweredAt.Equal(want) || !s.LastSaidAt.Equal(want) {
		t.Errorf("answered at %v, last said at %v, want %v", s.AnsweredAt, s.LastSaidAt, want)
	}
}

func TestHandOffIsRefusedWithoutItsParts(t *testing.T) {
	for field, spoil := range map[string]func(*conversation.HandOff){
		"handOff.transcriptSeq": func(h *conversation.HandOff) { h.TranscriptSeq = 0 },
		"handOff.reason.code":   func(h *conversation.HandOff) { h.Reason.Code = "" },
		"handOff.reason.words":  func(h *conversation.HandOff) { h.Reason.Words = " " },
		"handOff.language":      func(h *conversation.HandOff) { h.Language = "" },
		"handOff.verification":  func(h *conversation.HandOff) { h.Verification = "" },
		"handOff.queue":         func(h *conversation.HandOff) { h.Queue = "a.b" },
		"entry.confidence":      func(h *conversation.HandOff) { h.Tried[0].Confidence = 1.5 },
		"handOff":               func(h *conversation.HandOff) { h.Intents = make([]string, conversation.MaxTried+1) },
	} {
		h := handOff()
		if err := h.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(h)
		var wrong *conversation.FieldError
		if err := h.Validate(); !errors.As(err, &wrong) || wrong.Field != field || wrong.Remedy == "" {
			t.Errorf("%s: error %v", field, err)
		}
	}
	var none *conversation.HandOff
	if none.Validate() == nil {
		t.Error("no hand-off at all is accepted")
	}
}
