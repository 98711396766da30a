// Package telemetry is what every role shows of itself: structured logs,
// metrics, and whether it is alive and ready.
package telemetry

import (
	"io"
	"log/slog"
)

// NewLogger writes JSON lines that carry the given key-value pairs. The level
// may change while it is used, see [slog.LevelVar].
func NewLogger(w io.Writer, level slog.Leveler, args ...any) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})).With(args...)
}

// ForRole is a logger whose lines carry a role. A process of several roles has
// one for each.
func ForRole(l *slog.Logger, role string) *slog.Logger { return l.With("role", role) }
