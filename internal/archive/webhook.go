package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/webhook"
)

// webhookScan is how many stored events are looked at in one transaction: few, as one may have 224 KiB.
const webhookScan = 64

// outbox is the part of the database that webhooks are delivered from.
type outbox struct{ *DB }

var _ webhook.Outbox = outbox{}

// Webhooks implements Store.
func (d *DB) Webhooks() webhook.Outbox { return outbox{d} }

// Declare implements webhook.Outbox.
func (o outbox) Declare(ctx context.Context, hooks []runtimeconfig.Webhook) error {
	err := o.inTx(ctx, func(tx *sql.Tx) error {
		position, err := readPosition(ctx, tx)
		if err != nil {
			return err
		}
		gone, err := declaredWebhooks(ctx, tx)
		if err != nil {
			return err
		}
		for i := range hooks {
			h := &hooks[i]
			url, known := gone[h.Name]
			delete(gone, h.Name)
			switch {
			case !known:
				_, err = tx.ExecContext(ctx, `INSERT INTO webhooks (name, url, generation, seq) VALUES ($1, $2, $3, $4)`,
					h.Name, h.URL, position.Generation, position.Seq)
			case url != h.URL:
				_, err = tx.ExecContext(ctx, `UPDATE webhooks SET url = $2, disabled_at = 0, disabled_why = '' WHERE name = $1`, h.Name, h.URL)
				err = errors.Join(err, hurry(ctx, tx, h.Name))
			}
			if err != nil {
				return err
			}
		}
		for name := range gone {
			for _, statement := range []string{`DELETE FROM webhook_events WHERE webhook = $1`, `DELETE FROM webhooks WHERE name = $1`} {
				if _, err := tx.ExecContext(ctx, statement, name); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return wrap("declare the webhooks", err)
}

// hurry tries everything that waits at once: it waited for another receiver, or for one that has changed its mind.
func hurry(ctx context.Context, tx *sql.Tx, hook string) error {
	_, err := tx.ExecContext(ctx, `UPDATE webhook_events SET next_at = 0 WHERE webhook = $1 AND dead_at = 0`, hook)
	return err
}

// declaredWebhooks reads the URLs by name.
func declaredWebhooks(ctx context.Context, tx *sql.Tx) (map[string]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT name, url FROM webhooks`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err tells
	urls := map[string]string{}
	for rows.Next() {
		var name, url string
		if err := rows.Scan(&name, &url); err != nil {
			return nil, err
		}
		urls[name] = url
	}
	return urls, rows.Err()
}

// storedEvent is an event of the archive that a webhook may want.
type storedEvent struct {
	seq          uint64
	conversation string
	channel      string
	body         []byte
}

// Queue implements webhook.Outbox. It looks at one batch after the other until there is none, or enough waits.
func (o outbox) Queue(ctx context.Context, hook *runtimeconfig.Webhook, now time.Time, most int) error {
	for {
		more, err := o.queueBatch(ctx, hook, now, most)
		if err != nil || !more {
			return wrap("queue events for webhook "+hook.Name, err)
		}
	}
}

func (o outbox) queueBatch(ctx context.Context, hook *runtimeconfig.Webhook, now time.Time, most int) (more bool, err error) {
	var at Position
	var pending int
	err = o.read.QueryRowContext(ctx, `SELECT generation, seq,
		(SELECT COUNT(*) FROM webhook_events WHERE webhook = $1 AND dead_at = 0) FROM webhooks WHERE name = $1`, hook.Name).
		Scan(&at.Generation, &at.Seq, &pending)
	if errors.Is(err, sql.ErrNoRows) || err == nil && pending >= most {
		return false, nil // it is not declared any more, or has enough
	}
	if err != nil {
		return false, err
	}
	// Before the events: what is stored between the two is seen next time, and no generation is left too early.
	position, err := o.Position(ctx)
	if err != nil {
		return false, err
	}
	events, err := o.storedAfter(ctx, at)
	if err != nil {
		return false, err
	}
	to := at
	switch {
	case len(events) > 0:
		to.Seq = events[len(events)-1].seq
	case position.Generation > at.Generation:
		to = Position{Generation: at.Generation + 1}
	default:
		return false, nil
	}
	return true, o.inTx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE webhooks SET generation = $2, seq = $3 WHERE name = $1 AND generation = $4 AND seq = $5`,
			hook.Name, to.Generation, to.Seq, at.Generation, at.Seq)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, fmt.Errorf("%w: the place of webhook %s has moved", ErrMoved, hook.Name))
		}
		for i := range events {
			if err := enqueue(ctx, tx, hook, at.Generation, &events[i], now); err != nil {
				return err
			}
		}
		return nil
	})
}

