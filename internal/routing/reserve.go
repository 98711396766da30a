package routing

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Tier of a pool's reserve: people who are given conversations only while it is called in, whatever their shifts say.
type Tier struct {
	Name    string
	Seats   int
	Members []string
}

// tierKey names a tier.
type tierKey struct{ pool, tier string }

// called is a tier as the duty of its members sees it. It is open while the tier is called in.
type called struct {
	reserve map[tierKey]conversation.ReserveCall
	key     tierKey
}

// At implements Hours.
func (h called) At(t time.Time) (open bool, change time.Time) {
	call, ok := h.reserve[h.key]
	switch {
	case !ok || t.Before(call.Since), !call.Until.IsZero() && !t.Before(call.Until):
		return false, time.Time{}
	default:
		return true, call.Until // zero for never
	}
}

// CallReserve calls a reserve tier in until a time, because a person says so. Who may is for the caller to know. Called again
// it has the new time and reason.
type CallReserve struct {
	// By whom.
	By         string
	Pool, Tier string
	// Until when, at most conversation.MaxHeld from now on.
	Until  time.Time
	Reason string
}

func (in CallReserve) decide(d *Desk, now time.Time) error {
	what := fmt.Sprintf("reserve %q of pool %q is not called in", in.Tier, in.Pool)
	if err := d.tierNamed(in.Pool, in.Tier, what); err != nil {
		return err
	}
	until := in.Until.Round(0).UTC()
	if !until.After(now) || until.Sub(now) > conversation.MaxHeld {
		return &RefusalError{
			Code: CodeMalformed, Field: "until", Value: until.Format(time.RFC3339), What: what,
			Why:    fmt.Sprintf("until is %s, and now it is %s", until.Format(time.RFC3339), now.Format(time.RFC3339)),
			Remedy: fmt.Sprintf("give a time in the next %d hours, at which the people are released; they can be called again then", int(conversation.MaxHeld/time.Hour)),
		}
	}
	key := tierKey{in.Pool, in.Tier}
	call := conversation.ReserveCall{Pool: in.Pool, Tier: in.Tier, Since: now, Until: until, By: in.By, Reason: strings.TrimSpace(in.Reason)}
	before, is := d.reserve[key]
	if is {
		call.Since = before.Since
	}
	body := &conversation.ReserveCalled{ReserveCall: call}
	if err := body.Validate(); err != nil {
		refusal := &RefusalError{Code: CodeMalformed, What: what, Why: err.Error(), Remedy: "correct it and send it again"}
		if wrong, ok := errors.AsType[*conversation.FieldError](err); ok {
			refusal.Field, refusal.Value, refusal.Remedy = wrong.Field, wrong.Value, wrong.Remedy
		}
		return refusal
	}
	if before == call {
		return nil
	}
	d.emit(now, "", body)
	d.matchTier(key, now)
	return nil
}

// ReleaseReserve ends a call by hand. A tier that nobody called by hand is left to the operator.
type ReleaseReserve struct {
	// By whom.
	By         string
	Pool, Tier string
}

func (in ReleaseReserve) decide(d *Desk, now time.Time) error {
	if err := d.tierNamed(in.Pool, in.Tier, fmt.Sprintf("reserve %q of pool %q is not released", in.Tier, in.Pool)); err != nil {
		return err
	}
	if d.reserve[tierKey{in.Pool, in.Tier}].By != "" {
		d.emit(now, "", &conversation.ReserveReleased{Pool: in.Pool, Tier: in.Tier, By: in.By})
	}
	return nil
}

// SetReserve says which tiers of a pool the operator calls in. Those that a person called are left alone.
type SetReserve struct {
	Pool   string
	Called []string
}

//nolint:unparam // one of many inputs
func (in SetReserve) decide(d *Desk, now time.Time) error {
	p := d.pools[in.Pool]
	if p == nil {
		return nil // the operator has a newer configuration
	}
	for i := range p.Reserve {
		t := &p.Reserve[i]
		key := tierKey{in.Pool, t.Name}
		call, is := d.reserve[key]
		wanted := slices.Contains(in.Called, t.Name)
		switch {
		case is && call.By != "", is == wanted:
		case wanted:
			d.emit(now, "", &conversation.ReserveCalled{
				ReserveCall: conversation.ReserveCall{Pool: in.Pool, Tier: t.Name, Since: now}, Why: []string{"seats are missing"},
			})
			d.matchTier(key, now)
		default:
			d.emit(now, "", &conversation.ReserveReleased{Pool: in.Pool, Tier: t.Name, Why: []string{"it is not needed any more"}})
		}
	}
	return nil
}

