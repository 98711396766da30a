package apply

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

// givenUpCost is lower than the cost of every pod that nobody has marked, so that
// a ReplicaSet deletes such a pod first.
const givenUpCost = "-1000"

// GivenUp says whether a bot worker's pod is among the first to go.
func GivenUp(pod *corev1.Pod) bool { return pod.Annotations[corev1.PodDeletionCost] == givenUpCost }

// GiveUp marks a bot worker's pod as the one to go when the number of replicas falls.
func (a *Applier) GiveUp(ctx context.Context, pod *corev1.Pod) error {
	return a.cost(ctx, pod, func(annotations map[string]string) { annotations[corev1.PodDeletionCost] = givenUpCost })
}

// TakeBack takes the mark back.
func (a *Applier) TakeBack(ctx context.Context, pod *corev1.Pod) error {
	return a.cost(ctx, pod, func(annotations map[string]string) { delete(annotations, corev1.PodDeletionCost) })
}

func (a *Applier) cost(ctx context.Context, pod *corev1.Pod, change func(map[string]string)) error {
	before := pod.DeepCopy()
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	change(pod.Annotations)
	// With the resource version: a pod of the same name that was made since is another worker.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := a.client.Patch(ctx, pod, patch, client.FieldOwner(v1alpha1.FieldOwnerScaling)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("mark pod %s: %w", pod.Name, err)
	}
	a.log.InfoContext(ctx, "pod marked", "namespace", pod.Namespace, "pod", pod.Name, "given_up", GivenUp(pod))
	return nil
}
