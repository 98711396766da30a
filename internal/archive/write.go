package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/deskfleet/deskfleet/internal/archive/audit"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Write implements Store.
func (d *DB) Write(ctx context.Context, from Position, through uint64, entries []bus.Stored) (Position, Written, error) {
	to := from
	to.Seq = through
	var w *batchWriter
	err := d.inTx(ctx, func(tx *sql.Tx) error {
		// First, so that a second archive fails before it has written anything.
		if err := movePosition(ctx, tx, from, to); err != nil {
			return err
		}
		w = &batchWriter{db: d, tx: tx, generation: from.Generation, rows: map[conversation.ID]*convRow{}, statements: map[string]*sql.Stmt{}}
		return w.run(ctx, entries)
	})
	if err != nil {
		return from, Written{}, fmt.Errorf("store %d entries up to sequence %d: %w", len(entries), through, err)
	}
	return to, w.written, nil
}

// batchWriter stores one batch in a transaction.
type batchWriter struct {
	db         *DB
	tx         *sql.Tx
	generation int64
	rows       map[conversation.ID]*convRow
	statements map[string]*sql.Stmt
	audits     []audit.Event
	written    Written
	newRows    int
}

func (w *batchWriter) run(ctx context.Context, entries []bus.Stored) error {
	for i := range entries {
		if err := w.entry(ctx, &entries[i]); err != nil {
			return fmt.Errorf("sequence %d: %w", entries[i].Seq, err)
		}
	}
	linked, err := w.db.link(ctx, w.tx, w.audits)
	if err != nil {
		return err
	}
	w.written.Audit += linked
	w.written.Duplicates += len(w.audits) - linked
	for _, r := range w.rows {
		if err := w.saveRow(ctx, r); err != nil {
			return err
		}
	}
	_, err = w.exec(ctx, `UPDATE desk SET conversations = conversations + $1, messages = messages + $2, unreadable = unreadable + $3`,
		w.newRows, w.written.Messages, w.written.Unreadable)
	return err
}

// entry stores one entry. Only the database's own errors are returned: what cannot be read is kept as it is,
// because an entry that stopped the archive would fill the bus.
func (w *batchWriter) entry(ctx context.Context, s *bus.Stored) error {
	subject, err := w.db.subjects.Parse(s.Subject)
	if err != nil {
		return w.unreadable(ctx, s, err)
	}
	if subject.Kind == bus.KindAudit {
		e, err := audit.Decode(s.Data)
		if err != nil {
			return w.unreadable(ctx, s, err)
		}
		w.audits = append(w.audits, e)
		return nil
	}
	e, err := conversation.Decode(s.Data)
	if err == nil && string(e.Conversation) != subject.Conversation {
		err = fmt.Errorf("the event of conversation %q lies on the subject of another one", e.Conversation)
	}
	if err != nil {
		return w.unreadable(ctx, s, err)
	}
	e.Seq = s.Seq
	r, err := w.row(ctx, e.Conversation)
	if err != nil {
		return err
	}
	r.enter(w.generation)
	r.see(e, s.Time)
	if m, ok := e.Body.(*conversation.Message); ok && subject.Kind == bus.KindMessages {
		return w.message(ctx, r, e, m, s)
	}
	return w.ownership(ctx, r, e, s)
}

func (w *batchWriter) message(ctx context.Context, r *convRow, e conversation.Event, m *conversation.Message, s *bus.Stored) error {
	fresh, err := w.insert(ctx, `INSERT INTO messages
		(conversation, generation, seq, client_id, at, from_kind, from_id, from_name, note, text, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
		string(e.Conversation), w.generation, e.Seq, m.ClientID, nanos(e.At), string(m.From.Kind), clean(m.From.ID),
		clean(m.From.Name), oneIf(m.Note), clean(m.Text), clean(string(s.Data)))
	if err != nil {
		return err
	}
	if err := r.say(e, m, fresh); err != nil {
		w.written.Misfits++
	}
	if !fresh {
		w.written.Duplicates++
		return nil
	}
	w.written.Messages++
	if m.From.Kind != conversation.KindCustomer {
		return nil
	}
	facts, err := r.factsOf(m, e.At)
	if err != nil {
		return err
	}
	_, err = w.insert(ctx, `INSERT INTO facts (conversation, generation, seq, facts) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		string(e.Conversation), w.generation, e.Seq, clean(facts))
	return err
}

