// Package agentpool runs the bot workers of pools.
package agentpool

import (
	"context"
	"fmt"
	"log/slog"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/labels"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers/internal/loop"
	"github.com/deskfleet/deskfleet/controllers/internal/references"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/status"
)

// Reconciler reconciles AgentPools.
type Reconciler struct {
	Client   client.Client
	Applier  *apply.Applier
	Status   *status.Writer
	Settings *render.Settings
	Log      *slog.Logger
}

// +kubebuilder:rbac:groups=deskfleet.dev,resources=agentpools,verbs=get;list;watch
// +kubebuilder:rbac:groups=deskfleet.dev,resources=agentpools/status,verbs=patch
// +kubebuilder:rbac:groups=deskfleet.dev,resources=agentpools/finalizers,verbs=update
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete

// Reconcile brings one pool to its spec.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	pool := &v1alpha1.AgentPool{}
	return loop.Run(ctx, r.Client, r.Status, req, pool, func(ctx context.Context) (loop.Outcome, error) {
		return r.reconcile(ctx, pool)
	})
}

func (r *Reconciler) reconcile(ctx context.Context, pool *v1alpha1.AgentPool) (loop.Outcome, error) {
	input, err := r.observe(ctx, pool)
	if err != nil {
		return loop.Outcome{}, err
	}
	live, err := apply.Observe(ctx, r.Client, apply.PoolKinds(), pool.Namespace, pool.UID)
	if err != nil {
		return loop.Outcome{}, err
	}
	defer report(pool, live)
	planned, problems := plan.Pool(input)
	if planned == nil {
		return loop.Outcome{}, status.FromProblems(problems)
	}
	owner := apply.Owner{Kind: v1alpha1.KindAgentPool, Object: pool}
	if err := r.Applier.Apply(ctx, owner, apply.PoolKinds(), live, r.Settings.PoolChildren(planned)); err != nil {
		return loop.Outcome{}, err
	}
	if pool.Spec.Type == v1alpha1.PoolTypeHuman {
		return loop.Outcome{ReadyMessage: fmt.Sprintf("%d agents may sign on", len(pool.Spec.Human.Members))}, status.FromProblems(problems)
	}
	if err := r.Applier.Replicas(ctx, live, pool.Namespace, pool.Name, pool.Spec.Replicas); err != nil {
		return loop.Outcome{}, err
	}
	if err := status.FromProblems(problems); err != nil {
		return loop.Outcome{}, err
	}
	return loop.Outcome{ReadyMessage: fmt.Sprintf("%d bot workers are ready", pool.Spec.Replicas)}, available(pool, live)
}

// observe reads what the pool is looked at together with.
func (r *Reconciler) observe(ctx context.Context, pool *v1alpha1.AgentPool) (*plan.PoolInput, error) {
	deskName := string(pool.Spec.DeskRef.Name)
	desk, err := references.Optional(ctx, r.Client, pool.Namespace, deskName, &v1alpha1.ServiceDesk{})
	if err != nil {
		return nil, err
	}
	siblings, err := references.PoolsOf(ctx, r.Client, pool.Namespace, deskName)
	if err != nil {
		return nil, err
	}
	bases := map[string]*v1alpha1.KnowledgeBase{}
	for _, name := range references.KnowledgeOf(pool) {
		kb, err := references.Optional(ctx, r.Client, pool.Namespace, name, &v1alpha1.KnowledgeBase{})
		if err != nil {
			return nil, err
		}
		if kb != nil {
			bases[name] = kb
		}
	}
	return &plan.PoolInput{Pool: pool, Desk: desk, Siblings: siblings, KnowledgeBases: bases}, nil
}

// available is nil when the wanted bot workers are ready.
func available(pool *v1alpha1.AgentPool, live apply.Live) error {
	deployment := apply.Get[*appsv1.Deployment](live, "Deployment", render.PoolWorkloadName(pool.Name))
	if deployment == nil {
		return status.Progress("0 of %d bot workers are ready", pool.Spec.Replicas)
	}
	if deployment.Spec.Replicas != nil && *deployment.Spec.Replicas != pool.Spec.Replicas {
		return status.Progress("%d of %d bot workers are ready", deployment.Status.ReadyReplicas, pool.Spec.Replicas)
	}
	return status.Count([]client.Object{deployment}).Err(1)
}

// report sets the pool's own status fields.
func report(pool *v1alpha1.AgentPool, live apply.Live) {
	s := &pool.Status
	if pool.Spec.Type == v1alpha1.PoolTypeHuman {
		s.Slots = pool.Spec.Concurrency * int32(len(pool.Spec.Human.Members)) //nolint:gosec // the schema allows 500 members
		return
	}
	s.Selector = labels.SelectorFromSet(render.PoolSelector(string(pool.Spec.DeskRef.Name), pool.Name)).String()
	if deployment := apply.Get[*appsv1.Deployment](live, "Deployment", render.PoolWorkloadName(pool.Name)); deployment != nil {
		s.Replicas, s.ReadyReplicas = deployment.Status.Replicas, deployment.Status.ReadyReplicas
	} else {
		s.Replicas, s.ReadyReplicas = 0, 0
	}
	s.Slots = s.ReadyReplicas * pool.Spec.Concurrency
}
