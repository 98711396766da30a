package status

import (
	"context"
	"log/slog"
)

// Quiet passes log lines on, those of errors that are nobody's failure as lines
// of level DEBUG. Libraries log as an error what the API server refuses to make in
// a namespace that is being deleted, for example each event of its last moments.
func Quiet(next slog.Handler) slog.Handler { return quiet{next} }

type quiet struct{ slog.Handler }

// Handle implements slog.Handler.
func (q quiet) Handle(ctx context.Context, record slog.Record) error {
	if record.Level >= slog.LevelError && harmless(record) {
		record.Level = slog.LevelDebug
		if !q.Enabled(ctx, record.Level) {
			return nil
		}
	}
	return q.Handler.Handle(ctx, record)
}

// WithAttrs implements slog.Handler.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }

func harmless(record slog.Record) bool {
	found := false
	record.Attrs(func(a slog.Attr) bool {
		err, is := a.Value.Any().(error)
		found = is && terminating(err)
		return !found
	})
	return found
}
