package router

import (
	"context"
	"fmt"
	"time"
)

// setClock takes the bus's time over. A router decides by it from when it leads, and not by the clock of its own machine:
// if that is an hour ahead, the lead's going there would let all offers expire and set everybody away.
func (s *session) setClock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	info, err := s.bus.Info(ctx)
	if err != nil {
		return fmt.Errorf("ask the bus for the time: %w", err)
	}
	if !info.Now.IsZero() {
		s.ahead = info.Now.Sub(s.wall.Add(time.Since(s.began)))
	}
	return nil
}

// now is the time for decisions. It follows the monotonic clock from the start of the process and from what the bus
// said when the router took the lead, so that a clock that is set neither expires offers nor stops them; and it never is
// before the decisions of the router before.
func (s *session) now() time.Time {
	now := s.wall.Add(time.Since(s.began)).Add(s.ahead)
	if behind := s.decidedAt.Sub(now); behind > 0 {
		s.ahead += behind
		now = now.Add(behind)
	}
	return now
}
