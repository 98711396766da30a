package archive

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
)

// Search implements Store.
func (d *DB) Search(ctx context.Context, r protocol.SearchRequest) (*protocol.SearchReply, error) {
	limit, err := limitOf(r.Limit)
	if err != nil {
		return nil, err
	}
	if err := checkSearch(&r); err != nil {
		return nil, err
	}
	var q searchQuery
	if words := strings.Fields(r.Text); len(words) > 0 {
		q, err = d.messageQuery(&r, words)
	} else {
		q, err = conversationQuery(&r)
	}
	if err != nil {
		return nil, err
	}
	reply, err := d.search(ctx, q, limit)
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return reply, nil
}

func checkSearch(r *protocol.SearchRequest) error {
	if n := utf8.RuneCountInString(r.Text); n > protocol.MaxTextRunes {
		return badRequest("text", fmt.Sprint(n, " characters"), fmt.Sprintf("use at most %d", protocol.MaxTextRunes))
	}
	if n := len(strings.Fields(r.Text)); n > protocol.MaxWords {
		return badRequest("text", fmt.Sprint(n, " words"), fmt.Sprintf("use at most %d", protocol.MaxWords))
	}
	for _, f := range []struct{ field, value string }{
		{"text", r.Text}, {"contact", r.Contact}, {"agent", r.Agent}, {"channel", r.Channel}, {"tag", r.Tag}, {"disposition", r.Disposition},
	} {
		if clean(f.value) != f.value {
			return badRequest(f.field, clean(f.value), "write it in UTF-8 without zero bytes")
		}
	}
	return nil
}

// searchQuery selects messages with their conversations, or conversations.
type searchQuery struct {
	messages bool
	from     string
	where    conditions
	order    string
}

func (d *DB) messageQuery(r *protocol.SearchRequest, words []string) (searchQuery, error) {
	q := searchQuery{messages: true, from: "messages m", order: "m.id DESC"}
	key := "m.id"
	if found := d.engine.matches(q.where.next(), words); found.condition != "" {
		q.from, q.order, key = found.from, found.key+" DESC", found.key
		q.where.addFull(found.condition, found.value)
		words = found.rest
	}
	for _, w := range words {
		q.where.addFull(d.engine.contains(q.where.next(), w))
	}
	if r.Before != "" {
		id, err := strconv.ParseInt(r.Before, 10, 64)
		if err != nil {
			return q, badRequest("before", r.Before, "use the next of the reply before, or leave it out")
		}
		q.where.add(key+" < ", id)
	}
	q.where.addFilters(r, "m.at")
	q.from += " JOIN conversations c ON c.id = m.conversation"
	return q, nil
}

func conversationQuery(r *protocol.SearchRequest) (searchQuery, error) {
	q := searchQuery{from: "conversations c", order: "c.opened_at DESC, c.id DESC"}
	q.where.addFilters(r, "c.opened_at")
	if r.Before == "" {
		return q, nil
	}
	at, id, _ := strings.Cut(r.Before, ".")
	opened, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return q, badRequest("before", r.Before, "use the next of the reply before, or leave it out")
	}
	n := q.where.next()
	q.where.addFull(fmt.Sprintf("(c.opened_at < $%d OR c.opened_at = $%d AND c.id < $%d)", n, n, n+1), opened)
	q.where.args = append(q.where.args, id)
	return q, nil
}

func (c *conditions) addFilters(r *protocol.SearchRequest, at string) {
	for _, f := range []struct{ column, value string }{
		{"c.contact", r.Contact}, {"c.agent_id", r.Agent}, {"c.channel", r.Channel}, {"c.disposition", r.Disposition},
	} {
		if f.value != "" {
			c.add(f.column+" = ", f.value)
		}
	}
	if r.Tag != "" {
		c.addFull(fmt.Sprintf("EXISTS (SELECT 1 FROM conversation_tags t WHERE t.conversation = c.id AND t.tag = $%d)", c.next()), r.Tag)
	}
	if !r.From.IsZero() {
		c.add(at+" >= ", clampNanos(r.From))
	}
	if !r.To.IsZero() {
		c.add(at+" < ", clampNanos(r.To))
	}
}

// clampNanos keeps a time of any year comparable: beyond 1678 to 2262 nanoseconds overflow.
func clampNanos(t time.Time) int64 {
	switch y := t.Year(); {
	case y < 1970:
		return 0
	case y > 2261:
		return 1<<63 - 1
	}
	return t.UnixNano()
}

func (d *DB) search(ctx context.Context, q searchQuery, limit int) (*protocol.SearchReply, error) {
	columns := conversationColumns
	if q.messages {
		columns += ", m.id, m.seq, m.at, m.from_kind, m.from_id, m.from_name, m.note, m.text"
	}
	//nolint:gosec // columns, tables and conditions are constants, values are parameters
	query := fmt.Sprintf(`SELECT %s FROM %s%s ORDER BY %s LIMIT %d`, columns, q.from, q.where.sql(), q.order, limit+1)
	rows, err := d.read.QueryContext(ctx, query, q.where.args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	reply := &protocol.SearchReply{V: protocol.Version, OK: true}
	size, last := 0, ""
	for rows.Next() {
		hit, key, err := scanHit(rows, q.messages)
		if err != nil {
			return nil, err
		}
		// As it is sent: a text may be six times as long in JSON.
		encoded, err := json.Marshal(hit)
		if err != nil {
			return nil, fmt.Errorf("encode a hit: %w", err)
		}
		size += len(encoded)
		if len(reply.Hits) == limit || len(reply.Hits) > 0 && size > protocol.MaxReplyBytes {
			reply.Next = last
			break
		}
		reply.Hits = append(reply.Hits, hit)
		last = key
	}
	return reply, rows.Err()
}

// scanHit reads a row and the key that the next page begins behind.
func scanHit(rows *sql.Rows, messages bool) (protocol.Hit, string, error) {
	var c conversationScan
	var id, at int64
	var note int
	var m protocol.Message
	targets := c.targets()
	if messages {
		targets = append(targets, &id, &m.Seq, &at, &m.From.Kind, &m.From.ID, &m.From.Name, &note, &m.Text)
	}
	if err := rows.Scan(targets...); err != nil {
		return protocol.Hit{}, "", err
	}
	hit := protocol.Hit{Conversation: c.result()}
	if !messages {
		return hit, fmt.Sprintf("%d.%s", c.opened, c.conv.ID), nil
	}
	m.At, m.Note = fromNanos(at), note != 0
	hit.Message = &m
	return hit, strconv.FormatInt(id, 10), nil
}

// found is how an index finds words.
type found struct {
	// from lists the tables, with the messages as m; key is the column that orders them.
	from, key string
	// condition with one parameter, whose value is given; empty when the index finds none of the words.
	condition string
	value     any
	// rest are the words that the index cannot find.
	rest []string
}
