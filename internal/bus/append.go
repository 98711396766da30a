package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// attemptTimeout of one append or read. A disk that stalls longer makes an
// append be repeated, which its message id makes harmless.
const attemptTimeout = 3 * time.Second

// The first tries of what may be sent again wait for a shorter time. Whatever
// is under way while the log has no leader is answered by nobody, and waiting
// longer would add to the time in which the desk stands still: the server
// elects another one within 9 s, see docs/reliability.md.
const (
	quickAttempt  = time.Second
	quickAttempts = 6
)

// patience of a try behind so many that were not answered.
func patience(lost int) time.Duration {
	if lost < quickAttempts {
		return quickAttempt
	}
	return attemptTimeout
}

// Error codes of JetStream that decide what a writer may do next, from the
// server's errors.json.
const (
	codeAccountResources  = 10002
	codeInsufficient      = 10023
	codeNoMessage         = 10037
	codeStorageResources  = 10047
	codeMessageTooLarge   = 10054
	codeStreamNotFound    = 10059
	codeWrongLastSequence = 10071
	codeStoreFailed       = 10077
	codeHeaderTooLarge    = 10097
	codeDuplicateInFlight = 10158
	codeContended         = 10164
)

// streamLog is a [Log] over one stream.
type streamLog struct {
	conn   *conn
	stream string
}

type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%s (JetStream error %d)", e.Description, e.ErrCode)
}

// classified says whether it makes sense to try again.
func (e *apiError) classified() error {
	if e.Code == http.StatusServiceUnavailable || e.ErrCode == codeStreamNotFound {
		return fmt.Errorf("%w: %w", ErrUnavailable, e)
	}
	return e
}

type pubAck struct {
	Error     *apiError `json:"error"`
	Stream    string    `json:"stream"`
	Seq       uint64    `json:"seq"`
	Duplicate bool      `json:"duplicate"`
}

func (l *streamLog) Append(ctx context.Context, subject string, data []byte, opts AppendOptions) (uint64, bool, error) {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	start := time.Now()
	seq, duplicate, err := l.append(ctx, subject, data, opts)
	l.conn.opts.Metrics.observeAppend(time.Since(start).Seconds(), duplicate, err)
	if err != nil {
		return 0, false, fmt.Errorf("append to %s: %w", subject, err)
	}
	return seq, duplicate, nil
}

func (l *streamLog) append(ctx context.Context, subject string, data []byte, opts AppendOptions) (uint64, bool, error) {
	msg := l.message(subject, data, opts)
	var retry backoff
	lost := 0
	for {
		if err := l.conn.link.wait(ctx); err != nil {
			return 0, false, err
		}
		within := attemptTimeout // without an id it is not sent again
		if opts.MsgID != "" {
			within = patience(lost)
		}
		seq, duplicate, err := l.appendOnce(ctx, msg, opts, within)
		if errors.Is(err, errNoAnswer) {
			lost++
		}
		if errors.Is(err, ErrFenced) && opts.MsgID != "" {
			return l.settleFenced(ctx, subject, opts, err)
		}
		if !repeatable(err, opts) {
			return seq, duplicate, err
		}
		if retry.wait(ctx) != nil {
			return 0, false, err
		}
	}
}

func (l *streamLog) message(subject string, data []byte, opts AppendOptions) *nats.Msg {
	header := nats.Header{}
	// Without it a stream of another name that covers the subject would do.
	header.Set(jetstream.ExpectedStreamHeader, l.stream)
	if opts.MsgID != "" {
		header.Set(jetstream.MsgIDHeader, opts.MsgID)
	}
	if opts.ExpectLast != nil {
		header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(*opts.ExpectLast, 10))
		if opts.ExpectFilter != "" {
			header.Set(jetstream.ExpectedLastSubjSeqSubjHeader, opts.ExpectFilter)
		}
	}
	return &nats.Msg{Subject: subject, Data: data, Header: header}
}

