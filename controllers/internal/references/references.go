// Package references knows which object names which: the indexes by which the
// controllers find those that must be looked at again when another one changes.
package references

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/plan"
)

// Fields by which the cache indexes the four kinds.
const (
	// PoolDesk indexes AgentPools by the desk that they name.
	PoolDesk = "spec.deskRef.name"
	// PoolKnowledge indexes AgentPools by the knowledge bases that they name.
	PoolKnowledge = "spec.bot.knowledgeBaseRefs.name"
	// DeskPolicy indexes ServiceDesks by the policy that they name.
	DeskPolicy = "spec.escalationPolicyRef.name"
	// DeskHolidays indexes ServiceDesks by the ConfigMap with their holidays.
	DeskHolidays = "spec.calendar.holidays.configMapRef.name"
	// KnowledgeConfigMap indexes KnowledgeBases by the ConfigMaps that they name.
	KnowledgeConfigMap = "spec.sources.configMaps.name"
)

// Index registers all indexes.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	for _, i := range []struct {
		object  client.Object
		field   string
		extract client.IndexerFunc
	}{
		{&v1alpha1.AgentPool{}, PoolDesk, of(func(p *v1alpha1.AgentPool) []string { return []string{string(p.Spec.DeskRef.Name)} })},
		{&v1alpha1.AgentPool{}, PoolKnowledge, of(KnowledgeOf)},
		{&v1alpha1.ServiceDesk{}, DeskPolicy, of(func(d *v1alpha1.ServiceDesk) []string {
			if d.Spec.EscalationPolicyRef == nil {
				return nil
			}
			return []string{string(d.Spec.EscalationPolicyRef.Name)}
		})},
		{&v1alpha1.ServiceDesk{}, DeskHolidays, of(func(d *v1alpha1.ServiceDesk) []string {
			if name := plan.HolidaysOf(d); name != "" {
				return []string{name}
			}
			return nil
		})},
		{&v1alpha1.KnowledgeBase{}, KnowledgeConfigMap, of(func(k *v1alpha1.KnowledgeBase) []string { return names(k.Spec.Sources.ConfigMaps) })},
	} {
		if err := indexer.IndexField(ctx, i.object, i.field, i.extract); err != nil {
			return fmt.Errorf("index %s: %w", i.field, err)
		}
	}
	return nil
}

// KnowledgeOf names the knowledge bases of a pool.
func KnowledgeOf(p *v1alpha1.AgentPool) []string {
	if p.Spec.Bot == nil {
		return nil
	}
	return names(p.Spec.Bot.KnowledgeBaseRefs)
}

// PoolsOf lists the pools that name a desk.
func PoolsOf(ctx context.Context, reader client.Reader, namespace, desk string) ([]*v1alpha1.AgentPool, error) {
	var list v1alpha1.AgentPoolList
	if err := reader.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{PoolDesk: desk}); err != nil {
		return nil, fmt.Errorf("list the pools of desk %s: %w", desk, err)
	}
	pools := make([]*v1alpha1.AgentPool, 0, len(list.Items))
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp == nil {
			pools = append(pools, &list.Items[i])
		}
	}
	return pools, nil
}

// Optional reads an object that may be missing: nil and no error then.
func Optional[T client.Object](ctx context.Context, reader client.Reader, namespace, name string, into T) (T, error) {
	var none T
	err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, into)
	switch {
	case err == nil:
		return into, nil
	case client.IgnoreNotFound(err) == nil:
		return none, nil
	default:
		return none, fmt.Errorf("read %T %s: %w", into, name, err)
	}
}

func names(refs []v1alpha1.LocalObjectReference) []string {
	list := make([]string, len(refs))
	for i := range refs {
		list[i] = string(refs[i].Name)
	}
	return list
}

func of[T client.Object](extract func(T) []string) client.IndexerFunc {
	return func(object client.Object) []string {
		typed, ok := object.(T)
		if !ok {
			return nil
		}
		return extract(typed)
	}
}
