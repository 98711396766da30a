package agentpool

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	policyv1 "k8s.io/api/policy/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers/internal/references"
)

// Setup registers the controller.
func (r *Reconciler) Setup(mgr ctrl.Manager, options controller.Options) error {
	return ctrl.NewControllerManagedBy(mgr).Named("agentpool").WithOptions(options).
		For(&v1alpha1.AgentPool{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&appsv1.Deployment{}).
		Owns(&policyv1.PodDisruptionBudget{}, builder.WithPredicates(references.SpecOrMetadataChanged)).
		Watches(&v1alpha1.ServiceDesk{}, handler.EnqueueRequestsFromMapFunc(r.pools(references.PoolDesk)),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.KnowledgeBase{}, handler.EnqueueRequestsFromMapFunc(r.pools(references.PoolKnowledge)),
			builder.WithPredicates(references.RevisionChanged)).
		// A sibling that takes a member away or gives one back changes what this pool may keep.
		Watches(&v1alpha1.AgentPool{}, handler.EnqueueRequestsFromMapFunc(r.siblings),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(r.Woken.Source()).
		Complete(r)
}

// pools are those that name an object in an indexed field.
func (r *Reconciler) pools(field string) handler.MapFunc {
	return func(ctx context.Context, object client.Object) []reconcile.Request {
		return r.requests(ctx, object.GetNamespace(), field, object.GetName(), nil)
	}
}

func (r *Reconciler) siblings(ctx context.Context, object client.Object) []reconcile.Request {
	pool, ok := object.(*v1alpha1.AgentPool)
	if !ok || pool.Spec.Type != v1alpha1.PoolTypeHuman {
		return nil
	}
	return r.requests(ctx, pool.Namespace, references.PoolDesk, string(pool.Spec.DeskRef.Name), pool)
}

func (r *Reconciler) requests(ctx context.Context, namespace, field, value string, except client.Object) []reconcile.Request {
	var list v1alpha1.AgentPoolList
	if err := r.Client.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{field: value}); err != nil {
		r.Log.ErrorContext(ctx, "list pools", "field", field, "value", value, "error", err)
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if except == nil || list.Items[i].Name != except.GetName() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}
