package router

import (
	"context"
	"sync"
	"time"

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

const (
	// storageEvery so many seconds the leader asks how full archive and bus are. Nobody fills them faster than that.
	storageEvery = 15
	// storageTimeout of one question.
	storageTimeout = 5 * time.Second
	// archiveSilence after which an archive that does not answer is taken for one that is behind: the time in which a
	// pod is rescheduled is no news.
	archiveSilence = 2 * time.Minute
)

// A log is low when so much of it is taken, and no longer when less than so much is: a value that swings about one
// limit must not be reported each time. A fifth that is left gives time to act before customers are refused.
const (
	logLow       = 0.80
	logRecovered = 0.75
)

// storage is how full archive and bus are. The leader asks for it, and a goroutine of its own waits for the
// answers: an archive that is slow must not hold up a decision.
type storage struct {
	due chan struct{}

	mu           sync.Mutex
	archive, log *protocol.StorageFigures
	lag          *protocol.LagFigures
	hooks        *protocol.WebhookFigures
	// heard is when the archive answered last, or when it was first asked.
	heard time.Time
}

// ask lets the goroutine ask, unless it is about to.
func (s *storage) ask() {
	select {
	case s.due <- struct{}{}:
	default:
	}
}

// last is what was heard last. It must not be changed.
func (s *storage) last() (archive, log *protocol.StorageFigures, lag *protocol.LagFigures) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.archive, s.log, s.lag
}

// answered keeps how far the archive is behind by its own word.
func (s *storage) answered(status *archive.Status, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = now
	s.lag = &protocol.LagFigures{Events: status.Lag, Seconds: max(0, status.LagSeconds), Behind: status.Behind}
	if status.Webhooks == nil {
		return
	}
	s.hooks = &protocol.WebhookFigures{}
	for _, t := range status.Webhooks.Troubled {
		s.hooks.Troubled = append(s.hooks.Troubled, protocol.WebhookTrouble(t))
	}
}

// webhooks is what was heard of them last. It must not be changed.
func (s *storage) webhooks() *protocol.WebhookFigures {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hooks
}

// silent notes that the archive did not answer.
func (s *storage) silent(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heard.IsZero() {
		s.heard = now
	}
	since := now.Sub(s.heard)
	if since < archiveSilence {
		return
	}
	lag := protocol.LagFigures{Seconds: since.Seconds(), Behind: true, Silent: true}
	if s.lag != nil {
		lag.Events = s.lag.Events
	}
	s.lag = &lag
}

func (s *storage) keep(archive, log *protocol.StorageFigures) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.archive, s.log = archive, log
}

// startStorage asks until ctx ends, and returns a function that waits for the end.
func (r *Router) startStorage(ctx context.Context, conn bus.Conn) func() {
	return beside(ctx, func(ctx context.Context) {
		for {
			select {
			case <-ctx.Done():
				return
			case <-r.storage.due:
				r.askStorage(ctx, conn)
			}
		}
	})
}

// askStorage asks archive and bus. What does not answer stays as it was heard last: an archive whose volume is full
// may be the one that is silent.
func (r *Router) askStorage(ctx context.Context, conn bus.Conn) {
	inArchive, inLog, _ := r.storage.last()
	if status, err := within(ctx, archive.Client{Bus: conn, Subjects: r.subjects}.Status); err == nil {
		inArchive = archiveStorage(&status.Storage)
		r.storage.answered(status, time.Now())
	} else {
		r.storage.silent(time.Now())
		r.log.DebugContext(ctx, "the archive does not tell how full it is", "error", err)
	}
	if info, err := within(ctx, conn.Log(r.subjects.Stream()).Info); err == nil {
		inLog = logStorage(&info, inLog)
	} else {
		r.log.DebugContext(ctx, "the bus does not tell how full it is", "error", err)
	}
	r.storage.keep(inArchive, inLog)
}

// within asks one question. Each has its own time: the bus must not go unasked because the archive is slow.
func within[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	return ask(ctx)
}

// archiveStorage is nil where the archive sees no volume, as with PostgreSQL.
func archiveStorage(s *archive.Storage) *protocol.StorageFigures {
	if s.TotalBytes <= 0 {
		return nil
	}
	return &protocol.StorageFigures{FreeBytes: min(max(0, s.FreeBytes), s.TotalBytes), TotalBytes: s.TotalBytes, Low: s.Low}
}

// logStorage is nil for a log without a limit, as an external bus may have.
func logStorage(info *bus.LogInfo, before *protocol.StorageFigures) *protocol.StorageFigures {
	if info.MaxBytes <= 0 {
		return nil
	}
	used := min(info.Bytes, uint64(info.MaxBytes))
	s := &protocol.StorageFigures{FreeBytes: info.MaxBytes - int64(used), TotalBytes: info.MaxBytes} //nolint:gosec // at most MaxBytes
	limit := logLow
	if before != nil && before.Low {
		limit = logRecovered
	}
	s.Low = float64(used) >= limit*float64(info.MaxBytes)
	return s
}
