package bus

import (
	"context"
	"fmt"
	"sync"
)

// link knows whether the connection stands and lets others wait for a change.
type link struct {
	mu      sync.Mutex
	up      bool
	closed  bool          // for ever
	changed chan struct{} // closed at each change
}

func newLink() *link { return &link{changed: make(chan struct{})} }

// set the state and say whether that was a change.
func (l *link) set(up bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.up == up || l.closed {
		return false
	}
	l.up = up
	close(l.changed)
	l.changed = make(chan struct{})
	return true
}

// close for ever and say whether the connection stood.
func (l *link) close() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	wasUp := l.up
	if !l.closed {
		l.up, l.closed = false, true
		close(l.changed)
		l.changed = make(chan struct{})
	}
	return wasUp
}

// state and a channel that is closed when it is no longer true.
func (l *link) state() (up bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up, l.changed
}

// wait until the connection stands. Errors: [ErrClosed], or [ErrUnavailable]
// with the cause of ctx.
func (l *link) wait(ctx context.Context) error {
	for {
		l.mu.Lock()
		up, closed, changed := l.up, l.closed, l.changed
		l.mu.Unlock()
		switch {
		case closed:
			return ErrClosed
		case up:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: not connected: %w", ErrUnavailable, context.Cause(ctx))
		}
	}
}
