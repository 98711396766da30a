package apply

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/render"
)

// Replicas brings a pool's Deployment to a number of workers. The number has a
// field owner of its own, so that no apply of the Deployment moves it, and it is
// written only when it differs from the live one.
func (a *Applier) Replicas(ctx context.Context, live Live, namespace, pool string, replicas int32) error {
	name := render.PoolWorkloadName(pool)
	deployment := Get[*appsv1.Deployment](live, "Deployment", name)
	if deployment == nil || (deployment.Spec.Replicas != nil && *deployment.Spec.Replicas == replicas) {
		return nil
	}
	wanted := render.PoolReplicas(namespace, pool, replicas)
	// Without the UID a Deployment that was deleted meanwhile would be made, of replicas alone, and refused as invalid.
	wanted.SetUID(deployment.UID)
	if err := a.write(ctx, wanted, v1alpha1.FieldOwnerScaling, live); err != nil {
		return fmt.Errorf("scale Deployment %s to %d: %w", name, replicas, err)
	}
	a.log.InfoContext(ctx, "pool scaled", "namespace", namespace, "pool", pool, "replicas", replicas)
	return nil
}
