package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// Bounds of a tail. A consumer whose server died silently is noticed after two
// missed heartbeats.
const (
	tailHeartbeat    = time.Second
	tailPullExpiry   = 30 * time.Second
	tailInactive     = time.Minute
	tailBatch        = 256
	tailBatchBytes   = 4 << 20
	tailCatchUpCheck = time.Second
)

// tail is one running [Log.Tail]: an ordered consumer that is made anew behind
// the last handled message whenever anything about it is in doubt.
type tail struct {
	log     *streamLog
	filters []string
	handler TailHandler

	next     uint64    // sequence of the next message
	created  time.Time // of the stream, zero before the first consumer
	end      uint64    // last sequence of the stream at the start
	caughtUp bool
	lost     int // requests for a consumer that were not answered since the last one
}

func (l *streamLog) Tail(ctx context.Context, filters []string, from uint64, h TailHandler) error {
	t := &tail{log: l, filters: filters, handler: h, next: max(from, 1)}
	var retry backoff
	for {
		before := t.next
		err := t.run(ctx)
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if failed, ok := errors.AsType[handlerError](err); ok {
			return fmt.Errorf("tail of log %s: handler: %w", l.stream, failed.err)
		}
		if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrNoResponders) {
			return fmt.Errorf("tail of log %s: %w", l.stream, err)
		}
		if t.next > before {
			retry = backoff{}
		}
		l.conn.log.Debug("bus tail starts again", "stream", l.stream, "next", t.next, "error", err)
		if err := retry.wait(ctx); err != nil {
			return err
		}
	}
}

// run one consumer until it fails, with [ErrUnavailable] if another may be tried.
func (t *tail) run(ctx context.Context) error {
	conn := t.log.conn
	if err := conn.link.wait(ctx); err != nil {
		return err
	}
	name := "tail_" + nuid.Next()
	create := jetstream.DefaultAPIPrefix + "CONSUMER.CREATE." + t.log.stream + "." + name
	if len(t.filters) == 1 {
		create += "." + t.filters[0]
	}
	// Ends with the connection: a consumer in the memory of a server that was
	// restarted is gone, and waiting for its heartbeats would only cost time.
	guarded, release := conn.guard(ctx, create, jetstream.DefaultAPIPrefix+"CONSUMER.MSG.NEXT."+t.log.stream+"."+name)
	defer release()
	if err := t.checkLog(guarded); err != nil {
		return err
	}
	consumer, err := t.createConsumer(guarded, name)
	if err != nil {
		return streamError(guarded, err)
	}
	defer t.deleteConsumer(name)
	messages, err := consumer.Messages(
		jetstream.PullExpiry(tailPullExpiry),
		jetstream.PullHeartbeat(tailHeartbeat),
		jetstream.PullMaxMessagesWithBytesLimit(tailBatch, tailBatchBytes),
		jetstream.WithMessagesErrOnMissingHeartbeat(true),
	)
	if err != nil {
		return streamError(guarded, err)
	}
	defer messages.Stop()
	return t.consume(guarded, consumer, messages)
}

// checkLog makes sure that the log still continues the one that was handled.
func (t *tail) checkLog(ctx context.Context) error {
	info, err := t.log.info(ctx)
	if err != nil {
		return err
	}
	if t.created.IsZero() {
		t.created, t.end = info.Created, info.State.LastSeq
	}
	if !info.Created.Equal(t.created) {
		return fmt.Errorf("%w: it was made at %s instead of %s", ErrLogReplaced, info.Created, t.created)
	}
	if info.State.LastSeq+1 < t.next {
		return fmt.Errorf("%w: it ends at sequence %d, sequence %d was expected next", ErrLogReplaced, info.State.LastSeq, t.next)
	}
	return nil
}

