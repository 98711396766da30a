package protocol

import "github.com/deskfleet/deskfleet/internal/conversation"

// Queue of people, as the router runs it.
type Queue struct {
	Name string `json:"name"`
	// Waiting conversations, those on offer included.
	Waiting int `json:"waiting"`
	// ExpectedWaitSeconds of who comes now; nil while nothing tells, or Nobody is there who may serve the queue.
	ExpectedWaitSeconds *float64 `json:"expectedWaitSeconds,omitempty"`
	Nobody              bool     `json:"nobody,omitempty"`
	// Steps of its degradation ladder, in order.
	Steps []Step `json:"steps,omitempty"`
}

// Step of a queue's degradation ladder.
type Step struct {
	// Step from 1, by which it is held and released.
	Step   int    `json:"step"`
	Action string `json:"action"`
	// Target is the pool or the queue that the action names.
	Target string `json:"target,omitempty"`
	// PredictedWaitSeconds from which on it applies by itself, and Reached that it does so now.
	PredictedWaitSeconds float64 `json:"predictedWaitSeconds"`
	Reached              bool    `json:"reached,omitempty"`
	// Held by a person; nil when nobody holds it.
	Held *conversation.HeldStep `json:"held,omitempty"`
}
