package bus

import (
	"context"
	"sync"
)

// link knows whether the connection stands and lets others wait for a change.
type link struct {
	mu      sync.Mutex
	up      bool
	changed chan struct{} // closed at each change
}

func newLink() *link { return &link{changed: make(chan struct{})} }

// set the state and say whether that was a change.
func (l *link) set(up bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.up == up {
		return false
	}
	l.up = up
	close(l.changed)
	l.changed = make(chan struct{})
	return true
}

// state and a channel that is closed when it is no longer true.
func (l *link) state() (up bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up, l.changed
}

// wait until the connection stands; otherwise the cause of ctx.
func (l *link) wait(ctx context.Context) error {
	for {
		up, changed := l.state()
		if up {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
