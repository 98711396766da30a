package chatclient

import "time"

// OpenImpatient is Open with a shorter patience for silence.
func OpenImpatient(opts Options, silence time.Duration) (*Chat, error) {
	return open(opts, func(l *line) { l.silence = silence })
}
