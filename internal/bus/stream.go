package bus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Fixed properties of every stream.
const (
	// MaxMessage is the largest stored message, headers included, in bytes.
	MaxMessage = 256 << 10
	// DuplicateWindow in which a message id is remembered. It costs memory for
	// each message, so projections remember ids for the life of a conversation.
	DuplicateWindow = 2 * time.Minute
	// minStream is the least size of a stream: below, a few messages fill it.
	minStream = 1 << 20
	// maxReplicas of a stream; more make it slower and not safer.
	maxReplicas = 3
)

// StreamConfig is the configuration of a stream as the bus keeps it.
func StreamConfig(spec StreamSpec) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:      spec.Name,
		Subjects:  spec.Subjects,
		Retention: jetstream.LimitsPolicy,
		Storage:   jetstream.FileStorage,
		Replicas:  spec.Replicas,
		MaxBytes:  spec.MaxBytes,
		// A full log refuses new messages instead of forgetting old ones.
		Discard:    jetstream.DiscardNew,
		MaxMsgSize: MaxMessage,
		Duplicates: DuplicateWindow,
		// Read needs it: a batch of messages without a consumer.
		AllowDirect: true,
		// Nothing removes a single message: the log only forgets what the
		// archive has, by purging up to a sequence.
		DenyDelete: true,
		// Messages are small and live for hours; compression has cost data before.
		Compression: jetstream.NoCompression,
	}
}

// SpecFor is the stream of a desk.
func SpecFor(subjects Subjects, replicas int, maxBytes int64) StreamSpec {
	return StreamSpec{Name: subjects.Stream(), Subjects: subjects.Stored(), Replicas: replicas, MaxBytes: maxBytes}
}

func (s StreamSpec) validate() error {
	switch {
	case s.Name == "" || len(s.Subjects) == 0:
		return errors.New("stream has no name or no subjects")
	case s.MaxBytes < minStream:
		return fmt.Errorf("stream %s: maxBytes %d is below the minimum of %d: give the bus more storage", s.Name, s.MaxBytes, minStream)
	case s.Replicas < 0 || s.Replicas > maxReplicas || s.Replicas == 2:
		return fmt.Errorf("stream %s: replicas %d is not 0, 1 or 3", s.Name, s.Replicas)
	}
	return nil
}

func (c *conn) EnsureStream(ctx context.Context, spec StreamSpec) error {
	if err := spec.validate(); err != nil {
		return err
	}
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	var retry backoff
	for {
		err := c.ensureStream(ctx, spec)
		if err == nil || !errors.Is(err, ErrUnavailable) {
			return err
		}
		if retry.wait(ctx) != nil {
			return err
		}
	}
}

func (c *conn) ensureStream(ctx context.Context, spec StreamSpec) error {
	if err := c.link.wait(ctx); err != nil {
		return fmt.Errorf("ensure stream %s: %w", spec.Name, err)
	}
	have, err := c.streamInfo(ctx, spec.Name)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("ensure stream %s: %w", spec.Name, err)
	}
	if have == nil {
		return c.createStream(ctx, spec)
	}
	want := merge(have.Config, spec)
	if reflect.DeepEqual(want, have.Config) {
		return nil
	}
	guarded, release := c.guard(ctx, jetstream.DefaultAPIPrefix+"STREAM.UPDATE."+spec.Name)
	defer release()
	if _, err := c.js.UpdateStream(guarded, want); err != nil {
		return fmt.Errorf("update stream %s: %w", spec.Name, streamError(guarded, err))
	}
	c.log.Info("bus stream updated", "stream", spec.Name, "replicas", want.Replicas, "max_bytes", want.MaxBytes)
	return nil
}

// merge keeps what the owner of an external bus has set, such as placement,
// and what cannot be taken back.
func merge(have jetstream.StreamConfig, spec StreamSpec) jetstream.StreamConfig {
	ours := StreamConfig(spec)
	want := have
	want.Subjects = ours.Subjects
	want.MaxBytes = ours.MaxBytes
	want.Discard = ours.Discard
	want.MaxMsgSize = ours.MaxMsgSize
	want.Duplicates = ours.Duplicates
	want.AllowDirect = ours.AllowDirect
	want.DenyDelete = have.DenyDelete || ours.DenyDelete
	if spec.Replicas != 0 {
		want.Replicas = spec.Replicas
	}
	return want
}

