package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// part is a role in the process.
type part struct {
	name string
	run  func(context.Context) error
}

// layers run parts in groups. A group is ended only when those after it have
// ended: the customers' sockets before the router, the router before the bus.
// Without the order a role would find the ones that it drains into gone.
type layers struct {
	log    *slog.Logger
	failed context.CancelCauseFunc
	stack  []*layer
}

type layer struct {
	cancel context.CancelFunc
	work   sync.WaitGroup
	mu     sync.Mutex
	errs   []error
}

// start a group. A part that ends by itself, with an error or without, ends the whole process.
func (l *layers) start(parts ...part) {
	ctx, cancel := context.WithCancel(context.Background())
	group := &layer{cancel: cancel}
	l.stack = append(l.stack, group)
	for _, p := range parts {
		group.work.Go(func() {
			err := p.run(ctx)
			if ctx.Err() == nil {
				err = errors.Join(fmt.Errorf("%s ended by itself", p.name), err)
				l.failed(err)
			}
			if err != nil {
				l.log.Error("role ended", "role", p.name, "error", err)
				group.mu.Lock()
				defer group.mu.Unlock()
				group.errs = append(group.errs, fmt.Errorf("%s: %w", p.name, err))
			}
		})
	}
}

// stop ends the groups, the last one first.
func (l *layers) stop() error {
	var errs []error
	for _, group := range slices.Backward(l.stack) {
		group.cancel()
		group.work.Wait()
		errs = append(errs, group.errs...)
	}
	return errors.Join(errs...)
}

// stopWithin is stop that gives up after a time: parts that wait for one that has failed would wait in vain, and the
// desk serves nobody until it is started anew. What is stored is safe, as with a process that is killed.
func (l *layers) stopWithin(limit time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- l.stop() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("some roles did not end within %s and are left behind", limit)
	}
}
