package status

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

// figureInterval is how often figures alone may be written, an object. A change
// of a condition's status or reason, or of anything else, is written at once.
const figureInterval = 30 * time.Second

// Figures is implemented by statuses of which some fields are only progress or
// figures: WithoutFigures returns a copy in which those are zero.
type Figures interface{ WithoutFigures() any }

// Writer writes statuses and events: only what changed, and figures seldom.
type Writer struct {
	Client client.Client
	Events events.EventRecorder
	// Now is the clock; time.Now outside tests.
	Now func() time.Time

	mu      sync.Mutex
	written map[key]record
}

// key names an object; a UID would not do, as an object that is gone has none
// by which it could be forgotten.
type key struct {
	kind reflect.Type
	name types.NamespacedName
}

func keyOf(obj Object) key {
	return key{kind: reflect.TypeOf(obj), name: client.ObjectKeyFromObject(obj)}
}

// record is what is remembered of the last status write of an object.
type record struct {
	uid types.UID
	at  time.Time
	// status that was written, with the resource version that it gave the object; the version is empty once the cache
	// has shown it or a later one.
	status  reflect.Value
	version string
}

// Freshen gives an object that was read from the cache the status that was last
// written, where the cache has not seen that write yet. Without it a reconcile
// that follows on the heels of another compares with the status before that one,
// finds nothing to change, and leaves a wrong status for good: a change of the
// status alone wakes no controller.
func (w *Writer) Freshen(obj Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, known := w.written[keyOf(obj)]
	if !known || r.uid != obj.GetUID() || r.version == "" {
		return
	}
	order, err := resourceversion.CompareResourceVersion(obj.GetResourceVersion(), r.version)
	if err != nil || order >= 0 {
		w.written[keyOf(obj)] = record{uid: r.uid, at: r.at}
		return
	}
	statusField(obj).Set(r.status)
	// A copy: the conditions are changed in place, and what was written must stay what it was if the next write fails.
	if own, ok := obj.DeepCopyObject().(Object); ok {
		statusField(obj).Set(statusField(own))
	}
}

// Write patches the status of after where it differs from that of before. The
// result says when to come again for figures that were held back.
func (w *Writer) Write(ctx context.Context, before, after Object) (ctrl.Result, error) {
	if equality.Semantic.DeepEqual(statusOf(before), statusOf(after)) {
		return ctrl.Result{}, nil
	}
	if hold := w.hold(before, after); hold > 0 {
		return ctrl.Result{RequeueAfter: hold}, nil
	}
	if err := w.Client.Status().Patch(ctx, after, client.MergeFrom(before)); err != nil {
		switch {
		case apierrors.IsNotFound(err):
			return ctrl.Result{}, nil // deleted meanwhile: nobody reads the status
		case apierrors.IsConflict(err):
			return ctrl.Result{RequeueAfter: conflictRetry}, nil
		}
		return ctrl.Result{}, fmt.Errorf("write status: %w", err)
	}
	w.remember(after)
	w.event(before, after)
	for _, kind := range regimes {
		w.regime(before, after, kind)
	}
	w.ladders(before, after)
	w.reserve(before, after)
	return ctrl.Result{}, nil
}

// Forget drops what is remembered of an object that is gone; obj need hold no more than its type.
func (w *Writer) Forget(obj Object, name types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.written, key{kind: reflect.TypeOf(obj), name: name})
}

func (w *Writer) remember(obj Object) {
	written, ok := obj.DeepCopyObject().(Object)
	if !ok {
		return // a copy always has the type of its original
	}
	// Not the whole object: it would be held for as long as nothing happens to it.
	status := reflect.New(statusField(written).Type()).Elem()
	status.Set(statusField(written))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.written == nil {
		w.written = map[key]record{}
	}
	w.written[keyOf(obj)] = record{uid: obj.GetUID(), at: w.Now(), status: status, version: obj.GetResourceVersion()}
}

