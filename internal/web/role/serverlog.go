package role

import (
	"bytes"
	"log/slog"
)

// serverLog takes what the HTTP server says. Nearly all of it is about clients that break off or talk nonsense,
// which anybody can make it say; a handler that panicked is ours to mend.
type serverLog struct{ log *slog.Logger }

// Write implements io.Writer.
func (l serverLog) Write(line []byte) (int, error) {
	text := string(bytes.TrimSpace(line))
	if bytes.Contains(line, []byte("panic serving")) {
		l.log.Error("request handler panicked", "text", text)
	} else {
		l.log.Debug("HTTP server says", "text", text)
	}
	return len(line), nil
}
