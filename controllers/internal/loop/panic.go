package loop

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/status"
)

// panicRetry is how often the work that panicked is tried again without an event.
// The same input most often ends the same way; what made it fail may have been
// another object, of whose change every watch tells, or the moment.
const panicRetry = 5 * time.Minute

// panicError is the error of work that panicked.
type panicError struct{ *status.TerminalError }

// Unwrap gives the error its place in the taxonomy.
func (e *panicError) Unwrap() error { return e.TerminalError }

// guarded does the work. A panic in it is a defect of the operator that one
// object brings to light: it must neither end the process, which serves all
// others and would meet the object again at its next start, nor be tried over and
// over again. The object says so, and waits for a person.
func (l *Loop) guarded(ctx context.Context, obj status.Object, work Work) (outcome Outcome, err error) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		kind := kindOf(obj)
		l.panics.WithLabelValues(kind).Inc()
		l.log.ErrorContext(ctx, "reconcile panicked", "kind", kind, "namespace", obj.GetNamespace(), "name", obj.GetName(),
			"generation", obj.GetGeneration(), "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
		outcome, err = Outcome{}, &panicError{&status.TerminalError{
			Reason: v1alpha1.ReasonInternalError, After: panicRetry,
			Message: "a defect of the operator broke off the work on this object" + cause(value) + "; what runs goes on running. " +
				"Take back what was changed last in it or in what it names, and report the defect with the operator's log line \"reconcile panicked\"",
		}}
	}()
	return work(ctx)
}

// cause is what a condition may say of a panic: the words of the Go runtime. A
// value that code panicked with might hold what it worked on.
func cause(value any) string {
	if e, ok := value.(runtime.Error); ok {
		return " (" + e.Error() + ")"
	}
	return ""
}
