package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

// Availability counts workloads.
type Availability struct {
	// Available workloads run the wanted template with the wanted replicas; Wanted counts all.
	Available, Wanted int
	// Missing names the others, sorted.
	Missing []string
	// Stuck names a workload whose rollout made no progress for too long, with the controller's words.
	Stuck string
	// Quota is the API server's refusal of a pod, where a ResourceQuota is exhausted.
	Quota string
}

// Count looks at the Deployments and StatefulSets among the children.
func Count(children []client.Object) Availability {
	var a Availability
	for _, child := range children {
		switch w := child.(type) {
		case *appsv1.Deployment:
			a.add(w.Name, deploymentAvailable(w))
			a.conditions(w)
		case *appsv1.StatefulSet:
			a.add(w.Name, statefulSetAvailable(w))
		}
	}
	slices.Sort(a.Missing)
	return a
}

func (a *Availability) add(name string, available bool) {
	a.Wanted++
	if available {
		a.Available++
		return
	}
	a.Missing = append(a.Missing, name)
}

func (a *Availability) conditions(d *appsv1.Deployment) {
	for _, c := range d.Status.Conditions {
		switch {
		case c.Type == appsv1.DeploymentProgressing && c.Reason == "ProgressDeadlineExceeded":
			a.Stuck = fmt.Sprintf("Deployment %s: %s", d.Name, c.Message)
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue && strings.Contains(c.Message, "exceeded quota"):
			a.Quota = fmt.Sprintf("Deployment %s: %s", d.Name, c.Message)
		}
	}
}

func deploymentAvailable(d *appsv1.Deployment) bool {
	s := &d.Status
	return d.Spec.Replicas != nil && s.ObservedGeneration >= d.Generation &&
		s.UpdatedReplicas >= *d.Spec.Replicas && s.AvailableReplicas >= *d.Spec.Replicas
}

func statefulSetAvailable(set *appsv1.StatefulSet) bool {
	s := &set.Status
	return set.Spec.Replicas != nil && s.ObservedGeneration >= set.Generation &&
		s.UpdatedReplicas >= *set.Spec.Replicas && s.AvailableReplicas >= *set.Spec.Replicas
}

// Growing counts a Deployment among those that are available, although scaling is just adding pods to it, when at least
// so many run, and says for how long at most; 0 when it was not counted, or is available.
func (a *Availability) Growing(d *appsv1.Deployment, least int32, now time.Time) time.Duration {
	at := slices.Index(a.Missing, d.Name)
	if at < 0 || d.Status.AvailableReplicas < least {
		return 0
	}
	rest := Growth(d, now)
	if rest > 0 {
		a.Available++
		a.Missing = slices.Delete(a.Missing, at, at+1)
	}
	return rest
}

// startLimit is how long new pods may take to become available, like the
// progress deadline of a rollout, which does not count for scaling.
const startLimit = 10 * time.Minute

// Growth is how much longer a Deployment may lack pods because scaling is just
// adding them; 0 when it lacks them for another reason: no pod is available, a
// rollout is on its way, or pods have been missing for too long.
func Growth(d *appsv1.Deployment, now time.Time) time.Duration {
	if d.Status.AvailableReplicas == 0 || d.Status.UpdatedReplicas < d.Status.Replicas {
		return 0
	}
	if a := Count([]client.Object{d}); a.Stuck != "" || a.Quota != "" {
		return 0
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentAvailable && c.Status == corev1.ConditionFalse {
			return max(0, startLimit-now.Sub(c.LastTransitionTime.Time))
		}
	}
	return startLimit
}

// Err is why the workloads are not all available; nil when they are. Wanted is
// how many there should be: a child that was made a moment ago is not counted yet.
func (a Availability) Err(wanted int) error {
	switch {
	case a.Quota != "":
		return &WaitingError{Reason: v1alpha1.ReasonQuotaExceeded, Message: a.Quota + ": raise the namespace's ResourceQuota or ask for less"}
	case a.Stuck != "":
		return &WaitingError{Reason: v1alpha1.ReasonProgressDeadlineExceeded, Message: a.Stuck + ": look at its pods' events and logs"}
	case a.Available < wanted:
		return Progress("%d of %d workloads are available; waiting for %s", a.Available, wanted, strings.Join(a.Missing, ", "))
	}
	return nil
}
