package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/audit"
	"github.com/deskfleet/deskfleet/internal/conversation"
	router "github.com/deskfleet/deskfleet/internal/router/protocol"
)

// Version of what this release writes.
const Version = 1

// Bounds of requests and replies. A reply stays below what the bus carries, which is little more than the
// greatest stored message, 256 KiB; one item is at most conversation.MaxEventBytes.
const (
	// MaxRequestBytes of a request; longer ones are refused unread.
	MaxRequestBytes = 16 << 10
	// MaxReplyBytes of the items, hits or records of one reply; the rest follows with next.
	MaxReplyBytes = 224 << 10
	// MaxItems of one reply, and DefaultItems where the request names no limit.
	MaxItems     = 500
	DefaultItems = 100
	// MaxTextRunes of a search text, and MaxWords in it.
	MaxTextRunes = 200
	MaxWords     = 8
)

// Error says what was refused, why, and what to do: the same shape as the router's.
type Error = router.Error

// Codes of refusals. CodeMalformed and CodeUnavailable mean what they mean with the router.
const (
	CodeMalformed   = router.CodeMalformed
	CodeNotFound    = router.CodeNotFound
	CodeUnavailable = router.CodeUnavailable
	// CodeTooExpensive: the search took too long. Narrow it down.
	CodeTooExpensive router.Code = "tooExpensive"
)

// TranscriptRequest asks for what was said in a conversation.
type TranscriptRequest struct {
	V            int             `json:"v"`
	Conversation conversation.ID `json:"conversation"`
	// After is the next of the reply before; empty for the beginning.
	After string `json:"after,omitempty"`
	// Limit of items, at most MaxItems; 0 for DefaultItems.
	Limit int `json:"limit,omitempty"`
	// Ownership adds who had the conversation when, and why.
	Ownership bool `json:"ownership,omitempty"`
	// ForCustomer leaves out what only agents may see.
	ForCustomer bool `json:"forCustomer,omitempty"`
}

// TranscriptReply is a part of a transcript.
type TranscriptReply struct {
	V            int           `json:"v"`
	OK           bool          `json:"ok"`
	Error        *Error        `json:"error,omitempty"`
	Conversation *Conversation `json:"conversation,omitempty"`
	Items        []Item        `json:"items,omitempty"`
	// Next goes into After; empty at the end.
	Next string `json:"next,omitempty"`
}

// Item is a stored event of a conversation.
type Item struct {
	// Seq is its place in the desk's log when it was stored.
	Seq   uint64          `json:"seq"`
	Event json.RawMessage `json:"event"`
}

// Conversation in the archive.
type Conversation struct {
	ID          conversation.ID     `json:"id"`
	Status      conversation.Status `json:"status"`
	Channel     string              `json:"channel,omitempty"`
	Contact     string              `json:"contact,omitempty"`
	ContactName string              `json:"contactName,omitempty"`
	Language    string              `json:"language,omitempty"`
	Queue       string              `json:"queue,omitempty"`
	// Agent that owned it last.
	Agent       *conversation.Agent `json:"agent,omitempty"`
	Disposition string              `json:"disposition,omitempty"`
	Tags        []string            `json:"tags,omitempty"`
	// Rating is what the customer said of it last; nil for nothing.
	Rating   *conversation.Rating `json:"rating,omitempty"`
	OpenedAt time.Time            `json:"openedAt,omitzero"`
	// EndedAt is zero while it is open.
	EndedAt  time.Time `json:"endedAt,omitzero"`
	Messages int       `json:"messages"`
	// LastSeq up to which the archive has its events.
	LastSeq uint64 `json:"lastSeq"`
}

// SearchRequest looks for messages, or for conversations when Text is empty.
type SearchRequest struct {
	V       int    `json:"v"`
	Text    string `json:"text,omitempty"`
	Contact string `json:"contact,omitempty"`
	// Agent that owned the conversation last, by id.
	Agent   string `json:"agent,omitempty"`
	Channel string `json:"channel,omitempty"`
	// Tag that the conversation has, and Disposition that it was closed with.
	Tag         string `json:"tag,omitempty"`
	Disposition string `json:"disposition,omitempty"`
	// From and To bound the time of the message, or of the opening; From included, To not. Zero: unbounded.
	From  time.Time `json:"from,omitzero"`
	To    time.Time `json:"to,omitzero"`
	Limit int       `json:"limit,omitempty"`
	// Before is the next of the reply before; empty for the newest.
	Before string `json:"before,omitempty"`
}

// SearchReply lists what was found, newest first.
type SearchReply struct {
	V     int    `json:"v"`
	OK    bool   `json:"ok"`
	Error *Error `json:"error,omitempty"`
	Hits  []Hit  `json:"hits,omitempty"`
	Next  string `json:"next,omitempty"`
}

// Hit is a message with its conversation, or a conversation.
type Hit struct {
	Conversation Conversation `json:"conversation"`
	Message      *Message     `json:"message,omitempty"`
}

