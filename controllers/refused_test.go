package controllers_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	wire "github.com/deskfleet/deskfleet/internal/link"
)

// The cluster refuses workers: the pool says how many run of how many, why in the cluster's words, how customers are
// served by these, and what to do; once, and no longer than it is so.
func TestClusterThatRefusesWorkers(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.scaled(&v1alpha1.PoolScaling{Max: 40})
	d.pods("bots-a")
	d.workers(wire.Worker{Name: "bots-a", Busy: 5})
	d.report.Pools[0].InProgress, d.report.Pools[0].Flow = 60, &wire.Flow{}
	d.flows(8, 60)
	d.says("bots", v1alpha1.ConditionScalingLimited, metav1.ConditionFalse, v1alpha1.ReasonWithinBounds, "need")
	fails := func(status corev1.ConditionStatus) {
		t.Helper()
		var deployment appsv1.Deployment
		if err := d.get(&deployment, "bots-worker"); err != nil {
			t.Fatal(err)
		}
		deployment.Status.Conditions = []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentReplicaFailure, Status: status, Reason: "FailedCreate",
			Message: `pods "bots-worker-7d-" is forbidden: exceeded quota: team, requested: pods=1, used: pods=9, limited: pods=9`,
		}}
		if err := d.client.Status().Update(t.Context(), &deployment); err != nil {
			t.Fatal(err)
		}
	}
	fails(corev1.ConditionTrue)
	d.says("bots", v1alpha1.ConditionScalingLimited, metav1.ConditionTrue, v1alpha1.ReasonQuotaExceeded, "exceeded quota: team")
	c := meta.FindStatusCondition(d.pool("bots").Status.Conditions, v1alpha1.ConditionScalingLimited)
	for _, part := range []string{"1 of ", " bot workers run: pods", "with these about 0 % will be answered in time and ", "raise the ResourceQuota, or lower spec.scaling.max"} {
		if !strings.Contains(c.Message, part) {
			t.Errorf("it says %q, without %q", c.Message, part)
		}
	}
	fails(corev1.ConditionFalse)
	d.says("bots", v1alpha1.ConditionScalingLimited, metav1.ConditionFalse, v1alpha1.ReasonWithinBounds, "need")

	// A pod that no node has a place for.
	d.pods("bots-b")
	var pod corev1.Pod
	if err := d.get(&pod, "bots-b"); err != nil {
		t.Fatal(err)
	}
	pod.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available: 3 Insufficient cpu.",
	}}
	if err := d.client.Status().Update(t.Context(), &pod); err != nil {
		t.Fatal(err)
	}
	d.flows(1, 60)
	d.says("bots", v1alpha1.ConditionScalingLimited, metav1.ConditionTrue, v1alpha1.ReasonUnschedulable, "1 of ")
	c = meta.FindStatusCondition(d.pool("bots").Status.Conditions, v1alpha1.ConditionScalingLimited)
	if !strings.Contains(c.Message, "3 Insufficient cpu") || !strings.Contains(c.Message, "add nodes, or change spec.bot.resources") {
		t.Errorf("it says %q", c.Message)
	}
}
