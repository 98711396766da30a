package explain

import (
	"context"
	"fmt"
	"net/url"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/console/reader"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Story of a conversation.
type Story struct {
	Conversation *protocol.Conversation `json:"conversation"`
	Decisions    []Decision             `json:"decisions"`
}

// Source is a desk's console, with the token of a supervisor or of the agent who has the conversation.
type Source struct{ *reader.Console }

const (
	// pageItems are asked for at once, the most that the console gives.
	pageItems = protocol.MaxItems
	// mostPages of a transcript, against a server that goes on for ever.
	mostPages = 1000
)

// Read asks the console for a conversation, open or archived. Errors name what was refused and what to do; they never hold
// the token.
func (s Source) Read(ctx context.Context, id conversation.ID) (*Story, error) {
	story := &Story{}
	var events []conversation.Event
	after := ""
	for range mostPages {
		page, err := s.page(ctx, id, after)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			e, err := conversation.Decode(item.Event)
			if err != nil {
				return nil, fmt.Errorf("event %d of %s: %w", item.Seq, id, err)
			}
			e.Seq = item.Seq
			events = append(events, e)
		}
		if story.Conversation == nil {
			story.Conversation = page.Conversation
		}
		if after = page.Next; after == "" {
			story.Decisions = Decisions(events)
			return story, nil
		}
	}
	return nil, fmt.Errorf("%s has more than %d pages", id, mostPages)
}

type page struct {
	Conversation *protocol.Conversation `json:"conversation"`
	Items        []protocol.Item        `json:"items"`
	Next         string                 `json:"next"`
}

func (s Source) page(ctx context.Context, id conversation.ID, after string) (*page, error) {
	query := url.Values{"limit": {fmt.Sprint(pageItems)}}
	if after != "" {
		query.Set("after", after)
	}
	p := &page{}
	return p, s.Get(ctx, "/console/v1/transcripts/"+url.PathEscape(string(id)), query, p)
}
