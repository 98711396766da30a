package cli

import (
	"fmt"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/calendar"
	"github.com/deskfleet/deskfleet/internal/manifest"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/simulation/whatif"
)

const (
	// usualColdStart of a worker whose pool declares no leadTime, as long as scaling assumes at first.
	usualColdStart = time.Minute
	// usualDrain is the schema's default of scaleDown.drainDeadline, for a pool without scaleDown.
	usualDrain = 10 * time.Minute
)

// plannedDesk is a desk of manifests, before anybody knows when it is asked about.
type plannedDesk struct {
	name     string
	location *time.Location
	document *runtimeconfig.Document
	desk     *v1alpha1.ServiceDesk
	bots     []*v1alpha1.AgentPool
	people   []*v1alpha1.AgentPool
}

// describeDesk finds the pools of a desk among manifests.
func describeDesk(planned *render.Desk, objects *manifest.Objects) (*plannedDesk, error) {
	document, err := runtimeconfig.Parse(planned.Document)
	if err != nil {
		return nil, fmt.Errorf("ServiceDesk %s: %w", planned.Owner.Name, err)
	}
	d := &plannedDesk{name: planned.Owner.Name, document: document, location: time.UTC}
	if document.TimeZone != "" {
		if d.location, err = time.LoadLocation(document.TimeZone); err != nil {
			return nil, fmt.Errorf("ServiceDesk %s: spec.timeZone: %w", d.name, err)
		}
	}
	for _, desk := range objects.ServiceDesks {
		if desk.Name == d.name && desk.Namespace == planned.Owner.Namespace {
			d.desk = desk
		}
	}
	for _, pool := range objects.AgentPools {
		switch {
		case pool.Namespace != planned.Owner.Namespace || string(pool.Spec.DeskRef.Name) != d.name:
		case pool.Spec.Type == v1alpha1.PoolTypeBot:
			d.bots = append(d.bots, pool)
		default:
			d.people = append(d.people, pool)
		}
	}
	return d, nil
}

// peaks of all pools from one time to another: a list a pool.
func (d *plannedDesk) peaks(from, to time.Time) [][]scaling.Peak {
	pools := slices.Concat(d.bots, d.people)
	lists := make([][]scaling.Peak, 0, len(pools))
	for _, pool := range pools {
		lists = append(lists, plan.Peaks(pool, d.desk, from, to))
	}
	return lists
}

// simulated is the desk as it is asked about, with the peaks of a time, and what is assumed of it.
func (d *plannedDesk) simulated(o *planOptions, from, to time.Time) (whatif.Desk, []string) {
	sim := whatif.Desk{Name: d.name, Location: d.location}
	var assumed []string
	if c := d.document.Calendar; c != nil {
		declaration, _ := c.Declaration(d.document.TimeZone) // its problems were printed
		if hours, bad := calendar.Compile(declaration); hours != nil && len(bad) == 0 {
			sim.Open = hours.IsOpen
			assumed = append(assumed, "what bots hand off while the desk is closed reaches nobody")
		}
	}
	for _, pool := range d.bots {
		sim.Bots = append(sim.Bots, d.botPool(pool, from, to))
	}
	members := make([]int, len(d.people))
	for i, pool := range d.people {
		members[i] = len(pool.Spec.Human.Members)
	}
	given := scaling.Share(o.seats, members)
	for i, pool := range d.people {
		people, words := d.humanPool(pool, from)
		if o.changed("seats") {
			seats := given[i]
			people.Seats = func(time.Time) int { return seats }
			words = fmt.Sprintf("%s has %d seats, all day long", pool.Name, seats)
		}
		if o.wrapUpMeasured {
			people.WrapUp = 0
		}
		objective, promised := d.promise(pool)
		people.Objective = objective
		sim.People = append(sim.People, people)
		assumed = append(assumed, words, promised)
	}
	return sim, assumed
}

func (d *plannedDesk) botPool(pool *v1alpha1.AgentPool, from, to time.Time) whatif.Bots {
	b := whatif.Bots{
		Name: pool.Name, Concurrency: int(pool.Spec.Concurrency), Replicas: int(pool.Spec.Replicas),
		Objective: scaling.DefaultObjective, ColdStart: usualColdStart, DrainDeadline: usualDrain,
	}
	s := plan.Scaling(pool, d.desk, from)
	if s == nil {
		return b
	}
	s.Peaks = plan.Peaks(pool, d.desk, from, to)
	b.Scaling, b.Objective = s, s.Objective
	if s.Lead > 0 {
		b.ColdStart = s.Lead
	}
	if down := pool.Spec.Scaling.ScaleDown; down != nil && down.DrainDeadline != nil {
		b.DrainDeadline = down.DrainDeadline.Span()
	}
	return b
}

// humanPool has the seats of the roster, of which the shrinkage is not there; without shifts all members are who are no reserve.
func (d *plannedDesk) humanPool(pool *v1alpha1.AgentPool, from time.Time) (people whatif.People, assumed string) {
	human, declared := pool.Spec.Human, plan.People(pool, d.desk, from)
	people = whatif.People{Name: pool.Name, Concurrency: int(pool.Spec.Concurrency), Usual: len(human.Members)}
	if human.WrapUp != nil {
		people.WrapUp = human.WrapUp.Span()
	}
	for i := range human.Reserve {
		people.Usual -= len(human.Reserve[i].Members)
	}
	if declared.Roster == nil {
		people.Seats = func(time.Time) int { return people.Usual }
		return people, fmt.Sprintf("%s has no shifts: all of its %d members are there, while the desk is open", pool.Name, people.Usual)
	}
	there := 1 - declared.Shrinkage
	people.Seats = func(at time.Time) int { return int(float64(declared.Roster.At(at))*there + 1e-9) }
	return people, fmt.Sprintf("of the seats that the shifts of %s schedule %.0f %% are not there, and no reserve is called in", pool.Name, 100*declared.Shrinkage)
}

// promise is the objective of people: that of the desk's default queue if they serve it, else of their first queue.
func (d *plannedDesk) promise(pool *v1alpha1.AgentPool) (objective scaling.Objective, words string) {
	objective = scaling.DefaultObjective
	name := pool.Spec.Human.Queues[0]
	if slices.Contains(pool.Spec.Human.Queues, v1alpha1.DNSLabel(d.document.DefaultQueue)) {
		name = v1alpha1.DNSLabel(d.document.DefaultQueue)
	}
	for i := range d.desk.Spec.Queues {
		q := &d.desk.Spec.Queues[i]
		if q.Name != name || q.ServiceLevel == nil {
			continue
		}
		objective.Share, objective.Within = float64(q.ServiceLevel.Percent)/100, q.ServiceLevel.Within.Span()
		objective.MaxAbandonment = float64(q.ServiceLevel.MaxAbandonmentPercent) / 100
		return objective, fmt.Sprintf("%s is measured by what queue %s promises", pool.Name, name)
	}
	return objective, fmt.Sprintf("queue %s promises nothing: %s is measured by 80 %% within 20s and 3 %% abandoned at most", name, pool.Name)
}
