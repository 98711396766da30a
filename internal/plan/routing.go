package plan

import (
	"time"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// routing converts the desk-wide rules of matching.
func routing(r *v1alpha1.Routing) runtimeconfig.Routing {
	if r == nil {
		return runtimeconfig.Routing{}
	}
	c := runtimeconfig.Routing{
		AgeingPerMinute:  int(r.AgeingPerMinute),
		StickyForSeconds: seconds(r.StickyFor),
		ReopenForSeconds: seconds(r.ReopenFor),
	}
	for _, t := range r.Tiers {
		c.Tiers = append(c.Tiers, runtimeconfig.Tier{Name: string(t.Name), Priority: int(t.Priority)})
	}
	return c
}

// queues converts the desk's queues. A pool that the desk does not have is left
// out of rings and of overflow, and reported: a ring without it still relaxes what
// else it says, and the ladder goes on with its next step.
func queues(spec *v1alpha1.ServiceDeskSpec, pools []*v1alpha1.AgentPool) []runtimeconfig.Queue {
	people := humanPools(pools)
	converted := make([]runtimeconfig.Queue, 0, len(spec.Queues))
	for i := range spec.Queues {
		converted = append(converted, queue(&spec.Queues[i], people))
	}
	return converted
}

func queue(q *v1alpha1.Queue, people map[v1alpha1.DNSLabel]*v1alpha1.HumanSettings) runtimeconfig.Queue {
	c := runtimeconfig.Queue{
		Name: string(q.Name), Priority: int(*q.Priority),
		MaxWaitSeconds: seconds(q.MaxWait), Announce: runtimeconfig.Announce(q.Announce),
	}
	if q.MaxLength != nil {
		c.MaxLength = int(*q.MaxLength)
	}
	for _, s := range q.Skills {
		c.Skills = append(c.Skills, runtimeconfig.QueueSkill{Name: string(s.Name), Level: int(s.Level), Need: runtimeconfig.Need(s.Need)})
	}
	if level := q.ServiceLevel; level != nil {
		c.ServiceLevel = &runtimeconfig.ServiceLevel{
			Percent: int(level.Percent), WithinSeconds: seconds(&level.Within), MaxAbandonmentPercent: int(level.MaxAbandonmentPercent),
		}
	}
	for i := range q.Relax {
		c.Relax = append(c.Relax, ring(&q.Relax[i], people))
	}
	for i := range q.Overflow {
		if step := &q.Overflow[i]; step.Pool == nil || people[*step.Pool] != nil {
			c.Overflow = append(c.Overflow, overflowStep(step))
		}
	}
	return c
}

func ring(r *v1alpha1.Ring, people map[v1alpha1.DNSLabel]*v1alpha1.HumanSettings) runtimeconfig.Relax {
	c := runtimeconfig.Relax{AfterSeconds: seconds(&r.After), Drop: runtimeconfig.Drop(r.Drop)}
	if r.LowerLevelsBy != nil {
		c.LowerLevelsBy = int(*r.LowerLevelsBy)
	}
	for _, pool := range r.AddPools {
		if people[pool] != nil {
			c.AddPools = append(c.AddPools, string(pool))
		}
	}
	return c
}

func overflowStep(s *v1alpha1.OverflowStep) runtimeconfig.Overflow {
	c := runtimeconfig.Overflow{
		PredictedWaitSeconds: seconds(&s.PredictedWait),
		Action:               runtimeconfig.OverflowAction(s.Action),
		Say:                  localized(s.Say),
	}
	if s.Pool != nil {
		c.Pool = string(*s.Pool)
	}
	if s.Queue != nil {
		c.Queue = string(*s.Queue)
	}
	return c
}

// humanPools are the settings of the pools of people, by name.
func humanPools(pools []*v1alpha1.AgentPool) map[v1alpha1.DNSLabel]*v1alpha1.HumanSettings {
	people := map[v1alpha1.DNSLabel]*v1alpha1.HumanSettings{}
	for _, pool := range pools {
		if pool.Spec.Human != nil {
			people[v1alpha1.DNSLabel(pool.Name)] = pool.Spec.Human
		}
	}
	return people
}

// seconds of a duration that may be absent: 0 then.
func seconds(d *v1alpha1.Duration) int {
	if d == nil {
		return 0
	}
	return int(d.Span() / time.Second)
}