// errContended says that the server is just writing to the subject whose
// sequence is expected: whether the writer is fenced is not decided yet.
var errContended = errors.New("another append to the subject is in flight")

// errNoAnswer says that it is not known whether the append was stored.
var errNoAnswer = errors.New("no answer")

func (l *streamLog) appendOnce(ctx context.Context, msg *nats.Msg, opts AppendOptions, within time.Duration) (uint64, bool, error) {
	attempt, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("%w: %w within %s", ErrUnavailable, errNoAnswer, within))
	defer cancel()
	reply, err := l.conn.roundTrip(attempt, msg)
	if errors.Is(err, ErrNoResponders) {
		// The stream has no leader yet, or does not exist: nothing was stored.
		return 0, false, fmt.Errorf("%w: log %s is not served: %w", ErrUnavailable, l.stream, err)
	}
	if err != nil {
		return 0, false, err
	}
	var ack pubAck
	if err := json.Unmarshal(reply.Data, &ack); err != nil || (ack.Error == nil && ack.Seq == 0) {
		return 0, false, fmt.Errorf("%w: unexpected answer of the log", ErrUnavailable)
	}
	if ack.Error != nil {
		return 0, false, appendError(ack.Error, msg.Subject, opts)
	}
	return ack.Seq, ack.Duplicate, nil
}

func appendError(e *apiError, subject string, opts AppendOptions) error {
	switch e.ErrCode {
	case codeWrongLastSequence:
		return fenced(e, subject, opts)
	case codeMessageTooLarge, codeHeaderTooLarge:
		return fmt.Errorf("%w: %w", ErrTooLarge, e)
	case codeAccountResources, codeInsufficient, codeStorageResources:
		return fmt.Errorf("%w: %w", ErrFull, e)
	case codeStoreFailed:
		if strings.Contains(e.Description, "maximum") || strings.Contains(e.Description, "no space") {
			return fmt.Errorf("%w: %w", ErrFull, e)
		}
	case codeContended, codeDuplicateInFlight:
		return fmt.Errorf("%w: %w: %w", ErrUnavailable, errContended, e)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, e)
}

func fenced(e *apiError, subject string, opts AppendOptions) error {
	f := &FencedError{Subject: subject}
	if opts.ExpectFilter != "" {
		f.Subject = opts.ExpectFilter
	}
	if opts.ExpectLast != nil {
		f.Expected = *opts.ExpectLast
	}
	_, number, _ := strings.Cut(e.Description, ": ")
	actual, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: the log does not say its last sequence: %w", ErrFenced, e)
	}
	f.Actual = actual
	return f
}

// repeatable says whether the same append may be sent again: only when nothing
// was stored for certain, or when the message id makes the repetition harmless.
func repeatable(err error, opts AppendOptions) bool {
	if !errors.Is(err, ErrUnavailable) {
		return false
	}
	return opts.MsgID != "" || errors.Is(err, ErrNoResponders) || errors.Is(err, errContended)
}

// settleFenced looks whether the writer was fenced by its own append, whose
// answer was lost: a single server checks the expected sequence before the
// message id. The append that was let in is the first one behind the expected
// sequence, so it is ours if it carries our id.
func (l *streamLog) settleFenced(ctx context.Context, subject string, opts AppendOptions, refused error) (uint64, bool, error) {
	filter := opts.ExpectFilter
	if filter == "" {
		filter = subject
	}
	if opts.ExpectLast == nil || (filter != subject && !strings.ContainsAny(filter, "*>")) {
		return 0, false, refused // our own append does not move that sequence
	}
	next, ok, err := l.get(ctx, getRequest{Seq: *opts.ExpectLast + 1, NextFor: filter})
	if err != nil {
		return 0, false, fmt.Errorf("%w: cannot tell whether an earlier try was stored: %w", ErrUnavailable, err)
	}
	if ok && next.MsgID == opts.MsgID {
		return next.Seq, true, nil
	}
	return 0, false, refused
}
