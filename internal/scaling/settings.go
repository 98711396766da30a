package scaling

import (
	"math"
	"time"

	"github.com/deskfleet/deskfleet/internal/scaling/erlang"
	"github.com/deskfleet/deskfleet/internal/scaling/forecast"
)

// Settings are what the author of a pool declared.
type Settings struct {
	// Concurrency is the number of slots of one worker; less than 1 counts as 1.
	Concurrency int
	// Min and Max bound the workers; less than 0 counts as 0. Max wins over Min and over floors.
	Min, Max int
	// Peaks that were announced, in any order: each occurrence by itself, see [Announcement.Occurrences].
	Peaks []Peak
	// Objective of the service; the zero value is 80 % in 20 s with at most 3 % abandonment.
	Objective Objective
	// Forecast says what the forecast may do; the zero value is [ForecastOff].
	Forecast ForecastMode
	// Calendar says which days compare, and when a day of the budget begins.
	Calendar forecast.Calendar
	// Lead is the time from asking for a worker until it serves; 0 is learned.
	Lead time.Duration
	// Hold is how long the need must have been lower before a pool shrinks, at most [LongestHold]; 0 is [Hold].
	Hold time.Duration
	// MaxPercentPerMinute bounds how fast a pool shrinks: so much of it each minute, at least one worker; 0 is no bound.
	MaxPercentPerMinute int
	// Budget of agent-hours; nil for none.
	Budget *Budget
	// Fallback is how many workers a pool has at least whose desk has been silent for [BlindAfter]; 0 for none.
	Fallback int
}

// Objective is what customers are promised. Occupancy and QueueDepthPerAgent are
// alternatives for those who want them: with one of them the service level is not
// reckoned with.
type Objective struct {
	// Share of arrivals, 0 to 1, that is answered Within a time.
	Share  float64
	Within time.Duration
	// MaxAbandonment is the greatest share of arrivals, 0 to 1, that may hang up.
	MaxAbandonment float64
	// Occupancy is the share of the slots, 0 to 1, that may be in use; 0 for none.
	Occupancy float64
	// QueueDepthPerAgent is how many conversations may wait for each agent; 0 for none.
	QueueDepthPerAgent float64
}

// DefaultObjective holds where none is declared.
var DefaultObjective = Objective{Share: 0.8, Within: 20 * time.Second, MaxAbandonment: 0.03}

func (s *Settings) objective() Objective {
	if s.Objective == (Objective{}) {
		return DefaultObjective
	}
	return s.Objective
}

// quantile of the normal distribution below which is the share that is to be answered in time; 0 for less than half.
func (o Objective) quantile() float64 {
	return max(0, math.Sqrt2*math.Erfinv(2*min(max(o.Share, 0.5), 0.9999)-1))
}

func (o Objective) erlang() erlang.Objective {
	return erlang.Objective{Share: o.Share, Within: o.Within.Seconds(), MaxAbandonment: o.MaxAbandonment}
}

// ForecastMode says what the forecast may do. It never takes anybody away.
type ForecastMode string

// Modes of the forecast.
const (
	// ForecastOff: nothing.
	ForecastOff ForecastMode = "Off"
	// ForecastObserve: it is worked out and shown, and changes nothing.
	ForecastObserve ForecastMode = "Observe"
	// ForecastRaise: it may add workers.
	ForecastRaise ForecastMode = "Raise"
)

// Budget of a day.
type Budget struct {
	// AgentHours of a day, from midnight to midnight in the calendar's location.
	AgentHours float64
	// WhenSpent says what a spent budget, or one that would not last the day, may not refuse.
	WhenSpent BudgetMode
}

// BudgetMode says what goes before a budget.
type BudgetMode string

// What goes before a budget.
const (
	// BudgetHoldFloor: min and the floors of peaks.
	BudgetHoldFloor BudgetMode = "HoldFloor"
	// BudgetAllowPanic: these, and a burst.
	BudgetAllowPanic BudgetMode = "AllowPanic"
)

func (s *Settings) location() *time.Location {
	if s.Calendar.Location == nil {
		return time.UTC
	}
	return s.Calendar.Location
}

func (s *Settings) slots() int { return max(1, s.Concurrency) }

func (s *Settings) hold() time.Duration {
	if s.Hold <= 0 {
		return Hold
	}
	return min(s.Hold, LongestHold)
}

func (s *Settings) percentPerMinute() int {
	if s.MaxPercentPerMinute <= 0 {
		return 100
	}
	return min(100, s.MaxPercentPerMinute)
}
