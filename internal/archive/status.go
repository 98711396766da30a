package archive

import (
	"context"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
)

// recovered is how much more than the low share has to be free until storage is no longer low: a value that
// swings around the share must not be reported each time.
const recovered = 1.2

// measure storage and lag.
func (r *role) measure(ctx context.Context) {
	if err := r.measureStorage(ctx); err != nil {
		r.fail(ctx, "measure", err)
	}
	if _, err := r.status(ctx); err != nil {
		r.fail(ctx, "measure", err)
	}
}

func (r *role) measureStorage(ctx context.Context) error {
	space, err := r.store.Space(ctx)
	if err != nil {
		return err
	}
	s := protocol.Storage{Engine: space.Engine, DatabaseBytes: space.Bytes}
	if space.Dir != "" {
		if s.FreeBytes, s.TotalBytes, err = r.opts.Volume(space.Dir); err != nil {
			return err
		}
	}
	r.mu.Lock()
	before := r.storage
	if s.TotalBytes > 0 {
		free := float64(s.FreeBytes) / float64(s.TotalBytes)
		r.metrics.free.Set(free)
		s.Low = free < r.opts.LowShare || before.Low && free < r.opts.LowShare*recovered
	}
	r.storage = s
	r.mu.Unlock()
	r.metrics.bytes.Set(float64(s.DatabaseBytes))
	r.metrics.low.Set(float64(oneIf(s.Low)))
	if s.Low && !before.Low {
		r.log.Warn("archive storage is low: enlarge the volume or shorten the retention", "free_bytes", s.FreeBytes, "total_bytes", s.TotalBytes)
	}
	return nil
}

func (r *role) storageNow() protocol.Storage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.storage
}

// status gathers the state of the archive, and keeps the metrics that show it. Of a database that does not answer
// it tells what was known last, and how far the log has gone since.
func (r *role) status(ctx context.Context) (*protocol.Status, error) {
	// One at a time: of two the slower one, which knows less, would be what is known last.
	r.gathering.Lock()
	defer r.gathering.Unlock()
	// The position last: a lag that is too great by a moment is better than one below zero.
	var last uint64
	for _, subject := range r.filters() {
		seq, err := r.desk.LastSeq(ctx, subject)
		if err != nil {
			return nil, err
		}
		last = max(last, seq)
	}
	r.mu.Lock()
	s, cursor := r.last, r.cursor
	r.mu.Unlock()
	position, totals, err := r.stored(ctx, cursor)
	if err == nil {
		if troubles, err := r.webhookTroubles(ctx, time.Now()); err == nil {
			s.Webhooks = troubles
		}
		s.Seq, s.Generation = position.Seq, position.Generation
		s.Conversations, s.Messages, s.Unreadable = totals.Conversations, totals.Messages, totals.Unreadable
		s.Unpurged, s.Held, s.Audit = totals.Unpurged, totals.Held, totals.Audit
		r.metrics.total(totals)
	}
	s.Revision = r.opts.Source.Current().Revision
	// What was purged is no longer in the log, but it was.
	s.LastSeq = max(last, s.Seq)
	s.Lag, s.LagSeconds = s.LastSeq-s.Seq, 0
	if s.Lag > 0 {
		age, err := r.oldest(ctx, s.Seq)
		if err != nil {
			return nil, err
		}
		s.LagSeconds = age.Seconds()
	}
	r.keepStatus(&s, err)
	return &s, nil
}

// filters are the subjects that the archive stores.
func (r *role) filters() []string { return []string{r.subjects.Conversations(), r.subjects.Audit()} }

// storedWithin bounds the questions to the database: who asks for the status must hear that it does not answer.
const storedWithin = 2 * time.Second

func (r *role) stored(ctx context.Context, cursor uint64) (Position, Totals, error) {
	ctx, cancel := context.WithTimeout(ctx, storedWithin)
	defer cancel()
	position, err := r.store.Position(ctx)
	if err != nil {
		return Position{}, Totals{}, err
	}
	totals, err := r.store.Totals(ctx, cursor)
	return position, totals, err
}

// oldest gives the age of the first event after a sequence, 0 when there is none any more.
func (r *role) oldest(ctx context.Context, after uint64) (time.Duration, error) {
	var first time.Time
	for _, filter := range r.filters() {
		for m, err := range r.desk.Read(ctx, filter, after+1) {
			if err != nil {
				return 0, err
			}
			if first.IsZero() || m.Time.Before(first) {
				first = m.Time
			}
			break
		}
	}
	if first.IsZero() {
		return 0, nil
	}
	return max(0, time.Since(first)), nil
}

// caughtUpShare of BehindAfter below which the archive is no longer behind: a value that swings around one limit must
// not be reported each time.
const caughtUpShare = 6

// keepStatus completes a status, shows it as metrics, and keeps it for when the database does not answer.
func (r *role) keepStatus(s *protocol.Status, unanswered error) {
	limit := r.opts.BehindAfter.Seconds()
	r.mu.Lock()
	before := r.last.Behind
	s.Behind = s.LagSeconds >= limit || before && s.LagSeconds >= limit/caughtUpShare
	s.Verified, s.Storage, s.Problem = r.verified, r.storage, ""
	switch {
	case r.problem != nil:
		s.Problem = r.problem.Error()
	case unanswered != nil:
		s.Problem = "the database does not answer: " + unanswered.Error()
	}
	r.last = *s
	r.mu.Unlock()
	r.metrics.lag.Set(float64(s.Lag))
	r.metrics.lagSeconds.Set(s.LagSeconds)
	r.metrics.behind.Set(float64(oneIf(s.Behind)))
	switch {
	case s.Behind && !before:
		r.log.Warn("archive is behind", "seconds", s.LagSeconds, "events_at_most", s.Lag, "problem", s.Problem)
	case !s.Behind && before:
		r.log.Info("archive has caught up")
	}
}
