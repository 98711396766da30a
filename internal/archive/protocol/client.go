package protocol

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/deskfleet/deskfleet/internal/archive/audit"
	"github.com/deskfleet/deskfleet/internal/bus"
)

// Client asks the archive of one desk. Refusals are errors of type *Error; the bus's own errors are passed on.
type Client struct {
	Bus      bus.Messenger
	Subjects bus.Subjects
}

// Transcript asks for a part of a transcript.
func (c Client) Transcript(ctx context.Context, r TranscriptRequest) (*TranscriptReply, error) {
	r.V = Version
	return ask(ctx, c, bus.ServiceArchiveTranscript, r, func(r *TranscriptReply) (bool, *Error) { return r.OK, r.Error })
}

// Search looks for messages or conversations.
func (c Client) Search(ctx context.Context, r SearchRequest) (*SearchReply, error) {
	r.V = Version
	return ask(ctx, c, bus.ServiceArchiveSearch, r, func(r *SearchReply) (bool, *Error) { return r.OK, r.Error })
}

// Audit asks for audit records.
func (c Client) Audit(ctx context.Context, r AuditRequest) (*AuditReply, error) {
	r.V = Version
	return ask(ctx, c, bus.ServiceArchiveAudit, r, func(r *AuditReply) (bool, *Error) { return r.OK, r.Error })
}

// Report asks for what agents or queues did.
func (c Client) Report(ctx context.Context, r ReportRequest) (*ReportReply, error) {
	r.V = Version
	return ask(ctx, c, bus.ServiceArchiveReport, r, func(r *ReportReply) (bool, *Error) { return r.OK, r.Error })
}

// Status asks for the state of the archive.
func (c Client) Status(ctx context.Context) (*Status, error) {
	request := struct {
		V int `json:"v"`
	}{Version}
	reply, err := ask(ctx, c, bus.ServiceArchiveStatus, request, func(r *StatusReply) (bool, *Error) { return r.OK, r.Error })
	if err != nil {
		return nil, err
	}
	return reply.Status, nil
}

func ask[T any](ctx context.Context, c Client, service bus.Service, request any, refusal func(*T) (bool, *Error)) (*T, error) {
	data, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encode request for %s: %w", service, err)
	}
	reply, err := c.Bus.Request(ctx, c.Subjects.Request(service), data)
	if err != nil {
		return nil, fmt.Errorf("ask the archive: %w", err)
	}
	return decodeReply(reply, refusal)
}

// Report stores an audit event in the desk's log, from where the archive takes it. It returns after the bus
// has it on disk; an event that is reported again is stored once.
func Report(ctx context.Context, log bus.Log, subjects bus.Subjects, e audit.Event) error {
	data, err := audit.Encode(e)
	if err != nil {
		return err
	}
	if _, _, err := log.Append(ctx, subjects.Audit(), data, bus.AppendOptions{MsgID: "audit:" + string(e.ID)}); err != nil {
		return fmt.Errorf("report %s for the audit: %w", e.Action, err)
	}
	return nil
}
