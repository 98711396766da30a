package archive

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Transcript implements Store.
func (d *DB) Transcript(ctx context.Context, r protocol.TranscriptRequest) (*protocol.TranscriptReply, error) {
	limit, err := limitOf(r.Limit)
	if err != nil {
		return nil, err
	}
	generation, seq, err := parseCursor(r.After)
	if err != nil {
		return nil, err
	}
	conv, err := d.conversation(ctx, r.Conversation)
	if err != nil {
		return nil, err
	}
	const after = ` AND (generation > $2 OR generation = $2 AND seq > $3)`
	query := `SELECT generation, seq, body FROM messages WHERE conversation = $1` + after
	switch {
	case r.ForCustomer:
		query += ` AND note = 0`
	case r.Ownership:
		query += ` UNION ALL SELECT generation, seq, body FROM ownership WHERE conversation = $1` + after
	}
	rows, err := d.read.QueryContext(ctx, query+fmt.Sprintf(` ORDER BY generation, seq LIMIT %d`, limit+1), string(r.Conversation), generation, seq)
	if err != nil {
		return nil, fmt.Errorf("read the transcript of %s: %w", r.Conversation, err)
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	reply := &protocol.TranscriptReply{V: protocol.Version, OK: true, Conversation: conv}
	size := 0
	for rows.Next() {
		var item protocol.Item
		var itemGeneration int64
		var body string
		if err := rows.Scan(&itemGeneration, &item.Seq, &body); err != nil {
			return nil, fmt.Errorf("read the transcript of %s: %w", r.Conversation, err)
		}
		size += len(body) + 32
		if len(reply.Items) == limit || len(reply.Items) > 0 && size > protocol.MaxReplyBytes {
			reply.Next = formatCursor(generation, seq)
			break
		}
		item.Event = json.RawMessage(body)
		reply.Items = append(reply.Items, item)
		generation, seq = itemGeneration, item.Seq
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the transcript of %s: %w", r.Conversation, err)
	}
	return reply, nil
}

// A cursor is the generation and sequence of the last item that was given out.
func formatCursor(generation int64, seq uint64) string { return fmt.Sprintf("%d.%d", generation, seq) }

func parseCursor(s string) (generation int64, seq uint64, err error) {
	if s == "" {
		return 0, 0, nil
	}
	g, n, _ := strings.Cut(s, ".")
	generation, err = strconv.ParseInt(g, 10, 64)
	if err == nil {
		seq, err = strconv.ParseUint(n, 10, 63)
	}
	if err != nil {
		return 0, 0, badRequest("after", s, "use the next of the reply before, or leave it out")
	}
	return generation, seq, nil
}

const conversationColumns = `c.id, c.status, c.channel, c.contact, c.contact_name, c.language, c.queue,
	c.agent_kind, c.agent_id, c.agent_name, c.agent_pool, c.disposition, c.opened_at, c.ended_at, c.messages, c.last_seq,
	c.tags, c.rating, c.rating_comment`

// conversationScan reads conversationColumns.
type conversationScan struct {
	conv   protocol.Conversation
	agent  conversation.Agent
	opened int64
	ended  sql.NullInt64
	tags   string
	rating conversation.Rating
}

func (s *conversationScan) targets() []any {
	c := &s.conv
	return []any{&c.ID, &c.Status, &c.Channel, &c.Contact, &c.ContactName, &c.Language, &c.Queue,
		&s.agent.Kind, &s.agent.ID, &s.agent.Name, &s.agent.Pool, &c.Disposition, &s.opened, &s.ended, &c.Messages, &c.LastSeq,
		&s.tags, &s.rating.Score, &s.rating.Comment}
}

func (s *conversationScan) result() protocol.Conversation {
	c := s.conv
	c.OpenedAt, c.EndedAt = fromNanos(s.opened), fromNanos(s.ended.Int64)
	if s.tags != "" {
		c.Tags = strings.Fields(s.tags)
	}
	if s.rating.Score > 0 {
		rating := s.rating
		c.Rating = &rating
	}
	if s.agent.ID != "" {
		agent := s.agent
		c.Agent = &agent
	}
	return c
}

func (d *DB) conversation(ctx context.Context, id conversation.ID) (*protocol.Conversation, error) {
	var s conversationScan
	err := d.read.QueryRowContext(ctx, `SELECT `+conversationColumns+` FROM conversations c WHERE c.id = $1`, string(id)).Scan(s.targets()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("conversation %.80q: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read conversation %s: %w", id, err)
	}
	c := s.result()
	return &c, nil
}