// storedAfter reads the next events of a generation in order.
func (o outbox) storedAfter(ctx context.Context, at Position) ([]storedEvent, error) {
	rows, err := o.read.QueryContext(ctx, `
		SELECT e.seq, e.conversation, c.channel, e.body FROM messages e JOIN conversations c ON c.id = e.conversation
			WHERE e.generation = $1 AND e.seq > $2
		UNION ALL
		SELECT e.seq, e.conversation, c.channel, e.body FROM ownership e JOIN conversations c ON c.id = e.conversation
			WHERE e.generation = $1 AND e.seq > $2
		ORDER BY 1 LIMIT $3`, at.Generation, at.Seq, webhookScan)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err tells
	var events []storedEvent
	for rows.Next() {
		var e storedEvent
		if err := rows.Scan(&e.seq, &e.conversation, &e.channel, &e.body); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, rows.Err()
}

// enqueue an event if the webhook wants it.
func enqueue(ctx context.Context, tx *sql.Tx, hook *runtimeconfig.Webhook, generation int64, stored *storedEvent, now time.Time) error {
	e, err := conversation.Decode(stored.body)
	if err != nil || !webhook.Wants(hook, e, stored.channel) {
		return nil //nolint:nilerr // what cannot be read says nothing to anybody
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO webhook_events (webhook, generation, seq, conversation, queued_at, next_at)
		VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT DO NOTHING`, hook.Name, generation, stored.seq, stored.conversation, nanos(now))
	return err
}

// Due implements webhook.Outbox.
func (o outbox) Due(ctx context.Context, hook string, now time.Time, limit int) ([]webhook.Item, time.Time, error) {
	items, err := o.due(ctx, hook, now, limit)
	if err != nil || len(items) > 0 {
		return items, time.Time{}, wrap("look for what is due for webhook "+hook, err)
	}
	var next sql.NullInt64
	err = o.read.QueryRowContext(ctx, `SELECT MIN(e.next_at)`+headsOfConversations, hook).Scan(&next)
	if err != nil {
		return nil, time.Time{}, wrap("look for what is due for webhook "+hook, err)
	}
	if !next.Valid {
		return nil, time.Time{}, nil
	}
	return nil, time.Unix(0, next.Int64).UTC(), nil
}

// headsOfConversations are the oldest waiting events e of webhook $1, one a conversation, unless it is disabled.
const headsOfConversations = ` FROM webhooks w JOIN webhook_events e ON e.webhook = w.name AND e.dead_at = 0
	WHERE w.name = $1 AND w.disabled_at = 0 AND NOT EXISTS (SELECT 1 FROM webhook_events b
		WHERE b.webhook = e.webhook AND b.conversation = e.conversation AND b.dead_at = 0
		AND (b.generation < e.generation OR b.generation = e.generation AND b.seq < e.seq))`

func (o outbox) due(ctx context.Context, hook string, now time.Time, limit int) ([]webhook.Item, error) {
	rows, err := o.read.QueryContext(ctx, `SELECT h.generation, h.seq, h.conversation, h.attempts, h.queued_at,
			COALESCE(m.body, o.body, ''), COALESCE(c.channel, ''), COALESCE(c.contact, ''), COALESCE(c.contact_name, '')
		FROM (SELECT e.generation, e.seq, e.conversation, e.attempts, e.queued_at`+headsOfConversations+`
			AND e.next_at <= $2 ORDER BY e.generation, e.seq LIMIT $3) h
		LEFT JOIN messages m ON m.conversation = h.conversation AND m.generation = h.generation AND m.seq = h.seq
		LEFT JOIN ownership o ON o.conversation = h.conversation AND o.generation = h.generation AND o.seq = h.seq
		LEFT JOIN conversations c ON c.id = h.conversation
		ORDER BY h.generation, h.seq`, hook, nanos(now), limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err tells
	var items []webhook.Item
	for rows.Next() {
		i := webhook.Item{Hook: hook}
		var queued int64
		if err := rows.Scan(&i.Generation, &i.Seq, &i.Conversation, &i.Attempts, &queued, &i.Event,
			&i.Card.Channel, &i.Card.Contact, &i.Card.ContactName); err != nil {
			return nil, err
		}
		i.QueuedAt = fromNanos(queued)
		items = append(items, i)
	}
	return items, rows.Err()
}

// Record implements webhook.Outbox.
func (o outbox) Record(ctx context.Context, verdicts []webhook.Verdict, now time.Time) error {
	if len(verdicts) == 0 {
		return nil
	}
	err := o.inTx(ctx, func(tx *sql.Tx) error {
		for i := range verdicts {
			v := &verdicts[i]
			key := []any{v.Item.Hook, v.Item.Generation, v.Item.Seq}
			const which = ` WHERE webhook = $1 AND generation = $2 AND seq = $3`
			var err error
			switch {
			case v.Done:
				_, err = tx.ExecContext(ctx, `DELETE FROM webhook_events`+which, key...)
			case v.Dead:
				_, err = tx.ExecContext(ctx, `UPDATE webhook_events SET attempts = attempts + 1, problem = $4, dead_at = $5`+which,
					append(key, v.Problem, nanos(now))...)
			default:
				_, err = tx.ExecContext(ctx, `UPDATE webhook_events SET attempts = attempts + 1, problem = $4, next_at = $5`+which,
					append(key, v.Problem, nanos(v.Next))...)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("record what became of webhooks' events", err)
}

// wrap an error with what was tried; nil stays nil.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
