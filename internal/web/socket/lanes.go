package socket

import (
	"context"
	"sync"
)

// mostUnderWay frames of one socket are handled or wait at the same time.
const mostUnderWay = 64

// lanes run what belongs together one after the other, and the rest beside it.
type lanes struct {
	// places bound what runs or waits.
	places chan struct{}
	work   sync.WaitGroup

	mu      sync.Mutex
	waiting map[string][]func()
}

func newLanes() *lanes {
	return &lanes{places: make(chan struct{}, mostUnderWay), waiting: map[string][]func(){}}
}

// add blocks while too much is under way.
func (l *lanes) add(ctx context.Context, lane string, f func()) {
	select {
	case l.places <- struct{}{}:
	case <-ctx.Done():
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	before, busy := l.waiting[lane]
	l.waiting[lane] = append(before, f)
	if !busy {
		l.work.Go(func() { l.run(lane) })
	}
}

func (l *lanes) run(lane string) {
	for {
		l.mu.Lock()
		if len(l.waiting[lane]) == 0 {
			delete(l.waiting, lane)
			l.mu.Unlock()
			return
		}
		f := l.waiting[lane][0]
		l.waiting[lane] = l.waiting[lane][1:]
		l.mu.Unlock()
		f()
		<-l.places
	}
}

// InOrder lets f run beside what the session's Receive does next, and behind what
// was given for the same lane before. Only Receive may call it. When much is under
// way it waits, which holds the peer up. A drain waits for f.
func (s *Socket) InOrder(ctx context.Context, lane string, f func()) { s.lanes.add(ctx, lane, f) }

// Settle waits until everything that was given to InOrder has run. Only Receive may call it.
func (s *Socket) Settle() { s.lanes.work.Wait() }
