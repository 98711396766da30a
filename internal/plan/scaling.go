package plan

import (
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/calendar"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// peaksAhead is how far ahead peaks that recur are looked up. A pool is looked at again long before that.
const peaksAhead = 14 * 24 * time.Hour

// Scaling is what a pool declares about its number of workers, with the peaks that run at now or begin within two
// weeks; nil without spec.scaling. Peaks that cannot be read are left out, and a problem of [Pool].
func Scaling(pool *v1alpha1.AgentPool, desk *v1alpha1.ServiceDesk, now time.Time) *scaling.Settings {
	if pool.Spec.Scaling == nil {
		return nil
	}
	return settings(pool, pool.Spec.Scaling, desk, now)
}

// mostWorkers is what the schema allows a pool.
const mostWorkers = 1000

// Advice is what a pool would declare that declares nothing: the usual objective, and no max but the schema's. What comes
// of it is recommended to whoever owns spec.replicas.
func Advice(pool *v1alpha1.AgentPool, desk *v1alpha1.ServiceDesk, now time.Time) *scaling.Settings {
	return settings(pool, &v1alpha1.PoolScaling{Max: mostWorkers, Forecast: v1alpha1.ForecastObserve}, desk, now)
}

func settings(pool *v1alpha1.AgentPool, declared *v1alpha1.PoolScaling, desk *v1alpha1.ServiceDesk, now time.Time) *scaling.Settings {
	s := &scaling.Settings{
		Concurrency: int(pool.Spec.Concurrency), Min: 1, Max: int(declared.Max), Objective: objective(declared.Objective),
		Forecast: scaling.ForecastMode(declared.Forecast), Calendar: Calendar(desk, "", now),
		Lead: declared.LeadTime.Span(), Fallback: int(declared.FallbackReplicas),
	}
	if declared.Min != nil {
		s.Min = int(*declared.Min)
	}
	if down := declared.ScaleDown; down != nil {
		s.Hold, s.MaxPercentPerMinute = down.Hold.Span(), int(down.MaxPercentPerMinute)
	}
	if b := declared.Budget; b != nil {
		s.Budget = &scaling.Budget{AgentHours: float64(b.AgentHoursPerDay), WhenSpent: scaling.BudgetMode(b.WhenSpent)}
	}
	s.Peaks = Peaks(pool, desk, now, now.Add(peaksAhead))
	return s
}

// Peaks of a pool, of workers or of people, that end after from and begin before to. Those that cannot be read are left out.
func Peaks(pool *v1alpha1.AgentPool, desk *v1alpha1.ServiceDesk, from, to time.Time) []scaling.Peak {
	announced, _ := announcements(pool, desk)
	return scaling.Occurrences(announced, from, to)
}

// objective fills in what is not declared of a service level.
func objective(declared *v1alpha1.PoolObjective) scaling.Objective {
	o := scaling.DefaultObjective
	if declared == nil {
		return o
	}
	if declared.Percent > 0 {
		o.Share = float64(declared.Percent) / 100
	}
	if declared.Within != "" {
		o.Within = declared.Within.Span()
	}
	if declared.MaxAbandonmentPercent > 0 {
		o.MaxAbandonment = float64(declared.MaxAbandonmentPercent) / 100
	}
	o.Occupancy, o.QueueDepthPerAgent = float64(declared.OccupancyPercent)/100, float64(declared.QueueDepthPerAgent)
	return o
}

// zoneOf is the desk's time zone. One that cannot be read is the desk's problem, and the desk goes by UTC then, too.
func zoneOf(desk *v1alpha1.ServiceDesk) string {
	if known(desk.Spec.TimeZone) {
		return desk.Spec.TimeZone
	}
	return "UTC"
}

// known says that a time zone can be read.
func known(zone string) bool {
	if zone == "" || zone == "Local" {
		return false
	}
	_, err := time.LoadLocation(zone)
	return err == nil
}

// peaksOf a pool: those of its workers, or of its people.
func peaksOf(pool *v1alpha1.AgentPool) (peaks []v1alpha1.Peak, field string) {
	switch {
	case pool.Spec.Scaling != nil:
		return pool.Spec.Scaling.Peaks, "spec.scaling."
	case pool.Spec.Human != nil:
		return pool.Spec.Human.Peaks, "spec.human."
	default:
		return nil, ""
	}
}

func announcements(pool *v1alpha1.AgentPool, desk *v1alpha1.ServiceDesk) ([]scaling.Announced, []calendar.Problem) {
	declared, _ := peaksOf(pool)
	own, problems := announce(declared, desk, false)
	desks, _ := announce(inherited(pool, desk, declared), desk, true) // their problems are the desk's
	return append(own, desks...), problems
}

// inherited are the peaks of the desk's calendar that hold for a pool: those that the pool does not declare itself. Of people
// only the multipliers do: floors and caps are workers, and expected arrivals come to the bots.
func inherited(pool *v1alpha1.AgentPool, desk *v1alpha1.ServiceDesk, own []v1alpha1.Peak) []v1alpha1.Peak {
	if desk.Spec.Calendar == nil {
		return nil
	}
	var peaks []v1alpha1.Peak
	for i := range desk.Spec.Calendar.Peaks {
		p := desk.Spec.Calendar.Peaks[i]
		if slices.ContainsFunc(own, func(o v1alpha1.Peak) bool { return o.Name == p.Name }) {
			continue
		}
		if pool.Spec.Type == v1alpha1.PoolTypeHuman {
			if p.MultiplierPercent == 0 {
				continue
			}
			p.Floor, p.Cap = 0, 0
		}
		peaks = append(peaks, p)
	}
	return peaks
}

func announce(declared []v1alpha1.Peak, desk *v1alpha1.ServiceDesk, ofDesk bool) ([]scaling.Announced, []calendar.Problem) {
	list := make([]scaling.Announcement, 0, len(declared))
	for i := range declared {
		p := &declared[i]
		a := scaling.Announcement{Recurrence: p.Recurrence, TimeZone: zoneOf(desk), Peak: scaling.Peak{
			Name: string(p.Name), Start: p.Start.Time, End: p.End.Time, Floor: int(p.Floor), Cap: int(p.Cap),
			Multiplier: float64(p.MultiplierPercent) / 100, ExpectedArrivals: float64(p.ExpectedArrivals), OfDesk: ofDesk,
		}}
		for _, day := range p.Except {
			a.Except = append(a.Except, string(day))
		}
		list = append(list, a)
	}
	return scaling.Announce(list)
}

// deskPeakProblems finds peaks of the desk's calendar that the schema takes and that cannot be read.
func deskPeakProblems(found *problems, desk *v1alpha1.ServiceDesk) {
	if desk.Spec.Calendar == nil {
		return
	}
	_, bad := announce(desk.Spec.Calendar.Peaks, desk, true)
	for _, p := range bad {
		found.add(Terminal, v1alpha1.ReasonInvalidSpec, "spec.calendar."+p.Field,
			p.Remedy+"; until then the pools of bots go without this peak", "%s", p.Message)
	}
}

// peakProblems finds peaks that the schema takes and that cannot be read: rules of recurrence.
func peakProblems(found *problems, in *PoolInput) {
	_, field := peaksOf(in.Pool)
	_, bad := announcements(in.Pool, in.Desk)
	for _, p := range bad {
		found.add(Terminal, v1alpha1.ReasonInvalidSpec, field+p.Field,
			p.Remedy+"; until then the pool goes without this peak", "%s", p.Message)
	}
}
