package scaling

import (
	"fmt"
	"time"
)

// SeatsInput is what the seats of a pool of people are decided from.
type SeatsInput struct {
	Now time.Time
	// Concurrency is the number of slots of one seat; less than 1 counts as 1.
	Concurrency int
	Figures     Figures
	// SignedOn are the people who are signed on and not away.
	SignedOn int
	// Required by the decision before; 0 for the first.
	Required int
	// People that are declared; nil leaves what arrives out of account. Passed is what happened since the decision
	// before; nil for nothing that is known.
	People *People
	Passed *Passed
}

// Seats that a pool of people needs.
type Seats struct {
	// Required seats, by the highest need within the last [Hold]: people are not called and sent away by the second.
	Required int
	// Shortfall is what is missing of them; never negative.
	Shortfall int
	// Stale says that the figures are of no use, and Required is that of the decision before.
	Stale bool
	// Reason in words.
	Reason string
}

// DecideSeats decides about a pool of people, and remembers.
func DecideSeats(in *SeatsInput, m *Memory) Seats {
	required := max(0, in.Required)
	if !in.Figures.Fresh(in.Now) {
		silence := Input{Now: in.Now, Figures: in.Figures}
		m.window.record(in.Now, required, required)
		return Seats{
			Required: required, Shortfall: max(0, required-in.SignedOn), Stale: true, Reason: silence.silence(),
		}
	}
	feedback := in.Figures.need(in.Concurrency)
	need, arrivals := feedback, ""
	if in.People != nil {
		need, arrivals = m.people(in, feedback)
	}
	m.window.record(in.Now, need, required)
	s := Seats{Required: m.window.highest(Hold)}
	s.Shortfall = max(0, s.Required-max(0, in.SignedOn))
	s.Reason = fmt.Sprintf("%d waiting and %d in progress need %s of %s; %d signed on", in.Figures.Waiting, in.Figures.InProgress,
		plural(feedback, "seat"), plural(max(1, in.Concurrency), "slot"), in.SignedOn)
	s.Reason = arrivals + s.Reason
	if s.Required > need {
		s.Reason += fmt.Sprintf("; %d were needed within the last %d s", s.Required, int(Hold.Seconds()))
	}
	return s
}

// people is what the arrivals of the last minutes need, if that is more than the feedback, and says so.
func (m *Memory) people(in *SeatsInput, feedback int) (need int, words string) {
	if in.Passed != nil {
		if m.knowledge == nil {
			m.knowledge = NewKnowledge()
		}
		m.knowledge.pass(in.People, in.Passed)
	}
	if m.knowledge == nil {
		return feedback, ""
	}
	seats, perHour, known := m.knowledge.measured(in.People)
	if !known || seats <= feedback {
		return feedback, ""
	}
	return seats, fmt.Sprintf("%.0f arrivals an hour of %.0f s need %s; ", perHour, m.knowledge.HandleTime(), plural(seats, "seat"))
}
