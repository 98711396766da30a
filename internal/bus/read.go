package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// readBatch bounds what the server sends for one request of Read.
const (
	readBatch      = 512
	readBatchBytes = 4 << 20
)

// getRequest is the body of the JetStream requests that get messages.
type getRequest struct {
	Seq      uint64 `json:"seq,omitempty"`
	NextFor  string `json:"next_by_subj,omitempty"`
	LastFor  string `json:"last_by_subj,omitempty"`
	Batch    int    `json:"batch,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
}

// call sends a request of the JetStream API that only reads or may be repeated
// without harm, until it is answered or ctx ends.
func (l *streamLog) call(ctx context.Context, api string, request, response any) error {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("bus request %s: %w", api, err)
	}
	msg := &nats.Msg{Subject: jetstream.DefaultAPIPrefix + api + "." + l.stream, Data: body}
	var retry backoff
	for lost := 0; ; lost++ {
		if err := l.conn.link.wait(ctx); err != nil {
			return err
		}
		attempt, stop := context.WithTimeout(ctx, patience(lost))
		reply, err := l.conn.roundTrip(attempt, msg)
		stop()
		if err == nil {
			err = decode(reply.Data, response)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrNoResponders) {
			return err
		}
		if retry.wait(ctx) != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
}

func decode(data []byte, response any) error {
	var failed struct {
		Error *apiError `json:"error"`
	}
	if err := json.Unmarshal(data, &failed); err != nil {
		return fmt.Errorf("%w: unexpected answer: %w", ErrUnavailable, err)
	}
	if failed.Error != nil {
		return failed.Error.classified()
	}
	if err := json.Unmarshal(data, response); err != nil {
		return fmt.Errorf("%w: unexpected answer: %w", ErrUnavailable, err)
	}
	return nil
}

// get one message from the leader of the log, whose answer includes every
// append acknowledged before. A direct get may come from a follower that lags.
func (l *streamLog) get(ctx context.Context, request getRequest) (Stored, bool, error) {
	var response struct {
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Header  []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	err := l.call(ctx, "STREAM.MSG.GET", request, &response)
	var failed *apiError
	if errors.As(err, &failed) && failed.ErrCode == codeNoMessage {
		return Stored{}, false, nil
	}
	if err != nil {
		return Stored{}, false, err
	}
	m := response.Message
	stored := Stored{Subject: m.Subject, Seq: m.Seq, Time: m.Time.UTC(), Data: m.Data}
	if len(m.Header) > 0 {
		header, err := nats.DecodeHeadersMsg(m.Header)
		if err != nil {
			return Stored{}, false, fmt.Errorf("message %d of log %s has bad headers: %w", m.Seq, l.stream, err)
		}
		stored.MsgID = header.Get(jetstream.MsgIDHeader)
	}
	return stored, true, nil
}

func (l *streamLog) Last(ctx context.Context, filter string) (Stored, bool, error) {
	stored, ok, err := l.get(ctx, getRequest{LastFor: filter})
	if err != nil {
		return Stored{}, false, fmt.Errorf("last message of %s: %w", filter, err)
	}
	return stored, ok, nil
}

func (l *streamLog) LastSeq(ctx context.Context, filter string) (uint64, error) {
	last, _, err := l.Last(ctx, filter)
	return last.Seq, err
}

// Read asks the leader for the end and then takes batches from whichever
// server answers. A follower that lags is asked again until the end is
// reached, so that the caller reads what was acknowledged before.
func (l *streamLog) Read(ctx context.Context, filter string, from uint64) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		err := l.read(ctx, filter, max(from, 1), func(m Stored) bool { return yield(m, nil) })
		if err != nil && !errors.Is(err, errStopped) {
			yield(Stored{}, fmt.Errorf("read %s: %w", filter, err))
		}
	}
}

// errStopped says that the consumer of an iterator wants no more.
var errStopped = errors.New("stopped")

func (l *streamLog) read(ctx context.Context, filter string, from uint64, yield func(Stored) bool) error {
	end, err := l.LastSeq(ctx, filter)
	if err != nil {
		return err
	}
	var retry backoff
	for from <= end {
		next, err := l.readBatch(ctx, filter, from, end, yield)
		switch {
		case errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNoResponders):
			// Goes on behind the last message that was given out.
		case err != nil:
			return err
		case next > from:
			from, retry = next, backoff{}
			continue
		default:
			// Nothing there: purged meanwhile, or a follower that lags.
			if end, err = l.LastSeq(ctx, filter); err != nil {
				return err
			}
		}
		from = max(from, next)
		if from <= end && retry.wait(ctx) != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, errors.Join(err, context.Cause(ctx)))
		}
	}
	return nil
}

// readBatch gives out messages up to end and returns the sequence to go on from.
func (l *streamLog) readBatch(ctx context.Context, filter string, from, end uint64, yield func(Stored) bool) (uint64, error) {
	if err := l.conn.link.wait(ctx); err != nil {
		return from, err
	}
	subject := jetstream.DefaultAPIPrefix + "DIRECT.GET." + l.stream
	body, err := json.Marshal(getRequest{Seq: from, NextFor: filter, Batch: readBatch, MaxBytes: readBatchBytes})
	if err != nil {
		return from, fmt.Errorf("bus request: %w", err)
	}
	guarded, release := l.conn.guard(ctx, subject)
	defer release()
	inbox := l.conn.nc.NewRespInbox()
	replies := make(chan *nats.Msg, readBatch+1)
	sub, err := l.conn.nc.ChanSubscribe(inbox, replies)
	if err != nil {
		return from, classify(err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only with the connection
	if err := l.conn.nc.PublishRequest(subject, inbox, body); err != nil {
		return from, classify(err)
	}
	for {
		msg, err := nextReply(guarded, replies)
		if err != nil {
			return from, classify(err)
		}
		if lastHeader(msg, jetstream.SequenceHeader) == "" {
			return from, batchStatus(msg)
		}
		stored, err := storedFromDirect(msg)
		if err != nil {
			return from, err
		}
		if stored.Seq > end {
			return end + 1, nil
		}
		if stored.Seq < from {
			continue // two servers answered
		}
		if !yield(stored) {
			return from, errStopped
		}
		from = stored.Seq + 1
	}
}

func nextReply(ctx context.Context, replies <-chan *nats.Msg) (*nats.Msg, error) {
	timer := time.NewTimer(attemptTimeout)
	defer timer.Stop()
	select {
	case msg := <-replies:
		return msg, nil
	case <-timer.C:
		return nil, fmt.Errorf("%w: no answer within %s", ErrUnavailable, attemptTimeout)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// batchStatus reads what ends a batch: 204 its end, 404 nothing found.
func batchStatus(msg *nats.Msg) error {
	switch status := msg.Header.Get("Status"); status {
	case "204", "404":
		return nil
	case "503":
		return fmt.Errorf("%w: log is not served", ErrNoResponders)
	default:
		return fmt.Errorf("%w: read refused with status %q %s", ErrUnavailable, status, msg.Header.Get("Description"))
	}
}

// lastHeader is the last value of a header. The server adds its own behind
// those of the writer, so that the first one could be forged.
func lastHeader(msg *nats.Msg, key string) string {
	values := msg.Header.Values(key)
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

func storedFromDirect(msg *nats.Msg) (Stored, error) {
	seq, err := strconv.ParseUint(lastHeader(msg, jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return Stored{}, fmt.Errorf("%w: message without a sequence", ErrUnavailable)
	}
	at, err := time.Parse(time.RFC3339Nano, lastHeader(msg, jetstream.TimeStampHeaer))
	if err != nil {
		return Stored{}, fmt.Errorf("%w: message %d without a time", ErrUnavailable, seq)
	}
	return Stored{
		Subject: lastHeader(msg, jetstream.SubjectHeader),
		Seq:     seq,
		Time:    at.UTC(),
		MsgID:   msg.Header.Get(jetstream.MsgIDHeader),
		Data:    msg.Data,
	}, nil
}

func (l *streamLog) PurgeUpTo(ctx context.Context, filter string, seq uint64) error {
	if filter == "" {
		return errors.New("purge: the filter is empty, which would mean the whole log: name a subject")
	}
	if seq == 0 {
		return nil
	}
	request := struct {
		Filter string `json:"filter"`
		Seq    uint64 `json:"seq"` // the first one to keep
	}{filter, seq + 1}
	var response struct {
		Success bool `json:"success"`
	}
	if err := l.call(ctx, "STREAM.PURGE", request, &response); err != nil {
		return fmt.Errorf("purge %s up to %d: %w", filter, seq, err)
	}
	return nil
}

func (l *streamLog) CompactUpTo(ctx context.Context, subject string, seq uint64) error {
	// The last sequence can only grow meanwhile, so the last message is safe.
	last, err := l.LastSeq(ctx, subject)
	if err != nil || last == 0 {
		return err
	}
	return l.PurgeUpTo(ctx, subject, min(seq, last-1))
}
