package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/webhook"
)

// Times of the role that nobody needs to change.
const (
	// retryFirst and retryMost bound the pause after a failure to store.
	retryFirst = 50 * time.Millisecond
	retryMost  = 5 * time.Second
	// drainTimeout of the connection at the end.
	drainTimeout = 5 * time.Second
)

// role is one running archive.
type role struct {
	opts     Options
	log      *slog.Logger
	metrics  *metrics
	subjects bus.Subjects
	store    Store
	webhooks *webhook.Deliverer
	conn     bus.Conn
	desk     bus.Log
	dialled  atomic.Bool

	// gathering is held while a status is gathered.
	gathering sync.Mutex

	mu sync.Mutex
	// caughtUp says that everything which lay in the log at the start is stored: before that the archive
	// does not know what it will still be told about a conversation.
	caughtUp bool
	// failures are the latest ones by step.
	failures map[string]string
	// problem keeps the archive from storing at the moment.
	problem  error
	verified *protocol.Verification
	storage  protocol.Storage
	cursor   uint64
	// last status that the database gave.
	last protocol.Status
}

// Run is the role archive. It ends with ctx, or with an error when database or bus cannot be opened.
func Run(ctx context.Context, opts Options) error {
	if err := opts.complete(); err != nil {
		return err
	}
	doc := opts.Source.Current().Document
	subjects, err := bus.NewSubjects(doc.Namespace, doc.Desk)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	r := &role{opts: opts, log: opts.Logger, metrics: newMetrics(opts.Registerer), subjects: subjects, failures: map[string]string{}}
	r.addChecks()
	if r.store, err = r.openStore(ctx); err != nil {
		return ended(ctx, err)
	}
	defer func() {
		if err := r.store.Close(); err != nil {
			r.log.Warn("archive database did not close cleanly", "error", err)
		}
	}()
	r.webhooks = webhook.New(webhook.Options{
		Outbox: r.store.Webhooks(), Source: opts.Source, Secrets: opts.WebhookSecrets, Policy: opts.WebhookPolicy,
		Logger: opts.Logger, Registerer: opts.Registerer,
	})
	if r.conn, err = opts.Dialer.Dial(ctx, bus.ClientOptions{Name: opts.Name, Logger: opts.Logger, Metrics: opts.BusMetrics}); err != nil {
		return ended(ctx, fmt.Errorf("archive: %w", err))
	}
	defer r.conn.Close()
	r.desk = r.conn.Log(subjects.Stream())
	r.dialled.Store(true)
	return r.run(ctx)
}

// openStore waits for a database that may come later. Until then nothing leaves the log.
func (r *role) openStore(ctx context.Context) (Store, error) {
	for {
		store, err := r.opts.Open(ctx, r.subjects)
		if !errors.Is(err, ErrNotYet) {
			if err == nil {
				r.setProblem(nil)
			}
			return store, err
		}
		r.setProblem(err)
		r.fail(ctx, "open", err)
		if !pauseFor(ctx, r.opts.OpenEvery) {
			return nil, ctx.Err()
		}
	}
}

// run everything until ctx ends.
func (r *role) run(ctx context.Context) error {
	if err := r.waitStream(ctx); err != nil {
		return ended(ctx, err)
	}
	r.measure(ctx)
	stop, err := r.serve(ctx)
	if err != nil {
		return ended(ctx, err)
	}
	r.log.Info("archive runs", "desk", r.subjects.Desk(), "engine", r.storageNow().Engine)
	var work sync.WaitGroup
	work.Go(func() { r.follow(ctx) })
	work.Go(func() { r.webhooks.Run(ctx) })
	work.Go(func() { r.every(ctx, r.opts.PurgeEvery, r.forget) })
	work.Go(func() { r.every(ctx, r.opts.PurgeEvery, r.tellStays) })
	work.Go(func() { r.every(ctx, r.opts.RetentionEvery, r.retain) })
	work.Go(func() { r.every(ctx, r.opts.VerifyEvery, r.verify) })
	<-ctx.Done()
	work.Wait()
	stop()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := r.conn.Drain(drain); err != nil {
		r.log.Warn("archive did not leave the bus cleanly", "error", err)
	}
	return nil
}

// waitStream waits for the desk's stream as long as it takes: the bus role makes it.
func (r *role) waitStream(ctx context.Context) error {
	for {
		err := r.conn.WaitStream(ctx, r.subjects.Stream())
		if err == nil || ctx.Err() != nil || !errors.Is(err, bus.ErrUnavailable) {
			return err
		}
		r.log.Warn("archive waits for the desk's stream", "stream", r.subjects.Stream(), "error", err)
	}
}

// ended turns an error that only says that the role was to end into none.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = nil
	}
	return err
}

// every calls f at once and then after each pause, until ctx ends.
func (r *role) every(ctx context.Context, pause time.Duration, f func(context.Context)) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		f(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// fail counts and logs what will be tried again. The same failure over and over is logged once.
func (r *role) fail(ctx context.Context, step string, err error) {
	if ctx.Err() != nil {
		return
	}
	r.metrics.failures.WithLabelValues(step).Inc()
	r.mu.Lock()
	level := slog.LevelWarn
	if r.failures[step] == err.Error() {
		level = slog.LevelDebug
	}
	r.failures[step] = err.Error()
	r.mu.Unlock()
	r.log.Log(ctx, level, "archive will try again", "step", step, "error", err)
}

// setProblem notes what keeps the archive from storing, nil when it stores.
func (r *role) setProblem(err error) {
	r.mu.Lock()
	before := r.problem
	r.problem = err
	r.mu.Unlock()
	if before != nil && err == nil {
		r.log.Info("archive stores again")
	}
}

func (r *role) setCaughtUp(caughtUp bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.caughtUp = caughtUp
}

func (r *role) isCaughtUp() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.caughtUp
}

// addChecks tells readiness what the role needs.
func (r *role) addChecks() {
	h := r.opts.Health
	if h == nil {
		return
	}
	require := h.Require
	if r.opts.Beside {
		require = h.Report
	}
	require("bus", func(context.Context) error {
		if !r.dialled.Load() || !r.conn.Connected() {
			return errors.New("there is no connection to the bus; it is tried again all the time")
		}
		return nil
	})
	require("storing", func(context.Context) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.problem
	})
	h.Report("storage", func(context.Context) error {
		s := r.storageNow()
		if !s.Low {
			return nil
		}
		return fmt.Errorf("StorageLow: %d of %d MiB of the volume are free: enlarge it or shorten the retention", s.FreeBytes>>20, s.TotalBytes>>20)
	})
	h.Report("audit", func(context.Context) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if v := r.verified; v != nil && v.Broken != nil {
			return fmt.Errorf("the audit chain is broken at record %d: %s", v.Broken.Number, v.Broken.Why)
		}
		return nil
	})
}
