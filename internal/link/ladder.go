package link

import (
	"fmt"
	"slices"
	"time"
)

// HeldStep is a step of a queue's degradation ladder that a person holds. Who it is and why is for the desk's audit log.
type HeldStep struct {
	// Step from 1.
	Step int `json:"step"`
	// Action of the step, and the pool or the queue that it names.
	Action string `json:"action"`
	Target string `json:"target,omitempty"`
	// Until when it is held.
	Until time.Time `json:"until"`
}

const (
	// maxHeld steps of one queue, as many as a ladder has.
	maxHeld = 8
	// maxWord in bytes of an action or a target.
	maxWord = 63
)

func validateHeld(held []HeldStep) error {
	if len(held) > maxHeld {
		return fmt.Errorf("held has %d steps: send at most %d", len(held), maxHeld)
	}
	for i := range held {
		h := &held[i]
		switch {
		case h.Step < 1 || h.Step > maxHeld:
			return fmt.Errorf("held[%d].step is %d: send 1 to %d", i, h.Step, maxHeld)
		case h.Action == "" || len(h.Action) > maxWord || len(h.Target) > maxWord:
			return fmt.Errorf("held[%d].action is %.80q with target %.80q: send at most %d bytes each, and an action", i, h.Action, h.Target, maxWord)
		case h.Until.IsZero():
			return fmt.Errorf("held[%d].until is missing: send when it ends", i)
		case slices.ContainsFunc(held[:i], func(o HeldStep) bool { return o.Step == h.Step }):
			return fmt.Errorf("held[%d].step is %d again: send each step once", i, h.Step)
		}
	}
	return nil
}

// SameHeld reports whether the same steps are held until the same times.
func (f *QueueFigures) SameHeld(other *QueueFigures) bool {
	return slices.EqualFunc(f.held(), other.held(), func(a, b HeldStep) bool {
		return a.Step == b.Step && a.Action == b.Action && a.Target == b.Target && a.Until.Equal(b.Until)
	})
}

func (f *QueueFigures) held() []HeldStep {
	if f == nil {
		return nil
	}
	return f.Held
}

func (f *QueueFigures) steps() int {
	if f == nil {
		return 0
	}
	return f.OverflowSteps
}

// same says whether two queues are worth the same report.
func (q *Queue) same(other *Queue) bool {
	return q.Name == other.Name && q.Waiting == other.Waiting && q.OldestSince.Equal(other.OldestSince) &&
		q.Figures.steps() == other.Figures.steps() && q.Figures.SameHeld(other.Figures)
}
