package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/webhook"
)

// Expire implements webhook.Outbox. It also forgets what waits for events that were deleted.
func (o outbox) Expire(ctx context.Context, hook string, queuedBefore, now time.Time) (int, error) {
	var expired int64
	err := o.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM webhook_events WHERE webhook = $1 AND dead_at > 0
			AND NOT EXISTS (SELECT 1 FROM conversations c WHERE c.id = webhook_events.conversation)`, hook); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE webhook_events SET dead_at = $3,
				problem = CASE problem WHEN '' THEN 'its turn has not come' ELSE problem END
			WHERE webhook = $1 AND dead_at = 0 AND queued_at < $2`, hook, nanos(queuedBefore), nanos(now))
		if err != nil {
			return err
		}
		expired, err = res.RowsAffected()
		return err
	})
	return int(expired), wrap("give up old events of webhook "+hook, err)
}

// Disable implements webhook.Outbox.
func (o outbox) Disable(ctx context.Context, hook, why string, now time.Time) error {
	err := o.inTx(ctx, func(tx *sql.Tx) error {
		at := nanos(now)
		if why == "" {
			at = 0
			if err := hurry(ctx, tx, hook); err != nil {
				return err
			}
		}
		res, err := tx.ExecContext(ctx, `UPDATE webhooks SET disabled_at = $2, disabled_why = $3 WHERE name = $1`, hook, at, why)
		if err != nil {
			return err
		}
		return mustExist(res, hook)
	})
	return wrap("disable or enable a webhook", err)
}

func mustExist(res sql.Result, hook string) error {
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: the desk has no webhook %q", ErrNotFound, hook)
	}
	return err
}

// States implements webhook.Outbox.
func (o outbox) States(ctx context.Context) ([]webhook.State, error) {
	rows, err := o.read.QueryContext(ctx, `SELECT w.name, w.url, w.disabled_at, w.disabled_why,
			CASE WHEN d.generation = w.generation AND d.seq > w.seq THEN d.seq - w.seq ELSE 0 END,
			(SELECT COUNT(*) FROM webhook_events e WHERE e.webhook = w.name AND e.dead_at = 0),
			(SELECT COALESCE(MIN(e.queued_at), 0) FROM webhook_events e WHERE e.webhook = w.name AND e.dead_at = 0),
			(SELECT COUNT(*) FROM webhook_events e WHERE e.webhook = w.name AND e.dead_at > 0),
			COALESCE((SELECT e.problem FROM webhook_events e WHERE e.webhook = w.name AND e.dead_at = 0
				ORDER BY e.generation, e.seq LIMIT 1), '')
		FROM webhooks w CROSS JOIN desk d ORDER BY w.name`)
	if err != nil {
		return nil, wrap("read the states of webhooks", err)
	}
	defer func() { _ = rows.Close() }() // Err tells
	var states []webhook.State
	for rows.Next() {
		var s webhook.State
		var disabled, oldest int64
		if err := rows.Scan(&s.Name, &s.URL, &disabled, &s.Why, &s.Behind, &s.Pending, &oldest, &s.DeadLetters, &s.Problem); err != nil {
			return nil, wrap("read the states of webhooks", err)
		}
		s.Disabled, s.Oldest = fromNanos(disabled), fromNanos(oldest)
		states = append(states, s)
	}
	return states, wrap("read the states of webhooks", rows.Err())
}

// letterID of a dead letter within its webhook: text that orders as the log does.
func letterID(generation int64, seq uint64) string { return fmt.Sprintf("%d-%d", generation, seq) }

func parseLetterID(id string) (generation int64, seq uint64, err error) {
	if n, err := fmt.Sscanf(id, "%d-%d", &generation, &seq); err != nil || n != 2 || letterID(generation, seq) != id {
		return 0, 0, fmt.Errorf("%w: id %q of a dead letter: use one that the list gave", ErrBadRequest, id)
	}
	return generation, seq, nil
}

// DeadLetters implements webhook.Outbox.
func (o outbox) DeadLetters(ctx context.Context, hook, after string, limit int) ([]webhook.DeadLetter, error) {
	var generation int64
	var seq uint64
	if after != "" {
		var err error
		if generation, seq, err = parseLetterID(after); err != nil {
			return nil, err
		}
	}
	rows, err := o.read.QueryContext(ctx, `SELECT e.generation, e.seq, e.conversation, e.queued_at, e.dead_at, e.attempts, e.problem,
			COALESCE(m.body, o.body, '')
		FROM webhook_events e
		LEFT JOIN messages m ON m.conversation = e.conversation AND m.generation = e.generation AND m.seq = e.seq
		LEFT JOIN ownership o ON o.conversation = e.conversation AND o.generation = e.generation AND o.seq = e.seq
		WHERE e.webhook = $1 AND e.dead_at > 0 AND (e.generation > $2 OR e.generation = $2 AND e.seq > $3)
		ORDER BY e.generation, e.seq LIMIT $4`, hook, generation, seq, limit)
	if err != nil {
		return nil, wrap("list dead letters", err)
	}
	defer func() { _ = rows.Close() }() // Err tells
	letters := []webhook.DeadLetter{}
	for rows.Next() {
		l, err := scanLetter(rows)
		if err != nil {
			return nil, wrap("list dead letters", err)
		}
		letters = append(letters, l)
	}
	return letters, wrap("list dead letters", rows.Err())
}

func scanLetter(rows *sql.Rows) (webhook.DeadLetter, error) {
	var l webhook.DeadLetter
	var generation, queued, dead int64
	var seq uint64
	var body []byte
	if err := rows.Scan(&generation, &seq, &l.Conversation, &queued, &dead, &l.Attempts, &l.Problem, &body); err != nil {
		return l, err
	}
	l.ID, l.QueuedAt, l.DeadAt = letterID(generation, seq), fromNanos(queued), fromNanos(dead)
	if e, err := conversation.Decode(body); err == nil { // otherwise it was deleted, and there is nothing to name
		l.Event, l.At = webhook.Name(e), e.At
	}
	return l, nil
}

// Replay implements webhook.Outbox.
func (o outbox) Replay(ctx context.Context, hook string, ids []string, now time.Time) (int, error) {
	const again = `UPDATE webhook_events SET dead_at = 0, attempts = 0, next_at = 0, queued_at = $2, problem = '' WHERE webhook = $1 AND dead_at > 0`
	var replayed int64
	err := o.inTx(ctx, func(tx *sql.Tx) error {
		update := func(query string, args ...any) error {
			res, err := tx.ExecContext(ctx, query, append([]any{hook, nanos(now)}, args...)...)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			replayed += n
			return err
		}
		if len(ids) == 0 {
			return update(again)
		}
		var errs []error
		for _, id := range ids {
			generation, seq, err := parseLetterID(id)
			if err == nil {
				err = update(again+` AND generation = $3 AND seq = $4`, generation, seq)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return 0, fmt.Errorf("replay dead letters: %w", err)
	}
	return int(replayed), nil
}
