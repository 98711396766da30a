package archive

import (
	"context"
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Bounds of one round.
const (
	purgeBatch     = 100
	retentionBatch = 100
)

// forget lets ended conversations leave the log, and measures.
func (r *role) forget(ctx context.Context) {
	if err := r.purge(ctx); err != nil {
		r.fail(ctx, "purge", err)
	}
	r.measure(ctx)
}

func (r *role) purge(ctx context.Context) error {
	if !r.isCaughtUp() {
		return nil
	}
	cursor, err := r.routerCursor(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.cursor = cursor
	r.mu.Unlock()
	if err := r.purgeAudit(ctx); err != nil {
		return err
	}
	for {
		more, err := r.purgeSome(ctx, cursor)
		if err != nil || !more {
			return err
		}
	}
}

// routerCursor is the sequence up to which the router has acted on customers' messages.
func (r *role) routerCursor(ctx context.Context) (uint64, error) {
	last, found, err := r.desk.Last(ctx, r.subjects.Decisions())
	if err != nil || !found {
		return 0, err
	}
	batch, err := conversation.DecodeBatch(last.Data)
	if err != nil {
		return 0, fmt.Errorf("the last decision of the router: %w", err)
	}
	return batch.Cursor, nil
}

// samePosition is the stored position, if it is one of the log that lies on the bus now. A purge by the
// sequences of another log would remove what was never stored.
func (r *role) samePosition(ctx context.Context) (Position, bool, error) {
	position, err := r.store.Position(ctx)
	if err != nil {
		return Position{}, false, err
	}
	info, err := r.desk.Info(ctx)
	if err != nil {
		return Position{}, false, err
	}
	return position, position.Created.Equal(info.Created) && info.LastSeq >= position.Seq, nil
}

// purgeAudit removes the audit events that are stored.
func (r *role) purgeAudit(ctx context.Context) error {
	last, err := r.desk.LastSeq(ctx, r.subjects.Audit())
	if err != nil || last == 0 {
		return err
	}
	position, same, err := r.samePosition(ctx)
	if err != nil || !same {
		return err
	}
	return r.desk.PurgeUpTo(ctx, r.subjects.Audit(), position.Seq)
}

// purgeSome removes a bounded number of conversations and says whether there may be more.
func (r *role) purgeSome(ctx context.Context, cursor uint64) (more bool, err error) {
	position, same, err := r.samePosition(ctx)
	if err != nil || !same {
		return false, err
	}
	due, err := r.store.Unpurged(ctx, position.Generation, time.Now().Add(-r.opts.Grace), cursor, purgeBatch)
	if err != nil {
		return false, err
	}
	var done []Purge
	for _, p := range due {
		removed, purgeErr := r.purgeOne(ctx, p)
		if purgeErr != nil {
			err = purgeErr // those before it are noted all the same
			break
		}
		if removed {
			done = append(done, p)
		}
	}
	if noteErr := r.store.Purged(ctx, done); noteErr != nil {
		return false, noteErr
	}
	r.metrics.purged.Add(float64(len(done)))
	return len(due) == purgeBatch && len(done) > 0, err
}

// purgeOne removes a conversation from the log, unless there is more of it than what is stored: then it was
// perhaps reopened, which the archive is about to learn.
func (r *role) purgeOne(ctx context.Context, p Purge) (bool, error) {
	subject := r.subjects.Conversation(string(p.Conversation))
	last, err := r.desk.LastSeq(ctx, subject)
	if err != nil {
		return false, err
	}
	if last > p.Seq {
		return false, nil
	}
	if err := r.desk.PurgeUpTo(ctx, subject, p.Seq); err != nil {
		return false, err
	}
	return true, nil
}

// retain deletes what is past its retention.
func (r *role) retain(ctx context.Context) {
	days := r.opts.Source.Current().Document.RetentionDays
	if days < 1 {
		return // an old document without one: better too much than too little
	}
	for ctx.Err() == nil {
		now := time.Now()
		n, err := r.store.DeleteEnded(ctx, now.AddDate(0, 0, -days), now, retentionBatch)
		if n > 0 {
			r.metrics.deleted.Add(float64(n))
			r.log.Info("archive deleted conversations past their retention", "conversations", n, "retention_days", days)
		}
		if err != nil {
			r.fail(ctx, "retention", err)
			return
		}
		if n < retentionBatch {
			return
		}
	}
}

// verify walks over the audit chain.
func (r *role) verify(ctx context.Context) {
	v, err := r.store.VerifyAudit(ctx)
	if err != nil {
		r.fail(ctx, "verify", err)
		return
	}
	v.At = time.Now().UTC()
	r.mu.Lock()
	r.verified = &v
	r.mu.Unlock()
	r.metrics.chain.Set(float64(v.Records))
	if v.Broken == nil {
		r.metrics.chainWhole.Set(1)
		// The head in the logs, which are kept elsewhere, is what a chain that was cut off is compared with.
		r.log.Info("archive verified the audit chain", "records", v.Records, "head", v.Head.Hash)
		return
	}
	r.metrics.chainWhole.Set(0)
	r.log.Error("audit chain is broken", "number", v.Broken.Number, "why", v.Broken.Why, "head", v.Head.Hash)
}
