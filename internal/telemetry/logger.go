// Package telemetry is what every role shows of itself: structured logs,
// metrics, and whether it is alive and ready.
package telemetry

import (
	"io"
	"log/slog"
)

// NewLogger writes JSON lines that carry the role and the given key-value
// pairs. The level may change while it is used, see [slog.LevelVar].
func NewLogger(w io.Writer, level slog.Leveler, role string, args ...any) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})).With("role", role).With(args...)
}
