package scaling

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// RoleHold is how long a role keeps what it needed: whoever connects to a replica holds a connection for as long as a
// talk, and each replica that goes sends all of its clients to another one.
const RoleHold = 5 * time.Minute

// RoleShrinkEvery so often a role shrinks at most, by a tenth and at least one replica: those whom it sends away come
// back at the others, and these must not all be hit at once.
const RoleShrinkEvery = time.Minute

// RoleSettings say how the replicas of a role of a desk follow its load.
type RoleSettings struct {
	// Min and Max replicas, at least 1.
	Min, Max int
	// PerReplica is the load that one replica takes, above 0, in Unit: "connections".
	PerReplica float64
	Unit       string
}

// RoleFigures are the load of a role as it is known.
type RoleFigures struct {
	// Load of all replicas together.
	Load float64
	// Replicas that told theirs. With fewer than there are, the load is greater than Load by an unknown part.
	Replicas int
	// Fresh says that they are of the last seconds.
	Fresh bool
}

// RoleMemory is what decisions about a role remember. The zero value is that of a role that was never looked at.
type RoleMemory struct {
	// needs of the last RoleHold: each is greater than all that come after it.
	needs []roleNeed
	// replicas that there were last, and when they became fewer.
	replicas int
	shrunk   time.Time
}

type roleNeed struct {
	at       time.Time
	replicas int
}

// RoleDecision is how many replicas a role is to have, and why.
type RoleDecision struct {
	Replicas int
	// Limited says that more would be needed than Max.
	Limited bool
	// Reason in words.
	Reason string
}

// DecideRole decides about a role that has so many replicas. It grows at once, and shrinks slowly and only by figures of
// all replicas: what is not known is never little.
func DecideRole(s *RoleSettings, f *RoleFigures, current int, m *RoleMemory, now time.Time) RoleDecision {
	least := max(1, s.Min)
	most := max(least, s.Max)
	if len(m.needs) == 0 {
		m.need(now, current) // whoever decided before may have had reasons
	}
	if current < m.replicas {
		m.shrunk = now
	}
	m.replicas = current
	// Written so that NaN fails, too.
	if !f.Fresh || !(f.Load >= 0) || math.IsInf(f.Load, 1) || !(s.PerReplica > 0) {
		m.need(now, current) // what came meanwhile nobody knows
		return RoleDecision{Replicas: clamp(current, least, most), Reason: "the load is not known: the number is kept"}
	}
	// Cut before it becomes a number of replicas: a load that cannot be must not overflow.
	needed := int(min(math.Ceil(f.Load/s.PerReplica), math.MaxInt32))
	load := fmt.Sprintf("%s %s, %s a replica", number(f.Load), s.Unit, number(s.PerReplica))
	if f.Replicas < current {
		m.need(now, max(needed, current))
		if needed <= current {
			return RoleDecision{Replicas: clamp(current, least, most), Reason: fmt.Sprintf("%d of %d replicas tell their load (%s): the number is kept", f.Replicas, current, load)}
		}
	}
	m.need(now, needed)
	wanted := max(needed, m.most(now))
	d := RoleDecision{
		Replicas: clamp(wanted, least, most), Limited: needed > most, Reason: load + whyBounded(needed, wanted, least, most),
	}
	if d.Replicas >= current || current > most {
		return d
	}
	if step := max(1, current/10); d.Replicas < current-step {
		d.Replicas, d.Reason = current-step, d.Reason+"; it shrinks step by step"
	}
	if now.Sub(m.shrunk) < RoleShrinkEvery {
		d.Replicas = current
	}
	return d
}

// whyBounded says what keeps the number from the need; empty for nothing.
func whyBounded(needed, wanted, least, most int) string {
	switch {
	case needed > most:
		return fmt.Sprintf(": %d are needed, max is %d", needed, most)
	case wanted > max(needed, least):
		return fmt.Sprintf(": %d are needed, and the need of the last %d minutes is kept", needed, int(RoleHold/time.Minute))
	case needed < least:
		return fmt.Sprintf(": %d are needed, min is %d", needed, least)
	default:
		return ""
	}
}

func clamp(n, least, most int) int { return max(least, min(n, most)) }

// number without digits that nobody needs.
func number(x float64) string {
	if x >= 10 || x == math.Trunc(x) {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.1f", x)
}

// need remembers one, in place of the smaller ones before it.
func (m *RoleMemory) need(now time.Time, replicas int) {
	m.needs = slices.DeleteFunc(m.needs, func(n roleNeed) bool { return now.Sub(n.at) >= RoleHold || n.replicas <= replicas })
	m.needs = append(m.needs, roleNeed{at: now, replicas: replicas})
}

// most that was needed in the last RoleHold.
func (m *RoleMemory) most(now time.Time) int {
	most := 0
	for _, n := range m.needs {
		if now.Sub(n.at) < RoleHold {
			most = max(most, n.replicas)
		}
	}
	return most
}
