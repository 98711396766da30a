package agentpool

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
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
		// Nothing else tells when a worker is found to have no place, or gets one.
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(poolOfPod), builder.WithPredicates(predicate.Funcs{
			CreateFunc: func(event.CreateEvent) bool { return false }, DeleteFunc: func(event.DeleteEvent) bool { return false },
			UpdateFunc: func(e event.UpdateEvent) bool { return unschedulable(e.ObjectOld) != unschedulable(e.ObjectNew) },
		})).
		WatchesRawSource(r.Woken.Source()).
		Complete(r)
}

// poolOfPod is the pool whose worker a pod is.
func poolOfPod(_ context.Context, pod client.Object) []reconcile.Request {
	name := pod.GetLabels()[v1alpha1.LabelPool]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: pod.GetNamespace(), Name: name}}}
}

func unschedulable(object client.Object) bool {
	pod, ok := object.(*corev1.Pod)
	return ok && refusalOf(nil, []corev1.Pod{*pod}) != nil
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
