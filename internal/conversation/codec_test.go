package conversation_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// everyBody has one valid body of each type.
func everyBody(t testing.TB) []conversation.Body {
	var s conversation.State
	for i, b := range []conversation.Body{opened(), &conversation.Assigned{Agent: bot}} {
		next, err := conversation.Apply(s, event(uint64(i+1), b))
		if err != nil {
			t.Fatal(err)
		}
		s = next
	}
	return []conversation.Body{
		&conversation.Message{From: ann.Actor(), Text: "hello 你好", Language: "en", ClientID: "m1",
			Entry: &conversation.Citation{KnowledgeBase: "shop", ID: "e1", Confidence: 0.5}},
		opened(), &conversation.Assigned{Agent: bot, Why: []string{"free"}}, queued("refunds"), offered(ann),
		&conversation.OfferEnded{Agent: ann, Outcome: conversation.OutcomeDeclined, NotBefore: start},
		&conversation.Accepted{Agent: ann}, &conversation.Prioritised{Priority: 9, Rule: "vip"},
		&conversation.WrapUpStarted{Agent: ann}, closed(), &conversation.Abandoned{WaitedMillis: 7},
		&conversation.Reopened{Cause: conversation.CauseReopened, Seq: 4}, &conversation.CustomerLeft{}, &conversation.CustomerBack{},
		&conversation.Said{Text: "one moment"}, &conversation.Forgotten{Seq: 8}, &conversation.Restored{State: s},
		&conversation.SignedOn{Agent: ann, Presence: conversation.PresenceOnline},
		&conversation.PresenceSet{Agent: "ann", Presence: conversation.PresenceAway, Why: []string{"missed an offer"}},
		&conversation.SignedOff{Agent: "ann", Lost: true}, &conversation.DrainSet{Agent: "bot-0", Draining: true},
		&conversation.AgentRestored{Agent: ann, Presence: conversation.PresenceOnline, IdleSince: start},
		&conversation.TookOver{Router: "router-0"},
		&conversation.WrapUpStarted{Agent: ann, Until: start, Ending: &conversation.Ending{
			By: ann.Actor(), Reason: conversation.CloseResolved, Disposition: "refunded"}},
		&conversation.Tagged{By: ann.Actor(), Tags: []string{"refund", "退款"}}, &conversation.CallbackOffered{Why: []string{"predicted wait 5 min"}},
		&conversation.Rated{By: conversation.Actor{Kind: conversation.KindCustomer, ID: "c-1"}, Rating: conversation.Rating{Score: 4, Comment: "fine"}},
		&conversation.Closed{By: ann.Actor(), Reason: conversation.CloseMerged, MergedInto: conv},
		&conversation.Said{Text: "merged", Note: true}, &conversation.Pended{Until: start, Agent: "ann", Promised: true},
		&conversation.Pended{Until: start, Agent: "ann"}, &conversation.Resumed{Agent: ann}, &conversation.Relaxed{Ring: 2, Why: []string{"waited 60 s"}},
		&conversation.Overflowed{Pool: "backup", Why: []string{"the queue is full"}},
		&conversation.OverflowSet{Queue: "refunds", Steps: 1, PredictedWaitMillis: 61_000},
		&conversation.QueueRestored{Queue: "refunds", Steps: 1, Handled: 3, HandleMean: 41.5, HandleSquares: 7},
		&conversation.StepHeld{Queue: "refunds", HeldStep: conversation.HeldStep{Step: 1, Action: "Pool", Target: "backup", Until: start, By: "sue", Reason: "大促"}},
		&conversation.StepReleased{Queue: "refunds", Step: 1, By: "sue", Why: []string{"it is over"}},
	}
}

func TestEveryEventComesBackAsItWent(t *testing.T) {
	for _, b := range everyBody(t) {
		want := event(1, b)
		want.Seq = 0
		data, err := conversation.Encode(want)
		if err != nil {
			t.Fatalf("%s: %v", b.EventType(), err)
		}
		got, err := conversation.Decode(data)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", b.EventType(), diff)
		}
	}
}