// hold is how long a change that consists of figures only must wait.
func (w *Writer) hold(before, after Object) time.Duration {
	if !equality.Semantic.DeepEqual(withoutFigures(before), withoutFigures(after)) {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	last, known := w.written[keyOf(after)]
	if !known || last.uid != after.GetUID() {
		// The operator has just started. When the figures were written last nobody knows any more, and that they have
		// changed meanwhile is no news: a thousand desks must not all be written at that moment.
		if w.written == nil {
			w.written = map[key]record{}
		}
		last = record{uid: after.GetUID(), at: w.Now()}
		w.written[keyOf(after)] = last
	}
	return max(0, figureInterval-w.Now().Sub(last.at))
}

// withoutFigures is the part of a status whose change is news: messages of
// conditions count progress, so they are figures too.
func withoutFigures(obj Object) any {
	c, ok := obj.DeepCopyObject().(Object)
	if !ok {
		return nil
	}
	list := c.Common().Conditions
	for i := range list {
		if list[i].Reason == v1alpha1.ReasonProgressing {
			list[i].Message = ""
		}
	}
	if f, has := c.(Figures); has {
		return f.WithoutFigures()
	}
	return statusOf(c)
}

// statusOf is the Status field of one of the four kinds.
func statusOf(obj Object) any { return statusField(obj).Interface() }

func statusField(obj Object) reflect.Value { return reflect.ValueOf(obj).Elem().FieldByName("Status") }

// event tells a transition of Ready: a change of its status or reason, once.
func (w *Writer) event(before, after Object) {
	was := meta.FindStatusCondition(before.Common().Conditions, v1alpha1.ConditionReady)
	is := meta.FindStatusCondition(after.Common().Conditions, v1alpha1.ConditionReady)
	if is == nil || (was != nil && was.Status == is.Status && was.Reason == is.Reason) {
		return
	}
	kind := corev1.EventTypeNormal
	if needsPerson(after) {
		kind = corev1.EventTypeWarning
	}
	w.Events.Eventf(after, nil, kind, is.Reason, "Reconcile", "%s", cut(is.Message, longestNote))
}

// regimes are conditions besides Ready whose change is told once: what a pool's number of workers goes by. The numbers
// themselves are no events.
var regimes = []string{v1alpha1.ConditionScalingActive, v1alpha1.ConditionScalingLimited}

func (w *Writer) regime(before, after Object, condition string) {
	was := meta.FindStatusCondition(before.Common().Conditions, condition)
	is := meta.FindStatusCondition(after.Common().Conditions, condition)
	limited := condition == v1alpha1.ConditionScalingLimited && is != nil && is.Status == metav1.ConditionTrue
	switch {
	case is == nil, was != nil && was.Status == is.Status && was.Reason == is.Reason:
		return
	case was == nil && !limited:
		return // that it began to follow the load is no change
	}
	kind := corev1.EventTypeNormal
	if limited {
		kind = corev1.EventTypeWarning
	}
	w.Events.Eventf(after, nil, kind, is.Reason, "Scale", "%s", cut(is.Message, longestNote))
}

// reserve tells each reserve tier that was called in or released.
func (w *Writer) reserve(before, after Object) {
	was, ok := before.(*v1alpha1.AgentPool)
	is, same := after.(*v1alpha1.AgentPool)
	if !ok || !same || is.Status.Seats == nil {
		return
	}
	stood := map[v1alpha1.DNSLabel]v1alpha1.ReserveState{}
	if was.Status.Seats != nil {
		for _, tier := range was.Status.Seats.Reserve {
			stood[tier.Name] = tier.State
		}
	}
	for _, tier := range is.Status.Seats.Reserve {
		called := tier.State == v1alpha1.ReserveCalled
		if called == (stood[tier.Name] == v1alpha1.ReserveCalled) {
			continue
		}
		if !called {
			w.Events.Eventf(after, nil, corev1.EventTypeNormal, v1alpha1.ReasonReserveReleased, "Scale", "reserve %s is released", tier.Name)
			continue
		}
		by := ""
		if tier.By != "" {
			by = " by " + tier.By
		}
		if tier.Until != nil {
			by += " until " + tier.Until.UTC().Format(time.RFC3339) + " at least"
		}
		w.Events.Eventf(after, nil, corev1.EventTypeWarning, v1alpha1.ReasonReserveCalled, "Scale", "reserve %s is called in%s", tier.Name, by)
	}
}

// failures are reasons for waiting that do not go by themselves as a rule: an
// object that comes with the next sync does, a quota that is too small does not.
var failures = []string{v1alpha1.ReasonProgressDeadlineExceeded, v1alpha1.ReasonQuotaExceeded, v1alpha1.ReasonForbidden}

// needsPerson says that an object is not ready and that somebody must do something about it.
func needsPerson(obj Object) bool {
	list := obj.Common().Conditions
	if meta.IsStatusConditionTrue(list, v1alpha1.ConditionStalled) {
		return true
	}
	ready := meta.FindStatusCondition(list, v1alpha1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionFalse && slices.Contains(failures, ready.Reason)
}

// longestNote of an event, in bytes: the API server refuses a longer one, and the event would be lost.
const longestNote = 1024
