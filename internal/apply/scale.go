package apply

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Replicas brings a pool's Deployment to a number of workers. The number has a
// field owner of its own, so that no apply of the Deployment moves it, and it is
// written only when it differs from the live one.
func (a *Applier) Replicas(ctx context.Context, live Live, namespace, pool string, replicas int32) error {
	deployment := Get[*appsv1.Deployment](live, "Deployment", render.PoolWorkloadName(pool))
	if deployment == nil || (deployment.Spec.Replicas != nil && *deployment.Spec.Replicas == replicas) {
		return nil
	}
	if err := a.scale(ctx, live, deployment, render.PoolReplicas(namespace, pool, replicas)); err != nil {
		return err
	}
	a.log.InfoContext(ctx, "pool scaled", "namespace", namespace, "pool", pool, "replicas", replicas)
	return nil
}

// RoleReplicas brings the Deployment of a desk's role to a number of pods, as
// [Applier.Replicas] does for a pool. A Deployment whose number the operator
// itself has fixed so far is taken over with the number that it has: it is
// written also when it differs in its owner only, or the next apply of the
// Deployment, which names no number, would bring it to one pod.
func (a *Applier) RoleReplicas(ctx context.Context, live Live, namespace, desk string, role runtimeconfig.Role, replicas int32) error {
	deployment := Get[*appsv1.Deployment](live, "Deployment", render.RoleName(desk, role))
	if deployment == nil {
		return nil // it is made first
	}
	owned, err := ownedFields(deployment, v1alpha1.FieldOwnerScaling)
	if err != nil {
		return err
	}
	owns := owned != nil && owned.Has(fieldpath.MakePathOrDie("spec", "replicas"))
	if owns && deployment.Spec.Replicas != nil && *deployment.Spec.Replicas == replicas {
		return nil
	}
	if err := a.scale(ctx, live, deployment, render.RoleReplicas(namespace, desk, role, replicas)); err != nil {
		return err
	}
	a.log.InfoContext(ctx, "role scaled", "namespace", namespace, "desk", desk, "role", role, "replicas", replicas)
	return nil
}

func (a *Applier) scale(ctx context.Context, live Live, deployment *appsv1.Deployment, wanted *unstructured.Unstructured) error {
	// Without the UID a Deployment that was deleted meanwhile would be made, of replicas alone, and refused as invalid.
	wanted.SetUID(deployment.UID)
	if err := a.write(ctx, wanted, v1alpha1.FieldOwnerScaling, live); err != nil {
		return fmt.Errorf("scale Deployment %s: %w", wanted.GetName(), err)
	}
	return nil
}
