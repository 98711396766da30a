// Package loop is the part of a reconcile that is the same for all four kinds:
// fetch, suspend, the kind's own work, conditions, one status write.
package loop

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/internal/status"
)

// Outcome is what the work of one reconcile comes to, besides its error.
type Outcome struct {
	// ReadyMessage is the message of the condition Ready when there is no error.
	ReadyMessage string
	// Result asks to come again, for example when a certificate must be renewed.
	Result ctrl.Result
}

// Run reconciles one object. Work sets the kind's own status fields on obj, even
// when it fails: what was found out is worth knowing.
func Run(ctx context.Context, c client.Client, w *status.Writer, req ctrl.Request, obj status.Object, work func(context.Context) (Outcome, error)) (ctrl.Result, error) {
	if err := c.Get(ctx, req.NamespacedName, obj); err != nil {
		if client.IgnoreNotFound(err) == nil {
			w.Forget(obj, req.NamespacedName)
			return ctrl.Result{}, nil // deleted: the garbage collector takes the children
		}
		return ctrl.Result{}, fmt.Errorf("read %s: %w", req, err)
	}
	if obj.GetDeletionTimestamp() != nil {
		w.Forget(obj, req.NamespacedName)
		return ctrl.Result{}, nil // a child made now would be an orphan, or keep the deletion from ending
	}
	w.Freshen(obj)
	before, ok := obj.DeepCopyObject().(status.Object)
	if !ok {
		return ctrl.Result{}, fmt.Errorf("a copy of %T is none", obj)
	}
	if obj.Suspended() {
		status.Suspend(obj)
		return w.Write(ctx, before, obj)
	}
	outcome, workErr := work(ctx)
	result, err := status.Conclude(obj, workErr, outcome.ReadyMessage)
	written, writeErr := w.Write(ctx, before, obj)
	if err != nil {
		return ctrl.Result{}, err // the status write fails for the same reason, if it does
	}
	return status.Sooner(result, written, outcome.Result), writeErr
}
