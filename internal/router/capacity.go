package router

import (
	"maps"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// SetWanted says how many workers of which pools of bots are to be active. It replaces what the call before
// said of the pools that it names, and leaves the others; the leader acts on it within a second.
func (r *Router) SetWanted(pools map[string]link.Wanted) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// The map that was there may be in use.
	wanted := maps.Clone(r.wanted)
	if wanted == nil {
		wanted = map[string]link.Wanted{}
	}
	maps.Copy(wanted, pools)
	r.wanted = wanted
}

func (r *Router) wantedPools() map[string]link.Wanted {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wanted
}

// capacity marks the workers that are to leave, takes marks back, and hands over what a worker could not
// finish in time.
func (s *session) capacity(now time.Time) error {
	wanted := s.wantedPools()
	for _, pool := range slices.Sorted(maps.Keys(wanted)) {
		w := wanted[pool]
		workers := s.workers(pool, w.Leaving)
		marks := scaling.PlanDrain(workers, w.Active)
		inputs := make([]routing.Input, 0, len(marks.Drain)+len(marks.Undrain))
		for _, id := range marks.Drain {
			inputs = append(inputs, routing.SetDrain{Agent: id, Draining: true, Scaling: true, Why: "capacity is being taken back"})
		}
		for _, id := range marks.Undrain {
			inputs = append(inputs, routing.SetDrain{Agent: id, Scaling: true, Why: "capacity is needed again"})
		}
		if w.DrainSeconds > 0 {
			for _, id := range scaling.Overdue(workers, now, time.Duration(w.DrainSeconds)*time.Second) {
				if !slices.Contains(marks.Undrain, id) {
					inputs = append(inputs, routing.HandOver{Agent: id, Why: id + " is to leave, and its time to finish is over"})
				}
			}
		}
		for _, in := range inputs {
			if err := s.must(in); err != nil {
				return err
			}
		}
	}
	return s.callReserves()
}

// workers of a pool of bots, as the plan of a drain sees them.
func (s *session) workers(pool string, leaving []string) []scaling.Worker {
	var workers []scaling.Worker
	for _, a := range s.desk.Agents() {
		if a.Kind == conversation.KindBot && a.Pool == pool {
			workers = append(workers, scaling.Worker{
				Name: a.ID, Busy: a.Busy, Draining: a.Draining, Since: a.DrainingSince,
				Own: a.Draining && !a.Scaling, Leaving: slices.Contains(leaving, a.ID),
			})
		}
	}
	return workers
}

// reportWorker tells of one worker. A drained one is only called so when all decisions are stored: with one
// that is not, a successor might still give it a conversation.
func (s *session) reportWorker(a *routing.AgentView) protocol.WorkerFigures {
	return protocol.WorkerFigures{
		ID: a.ID, Slots: a.Slots, Busy: a.Busy, Draining: a.Draining, Drained: s.drained(a),
	}
}

// drained says whether it is stored that a worker drains and has nothing any more. What was decided up to when that was
// first seen is stored with the group that is to come, at the latest.
func (s *session) drained(a *routing.AgentView) bool {
	if !a.Draining || a.Busy > 0 {
		delete(s.empty, a.ID)
		return false
	}
	seen, ok := s.empty[a.ID]
	if !ok || !seen.drains.Equal(a.DrainingSince) {
		if seen = (empty{drains: a.DrainingSince, group: s.pipe.begun}); len(s.decided) > 0 {
			seen.group++
		}
		s.empty[a.ID] = seen
	}
	return s.pipe.logged >= seen.group
}

// empty says since when a worker without a conversation drains, and with which group that is stored.
type empty struct {
	drains time.Time
	group  uint64
}

