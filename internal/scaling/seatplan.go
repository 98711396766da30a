package scaling

import (
	"math"
	"time"

	"github.com/deskfleet/deskfleet/internal/scaling/forecast"
)

const (
	// PlanStep is the length of a step of a [SeatPlan].
	PlanStep = 15 * time.Minute
	// PlanSteps is how many steps a plan has: eight days.
	PlanSteps = 8 * 96
	// NotKnown stands for a number of seats that nothing tells.
	NotKnown = -1
)

// SeatPlan is what a pool of people needs in the next eight days.
type SeatPlan struct {
	// Start of the first step: a full quarter of an hour.
	Start time.Time
	Steps []SeatStep
}

// SeatStep is a quarter of an hour.
type SeatStep struct {
	// Arrivals that are expected; NaN where nothing comparable is known.
	Arrivals float64
	// Required seats must be there, and Scheduled ones must be on the roster, so that the required ones are there in
	// spite of the shrinkage. [NotKnown] where the arrivals are not known and no peak asks for seats.
	Required, Scheduled int
	// Rostered seats are on the roster; [NotKnown] without one.
	Rostered int
}

// Missing is how many seats should be scheduled and are not.
func (s *SeatStep) Missing() int {
	if s.Rostered == NotKnown {
		return 0
	}
	return max(0, s.Scheduled-s.Rostered)
}

// PlanSeats works out the seats of the next eight days: the arrivals of comparable days and of announced peaks, the handle
// time, the objective by Erlang A, the shrinkage; and beside them the roster. Knowledge is nil when nothing is known.
func PlanSeats(now time.Time, p *People, k *Knowledge) *SeatPlan {
	plan := &SeatPlan{Start: now.UTC().Truncate(PlanStep), Steps: make([]SeatStep, PlanSteps)}
	if k == nil {
		k = NewKnowledge()
	}
	fc := k.forecaster(p.Calendar)
	counts := fc.Ahead(now, plan.Start, PlanStep, PlanSteps)
	rates := make([]float64, PlanSteps)
	var rostered []int
	if p.Roster != nil {
		rostered = p.Roster.Steps(plan.Start, PlanStep, PlanSteps)
	}
	for i := range plan.Steps {
		s := &plan.Steps[i]
		middle := plan.Start.Add(time.Duration(i)*PlanStep + PlanStep/2)
		factor, announced := p.announced(middle)
		if s.Arrivals = counts[i] * factor; announced > 0 {
			s.Arrivals = announced * PlanStep.Seconds()
			if usual := counts[i] * factor; usual > s.Arrivals {
				s.Arrivals = usual
			}
		}
		if rates[i] = s.Arrivals / PlanStep.Seconds(); math.IsNaN(rates[i]) {
			rates[i] = 0
		}
		s.Rostered = NotKnown
		if rostered != nil {
			s.Rostered = rostered[i]
		}
	}
	plan.require(p, k, rates, fc)
	return plan
}

// require fills in the seats. The load lags behind the arrivals: what began in the steps before is still there.
func (plan *SeatPlan) require(p *People, k *Knowledge, rates []float64, fc *forecast.Forecaster) {
	lags := k.lags()
	at := func(end int) float64 { // the load at the end of a step
		load := 0.0
		for j, seconds := range lags {
			load += rates[max(0, end-j)] * seconds
		}
		return load
	}
	before := at(-1)
	for i := range plan.Steps {
		s := &plan.Steps[i]
		load := at(i)
		// The seats stand throughout the step.
		seats := k.seats(p, max(before, load), fc.Error())
		before = load
		floor, most := p.bounds(plan.Start.Add(time.Duration(i)*PlanStep + PlanStep/2))
		if math.IsNaN(s.Arrivals) && floor == 0 {
			s.Required, s.Scheduled = NotKnown, NotKnown
			continue
		}
		if seats = max(seats, floor); most > 0 {
			seats = min(seats, most)
		}
		s.Required, s.Scheduled = seats, p.scheduled(seats)
	}
}

// mostLags bounds for how many steps conversations are followed: half a day.
const mostLags = 48

// lags are the parts of the mean handle time that a conversation spends in the step in which it began, the next one and so
// on: the modified offered load, m(t) = integral of rate(t-u) P(S>u) du.
func (k *Knowledge) lags() []float64 {
	var lags []float64
	before, all := 0.0, k.HandleTime()
	for j := range mostLags {
		area := min(k.handle.Area(float64(j+1)*PlanStep.Seconds()), all)
		lags = append(lags, area-before)
		before = area
		if all-area < 0.005*all {
			break
		}
	}
	lags[0] += all - before
	return lags
}

// At is the step of a time; nil outside the plan.
func (plan *SeatPlan) At(t time.Time) *SeatStep {
	if plan == nil || t.Before(plan.Start) {
		return nil
	}
	if i := int(t.Sub(plan.Start) / PlanStep); i < len(plan.Steps) {
		return &plan.Steps[i]
	}
	return nil
}

// Shortage is a time in which fewer seats are on the roster than should be.
type Shortage struct {
	From, Until time.Time
	// Seats that are missing at the worst.
	Seats int
}

// Next is the first shortage that ends after a time; false for none.
func (plan *SeatPlan) Next(after time.Time) (Shortage, bool) {
	var found Shortage
	for i := range plan.Steps {
		from := plan.Start.Add(time.Duration(i) * PlanStep)
		if !from.Add(PlanStep).After(after) {
			continue
		}
		missing := plan.Steps[i].Missing()
		if missing == 0 && found.Seats > 0 {
			return found, true
		}
		if missing > 0 {
			if found.Seats == 0 {
				found.From = from
			}
			found.Seats, found.Until = max(found.Seats, missing), from.Add(PlanStep)
		}
	}
	return found, found.Seats > 0
}

// Peak is when most seats should be scheduled, for the first time, and how many; false while nothing is known.
func (plan *SeatPlan) Peak() (at time.Time, seats int, ok bool) {
	seats = NotKnown
	for i := range plan.Steps {
		if s := &plan.Steps[i]; s.Scheduled > seats {
			at, seats = plan.Start.Add(time.Duration(i)*PlanStep), s.Scheduled
		}
	}
	return at, seats, seats != NotKnown
}
