package router

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

const (
	// learnedOutlives its pool by so long: a pool that is deleted by mistake and made again finds it.
	learnedOutlives = 14 * 24 * time.Hour
	// learnedSweep is how often what has outlived its pool is looked for.
	learnedSweep = 24 * time.Hour
	// maxPoolName is the longest name that Kubernetes gives an object.
	maxPoolName = 253
)

// learned keeps on the bus what managers learn of the desk's pools, and gives it back: one message a pool. It decides
// nothing, so that a failure costs at most a forecast.
type learned struct {
	router *Router
	due    chan struct{}

	mu      sync.Mutex
	log     bus.Log // nil before the bus is reached
	pending map[string][]byte
	swept   time.Time
}

func newLearned(r *Router) *learned { return &learned{router: r, due: make(chan struct{}, 1)} }

// errNoBus says that the bus was not reached yet.
var errNoBus = errors.New("the bus is not reached yet")

// Keep implements [linkclient.Keeper]. Of a pool that the desk does not have nothing is kept.
func (l *learned) Keep(given map[string][]byte) {
	document := l.router.opts.Config.Current().Document
	l.mu.Lock()
	defer l.mu.Unlock()
	for pool, data := range given {
		if len(data) == 0 || len(data) > link.MaxLearnedBytes || !hasPool(document, pool) {
			continue
		}
		if l.pending == nil {
			l.pending = map[string][]byte{}
		}
		l.pending[pool] = data
	}
	select {
	case l.due <- struct{}{}:
	default:
	}
}

func hasPool(document *runtimeconfig.Document, name string) bool {
	return slices.ContainsFunc(document.Pools, func(p runtimeconfig.Pool) bool { return p.Name == name })
}

// Kept implements [linkclient.Keeper].
func (l *learned) Kept(ctx context.Context, pools []string) (map[string][]byte, error) {
	l.mu.Lock()
	log := l.log
	l.mu.Unlock()
	if log == nil {
		return nil, errNoBus
	}
	kept := make(map[string][]byte, len(pools))
	for _, pool := range pools {
		kept[pool] = []byte{}
		// Also of one that is not in the configuration: that may come later than the question, and "nothing" would have
		// the manager begin anew.
		if pool == "" || len(pool) > maxPoolName {
			continue
		}
		last, err := within(ctx, func(ctx context.Context) (bus.Stored, error) {
			last, _, err := log.Last(ctx, l.router.subjects.Learned(pool))
			return last, err
		})
		if err != nil {
			return nil, err
		}
		if len(last.Data) <= link.MaxLearnedBytes {
			kept[pool] = append(kept[pool], last.Data...)
		}
	}
	return kept, nil
}

// startLearned stores until ctx ends, and returns a function that waits for the end.
func (r *Router) startLearned(ctx context.Context, conn bus.Conn) func() {
	// What was learned may wait for the archive to make room; what customers say may not wait for it.
	log := bus.WithReserve(conn.Log(r.subjects.Stream()), bus.ReserveOfCustomers, r.log)
	if r.opts.WrapLog != nil {
		log = r.opts.WrapLog(log)
	}
	r.learned.mu.Lock()
	r.learned.log = log
	r.learned.mu.Unlock()
	return beside(ctx, func(ctx context.Context) {
		for {
			select {
			case <-ctx.Done():
				return
			case <-r.learned.due:
				r.learned.storeAll(ctx, log)
			}
		}
	})
}

func (l *learned) storeAll(ctx context.Context, log bus.Log) {
	l.mu.Lock()
	pending := l.pending
	l.pending = nil
	l.mu.Unlock()
	for _, pool := range slices.Sorted(maps.Keys(pending)) {
		_, err := within(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, l.store(ctx, log, pool, pending[pool]) })
		l.router.opts.Metrics.learnedStored(err == nil)
		if err != nil && ctx.Err() == nil {
			// The manager gives it again within minutes, with what was learned meanwhile.
			l.router.log.WarnContext(ctx, "what was learned of a pool is not kept", "pool", pool, "bytes", len(pending[pool]), "error", err)
		}
	}
	if l.swept.IsZero() || time.Since(l.swept) > learnedSweep {
		l.swept = time.Now()
		if err := l.sweep(ctx, log); err != nil && ctx.Err() == nil {
			l.router.log.WarnContext(ctx, "what was learned of former pools is not removed", "error", err)
		}
	}
}

// store appends first and purges what was before then: whenever it ends there is something to give back.
func (l *learned) store(ctx context.Context, log bus.Log, pool string, data []byte) error {
	subject, sum := l.router.subjects.Learned(pool), sha256.Sum256(data)
	seq, _, err := log.Append(ctx, subject, data, bus.AppendOptions{MsgID: "ln." + pool + "." + hex.EncodeToString(sum[:16])})
	if err != nil {
		return err
	}
	if seq < 2 {
		return nil
	}
	return log.PurgeUpTo(ctx, subject, seq-1)
}

// sweep removes what has outlived its pool.
func (l *learned) sweep(ctx context.Context, log bus.Log) error {
	info, err := within(ctx, log.Info)
	if err != nil {
		return err
	}
	document := l.router.opts.Config.Current().Document
	for stored, err := range log.Read(ctx, l.router.subjects.AllLearned(), 1) {
		if err != nil {
			return err
		}
		subject, err := l.router.subjects.Parse(stored.Subject)
		if err != nil {
			return fmt.Errorf("sequence %d: %w", stored.Seq, err)
		}
		if hasPool(document, subject.Pool) || info.Now.Sub(stored.Time) < learnedOutlives {
			continue
		}
		if err := log.PurgeUpTo(ctx, stored.Subject, stored.Seq); err != nil {
			return err
		}
	}
	return nil
}
