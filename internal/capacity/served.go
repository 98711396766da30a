package capacity

import (
	"math"
	"time"

	"github.com/deskfleet/deskfleet/internal/link"
)

// Unknown stands for a figure that nothing tells.
const Unknown = -1

// Served is how a queue is served, as coarse as people are told of it: finer figures would change with every message, and
// each change is a write. What is not known is [Unknown].
type Served struct {
	// InTimePercent of the last minutes' conversations were answered within the time of the service level, and
	// AbandonedPercent given up later than that.
	InTimePercent, AbandonedPercent int
	// ExpectedWait of who comes now.
	ExpectedWait time.Duration
	// OverflowSteps of the degradation ladder that apply by the predicted wait.
	OverflowSteps int
}

// ServedOf is what the figures of a queue say; nil are those of a router that does not tell.
func ServedOf(f *link.QueueFigures) Served {
	s := Served{InTimePercent: Unknown, AbandonedPercent: Unknown, ExpectedWait: Unknown, OverflowSteps: Unknown}
	if f == nil {
		return s
	}
	s.OverflowSteps = f.OverflowSteps
	if l := f.Level; l != nil {
		s.InTimePercent, s.AbandonedPercent = int(math.Round(l.InTimePercent)), int(math.Round(l.AbandonedPercent))
	}
	if f.ExpectedWaitSeconds != nil {
		s.ExpectedWait = coarse(*f.ExpectedWaitSeconds)
	}
	return s
}

// coarse rounds up: to 5 s below a minute, 30 s below ten minutes, then to 5 minutes.
func coarse(seconds float64) time.Duration {
	step := 5.0
	switch {
	case seconds > 600:
		step = 300
	case seconds > 60:
		step = 30
	}
	return time.Duration(math.Ceil(seconds/step)*step) * time.Second
}

// Level is how the customers of a pool will be served, as shares from 0 to 1.
type Level struct{ InTime, GivenUp float64 }

// Predict is how a pool with scaling will serve by its last decision if so many workers run; nil while nothing tells.
func (l *Loop) Predict(key Key, workers int) *Level {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.pools[key]
	if e == nil || e.pool.Scaling == nil || e.view.Decision == nil {
		return nil
	}
	p := e.memory.Predict(e.pool.Scaling, e.view.Decision, workers)
	if p == nil {
		return nil
	}
	return &Level{InTime: p.ServiceLevel, GivenUp: p.Abandonment}
}