// tierNamed refuses a tier that is not declared.
func (d *Desk) tierNamed(pool, tier, what string) error {
	p := d.pools[pool]
	if p == nil || p.Kind != conversation.KindAgent {
		return &RefusalError{
			Code: CodeNotFound, Field: "pool", Value: pool, What: what, Why: fmt.Sprintf("the desk has no pool of people %q", pool),
			Remedy: "name one of the desk's AgentPools of type Human",
		}
	}
	names := make([]string, 0, len(p.Reserve))
	for i := range p.Reserve {
		names = append(names, p.Reserve[i].Name)
	}
	if slices.Contains(names, tier) {
		return nil
	}
	remedy := "use one of " + strings.Join(names, ", ")
	if len(names) == 0 {
		remedy = "declare human.reserve in the AgentPool"
	}
	return &RefusalError{
		Code: CodeNotFound, Field: "tier", Value: tier, What: what, Why: fmt.Sprintf("pool %s has no reserve tier %q", pool, tier), Remedy: remedy,
	}
}

func (d *Desk) foldReserveCalled(call conversation.ReserveCall, at time.Time) {
	d.reserve[tierKey{call.Pool, call.Tier}] = call
	if !call.Until.IsZero() {
		d.arm(timer{at: call.Until, kind: timerReserve})
	}
	d.dutyAnew(tierKey{call.Pool, call.Tier}, at)
}

func (d *Desk) foldReserveReleased(key tierKey, at time.Time) {
	delete(d.reserve, key)
	d.dutyAnew(key, at)
}

// inTier lists the signed-on members of a tier, by id.
func (d *Desk) inTier(key tierKey) []*agent {
	p := d.pools[key.pool]
	if p == nil {
		return nil
	}
	i := slices.IndexFunc(p.Reserve, func(t Tier) bool { return t.Name == key.tier })
	if i < 0 {
		return nil
	}
	var members []*agent
	for _, m := range p.Reserve[i].Members {
		if a := d.agents[m]; a != nil {
			members = append(members, a)
		}
	}
	slices.SortFunc(members, func(x, y *agent) int { return cmp.Compare(x.ID, y.ID) })
	return members
}

// dutyAnew finds the duty of a tier's members anew.
func (d *Desk) dutyAnew(key tierKey, at time.Time) {
	for _, a := range d.inTier(key) {
		a.duty.known = time.Time{}
		d.watchShift(a, at)
	}
}

func (d *Desk) matchTier(key tierKey, now time.Time) {
	for _, a := range d.inTier(key) {
		d.matchAgent(a, now)
	}
}

// sortedReserve lists who is called in, by pool and tier.
func (d *Desk) sortedReserve() []tierKey {
	return slices.SortedFunc(maps.Keys(d.reserve), func(a, b tierKey) int {
		return cmp.Or(cmp.Compare(a.pool, b.pool), cmp.Compare(a.tier, b.tier))
	})
}

// overReserve releases whose time is over, and what the configuration does not have any more.
func (d *Desk) overReserve(now time.Time) {
	for _, key := range d.sortedReserve() {
		call := d.reserve[key]
		why := ""
		if !call.Until.IsZero() && !call.Until.After(now) {
			why = "its time is over"
		} else if d.tierNamed(key.pool, key.tier, "") != nil {
			why = "the configuration has no such tier any more"
		}
		if why != "" {
			d.emit(now, "", &conversation.ReserveReleased{Pool: key.pool, Tier: key.tier, Why: []string{why}})
		}
	}
}

// TierView is how a tier of a pool stands.
type TierView struct {
	Name  string
	Seats int
	// Call by which it is called in; nil for not.
	Call *conversation.ReserveCall
	// Present are its members who are signed on and not away.
	Present int
}

// Reserve lists the tiers of a pool, in their order.
func (d *Desk) Reserve(pool string) []TierView {
	p := d.pools[pool]
	if p == nil {
		return nil
	}
	views := make([]TierView, 0, len(p.Reserve))
	for i := range p.Reserve {
		t := &p.Reserve[i]
		v := TierView{Name: t.Name, Seats: t.Seats}
		if call, is := d.reserve[tierKey{pool, t.Name}]; is {
			v.Call = &call
		}
		for _, a := range d.inTier(tierKey{pool, t.Name}) {
			if a.presence == conversation.PresenceOnline && !a.draining {
				v.Present++
			}
		}
		views = append(views, v)
	}
	return views
}
