package servicedesk

import (
	"context"
	"errors"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers/internal/references"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/credentials"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/status"
)

// scope is the state of one reconcile, from step to step.
type scope struct {
	*Reconciler
	desk  *v1alpha1.ServiceDesk
	owner apply.Owner

	live        apply.Live
	input       plan.DeskInput
	credentials *credentials.Result
	planned     *render.Desk
	revision    string
	problems    []plan.Problem
	// wanted workloads, of which available are.
	wanted    int
	available status.Availability
}

// observe reads everything that the desk depends on, from the cache.
func (s *scope) observe(ctx context.Context) error {
	live, err := apply.Observe(ctx, s.Client, s.Kinds, s.desk.Namespace, s.desk.UID)
	if err != nil {
		return err
	}
	s.live = live
	pools, err := references.PoolsOf(ctx, s.Client, s.desk.Namespace, s.desk.Name)
	if err != nil {
		return err
	}
	s.input = plan.DeskInput{Desk: s.desk, Pools: pools, LiveStorage: liveStorage(live)}
	if ref := s.desk.Spec.EscalationPolicyRef; ref != nil {
		s.input.Policy, err = references.Optional(ctx, s.Client, s.desk.Namespace, string(ref.Name), &v1alpha1.EscalationPolicy{})
	}
	return errors.Join(err, s.observeKnowledge(ctx, pools))
}

// observeKnowledge reads the sources of those knowledge bases only whose revision the desk does not serve yet.
func (s *scope) observeKnowledge(ctx context.Context, pools []*v1alpha1.AgentPool) error {
	served := liveKnowledge(s.live, s.desk.Name)
	s.input.Live, s.input.Contents = map[string]plan.Served{}, map[string]*plan.KnowledgeContent{}
	for _, pool := range pools {
		for _, name := range references.KnowledgeOf(pool) {
			kb, err := references.Optional(ctx, s.Client, s.desk.Namespace, name, &v1alpha1.KnowledgeBase{})
			if err != nil {
				return err
			}
			if kb == nil {
				continue
			}
			if now, there := served[name]; there {
				s.input.Live[name] = now
				if now.Base.Revision == kb.Status.Revision {
					continue
				}
			}
			if kb.Spec.Suspend || kb.Status.Revision == "" {
				continue
			}
			sources, err := references.Sources(ctx, s.Live, kb)
			if err != nil {
				return err
			}
			if content, _ := plan.KnowledgeBase(kb, sources); content != nil { // its own controller reports the problems
				s.input.Contents[name] = content
			}
		}
	}
	return nil
}

// liveStorage reads the claim templates of the desk's StatefulSets.
func liveStorage(live apply.Live) map[runtimeconfig.Role]v1alpha1.Storage {
	storage := map[runtimeconfig.Role]v1alpha1.Storage{}
	for _, object := range live {
		set, ok := object.(*appsv1.StatefulSet)
		if !ok || len(set.Spec.VolumeClaimTemplates) == 0 {
			continue
		}
		claim := &set.Spec.VolumeClaimTemplates[0].Spec
		size := claim.Resources.Requests[corev1.ResourceStorage]
		kept := v1alpha1.Storage{Size: &size}
		if claim.StorageClassName != nil {
			kept.StorageClassName = new(v1alpha1.ObjectName(*claim.StorageClassName))
		}
		storage[runtimeconfig.Role(set.Labels[v1alpha1.LabelComponent])] = kept
	}
	return storage
}

// liveKnowledge reads what the desk's children serve now. A base of which a file
// is missing or was edited by hand is left out, and so made anew.
func liveKnowledge(live apply.Live, desk string) map[string]plan.Served {
	configMap := apply.Get[*corev1.ConfigMap](live, "ConfigMap", render.ConfigMapName(desk))
	if configMap == nil {
		return nil
	}
	document, err := runtimeconfig.Parse([]byte(configMap.Data[runtimeconfig.FileName]))
	if err != nil {
		return nil // edited by hand: it is rendered anew
	}
	files := map[string][]byte{}
	for i := range render.KnowledgeShards {
		if shard := apply.Get[*corev1.ConfigMap](live, "ConfigMap", render.KnowledgeShardName(desk, i)); shard != nil {
			maps.Copy(files, shard.BinaryData)
		}
	}
	return plan.ServedBy(document, files)
}
