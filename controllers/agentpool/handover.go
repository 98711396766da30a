package agentpool

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

// keptAfterScaling is for how long the workers of a pool are kept from which scaling was taken away. An HPA writes
// within a minute, or within the five that it waits before it shrinks something.
const keptAfterScaling = 10 * time.Minute

// handOver says what is kept of a pool whose workers the operator decided about a moment ago; nil for nothing.
//
// What stands in spec.replicas then was unused before: 1 where nobody ever wrote it, or what ran before scaling came. To
// follow it would take a pool down to it, or up, in the moment in which an autoscaler is to take over. So the pool stays as it
// is until somebody writes as many or more, and no longer than [keptAfterScaling]. Fewer do not count until then: an HPA
// climbs from what stood in spec.replicas, twice as many at a time, however many there are. The status carries it over restarts.
func handOver(pool *v1alpha1.AgentPool, now time.Time) *v1alpha1.ScalingHandOver {
	former := pool.Status.Scaling
	if pool.Spec.Scaling != nil || former == nil {
		return nil
	}
	h := former.HandOver
	if former.Mode != v1alpha1.ScalingExternal {
		if former.Replicas != nil && *former.Replicas != pool.Spec.Replicas {
			return nil // written in the same breath
		}
		h = &v1alpha1.ScalingHandOver{
			Workers: former.Recommended, Replicas: pool.Spec.Replicas,
			Until: metav1.Time{Time: now.Add(keptAfterScaling).Truncate(time.Second)},
		}
	}
	if h == nil || !now.Before(h.Until.Time) || h.Workers == pool.Spec.Replicas {
		return nil
	}
	if written := pool.Spec.Replicas; written != h.Replicas {
		if written > h.Workers {
			return nil
		}
		h = &v1alpha1.ScalingHandOver{Workers: h.Workers, Replicas: written, Until: h.Until}
	}
	return h
}

// replicas of a pool whose number is somebody else's decision.
func replicas(pool *v1alpha1.AgentPool, h *v1alpha1.ScalingHandOver) int {
	if h != nil {
		return int(h.Workers)
	}
	return int(pool.Spec.Replicas)
}
