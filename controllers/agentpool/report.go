package agentpool

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// report sets the pool's own status fields. View is nil for a pool without a desk.
func (r *Reconciler) report(pool *v1alpha1.AgentPool, live apply.Live, pods []corev1.Pod, view *capacity.View) {
	s := &pool.Status
	if view != nil {
		load(s, view)
		s.Seats = seatsOf(s.Seats, view)
	}
	if pool.Spec.Type == v1alpha1.PoolTypeHuman {
		s.Slots = pool.Spec.Concurrency * int32(len(pool.Spec.Human.Members)) //nolint:gosec // the schema allows 500 members
		return
	}
	s.Selector = labels.SelectorFromSet(render.PoolSelector(string(pool.Spec.DeskRef.Name), pool.Name)).String()
	// An autoscaler that counted the draining ones would take the load to be spread over them.
	s.Replicas, s.ReadyReplicas = count(serving(pods, view)), 0
	if deployment := deploymentOf(pool, live); deployment != nil {
		s.ReadyReplicas = deployment.Status.ReadyReplicas
	}
	s.Slots = s.ReadyReplicas * pool.Spec.Concurrency
	if view != nil {
		r.decided(pool, view)
	}
}

// serving counts the pods that take conversations, or are about to: without those
// that drain. A worker that the desk still reports and whose pod is gone is
// neither, so pods are counted, not workers.
func serving(pods []corev1.Pod, view *capacity.View) int {
	n := 0
	for i := range pods {
		if !apply.GivenUp(&pods[i]) && (view == nil || !view.Drains(pods[i].Name)) {
			n++
		}
	}
	return n
}

// load sets what the desk reports. What it said last stays while it is silent: a
// condition tells, and nothing is no number.
func load(s *v1alpha1.AgentPoolStatus, view *capacity.View) {
	if view.Fresh {
		s.Busy, s.Waiting, s.SignedOn = count(view.InProgress), count(view.Waiting), count(view.SignedOn)
	}
	if view.Seats == nil {
		s.Required = count(view.Wanted)
	} else if view.Fresh {
		s.Required, s.Shortfall = count(view.Seats.Required), count(view.Seats.Shortfall)
	}
}

// decided sets the last decision. When it was made is the API server's knowledge,
// not the operator's: a restart must not make it anew.
func (r *Reconciler) decided(pool *v1alpha1.AgentPool, view *capacity.View) {
	former, d := pool.Status.Scaling, view.Decision
	if d == nil {
		pool.Status.Scaling = nil
		return
	}
	mode := v1alpha1.ScalingManaged
	if view.Advice {
		mode = v1alpha1.ScalingExternal
	}
	if former != nil && former.Mode == mode && view.Young {
		return // nothing has been heard since the operator started: what was decided stands
	}
	s := explained(d)
	s.Mode, s.Replicas, s.HandOver = mode, new(pool.Spec.Replicas), handOver(pool, r.Now())
	reason := d.Reason
	if d.Next != nil {
		reason += "; " + d.Next.Words()
	}
	if view.Advice {
		reason += "; " + adviceWords(s)
	}
	s.Current, s.Reason = pool.Status.Replicas, reason[:min(len(reason), maxReason)]
	if former != nil && former.At != nil && former.Recommended == s.Recommended {
		s.At = former.At
	} else {
		s.At = &metav1.Time{Time: r.Now().Truncate(time.Second)}
	}
	pool.Status.Scaling = s
}

// adviceWords say whose decision the number is that is recommended.
func adviceWords(s *v1alpha1.PoolScalingStatus) string {
	if h := s.HandOver; h != nil {
		return fmt.Sprintf("scaling was taken away: %d are kept until spec.replicas, which is %d, is written as %d or more, or until %s",
			h.Workers, h.Replicas, h.Workers, h.Until.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("this is advice without a max: spec.replicas says %d", *s.Replicas)
}

// maxReason is what the schema allows. Reasons are ASCII, but for the names of peaks, which are too.
const maxReason = 1024

func count(n int) int32 { return int32(min(max(0, n), 1<<31-1)) } //nolint:gosec // bounded

// conditions of a pool of bots, besides those that all kinds have.
func (r *Reconciler) conditions(pool *v1alpha1.AgentPool, view *capacity.View, action *scaling.Action, refused *refusal, running int) {
	if pool.Spec.Scaling == nil {
		meta.RemoveStatusCondition(&pool.Status.Conditions, v1alpha1.ConditionScalingLimited)
		switch {
		case action.Undrained && r.Capacity.Linked():
			set(pool, v1alpha1.ConditionScalingActive, metav1.ConditionFalse, v1alpha1.ReasonShrunkWithoutDrain,
				fmt.Sprintf("the desk has been silent for more than %s: spec.replicas was carried out, to %d, without a drain", capacity.BlindAfter, action.Replicas))
		case view.Fresh:
			meta.RemoveStatusCondition(&pool.Status.Conditions, v1alpha1.ConditionScalingActive)
		}
		return
	}
	switch d := view.Decision; {
	case view.Young && meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.ConditionScalingActive) != nil:
		return // too early to say anything else
	case d.Limiter == scaling.LimiterStale:
		set(pool, v1alpha1.ConditionScalingActive, metav1.ConditionFalse, v1alpha1.ReasonNoFigures, d.Reason)
		return // what limited stays as it was
	case refused != nil && running < d.Workers:
		set(pool, v1alpha1.ConditionScalingLimited, metav1.ConditionTrue, refused.reason, refused.words(running, d.Workers, r.Capacity.Predict(keyOf(pool), running)))
	case d.Limiter == scaling.LimiterMax:
		set(pool, v1alpha1.ConditionScalingLimited, metav1.ConditionTrue, v1alpha1.ReasonMaxReached, d.Reason+": raise spec.scaling.max")
	case d.Limiter == scaling.LimiterCap:
		set(pool, v1alpha1.ConditionScalingLimited, metav1.ConditionTrue, v1alpha1.ReasonPeakCaps, d.Reason+": raise the peak's cap in spec.scaling.peaks")
	case d.Limiter == scaling.LimiterBudget:
		set(pool, v1alpha1.ConditionScalingLimited, metav1.ConditionTrue, v1alpha1.ReasonBudgetLimits, d.Reason+": raise spec.scaling.budget.agentHoursPerDay")
	default:
		set(pool, v1alpha1.ConditionScalingLimited, metav1.ConditionFalse, v1alpha1.ReasonWithinBounds, d.Reason)
	}
	if view.Decision.Panics {
		set(pool, v1alpha1.ConditionScalingActive, metav1.ConditionTrue, v1alpha1.ReasonBurst, "far more arrive than usual: workers are added at once, and nobody leaves")
		return
	}
	set(pool, v1alpha1.ConditionScalingActive, metav1.ConditionTrue, v1alpha1.ReasonFollowsLoad, "the number of workers follows the desk's figures")
}

func set(pool *v1alpha1.AgentPool, kind string, value metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&pool.Status.Conditions, metav1.Condition{
		Type: kind, Status: value, Reason: reason, Message: message, ObservedGeneration: pool.Generation,
	})
}
