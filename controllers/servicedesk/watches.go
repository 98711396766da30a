package servicedesk

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers/internal/references"
	"github.com/deskfleet/deskfleet/internal/apply"
)

// Setup registers the controller; metadata is a cache that sees all ConfigMaps by their metadata.
func (r *Reconciler) Setup(mgr ctrl.Manager, metadata cache.Cache, options controller.Options) error {
	configMap := &metav1.PartialObjectMetadata{}
	configMap.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	b := ctrl.NewControllerManagedBy(mgr).Named("servicedesk").WithOptions(options).
		For(&v1alpha1.ServiceDesk{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.AgentPool{}, handler.EnqueueRequestsFromMapFunc(deskOf),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.KnowledgeBase{}, handler.EnqueueRequestsFromMapFunc(r.desksOfKnowledge),
			builder.WithPredicates(references.RevisionChanged)).
		Watches(&v1alpha1.EscalationPolicy{}, handler.EnqueueRequestsFromMapFunc(r.desksOfPolicy),
			builder.WithPredicates(references.RevisionChanged)).
		WatchesRawSource(source.Kind(metadata, configMap, handler.TypedEnqueueRequestsFromMapFunc(r.desksOfHolidays),
			predicate.TypedResourceVersionChangedPredicate[*metav1.PartialObjectMetadata]{}))
	for _, kind := range r.Kinds {
		switch kind.Object.(type) {
		case *appsv1.Deployment, *appsv1.StatefulSet:
			// Their status says whether the desk is available.
			b.Owns(kind.Object)
		default:
			b.Owns(kind.Object, builder.WithPredicates(references.SpecOrMetadataChanged))
		}
	}
	c, err := b.WatchesRawSource(r.Woken.Source()).Build(r)
	if err != nil || slices.ContainsFunc(r.Kinds, func(k apply.Kind) bool { return k.GroupVersionKind == apply.HTTPRouteKind().GroupVersionKind }) {
		return err
	}
	return r.awaitRoutes(mgr, c)
}

func deskOf(_ context.Context, object client.Object) []reconcile.Request {
	pool, ok := object.(*v1alpha1.AgentPool)
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: pool.Namespace, Name: string(pool.Spec.DeskRef.Name)}}}
}

func (r *Reconciler) desksOfKnowledge(ctx context.Context, object client.Object) []reconcile.Request {
	var list v1alpha1.AgentPoolList
	if err := r.Client.List(ctx, &list, client.InNamespace(object.GetNamespace()), client.MatchingFields{references.PoolKnowledge: object.GetName()}); err != nil {
		r.Log.ErrorContext(ctx, "list the pools of a knowledge base", "knowledge_base", object.GetName(), "error", err)
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		requests = append(requests, deskOf(ctx, &list.Items[i])...)
	}
	return requests
}

func (r *Reconciler) desksOfPolicy(ctx context.Context, object client.Object) []reconcile.Request {
	return r.desksThatName(ctx, references.DeskPolicy, object)
}

func (r *Reconciler) desksOfHolidays(ctx context.Context, configMap *metav1.PartialObjectMetadata) []reconcile.Request {
	return r.desksThatName(ctx, references.DeskHolidays, configMap)
}

// desksThatName are the desks with the name of an object in a field that is indexed.
func (r *Reconciler) desksThatName(ctx context.Context, field string, object client.Object) []reconcile.Request {
	var list v1alpha1.ServiceDeskList
	if err := r.Client.List(ctx, &list, client.InNamespace(object.GetNamespace()), client.MatchingFields{field: object.GetName()}); err != nil {
		r.Log.ErrorContext(ctx, "list the desks that name an object", "field", field, "name", object.GetName(), "error", err)
		return nil
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}
