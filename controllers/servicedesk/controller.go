// Package servicedesk runs the roles of desks.
package servicedesk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers/internal/loop"
	"github.com/deskfleet/deskfleet/controllers/internal/references"
	"github.com/deskfleet/deskfleet/controllers/internal/wake"
	"github.com/deskfleet/deskfleet/controllers/link"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/status"
)

// Reconciler reconciles ServiceDesks.
type Reconciler struct {
	Client client.Client
	// Cache is what Client reads from. For kinds that the scheme does not know, such as HTTPRoute, Client would ask the API
	// server, which has none of our indexes.
	Cache client.Reader
	// Live reads from the API server past the cache.
	Live     client.Reader
	Gatherer *references.Gatherer
	Applier  *apply.Applier
	Loop     *loop.Loop
	Settings *render.Settings
	// Kinds of children that the cluster had when the operator started.
	Kinds []apply.Kind
	// Link to the desks, and Woken, by which it wakes this controller.
	Link  *link.Link
	Woken *wake.Waker
	// Now is the clock; time.Now outside tests.
	Now func() time.Time
	Log *slog.Logger

	late *lateKind
}

// +kubebuilder:rbac:groups=deskfleet.dev,resources=servicedesks,verbs=get;list;watch
// +kubebuilder:rbac:groups=deskfleet.dev,resources=servicedesks/status,verbs=patch
// +kubebuilder:rbac:groups=deskfleet.dev,resources=servicedesks/finalizers,verbs=update
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=configmaps;services;serviceaccounts,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies;ingresses,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile brings one desk to its spec.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	desk := &v1alpha1.ServiceDesk{}
	result, err := r.Loop.Run(ctx, req, desk, func(ctx context.Context) (loop.Outcome, error) {
		s := &scope{Reconciler: r, desk: desk, owner: apply.Owner{Kind: v1alpha1.KindServiceDesk, Object: desk}}
		for _, step := range []func(context.Context) error{s.observe, s.secrets, s.plan, s.apply} {
			if err := step(ctx); err != nil {
				s.report()
				return loop.Outcome{Result: s.renewal()}, errors.Join(err, status.FromProblems(s.problems))
			}
		}
		s.report()
		return loop.Outcome{
			ReadyMessage: fmt.Sprintf("%d of %d workloads are available", s.available.Available, s.wanted),
			Result:       s.renewal(),
		}, s.verdict()
	}, func() ctrl.Result { return ctrl.Result{RequeueAfter: r.figures(desk)} })
	if desk.UID == "" || desk.DeletionTimestamp != nil {
		r.Link.Loop.ForgetDesk(req.Namespace, req.Name)
		r.late.forget(req.NamespacedName)
	}
	return result, err
}
