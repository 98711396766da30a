package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Reserve is the part of a log, in percent, that a writer leaves to others. A log takes nothing once it is
// full, not even what would empty it: without the router's decisions no conversation ends, and what has not
// ended is not archived and purged. So those who fill it stop first, customers before agents, and the last
// part is the router's.
type Reserve int64

// Reserves of the roles that write what is said.
const (
	// ReserveOfCustomers: no message of a customer is taken when less than this is free.
	ReserveOfCustomers Reserve = 5
	// ReserveOfAgents, people and bots: they may still finish what customers began.
	ReserveOfAgents Reserve = 2
)

// bytes of a log that are kept free. A percent is at least 1 MiB, because decisions and snapshots do not
// shrink with the log, but no more than five percents of a small one.
func (r Reserve) bytes(most int64) int64 {
	percent := most / 100
	return int64(r) * max(percent, min(1<<20, 5*percent))
}

const (
	// fillEvery is how often a writer asks how full the log is, unless it writes a lot.
	fillEvery = time.Second
	// fillWithin bounds one question. A bus that does not answer it does not store the message either.
	fillWithin = time.Second
	// allowance is the share of the free room that a writer uses before it asks again: others write, too.
	allowance = 8
	// storedOverhead of a message besides its data: subject, headers and the record of the store.
	storedOverhead = 512
)

// reservedLog refuses appends that would use the reserve.
type reservedLog struct {
	Log
	reserve Reserve
	logger  *slog.Logger

	mu    sync.Mutex
	asked time.Time
	// left is what may be written until the log is asked again.
	left int64
	// refused is set while the log is too full.
	refused error
}

// WithReserve is the log for a writer that leaves the reserve to others: its appends beyond give [ErrFull], as
// those to a full log do. How full the log is, is asked at most once a second and some times while it fills.
func WithReserve(l Log, r Reserve, logger *slog.Logger) Log {
	return &reservedLog{Log: l, reserve: r, logger: logger}
}

// Append implements [Log].
func (l *reservedLog) Append(ctx context.Context, subject string, data []byte, opts AppendOptions) (uint64, bool, error) {
	if err := l.admit(ctx, int64(len(data))+storedOverhead, time.Now()); err != nil {
		return 0, false, fmt.Errorf("append to %s: %w", subject, err)
	}
	return l.Log.Append(ctx, subject, data, opts)
}

func (l *reservedLog) admit(ctx context.Context, size int64, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked.IsZero() || now.Sub(l.asked) >= fillEvery || l.refused == nil && size > l.left {
		l.ask(ctx, size, now)
	}
	if l.refused == nil {
		l.left -= size
	}
	return l.refused
}

// ask how full the log is. When the bus does not say, the append will.
func (l *reservedLog) ask(ctx context.Context, size int64, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, fillWithin)
	defer cancel()
	info, err := l.Info(ctx)
	if err != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		return // the writer has gone; the next one asks
	}
	l.asked = now
	if err != nil || info.MaxBytes <= 0 {
		l.settle(ctx, nil, info)
		l.left = 1 << 62
		return
	}
	free := info.MaxBytes - l.reserve.bytes(info.MaxBytes) - int64(info.Bytes) //nolint:gosec // far below 2^63
	if free < size {
		l.settle(ctx, fmt.Errorf("%w but for a reserve: %d of %d bytes are taken, the last %d are kept for what empties it",
			ErrFull, info.Bytes, info.MaxBytes, l.reserve.bytes(info.MaxBytes)), info)
		return
	}
	l.settle(ctx, nil, info)
	l.left = max(free/allowance, size)
}

// settle notes whether appends are refused, and says so when it changes: not with each message.
func (l *reservedLog) settle(ctx context.Context, refused error, info LogInfo) {
	before := l.refused
	l.refused = refused
	switch {
	case before == nil && refused != nil:
		l.logger.WarnContext(ctx, "log is nearly full, messages are refused until the archive has purged some",
			"bytes", info.Bytes, "max_bytes", info.MaxBytes, "reserve_percent", int64(l.reserve),
			"remedy", "see whether the archive runs and purges what has ended; if it does, give the bus more storage")
	case before != nil && refused == nil:
		l.logger.InfoContext(ctx, "log takes messages again", "bytes", info.Bytes, "max_bytes", info.MaxBytes)
	}
}
