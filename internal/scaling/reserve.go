package scaling

import (
	"fmt"
	"slices"
	"time"
)

const (
	// CallAfter a need for a reserve tier that lasts so long it is called.
	CallAfter = 2 * time.Minute
	// ReleaseAfter a need that has been gone for so long it is released: people are not called and sent away by the minute.
	ReleaseAfter = 15 * time.Minute
)

// Tier of a reserve.
type Tier struct {
	Name string
	// Seats that it brings.
	Seats int
	// Notice is the time from the call until its people are there, Stay how long they are not released after the call.
	Notice, Stay time.Duration
	// Members says that the tier has people of its own, so that it is known how many of them are signed on.
	Members bool
}

// TierState is how a tier stands.
type TierState struct {
	Name string
	// Called in, or else released, Since when; zero when that is not known.
	Called bool
	Since  time.Time
	// Until the people are not released.
	Until time.Time
	// By is the supervisor who called it by hand; empty for the operator. Such a call ends at Until by itself.
	By string
}

// ReserveInput is what the reserve of a pool is decided from.
type ReserveInput struct {
	Now   time.Time
	Tiers []Tier
	// Seats that are decided, people who are signed on, and of each tier with people of its own how many of these are.
	Seats    Seats
	SignedOn int
	Present  map[string]int
	// Plan of the next days, and the share of the scheduled time in which people are not there. Nil where nothing is planned.
	Plan      *SeatPlan
	Shrinkage float64
	// ByHand are the calls of supervisors, by tier.
	ByHand map[string]TierState
}

// Reserve remembers how the tiers of a pool stand. The zero value has called nobody. It is changed by [Reserve.Decide].
type Reserve struct {
	tiers map[string]*tier
}

type tier struct {
	state TierState
	// needed and spare say since when the tier is needed, and is not; zero for not.
	needed, spare time.Time
}

// Restore takes over how tiers stood, as a former leader wrote it. Tiers that are known already are left alone.
func (r *Reserve) Restore(states []TierState) {
	for _, s := range states {
		if r.tiers[s.Name] == nil {
			r.tier(s.Name).state = s
		}
	}
}

// ByHand are the tiers that stand as supervisors called them.
func (r *Reserve) ByHand() map[string]TierState {
	called := map[string]TierState{}
	for name, t := range r.tiers {
		if t.state.By != "" {
			called[name] = t.state
		}
	}
	return called
}

func (r *Reserve) tier(name string) *tier {
	if r.tiers == nil {
		r.tiers = map[string]*tier{}
	}
	t := r.tiers[name]
	if t == nil {
		t = &tier{state: TierState{Name: name}}
		r.tiers[name] = t
	}
	return t
}

// Decide says which tiers are called in, in their order. A tier is called when seats will be missing by the time that its
// people can be there, and those of the tiers before it do not suffice. It is released when it has not been needed for
// [ReleaseAfter], and its minimum stay is over. Figures that are of no use change nothing.
func (r *Reserve) Decide(in *ReserveInput) []TierState {
	for name := range r.tiers {
		if !slices.ContainsFunc(in.Tiers, func(t Tier) bool { return t.Name == name }) {
			delete(r.tiers, name)
		}
	}
	states := make([]TierState, 0, len(in.Tiers))
	covered := 0
	for i := range in.Tiers {
		declared := &in.Tiers[i]
		t := r.tier(declared.Name)
		t.byHand(in.Now, in.ByHand[declared.Name])
		if t.state.By == "" && !in.Seats.Stale {
			t.decide(in.Now, declared, r.gap(in, declared.Notice)-covered)
		}
		if t.state.Called {
			covered += declared.Seats
		}
		states = append(states, t.state)
	}
	return states
}

// byHand takes over a call of a supervisor, and its end.
func (t *tier) byHand(now time.Time, call TierState) {
	switch {
	case call.Called && now.Before(call.Until):
		since := call.Since
		if t.state.Called && !t.state.Since.IsZero() && t.state.Since.Before(since) {
			since = t.state.Since // it was called in before
		}
		t.state = TierState{Name: t.state.Name, Called: true, Since: since, Until: call.Until, By: call.By}
		t.needed, t.spare = time.Time{}, time.Time{}
	case t.state.By != "":
		t.state = TierState{Name: t.state.Name, Since: now}
	}
}

// decide about a tier that is short of so many seats if it is not called in; less than 1 is none.
func (t *tier) decide(now time.Time, declared *Tier, missing int) {
	if missing > 0 {
		t.spare = time.Time{}
		if t.needed.IsZero() || t.needed.After(now) {
			t.needed = now
		}
		if !t.state.Called && now.Sub(t.needed) >= CallAfter {
			t.state = TierState{Name: t.state.Name, Called: true, Since: now, Until: now.Add(declared.Stay)}
		}
		return
	}
	t.needed = time.Time{}
	if t.spare.IsZero() || t.spare.After(now) {
		t.spare = now
	}
	if t.state.Called && now.Sub(t.spare) >= ReleaseAfter && !now.Before(t.state.Until) {
		t.state = TierState{Name: t.state.Name, Since: now}
	}
}

// gap is how many seats will be missing after a notice without the reserve; negative when there are more than enough. What is
// missing now beyond the plan, as somebody is ill or more customers come, will be missing then.
func (r *Reserve) gap(in *ReserveInput, notice time.Duration) int {
	regular := in.SignedOn
	for i := range in.Tiers {
		declared := &in.Tiers[i]
		t := r.tiers[declared.Name]
		switch {
		case t == nil || !t.state.Called:
		case declared.Members:
			regular -= in.Present[declared.Name]
		case in.Now.Sub(t.state.Since) >= declared.Notice:
			// Nobody can tell its people from others: they are taken for there.
			regular -= declared.Seats
		}
	}
	now := in.Seats.Required - max(0, regular)
	here, known := in.planned(in.Now)
	if !known {
		return now
	}
	beyond := max(0, now-here)
	then, known := in.planned(in.Now.Add(notice))
	if !known {
		return now
	}
	if later, known := in.planned(in.Now.Add(notice + PlanStep)); known {
		then = max(then, later)
	}
	return then + beyond
}

// planned is how many seats are missing by the plan at a time; false when the plan does not say it.
func (in *ReserveInput) planned(at time.Time) (int, bool) {
	s := in.Plan.At(at)
	if s == nil || s.Required == NotKnown || s.Rostered == NotKnown {
		return 0, false
	}
	return s.Required - int(float64(s.Rostered)*(1-in.Shrinkage)+1e-9), true
}

// Words of a tier's state, for a reader.
func (s *TierState) Words() string {
	switch {
	case !s.Called:
		return s.Name + " is released"
	case s.By != "":
		return fmt.Sprintf("%s was called in by %s until %s", s.Name, s.By, s.Until.UTC().Format(time.RFC3339))
	default:
		return s.Name + " is called in"
	}
}
