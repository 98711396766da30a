package bus

import (
	"context"
	"math/rand/v2"
	"time"
)

// DefaultTimeout bounds every call whose context has no deadline.
const DefaultTimeout = 10 * time.Second

func withDefaultTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, DefaultTimeout)
}

// backoff grows from 10 ms to 500 ms. The jitter keeps writers that were
// refused together from meeting again.
type backoff struct{ attempt int }

// wait for the next try or the end of ctx, whose cause it returns.
func (b *backoff) wait(ctx context.Context) error {
	d := min(10*time.Millisecond<<min(b.attempt, 6), 500*time.Millisecond)
	b.attempt++
	timer := time.NewTimer(d/2 + rand.N(d/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
