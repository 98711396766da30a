package archive

import (
	"context"

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

// status gathers the state of the archive, and keeps the metrics that show it.
func (r *role) status(ctx context.Context) (*protocol.Status, error) {
	// The position last: a lag that is too great by a moment is better than one below zero.
	var last uint64
	for _, subject := range []string{r.subjects.Conversations(), r.subjects.Audit()} {
		seq, err := r.desk.LastSeq(ctx, subject)
		if err != nil {
			return nil, err
		}
		last = max(last, seq)
	}
	position, err := r.store.Position(ctx)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	cursor, problem := r.cursor, r.problem
	s := &protocol.Status{
		Revision: r.opts.Source.Current().Revision, Seq: position.Seq, Generation: position.Generation,
		// What was purged is no longer in the log, but it was.
		LastSeq: max(last, position.Seq), Verified: r.verified, Storage: r.storage,
	}
	r.mu.Unlock()
	totals, err := r.store.Totals(ctx, cursor)
	if err != nil {
		return nil, err
	}
	s.Lag = s.LastSeq - s.Seq
	s.Conversations, s.Messages, s.Unreadable = totals.Conversations, totals.Messages, totals.Unreadable
	s.Unpurged, s.Held, s.Audit = totals.Unpurged, totals.Held, totals.Audit
	if problem != nil {
		s.Problem = problem.Error()
	}
	r.metrics.lag.Set(float64(s.Lag))
	r.metrics.total(totals)
	return s, nil
}
