package capacity

import (
	"math"
	"slices"

	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// told is the flow through a pool as a report tells it; its own, or its share of the desk's.
type told struct {
	flow *link.Flow
	// term of the router that counted. Epoch tells counts apart that do not begin where others ended: of another router,
	// or of another share.
	term, epoch uint64
	shared      bool // with other pools
}

// flowOf is the flow through a pool of bots.
//
// Several pools of bots of a desk have one queue, and for which of them a conversation came nobody can say. So each gets
// the part of the desk's flow that its room is of the room of all: max agents times concurrency, of a pool without
// scaling its replicas. How long conversations last is known of all of them together, and the ages of those in progress
// are divided as those are that each pool has. One pool has all of it, exactly.
func (d *desk) flowOf(e *entry, p *link.Pool, report *link.Report) told {
	t := told{flow: p.Flow, term: report.Term, epoch: report.Term}
	if t.flow != nil || report.BotFlow == nil {
		return t
	}
	inProgress := 0
	for _, other := range d.pools {
		if figures := poolOf(report, other.pool.Name); figures != nil && !other.pool.Human {
			inProgress += figures.InProgress
		}
	}
	share := d.botShare(e)
	t.flow, t.shared, t.epoch = shareOf(report.BotFlow, share, ratio(p.InProgress, inProgress)), true, report.Term^math.Float64bits(share)
	return t
}

// botShare is the part of what comes to the desk's bots that counts as a pool's, 0 to 1.
func (d *desk) botShare(e *entry) float64 {
	rooms := 0
	for _, other := range d.pools {
		if !other.pool.Human {
			rooms += max(0, other.pool.room())
		}
	}
	return ratio(max(0, e.pool.room()), rooms)
}

func ratio(part, whole int) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// shareOf a flow. The counters are rounded down, so that they rise whenever those of the desk do, or stay.
func shareOf(f *link.Flow, share, busy float64) *link.Flow {
	of := func(n uint64) uint64 { return uint64(float64(n) * share) }
	s := &link.Flow{
		Arrived: of(f.Arrived), Started: of(f.Started), Left: of(f.Left), Ended: of(f.Ended), WaitedSeconds: f.WaitedSeconds * share,
		Handled: f.Handled,
	}
	for _, a := range f.Ages {
		if n := uint64(math.Round(float64(a.Count) * busy)); n > 0 {
			s.Ages = append(s.Ages, link.Lasting{Seconds: a.Seconds, Count: n})
		}
	}
	return s
}

// shared are the settings of a pool with its share of the arrivals that are announced to all pools of the desk.
func shared(s *scaling.Settings, share float64) scaling.Settings {
	settings := *s
	copied := false
	for i := range s.Peaks {
		if p := &s.Peaks[i]; !p.OfDesk || p.ExpectedArrivals <= 0 || share >= 1 {
			continue
		}
		if !copied {
			settings.Peaks, copied = slices.Clone(s.Peaks), true
		}
		// Of a pool without room nothing is expected; 0 would mean that nothing is announced.
		settings.Peaks[i].ExpectedArrivals = max(s.Peaks[i].ExpectedArrivals*share, math.SmallestNonzeroFloat64)
	}
	return settings
}
