package agentpool

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/capacity"
)

// refusal is why the cluster does not run the workers that are asked for.
type refusal struct {
	// reason of the condition, limiter of the metric, and the cause in the cluster's own words.
	reason, limiter, cause, remedy string
}

// refusalOf says why workers are missing; nil when nothing is known to keep them away.
func refusalOf(deployment *appsv1.Deployment, pods []corev1.Pod) *refusal {
	if deployment != nil {
		for _, c := range deployment.Status.Conditions {
			if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue && strings.Contains(c.Message, "exceeded quota") {
				return &refusal{v1alpha1.ReasonQuotaExceeded, "quota", c.Message, "raise the ResourceQuota, or lower spec.scaling.max"}
			}
		}
	}
	for i := range pods {
		for _, c := range pods[i].Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
				return &refusal{v1alpha1.ReasonUnschedulable, "unschedulable", c.Message, "add nodes, or change spec.bot.resources and placement"}
			}
		}
	}
	return nil
}

// maxCause that is quoted: a scheduler names every kind of node.
const maxCause = 400

// words say how many workers run of those that are wanted, why no more do, and how customers are served by them.
func (f *refusal) words(running, wanted int, level *capacity.Level) string {
	cause := f.cause
	if len(cause) > maxCause {
		cause = strings.ToValidUTF8(cause[:maxCause], "") + "..."
	}
	words := fmt.Sprintf("%d of %d bot workers run: %s", running, wanted, cause)
	if level != nil {
		words += fmt.Sprintf("; with these about %.0f %% will be answered in time and %.0f %% will hang up", 100*level.InTime, 100*level.GivenUp)
	}
	return words + ": " + f.remedy
}

// running counts the ready workers that take conversations, or whose drain can be undone.
func running(pods []corev1.Pod) int {
	n := 0
	for i := range pods {
		if podReady(&pods[i]) && !apply.GivenUp(&pods[i]) {
			n++
		}
	}
	return n
}
