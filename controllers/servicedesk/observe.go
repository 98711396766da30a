package servicedesk

import (
	"context"
	"errors"
	"maps"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers/internal/references"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/capacity"
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

	// kinds of children, and those that there are.
	kinds       []apply.Kind
	live        apply.Live
	input       plan.DeskInput
	credentials *credentials.Result
	planned     *render.Desk
	revision    string
	problems    []plan.Problem
	// decided about the roles that scale.
	decided []capacity.RoleView
	// wanted workloads, of which available are.
	wanted    int
	available status.Availability
	// rest is how long the roles to which scaling adds pods may take; 0 when it adds none.
	rest time.Duration
}

// observe reads everything that the desk depends on, from the cache.
func (s *scope) observe(ctx context.Context) error {
	s.kinds = s.kindsOf(s.desk)
	live, err := apply.Observe(ctx, s.Cache, s.kinds, s.desk.Namespace, s.desk.UID)
	if err != nil {
		return err
	}
	s.live = live
	pools, err := references.PoolsOf(ctx, s.Client, s.desk.Namespace, s.desk.Name)
	if err != nil {
		return err
	}
	s.input = plan.DeskInput{Desk: s.desk, Pools: pools, LiveStorage: liveStorage(live, s.desk.Name), LiveDocument: liveDocument(live, s.desk.Name)}
	if err := s.observeConfiguration(ctx); err != nil {
		return err
	}
	if ref := s.desk.Spec.EscalationPolicyRef; ref != nil {
		s.input.Policy, err = references.Optional(ctx, s.Client, s.desk.Namespace, string(ref.Name), &v1alpha1.EscalationPolicy{})
	}
	return errors.Join(err, s.observeHolidays(ctx), s.observeKnowledge(ctx, pools))
}

// observeHolidays reads the ConfigMap that the calendar names. It comes from the API
// server: users' ConfigMaps are watched by their metadata only.
func (s *scope) observeHolidays(ctx context.Context) error {
	name := plan.HolidaysOf(s.desk)
	if name == "" {
		return nil
	}
	configMap, err := references.Optional(ctx, s.Live, s.desk.Namespace, name, &corev1.ConfigMap{})
	if err != nil || configMap == nil {
		return err
	}
	s.input.Holidays = map[string]string{} // a ConfigMap without data is there all the same
	maps.Copy(s.input.Holidays, configMap.Data)
	return nil
}

// observeConfiguration reads what orders the desk's documents.
func (s *scope) observeConfiguration(ctx context.Context) error {
	loop, name := s.Link.Loop, s.desk.Name
	written, running := loop.Written(s.desk.Namespace, name), loop.Running(s.desk.Namespace, name)
	s.input.Now, s.input.Link = s.Now(), s.Link.Document()
	s.input.Written = plan.Stamp{Content: written.Content, Generation: written.Generation}
	s.input.Running = plan.Configuration{Revision: running.Revision, Generation: running.Generation}
	if s.input.LiveDocument != nil || written.Revision != "" || s.desk.Status.ConfigurationRevision == "" {
		return nil
	}
	// The desk has been configured, and the cache does not show it: it may be behind. A document with another
	// generation would be written for nothing.
	var c corev1.ConfigMap
	err := s.Live.Get(ctx, client.ObjectKey{Namespace: s.desk.Namespace, Name: render.ConfigMapName(name)}, &c)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	if document, err := runtimeconfig.Parse([]byte(c.Data[runtimeconfig.FileName])); err == nil { // else it is rendered anew
		stamp, err := plan.StampOf(document)
		if err != nil {
			return err
		}
		s.input.Written = stamp
	}
	return nil
}

// observeKnowledge reads the sources of those knowledge bases only whose revision the desk does not serve yet.
func (s *scope) observeKnowledge(ctx context.Context, pools []*v1alpha1.AgentPool) error {
	served := liveKnowledge(s.live, s.input.LiveDocument, s.desk.Name)
	s.input.Live, s.input.Contents = map[string]plan.Served{}, map[string]*plan.KnowledgeContent{}
	for _, name := range plan.KnowledgeNames(pools) {
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
		if kb.Status.Revision == "" {
			continue
		}
		content, err := s.content(ctx, kb)
		if err != nil {
			return err
		}
		if content != nil {
			s.input.Contents[name] = content
		}
	}
	return nil
}

// content gathers a knowledge base; nil where it has none that the desk may
// serve. Its own controller reports the problems.
func (s *scope) content(ctx context.Context, kb *v1alpha1.KnowledgeBase) (*plan.KnowledgeContent, error) {
	content, _, err := s.Gatherer.Gather(ctx, kb)
	if err != nil {
		return nil, err
	}
	// A suspended base is served as it last was, also by a desk that has it not yet, or not any more.
	if content != nil && kb.Spec.Suspend && content.Revision != kb.Status.Revision {
		return nil, nil
	}
	return content, nil
}

// liveStorage reads the claim templates of the desk's StatefulSets.
func liveStorage(live apply.Live, desk string) map[runtimeconfig.Role]v1alpha1.Storage {
	storage := map[runtimeconfig.Role]v1alpha1.Storage{}
	for _, role := range []runtimeconfig.Role{runtimeconfig.RoleArchive, runtimeconfig.RoleBus, runtimeconfig.RoleDesk} {
		set := apply.Get[*appsv1.StatefulSet](live, "StatefulSet", render.RoleName(desk, role))
		if set == nil || len(set.Spec.VolumeClaimTemplates) == 0 {
			continue
		}
		claim := &set.Spec.VolumeClaimTemplates[0].Spec
		size := claim.Resources.Requests[corev1.ResourceStorage]
		kept := v1alpha1.Storage{Size: &size}
		if claim.StorageClassName != nil {
			kept.StorageClassName = new(v1alpha1.ObjectName(*claim.StorageClassName))
		}
		storage[role] = kept
	}
	return storage
}

// liveDocument is the configuration that the desk's roles have now; nil where
// there is none, or one that was edited by hand, which is rendered anew.
func liveDocument(live apply.Live, desk string) *runtimeconfig.Document {
	configMap := apply.Get[*corev1.ConfigMap](live, "ConfigMap", render.ConfigMapName(desk))
	if configMap == nil {
		return nil
	}
	document, err := runtimeconfig.Parse([]byte(configMap.Data[runtimeconfig.FileName]))
	if err != nil {
		return nil
	}
	return document
}

// liveKnowledge reads what the desk's children serve now. A base of which a file
// is missing or was edited by hand is left out, and so made anew.
func liveKnowledge(live apply.Live, document *runtimeconfig.Document, desk string) map[string]plan.Served {
	if document == nil {
		return nil
	}
	files := map[string][]byte{}
	for i := range render.KnowledgeShards {
		if shard := apply.Get[*corev1.ConfigMap](live, "ConfigMap", render.KnowledgeShardName(desk, i)); shard != nil {
			maps.Copy(files, shard.BinaryData)
		}
	}
	return plan.ServedBy(document, files)
}
