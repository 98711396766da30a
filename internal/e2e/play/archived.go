package play

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Supervisor reads what a desk archived.
type Supervisor struct {
	// Console is the address of the desk's console, Token that of a supervisor.
	Console, Token string
}

// transcript is what the console says about a conversation.
type transcript struct {
	Conversation *protocol.Conversation
	Items        []protocol.Item
	Next         string
}

// CheckArchived waits until a customer's ended conversation is in the archive,
// and compares: every acknowledged message must be there exactly once and in order.
func (s *Supervisor) CheckArchived(ctx context.Context, c *Customer) error {
	id := c.chat.Standing().Conversation
	said, err := s.said(ctx, id)
	if err != nil {
		return fmt.Errorf("the archived conversation of customer %s: %w", c.Name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(said, c.acknowledged) {
		return fmt.Errorf("the archive holds %q of customer %s in conversation %s, acknowledged were %q", said, c.Name, id, c.acknowledged)
	}
	return nil
}

// said is what the customer said in an archived conversation.
func (s *Supervisor) said(ctx context.Context, id conversation.ID) ([]string, error) {
	var said []string
	var last uint64
	for after := ""; ; {
		page, err := s.archived(ctx, id, after)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			if item.Seq <= last {
				return nil, fmt.Errorf("event %d came behind %d", item.Seq, last)
			}
			last = item.Seq
			var event struct {
				Type string
				Text string
				From struct{ Kind conversation.Kind }
			}
			if err := json.Unmarshal(item.Event, &event); err != nil {
				return nil, err
			}
			if event.Type == "message" && event.From.Kind == conversation.KindCustomer {
				said = append(said, event.Text)
			}
		}
		if after = page.Next; after == "" {
			return said, nil
		}
	}
}

// archived is a page of a transcript out of the archive. A conversation that the
// archiver has not written yet is waited for.
func (s *Supervisor) archived(ctx context.Context, id conversation.ID, after string) (*transcript, error) {
	for {
		page, err := s.page(ctx, id, after)
		// Only the archive says when a conversation ended.
		if err == nil && page.Conversation != nil && !page.Conversation.EndedAt.IsZero() {
			return page, nil
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return nil, errors.Join(errors.New("it did not get there in time"), err, ctx.Err())
		}
	}
}

func (s *Supervisor) page(ctx context.Context, id conversation.ID, after string) (*transcript, error) {
	address := s.Console + "/console/v1/transcripts/" + string(id) + "?" + url.Values{"after": {after}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+s.Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", address, response.Status)
	}
	page := &transcript{}
	return page, json.NewDecoder(response.Body).Decode(page)
}