// ReportOf turns the figures of a leading router into a report to the managers.
func ReportOf(f *protocol.Figures) *link.Report {
	r := &link.Report{
		Router: f.Router, Term: f.Term, At: f.At, Since: f.Since, Agents: &link.Agents{Online: f.Agents.Online, Busy: f.Agents.Busy},
		BotFlow: flowOf(f.BotFlow),
		Archive: (*link.Storage)(f.Archive), Bus: (*link.Storage)(f.Bus), ArchiveLag: (*link.Lag)(f.ArchiveLag),
	}
	if f.Webhooks != nil {
		r.Webhooks = &link.Webhooks{}
		for _, t := range f.Webhooks.Troubled {
			r.Webhooks.Troubled = append(r.Webhooks.Troubled, link.WebhookTrouble(t))
		}
	}
	for _, role := range f.Roles {
		r.Roles = append(r.Roles, link.Role(role))
	}
	for i := range f.Queues {
		q := &f.Queues[i]
		r.Queues = append(r.Queues, link.Queue{Name: q.Name, Waiting: q.Waiting, OldestSince: q.OldestArrival, Figures: queueFigures(q)})
	}
	for i := range f.Pools {
		p := &f.Pools[i]
		pool := link.Pool{Name: p.Name, SignedOn: p.Online, Away: p.Away, Slots: p.Slots, InProgress: p.Owned, Figures: poolFigures(p), Flow: flowOf(p.Flow), Staffing: p.Staffing}
		for _, t := range p.Reserve {
			pool.Reserve = append(pool.Reserve, link.Reserve{Name: t.Name, Called: t.Called, Since: t.Since, Until: t.Until, By: t.By, Present: t.Present})
		}
		for _, w := range p.Workers {
			pool.Workers = append(pool.Workers, link.Worker{Name: w.ID, Slots: w.Slots, Busy: w.Busy, Draining: w.Draining, Drained: w.Drained})
		}
		r.Pools = append(r.Pools, pool)
	}
	return r
}

func queueFigures(q *protocol.QueueFigures) *link.QueueFigures {
	f := &link.QueueFigures{
		Offered: q.Offered, InProgress: q.InProgress, Arrived: q.Arrived, Offers: q.Offers, OffersExpired: q.OffersExpired,
		Answered: q.Answered, AnsweredInTime: q.AnsweredInTime, Abandoned: q.Abandoned, AbandonedLate: q.AbandonedLate,
		AnsweredWaitSeconds: float64(q.AnsweredWaitMillis) / 1000, AbandonedWaitSeconds: float64(q.AbandonedWaitMillis) / 1000,
		ExpectedWaitSeconds: q.ExpectedWaitSeconds,
		Nobody:              q.Nobody, OverflowSteps: q.OverflowSteps,
	}
	for _, h := range q.Held {
		f.Held = append(f.Held, link.HeldStep{Step: h.Step, Action: h.Action, Target: h.Target, Until: h.Until})
	}
	if q.HandleMeanSeconds > 0 {
		f.Handle = &link.HandleTime{MeanSeconds: q.HandleMeanSeconds, Variance: max(0, q.HandleVariance)}
	}
	if q.ServiceLevelOf > 0 {
		f.Level = &link.Level{
			WindowSeconds: int(levelSlots * levelSlot / time.Second),
			Of:            q.ServiceLevelOf, InTimePercent: q.ServiceLevelPercent, AbandonedPercent: q.AbandonedPercent,
		}
	}
	return f
}

func poolFigures(p *protocol.PoolFigures) *link.PoolFigures {
	f := &link.PoolFigures{
		Busy: p.Busy, Draining: p.Draining, Used: p.Used, Offers: p.Offers, OffersExpired: p.OffersExpired, Answered: p.Answered,
		Handled: p.Handled, HandleSeconds: p.HandleSeconds, HandleSecondsSquared: p.HandleSecondsSquared,
	}
	if n := float64(p.Handled); n > 0 {
		mean := p.HandleSeconds / n
		// Of nearly equal times the difference may come out a little below zero.
		f.Handle = &link.HandleTime{MeanSeconds: mean, Variance: max(0, p.HandleSecondsSquared/n-mean*mean)}
	}
	return f
}