func TestABatchComesBackAsItWent(t *testing.T) {
	want := &conversation.Batch{V: 1, ID: conversation.NewID(start), At: start, Router: "router-0", Cursor: 7, Requests: []string{"r1"}}
	for _, b := range everyBody(t) {
		e := event(1, b)
		e.Seq = 0
		want.Events = append(want.Events, e)
	}
	data, err := conversation.EncodeBatch(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := conversation.DecodeBatch(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNeighbouringVersions(t *testing.T) {
	id := conversation.NewID(start)
	head := `"v":1,"id":"` + string(id) + `","conversation":"` + string(conv) + `","at":"2026-11-20T08:00:00Z"`

	data := `{"type":"starred",` + head + `,"stars":["a"]}`
	e, err := conversation.Decode([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	again, err := conversation.Encode(e)
	if err != nil || string(again) != data {
		t.Errorf("an event of an unknown type came back as %s, %v", again, err)
	}
	before := fold(t, opened())
	after, err := conversation.Apply(before, e)
	if err != nil || !cmp.Equal(before, after) {
		t.Errorf("an event of an unknown type changed the state or failed: %v", err)
	}

	e, err = conversation.Decode([]byte(`{"type":"abandoned",` + head + `,"waitedMillis":5,"mood":"sad"}`))
	if err != nil || e.Body.(*conversation.Abandoned).WaitedMillis != 5 {
		t.Errorf("an unknown field: %v %v", e.Body, err)
	}

	later := strings.Replace(`{"type":"offerEnded",`+head+`,"outcome":"stolen"}`, `"v":1`, `"v":2`, 1)
	if e, err = conversation.Decode([]byte(later)); err != nil {
		t.Fatal(err)
	}
	if _, ok := e.Body.(*conversation.Unknown); !ok {
		t.Errorf("an event of a later version that makes no sense here decoded to %T", e.Body)
	}
}

func TestWrongEventsAreRefused(t *testing.T) {
	valid := func(b conversation.Body) map[string]any {
		data, err := conversation.Encode(event(1, b))
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	msg := &conversation.Message{From: ann.Actor(), Text: "hello", ClientID: "m1"}
	for name, c := range map[string]struct {
		body  conversation.Body
		field string
		value any
	}{
		"version 0":            {msg, "v", 0},
		"id":                   {msg, "id", "1"},
		"lower case id":        {msg, "id", strings.ToLower(string(conv))},
		"conversation":         {msg, "conversation", "c.1"},
		"no conversation":      {msg, "conversation", ""},
		"no time":              {msg, "at", "0001-01-01T00:00:00Z"},
		"no author":            {msg, "from", map[string]any{"kind": "customer"}},
		"author of no kind":    {msg, "from", map[string]any{"kind": "robot", "id": "x"}},
		"blank text":           {msg, "text", " \n"},
		"long text":            {msg, "text", strings.Repeat("x", conversation.MaxTextBytes+1)},
		"client id with a dot": {msg, "clientId", "a.b"},
		"agent's event":        {&conversation.SignedOff{Agent: "ann"}, "conversation", string(conv)},
		"assigned person":      {&conversation.Assigned{Agent: bot}, "agent", ann},
		"offered bot":          {offered(ann), "agent", bot},
		"priority":             {queued("q"), "priority", 101},
		"no hand-off":          {queued("q"), "handOff", nil},
		"much why":             {offered(ann), "why", make([]string, conversation.MaxWhy+1)},
	} {
		m := valid(c.body)
		m[c.field] = c.value
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conversation.Decode(data); !errors.Is(err, conversation.ErrMalformed) {
			t.Errorf("%s: error %v, want ErrMalformed", name, err)
		}
	}
}

// FuzzDecode holds that what is accepted is valid, encodes, and decodes to the same again.
func FuzzDecode(f *testing.F) {
	for _, b := range everyBody(f) {
		data, err := conversation.Encode(event(1, b))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"type":"tagged","v":3,"id":"01JD3KZ8Q8N0000000000000AA","conversation":"","at":"2026-11-20T08:00:00Z","x":[1]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := conversation.Decode(data)
		if err != nil {
			if !errors.Is(err, conversation.ErrMalformed) {
				t.Fatalf("error %v does not wrap ErrMalformed", err)
			}
			return
		}
		again, err := conversation.Encode(e)
		if err != nil {
			t.Fatalf("accepted but not encoded: %v", err)
		}
		back, err := conversation.Decode(again)
		if err != nil {
			t.Fatalf("encoded but not decoded: %v", err)
		}
		if diff := cmp.Diff(e, back); diff != "" {
			t.Fatal(diff)
		}
		_, _ = conversation.Apply(conversation.State{}, e)
	})
}

// FuzzDecodeBatch holds the same for the decision log.
func FuzzDecodeBatch(f *testing.F) {
	b := &conversation.Batch{V: 1, ID: conv, At: start, Router: "r", Events: []conversation.Event{event(1, opened())}}
	data, err := conversation.EncodeBatch(b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := conversation.DecodeBatch(data)
		if err != nil {
			return
		}
		if _, err := json.Marshal(b); err != nil {
			t.Fatalf("accepted but not encoded: %v", err)
		}
	})
}
