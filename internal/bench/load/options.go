package load

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Options of a load.
type Options struct {
	// URL of the desk's chat, and Console that of the agents; empty for the same.
	URL, Console string
	// Tokens of the agents, one each. Required.
	Tokens []string
	// Conversations at the same time, at least 1.
	Conversations int
	// Rate of new conversations a second, evenly spaced; 0 begins the next one as soon as one ends.
	Rate float64
	// Duration in which conversations begin; those that run then are finished. More than 0.
	Duration time.Duration
	// Turns that customer and agent take in a conversation, at least 1.
	Turns int
	// Idle customers who are connected all the while and say nothing.
	Idle int
	// Patience is how long anything is waited for before it counts as lost; 0 for 30 s.
	Patience time.Duration
	// Watch measures the desk's processes; nil measures none.
	Watch Watch
	// Out gets the progress, a line every few seconds.
	Out io.Writer
}

// Watch measures processes.
type Watch interface {
	// Sample tells the processor time that each process has used and the memory that it has now, by role.
	Sample() (map[string]Usage, error)
}

// Usage of a process.
type Usage struct {
	CPUSeconds float64
	RSSBytes   int64
}

func (o *Options) validate() error {
	var errs []error
	refuse := func(ok bool, text string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(text, args...))
		}
	}
	refuse(o.URL != "", "url is empty: give the address of the desk's chat")
	refuse(len(o.Tokens) > 0, "there is no agent: give at least one agent's token")
	refuse(o.Conversations >= 1, "conversations is %d: use 1 or more", o.Conversations)
	refuse(o.Rate >= 0, "rate is %g: use 0 for as fast as possible, or more", o.Rate)
	refuse(o.Duration > 0, "duration is %s: use more than 0s", o.Duration)
	refuse(o.Turns >= 1, "turns is %d: use 1 or more", o.Turns)
	refuse(o.Idle >= 0 && o.Idle <= maxIdle, "idle is %d: use 0 to %d", o.Idle, maxIdle)
	if o.Console == "" {
		o.Console = o.URL
	}
	if o.Patience <= 0 {
		o.Patience = 30 * time.Second
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	return errors.Join(errs...)
}
