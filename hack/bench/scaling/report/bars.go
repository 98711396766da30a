package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/deskfleet/deskfleet/internal/simulation"
)

// ours is the name of our policy, bound that of the clairvoyant one. Static provisioning knows the day beforehand, too.
const ours, bound, static = "deskfleet", "clairvoyant", "static"

// overall is one setting of a policy in all scenarios together, each of which counts alike.
type overall struct {
	name         string
	level, hours float64
	dropped      int
}

// total of a policy; false when a scenario is without it.
func (s *Sheet) total(name string) (overall, bool) {
	o := overall{name: name}
	for i := range s.Scenarios {
		r := s.Scenarios[i].row(name)
		if r == nil {
			return o, false
		}
		o.level += r.ServiceLevel / float64(len(s.Scenarios))
		o.hours += r.AgentHours
		o.dropped += r.Dropped
	}
	return o, len(s.Scenarios) > 0
}

func (sc *Scenario) row(name string) *Row {
	i := slices.IndexFunc(sc.Policies, func(r Row) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return &sc.Policies[i]
}

// peer is a family of settings, such as all of HPA, by agent-hours.
type peer struct {
	name     string
	settings []overall
}

// peers by the first word of their settings' names. A setting with a grace of seconds cuts conversations off, and is none to
// be compared with: what it saves are agents that it takes from customers.
func (s *Sheet) peers() []peer {
	var list []peer
	if len(s.Scenarios) == 0 {
		return nil
	}
	for _, r := range s.Scenarios[0].Policies {
		family, _, _ := strings.Cut(r.Name, " ")
		if family == ours || family == bound || family == static || strings.Contains(r.Name, "30 s grace") {
			continue
		}
		o, ok := s.total(r.Name)
		if !ok {
			continue
		}
		i := slices.IndexFunc(list, func(p peer) bool { return p.name == family })
		if i < 0 {
			i, list = len(list), append(list, peer{name: family})
		}
		list[i].settings = append(list[i].settings, o)
	}
	for i := range list {
		slices.SortStableFunc(list[i].settings, func(a, b overall) int { return cmp.Compare(a.hours, b.hours) })
	}
	return list
}

// asGood is the setting with the fewest agent-hours of those that serve at least as well in all scenarios together, false for none.
func (p *peer) asGood(level float64) (overall, bool) {
	i := slices.IndexFunc(p.settings, func(o overall) bool { return o.level >= level })
	if i < 0 {
		return overall{}, false
	}
	return p.settings[i], true
}

// between is how many agent-hours a peer takes for a service level, read between the two settings next to it; false where it never serves so well.
func (p *peer) between(level float64) (float64, bool) {
	var below *overall
	for i := range p.settings {
		o := &p.settings[i]
		if o.level >= level {
			if below == nil {
				return o.hours, true
			}
			return below.hours + (o.hours-below.hours)*(level-below.level)/(o.level-below.level), true
		}
		if below == nil || o.level > below.level {
			below = o
		}
	}
	return 0, false
}

// verdict of our policy against a setting of a peer in one scenario.
type verdict struct {
	// level is ours less the peer's, in points, chance half the width of its 95 % confidence interval over the draws.
	level, chance float64
	// hours is by what share ours are more.
	hours float64
}

func judge(us, them *Row) verdict {
	v := verdict{level: 100 * (us.ServiceLevel - them.ServiceLevel), hours: us.AgentHours/max(them.AgentHours, 1e-9) - 1}
	if n := len(us.Levels); n == len(them.Levels) && n > 1 {
		off := make([]float64, n)
		for i := range off {
			off[i] = 100 * (us.Levels[i] - them.Levels[i])
		}
		_, v.chance = simulation.Interval(off)
	}
	return v
}

// exact is the difference in points below which service is the same: the figures are printed to a hundredth.
const exact = 0.005

// missing says in what our policy is not at or above the peer's setting for no more agent-hours; empty where it is. A
// difference in service that is smaller than what draws differ by is none.
func (v verdict) missing() string {
	worse, dearer := v.level < -exact && v.level+v.chance < 0, v.hours > exact/100
	switch {
	case worse && dearer:
		return "both"
	case worse:
		return "service"
	case dearer:
		return "hours"
	default:
		return ""
	}
}

// bars prints where our policy, with its one setting, is at or above the best single setting of each peer, and where not.
// Which setting of a peer is its best depends on what is held equal, so there are up to three.
func (s *Sheet) bars(w io.Writer) {
	us, ok := s.total(ours)
	peers := s.peers()
	if !ok || len(peers) == 0 {
		return
	}
	fmt.Fprintf(w, "All scenarios together: %s answers %.2f %% in time with %.1f agent-hours; %d dropped.\n", ours, 100*us.level, us.hours, us.dropped)
	if limit, ok := s.total(bound); ok {
		fmt.Fprintf(w, "The bound takes %.1f: %s of it.\n", limit.hours, ratio(us.hours, limit.hours))
	}
	for _, p := range peers {
		fmt.Fprintf(w, "\n%s\n", p.name)
		if hours, ok := p.between(us.level); ok {
			fmt.Fprintf(w, "  read between its settings it takes %.1f agent-hours to serve as well: ours are %s\n", hours, fewer(us.hours, hours))
		}
		seen := map[string]bool{}
		compare := func(o overall, why string) {
			if seen[o.name] {
				return
			}
			seen[o.name] = true
			fmt.Fprintf(w, "  %s, %s: %.2f %% with %.1f agent-hours, ours are %s\n", o.name, why, 100*o.level, o.hours, fewer(us.hours, o.hours))
			s.against(w, o.name, o.hours >= us.hours)
		}
		if o, ok := p.asGood(us.level); ok {
			compare(o, "the cheapest that serves at least as well")
		} else {
			compare(p.best(func(overall) bool { return true }), "the best, as none serves as well")
		}
		if o := p.best(func(o overall) bool { return o.level <= us.level && o.hours >= us.hours }); o.name != "" {
			compare(o, "the best that neither serves better nor is cheaper")
		}
		if o := p.best(func(o overall) bool { return o.hours <= us.hours }); o.name != "" {
			compare(o, "the best for no more agent-hours")
		}
	}
}

// best is the setting with the best service of those that may be; without a name when there is none.
func (p *peer) best(may func(overall) bool) overall {
	best := overall{level: math.Inf(-1)}
	for _, o := range p.settings {
		if may(o) && o.level > best.level {
			best = o
		}
	}
	return best
}

func fewer(ours, theirs float64) string {
	if ours > theirs {
		return fmt.Sprintf("%.1f %% more", 100*(ours/theirs-1))
	}
	return fmt.Sprintf("%.1f %% fewer", 100*(1-ours/theirs))
}

// against prints in how many scenarios the bar holds against one setting of a peer, and the others. Against a setting that is
// cheaper in all scenarios together service alone is compared.
func (s *Sheet) against(w io.Writer, name string, dearer bool) {
	chance := 0
	var missed []string
	for i := range s.Scenarios {
		sc := &s.Scenarios[i]
		v := judge(sc.row(ours), sc.row(name))
		if !dearer {
			v.hours = min(v.hours, 0)
		}
		switch missing := v.missing(); {
		case missing != "":
			missed = append(missed, fmt.Sprintf("%s (%s: %+.2f points, %+.1f %% agent-hours)", sc.Name, missing, v.level, 100*v.hours))
		case v.level < -exact:
			chance++
		}
	}
	bar := "service at or above it"
	if dearer {
		bar += " for no more agent-hours"
	}
	fmt.Fprintf(w, "    %s in %d of %d scenarios", bar, len(s.Scenarios)-len(missed), len(s.Scenarios))
	if chance > 0 {
		fmt.Fprintf(w, ", in %d of them below it by less than draws differ", chance)
	}
	fmt.Fprintln(w)
	for _, m := range missed {
		fmt.Fprintf(w, "      not in %s\n", m)
	}
}