// Message that was found.
type Message struct {
	Seq  uint64             `json:"seq"`
	At   time.Time          `json:"at"`
	From conversation.Actor `json:"from"`
	Text string             `json:"text"`
	Note bool               `json:"note,omitempty"`
}

// AuditRequest asks for audit records in order of their number.
type AuditRequest struct {
	V int `json:"v"`
	// After is the number of the last record that is known; 0 for the beginning. With Newest it is the
	// number of the oldest one that is known; 0 for the end.
	After uint64 `json:"after,omitempty"`
	Limit int    `json:"limit,omitempty"`
	// Newest lists from the end.
	Newest       bool            `json:"newest,omitempty"`
	Conversation conversation.ID `json:"conversation,omitempty"`
	// Who by id.
	Who string `json:"who,omitempty"`
	// Action, or its beginning up to and with a ".".
	Action string `json:"action,omitempty"`
	// Verify walks the whole chain too.
	Verify bool `json:"verify,omitempty"`
}

// AuditReply lists audit records.
type AuditReply struct {
	V       int            `json:"v"`
	OK      bool           `json:"ok"`
	Error   *Error         `json:"error,omitempty"`
	Records []audit.Record `json:"records,omitempty"`
	// Next goes into After; 0 at the end.
	Next     uint64        `json:"next,omitempty"`
	Verified *Verification `json:"verified,omitempty"`
}

// Verification is the result of walking the audit chain.
type Verification struct {
	// Records that hold, and the Head of them.
	Records uint64     `json:"records"`
	Head    audit.Head `json:"head"`
	// Broken is the first record that does not hold; nil when all do.
	Broken *audit.Break `json:"broken,omitempty"`
	At     time.Time    `json:"at"`
}

// StatusReply is the state of the archive.
type StatusReply struct {
	V      int     `json:"v"`
	OK     bool    `json:"ok"`
	Error  *Error  `json:"error,omitempty"`
	Status *Status `json:"status,omitempty"`
}

// Status of the archive.
type Status struct {
	// Revision of the configuration that it runs.
	Revision string `json:"revision,omitempty"`
	// Seq of the log up to which everything is stored, LastSeq of the log, and the Lag between them: at most so many
	// events are not stored, as not everything in the log is for the archive.
	Seq     uint64 `json:"seq"`
	LastSeq uint64 `json:"lastSeq"`
	Lag     uint64 `json:"lag"`
	// LagSeconds is the age of the oldest event that is not stored, by the clocks of bus and archive; 0 when all are.
	LagSeconds float64 `json:"lagSeconds"`
	// Behind is set when that is more than it should be, until the archive has nearly caught up.
	Behind bool `json:"behind,omitempty"`
	// Generation counts the logs that the archive has read: it rises when the bus lost its log.
	Generation    int64 `json:"generation"`
	Conversations int64 `json:"conversations"`
	Messages      int64 `json:"messages"`
	// Unreadable messages are kept as they came.
	Unreadable int64 `json:"unreadable"`
	// Unpurged are ended conversations that still lie in the log; Held are those of them that wait because
	// the router has not yet decided about a late message.
	Unpurged int64      `json:"unpurged"`
	Held     int64      `json:"held"`
	Audit    audit.Head `json:"audit"`
	// Verified is the latest walk over the audit chain; nil before the first.
	Verified *Verification `json:"verified,omitempty"`
	Storage  Storage       `json:"storage"`
	// Problem is what keeps the archive from storing at the moment; empty when it stores.
	Problem string `json:"problem,omitempty"`
	// Webhooks that somebody has to look at; nil of an archive that does not tell.
	Webhooks *WebhookTroubles `json:"webhooks,omitempty"`
}

// Storage of the archive.
type Storage struct {
	// Engine is sqlite or postgresql.
	Engine string `json:"engine"`
	// DatabaseBytes that the database takes, with its journal.
	DatabaseBytes int64 `json:"databaseBytes"`
	// FreeBytes and TotalBytes of the volume; 0 where the archive cannot see it (PostgreSQL).
	FreeBytes  int64 `json:"freeBytes,omitempty"`
	TotalBytes int64 `json:"totalBytes,omitempty"`
	// Low is set when less than the configured share of the volume is free.
	Low bool `json:"low"`
}

// ErrMalformed is wrapped by all errors of decoding.
var ErrMalformed = errors.New("malformed")

// decodeReply reads a reply and returns a refusal as an error of type *Error.
func decodeReply[T any](data []byte, refusal func(*T) (bool, *Error)) (*T, error) {
	var reply T
	if err := json.Unmarshal(data, &reply); err != nil {
		return nil, fmt.Errorf("%w reply of the archive: %w", ErrMalformed, err)
	}
	ok, refused := refusal(&reply)
	switch {
	case ok:
		return &reply, nil
	case refused == nil:
		return nil, fmt.Errorf("%w reply of the archive: neither ok nor error", ErrMalformed)
	}
	return nil, refused
}
