package plan

import (
	"slices"
	"strings"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// documentHuman converts the settings of people. An agent of two pools belongs to
// the first, and what names a queue or a member that is not there is left out; the
// pool reports both.
func documentHuman(spec *v1alpha1.ServiceDeskSpec, human *v1alpha1.HumanSettings, taken map[v1alpha1.DNSLabel]bool) *runtimeconfig.HumanSettings {
	settings := &runtimeconfig.HumanSettings{
		OfferTimeoutSeconds: seconds(&human.OfferTimeout),
		WrapUpSeconds:       seconds(human.WrapUp),
		MaxMisses:           int(human.MaxMisses),
		Skills:              agentSkills(human.Skills),
	}
	ours := map[v1alpha1.DNSLabel]bool{}
	for _, member := range human.Members {
		if !taken[member] {
			taken[member], ours[member] = true, true
			settings.Members = append(settings.Members, string(member))
		}
	}
	for _, queue := range human.Queues {
		if hasQueue(spec, string(queue)) {
			settings.Queues = append(settings.Queues, string(queue))
		}
	}
	for _, r := range human.Reserved {
		if hasQueue(spec, string(r.Queue)) {
			settings.Reserved = append(settings.Reserved, runtimeconfig.Reserved{Queue: string(r.Queue), Slots: int(r.Slots)})
		}
	}
	for _, w := range human.Weights {
		settings.Weights = append(settings.Weights, runtimeconfig.Weight{Channel: string(w.Channel), Slots: int(w.Slots)})
	}
	settings.Agents = memberSettings(human.Agents, ours)
	settings.Shifts = shifts(human.Shifts, ours)
	if grace := human.ShiftEndGrace; grace != nil {
		settings.ShiftEndGraceSeconds = new(seconds(grace))
	}
	settings.Reserve = reserve(human.Reserve, ours)
	return settings
}

// reserve keeps tiers of which no member is ours: they are called in all the same, and bring who is told.
func reserve(declared []v1alpha1.ReserveTier, ours map[v1alpha1.DNSLabel]bool) []runtimeconfig.Reserve {
	converted := make([]runtimeconfig.Reserve, 0, len(declared))
	for i := range declared {
		t := &declared[i]
		c := runtimeconfig.Reserve{Name: string(t.Name), Seats: int(t.Seats)}
		for _, member := range t.Members {
			if ours[member] {
				c.Members = append(c.Members, string(member))
			}
		}
		converted = append(converted, c)
	}
	return converted
}

func agentSkills(skills []v1alpha1.AgentSkill) []runtimeconfig.AgentSkill {
	converted := make([]runtimeconfig.AgentSkill, 0, len(skills))
	for _, s := range skills {
		converted = append(converted, runtimeconfig.AgentSkill{Name: string(s.Name), Level: int(s.Level)})
	}
	return converted
}

func memberSettings(agents []v1alpha1.MemberSettings, ours map[v1alpha1.DNSLabel]bool) []runtimeconfig.AgentSettings {
	var converted []runtimeconfig.AgentSettings
	for i := range agents {
		if !ours[agents[i].Name] {
			continue
		}
		a := runtimeconfig.AgentSettings{Name: string(agents[i].Name), Skills: agentSkills(agents[i].Skills)}
		if c := agents[i].Concurrency; c != nil {
			a.Concurrency = int(*c)
		}
		converted = append(converted, a)
	}
	slices.SortFunc(converted, func(a, b runtimeconfig.AgentSettings) int { return strings.Compare(a.Name, b.Name) })
	return converted
}

// shifts leaves out those of which no member is ours: without members a shift would be one of all.
func shifts(declared []v1alpha1.Shift, ours map[v1alpha1.DNSLabel]bool) []runtimeconfig.Shift {
	var converted []runtimeconfig.Shift
	for i := range declared {
		s := &declared[i]
		c := runtimeconfig.Shift{Name: string(s.Name), Days: weekdays(s.Days), From: string(s.From), To: string(s.To)}
		if known(s.TimeZone) { // a zone that is none is a problem of the pool, and the shift goes by the desk's
			c.TimeZone = s.TimeZone
		}
		for _, b := range s.Breaks {
			c.Breaks = append(c.Breaks, runtimeconfig.Period{From: string(b.From), To: string(b.To)})
		}
		for _, member := range s.Members {
			if ours[member] {
				c.Members = append(c.Members, string(member))
			}
		}
		if len(s.Members) == 0 || len(c.Members) > 0 {
			converted = append(converted, c)
		}
	}
	return converted
}

func weekdays(days []v1alpha1.Weekday) []string {
	converted := make([]string, 0, len(days))
	for _, day := range days {
		converted = append(converted, string(day))
	}
	return converted
}
