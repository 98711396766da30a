package conversation_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

func said(seq uint64, client string, note bool) conversation.Event {
	return event(seq, &conversation.Message{From: ann.Actor(), Text: "text", ClientID: client, Note: note})
}

// Whatever is delivered twice, late or out of order: each message is there once, at its first place, in order.
func TestTranscriptHoldsEachMessageOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stored := map[string]uint64{}
		var log []conversation.Event
		for i := range rapid.IntRange(1, 30).Draw(t, "messages") {
			client := fmt.Sprint("m", rapid.IntRange(0, 20).Draw(t, "client"))
			seq := uint64(i + 1)
			if _, ok := stored[client]; !ok {
				stored[client] = seq
			}
			log = append(log, said(seq, client, false))
		}
		deliveries := append(slices.Clone(log), rapid.SliceOf(rapid.SampledFrom(log)).Draw(t, "again")...)
		tr := conversation.NewTranscript(conv)
		for _, e := range rapid.Permutation(deliveries).Draw(t, "order") {
			if _, err := tr.Add(e); err != nil {
				t.Fatal(err)
			}
		}
		got := tr.Messages()
		if len(got) != len(stored) {
			t.Fatalf("%d messages, want %d", len(got), len(stored))
		}
		for i, e := range got {
			client := e.Body.(*conversation.Message).ClientID
			if e.Seq != stored[client] {
				t.Fatalf("%s stands at %d, want %d", client, e.Seq, stored[client])
			}
			if i > 0 && got[i-1].Seq >= e.Seq {
				t.Fatalf("%d comes before %d", got[i-1].Seq, e.Seq)
			}
		}
		after := rapid.Uint64Range(0, 31).Draw(t, "after")
		for _, e := range tr.After(after) {
			if e.Seq <= after {
				t.Fatalf("After(%d) has %d", after, e.Seq)
			}
		}
	})
}

func TestNotesAreForAgentsOnly(t *testing.T) {
	tr := conversation.NewTranscript(conv)
	for _, e := range []conversation.Event{said(1, "a", false), said(2, "b", true), said(3, "c", false)} {
		if _, err := tr.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if got := conversation.ForCustomer(tr.Messages()); len(got) != 2 || len(tr.Messages()) != 3 || tr.LastSeq() != 3 {
		t.Errorf("the customer sees %d of %d messages", len(got), len(tr.Messages()))
	}
	if _, err := tr.Add(event(4, opened())); err == nil {
		t.Error("an event that is no message is accepted")
	}
}
