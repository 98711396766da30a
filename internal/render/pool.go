package render

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Pool is all that the children of a pool depend on.
type Pool struct {
	Owner Owner
	// Spec with the schema's defaults filled in.
	Spec v1alpha1.AgentPoolSpec
	// Desk is the spec of the pool's desk, with the schema's defaults filled in.
	Desk v1alpha1.ServiceDeskSpec
}

// PoolSelector selects the bot workers of a pool.
func PoolSelector(desk, pool string) map[string]string {
	s := selector(desk, runtimeconfig.RoleBot)
	s[v1alpha1.LabelPool] = labelValue(pool)
	return s
}

// PoolChildren renders the children of a pool; a Human pool has none. The
// Deployment holds no replicas: PoolReplicas are applied by an owner of their
// own.
func (s *Settings) PoolChildren(p *Pool) []*unstructured.Unstructured {
	if p.Spec.Type != v1alpha1.PoolTypeBot {
		return nil
	}
	desk := string(p.Spec.DeskRef.Name)
	bot := p.Spec.Bot
	if bot == nil {
		bot = &v1alpha1.BotSettings{}
	}
	podSelector := PoolSelector(desk, p.Owner.Name)
	l := labels(desk, runtimeconfig.RoleBot)
	l[v1alpha1.LabelPool] = labelValue(p.Owner.Name)

	r := deskRenderer{settings: s, desk: &Desk{Owner: Owner{Namespace: p.Owner.Namespace, Name: desk}, Spec: p.Desk}}
	template := r.complete(runtimeconfig.RoleBot, &pod{
		args:      []string{"--pool=" + p.Owner.Name},
		resources: bot.Resources, placement: bot.Placement,
		// A worker that is told to end hands its conversations over between two turns.
		graceSeconds: 60,
	})
	template.labels = podSelector
	name := PoolWorkloadName(p.Owner.Name)
	r.add(deploymentOf(name, p.Owner, l, podSelector, s.podTemplate(template)))
	if p.Spec.Scaling == nil && p.Spec.Replicas > 1 || p.Spec.Scaling != nil && p.Spec.Scaling.Max > 1 {
		r.add(disruptionBudget(name, p.Owner, l, podSelector))
	}
	return sorted(r.objects)
}

// Start is the number of workers that a Bot pool begins with, before there are
// any figures to decide by.
func (p *Pool) Start() int64 {
	switch s := p.Spec.Scaling; {
	case s == nil:
		return int64(p.Spec.Replicas)
	case s.Min == nil:
		return 1
	default:
		return int64(*s.Min)
	}
}

// PoolReplicas is the number of bot workers as a server-side apply of
// v1alpha1.FieldOwnerScaling, which owns nothing else.
func PoolReplicas(namespace, pool string, replicas int32) *unstructured.Unstructured {
	return unstructuredOf(appsv1ac.Deployment(PoolWorkloadName(pool), namespace).
		WithSpec(appsv1ac.DeploymentSpec().WithReplicas(replicas)))
}
