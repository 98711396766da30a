package scaling

import (
	"fmt"
	"math"
	"time"
)

const (
	// StaleAfter is the age at which figures say nothing any more. A desk reports at
	// least every 5 s: two reports may be lost.
	StaleAfter = 15 * time.Second
	// BlindAfter is the age from which on the pool is held by the forecast and the fallback.
	BlindAfter = 90 * time.Second
	// doubtedAtMost is how long figures that contradict the ones before are not believed: then the desk has begun anew.
	doubtedAtMost = 15 * time.Minute
	// mostFigures is more than any desk can have; figures beyond it cannot be true.
	mostFigures = 100_000_000
)

// Figures of a pool, at the time at which they came.
type Figures struct {
	// At is when they were received, by the clock of the receiver; zero when there never were any.
	At time.Time
	// Waiting conversations that the pool is to serve, and those that its agents have in progress.
	Waiting, InProgress int
	// Draining of those in progress are with agents that take nothing new: they need no slot of the others.
	Draining int
	// Ready agents that take conversations; 0 when that is not known.
	Ready int
	// Ages of the conversations in progress that are not Draining, in any grouping; empty when they are not known.
	Ages []Lasting
	// Flow since the desk's router began; nil when the desk does not tell.
	Flow *Flow
}

// Lasting is how many conversations have lasted, or lasted, about so many seconds.
type Lasting struct {
	Seconds float64
	Count   int
}

// Flow of conversations through a pool. The counters only rise, until Epoch changes.
type Flow struct {
	// Epoch names the time since which is counted: another one begins at 0 again.
	Epoch uint64
	// Shared says that it is a part of what flows through several pools, so that what this one has says nothing about it.
	Shared bool
	// Arrivals in the queue, also of conversations that came back; Starts are those of them that an agent took on;
	// Abandonments those that left the queue otherwise; Ends are conversations that an agent has in progress no more.
	Arrivals, Starts, Abandonments, Ends uint64
	// WaitedSeconds is how long all who have left the queue waited, together.
	WaitedSeconds float64
	// Handled are the handle times of the conversations that ended since the figures before.
	Handled []Lasting
	// ColdStarts are how long new workers took from being asked for to serving, since the figures before.
	ColdStarts []time.Duration
}

// Fresh reports whether figures may be acted on: young enough, and possible.
func (f *Figures) Fresh(now time.Time) bool {
	return !f.At.IsZero() && now.Sub(f.At) <= StaleAfter && f.possible()
}

func (f *Figures) possible() bool {
	return possible(f.Waiting) && possible(f.InProgress) && f.Draining >= 0 && f.Draining <= f.InProgress
}

func possible(n int) bool { return n >= 0 && n <= mostFigures }

// busy is what the agents that take conversations have in progress.
func (f *Figures) busy() int { return f.InProgress - f.Draining }

// need is how many agents give everybody in the system a slot.
func (f *Figures) need(concurrency int) int { return ceilDiv(f.Waiting+f.busy(), max(1, concurrency)) }

func ceilDiv(a, b int) int {
	n := a / b
	if a%b > 0 {
		n++
	}
	return n
}

// contradicts says in words how figures contradict the ones before: what is there
// now must be what was there and came, without what went. Counters are read one
// after another while conversations move, hence the room for chance.
func (f *Figures) contradicts(before *Figures) string {
	if f.Flow == nil || before.Flow == nil || f.Flow.Epoch != before.Flow.Epoch {
		return ""
	}
	is, was := f.Flow, before.Flow
	if is.Arrivals < was.Arrivals || is.Starts < was.Starts || is.Abandonments < was.Abandonments || is.Ends < was.Ends {
		return "the desk's counters went back"
	}
	if is.Shared {
		return ""
	}
	arrivals, starts := float64(is.Arrivals-was.Arrivals), float64(is.Starts-was.Starts)
	waiting := float64(before.Waiting) + arrivals - starts - float64(is.Abandonments-was.Abandonments)
	if math.Abs(waiting-float64(f.Waiting)) > 3*math.Sqrt(arrivals)+2 {
		return fmt.Sprintf("the desk reports %d waiting, and by what came and went it should be %.0f", f.Waiting, waiting)
	}
	progress := float64(before.InProgress) + starts - float64(is.Ends-was.Ends)
	if math.Abs(progress-float64(f.InProgress)) > 3*math.Sqrt(starts)+2 {
		return fmt.Sprintf("the desk reports %d in progress, and by what began and ended it should be %.0f", f.InProgress, progress)
	}
	return ""
}
