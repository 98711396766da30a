package conversation

import (
	"fmt"
	"time"
)

// Relaxed moves a waiting conversation to another ring: from there on it asks for less. It is no change of
// ownership and is not copied to .own.
type Relaxed struct {
	// Ring from 0, in which everything is asked for that the queue declares.
	Ring int      `json:"ring"`
	Why  []string `json:"why,omitempty"`
}

// Overflowed lets a further pool serve a waiting conversation, because its queue is full or it has waited for
// as long as the queue allows. It is not copied to .own.
type Overflowed struct {
	Pool string   `json:"pool"`
	Why  []string `json:"why,omitempty"`
}

// Resumed takes a conversation back from wrap-up: the customer wrote, and the owner answers.
type Resumed struct {
	Agent Agent `json:"agent"`
}

// Pended puts a conversation aside until a time: it takes no slot, and has no place in the queue.
type Pended struct {
	Until time.Time `json:"until"`
	// Agent who put it off and gets it back first (→ Pending). Empty when the customer, who waited, wants to be called
	// back (→ CallbackPending).
	Agent string `json:"agent,omitempty"`
	// Promised is set when the agent has promised the customer to come back then.
	Promised bool     `json:"promised,omitempty"`
	Why      []string `json:"why,omitempty"`
}

// CallbackOffered says that the customer of a waiting conversation was told that they will be answered later: it keeps
// its place when they leave, and they may say when it suits them.
type CallbackOffered struct {
	Why []string `json:"why,omitempty"`
}

// Ending is how a conversation will be closed when its wrap-up is over.
type Ending struct {
	By          Actor       `json:"by"`
	Reason      CloseReason `json:"reason"`
	Disposition string      `json:"disposition,omitempty"`
	Comment     string      `json:"comment,omitempty"`
}

// OverflowSet says how many steps of a queue's degradation ladder apply from here on.
type OverflowSet struct {
	Queue string `json:"queue"`
	// Steps of the ladder that apply, in its order; 0 for none.
	Steps int `json:"steps"`
	// PredictedWaitMillis that brought the change about; negative when no agent is there at all.
	PredictedWaitMillis int64    `json:"predictedWaitMillis"`
	Why                 []string `json:"why,omitempty"`
}

// QueueRestored is a queue in a snapshot of the router's state.
type QueueRestored struct {
	Queue string `json:"queue"`
	// Steps as in OverflowSet.
	Steps int `json:"steps,omitempty"`
	// Handled is how many handle times count, HandleMean their mean in seconds and HandleSquares the sum of the
	// squared deviations; old ones count less and less.
	Handled       float64 `json:"handled,omitempty"`
	HandleMean    float64 `json:"handleMean,omitempty"`
	HandleSquares float64 `json:"handleSquares,omitempty"`
}

// EventType implements Body.
func (*Relaxed) EventType() Type { return TypeRelaxed }

// EventType implements Body.
func (*Overflowed) EventType() Type { return TypeOverflowed }

// EventType implements Body.
func (*Resumed) EventType() Type { return TypeResumed }

// EventType implements Body.
func (*Pended) EventType() Type { return TypePended }

// EventType implements Body.
func (*CallbackOffered) EventType() Type { return TypeCallbackOffered }

// EventType implements Body.
func (*OverflowSet) EventType() Type { return TypeOverflowSet }

// EventType implements Body.
func (*QueueRestored) EventType() Type { return TypeQueueRestored }

// Validate implements Body.
func (r *Relaxed) Validate() error {
	if r.Ring < 0 {
		return fieldError("ring", fmt.Sprint(r.Ring), "use 0 or more")
	}
	return checkWhy(r.Why)
}

// Validate implements Body.
func (o *Overflowed) Validate() error {
	if o.Pool == "" {
		return fieldError("pool", "", "name the pool that may serve it, too")
	}
	return firstError(checkText("pool", o.Pool, MaxNameBytes), checkWhy(o.Why))
}

// Validate implements Body.
func (r *Resumed) Validate() error { return r.Agent.validate("agent") }

// Validate implements Body.
func (p *Pended) Validate() error {
	if p.Until.IsZero() {
		return fieldError("until", "", "give the time at which it goes on")
	}
	return firstError(checkPin(p.Agent), checkWhy(p.Why))
}

// Validate implements Body.
func (c *CallbackOffered) Validate() error { return checkWhy(c.Why) }

// Validate implements Body.
func (o *OverflowSet) Validate() error {
	if o.Steps < 0 {
		return fieldError("steps", fmt.Sprint(o.Steps), "use 0 or more")
	}
	return firstError(checkName("queue", o.Queue), checkWhy(o.Why))
}

// Validate implements Body.
func (q *QueueRestored) Validate() error {
	// Written so that NaN fails, too.
	if q.Steps < 0 || !(q.Handled >= 0 && q.HandleMean >= 0 && q.HandleSquares >= 0) {
		return fieldError("queue", q.Queue, "steps and figures of handle times are 0 or more")
	}
	return checkName("queue", q.Queue)
}

func (e *Ending) validate() error {
	if e == nil {
		return nil
	}
	c := Closed{By: e.By, Reason: e.Reason, Disposition: e.Disposition, Comment: e.Comment}
	return c.Validate()
}

// PreferredAgent is the person whom the contact talked to last, if that ended at most window before the
// conversation's arrival; empty for none.
func (s *State) PreferredAgent(window time.Duration) string {
	if s.LastAgent == "" || window <= 0 || s.Arrival.At.Sub(s.LastAgentAt) > window {
		return ""
	}
	return s.LastAgent
}

// PinnedTo is the person to whom alone the conversation may be offered at now; empty for anybody.
func (s *State) PinnedTo(now time.Time) string {
	if s.Pin == "" || !s.PinUntil.After(now) {
		return ""
	}
	return s.Pin
}
