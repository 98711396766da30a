package servicedesk

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers/internal/references"
	"github.com/deskfleet/deskfleet/internal/apply"
)

// lookEvery is how often a kind that desks wait for is looked for: one call, however
// many desks wait, and none while none does.
const lookEvery = 10 * time.Second

// lateKind is a kind of children that the cluster may get while the operator runs,
// as the Gateway API is often installed after its users. From then on it is watched
// like all others. A nil one is no kind at all.
type lateKind struct {
	kind apply.Kind
	// known looks whether the cluster has the kind by now.
	known func() (bool, error)
	// watch begins to watch the kind; it is called until it succeeds.
	watch func(context.Context) error
	wake  func(namespace, name string)
	log   *slog.Logger

	mu      sync.Mutex
	here    bool
	waiting map[types.NamespacedName]bool
}

// kinds are those of a desk's children that the cluster has. A desk that wants the
// late kind is woken when it comes.
func (k *lateKind) kinds(always []apply.Kind, desk types.NamespacedName, wants bool) []apply.Kind {
	if k == nil {
		return always
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.here:
		return append(slices.Clone(always), k.kind)
	case wants:
		k.waiting[desk] = true
	default:
		delete(k.waiting, desk)
	}
	return always
}

// forget a desk that is gone.
func (k *lateKind) forget(desk types.NamespacedName) { k.kinds(nil, desk, false) }

// Start implements manager.Runnable: it looks for the kind while desks wait for it,
// and returns when it is watched.
func (k *lateKind) Start(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if k.anyWaits() && k.look(ctx) {
				return nil
			}
		}
	}
}

func (k *lateKind) anyWaits() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.waiting) > 0
}

func (k *lateKind) look(ctx context.Context) bool {
	known, err := k.known()
	if err == nil && known {
		err = k.watch(ctx)
	}
	switch name := k.kind.GroupVersionKind.Kind; {
	case err != nil:
		k.log.WarnContext(ctx, "kind of children not watched yet", "kind", name, "error", err)
		return false
	case !known:
		return false
	default:
		k.log.InfoContext(ctx, "kind of children found", "kind", name)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.here = true
	for desk := range k.waiting {
		k.wake(desk.Namespace, desk.Name)
	}
	k.waiting = nil
	return true
}

// awaitRoutes looks for HTTPRoute from now on, for a cluster that lacked it when
// the operator started.
func (r *Reconciler) awaitRoutes(mgr ctrl.Manager, c controller.Controller) error {
	route, mapper, indexed := apply.HTTPRouteKind(), mgr.GetRESTMapper(), false
	r.late = &lateKind{
		kind: route, wake: r.Woken.Wake, log: r.Log, waiting: map[types.NamespacedName]bool{},
		known: func() (bool, error) {
			_, err := mapper.RESTMapping(route.GroupVersionKind.GroupKind(), route.GroupVersionKind.Version)
			if meta.IsNoMatchError(err) {
				return false, nil
			}
			return err == nil, err
		},
		watch: func(ctx context.Context) error {
			if !indexed { // a second index of the same name is refused
				if err := mgr.GetFieldIndexer().IndexField(ctx, route.Object, apply.OwnerIndex, apply.IndexOwner); err != nil {
					return fmt.Errorf("index HTTPRoute by owner: %w", err)
				}
				indexed = true
			}
			return c.Watch(source.Kind(mgr.GetCache(), route.Object,
				handler.EnqueueRequestForOwner(mgr.GetScheme(), mapper, &v1alpha1.ServiceDesk{}, handler.OnlyControllerOwner()),
				references.SpecOrMetadataChanged))
		},
	}
	return mgr.Add(r.late)
}

// kindsOf the children that a desk may have in this cluster.
func (r *Reconciler) kindsOf(desk *v1alpha1.ServiceDesk) []apply.Kind {
	exposure := desk.Spec.Exposure
	return r.late.kinds(r.Kinds, client.ObjectKeyFromObject(desk), exposure != nil && exposure.Type == v1alpha1.ExposureHTTPRoute)
}
