package archive

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// unpurged is the condition that an ended conversation still lies in the log.
const unpurged = `ended_at IS NOT NULL AND purged_seq < last_seq`

// Unpurged implements Store.
func (d *DB) Unpurged(ctx context.Context, generation int64, loggedBefore time.Time, cursor uint64, limit int) ([]Purge, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT id, generation, last_seq FROM conversations
		WHERE `+unpurged+` AND generation = $1 AND logged_at < $2 AND customer_seq <= $3 ORDER BY logged_at LIMIT $4`,
		generation, nanos(loggedBefore), cursor, limit)
	if err != nil {
		return nil, fmt.Errorf("look for ended conversations: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	var due []Purge
	for rows.Next() {
		var p Purge
		if err := rows.Scan(&p.Conversation, &p.Generation, &p.Seq); err != nil {
			return nil, fmt.Errorf("look for ended conversations: %w", err)
		}
		due = append(due, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look for ended conversations: %w", err)
	}
	return due, nil
}

// Purged implements Store.
func (d *DB) Purged(ctx context.Context, done []Purge) error {
	if len(done) == 0 {
		return nil
	}
	return d.inTx(ctx, func(tx *sql.Tx) error {
		for _, p := range done {
			_, err := tx.ExecContext(ctx, `UPDATE conversations SET purged_seq = $1 WHERE id = $2 AND generation = $3 AND purged_seq < $1`,
				p.Seq, string(p.Conversation), p.Generation)
			if err != nil {
				return fmt.Errorf("note that conversation %s left the log: %w", p.Conversation, err)
			}
		}
		return nil
	})
}

// DeleteEnded implements Store.
func (d *DB) DeleteEnded(ctx context.Context, endedBefore, now time.Time, limit int) (int, error) {
	var ids []conversation.ID
	err := d.inTx(ctx, func(tx *sql.Tx) error {
		var err error
		if ids, err = endedConversations(ctx, tx, endedBefore, limit); err != nil || len(ids) == 0 {
			return err
		}
		if err := deleteConversations(ctx, tx, ids); err != nil {
			return err
		}
		return d.note(ctx, tx, now, "retention.deleted", map[string]any{
			"endedBefore": endedBefore.UTC().Format(time.RFC3339), "conversations": ids,
		})
	})
	if err != nil {
		return 0, fmt.Errorf("delete conversations that ended before %s: %w", endedBefore.UTC().Format(time.RFC3339), err)
	}
	if d.engine.shrink == nil || len(ids) == 0 {
		return len(ids), nil
	}
	if err := d.engine.shrink(ctx, d.write); err != nil {
		return len(ids), fmt.Errorf("give the space of deleted conversations back: %w", err)
	}
	return len(ids), nil
}

func endedConversations(ctx context.Context, tx *sql.Tx, endedBefore time.Time, limit int) ([]conversation.ID, error) {
	// What still lies in the log would come back from there after a restart of the log. A conversation of
	// a log that is gone lies in none.
	rows, err := tx.QueryContext(ctx, `SELECT id FROM conversations
		WHERE ended_at IS NOT NULL AND ended_at < $1 AND (purged_seq >= last_seq OR generation < (SELECT generation FROM desk))
		ORDER BY ended_at LIMIT $2`, nanos(endedBefore), limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	var ids []conversation.ID
	for rows.Next() {
		var id conversation.ID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// conversationTables hold rows by column conversation. A table that an erasure must reach belongs here.
var conversationTables = []string{"messages", "ownership", "facts", "stays", "conversation_tags"}

func deleteConversations(ctx context.Context, tx *sql.Tx, ids []conversation.ID) error {
	args := make([]any, len(ids))
	marks := make([]string, len(ids))
	for i, id := range ids {
		args[i], marks[i] = string(id), fmt.Sprintf("$%d", i+1)
	}
	in := " IN (" + strings.Join(marks, ", ") + ")"
	var messages int64
	for _, table := range conversationTables {
		res, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE conversation`+in, args...) //nolint:gosec // constant names and numbered parameters
		if err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
		if table != "messages" {
			continue
		}
		if messages, err = res.RowsAffected(); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM conversations WHERE id`+in, args...); err != nil { //nolint:gosec // numbered parameters
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE desk SET conversations = conversations - $1, messages = messages - $2`, len(ids), messages)
	return err
}

// Totals implements Store.
func (d *DB) Totals(ctx context.Context, cursor uint64) (Totals, error) {
	var t Totals
	var generation int64
	err := d.read.QueryRowContext(ctx, `SELECT d.generation, d.conversations, d.messages, d.unreadable, h.number, h.hash
		FROM desk d CROSS JOIN audit_head h`).
		Scan(&generation, &t.Conversations, &t.Messages, &t.Unreadable, &t.Audit.Number, &t.Audit.Hash)
	if err == nil {
		err = d.read.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN customer_seq > $2 THEN 1 ELSE 0 END), 0)
			FROM conversations WHERE `+unpurged+` AND generation = $1`, generation, cursor).Scan(&t.Unpurged, &t.Held)
	}
	if err != nil {
		return Totals{}, fmt.Errorf("count what the archive holds: %w", err)
	}
	return t, nil
}