// ownership stores any other event of a conversation, those of types that this release does not know too.
func (w *batchWriter) ownership(ctx context.Context, r *convRow, e conversation.Event, s *bus.Stored) error {
	fresh, err := w.insert(ctx, `INSERT INTO ownership (conversation, generation, seq, event_id, type, at, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
		string(e.Conversation), w.generation, e.Seq, string(e.ID), string(e.Type), nanos(e.At), clean(string(s.Data)))
	if err != nil {
		return err
	}
	if !fresh {
		w.written.Duplicates++
	} else {
		w.written.Ownership++
	}
	// Folded again even if it is stored: a log that was restored from a copy tells its story once more.
	if err := r.decide(e); err != nil && fresh {
		w.written.Misfits++
	}
	return nil
}

func (w *batchWriter) unreadable(ctx context.Context, s *bus.Stored, problem error) error {
	_, err := w.insert(ctx, `INSERT INTO unreadable (generation, seq, subject, data, problem, logged_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		w.generation, s.Seq, clean(s.Subject), s.Data, clean(problem.Error()), nanos(s.Time))
	w.written.Unreadable++
	return err
}

const rowColumns = `status, channel, contact, contact_name, language, queue, agent_kind, agent_id, agent_name, agent_pool,
	disposition, opened_at, ended_at, logged_at, generation, last_seq, customer_seq, purged_seq, messages, state,
	tags, rating, rating_comment`

// row gives the row of a conversation, read or new.
func (w *batchWriter) row(ctx context.Context, id conversation.ID) (*convRow, error) {
	if r, ok := w.rows[id]; ok {
		return r, nil
	}
	statement, err := w.prepare(ctx, `SELECT `+rowColumns+` FROM conversations WHERE id = $1`) //nolint:sqlclosecheck // the transaction closes it
	if err != nil {
		return nil, err
	}
	r := &convRow{id: id}
	var opened, logged int64
	var ended sql.NullInt64
	var state, tags string
	err = statement.QueryRowContext(ctx, string(id)).Scan(&r.status, &r.channel, &r.contact, &r.contactName, &r.language,
		&r.queue, &r.agent.Kind, &r.agent.ID, &r.agent.Name, &r.agent.Pool, &r.disposition, &opened, &ended, &logged,
		&r.generation, &r.lastSeq, &r.customerSeq, &r.purgedSeq, &r.messages, &state,
		&tags, &r.rating.Score, &r.rating.Comment)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		r = newConvRow(id, w.generation)
		w.newRows++
	case err != nil:
		return nil, fmt.Errorf("read conversation %s: %w", id, err)
	default:
		r.tags = strings.Fields(tags)
		r.openedAt, r.loggedAt, r.endedAt = fromNanos(opened), fromNanos(logged), fromNanos(ended.Int64)
		if r.state, err = decodeState(state); err != nil {
			return nil, fmt.Errorf("conversation %s: %w", id, err)
		}
	}
	w.rows[id] = r
	return r, nil
}

func (w *batchWriter) saveRow(ctx context.Context, r *convRow) error {
	state, err := encodeState(r.state)
	if err != nil {
		return err
	}
	ended := sql.NullInt64{Int64: nanos(r.endedAt), Valid: !r.endedAt.IsZero()}
	args := []any{string(r.id), string(r.status), r.channel, clean(r.contact), clean(r.contactName), clean(r.language), r.queue,
		string(r.agent.Kind), r.agent.ID, clean(r.agent.Name), clean(r.agent.Pool), clean(r.disposition), nanos(r.openedAt), ended,
		nanos(r.loggedAt), r.generation, r.lastSeq, r.customerSeq, r.purgedSeq, r.messages, state,
		clean(strings.Join(r.tags, " ")), r.rating.Score, clean(r.rating.Comment)}
	query := `UPDATE conversations SET status = $2, channel = $3, contact = $4, contact_name = $5, language = $6, queue = $7,
		agent_kind = $8, agent_id = $9, agent_name = $10, agent_pool = $11, disposition = $12, opened_at = $13, ended_at = $14,
		logged_at = $15, generation = $16, last_seq = $17, customer_seq = $18, purged_seq = $19, messages = $20, state = $21,
		tags = $22, rating = $23, rating_comment = $24
		WHERE id = $1`
	if r.isNew {
		query = `INSERT INTO conversations (id, ` + rowColumns + `) VALUES
			($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)`
	}
	_, err = w.exec(ctx, query, args...)
	if err == nil && r.tagged {
		err = w.saveTags(ctx, r)
	}
	if err != nil {
		return fmt.Errorf("save conversation %s: %w", r.id, err)
	}
	return nil
}

// saveTags replaces the tags by which a conversation is found.
func (w *batchWriter) saveTags(ctx context.Context, r *convRow) error {
	if _, err := w.exec(ctx, `DELETE FROM conversation_tags WHERE conversation = $1`, string(r.id)); err != nil {
		return err
	}
	for _, tag := range r.tags {
		if _, err := w.exec(ctx, `INSERT INTO conversation_tags (tag, conversation) VALUES ($1, $2) ON CONFLICT DO NOTHING`, clean(tag), string(r.id)); err != nil {
			return err
		}
	}
	return nil
}

// insert says whether a row was added, which it is not when it was there before.
func (w *batchWriter) insert(ctx context.Context, query string, args ...any) (bool, error) {
	res, err := w.exec(ctx, query, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func (w *batchWriter) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	statement, err := w.prepare(ctx, query) //nolint:sqlclosecheck // the transaction closes it
	if err != nil {
		return nil, err
	}
	return statement.ExecContext(ctx, args...)
}

// prepare a statement once in the transaction, which closes it.
func (w *batchWriter) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := w.statements[query]; ok {
		return s, nil
	}
	s, err := w.tx.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	w.statements[query] = s
	return s, nil
}

// clean makes text fit every database: PostgreSQL refuses a zero byte, which customers can send.
func clean(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}
