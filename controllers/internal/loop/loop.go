// Package loop is the part of a reconcile that is the same for all four kinds:
// fetch, suspend, the kind's own work, conditions, one status write.
package loop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"

	"github.com/prometheus/client_golang/prometheus"
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

// Work is what one kind does for one object. It sets the kind's own status
// fields on the object, even when it fails: what was found out is worth knowing.
type Work func(context.Context) (Outcome, error)

// Loop runs the reconciles of all kinds.
type Loop struct {
	client client.Client
	status *status.Writer
	log    *slog.Logger
	panics *prometheus.CounterVec
}

// New makes a Loop and registers its metric.
func New(c client.Client, w *status.Writer, log *slog.Logger, registry prometheus.Registerer) (*Loop, error) {
	l := &Loop{client: c, status: w, log: log, panics: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "deskfleet_reconcile_panics_total",
		Help: "Reconciles that a defect of the operator ended, by kind. The object has the condition Stalled with reason InternalError, the log the stack.",
	}, []string{"kind"})}
	var registered prometheus.AlreadyRegisteredError
	switch err := registry.Register(l.panics); {
	case errors.As(err, &registered): // another manager of this process
		existing, ok := registered.ExistingCollector.(*prometheus.CounterVec)
		if !ok {
			return nil, fmt.Errorf("register the metric of panics: %w", err)
		}
		l.panics = existing
	case err != nil:
		return nil, fmt.Errorf("register the metric of panics: %w", err)
	}
	return l, nil
}

// Observe sets what is reported about an object, of whose spec it carries nothing
// out, and says when to look again. It is called for suspended objects too: what
// runs goes on running, and a status of yesterday would be taken for one of now.
type Observe func() ctrl.Result

// Run reconciles one object, which it reads into obj.
func (l *Loop) Run(ctx context.Context, req ctrl.Request, obj status.Object, work Work, observe ...Observe) (ctrl.Result, error) {
	w := l.status
	if err := l.client.Get(ctx, req.NamespacedName, obj); err != nil {
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
	before, err := clone(obj)
	if err != nil {
		return ctrl.Result{}, err
	}
	outcome, workErr := l.guarded(ctx, obj, func(ctx context.Context) (Outcome, error) {
		var observed ctrl.Result
		for _, f := range observe {
			observed = status.Sooner(observed, f())
		}
		if obj.Suspended() {
			return Outcome{Result: observed}, status.Suspended()
		}
		outcome, err := work(ctx)
		outcome.Result = status.Sooner(outcome.Result, observed)
		return outcome, err
	})
	after := obj
	if panicked := (*panicError)(nil); errors.As(workErr, &panicked) {
		// What the work had set when it broke off may be the half of something.
		if after, err = clone(before); err != nil {
			return ctrl.Result{}, err
		}
	}
	result, err := status.Conclude(after, workErr, outcome.ReadyMessage)
	written, writeErr := w.Write(ctx, before, after)
	if err != nil {
		return ctrl.Result{}, err // the status write fails for the same reason, if it does
	}
	return status.Sooner(result, written, outcome.Result), writeErr
}

func clone(obj status.Object) (status.Object, error) {
	c, ok := obj.DeepCopyObject().(status.Object)
	if !ok {
		return nil, fmt.Errorf("a copy of %T is none", obj)
	}
	return c, nil
}

// kindOf an object: the name of its Go type, as a typed object that was read carries no kind.
func kindOf(obj status.Object) string { return reflect.TypeOf(obj).Elem().Name() }
