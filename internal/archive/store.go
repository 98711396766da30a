package archive

import (
	"context"
	"errors"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/audit"
	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/webhook"
)

// Store keeps a desk's closed conversations and its audit records. It is safe for concurrent use. Writes are
// durable when they return.
type Store interface {
	// Position of the desk's log up to which everything is stored.
	Position(ctx context.Context) (Position, error)
	// Write stores entries of the log, which follow the position, and moves the position to through, in one
	// transaction. It returns ErrMoved when the stored position is another one.
	Write(ctx context.Context, from Position, through uint64, entries []bus.Stored) (Position, Written, error)
	// Restart begins a new generation at sequence 0, because the log is another one: it was made at created.
	// Conversations that the old log held open end there.
	Restart(ctx context.Context, from Position, created, now time.Time) (Position, error)

	// Unpurged lists ended conversations that still lie in the log of the position's generation, whose last
	// event was logged before the given time and whose customer wrote nothing after sequence cursor.
	Unpurged(ctx context.Context, generation int64, loggedBefore time.Time, cursor uint64, limit int) ([]Purge, error)
	// Purged notes that the log no longer holds a conversation up to the sequence.
	Purged(ctx context.Context, done []Purge) error
	// DeleteEnded deletes at most limit conversations that ended before the given time and no longer lie in
	// the log, and leaves one audit record about them. It returns how many it deleted.
	DeleteEnded(ctx context.Context, endedBefore, now time.Time, limit int) (int, error)

	// TellStays writes what reports add up of at most limit conversations that have ended, and returns how many there were.
	TellStays(ctx context.Context, limit int) (int, error)
	// Report adds up what agents and queues did. now decides what may still change.
	Report(ctx context.Context, r protocol.ReportRequest, levels Levels, now time.Time) (*protocol.ReportReply, error)

	// Transcript of one conversation, ErrNotFound without it.
	Transcript(ctx context.Context, r protocol.TranscriptRequest) (*protocol.TranscriptReply, error)
	// Search for messages or conversations.
	Search(ctx context.Context, r protocol.SearchRequest) (*protocol.SearchReply, error)
	// Audit lists audit records.
	Audit(ctx context.Context, r protocol.AuditRequest) (*protocol.AuditReply, error)
	// VerifyAudit walks the audit chain up to its first broken link.
	VerifyAudit(ctx context.Context) (protocol.Verification, error)
	// Totals of what is stored. cursor is that of Unpurged.
	Totals(ctx context.Context, cursor uint64) (Totals, error)
	// Space that the database takes.
	Space(ctx context.Context) (Space, error)
	// Webhooks is what webhooks are delivered from.
	Webhooks() webhook.Outbox
	// Close ends all connections.
	Close() error
}

// Errors of a Store.
var (
	// ErrMoved: another archive has stored in the meantime. Read the position again.
	ErrMoved = errors.New("another archive stores for this desk")
	// ErrNotFound: there is no such conversation.
	ErrNotFound = errors.New("the archive has no such conversation")
	// ErrBadRequest: a request that cannot be answered; the error says what to change.
	ErrBadRequest = errors.New("the request is refused")
)

// Position in the logs of a desk.
type Position struct {
	// Generation counts the logs from 1; it rises when the bus has lost its log.
	Generation int64
	// Created is when the log was made, by the bus; zero before the first entry is known.
	Created time.Time
	// Seq of the log up to which everything is stored.
	Seq uint64
}

// Written counts what one write stored.
type Written struct {
	Messages, Ownership, Audit int
	// Duplicates were stored before: sent again after the bus had forgotten their message id.
	Duplicates int
	// Unreadable entries were kept as they came.
	Unreadable int
	// Misfits are events of ownership that do not follow from what the archive knows.
	Misfits int
}

// Purge is a conversation that may leave the log up to a sequence.
type Purge struct {
	Conversation conversation.ID
	Generation   int64
	Seq          uint64
}

// Totals of an archive.
type Totals struct {
	Conversations, Messages, Unreadable int64
	// Unpurged conversations have ended and still lie in the log; Held of them wait for the router.
	Unpurged, Held int64
	Audit          audit.Head
}

// Space of a database.
type Space struct {
	// Engine is sqlite or postgresql.
	Engine string
	// Bytes that it takes, with its journal.
	Bytes int64
	// Dir on whose volume it lies; empty when that is on another machine.
	Dir string
}
