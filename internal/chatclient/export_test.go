package chatclient

import "time"

// OpenImpatient is Open with a shorter patience for silence.
func OpenImpatient(opts Options, silence time.Duration) (*Chat, error) {
	return open(opts, func(c *Chat) { c.line.silence = silence })
}

// OpenCrammed is Open with room for few events.
func OpenCrammed(opts Options, events int) (*Chat, error) {
	return open(opts, func(c *Chat) { c.events = make(chan Event, events) })
}
