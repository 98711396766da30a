package chatclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// opens says whether a request may be about a conversation that the agent does not have.
func opens(f *agentwire.ClientFrame) bool {
	return f.Type == agentwire.TypeTakeOver || f.Type == agentwire.TypeWatch || f.Type == agentwire.TypeMerge || f.Type == agentwire.TypeTag
}

// Postpone puts an owned conversation aside until a time. With callBack the customer is told the time.
func (a *Agent) Postpone(ctx context.Context, conv conversation.ID, until time.Time, callBack bool) error {
	return a.ask(ctx, agentwire.ClientFrame{Type: agentwire.TypePostpone, Conversation: conv, Until: until, CallBack: callBack})
}

// Tag replaces the tags of a conversation.
func (a *Agent) Tag(ctx context.Context, conv conversation.ID, tags []string) error {
	return a.ask(ctx, agentwire.ClientFrame{Type: agentwire.TypeTag, Conversation: conv, Tags: tags})
}

// Merge ends a conversation as a duplicate of another one, which goes on.
func (a *Agent) Merge(ctx context.Context, duplicate, into conversation.ID) error {
	return a.ask(ctx, agentwire.ClientFrame{Type: agentwire.TypeMerge, Conversation: duplicate, Into: into})
}

// TakeOver makes an open conversation a supervisor's at once.
func (a *Agent) TakeOver(ctx context.Context, conv conversation.ID) error {
	return a.ask(ctx, agentwire.ClientFrame{Type: agentwire.TypeTakeOver, Conversation: conv})
}

// Watch shows what is said in a conversation that is another's, or does so no longer. Notes may be posted in it.
func (a *Agent) Watch(ctx context.Context, conv conversation.ID, on bool) error {
	return a.ask(ctx, agentwire.ClientFrame{Type: agentwire.TypeWatch, Conversation: conv, On: on})
}

// watchAgain asks for what was watched before the connection was lost.
func (a *Agent) watchAgain() {
	for id, d := range a.dialogs {
		if d.shown.Relation != agentwire.Watched {
			continue
		}
		a.nextID++
		a.requests = append(a.requests, &request{
			frame: agentwire.ClientFrame{Type: agentwire.TypeWatch, ID: strconv.Itoa(a.nextID), Conversation: id, On: true},
			done:  make(chan struct{}),
		})
	}
}

// Colleague is a person who is signed on.
type Colleague struct {
	ID       string             `json:"id"`
	Presence agentwire.Presence `json:"presence"`
	Slots    int                `json:"slots"`
	Busy     int                `json:"busy"`
	Queues   []string           `json:"queues"`
}

// Colleagues lists who is signed on.
func (a *Agent) Colleagues(ctx context.Context) ([]Colleague, error) {
	var reply struct {
		Agents []Colleague `json:"agents"`
	}
	err := a.get(ctx, "agents", nil, &reply)
	return reply.Agents, err
}

// Opened is an open conversation of the desk.
type Opened struct {
	ID          conversation.ID     `json:"id"`
	Status      conversation.Status `json:"status"`
	ContactName string              `json:"contactName"`
	Queue       string              `json:"queue"`
	Agent       *conversation.Agent `json:"agent"`
	Deadline    time.Time           `json:"deadline"`
	Position    int                 `json:"position"`
	Tags        []string            `json:"tags"`
	Why         []string            `json:"why"`
}

// Opened lists open conversations, all for supervisors and one's own for agents; empty queue and status stand for any.
// There may be more than it lists.
func (a *Agent) Opened(ctx context.Context, queue string, status conversation.Status) ([]Opened, error) {
	var reply struct {
		Conversations []Opened `json:"conversations"`
	}
	err := a.get(ctx, "conversations", url.Values{"queue": {queue}, "status": {string(status)}}, &reply)
	return reply.Conversations, err
}

// mostReply in bytes of what is read from the console's REST API.
const mostReply = 4 << 20

// get asks the console's REST API. A refusal is a *problem.Problem.
func (a *Agent) get(ctx context.Context, what string, query url.Values, into any) error {
	return a.call(ctx, http.MethodGet, what+"?"+query.Encode(), nil, into)
}

// call sends a request with a JSON body, or none if it is empty, to the console's REST API. A refusal is a *problem.Problem.
func (a *Agent) call(ctx context.Context, method, what string, body []byte, into any) error {
	address := "http" + strings.TrimSuffix(strings.TrimPrefix(a.line.address, "ws"), agentPath) + "/console/v1/" + what
	what, _, _ = strings.Cut(what, "?")
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask for %s: %w", what, err)
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Close = true // seldom asked: a connection that is kept would outlive the agent
	resp, err := a.rest.Do(req)
	if err != nil {
		return fmt.Errorf("ask for %s: %w", what, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	data, err := io.ReadAll(io.LimitReader(resp.Body, mostReply))
	if err != nil {
		return fmt.Errorf("ask for %s: %w", what, err)
	}
	if resp.StatusCode != http.StatusOK {
		var p problem.Problem
		if err := json.Unmarshal(data, &p); err != nil || p.Type == "" {
			return fmt.Errorf("ask for %s: the console answers %s", what, resp.Status)
		}
		return &p
	}
	return json.Unmarshal(data, into)
}
