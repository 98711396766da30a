package router

import (
	"fmt"
	"maps"
	"slices"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// SetSeats says what the managers have worked out of pools of people. It replaces what the call before said of the pools
// that it names, but for a plan that it leaves out, and leaves the others.
func (r *Router) SetSeats(pools map[string]link.Seats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// The map that was there may be in use.
	seats := maps.Clone(r.seats)
	if seats == nil {
		seats = map[string]link.Seats{}
	}
	for pool, say := range pools {
		if say.Staffing != nil && say.Staffing.Validate() != nil {
			say.Staffing = nil // of a manager that is not of our kind
		}
		if say.Staffing == nil {
			say.Staffing = seats[pool].Staffing
		}
		seats[pool] = say
	}
	r.seats = seats
}

// forgetSeats drops what an earlier lead of this replica was told: people have been called and released since.
func (r *Router) forgetSeats() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seats = nil
}

func (r *Router) seatsOf() map[string]link.Seats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seats
}

// staffing is the revision of the plan that is known of a pool; empty for none.
func (s *session) staffing(pool string) string {
	if plan := s.seatsOf()[pool].Staffing; plan != nil {
		return plan.Revision
	}
	return ""
}

// planned refuses to tell the plan of a pool of which none is known.
func (s *session) planned(pool string) *protocol.Error {
	for _, p := range s.desk.Pools() {
		if p.Name == pool && p.Kind == conversation.KindAgent {
			if s.plan(pool) != nil {
				return nil
			}
			return &protocol.Error{
				Code: protocol.CodeNotFound, What: fmt.Sprintf("pool %s has no staffing plan", pool),
				Why: "no manager has sent one since this router began to lead", Remedy: "ask again in a minute; a desk without an operator has none",
			}
		}
	}
	return &protocol.Error{
		Code: protocol.CodeNotFound, What: fmt.Sprintf("pool %.80q has no staffing plan", pool),
		Why: "the desk has no pool of people of that name", Remedy: "name one of the desk's AgentPools of type Human",
	}
}

func (s *session) plan(pool string) *protocol.Plan {
	p := s.seatsOf()[pool].Staffing
	if p == nil {
		return nil
	}
	return &protocol.Plan{
		Start: p.Start, StepSeconds: p.StepSeconds, ShrinkagePercent: p.ShrinkagePercent,
		Arrivals: p.Arrivals, Required: p.Required, Scheduled: p.Scheduled, Rostered: p.Rostered,
	}
}

// callReserves does what the managers want of the reserve. While they are silent it stays as it is.
func (s *session) callReserves() error {
	seats := s.seatsOf()
	for _, pool := range slices.Sorted(maps.Keys(seats)) {
		if err := s.must(routing.SetReserve{Pool: pool, Called: seats[pool].Called}); err != nil {
			return err
		}
	}
	return nil
}

// tiers of a pool's reserve.
func (s *session) tiers(pool string) []protocol.ReserveFigures {
	views := s.desk.Reserve(pool)
	tiers := make([]protocol.ReserveFigures, 0, len(views))
	for _, t := range views {
		f := protocol.ReserveFigures{Name: t.Name, Seats: t.Seats, Present: t.Present}
		if c := t.Call; c != nil {
			f.Called, f.Since, f.Until, f.By, f.Reason = true, c.Since, c.Until, c.By, c.Reason
		}
		tiers = append(tiers, f)
	}
	return tiers
}

// reserve lists the tiers of all pools that have any.
func (s *session) reserve() []protocol.PoolReserve {
	var all []protocol.PoolReserve
	for _, p := range s.desk.Pools() {
		if tiers := s.tiers(p.Name); len(tiers) > 0 {
			all = append(all, protocol.PoolReserve{Pool: p.Name, Tiers: tiers})
		}
	}
	return all
}