func (c *conn) createStream(ctx context.Context, spec StreamSpec) error {
	replicas := []int{spec.Replicas}
	if spec.Replicas == 0 {
		replicas = []int{maxReplicas, 1}
	}
	var err error
	for _, n := range replicas {
		spec.Replicas = n
		guarded, release := c.guard(ctx, jetstream.DefaultAPIPrefix+"STREAM.CREATE."+spec.Name)
		_, err = c.js.CreateStream(guarded, StreamConfig(spec))
		if err != nil {
			err = streamError(guarded, err)
		}
		release()
		if err == nil {
			c.log.Info("bus stream created", "stream", spec.Name, "replicas", n, "max_bytes", spec.MaxBytes)
			return nil
		}
		if !tooFewServers(err) {
			break
		}
	}
	if tooFewServers(err) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err) // the others may be about to start
	}
	return fmt.Errorf("create stream %s: %w", spec.Name, err)
}

// tooFewServers recognises that a stream of three replicas has no place.
func tooFewServers(err error) bool {
	const noSuitablePeers, replicasNotSupported = 10005, 10074
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == noSuitablePeers || api.ErrorCode == replicasNotSupported)
}

func (c *conn) streamInfo(ctx context.Context, stream string) (*jetstream.StreamInfo, error) {
	attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	guarded, release := c.guard(attempt, jetstream.DefaultAPIPrefix+"STREAM.INFO."+stream)
	defer release()
	s, err := c.js.Stream(guarded, stream)
	if err != nil {
		return nil, streamError(guarded, err)
	}
	return s.CachedInfo(), nil
}

// streamError keeps API errors that retrying does not help, so that their
// cause can be read, and makes everything else retryable.
func streamError(guarded context.Context, err error) error {
	if cause := context.Cause(guarded); cause != nil {
		return classify(cause)
	}
	var api *jetstream.APIError
	switch {
	case !errors.As(err, &api):
		if errors.Is(err, nats.ErrNoResponders) {
			return fmt.Errorf("%w: JetStream is not served: %w", ErrUnavailable, err)
		}
		return classify(err)
	case api.Code >= 500 && !tooFewServers(err), api.ErrorCode == jetstream.JSErrCodeConsumerNotFound:
		// A consumer in the memory of a server that is gone is made anew.
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

func (c *conn) WaitStream(ctx context.Context, stream string) error {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	var retry backoff
	for {
		err := c.link.wait(ctx)
		if err == nil {
			_, err = c.streamInfo(ctx, stream)
		}
		if err == nil {
			return nil
		}
		missing := errors.Is(err, jetstream.ErrStreamNotFound)
		if !missing && !errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
			return fmt.Errorf("wait for stream %s: %w", stream, err)
		}
		if retry.wait(ctx) != nil {
			return fmt.Errorf("wait for stream %s: %w: %w", stream, ErrUnavailable, err)
		}
	}
}

func (l *streamLog) Info(ctx context.Context) (LogInfo, error) {
	info, err := l.info(ctx)
	if err != nil {
		return LogInfo{}, fmt.Errorf("log %s: %w", l.stream, err)
	}
	return LogInfo{
		FirstSeq: info.State.FirstSeq,
		LastSeq:  info.State.LastSeq,
		Messages: info.State.Msgs,
		Bytes:    info.State.Bytes,
		MaxBytes: info.Config.MaxBytes,
		Subjects: info.State.NumSubjects,
		Replicas: info.Config.Replicas,
		Now:      info.TimeStamp.UTC(),
		Created:  info.Created.UTC(),
	}, nil
}

// info of the stream, asked until it answers.
func (l *streamLog) info(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	var retry backoff
	for lost := 0; ; lost++ {
		err := l.conn.link.wait(ctx)
		if err == nil {
			attempt, stop := context.WithTimeout(ctx, patience(lost))
			info, failed := l.conn.streamInfo(attempt, l.stream)
			stop()
			if failed == nil {
				return info, nil
			}
			err = failed
		}
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		if !errors.Is(err, ErrUnavailable) || retry.wait(ctx) != nil {
			return nil, err
		}
	}
}
