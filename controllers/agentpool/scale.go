package agentpool

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// drainDeadline of pools that declare none.
const drainDeadline = 10 * time.Minute

// look tells the loop about the pool, and asks what is wanted of it.
func (r *Reconciler) look(ctx context.Context, pool *v1alpha1.AgentPool, desk *v1alpha1.ServiceDesk, live apply.Live, pods []corev1.Pod) capacity.View {
	p := capacity.Pool{
		Key: keyOf(pool), Desk: string(pool.Spec.DeskRef.Name), Human: pool.Spec.Type == v1alpha1.PoolTypeHuman,
		Concurrency: int(pool.Spec.Concurrency), Replicas: replicas(pool, handOver(pool, r.Now())), DrainDeadline: drainDeadline, Live: -1,
	}
	if deployment := deploymentOf(pool, live); deployment != nil && deployment.Spec.Replicas != nil {
		p.Live, p.RollingOut = int(*deployment.Spec.Replicas), rollingOut(deployment)
		p.Refused = refused(deployment)
	}
	days := plan.Calendar(desk, r.holidays(ctx, desk), r.Now())
	if p.Scaling = plan.Scaling(pool, desk, r.Now()); p.Scaling != nil {
		p.Scaling.Calendar = days
	} else if !p.Human {
		p.Advice = plan.Advice(pool, desk, r.Now())
		p.Advice.Calendar = days
	}
	if f := refusalOf(deploymentOf(pool, live), pods); f != nil {
		p.RefusedBy = f.limiter
	}
	if s := pool.Spec.Scaling; s != nil && s.ScaleDown != nil && s.ScaleDown.DrainDeadline != nil {
		p.DrainDeadline = s.ScaleDown.DrainDeadline.Span()
	}
	p.Created = make(map[string]time.Time, len(pods))
	for i := range pods {
		p.Created[pods[i].Name] = pods[i].CreationTimestamp.Time
	}
	if human := pool.Spec.Human; human != nil {
		p.Members = len(human.Members)
		for _, queue := range human.Queues {
			p.Queues = append(p.Queues, string(queue))
		}
		tellPeople(&p, pool, desk, days)
	}
	return r.Capacity.Look(p)
}

// holidays is the text of the desk's feed as the desk has it: the last good one. What cannot be read is no reason to stop:
// a holiday then compares with usual days.
func (r *Reconciler) holidays(ctx context.Context, desk *v1alpha1.ServiceDesk) string {
	if plan.HolidaysOf(desk) == "" {
		return ""
	}
	var c corev1.ConfigMap
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: desk.Namespace, Name: render.ConfigMapName(desk.Name)}, &c)
	if err == nil {
		var document *runtimeconfig.Document
		if document, err = runtimeconfig.Parse([]byte(c.Data[runtimeconfig.FileName])); err == nil && document.Calendar != nil {
			return document.Calendar.ICalendar
		}
	}
	if err != nil {
		r.Log.DebugContext(ctx, "holidays of the desk are not known yet", "namespace", desk.Namespace, "desk", desk.Name, "error", err)
	}
	return ""
}

func keyOf(pool client.Object) capacity.Key {
	return capacity.Key{Namespace: pool.GetNamespace(), Name: pool.GetName()}
}

// scale brings the workload to the wanted workers, as far as that may be done
// now: it grows at once, and shrinks by workers that have nothing left.
func (r *Reconciler) scale(ctx context.Context, pool *v1alpha1.AgentPool, live apply.Live, pods []corev1.Pod, view *capacity.View) (scaling.Action, error) {
	deployment := deploymentOf(pool, live)
	if deployment == nil || deployment.Spec.Replicas == nil {
		return scaling.Action{}, nil // it was made a moment ago; its event wakes us
	}
	in := scaling.ActInput{
		Wanted: view.Wanted, Replicas: int(*deployment.Spec.Replicas), Fresh: view.Fresh, Workers: view.Workers,
		RollingOut: rollingOut(deployment), Blind: view.Blind && pool.Spec.Scaling == nil,
	}
	for i := range pods {
		in.Pods = append(in.Pods, scaling.Pod{Name: pods[i].Name, Ready: podReady(&pods[i]), Leaving: apply.GivenUp(&pods[i])})
	}
	action := scaling.Act(&in)
	for i := range pods {
		pod := &pods[i]
		var err error
		switch {
		case slices.Contains(action.Stay, pod.Name):
			err = r.Applier.TakeBack(ctx, pod)
		case slices.Contains(action.Leave, pod.Name) && !apply.GivenUp(pod):
			err = r.Applier.GiveUp(ctx, pod)
		}
		if err != nil {
			return action, err // the number must not fall before the pods that are to go are named
		}
	}
	r.Capacity.Leaving(keyOf(pool), action.Leaving)
	return action, r.Applier.Replicas(ctx, live, pool.Namespace, pool.Name, int32(action.Replicas)) //nolint:gosec // at most 1000
}

// pods of the pool that have not been told to end.
func (r *Reconciler) pods(ctx context.Context, pool *v1alpha1.AgentPool) ([]corev1.Pod, error) {
	var list corev1.PodList
	selector := client.MatchingLabels(render.PoolSelector(string(pool.Spec.DeskRef.Name), pool.Name))
	if err := r.Client.List(ctx, &list, client.InNamespace(pool.Namespace), selector); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
		return p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	}), nil
}

func podReady(pod *corev1.Pod) bool {
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
	return i >= 0 && pod.Status.Conditions[i].Status == corev1.ConditionTrue
}

// rollingOut says that pods of two revisions exist and that the rollout moves.
// One that is stuck must not keep a pool from shrinking for ever.
func rollingOut(d *appsv1.Deployment) bool {
	if d.Status.ObservedGeneration >= d.Generation && d.Status.UpdatedReplicas >= d.Status.Replicas {
		return false
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Reason == "ProgressDeadlineExceeded" {
			return false
		}
	}
	return d.Status.ObservedGeneration > 0
}

// refused are the pods that the workload asks for and that the cluster does not let it make, as a quota does.
func refused(d *appsv1.Deployment) int {
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return max(0, int(*d.Spec.Replicas-d.Status.Replicas))
		}
	}
	return 0
}
