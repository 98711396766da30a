package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Bounds of answering.
const (
	// requestTimeout of one request; who asks waits longer.
	requestTimeout = 5 * time.Second
	// requestsAtOnce over all services; more wait.
	requestsAtOnce = 4
	// pendingRequests and their bytes that wait for one service; more are dropped, and asked again.
	pendingRequests = 256
	pendingBytes    = 4 << 20
)

// answer decodes a request and answers it.
type answer func(ctx context.Context, data []byte) (any, error)

// serve subscribes to the archive's services. stop waits for the answers that are being given.
func (r *role) serve(ctx context.Context) (stop func(), err error) {
	slots := make(chan struct{}, requestsAtOnce)
	var running sync.WaitGroup
	var subscriptions []bus.Subscription
	stop = func() {
		for _, s := range subscriptions {
			s.Stop()
		}
		running.Wait()
	}
	for service, f := range map[bus.Service]answer{
		bus.ServiceArchiveTranscript: r.answerTranscript,
		bus.ServiceArchiveSearch:     answerWith(r.store.Search),
		bus.ServiceArchiveAudit:      r.answerAudit,
		bus.ServiceArchiveWebhooks:   r.answerWebhooks,
		bus.ServiceArchiveStatus:     r.answerStatus,
		bus.ServiceArchiveReport:     r.answerReport,
	} {
		subscription, err := r.conn.QueueSubscribe(ctx, r.subjects.Request(service), service.QueueGroup(), func(m *bus.Message) {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			running.Go(func() {
				defer func() { <-slots }()
				r.reply(ctx, service, f, m)
			})
		}, bus.WithPending(pendingRequests, pendingBytes))
		if err != nil {
			stop()
			return nil, fmt.Errorf("archive: %w", err)
		}
		subscriptions = append(subscriptions, subscription)
	}
	return stop, nil
}

func (r *role) reply(ctx context.Context, service bus.Service, f answer, m *bus.Message) {
	if !m.WantsReply() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	result := "ok"
	reply, err := f(ctx, m.Data)
	if err != nil {
		refusal := refuse(ctx, service, err)
		result = string(refusal.Code)
		if refusal.Code == protocol.CodeUnavailable {
			r.log.Warn("archive could not answer", "service", string(service), "error", err)
		}
		reply = struct {
			V     int             `json:"v"`
			OK    bool            `json:"ok"`
			Error *protocol.Error `json:"error"`
		}{protocol.Version, false, refusal}
	}
	r.metrics.requests.WithLabelValues(string(service), result).Inc()
	data, err := json.Marshal(reply)
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil {
		r.log.Warn("archive could not send its answer", "service", string(service), "error", err)
	}
}

// refuse turns an error into what the asking role can act on. Errors of the database are not repeated: they
// may hold parts of rows.
func refuse(ctx context.Context, service bus.Service, err error) *protocol.Error {
	e := &protocol.Error{What: fmt.Sprintf("the request for %s is refused", service), Why: err.Error()}
	switch {
	case errors.Is(err, ErrBadRequest):
		e.Code, e.Remedy = protocol.CodeMalformed, "send what the package archive/protocol describes"
	case errors.Is(err, ErrNotFound):
		e.Code, e.Remedy = protocol.CodeNotFound, "look for it in the log: the archive may not have it yet, or no longer"
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		e.Code, e.Why = protocol.CodeTooExpensive, fmt.Sprintf("it takes longer than %s", requestTimeout)
		e.Remedy = "narrow it down by time, contact or words of three and more characters"
	default:
		e.Code, e.Why, e.Remedy = protocol.CodeUnavailable, "the archive's database does not answer", "ask again later"
	}
	return e
}

func decodeRequest(data []byte, request any) error {
	if len(data) > protocol.MaxRequestBytes {
		return fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrBadRequest, len(data), protocol.MaxRequestBytes)
	}
	if err := json.Unmarshal(data, request); err != nil {
		return fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	return nil
}

func answerWith[Request, Reply any](f func(context.Context, Request) (Reply, error)) answer {
	return func(ctx context.Context, data []byte) (any, error) {
		var request Request
		if err := decodeRequest(data, &request); err != nil {
			return nil, err
		}
		return f(ctx, request)
	}
}

func (r *role) answerTranscript(ctx context.Context, data []byte) (any, error) {
	var request protocol.TranscriptRequest
	if err := decodeRequest(data, &request); err != nil {
		return nil, err
	}
	if _, err := conversation.ParseID(string(request.Conversation)); err != nil {
		return nil, fmt.Errorf("%w: conversation: %w", ErrBadRequest, err)
	}
	return r.store.Transcript(ctx, request)
}

func (r *role) answerAudit(ctx context.Context, data []byte) (any, error) {
	var request protocol.AuditRequest
	if err := decodeRequest(data, &request); err != nil {
		return nil, err
	}
	reply, err := r.store.Audit(ctx, request)
	if err != nil || !request.Verify {
		return reply, err
	}
	v, err := r.store.VerifyAudit(ctx)
	if err != nil {
		return nil, err
	}
	v.At = time.Now().UTC()
	reply.Verified = &v
	return reply, nil
}

func (r *role) answerStatus(ctx context.Context, _ []byte) (any, error) {
	s, err := r.status(ctx)
	if err != nil {
		return nil, err
	}
	return &protocol.StatusReply{V: protocol.Version, OK: true, Status: s}, nil
}
