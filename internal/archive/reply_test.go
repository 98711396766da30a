package archive

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// TestRepliesFitTheBus: a conversation of the longest messages is read and found over the bus, in as many
// replies as it takes.
func TestRepliesFitTheBus(t *testing.T) {
	b := newBench(t)
	s := newScript(t)
	conv, said := s.served("c-1", "refund please")
	for i := range 12 {
		// Each in its longest spelling fills most of a reply.
		text := fmt.Sprintf("parcel %d %s", i, strings.Repeat("<", conversation.MaxTextBytes-32))
		s.says(conv, customer("c-1"), text)
		said = append(said, text)
	}
	b.play(s)
	b.decide()
	b.run(b.options())
	eventually.Nil(t, "the transcript is archived", func() error {
		if got, err := b.pages(conv); err != nil || !slices.Equal(got, said) {
			return fmt.Errorf("it has %d messages, want %d: %w", len(got), len(said), err)
		}
		return nil
	})
	found, search := 0, protocol.SearchRequest{Text: "parcel", Limit: protocol.MaxItems}
	eventually.True(t, "all messages are found", func() bool {
		reply, err := b.client().Search(t.Context(), search)
		if err != nil {
			t.Fatal(err)
		}
		found += len(reply.Hits)
		search.Before = reply.Next
		return reply.Next == ""
	})
	if found != 12 {
		t.Errorf("%d messages are found, want 12", found)
	}
}

// pages reads a transcript to its end.
func (b *bench) pages(id conversation.ID) ([]string, error) {
	var out []string
	request := protocol.TranscriptRequest{Conversation: id, Limit: protocol.MaxItems}
	for {
		reply, err := b.client().Transcript(b.t.Context(), request)
		if err != nil {
			return nil, err
		}
		for _, item := range reply.Items {
			e, err := conversation.Decode(item.Event)
			if err != nil {
				return nil, err
			}
			if m, ok := e.Body.(*conversation.Message); ok {
				out = append(out, m.Text)
			}
		}
		if request.After = reply.Next; request.After == "" {
			return out, nil
		}
	}
}
