// Package agentpool runs the bot workers of pools.
package agentpool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers/internal/loop"
	"github.com/deskfleet/deskfleet/controllers/internal/references"
	"github.com/deskfleet/deskfleet/controllers/internal/wake"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/status"
)

// Reconciler reconciles AgentPools.
type Reconciler struct {
	Client client.Client
	// Live reads from the API server past the cache.
	Live     client.Reader
	Applier  *apply.Applier
	Loop     *loop.Loop
	Settings *render.Settings
	// Capacity decides how many workers are wanted, and Woken is how it wakes this controller.
	Capacity *capacity.Loop
	Woken    *wake.Waker
	// Now is the clock; time.Now outside tests.
	Now func() time.Time
	Log *slog.Logger
}

// +kubebuilder:rbac:groups=deskfleet.dev,resources=agentpools,verbs=get;list;watch
// +kubebuilder:rbac:groups=deskfleet.dev,resources=agentpools/status,verbs=patch
// +kubebuilder:rbac:groups=deskfleet.dev,resources=agentpools/finalizers,verbs=update
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete

// Reconcile brings one pool to its spec.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	pool := &v1alpha1.AgentPool{}
	result, err := r.Loop.Run(ctx, req, pool, func(ctx context.Context) (loop.Outcome, error) {
		return r.reconcile(ctx, pool)
	})
	if pool.UID == "" || pool.DeletionTimestamp != nil || pool.Spec.Suspend {
		// Nothing more is wanted of it: its desk keeps what it does.
		r.Capacity.Forget(capacity.Key{Namespace: req.Namespace, Name: req.Name})
	}
	return result, err
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
	pods, err := r.pods(ctx, pool)
	if err != nil {
		return loop.Outcome{}, err
	}
	if desk := input.Desk; desk != nil && desk.Spec.Suspend {
		// The image and much else of the workers is the desk's. Nothing more is wanted of them, as of a suspended pool's.
		r.Capacity.Forget(keyOf(pool))
		r.report(pool, live, pods, nil)
		return loop.Outcome{}, &status.SuspendedError{Message: fmt.Sprintf(
			"spec.suspend of ServiceDesk %s is true: the operator changes nothing of its pools; set it to false to resume", desk.Name)}
	}
	planned, problems := plan.Pool(input)
	owner := apply.Owner{Kind: v1alpha1.KindAgentPool, Object: pool}
	if planned == nil {
		r.Capacity.Forget(keyOf(pool))
		r.report(pool, live, pods, nil)
		return loop.Outcome{}, errors.Join(r.withoutDesk(ctx, owner, pool, live), status.FromProblems(problems))
	}
	before := generation(pool, live)
	view := r.look(ctx, pool, input.Desk, live, pods)
	defer r.report(pool, live, pods, &view) // also of what failed half-way
	if err := r.Applier.Apply(ctx, owner, apply.PoolKinds(), live, r.Settings.PoolChildren(planned)); err != nil {
		return loop.Outcome{}, err
	}
	rollout := generation(pool, live) != before
	if pool.Spec.Type == v1alpha1.PoolTypeHuman {
		r.staffed(pool, &view)
		return loop.Outcome{ReadyMessage: fmt.Sprintf("%d agents may sign on", len(pool.Spec.Human.Members))}, status.FromProblems(problems)
	}
	action, err := r.scale(ctx, pool, live, pods, &view)
	refusal, ready := refusalOf(deploymentOf(pool, live), pods), running(pods)
	r.conditions(pool, &view, &action, refusal, ready)
	if err = errors.Join(err, status.FromProblems(problems)); err != nil {
		return loop.Outcome{}, err
	}
	h := handOver(pool, r.Now()) // before the report takes it over
	outcome, err := r.available(pool, live, view.Wanted, rollout)
	if h != nil && err == nil {
		outcome.Result = status.Sooner(outcome.Result, ctrl.Result{RequeueAfter: max(h.Until.Sub(r.Now()), time.Second)})
	}
	if action.Waits != "" {
		outcome.ReadyMessage += "; " + action.Waits
	}
	return outcome, err
}

func deploymentOf(pool *v1alpha1.AgentPool, live apply.Live) *appsv1.Deployment {
	return apply.Get[*appsv1.Deployment](live, "Deployment", render.PoolWorkloadName(pool.Name))
}

// generation of the pool's Deployment; 0 while it does not exist.
func generation(pool *v1alpha1.AgentPool, live apply.Live) int64 {
	if deployment := deploymentOf(pool, live); deployment != nil {
		return deployment.Generation
	}
	return 0
}

// withoutDesk deletes the workers of a pool whose desk is gone: there is no bus
// that they could work for. The cache may be behind, so the API server is asked.
func (r *Reconciler) withoutDesk(ctx context.Context, owner apply.Owner, pool *v1alpha1.AgentPool, live apply.Live) error {
	if len(live) == 0 {
		return nil
	}
	desk, err := references.Optional(ctx, r.Live, pool.Namespace, string(pool.Spec.DeskRef.Name), &v1alpha1.ServiceDesk{})
	if err != nil || desk != nil {
		return err // the watch shows the desk in a moment
	}
	return r.Applier.Apply(ctx, owner, apply.PoolKinds(), live, nil)
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

// available judges the bot workers. A pool that was ready stays ready while
// scaling adds workers: those that run serve, and a pipeline that waits for
// health must not wait for a peak to end.
func (r *Reconciler) available(pool *v1alpha1.AgentPool, live apply.Live, wanted int, rollout bool) (loop.Outcome, error) {
	deployment := deploymentOf(pool, live)
	if deployment == nil {
		return loop.Outcome{}, status.Progress("0 of %d bot workers are ready", wanted)
	}
	err := status.Count([]client.Object{deployment}).Err(1)
	if err == nil {
		return loop.Outcome{ReadyMessage: fmt.Sprintf("%d bot workers are ready", *deployment.Spec.Replicas)}, nil
	}
	ready := meta.IsStatusConditionTrue(pool.Status.Conditions, v1alpha1.ConditionReady)
	if rest := status.Growth(deployment, r.Now()); ready && !rollout && rest > 0 {
		return loop.Outcome{
			ReadyMessage: fmt.Sprintf("scaling to %d bot workers; those that run serve", wanted),
			Result:       ctrl.Result{RequeueAfter: rest},
		}, nil
	}
	return loop.Outcome{}, err
}
