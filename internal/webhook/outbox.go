package webhook

import (
	"context"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Outbox keeps durably what receivers have still to be sent. Writes are on the disk when they return. It is safe
// for concurrent use.
type Outbox interface {
	// Declare the desk's webhooks. A new one begins behind what is stored now; one that is no longer declared is
	// forgotten with all that waits for it; one with another URL is enabled.
	Declare(ctx context.Context, hooks []runtimeconfig.Webhook) error
	// Queue what the receiver wants of what was stored since the last time, while fewer than most events wait for it.
	Queue(ctx context.Context, hook *runtimeconfig.Webhook, now time.Time, most int) error
	// Due gives the oldest waiting event of each conversation, of at most limit conversations, when its time has
	// come. next is when to look again if there is none; zero when nothing waits or the webhook is disabled.
	Due(ctx context.Context, hook string, now time.Time, limit int) (items []Item, next time.Time, err error)
	// Record verdicts, in one transaction.
	Record(ctx context.Context, verdicts []Verdict, now time.Time) error
	// Expire makes dead letters of all that was queued before the given time.
	Expire(ctx context.Context, hook string, queuedBefore, now time.Time) (int, error)
	// Disable a webhook, with the reason in words, or enable it when that is empty.
	Disable(ctx context.Context, hook, why string, now time.Time) error
	// States of all webhooks, by name.
	States(ctx context.Context) ([]State, error)
	// DeadLetters lists them in order, behind the id after.
	DeadLetters(ctx context.Context, hook, after string, limit int) ([]DeadLetter, error)
	// Replay dead letters by their ids, or all of them without ids: they wait again, as if they were new. It
	// returns how many.
	Replay(ctx context.Context, hook string, ids []string, now time.Time) (int, error)
}

// Item is an event that waits for a receiver.
type Item struct {
	Hook         string
	Generation   int64
	Seq          uint64
	Conversation conversation.ID
	// Attempts that were made.
	Attempts int
	QueuedAt time.Time
	// Event as it is stored; empty when retention or erasure has taken it.
	Event []byte
	Card  Card
}

// State of a webhook.
type State struct {
	Name string
	URL  string
	// Disabled since; zero when it is enabled. Why in words.
	Disabled time.Time
	Why      string
	// Pending events are queued, Behind are how many stored sequences were not looked at yet.
	Pending int64
	Behind  uint64
	// Oldest of the pending ones was queued at; zero for none.
	Oldest      time.Time
	DeadLetters int64
	// Problem of the oldest pending event's latest attempt.
	Problem string
}

// DeadLetter is an event that was given up.
type DeadLetter struct {
	// ID within the webhook.
	ID           string          `json:"id"`
	Event        string          `json:"event"`
	Conversation conversation.ID `json:"conversation"`
	At           time.Time       `json:"at"`
	QueuedAt     time.Time       `json:"queuedAt"`
	DeadAt       time.Time       `json:"deadAt"`
	Attempts     int             `json:"attempts"`
	Problem      string          `json:"problem"`
}
