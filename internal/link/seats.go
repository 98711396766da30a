package link

import (
	"fmt"
	"slices"
	"time"
)

// Seats is what a manager says of a pool of people.
type Seats struct {
	// Called names the reserve tiers that are to be called in; the others are released. Calls of supervisors go before.
	Called []string `json:"called,omitempty"`
	// Staffing is the plan of the next days, when the report shows another revision.
	Staffing *Staffing `json:"staffing,omitempty"`
}

// Staffing is what a pool of people needs in the next days, step by step. All lists are of one length.
type Staffing struct {
	// Revision names this plan.
	Revision string `json:"revision"`
	// Start of the first step, and the length of each.
	Start       time.Time `json:"start"`
	StepSeconds int       `json:"stepSeconds"`
	// ShrinkagePercent of the scheduled time in which people are not there.
	ShrinkagePercent float64 `json:"shrinkagePercent"`
	// Arrivals that are expected; Required seats that must be there, Scheduled ones that must be on the roster for that,
	// and Rostered ones that are. -1 is not known.
	Arrivals  []float64 `json:"arrivals"`
	Required  []int     `json:"required"`
	Scheduled []int     `json:"scheduled"`
	Rostered  []int     `json:"rostered"`
}

// maxSteps of a plan: eight days of quarters of an hour, with room for later releases.
const maxSteps = 3072

// Validate refuses a plan that does not fit together.
func (s *Staffing) Validate() error {
	n := len(s.Required)
	if n > maxSteps || len(s.Arrivals) != n || len(s.Scheduled) != n || len(s.Rostered) != n {
		return fmt.Errorf("staffing has %d, %d, %d and %d steps: send as many of each, at most %d", len(s.Arrivals), n, len(s.Scheduled), len(s.Rostered), maxSteps)
	}
	if s.Revision == "" || len(s.Revision) > maxName || s.StepSeconds < 1 || s.Start.IsZero() {
		return fmt.Errorf("staffing %.40q has steps of %d s from %s on: send a revision, a start and steps of a second or more", s.Revision, s.StepSeconds, s.Start)
	}
	return nil
}

// Reserve is how a reserve tier of a pool of people stands at the desk.
type Reserve struct {
	Name string `json:"name"`
	// Called in, since when. By and Until are of a supervisor's call; empty for the managers'.
	Called bool      `json:"called,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	By     string    `json:"by,omitempty"`
	// Present are the members of the tier who are signed on and not away.
	Present int `json:"present,omitempty"`
}

// maxReserve is more than the schema allows.
const maxReserve = 32

func validateReserve(list []Reserve) error {
	if len(list) > maxReserve {
		return fmt.Errorf("reserve has %d items: send at most %d", len(list), maxReserve)
	}
	for i := range list {
		if err := name(list[i].Name); err != nil {
			return fmt.Errorf("reserve[%d].%w", i, err)
		}
		if len(list[i].By) > maxName {
			return fmt.Errorf("reserve[%d].by has %d bytes: send at most %d", i, len(list[i].By), maxName)
		}
		if err := counts(field{"present", list[i].Present}); err != nil {
			return fmt.Errorf("reserve[%d].%w", i, err)
		}
	}
	return nil
}

func sameReserve(a, b []Reserve) bool {
	return slices.EqualFunc(a, b, func(x, y Reserve) bool {
		return x.Name == y.Name && x.Called == y.Called && x.By == y.By && x.Present == y.Present && x.Since.Equal(y.Since) && x.Until.Equal(y.Until)
	})
}
