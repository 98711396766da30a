package agentpool

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// Pods that are merely on their way are not refused, nor are those of a refusal that is over.
func TestRefused(t *testing.T) {
	deployment := func(status corev1.ConditionStatus, wanted, made int32) *appsv1.Deployment {
		d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &wanted}, Status: appsv1.DeploymentStatus{Replicas: made}}
		if status != "" {
			d.Status.Conditions = append(d.Status.Conditions, appsv1.DeploymentCondition{
				Type: appsv1.DeploymentReplicaFailure, Status: status, Reason: "FailedCreate",
			})
		}
		return d
	}
	for name, tc := range map[string]struct {
		deployment *appsv1.Deployment
		want       int
	}{
		"on their way":     {deployment("", 20, 12), 0},
		"a quota":          {deployment(corev1.ConditionTrue, 20, 12), 8},
		"over":             {deployment(corev1.ConditionFalse, 20, 12), 0},
		"more than wanted": {deployment(corev1.ConditionTrue, 12, 20), 0},
	} {
		if got := refused(tc.deployment); got != tc.want {
			t.Errorf("%s: %d, expected %d", name, got, tc.want)
		}
	}
}
