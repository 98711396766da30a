// Package escalationpolicy compiles policies and remembers the last good one.
package escalationpolicy

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers/internal/loop"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/status"
)

// Reconciler reconciles EscalationPolicies.
type Reconciler struct {
	Client client.Client
	Loop   *loop.Loop
}

// +kubebuilder:rbac:groups=deskfleet.dev,resources=escalationpolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=deskfleet.dev,resources=escalationpolicies/status,verbs=patch

// Setup registers the controller.
func (r *Reconciler) Setup(mgr ctrl.Manager, options controller.Options) error {
	return ctrl.NewControllerManagedBy(mgr).Named("escalationpolicy").WithOptions(options).
		For(&v1alpha1.EscalationPolicy{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Complete(r)
}

// Reconcile compiles one policy.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	policy := &v1alpha1.EscalationPolicy{}
	return r.Loop.Run(ctx, req, policy, func(context.Context) (loop.Outcome, error) {
		if err := status.FromProblems(plan.EscalationPolicy(policy)); err != nil {
			return loop.Outcome{}, err
		}
		s := &policy.Status
		s.Rules, s.LastGoodGeneration, s.LastGoodRules = int32(len(policy.Spec.Rules)), policy.Generation, policy.Spec.Rules //nolint:gosec // the schema allows 100 rules
		return loop.Outcome{ReadyMessage: fmt.Sprintf("%d rules are compiled", s.Rules)}, nil
	})
}
