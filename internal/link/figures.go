package link

import (
	"fmt"
	"math"
	"time"
)

// QueueFigures say how a queue is served. What nothing tells is absent, which is something else than 0.
type QueueFigures struct {
	// Offered of the waiting conversations are on offer. InProgress are those that agents have from this queue.
	Offered    int `json:"offered,omitempty"`
	InProgress int `json:"inProgress,omitempty"`
	// Counters since Report.Since: conversations that came to wait, offers that were made and that ran out, answers by
	// bots or people, and customers who gave up. AbandonedLate of these gave up later than the service level promises an
	// answer, and AnsweredInTime of the answers came within it; both count only where one is promised.
	Arrived        uint64 `json:"arrived,omitempty"`
	Offers         uint64 `json:"offers,omitempty"`
	OffersExpired  uint64 `json:"offersExpired,omitempty"`
	Answered       uint64 `json:"answered,omitempty"`
	AnsweredInTime uint64 `json:"answeredInTime,omitempty"`
	Abandoned      uint64 `json:"abandoned,omitempty"`
	AbandonedLate  uint64 `json:"abandonedLate,omitempty"`
	// AnsweredWaitSeconds is the sum of the waits of the answered ones since Report.Since.
	AnsweredWaitSeconds float64 `json:"answeredWaitSeconds,omitempty"`
	// AbandonedWaitSeconds is the sum of the waits of those who gave up since Report.Since.
	AbandonedWaitSeconds float64 `json:"abandonedWaitSeconds,omitempty"`
	// Handle times of the last conversations from the queue; nil while none was handled.
	Handle *HandleTime `json:"handle,omitempty"`
	// Level of service over the last minutes; nil where none is promised or nothing tells.
	Level *Level `json:"level,omitempty"`
	// ExpectedWaitSeconds of who comes now; nil while nothing tells, or Nobody is there who may serve the queue.
	ExpectedWaitSeconds *float64 `json:"expectedWaitSeconds,omitempty"`
	Nobody              bool     `json:"nobody,omitempty"`
	// OverflowSteps of the degradation ladder that apply by the predicted wait, and Held those that people hold.
	OverflowSteps int        `json:"overflowSteps,omitempty"`
	Held          []HeldStep `json:"held,omitempty"`
}

// HandleTime is how long agents have conversations, wrap-up included.
type HandleTime struct {
	// MeanSeconds, and Variance in seconds squared.
	MeanSeconds float64 `json:"meanSeconds"`
	Variance    float64 `json:"variance"`
}

// Level of service of a queue over the last WindowSeconds.
type Level struct {
	WindowSeconds int `json:"windowSeconds"`
	// Of so many conversations, at least 1, that were answered, or given up later than an answer was promised:
	// InTimePercent were answered within the promised time, and AbandonedPercent given up.
	Of               int     `json:"of"`
	InTimePercent    float64 `json:"inTimePercent"`
	AbandonedPercent float64 `json:"abandonedPercent"`
}

// PoolFigures say what a pool's agents do.
type PoolFigures struct {
	// Busy agents have a conversation or are offered one, Draining ones take nothing new.
	Busy     int `json:"busy,omitempty"`
	Draining int `json:"draining,omitempty"`
	// Used slots of all signed-on agents, by conversations and open offers.
	Used int `json:"used,omitempty"`
	// Counters since Report.Since: offers that were made to its agents and that ran out, conversations that they took, and
	// those that they finished or passed on.
	Offers        uint64 `json:"offers,omitempty"`
	OffersExpired uint64 `json:"offersExpired,omitempty"`
	Answered      uint64 `json:"answered,omitempty"`
	Handled       uint64 `json:"handled,omitempty"`
	// HandleSeconds and HandleSecondsSquared are the sums of the handle times of the handled ones since Report.Since, and
	// of their squares: two reports of one term give mean and variance of the time between them.
	HandleSeconds        float64 `json:"handleSeconds,omitempty"`
	HandleSecondsSquared float64 `json:"handleSecondsSquared,omitempty"`
	// Handle times of those; nil while none was handled.
	Handle *HandleTime `json:"handle,omitempty"`
}

const (
	// maxSum of seconds or of their squares: a hundred years of a thousand agents.
	maxSum = 1e22
	// maxWaitSeconds that is predicted.
	maxWaitSeconds = 100 * 24 * 3600
)

func (f *QueueFigures) validate() error {
	if f == nil {
		return nil
	}
	if err := counts(field{"offered", f.Offered}, field{"inProgress", f.InProgress}, field{"overflowSteps", f.OverflowSteps}); err != nil {
		return err
	}
	if err := validateHeld(f.Held); err != nil {
		return err
	}
	if err := f.Level.validate(); err != nil {
		return fmt.Errorf("level.%w", err)
	}
	if f.ExpectedWaitSeconds != nil {
		if err := numbers(number{"expectedWaitSeconds", *f.ExpectedWaitSeconds, maxWaitSeconds}); err != nil {
			return err
		}
	}
	if err := f.Handle.validate(); err != nil {
		return err
	}
	return numbers(number{"answeredWaitSeconds", f.AnsweredWaitSeconds, maxSum}, number{"abandonedWaitSeconds", f.AbandonedWaitSeconds, maxSum})
}

func (f *PoolFigures) validate() error {
	if f == nil {
		return nil
	}
	if err := counts(field{"busy", f.Busy}, field{"draining", f.Draining}, field{"used", f.Used}); err != nil {
		return err
	}
	if err := f.Handle.validate(); err != nil {
		return err
	}
	return numbers(number{"handleSeconds", f.HandleSeconds, maxSum}, number{"handleSecondsSquared", f.HandleSecondsSquared, maxSum})
}

func (h *HandleTime) validate() error {
	if h == nil {
		return nil
	}
	return numbers(number{"handle.meanSeconds", h.MeanSeconds, maxSum}, number{"handle.variance", h.Variance, maxSum})
}

func (l *Level) validate() error {
	if l == nil {
		return nil
	}
	if l.Of < 1 {
		return fmt.Errorf("of is %d: send 1 or more, or no level", l.Of)
	}
	if err := counts(field{"of", l.Of}, field{"windowSeconds", l.WindowSeconds}); err != nil {
		return err
	}
	return numbers(number{"inTimePercent", l.InTimePercent, 100}, number{"abandonedPercent", l.AbandonedPercent, 100})
}

type number struct {
	name        string
	value, most float64
}

// numbers must be finite: JSON has no others, but sums of what it has may become such.
func numbers(all ...number) error {
	for _, n := range all {
		if math.IsNaN(n.value) || n.value < 0 || n.value > n.most {
			return fmt.Errorf("%s is %g: send 0 to %g", n.name, n.value, n.most)
		}
	}
	return nil
}

// maxAhead is how far the beginning of the counters may be ahead of the figures: clocks are set.
const maxAhead = 24 * time.Hour

func (r *Report) validateSince() error {
	if !r.Since.IsZero() && r.Since.Sub(r.At) > maxAhead {
		return fmt.Errorf("since is %s, and at is %s: send when the counters began", r.Since.Format(time.RFC3339), r.At.Format(time.RFC3339))
	}
	return nil
}
