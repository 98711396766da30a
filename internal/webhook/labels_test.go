package webhook

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// TestLabelsAreTold: tags, also none, ratings and merges reach those who want them, and nobody else.
func TestLabelsAreTold(t *testing.T) {
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	id, into := conversation.NewID(at), conversation.NewID(at.Add(time.Second))
	ann := conversation.Actor{Kind: conversation.KindAgent, ID: "ann"}
	customer := conversation.Actor{Kind: conversation.KindCustomer, ID: "c-1"}
	for _, tc := range []struct {
		event runtimeconfig.WebhookEvent
		body  conversation.Body
		data  string
	}{
		{runtimeconfig.EventTagged, &conversation.Tagged{By: ann, Tags: []string{"complaint", "退款"}}, `"by":{"kind":"agent","id":"ann"},"tags":["complaint","退款"]`},
		{runtimeconfig.EventTagged, &conversation.Tagged{By: ann, Tags: []string{}}, `"by":{"kind":"agent","id":"ann"},"tags":[]`},
		{runtimeconfig.EventRated, &conversation.Rated{By: customer, Rating: conversation.Rating{Score: 4, Comment: "quick"}}, `"by":{"kind":"customer","id":"c-1"},"comment":"quick","score":4`},
		{runtimeconfig.EventClosed, &conversation.Closed{By: ann, Reason: conversation.CloseMerged, MergedInto: into}, `"by":{"kind":"agent","id":"ann"},"reason":"merged","mergedInto":"` + string(into) + `"`},
	} {
		e := conversation.NewEvent(conversation.NewID(at), id, at, tc.body)
		e.Seq = 7
		hook := runtimeconfig.Webhook{Events: []runtimeconfig.WebhookEvent{tc.event}}
		other := runtimeconfig.Webhook{Events: []runtimeconfig.WebhookEvent{runtimeconfig.EventOpened}}
		if !Wants(&hook, e, "web") || Wants(&other, e, "web") {
			t.Errorf("%s is told to the wrong ones", tc.event)
		}
		data, err := Render("/namespaces/shop/servicedesks/web", e, Card{Channel: "web"})
		if err != nil {
			t.Fatal(err)
		}
		var told struct {
			Type string          `json:"type"`
			Data json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(data, &told); err != nil {
			t.Fatal(err)
		}
		want := `{"conversation":{"id":"` + string(id) + `","channel":"web"},` + tc.data + `}`
		if told.Type != "dev.deskfleet."+string(tc.event)+".v1" || string(told.Data) != want {
			t.Errorf("%s says %s, want %s", told.Type, told.Data, want)
		}
	}
}
