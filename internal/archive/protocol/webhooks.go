package protocol

import (
	"context"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/webhook"
)

// WebhookAction is what is wanted of the webhooks.
type WebhookAction string

// Actions on webhooks.
const (
	// WebhooksList gives the state of each webhook.
	WebhooksList WebhookAction = "list"
	// WebhooksDeadLetters lists what was given up for one webhook.
	WebhooksDeadLetters WebhookAction = "deadLetters"
	// WebhooksReplay lets dead letters of one webhook wait again.
	WebhooksReplay WebhookAction = "replay"
	// WebhooksEnable enables a webhook whose receiver has answered with 410.
	WebhooksEnable WebhookAction = "enable"
)

// MaxReplay is the greatest number of dead letters that are named in one request.
const MaxReplay = 100

// WebhookRequest asks about webhooks, or changes what waits for one.
type WebhookRequest struct {
	V      int           `json:"v"`
	Action WebhookAction `json:"action"`
	// Webhook by name; all actions but list need it.
	Webhook string `json:"webhook,omitempty"`
	// After is the next of the reply before, and Limit at most MaxItems, 0 for DefaultItems: of deadLetters.
	After string `json:"after,omitempty"`
	Limit int    `json:"limit,omitempty"`
	// IDs of dead letters to replay, at most MaxReplay; All of them instead.
	IDs []string `json:"ids,omitempty"`
	All bool     `json:"all,omitempty"`
}

// WebhookReply answers all actions; which fields are set depends on the action.
type WebhookReply struct {
	V           int                  `json:"v"`
	OK          bool                 `json:"ok"`
	Error       *Error               `json:"error,omitempty"`
	Webhooks    []WebhookState       `json:"webhooks,omitempty"`
	DeadLetters []webhook.DeadLetter `json:"deadLetters,omitempty"`
	// Next goes into After; empty at the end.
	Next string `json:"next,omitempty"`
	// Replayed dead letters.
	Replayed int `json:"replayed,omitempty"`
}

// WebhookState is how a webhook fares.
type WebhookState struct {
	Name string `json:"name"`
	// Host of its URL; the rest of it is not shown, as receivers like to put tokens there.
	Host string `json:"host"`
	// DisabledAt is when its receiver answered with 410; zero when it is enabled.
	DisabledAt time.Time `json:"disabledAt,omitzero"`
	// Pending events are queued, the oldest since OldestAt; Behind are stored sequences that were not looked at yet.
	Pending  int64     `json:"pending"`
	OldestAt time.Time `json:"oldestAt,omitzero"`
	Behind   uint64    `json:"behind"`
	// DeadLetters that were given up and not replayed.
	DeadLetters int64 `json:"deadLetters"`
	// Problem of the latest attempt in words; empty when it delivers.
	Problem string `json:"problem,omitempty"`
}

// WebhookTroubles are the webhooks that somebody has to look at.
type WebhookTroubles struct {
	Troubled []WebhookTrouble `json:"troubled,omitempty"`
}

// WebhookTrouble of one webhook: at least one of the three.
type WebhookTrouble struct {
	Name string `json:"name"`
	// DisabledAt is when its receiver answered with 410.
	DisabledAt time.Time `json:"disabledAt,omitzero"`
	// FailingSince is when the oldest event was queued that is tried in vain, for longer than a restart takes.
	FailingSince time.Time `json:"failingSince,omitzero"`
	// DeadLetters that were given up and not replayed.
	DeadLetters int64 `json:"deadLetters,omitempty"`
	// Problem of the latest attempt in words.
	Problem string `json:"problem,omitempty"`
}

// Webhooks asks about webhooks, or changes what waits for one.
func (c Client) Webhooks(ctx context.Context, r WebhookRequest) (*WebhookReply, error) {
	r.V = Version
	return ask(ctx, c, bus.ServiceArchiveWebhooks, r, func(r *WebhookReply) (bool, *Error) { return r.OK, r.Error })
}
