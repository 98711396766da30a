// Package controllers lists the controllers of the operator: the table of
// contents of the control plane.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers/agentpool"
	"github.com/deskfleet/deskfleet/controllers/escalationpolicy"
	"github.com/deskfleet/deskfleet/controllers/internal/loop"
	"github.com/deskfleet/deskfleet/controllers/internal/references"
	"github.com/deskfleet/deskfleet/controllers/internal/wake"
	"github.com/deskfleet/deskfleet/controllers/knowledgebase"
	"github.com/deskfleet/deskfleet/controllers/link"
	"github.com/deskfleet/deskfleet/controllers/servicedesk"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/status"
)

// Options of all controllers.
type Options struct {
	// Settings are the defaults of all desks.
	Settings render.Settings
	// Kinds of children, from Kinds.
	Kinds []apply.Kind
	// Concurrency is how many objects of each kind are reconciled at a time; at least 1.
	Concurrency int
	// Namespaces that are watched; empty for all.
	Namespaces []string
	// Link to the desks; nil for none.
	Link *link.Options
	// Log receives a line for each decision.
	Log *slog.Logger
}

// reconciliationTimeout is how long one object may take. A call that hangs would
// keep its worker for ever.
const reconciliationTimeout = 2 * time.Minute

// Scheme holds the types of the cluster's own kinds and of ours.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// Kinds are the kinds of children that a cluster has: HTTPRoute only where the
// Gateway API is installed. Where it comes later, the operator finds it.
func Kinds(config *rest.Config) ([]apply.Kind, error) {
	kinds := apply.DeskKinds()
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("look for HTTPRoute: %w", err)
	}
	route := apply.HTTPRouteKind()
	resources, err := client.ServerResourcesForGroupVersion(route.GroupVersionKind.GroupVersion().String())
	switch {
	case apierrors.IsNotFound(err):
		return kinds, nil
	case err != nil:
		return nil, fmt.Errorf("look for HTTPRoute: %w", err)
	}
	for i := range resources.APIResources {
		if resources.APIResources[i].Kind == route.GroupVersionKind.Kind {
			return append(kinds, route), nil
		}
	}
	return kinds, nil
}

// LeaderElectionID names the Lease; two operators of one namespace share it.
const LeaderElectionID = "manager.deskfleet.dev"

// ManagerOptions are what a manager that is given to Setup must have; elect lets
// one of several replicas work. The caller adds its addresses and time-outs.
func ManagerOptions(namespaces []string, elect bool) ctrl.Options {
	return ctrl.Options{
		Scheme:           Scheme(),
		Cache:            CacheOptions(namespaces),
		LeaderElection:   elect,
		LeaderElectionID: LeaderElectionID,
		// The next leader need not wait for the Lease to run out. The process must end right after Start returns: until
		// then two could work.
		LeaderElectionReleaseOnCancel: true,
	}
}

// CacheOptions select what the manager's cache holds: besides our own kinds only
// what we made, also of a kind that the cluster gets later, so that memory follows
// our desks and not the cluster.
func CacheOptions(namespaces []string) cache.Options {
	ours := labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedByDeskfleet}
	bots := labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedByDeskfleet, v1alpha1.LabelComponent: string(runtimeconfig.RoleBot)}
	all := cache.ByObject{Label: labels.Everything()}
	return cache.Options{
		DefaultNamespaces:    watched(namespaces),
		DefaultLabelSelector: labels.SelectorFromSet(ours),
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.ServiceDesk{}: all, &v1alpha1.AgentPool{}: all, &v1alpha1.KnowledgeBase{}: all, &v1alpha1.EscalationPolicy{}: all,
			&corev1.Pod{}: {Label: labels.SelectorFromSet(bots), Transform: onlyStanding},
		},
	}
}

func watched(namespaces []string) map[string]cache.Config {
	if len(namespaces) == 0 {
		return nil
	}
	selected := map[string]cache.Config{}
	for _, namespace := range namespaces {
		selected[namespace] = cache.Config{}
	}
	return selected
}

