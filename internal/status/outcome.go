package status

import (
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

// Object is what the four kinds have in common.
type Object interface {
	client.Object
	runtime.Object
	// Common is the part of the status that all kinds share; never nil.
	Common() *v1alpha1.CommonStatus
	// Suspended reports whether spec.suspend is set.
	Suspended() bool
}

func plural(more int) string {
	if more == 1 {
		return "1 more problem"
	}
	return fmt.Sprintf("%d more problems", more)
}

// verdict is an error sorted into the taxonomy.
type verdict struct {
	terminal  []*TerminalError
	waiting   []*WaitingError
	transient []error
	// conflicts are writes that lost against another one, or that a stale cache made us try.
	conflicts []error
	suspended *SuspendedError
}

// sort walks joined errors; wrapped typed errors keep their kind, also where the
// whole of several was wrapped.
func (v *verdict) sort(err error) {
	if err == nil {
		return
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		if several, ok := inner.(interface{ Unwrap() []error }); ok {
			for _, e := range several.Unwrap() {
				v.sort(e)
			}
			return
		}
	}
	err = Classify(err)
	var terminal *TerminalError
	var waiting *WaitingError
	switch {
	case errors.As(err, &terminal):
		v.terminal = append(v.terminal, terminal)
	case errors.As(err, &waiting):
		v.waiting = append(v.waiting, waiting)
	case errors.As(err, &v.suspended):
	case apierrors.IsConflict(err):
		v.conflicts = append(v.conflicts, err)
	default:
		v.transient = append(v.transient, err)
	}
}

// result is when to look again, besides the events that wake a controller.
func (v *verdict) result() ctrl.Result {
	var results []ctrl.Result
	for _, w := range v.waiting {
		results = append(results, ctrl.Result{RequeueAfter: w.After})
	}
	for _, t := range v.terminal {
		results = append(results, ctrl.Result{RequeueAfter: t.After})
	}
	if len(v.conflicts) > 0 {
		results = append(results, ctrl.Result{RequeueAfter: conflictRetry})
	}
	return Sooner(results...)
}

// conflictRetry is how soon a write that met a conflict is tried again: by then
// the cache has seen what it lost against.
const conflictRetry = 500 * time.Millisecond

// Conclude sets the conditions of an object from the error of its reconcile,
// and returns what controller-runtime is told. This table is the whole policy:
//
//	outcome    Ready                       Reconciling  Stalled  then
//	success    True  Ready                 -            -        wait for events
//	suspended  kept, Suspended             -            -        wait for events
//	conflict   kept if of this generation, True         -        look again soon
//	           else False Progressing
//	waiting    False its reason            True         -        look again After
//	transient  kept if of this generation, True         -        back off
//	           else False APIError
//	terminal   False its reason            -            True     look again After
//
// After 0 waits for events. With several at once the later row gives the
// conditions, and a transient error the result: what a person must mend is said,
// what can be tried again is.
func Conclude(obj Object, err error, readyMessage string) (ctrl.Result, error) {
	var v verdict
	v.sort(err)
	c := conditions{common: obj.Common(), generation: obj.GetGeneration()}
	switch {
	case len(v.terminal) > 0:
		reason, message := v.terminal[0].Reason, joined(v.terminal)
		c.set(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, message)
		c.set(v1alpha1.ConditionStalled, metav1.ConditionTrue, reason, message)
		c.remove(v1alpha1.ConditionReconciling)
	case len(v.transient) > 0:
		c.reconciling(v1alpha1.ReasonAPIError, errors.Join(v.transient...).Error())
	case len(v.waiting) > 0:
		reason, message := v.waiting[0].Reason, joined(v.waiting)
		c.set(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, message)
		c.set(v1alpha1.ConditionReconciling, metav1.ConditionTrue, reason, message)
		c.remove(v1alpha1.ConditionStalled)
	case len(v.conflicts) > 0:
		// Whom a write lost against is different each time, and nobody's concern.
		c.reconciling(v1alpha1.ReasonProgressing, "a child was changed at the same time; it is looked at again")
	case v.suspended != nil:
		c.suspend(v.suspended.Message)
	default:
		c.set(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, readyMessage)
		c.remove(v1alpha1.ConditionReconciling)
		c.remove(v1alpha1.ConditionStalled)
	}
	obj.Common().ObservedGeneration = obj.GetGeneration()
	if len(v.transient) > 0 {
		return ctrl.Result{}, errors.Join(v.transient...)
	}
	return v.result(), nil
}

// conditions writes the conditions of one object.
type conditions struct {
	common     *v1alpha1.CommonStatus
	generation int64
}

func (c conditions) set(kind string, value metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&c.common.Conditions, metav1.Condition{
		Type: kind, Status: value, Reason: reason, Message: cut(message, longestMessage), ObservedGeneration: c.generation,
	})
}

// suspend says why nothing changes. What runs goes on running, so Ready keeps its
// status.
func (c conditions) suspend(message string) {
	ready := metav1.ConditionUnknown
	if known := meta.FindStatusCondition(c.common.Conditions, v1alpha1.ConditionReady); known != nil {
		ready = known.Status
	}
	c.set(v1alpha1.ConditionReady, ready, v1alpha1.ReasonSuspended, message)
	c.remove(v1alpha1.ConditionReconciling)
	c.remove(v1alpha1.ConditionStalled)
}

// reconciling says that the operator tries again. An object that was ready with
// its present spec still is, as far as anybody knows.
func (c conditions) reconciling(reason, message string) {
	if !c.readyNow() {
		c.set(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, message)
	}
	c.set(v1alpha1.ConditionReconciling, metav1.ConditionTrue, reason, message)
	c.remove(v1alpha1.ConditionStalled)
}

func (c conditions) remove(kind string) { meta.RemoveStatusCondition(&c.common.Conditions, kind) }

// readyNow reports whether the object was ready with the spec that it has now.
func (c conditions) readyNow() bool {
	ready := meta.FindStatusCondition(c.common.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == c.generation
}

// longestMessage of a condition, in bytes; the schema allows 32768 characters, a reader less.
const longestMessage = 2000

// cut shortens a message to a number of bytes, and shows where it did.
func cut(message string, longest int) string {
	const mark = "…"
	if len(message) <= longest {
		return message
	}
	return strings.ToValidUTF8(message[:longest-len(mark)], "") + mark
}

func joined[E error](errs []E) string {
	parts := make([]string, len(errs))
	for i, e := range errs {
		parts[i] = e.Error()
	}
	return strings.Join(parts, ". ")
}

// Progress is the error of a reconcile whose children are not all available yet.
func Progress(format string, args ...any) error {
	return &WaitingError{Reason: v1alpha1.ReasonProgressing, Message: fmt.Sprintf(format, args...)}
}

// Sooner combines results: the earliest requeue wins.
func Sooner(results ...ctrl.Result) ctrl.Result {
	var soonest ctrl.Result
	for _, r := range results {
		if r.RequeueAfter > 0 && (soonest.RequeueAfter == 0 || r.RequeueAfter < soonest.RequeueAfter) {
			soonest = r
		}
	}
	return soonest
}
