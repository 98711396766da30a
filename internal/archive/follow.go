package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
)

// Bounds of one transaction, and of what waits for it.
const (
	batchEntries = 1024
	batchBytes   = 4 << 20
	waitEntries  = 256
	// gatherFor is how long the first entry of a batch waits for others. A transaction costs the disk, which the
	// bus of a small desk shares, the same whether it holds one entry or hundreds.
	gatherFor = 100 * time.Millisecond
	// writeTimeout of one transaction: a database that is gone without a word must show.
	writeTimeout = time.Minute
)

// follow stores what the log gets until ctx ends. Whatever goes wrong, it begins again from the position that
// the database holds.
func (r *role) follow(ctx context.Context) {
	pause := retryFirst
	var err error
	for {
		var progress bool
		progress, err = r.followOnce(ctx, !errors.Is(err, errWrite))
		r.setCaughtUp(false)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, bus.ErrLogReplaced) {
			continue // the position tells so too, and is moved then
		}
		if errors.Is(err, ErrMoved) {
			// During a rollout two archives store for a moment. What this one wanted to store is stored: it is no
			// problem of the database, and the next write shows none.
			r.fail(ctx, "store", err)
			err = nil
			if !pauseFor(ctx, retryFirst) {
				return
			}
			continue
		}
		r.setProblem(err)
		r.fail(ctx, "store", err)
		if progress {
			pause = retryFirst
		}
		if !pauseFor(ctx, pause) {
			return
		}
		pause = min(2*pause, retryMost)
	}
}

// pauseFor is false when ctx ended.
func pauseFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// errWrite says that the database refused a write: only a write shows that it takes them again.
var errWrite = errors.New("the database did not store a batch")

// taken is an entry on its way to the database, or the mark.
type taken struct {
	entry bus.Stored
	mark  bool
}

// followOnce tails the log until something fails. progress says that something was stored. well says that
// nothing but the place in the log was missing before.
func (r *role) followOnce(ctx context.Context, well bool) (progress bool, err error) {
	position, err := r.place(ctx)
	if err != nil {
		return false, err
	}
	if well {
		r.setProblem(nil)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	queue := make(chan taken, waitEntries)
	tailed := make(chan error, 1)
	put := func(t taken) error {
		select {
		case queue <- t:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	go func() {
		err := r.desk.Tail(ctx, []string{r.subjects.Conversations(), r.subjects.Audit()}, position.Seq+1, bus.TailHandler{
			Message:  func(s bus.Stored) error { return put(taken{entry: s}) },
			CaughtUp: func() error { return put(taken{mark: true}) },
		})
		cancel(err)
		tailed <- err
	}()
	progress, err = r.storeQueue(ctx, position, queue)
	cancel(err)
	if tailErr := <-tailed; tailErr != nil && !errors.Is(tailErr, err) {
		err = tailErr
	}
	return progress, err
}

// place finds where in the log to go on, and begins a new generation if the log is another one.
func (r *role) place(ctx context.Context) (Position, error) {
	position, err := r.store.Position(ctx)
	if err != nil {
		return Position{}, err
	}
	info, err := r.desk.Info(ctx)
	if err != nil {
		return Position{}, err
	}
	if position.Created.IsZero() && position.Seq == 0 {
		position.Created = info.Created // noted with the first write
		return position, nil
	}
	if position.Created.Equal(info.Created) && info.LastSeq >= position.Seq {
		return position, nil
	}
	r.log.Error("archive finds another log, the one before is gone; it goes on from the beginning of the new one",
		"old_seq", position.Seq, "old_created", position.Created, "new_last_seq", info.LastSeq, "new_created", info.Created)
	return r.store.Restart(ctx, position, info.Created, time.Now())
}

// storeQueue writes what comes in batches: what gathers in a moment, and whatever came while the last one was written.
func (r *role) storeQueue(ctx context.Context, position Position, queue <-chan taken) (progress bool, err error) {
	for {
		batch, mark, err := gather(ctx, queue)
		if err != nil {
			return progress, err
		}
		if len(batch) > 0 {
			if position, err = r.storeBatch(ctx, position, batch); err != nil {
				return progress, err
			}
			progress = true
		}
		if mark {
			r.setCaughtUp(true)
		}
	}
}

// gather waits for an entry and for what else comes in the moment behind it. The mark ends a batch.
func gather(ctx context.Context, queue <-chan taken) (batch []bus.Stored, mark bool, err error) {
	var over <-chan time.Time
	for size := 0; len(batch) < batchEntries && size < batchBytes; {
		select {
		case t := <-queue:
			if t.mark {
				return batch, true, nil
			}
			batch = append(batch, t.entry)
			size += len(t.entry.Data)
		case <-over:
			return batch, false, nil
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
		if over == nil {
			over = time.After(gatherFor)
		}
	}
	return batch, false, nil
}

func (r *role) storeBatch(ctx context.Context, position Position, batch []bus.Stored) (Position, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	position, written, err := r.store.Write(ctx, position, batch[len(batch)-1].Seq, batch)
	if err != nil {
		return position, fmt.Errorf("%w: %w", errWrite, err)
	}
	r.setProblem(nil)
	r.webhooks.Wake()
	r.metrics.writeTime.Observe(time.Since(start).Seconds())
	now := time.Now()
	for i := range batch {
		r.metrics.delay.Observe(max(0, now.Sub(batch[i].Time).Seconds()))
	}
	r.metrics.count(written)
	if written.Unreadable > 0 || written.Misfits > 0 {
		r.log.Error("archive keeps events that it cannot make sense of", "unreadable", written.Unreadable, "misfits", written.Misfits,
			"seq_from", batch[0].Seq, "seq_to", batch[len(batch)-1].Seq)
	}
	return position, nil
}
