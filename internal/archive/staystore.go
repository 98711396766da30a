package archive

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// unreported is the condition that the stays of a conversation do not tell all that is stored of it. One that has not
// ended yet is told of when it ends; one that was reopened, at once, as it is no longer resolved.
const unreported = `reported_seq <> last_seq AND (ended_at IS NOT NULL OR reported_seq > 0)`

// TellStays implements Store.
func (d *DB) TellStays(ctx context.Context, limit int) (int, error) {
	due, err := d.unreported(ctx, limit)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	err = d.inTx(ctx, func(tx *sql.Tx) error {
		for _, c := range due {
			if err := tellStays(ctx, tx, c); err != nil {
				return fmt.Errorf("tell the stays of conversation %s: %w", c.id, err)
			}
		}
		return nil
	})
	return len(due), err
}

type unreportedRow struct {
	id      conversation.ID
	contact string
	lastSeq int64
}

func (d *DB) unreported(ctx context.Context, limit int) ([]unreportedRow, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT id, contact, last_seq FROM conversations WHERE `+unreported+` LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("look for conversations without stays: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	var due []unreportedRow
	for rows.Next() {
		var c unreportedRow
		if err := rows.Scan(&c.id, &c.contact, &c.lastSeq); err != nil {
			return nil, fmt.Errorf("look for conversations without stays: %w", err)
		}
		due = append(due, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look for conversations without stays: %w", err)
	}
	return due, nil
}

func tellStays(ctx context.Context, tx *sql.Tx, c unreportedRow) error {
	// First: of two archives that tell the same one waits here, and then has nothing to do.
	res, err := tx.ExecContext(ctx, `UPDATE conversations SET reported_seq = $1 WHERE id = $2 AND last_seq = $1 AND reported_seq <> $1`,
		c.lastSeq, string(c.id))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err // there is more of it, or it was deleted: the next time
	}
	events, err := eventsOf(ctx, tx, c.id)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM stays WHERE conversation = $1`, string(c.id)); err != nil {
		return err
	}
	for i, s := range staysOf(events) {
		_, err := tx.ExecContext(ctx, `INSERT INTO stays (conversation, number, contact, queue, began_at, outcome, wait_ms,
			agent_kind, agent_id, agent_name, agent_pool, reply_ms, handle_ms, left_at, ending, closing, reopened, deflected)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
			string(c.id), i+1, c.contact, clean(s.queue), nanos(s.began), s.outcome, span(s.since, s.decided),
			string(s.agent.Kind), clean(s.agent.ID), clean(s.agent.Name), clean(s.agent.Pool), span(s.since, s.replied), span(s.decided, s.left),
			sql.NullInt64{Int64: nanos(s.left), Valid: !s.left.IsZero()}, clean(s.ending), oneIf(s.closing), oneIf(s.reopened), oneIf(s.deflected))
		if err != nil {
			return err
		}
	}
	return nil
}

// span is a time in milliseconds, NULL when it has no end. Clocks of two roles may differ: none is below zero.
func span(from, to time.Time) sql.NullInt64 {
	if to.IsZero() || from.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: max(0, to.Sub(from).Milliseconds()), Valid: true}
}

// eventsOf a conversation in the order of the log. What was stored can be read, or is left out as a reader of an
// older release would leave it out.
func eventsOf(ctx context.Context, tx *sql.Tx, id conversation.ID) ([]conversation.Event, error) {
	rows, err := tx.QueryContext(ctx, `SELECT generation, seq, body FROM messages WHERE conversation = $1
		UNION ALL SELECT generation, seq, body FROM ownership WHERE conversation = $1 ORDER BY generation, seq`, string(id))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	var events []conversation.Event
	for rows.Next() {
		var generation, seq int64
		var body string
		if err := rows.Scan(&generation, &seq, &body); err != nil {
			return nil, err
		}
		if e, err := conversation.Decode([]byte(strings.TrimSpace(body))); err == nil {
			events = append(events, e)
		}
	}
	return events, rows.Err()
}
