package archive

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/audit"
	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// roleName under which the archive reports what it does itself.
const roleName = "archive"

// note links an audit record of the archive's own doing.
func (d *DB) note(ctx context.Context, tx *sql.Tx, now time.Time, action string, details map[string]any) error {
	e := audit.NewEvent(conversation.NewID(now), now, roleName, action, conversation.Actor{Kind: conversation.KindSystem, ID: roleName})
	raw, err := json.Marshal(details)
	if err != nil {
		return fmt.Errorf("audit %s: %w", action, err)
	}
	e.Details = raw
	// Through the wire form, so that it is hashed as it would be if it had come over the bus.
	data, err := audit.Encode(e)
	if err != nil {
		return err
	}
	if e, err = audit.Decode(data); err != nil {
		return err
	}
	_, err = d.link(ctx, tx, []audit.Event{e})
	return err
}

// link appends events to the chain and returns how many were new.
func (d *DB) link(ctx context.Context, tx *sql.Tx, events []audit.Event) (int, error) {
	if len(events) == 0 {
		return 0, nil
	}
	// An update first: it locks the row, so that two transactions never link to the same head.
	var head audit.Head
	err := tx.QueryRowContext(ctx, `UPDATE audit_head SET number = number RETURNING number, hash`).Scan(&head.Number, &head.Hash)
	if err != nil {
		return 0, fmt.Errorf("read the head of the audit chain: %w", err)
	}
	linked := 0
	for i := range events {
		var there int
		err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM audit WHERE id = $1`, string(events[i].ID)).Scan(&there)
		if err != nil {
			return 0, fmt.Errorf("look for audit event %s: %w", events[i].ID, err)
		}
		if there > 0 {
			continue
		}
		salt := make([]byte, audit.SaltBytes)
		if _, err := rand.Read(salt); err != nil {
			return 0, fmt.Errorf("salt of an audit record: %w", err)
		}
		r := audit.Link(head, d.subjects.Namespace(), d.subjects.Desk(), events[i], salt)
		if err := insertRecord(ctx, tx, &r); err != nil {
			return 0, err
		}
		head = r.Head()
		linked++
	}
	if _, err := tx.ExecContext(ctx, `UPDATE audit_head SET number = $1, hash = $2`, head.Number, head.Hash); err != nil {
		return 0, fmt.Errorf("note the head of the audit chain: %w", err)
	}
	return linked, nil
}

const recordColumns = `number, id, v, at, namespace, desk, role, action, who_kind, who_id, who_name, conversation, details, salt, prev_hash, hash`

func insertRecord(ctx context.Context, tx *sql.Tx, r *audit.Record) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO audit (`+recordColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		r.Number, string(r.ID), r.V, r.At.UnixNano(), r.Namespace, r.Desk, r.Role, r.Action, string(r.Who.Kind), r.Who.ID, r.Who.Name,
		string(r.Conversation), string(r.Details), r.Salt, r.PrevHash, r.Hash)
	if err != nil {
		return fmt.Errorf("append audit record %d: %w", r.Number, err)
	}
	return nil
}

func scanRecord(rows *sql.Rows) (*audit.Record, error) {
	var r audit.Record
	var at int64
	var details string
	err := rows.Scan(&r.Number, &r.ID, &r.V, &at, &r.Namespace, &r.Desk, &r.Role, &r.Action, &r.Who.Kind, &r.Who.ID, &r.Who.Name,
		&r.Conversation, &details, &r.Salt, &r.PrevHash, &r.Hash)
	if err != nil {
		return nil, err
	}
	r.At = time.Unix(0, at).UTC()
	if details != "" {
		r.Details = json.RawMessage(details)
	}
	return &r, nil
}

// VerifyAudit implements Store.
func (d *DB) VerifyAudit(ctx context.Context) (protocol.Verification, error) {
	verification, err := d.verifyAudit(ctx)
	if err != nil {
		return protocol.Verification{}, fmt.Errorf("verify the audit chain: %w", err)
	}
	return verification, nil
}

func (d *DB) verifyAudit(ctx context.Context) (protocol.Verification, error) {
	tx, err := d.read.BeginTx(ctx, d.engine.snapshot)
	if err != nil {
		return protocol.Verification{}, err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	var noted audit.Head
	if err := tx.QueryRowContext(ctx, `SELECT number, hash FROM audit_head`).Scan(&noted.Number, &noted.Hash); err != nil {
		return protocol.Verification{}, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT `+recordColumns+` FROM audit ORDER BY number`)
	if err != nil {
		return protocol.Verification{}, err
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	var v audit.Verifier
	var broken *audit.Break
	for broken == nil && rows.Next() {
		r, err := scanRecord(rows)
		if err != nil {
			return protocol.Verification{}, err
		}
		broken = v.Next(r)
	}
	if err := rows.Err(); err != nil {
		return protocol.Verification{}, err
	}
	if broken == nil {
		broken = v.End(noted)
	}
	return protocol.Verification{Records: v.Head().Number, Head: v.Head(), Broken: broken}, nil
}

// auditQuery selects what a request asks for, one record more than the limit.
func auditQuery(r *protocol.AuditRequest, limit int) (query string, args []any) {
	var where conditions
	order := "number"
	switch {
	case r.Newest && r.After > 0:
		where.add("number < ", r.After)
	case !r.Newest:
		where.add("number > ", r.After)
	}
	if r.Newest {
		order = "number DESC"
	}
	if r.Conversation != "" {
		where.add("conversation = ", string(r.Conversation))
	}
	if r.Who != "" {
		where.add("who_id = ", r.Who)
	}
	if strings.HasSuffix(r.Action, ".") {
		where.addPattern("action", escapeLike(r.Action)+"%")
	} else if r.Action != "" {
		where.add("action = ", r.Action)
	}
	return `SELECT ` + recordColumns + ` FROM audit` + where.sql() + ` ORDER BY ` + order + fmt.Sprintf(" LIMIT %d", limit+1), where.args
}

// Audit implements Store.
func (d *DB) Audit(ctx context.Context, r protocol.AuditRequest) (*protocol.AuditReply, error) {
	limit, err := limitOf(r.Limit)
	if err != nil {
		return nil, err
	}
	query, args := auditQuery(&r, limit)
	reply := &protocol.AuditReply{V: protocol.Version, OK: true}
	rows, err := d.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read audit records: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	size := 0
	for rows.Next() {
		record, err := scanRecord(rows)
		if err != nil {
			return nil, fmt.Errorf("read audit records: %w", err)
		}
		size += len(record.Details) + 1024
		if len(reply.Records) == limit || len(reply.Records) > 0 && size > protocol.MaxReplyBytes {
			reply.Next = reply.Records[len(reply.Records)-1].Number
			break
		}
		reply.Records = append(reply.Records, *record)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read audit records: %w", err)
	}
	return reply, nil
}
