package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// serverLogger brings the lines of the embedded server into our log. Its
// notices are many and say nothing to who runs a desk, so they are debug lines.
type serverLogger struct {
	log *slog.Logger

	mu    sync.Mutex
	fatal error
	store error         // why the store could not be written
	died  chan struct{} // closed at the first fatal line
}

var _ server.Logger = (*serverLogger)(nil)

func newServerLogger(log *slog.Logger) *serverLogger {
	return &serverLogger{log: log, died: make(chan struct{})}
}

func (l *serverLogger) line(level slog.Level, format string, v []any) {
	ctx := context.Background()
	if l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "bus server says", "text", fmt.Sprintf(format, v...))
	}
}

func (l *serverLogger) Noticef(format string, v ...any) { l.line(slog.LevelDebug, format, v) }
func (l *serverLogger) Warnf(format string, v ...any)   { l.line(slog.LevelWarn, format, v) }
func (l *serverLogger) Debugf(format string, v ...any)  { l.line(slog.LevelDebug, format, v) }
func (l *serverLogger) Tracef(string, ...any)           {}

// storeFailed begins the line with which the server reports a store that it cannot write. A log that has merely
// reached its limit is not among the errors.
const storeFailed = "JetStream failed to store a msg"

// Errorf keeps the reason when it is about the store: once a write has failed, the server refuses all that follow, also
// when there is room again.
func (l *serverLogger) Errorf(format string, v ...any) {
	l.line(slog.LevelError, format, v)
	text := fmt.Sprintf(format, v...)
	if !strings.HasPrefix(text, storeFailed) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.store = errors.New(text)
}

// storeErr is why the store cannot be written; nil when it can.
func (l *serverLogger) storeErr() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store
}

// Fatalf keeps the reason. The server's own logger ends the process here,
// which is not ours to end.
func (l *serverLogger) Fatalf(format string, v ...any) {
	l.line(slog.LevelError, format, v)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == nil {
		l.fatal = fmt.Errorf(format, v...)
		close(l.died)
	}
}

func (l *serverLogger) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}
