package conversation

import (
	"fmt"
	"time"
)

// Bounds of a step that is held by hand.
const (
	// MaxHeld is how long a step can be held without being held again: who forgets it must not find it the day after.
	MaxHeld = 24 * time.Hour
	// MaxHeldReasonBytes of the reason.
	MaxHeldReasonBytes = 600
)

// HeldStep is a step of a queue's degradation ladder that a person holds: until its time it applies, whatever wait is
// predicted.
type HeldStep struct {
	// Step of the ladder, from 1 in its order.
	Step int `json:"step"`
	// Action of the step, and the pool or the queue that it names. Should a configuration have another step in its
	// place, that one is not held.
	Action string `json:"action"`
	Target string `json:"target,omitempty"`
	// Until when it is held.
	Until time.Time `json:"until"`
	// By whom, and why, in words.
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// StepHeld lets a step of a queue apply until a time, because a person says so. It replaces what was said of the step
// before.
type StepHeld struct {
	Queue string `json:"queue"`
	HeldStep
}

// StepReleased leaves a step to the predicted wait again.
type StepReleased struct {
	Queue string `json:"queue"`
	// Step of the ladder, from 1 in its order.
	Step int `json:"step"`
	// By whom; empty when its time was over, or the step is gone.
	By  string   `json:"by,omitempty"`
	Why []string `json:"why,omitempty"`
}

// EventType implements Body.
func (*StepHeld) EventType() Type { return TypeStepHeld }

// EventType implements Body.
func (*StepReleased) EventType() Type { return TypeStepReleased }

// Validate implements Body.
func (h *StepHeld) Validate() error {
	return firstError(checkName("queue", h.Queue), h.HeldStep.validate())
}

// Validate implements Body.
func (r *StepReleased) Validate() error {
	if r.Step < 1 {
		return fieldError("step", fmt.Sprint(r.Step), "count the steps from 1")
	}
	return firstError(checkName("queue", r.Queue), checkText("by", r.By, MaxNameBytes), checkWhy(r.Why))
}

func (h *HeldStep) validate() error {
	switch {
	case h.Step < 1:
		return fieldError("step", fmt.Sprint(h.Step), "count the steps from 1")
	case h.Action == "":
		return fieldError("action", "", "name the step's action")
	case h.Until.IsZero():
		return fieldError("until", "", "give the time at which it ends")
	}
	return firstError(checkText("action", h.Action, MaxNameBytes), checkText("target", h.Target, MaxNameBytes),
		checkName("by", h.By), CheckHeldReason(h.Reason))
}

// CheckHeldReason refuses a reason for holding a step that says nothing or too much, with a *FieldError.
func CheckHeldReason(reason string) error {
	if reason == "" {
		return fieldError("reason", "", "say why: who looks at the queue tomorrow must not have to guess")
	}
	return checkText("reason", reason, MaxHeldReasonBytes)
}
