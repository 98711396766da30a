package capacity

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// flow is what the loop remembers of a pool's reports, to say what happened since the one before.
type flow struct {
	// at is when the report came that was heard last, now what it says of the flow and ages of those in progress; nil when
	// it says nothing.
	at   time.Time
	now  *scaling.Flow
	ages []scaling.Lasting
	// term of the router whose counters handled are, by their durations; begun once there were any.
	term    uint64
	begun   bool
	handled map[float64]uint64
	// served are the workers that have been reported, with the time of the first one; zero for those that were there
	// when the first report came, of which nobody knows since when they serve.
	served map[string]time.Time
	// came are the cold starts since the report before.
	came []time.Duration
}

// longestColdStart that is believed: longer, and something else was missing than the worker.
const longestColdStart = time.Hour

// hear takes a report in, once.
func (f *flow) hear(p *link.Pool, told told, received time.Time) {
	if received.Equal(f.at) {
		return
	}
	first := f.at.IsZero() || received.Sub(f.at) > scaling.StaleAfter
	f.at, f.now, f.ages = received, nil, nil
	f.meet(p, first)
	if told.flow == nil {
		return
	}
	f.now = &scaling.Flow{
		Epoch: told.epoch, Shared: told.shared,
		Arrivals: told.flow.Arrived, Starts: told.flow.Started, Abandonments: told.flow.Left, Ends: told.flow.Ended,
		WaitedSeconds: told.flow.WaitedSeconds, Handled: f.ended(told.flow.Handled, told.term), ColdStarts: f.came,
	}
	f.came = nil
	f.ages = make([]scaling.Lasting, 0, len(told.flow.Ages))
	for _, l := range told.flow.Ages {
		f.ages = append(f.ages, scaling.Lasting{Seconds: l.Seconds, Count: clamp(l.Count)})
	}
}

// meet notes who serves since when.
func (f *flow) meet(p *link.Pool, first bool) {
	served := make(map[string]time.Time, len(p.Workers))
	for i := range p.Workers {
		name := p.Workers[i].Name
		since, known := f.served[name]
		if !known && !first {
			since = f.at
		}
		served[name] = since
	}
	f.served = served
}

// ended are the handle times since the report before. Of the first report everything counts: a manager that has just
// taken the lead learns from it how long conversations take. Of another router's first one nothing does, as most of it is
// known already.
func (f *flow) ended(counts []link.Lasting, term uint64) []scaling.Lasting {
	former := f.handled
	other := f.begun && f.term != term
	f.term, f.begun, f.handled = term, true, make(map[float64]uint64, len(counts))
	var ended []scaling.Lasting
	for _, l := range counts {
		f.handled[l.Seconds] += l.Count
		if before := former[l.Seconds]; !other && l.Count > before {
			ended = append(ended, scaling.Lasting{Seconds: l.Seconds, Count: clamp(l.Count - before)})
		}
	}
	return ended
}

// created tells when pods were made: with the first report of their workers that says how long they took to come up.
func (f *flow) created(pods map[string]time.Time) {
	for name, since := range f.served {
		made, known := pods[name]
		if !known || since.IsZero() {
			continue
		}
		f.served[name] = time.Time{} // once
		if took := since.Sub(made); took > 0 && took <= longestColdStart {
			f.came = append(f.came, took)
		}
	}
}

// tell adds to the figures what is known besides the numbers that every router reports.
func (f *flow) tell(figures *scaling.Figures, p *link.Pool) {
	figures.Flow, figures.Ages, figures.Ready = f.now, f.ages, p.SignedOn
	for i := range p.Workers {
		if w := &p.Workers[i]; w.Draining {
			figures.Draining += w.Busy
		}
	}
	// A worker's slots and the pool's conversations are counted apart.
	figures.Draining = min(figures.Draining, figures.InProgress)
}

// clamp is a count that a report may hold as the number that it is reckoned with.
func clamp(n uint64) int { return int(min(n, 1<<31-1)) } //nolint:gosec // bounded
