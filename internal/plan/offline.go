package plan

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Objects are what a set of files or a namespace declares.
type Objects struct {
	ServiceDesks       []*v1alpha1.ServiceDesk
	AgentPools         []*v1alpha1.AgentPool
	KnowledgeBases     []*v1alpha1.KnowledgeBase
	EscalationPolicies []*v1alpha1.EscalationPolicy
	ConfigMaps         []*corev1.ConfigMap
}

// Plans are what objects come to without a cluster.
type Plans struct {
	Desks []*render.Desk
	Pools []*render.Pool
	// Knowledge is the content by desk: what the desk's shards hold.
	Knowledge map[*render.Desk][]*KnowledgeContent
	// Problems of all objects.
	Problems []Problem
}

// Offline plans all objects as the controllers would, one after the other, with
// nothing but the files: what they name and the files do not hold is missing.
func Offline(o *Objects) (*Plans, error) {
	plans := &Plans{Knowledge: map[*render.Desk][]*KnowledgeContent{}}
	contents := plans.knowledge(o)
	plans.policies(o)
	for _, pool := range o.AgentPools {
		plans.pool(o, pool)
	}
	for _, desk := range o.ServiceDesks {
		if err := plans.desk(o, desk, contents); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

// objectKey names an object within its kind.
type objectKey struct{ namespace, name string }

func (p *Plans) knowledge(o *Objects) map[objectKey]*KnowledgeContent {
	contents := map[objectKey]*KnowledgeContent{}
	for _, kb := range o.KnowledgeBases {
		sources := Sources{}
		for _, c := range o.ConfigMaps {
			if c.Namespace == kb.Namespace {
				sources[c.Name] = c.Data
			}
		}
		content, problems := KnowledgeBase(kb, sources)
		p.Problems = append(p.Problems, problems...)
		if content != nil {
			kb.Status.Revision = content.Revision
			contents[objectKey{kb.Namespace, kb.Name}] = content
		}
	}
	return contents
}

func (p *Plans) policies(o *Objects) {
	for _, policy := range o.EscalationPolicies {
		problems := EscalationPolicy(policy)
		p.Problems = append(p.Problems, problems...)
		if len(problems) == 0 {
			policy.Status.LastGoodGeneration, policy.Status.LastGoodRules = max(1, policy.Generation), policy.Spec.Rules
		}
	}
}

func (p *Plans) pool(o *Objects, pool *v1alpha1.AgentPool) {
	in := &PoolInput{Pool: pool, KnowledgeBases: map[string]*v1alpha1.KnowledgeBase{}}
	for _, desk := range o.ServiceDesks {
		if desk.Namespace == pool.Namespace && desk.Name == string(pool.Spec.DeskRef.Name) {
			in.Desk = desk
			in.Siblings = poolsOf(o, desk)
		}
	}
	for _, kb := range o.KnowledgeBases {
		if kb.Namespace == pool.Namespace {
			in.KnowledgeBases[kb.Name] = kb
		}
	}
	planned, problems := Pool(in)
	p.Problems = append(p.Problems, problems...)
	if planned != nil {
		p.Pools = append(p.Pools, planned)
	}
}

func (p *Plans) desk(o *Objects, desk *v1alpha1.ServiceDesk, contents map[objectKey]*KnowledgeContent) error {
	in := &DeskInput{Desk: desk, Pools: poolsOf(o, desk), Contents: map[string]*KnowledgeContent{}, Users: generatedUsers(desk)}
	for _, policy := range o.EscalationPolicies {
		if ref := desk.Spec.EscalationPolicyRef; ref != nil && policy.Namespace == desk.Namespace && policy.Name == string(ref.Name) {
			in.Policy = policy
		}
	}
	in.Holidays = holidays(o, desk)
	var used []*KnowledgeContent
	for _, name := range KnowledgeNames(in.Pools) {
		if content := contents[objectKey{desk.Namespace, name}]; content != nil {
			in.Contents[name] = content
			used = append(used, content)
		}
	}
	planned, _, problems, err := Desk(in)
	if err != nil {
		return err
	}
	p.Problems = append(p.Problems, problems...)
	if planned != nil {
		p.Desks = append(p.Desks, planned)
		p.Knowledge[planned] = used
	}
	return nil
}

// holidays is the data of the ConfigMap that a desk's calendar names; nil where the files hold none.
func holidays(o *Objects, desk *v1alpha1.ServiceDesk) map[string]string {
	ref := HolidaysOf(desk)
	for _, c := range o.ConfigMaps {
		if ref != "" && c.Namespace == desk.Namespace && c.Name == ref {
			data := map[string]string{} // a ConfigMap without data is there all the same
			maps.Copy(data, c.Data)
			return data
		}
	}
	return nil
}

func poolsOf(o *Objects, desk *v1alpha1.ServiceDesk) []*v1alpha1.AgentPool {
	var pools []*v1alpha1.AgentPool
	for _, pool := range o.AgentPools {
		if pool.Namespace == desk.Namespace && string(pool.Spec.DeskRef.Name) == desk.Name {
			pools = append(pools, pool)
		}
	}
	return pools
}

// generatedUsers stand in for the public halves of keys that only the operator makes.
func generatedUsers(desk *v1alpha1.ServiceDesk) []runtimeconfig.BusUser {
	var users []runtimeconfig.BusUser
	for _, secret := range render.SecretsOf(desk.Namespace, desk.Name, &desk.Spec) {
		if secret.NKey {
			users = append(users, runtimeconfig.BusUser{Role: secret.Role, PublicKey: fmt.Sprintf("made by the operator for %s", secret.Role)})
		}
	}
	return slices.Clip(users)
}
