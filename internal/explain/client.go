package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// Story of a conversation.
type Story struct {
	Conversation *protocol.Conversation `json:"conversation"`
	Decisions    []Decision             `json:"decisions"`
}

// Source is a desk's console.
type Source struct {
	// URL of the console, such as http://localhost:8080.
	URL string
	// Token of a supervisor or of the agent who has the conversation.
	Token  string
	Client *http.Client
}

const (
	// pageItems are asked for at once, the most that the console gives.
	pageItems = protocol.MaxItems
	// maxPageBytes of an answer.
	maxPageBytes = 64 << 20
	// mostPages of a transcript, against a server that goes on for ever.
	mostPages = 1000
)

// Read asks the console for a conversation, open or archived. Errors name what was refused and what to do; they never hold
// the token.
func (s *Source) Read(ctx context.Context, id conversation.ID) (*Story, error) {
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

func (s *Source) page(ctx context.Context, id conversation.ID, after string) (*page, error) {
	query := url.Values{"limit": {fmt.Sprint(pageItems)}}
	if after != "" {
		query.Set("after", after)
	}
	address := strings.TrimSuffix(s.URL, "/") + "/console/v1/transcripts/" + url.PathEscape(string(id)) + "?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.URL, err)
	}
	request.Header.Set("Authorization", "Bearer "+s.Token)
	client := s.Client
	if client == nil {
		client = &http.Client{Timeout: time.Minute}
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the console: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body := io.LimitReader(response.Body, maxPageBytes)
	if response.StatusCode != http.StatusOK {
		return nil, refused(response, body)
	}
	p := &page{}
	if err := json.NewDecoder(body).Decode(p); err != nil {
		return nil, fmt.Errorf("%s does not answer as a console: %w", s.URL, err)
	}
	return p, nil
}

// refused turns the console's problem into an error.
func refused(response *http.Response, body io.Reader) error {
	p := &problem.Problem{}
	if json.NewDecoder(body).Decode(p) != nil || p.Title == "" {
		return fmt.Errorf("the console answers %s: is this the console of a desk?", response.Status)
	}
	return p
}
