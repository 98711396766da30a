package explain

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// TestLabelsInWords: what people call a conversation, and what became of it, is told in words.
func TestLabelsInWords(t *testing.T) {
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	ann := conversation.Actor{Kind: conversation.KindAgent, ID: "ann"}
	var events []conversation.Event
	for _, body := range []conversation.Body{
		&conversation.Tagged{By: ann, Tags: []string{"complaint", "退款"}}, &conversation.Tagged{By: ann, Tags: []string{}},
		&conversation.Pended{Until: at, Agent: "ann", Promised: true},
		&conversation.Closed{By: ann, Reason: conversation.CloseMerged, MergedInto: "01JD0000000000000000000000"},
		&conversation.Rated{By: conversation.Actor{Kind: conversation.KindCustomer, ID: "c-1"}, Rating: conversation.Rating{Score: 4}},
	} {
		events = append(events, conversation.NewEvent(conversation.NewID(at), conversation.NewID(at), at, body))
	}
	var got []string
	for _, d := range Decisions(events) {
		got = append(got, d.Text)
	}
	want := []string{
		"ann tagged it complaint, 退款", "ann took its tags away", "ann promised the customer to come back at 2026-11-20T08:00:00Z",
		"closed by agent ann: merged, goes on in 01JD0000000000000000000000", "the customer gave 4 of 5",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
