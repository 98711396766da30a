package scaling

import (
	"fmt"
	"strings"
	"time"
)

// StaleAfter is the age at which figures say nothing any more. A desk reports at
// least every 5 s: two reports may be lost.
const StaleAfter = 15 * time.Second

// mostFigures is more than any desk can have; figures beyond it cannot be true.
const mostFigures = 100_000_000

// Figures of a pool, at the time at which they came.
type Figures struct {
	// At is when they were received, by the clock of the receiver; zero when there never were any.
	At time.Time
	// Waiting conversations that the pool is to serve, and those that its agents have in progress.
	Waiting, InProgress int
}

// Fresh reports whether figures may be acted on: young enough, and possible.
func (f *Figures) Fresh(now time.Time) bool {
	return !f.At.IsZero() && now.Sub(f.At) <= StaleAfter && possible(f.Waiting) && possible(f.InProgress)
}

func possible(n int) bool { return n >= 0 && n <= mostFigures }

// need is how many agents give everybody in the system a slot.
func (f *Figures) need(concurrency int) int {
	slots := max(1, concurrency)
	load := f.Waiting + f.InProgress
	need := load / slots
	if load%slots > 0 {
		need++
	}
	return need
}

// Limiter says what kept a decision from the need, or that nothing did.
type Limiter string

// Limiters.
const (
	// LimiterNone: the need is met.
	LimiterNone Limiter = ""
	// LimiterMin: more than the need, as min asks for it.
	LimiterMin Limiter = "min"
	// LimiterMax: less than the need or a floor, as max allows no more.
	LimiterMax Limiter = "max"
	// LimiterPeak: more than the need, as a running peak asks for it.
	LimiterPeak Limiter = "peak"
	// LimiterHold: more than the need, as it has not been lower for long enough.
	LimiterHold Limiter = "hold"
	// LimiterStale: what there is, as the figures are old, missing or impossible.
	LimiterStale Limiter = "stale"
)

// Input of a decision.
type Input struct {
	Now      time.Time
	Settings Settings
	Figures  Figures
	// Current is the number of workers that are to serve now: the wanted ones without those that drain.
	Current int
}

// Decision says how many workers are to serve.
type Decision struct {
	// Workers that are to serve.
	Workers int
	// Need of the figures alone; 0 without fresh figures.
	Need int
	// Limiter that kept Workers from Need.
	Limiter Limiter
	// Reason in words: what came in, what it needs, what there is, what limits.
	Reason string
	// Next planned change; nil for none.
	Next *Change
}

// Decide decides about a pool of bot workers. The memory is that of the decision
// before; the zero value for the first.
func Decide(in Input, m Memory) (Decision, Memory) {
	s := &in.Settings
	current := max(0, in.Current)
	floor, peak := s.floor(in.Now)
	most := max(0, s.Max)
	d := Decision{Next: s.next(in.Now)}
	if !in.Figures.Fresh(in.Now) {
		m = m.record(in.Now, current, current)
		// A floor may raise the pool, nothing may shrink it: nobody knows what would be cut.
		d.Workers, d.Limiter = max(current, min(floor, most)), LimiterStale
		d.Reason = in.silence() + fmt.Sprintf("; %s kept", workers(current, "is", "are"))
		if d.Workers > current {
			d.Reason += "; " + s.floorWords(floor, peak)
		}
		return d, m
	}
	d.Need = in.Figures.need(s.Concurrency)
	m = m.record(in.Now, d.Need, current)
	held := m.highest()
	d.Workers = min(max(held, floor), most)
	d.Limiter = limiter(&d, held, floor, most, peak)
	d.Reason = in.words(&d, held, floor, peak)
	return d, m
}

func limiter(d *Decision, held, floor, most int, peak *Peak) Limiter {
	switch {
	case d.Workers == d.Need:
		return LimiterNone
	case max(held, floor) > most:
		return LimiterMax
	case held > floor:
		return LimiterHold
	case peak != nil:
		return LimiterPeak
	default:
		return LimiterMin
	}
}

// silence says since when the figures are no use.
func (in *Input) silence() string {
	switch f := &in.Figures; {
	case f.At.IsZero():
		return "no figures from the desk yet"
	case in.Now.Sub(f.At) > StaleAfter:
		return "no figures from the desk since " + f.At.UTC().Format(time.TimeOnly) + " UTC"
	default:
		return fmt.Sprintf("the desk reports %d waiting and %d in progress, which cannot be", f.Waiting, f.InProgress)
	}
}

func (in *Input) words(d *Decision, held, floor int, peak *Peak) string {
	slots := max(1, in.Settings.Concurrency)
	parts := []string{
		fmt.Sprintf("%d waiting and %d in progress %s of %s", in.Figures.Waiting, in.Figures.InProgress,
			workers(d.Need, "need", "need"), plural(slots, "slot")),
		fmt.Sprintf("%d now", max(0, in.Current)),
	}
	switch d.Limiter {
	case LimiterMax:
		if floor > held {
			parts = append(parts, in.Settings.floorWords(floor, peak))
		}
		parts = append(parts, fmt.Sprintf("max %d limits", max(0, in.Settings.Max)))
	case LimiterMin, LimiterPeak:
		parts = append(parts, in.Settings.floorWords(floor, peak))
	case LimiterHold:
		parts = append(parts, fmt.Sprintf("%d were needed within the last %d s", held, int(Hold.Seconds())))
	case LimiterNone, LimiterStale:
	}
	return strings.Join(parts, "; ")
}

func (s *Settings) floorWords(floor int, peak *Peak) string {
	if peak == nil {
		return fmt.Sprintf("min %d applies", floor)
	}
	return fmt.Sprintf("peak %s asks for %d until %s", peak.Name, floor, peak.End.UTC().Format(time.RFC3339))
}

// workers counts workers with a verb before or after them: "need 3 workers", "1 worker is".
func workers(n int, one, many string) string {
	verb := many
	if n == 1 {
		verb = one
	}
	if verb == "need" {
		return verb + " " + plural(n, "worker")
	}
	return plural(n, "worker") + " " + verb
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Words of a planned change, for a reader.
func (c *Change) Words() string {
	verb := "ends"
	if c.Begins {
		verb = "begins"
	}
	return fmt.Sprintf("peak %s %s at %s: at least %s then", c.Peak, verb, c.At.UTC().Format(time.RFC3339), plural(c.Floor, "worker"))
}
