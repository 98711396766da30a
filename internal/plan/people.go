package plan

import (
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/calendar"
	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/scaling/roster"
)

// defaultShrinkagePercent is the schema's default, for objects that did not pass an API server.
const defaultShrinkagePercent = 30

// People is what a pool of people declares about its seats, with the peaks that run at now or begin within two weeks; nil
// for bots. What cannot be read is left out, and a problem of [Pool].
func People(pool *v1alpha1.AgentPool, desk *v1alpha1.ServiceDesk, now time.Time) *scaling.People {
	human := pool.Spec.Human
	if human == nil {
		return nil
	}
	p := &scaling.People{
		Concurrency: int(pool.Spec.Concurrency), Objectives: promises(desk, human.Queues), Shrinkage: defaultShrinkagePercent / 100.0,
		Calendar: Calendar(desk, "", now), Roster: rosterOf(human, zoneOf(desk)),
	}
	if percent := human.ShrinkagePercent; percent != nil {
		p.Shrinkage = float64(*percent) / 100
	}
	announced, _ := announcements(pool, desk)
	p.Peaks = scaling.Occurrences(announced, now, now.Add(peaksAhead))
	for i := range human.Reserve {
		t := &human.Reserve[i]
		tier := scaling.Tier{Name: string(t.Name), Seats: int(t.Seats), Notice: defaultNotice, Stay: defaultStay, Members: len(t.Members) > 0}
		if t.Notice != nil {
			tier.Notice = t.Notice.Span()
		}
		if t.MinimumStay != nil {
			tier.Stay = t.MinimumStay.Span()
		}
		p.Reserve = append(p.Reserve, tier)
	}
	return p
}

// Defaults of the schema, for objects that did not pass an API server.
const (
	defaultNotice = 15 * time.Minute
	defaultStay   = time.Hour
)

// promises of the queues that a pool serves, each once; those of queues without one are the usual ones.
func promises(desk *v1alpha1.ServiceDesk, queues []v1alpha1.DNSLabel) []scaling.Objective {
	var all []scaling.Objective
	for _, name := range queues {
		i := slices.IndexFunc(desk.Spec.Queues, func(q v1alpha1.Queue) bool { return q.Name == name })
		if i < 0 {
			continue
		}
		o := scaling.DefaultObjective
		if l := desk.Spec.Queues[i].ServiceLevel; l != nil {
			o.Share, o.Within = float64(l.Percent)/100, l.Within.Span()
			if l.MaxAbandonmentPercent > 0 {
				o.MaxAbandonment = float64(l.MaxAbandonmentPercent) / 100
			}
		}
		if !slices.Contains(all, o) {
			all = append(all, o)
		}
	}
	return all
}

// rosterOf a pool; nil without shifts. Members of the reserve are not on it: they come when they are called.
func rosterOf(human *v1alpha1.HumanSettings, zone string) *roster.Roster {
	reserve := map[v1alpha1.DNSLabel]bool{}
	for i := range human.Reserve {
		for _, member := range human.Reserve[i].Members {
			reserve[member] = true
		}
	}
	shifts := make([]roster.Shift, 0, len(human.Shifts))
	for i := range human.Shifts {
		s := &human.Shifts[i]
		own := zone
		if known(s.TimeZone) {
			own = s.TimeZone
		}
		breaks := make([]calendar.Period, 0, len(s.Breaks))
		for _, b := range s.Breaks {
			breaks = append(breaks, calendar.Period{From: string(b.From), To: string(b.To)})
		}
		hours, problems := calendar.Compile(calendar.Declaration{
			TimeZone: own, OpeningHours: calendar.Shift(weekdays(s.Days), calendar.Period{From: string(s.From), To: string(s.To)}, breaks),
		})
		if len(problems) > 0 {
			continue // the schema refuses such
		}
		members := s.Members
		if len(members) == 0 {
			members = human.Members
		}
		shift := roster.Shift{Hours: hours, Seats: int(s.Seats)}
		for _, member := range members {
			if !reserve[member] {
				shift.Members = append(shift.Members, string(member))
			}
		}
		shifts = append(shifts, shift)
	}
	return roster.New(shifts)
}