func (t *tail) createConsumer(ctx context.Context, name string) (jetstream.Consumer, error) {
	config := jetstream.ConsumerConfig{
		Name:              name,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       t.next,
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: tailInactive,
		// It is made anew from t.next when lost, so it needs no copy and no disk.
		Replicas:      1,
		MemoryStorage: true,
	}
	if len(t.filters) == 1 {
		config.FilterSubject = t.filters[0]
	} else {
		config.FilterSubjects = t.filters
	}
	// The server may give the consumer to one that has just died, and nobody answers then.
	attempt, cancel := context.WithTimeout(ctx, patience(t.lost))
	defer cancel()
	consumer, err := t.log.conn.js.CreateConsumer(attempt, t.log.stream, config)
	if t.lost++; err == nil {
		t.lost = 0
	}
	return consumer, err
}

// deleteConsumer is a courtesy: the server forgets an idle consumer by itself.
func (t *tail) deleteConsumer(name string) {
	if !t.log.conn.Connected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := t.log.conn.js.DeleteConsumer(ctx, t.log.stream, name); err != nil {
		t.log.conn.log.Debug("bus tail left its consumer behind", "consumer", name, "error", err)
	}
}

func (t *tail) consume(ctx context.Context, consumer jetstream.Consumer, messages jetstream.MessagesContext) error {
	if consumer.CachedInfo().NumPending == 0 || t.next > t.end {
		if err := t.reachEnd(); err != nil {
			return err
		}
	}
	var delivered uint64 // sequence in the consumer: a gap means loss
	for {
		msg, err := t.nextMessage(ctx, messages)
		if errors.Is(err, errQuiet) {
			if err := t.checkCaughtUp(ctx, consumer, delivered); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("%w: message without metadata: %w", ErrUnavailable, err)
		}
		if meta.Sequence.Consumer != delivered+1 {
			return fmt.Errorf("%w: delivery %d follows %d", ErrUnavailable, meta.Sequence.Consumer, delivered)
		}
		delivered++
		if err := t.handle(msg, meta); err != nil {
			return err
		}
	}
}

func (t *tail) handle(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
	if seq := meta.Sequence.Stream; seq >= t.next {
		err := t.handler.Message(Stored{
			Subject: msg.Subject(),
			Seq:     seq,
			Time:    meta.Timestamp.UTC(),
			MsgID:   msg.Headers().Get(jetstream.MsgIDHeader),
			Data:    msg.Data(),
		})
		if err != nil {
			return handlerError{err}
		}
		t.next = seq + 1
	}
	if meta.NumPending == 0 || t.next > t.end {
		return t.reachEnd()
	}
	return nil
}

// errQuiet says that nothing came for a while.
var errQuiet = errors.New("no message for a while")

func (t *tail) nextMessage(ctx context.Context, messages jetstream.MessagesContext) (jetstream.Msg, error) {
	wait := ctx
	if !t.caughtUp {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeoutCause(ctx, tailCatchUpCheck, errQuiet)
		defer cancel()
	}
	msg, err := messages.Next(jetstream.NextContext(wait))
	if err == nil {
		return msg, nil
	}
	if cause := context.Cause(wait); cause != nil {
		if errors.Is(cause, errQuiet) {
			return nil, errQuiet
		}
		return nil, classify(cause)
	}
	return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// checkCaughtUp notices the end when the messages that were to come have been
// purged meanwhile, so that none of them will tell.
func (t *tail) checkCaughtUp(ctx context.Context, consumer jetstream.Consumer, delivered uint64) error {
	attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	info, err := consumer.Info(attempt)
	if err != nil {
		return streamError(ctx, err)
	}
	if info.NumPending == 0 && info.Delivered.Consumer == delivered {
		return t.reachEnd()
	}
	return nil
}

func (t *tail) reachEnd() error {
	if t.caughtUp {
		return nil
	}
	t.caughtUp = true
	if t.handler.CaughtUp == nil {
		return nil
	}
	if err := t.handler.CaughtUp(); err != nil {
		return handlerError{err}
	}
	return nil
}

// handlerError hides the kind of a handler's error: a handler that failed to
// append may return ErrUnavailable, which must end the tail and not restart it.
type handlerError struct{ err error }

func (e handlerError) Error() string { return e.err.Error() }
