package status

import (
	"errors"
	"fmt"
	"strings"

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
}

// sort walks joined errors; wrapped typed errors keep their kind.
func (v *verdict) sort(err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			v.sort(e)
		}
		return
	}
	err = Classify(err)
	var terminal *TerminalError
	var waiting *WaitingError
	switch {
	case errors.As(err, &terminal):
		v.terminal = append(v.terminal, terminal)
	case errors.As(err, &waiting):
		v.waiting = append(v.waiting, waiting)
	default:
		v.transient = append(v.transient, err)
	}
}

// Conclude sets the conditions of an object from the error of its reconcile,
// and returns what controller-runtime is told. This table is the whole policy:
//
//	outcome    Ready                       Reconciling  Stalled  then
//	success    True  Ready                 -            -        wait for events
//	waiting    False its reason            True         -        look again After
//	transient  kept if of this generation, True         -        back off
//	           else False APIError
//	terminal   False its reason            -            True     wait for events
//
// With several at once a terminal error gives the conditions and a transient
// one the result: what a person must mend is said, what can be tried again is.
func Conclude(obj Object, err error, readyMessage string) (ctrl.Result, error) {
	var v verdict
	v.sort(err)
	c := conditions{common: obj.Common(), generation: obj.GetGeneration()}
	var result ctrl.Result
	for _, w := range v.waiting {
		if w.After > 0 && (result.RequeueAfter == 0 || w.After < result.RequeueAfter) {
			result.RequeueAfter = w.After
		}
	}
	switch {
	case len(v.terminal) > 0:
		reason, message := v.terminal[0].Reason, joined(v.terminal)
		c.set(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, message)
		c.set(v1alpha1.ConditionStalled, metav1.ConditionTrue, reason, message)
		c.remove(v1alpha1.ConditionReconciling)
	case len(v.transient) > 0:
		message := cut(errors.Join(v.transient...).Error())
		if !c.readyNow() {
			c.set(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAPIError, message)
		}
		c.set(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonAPIError, message)
		c.remove(v1alpha1.ConditionStalled)
	case len(v.waiting) > 0:
		reason, message := v.waiting[0].Reason, joined(v.waiting)
		c.set(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, message)
		c.set(v1alpha1.ConditionReconciling, metav1.ConditionTrue, reason, message)
		c.remove(v1alpha1.ConditionStalled)
	default:
		c.set(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, readyMessage)
		c.remove(v1alpha1.ConditionReconciling)
		c.remove(v1alpha1.ConditionStalled)
	}
	obj.Common().ObservedGeneration = obj.GetGeneration()
	if len(v.transient) > 0 {
		return ctrl.Result{}, errors.Join(v.transient...)
	}
	return result, nil
}

// Suspend marks an object whose spec.suspend is set. What runs goes on running,
// so Ready keeps its status and only says why nothing changes.
func Suspend(obj Object) {
	c := conditions{common: obj.Common(), generation: obj.GetGeneration()}
	ready := metav1.ConditionUnknown
	if known := meta.FindStatusCondition(c.common.Conditions, v1alpha1.ConditionReady); known != nil {
		ready = known.Status
	}
	c.set(v1alpha1.ConditionReady, ready, v1alpha1.ReasonSuspended,
		"spec.suspend is true: the operator changes nothing; set it to false to resume")
	c.remove(v1alpha1.ConditionReconciling)
	c.remove(v1alpha1.ConditionStalled)
	obj.Common().ObservedGeneration = obj.GetGeneration()
}

// conditions writes the conditions of one object.
type conditions struct {
	common     *v1alpha1.CommonStatus
	generation int64
}

func (c conditions) set(kind string, value metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&c.common.Conditions, metav1.Condition{
		Type: kind, Status: value, Reason: reason, Message: cut(message), ObservedGeneration: c.generation,
	})
}

func (c conditions) remove(kind string) { meta.RemoveStatusCondition(&c.common.Conditions, kind) }

// readyNow reports whether the object was ready with the spec that it has now.
func (c conditions) readyNow() bool {
	ready := meta.FindStatusCondition(c.common.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == c.generation
}

// longestMessage of a condition; the schema allows 32768 characters, a reader less.
const longestMessage = 2000

func cut(message string) string {
	if len(message) <= longestMessage {
		return message
	}
	return strings.ToValidUTF8(message[:longestMessage], "") + "…"
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
