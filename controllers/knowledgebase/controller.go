// Package knowledgebase gathers and checks the entries of knowledge bases.
package knowledgebase

import (
	"context"
	"errors"
	"fmt"

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
	"github.com/deskfleet/deskfleet/controllers/internal/loop"
	"github.com/deskfleet/deskfleet/controllers/internal/references"
	"github.com/deskfleet/deskfleet/internal/status"
)

// Reconciler reconciles KnowledgeBases.
type Reconciler struct {
	Client   client.Client
	Gatherer *references.Gatherer
	Loop     *loop.Loop
}

// +kubebuilder:rbac:groups=deskfleet.dev,resources=knowledgebases,verbs=get;list;watch
// +kubebuilder:rbac:groups=deskfleet.dev,resources=knowledgebases/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch

// Setup registers the controller; metadata is a cache that sees all ConfigMaps by their metadata.
func (r *Reconciler) Setup(mgr ctrl.Manager, metadata cache.Cache, options controller.Options) error {
	configMap := &metav1.PartialObjectMetadata{}
	configMap.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	return ctrl.NewControllerManagedBy(mgr).Named("knowledgebase").WithOptions(options).
		For(&v1alpha1.KnowledgeBase{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Kind(metadata, configMap, handler.TypedEnqueueRequestsFromMapFunc(r.users),
			predicate.TypedResourceVersionChangedPredicate[*metav1.PartialObjectMetadata]{})).
		Complete(r)
}

// users are the knowledge bases that name a ConfigMap.
func (r *Reconciler) users(ctx context.Context, configMap *metav1.PartialObjectMetadata) []reconcile.Request {
	var list v1alpha1.KnowledgeBaseList
	if err := r.Client.List(ctx, &list, client.InNamespace(configMap.Namespace), client.MatchingFields{references.KnowledgeConfigMap: configMap.Name}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list the knowledge bases of a ConfigMap", "configMap", configMap.Name)
		return nil
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}

// Reconcile gathers the entries of one knowledge base.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	kb := &v1alpha1.KnowledgeBase{}
	return r.Loop.Run(ctx, req, kb, func(ctx context.Context) (loop.Outcome, error) {
		content, problems, err := r.Gatherer.Gather(ctx, kb)
		if err != nil || content == nil {
			return loop.Outcome{}, errors.Join(err, status.FromProblems(problems))
		}
		kb.Status.Entries = int32(len(content.Entries)) //nolint:gosec // ConfigMaps of 1 MiB hold far fewer than 2^31 entries
		kb.Status.Languages, kb.Status.Revision = content.Languages(), content.Revision
		return loop.Outcome{ReadyMessage: fmt.Sprintf("%d entries (%s) in revision %s", kb.Status.Entries, kb.Status.Languages, kb.Status.Revision)}, nil
	})
}
