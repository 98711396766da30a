package role

import (
	"context"
	"log/slog"
	"strings"
)

// serverLog takes what the HTTP server says. Nearly all of it is about clients that break off or talk nonsense,
// which anybody can make it say; a handler that panicked is ours to mend.
type serverLog struct{ slog.Handler }

// Enabled implements slog.Handler: what level a line has shows its text.
func (serverLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (l serverLog) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "panic serving") {
		r.Level = slog.LevelError
	}
	if !l.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}
