package world

import "math"

// Outcome of a conversation of the trace. Times are in seconds, and NaN for what has not happened.
type Outcome struct {
	// Answered is when somebody took it first, Ended when its last part was over, Abandoned when the customer hung up.
	Answered, Ended, Abandoned float64
}

// Track has the world note what becomes of each conversation; to be called before any time has passed.
func (w *World) Track() {
	w.outcomes = make([]Outcome, len(w.Scenario.Trace))
	for i := range w.outcomes {
		w.outcomes[i] = Outcome{math.NaN(), math.NaN(), math.NaN()}
	}
}

// Outcomes in the order of the trace; nil when they are not tracked.
func (w *World) Outcomes() []Outcome { return w.outcomes }

func (w *World) noteAnswer(c *customer) {
	if w.outcomes != nil {
		w.outcomes[c.order].Answered = w.Now
	}
}

func (w *World) noteEnd(c *customer) {
	if w.outcomes != nil {
		w.outcomes[c.order].Ended = w.Now
	}
}

func (w *World) noteAbandonment(c *customer) {
	if w.outcomes != nil {
		w.outcomes[c.order].Abandoned = w.Now
	}
}
