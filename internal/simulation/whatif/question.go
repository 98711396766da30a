package whatif

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

// Quarter of an hour, in which curves are told.
const Quarter = 15 * time.Minute

const quarterSeconds = 900.0

// Desk that is asked about.
type Desk struct {
	Name string
	// Location by whose clock its people live.
	Location *time.Location
	Bots     []Bots
	People   []People
	// Open says whether people are there at a time; nil for always. What bots hand off while the desk is closed reaches nobody.
	Open func(time.Time) bool
}

// Bots of a pool.
type Bots struct {
	Name string
	// Concurrency is the number of slots of a worker.
	Concurrency int
	// Scaling that was declared; nil for a fixed number of Replicas.
	Scaling  *scaling.Settings
	Replicas int
	// Objective that they are measured by.
	Objective scaling.Objective
	// ColdStart is how long a worker takes to serve, DrainDeadline after how long one that leaves hands over what it has.
	ColdStart, DrainDeadline time.Duration
}

// People of a pool.
type People struct {
	Name string
	// Concurrency is the number of slots of a seat, WrapUp how long a slot stays taken after a conversation.
	Concurrency int
	WrapUp      time.Duration
	Objective   scaling.Objective
	// Seats that are signed on at a time.
	Seats func(time.Time) int
	// Usual is the number of seats by which what is handed off is divided among pools.
	Usual int
}

// Question about a desk.
type Question struct {
	Desk Desk
	// Trace of what arrives, and Start, the instant of its second 0.
	Trace *world.Trace
	Start time.Time
	// History are the usual arrivals of the time before Start, in bins of five minutes; nil when nothing was learned.
	History []float64
	// Draws is how often the load is drawn, from Seed on.
	Draws int
	Seed  uint64
	// HandOff is the share of what bots answer that comes to people, 0 to 1.
	HandOff float64
	// BotHandle and HumanHandle are how long a bot and a person have a conversation, wrap-up not included; Patience is how
	// long customers wait. They hold where the trace does not say it.
	BotHandle, HumanHandle, Patience Spread
	// Quota is the number of workers that the namespace allows each pool; 0 for no bound.
	Quota int
	// Assumed are assumptions of the caller, in words, to stand in the answer.
	Assumed []string
}

// check tells what is wrong with a question, with the remedy.
func (q *Question) check() error {
	switch {
	case len(q.Desk.Bots)+len(q.Desk.People) == 0:
		return errors.New("the desk has no pools: nobody would answer; give its AgentPools, too")
	case q.Draws < 1 || q.Draws > 1000:
		return fmt.Errorf("%d draws: use 1 to 1000", q.Draws)
	case !(q.HandOff >= 0 && q.HandOff <= 1): // also NaN
		return fmt.Errorf("the share of what is handed off is %g: use 0 to 1", q.HandOff)
	case q.Trace == nil || !(q.Trace.Seconds > 0):
		return errors.New("nothing arrives: give a trace or a volume")
	}
	return nil
}

// Spread of durations in seconds.
type Spread struct {
	mu, sigma   float64
	exponential float64
	quantiles   []float64
	mean        float64
}

// LogNormal has a mean and a median in seconds, as handle times have. A median above the mean counts as the mean.
func LogNormal(mean, median float64) Spread {
	median = min(max(median, 1e-3), mean)
	return Spread{mu: math.Log(median), sigma: math.Sqrt(2 * math.Log(mean/median)), mean: mean}
}

// Exponential has a mean in seconds, as patience has.
func Exponential(mean float64) Spread { return Spread{exponential: mean, mean: mean} }

// Measured has the quantiles of what was measured, in seconds, at equal steps from the least to the greatest, and its mean.
func Measured(quantiles []float64, mean float64) Spread {
	sum := 0.0
	for i := range quantiles[1:] {
		sum += (quantiles[i] + quantiles[i+1]) / 2 / float64(len(quantiles)-1)
	}
	s := Spread{quantiles: slices.Clone(quantiles), mean: mean}
	if sum > 0 { // between two quantiles nobody knows where they lie; the mean is known
		for i := range s.quantiles {
			s.quantiles[i] *= mean / sum
		}
	}
	return s
}

// Mean in seconds.
func (s Spread) Mean() float64 { return s.mean }

func (s Spread) draw(r *rand.Rand) float64 {
	switch {
	case s.quantiles != nil:
		at := r.Float64() * float64(len(s.quantiles)-1)
		i := min(int(at), len(s.quantiles)-2)
		return max(1, s.quantiles[i]+(at-float64(i))*(s.quantiles[i+1]-s.quantiles[i]))
	case s.exponential > 0:
		return s.exponential * r.ExpFloat64()
	default:
		return max(1, math.Exp(s.mu+s.sigma*r.NormFloat64()))
	}
}
