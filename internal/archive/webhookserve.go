package archive

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
)

// answerWebhooks says how webhooks fare, and replays what was given up.
func (r *role) answerWebhooks(ctx context.Context, data []byte) (any, error) {
	var request protocol.WebhookRequest
	if err := decodeRequest(data, &request); err != nil {
		return nil, err
	}
	states, err := r.webhookStates(ctx)
	if err != nil {
		return nil, err
	}
	reply := &protocol.WebhookReply{V: protocol.Version, OK: true}
	if request.Action == protocol.WebhooksList {
		reply.Webhooks = states
		return reply, nil
	}
	if !hasWebhook(states, request.Webhook) {
		return nil, fmt.Errorf("%w: webhook %q", ErrNotFound, request.Webhook)
	}
	switch request.Action {
	case protocol.WebhooksDeadLetters:
		return r.deadLetters(ctx, &request, reply)
	case protocol.WebhooksReplay:
		if len(request.IDs) > protocol.MaxReplay || (len(request.IDs) == 0) != request.All {
			return nil, fmt.Errorf("%w: ids: name 1 to %d dead letters, or all of them", ErrBadRequest, protocol.MaxReplay)
		}
		reply.Replayed, err = r.store.Webhooks().Replay(ctx, request.Webhook, request.IDs, time.Now())
	case protocol.WebhooksEnable:
		err = r.store.Webhooks().Disable(ctx, request.Webhook, "", time.Now())
	default:
		return nil, fmt.Errorf("%w: action %q: use list, deadLetters, replay or enable", ErrBadRequest, request.Action)
	}
	if err != nil {
		return nil, err
	}
	r.webhooks.Wake()
	return reply, nil
}

func (r *role) deadLetters(ctx context.Context, request *protocol.WebhookRequest, reply *protocol.WebhookReply) (any, error) {
	limit := cmp.Or(request.Limit, protocol.DefaultItems)
	if limit < 1 || limit > protocol.MaxItems {
		return nil, fmt.Errorf("%w: limit %d: use 1 to %d", ErrBadRequest, request.Limit, protocol.MaxItems)
	}
	letters, err := r.store.Webhooks().DeadLetters(ctx, request.Webhook, request.After, limit+1)
	if err != nil {
		return nil, err
	}
	if len(letters) > limit {
		letters = letters[:limit]
		reply.Next = letters[limit-1].ID
	}
	reply.DeadLetters = letters
	return reply, nil
}

func (r *role) webhookStates(ctx context.Context) ([]protocol.WebhookState, error) {
	stored, err := r.store.Webhooks().States(ctx)
	if err != nil {
		return nil, err
	}
	problems := r.webhooks.Problems()
	states := make([]protocol.WebhookState, 0, len(stored))
	for i := range stored {
		s := &stored[i]
		host := ""
		if u, err := url.Parse(s.URL); err == nil {
			host = u.Scheme + "://" + u.Host
		}
		states = append(states, protocol.WebhookState{
			Name: s.Name, Host: host, DisabledAt: s.Disabled, Pending: s.Pending, OldestAt: s.Oldest, Behind: s.Behind,
			DeadLetters: s.DeadLetters, Problem: cmp.Or(s.Why, problems[s.Name], s.Problem),
		})
	}
	return states, nil
}

func hasWebhook(states []protocol.WebhookState, name string) bool {
	for i := range states {
		if states[i].Name == name {
			return true
		}
	}
	return false
}