// Setup registers all controllers with a manager that was made with
// CacheOptions:
//
//	servicedesk       ServiceDesk → workloads, Services, configuration, Secrets, policies; wakes on its children,
//	                  its pools, their knowledge bases, its policy and the ConfigMap with its
//	                  holidays
//	agentpool         AgentPool → bot workers; wakes on its children, its desk, its knowledge bases and its siblings
//	knowledgebase     KnowledgeBase → checked entries and their revision; wakes on the ConfigMaps that it names
//	escalationpolicy  EscalationPolicy → compiled rules
//
// and the link, on which desks report and are told how many workers are wanted.
func Setup(ctx context.Context, mgr ctrl.Manager, options Options) error {
	if err := references.Index(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	for _, kind := range options.Kinds {
		if err := mgr.GetFieldIndexer().IndexField(ctx, kind.Object, apply.OwnerIndex, apply.IndexOwner); err != nil {
			return fmt.Errorf("index %s by owner: %w", kind.GroupVersionKind.Kind, err)
		}
	}
	metadata, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(),
		DefaultNamespaces: watched(options.Namespaces), DefaultTransform: onlyVersion,
	})
	if err != nil {
		return fmt.Errorf("make the metadata cache: %w", err)
	}
	if err := mgr.Add(metadata); err != nil {
		return fmt.Errorf("add the metadata cache: %w", err)
	}
	// The first drain must not wait for this cache, and a missing right must show at the start.
	if _, err := mgr.GetCache().GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false)); err != nil {
		return fmt.Errorf("watch the bot workers' pods: %w", err)
	}
	desks, pools := &wake.Waker{}, &wake.Waker{}
	toDesks, err := link.Setup(ctx, mgr, options.Link, link.Wakers{
		Pool: pools.Wake, Desk: desks.Wake, AllDesks: allDesks(mgr.GetClient(), desks, options.Log),
	}, options.Log)
	if err != nil {
		return err
	}
	options.Settings.Link = toDesks.Render
	writer := &status.Writer{Client: mgr.GetClient(), Events: mgr.GetEventRecorder("deskfleet"), Now: options.Link.Clock()}
	reconciles, err := loop.New(mgr.GetClient(), writer, options.Log, ctrlmetrics.Registry)
	if err != nil {
		return err
	}
	applier := apply.New(mgr.GetClient(), mgr.GetAPIReader(), mgr.GetScheme(), options.Log)
	gatherer := references.NewGatherer(mgr.GetAPIReader())
	perController := controller.Options{MaxConcurrentReconciles: max(1, options.Concurrency), ReconciliationTimeout: reconciliationTimeout}
	return errors.Join(
		(&servicedesk.Reconciler{
			Client: mgr.GetClient(), Cache: mgr.GetCache(), Live: mgr.GetAPIReader(), Gatherer: gatherer, Applier: applier, Loop: reconciles,
			Settings: &options.Settings, Kinds: options.Kinds, Link: toDesks, Woken: desks, Now: time.Now, Log: options.Log,
		}).Setup(mgr, metadata, perController),
		(&agentpool.Reconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Applier: applier, Loop: reconciles,
			Settings: &options.Settings, Capacity: toDesks.Loop, Woken: pools, Now: options.Link.Clock(), Log: options.Log,
		}).Setup(mgr, perController),
		(&knowledgebase.Reconciler{Client: mgr.GetClient(), Gatherer: gatherer, Loop: reconciles}).Setup(mgr, metadata, perController),
		(&escalationpolicy.Reconciler{Client: mgr.GetClient(), Loop: reconciles}).Setup(mgr, perController),
	)
}

// allDesks wakes the controller for every desk.
func allDesks(reader client.Reader, desks *wake.Waker, log *slog.Logger) func() {
	return func() {
		var list v1alpha1.ServiceDeskList
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := reader.List(ctx, &list); err != nil {
			log.ErrorContext(ctx, "list desks", "error", err)
			return
		}
		for i := range list.Items {
			desks.Wake(list.Items[i].Namespace, list.Items[i].Name)
		}
	}
}

// onlyStanding drops from a bot worker's pod all that does not say whether it may go.
func onlyStanding(object any) (any, error) {
	if p, ok := object.(*corev1.Pod); ok {
		p.ManagedFields, p.OwnerReferences, p.Spec = nil, nil, corev1.PodSpec{}
		p.Status = corev1.PodStatus{Phase: p.Status.Phase, Conditions: p.Status.Conditions}
	}
	return object, nil
}

// onlyVersion drops from a foreign ConfigMap's metadata all that is not needed to
// notice a change of it.
func onlyVersion(object any) (any, error) {
	if m, ok := object.(*metav1.PartialObjectMetadata); ok {
		m.ManagedFields, m.Annotations, m.Labels, m.OwnerReferences = nil, nil, nil, nil
	}
	return object, nil
}
