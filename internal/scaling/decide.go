package scaling

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/scaling/erlang"
)

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
	// LimiterCap: less than the need or a floor, as a running peak caps the pool.
	LimiterCap Limiter = "cap"
	// LimiterBudget: less than the need, as the day's agent-hours would not last.
	LimiterBudget Limiter = "budget"
	// LimiterHold: more than the need, as it has not been lower for long enough.
	LimiterHold Limiter = "hold"
	// LimiterPanic: more than the need, as nobody leaves in a burst.
	LimiterPanic Limiter = "panic"
	// LimiterPace: more than the need, as a pool shrinks step by step, not in a rollout, and not before a peak.
	LimiterPace Limiter = "pace"
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
	// Running is the number of workers that exist, draining and starting ones included, for the budget; less than Current counts as Current.
	Running int
	// RollingOut says that pods of two revisions exist: nobody leaves then.
	RollingOut bool
	// Refused are those of Current that the cluster refuses to make, as a quota does. For [LongestHold] none of the others
	// leaves, as nobody could come back.
	Refused int
}

// Decision says how many workers are to serve.
type Decision struct {
	// Workers that are to serve.
	Workers int
	// Need is the greatest of what the terms ask for; 0 without fresh figures.
	Need int
	// Limiter that kept Workers from Need.
	Limiter Limiter
	// Reason in words: what came in, what it needs, what there is, what limits.
	Reason string
	// Next planned change; nil for none.
	Next *Change
	// Terms are the proposals, of which the first Proposals are set, and Winner is the name of the greatest that counts.
	Terms     [mostTerms]Term
	Proposals int
	Winner    TermName
	// Lead is the time from asking for a worker until it serves.
	Lead time.Duration
	// Panics says that there is a burst; Blind that the desk has been silent for [BlindAfter].
	Panics, Blind bool
	// Predicted is how the customers will be served by so many workers, where less than needed are allowed; nil elsewhere.
	Predicted *erlang.Performance
}

// Decide decides about a pool of bot workers, and remembers.
func Decide(in *Input, m *Memory) Decision {
	s := &in.Settings
	trouble := m.believe(in)
	lead := m.knowledge.lead(s.Lead)
	d := Decision{Lead: lead, Next: s.next(in.Now, lead)}
	m.spent.spend(s, in.Now, max(in.Current, in.Running))
	p := plan{in: in, d: &d, current: max(0, min(in.Current, mostFigures))}
	if !m.decided {
		m.decided, m.found = true, p.current
	}
	p.floor, p.peak = s.floor(in.Now, lead)
	p.most, p.cap = s.most(in.Now)
	if trouble != "" {
		p.withoutFigures(m, trouble)
		return d
	}
	o := m.look(in, lead)
	d.Terms, d.Proposals = o.terms, o.n
	p.winner, p.kept = o.winner(), m.keeps(in)
	if m.begins(in) {
		p.found = min(m.found, p.current)
	}
	d.Winner, d.Need = p.winner.Name, p.winner.Workers
	d.Panics = m.panic.update(in.Now, o.burst || o.crowded, d.Need, lead)
	m.window.record(in.Now, d.Need, p.current)
	p.hold(m, &o)
	p.limit(m)
	d.Reason = p.words()
	if d.Workers < d.Need && m.knowledge != nil {
		load := p.winner.Load
		predicted := erlang.System{Load: load, Service: m.knowledge.HandleTime(), Patience: m.knowledge.Patience()}.
			Serve(d.Workers*s.slots(), s.objective().Within.Seconds())
		d.Predicted = &predicted
		d.Reason += p.predictedWords()
	}
	return d
}

// plan is a decision while it is made.
type plan struct {
	in      *Input
	d       *Decision
	current int
	floor   int
	peak    *Peak // that asks for the floor; nil for min
	most    int
	cap     *Peak // that asks for the most; nil for max
	winner  *Term
	held    int
	found   int  // workers that the first decision found, while too little is known to let them go; else 0
	kept    bool // what there is, as the cluster refuses more
}

// withoutFigures decides about a silent desk: what was declared may raise the pool, nothing may shrink it. Nobody knows
// what would be cut.
func (p *plan) withoutFigures(m *Memory, trouble string) {
	in, d := p.in, p.d
	s, current := &in.Settings, p.current
	m.window.record(in.Now, current, current)
	m.panic = panicking{}
	d.Limiter = LimiterStale
	wanted, by := p.floor, ""
	if at := in.Figures.At; in.Now.Sub(at) > BlindAfter && (!at.IsZero() || !m.trusted.At.IsZero()) {
		d.Blind = true
		if s.Fallback > wanted {
			wanted, by = s.Fallback, "fallback"
		}
		if n := m.usual(in); n > wanted {
			wanted, by = n, "forecast"
		}
	}
	d.Workers = max(current, min(wanted, p.most))
	d.Reason = p.silentWords(trouble, by, wanted)
}

// usual is how many workers the forecast alone asks for, with room for what it does not know; 0 when it must not or cannot say.
func (m *Memory) usual(in *Input) int {
	s, k := &in.Settings, m.knowledge
	if k == nil || s.Forecast != ForecastRaise {
		return 0
	}
	fc := k.forecaster(s.Calendar)
	rate, ok := fc.Expected(in.Now, in.Now)
	if !ok {
		return 0
	}
	factor, announced, _ := s.announced(in.Now)
	load := max(rate*factor, announced) * k.HandleTime() * (1 + 1.28*fc.Error())
	return k.size(s, demand{mean: load, variance: load})
}

// hold keeps what was needed a moment ago, what a burst needed, and what will be needed in a moment.
func (p *plan) hold(m *Memory, o *outlook) {
	d := p.d
	p.held = max(d.Need, m.window.highest(p.in.Settings.hold()))
	if p.held > d.Need {
		d.Limiter = LimiterHold
	}
	if d.Panics && max(m.panic.most, p.current) > p.held {
		p.held, d.Limiter = max(m.panic.most, p.current), LimiterPanic
	}
	if o.later > p.held && p.current > p.held {
		p.held, d.Limiter = min(o.later, p.current), LimiterPace
	}
}

// limit brings what is held within floors, the pace of shrinking, the budget and the most that is allowed.
func (p *plan) limit(m *Memory) {
	in, d := p.in, p.d
	s := &in.Settings
	n := p.held
	if n <= p.floor && d.Need < p.floor {
		n, d.Limiter = p.floor, LimiterMin
		if p.peak != nil {
			d.Limiter = LimiterPeak
		}
	}
	if least := p.pace(m, n); n < least {
		n, d.Limiter = least, LimiterPace
	}
	if most, limits := m.spent.cap(in, m.knowledge, n); limits && (!d.Panics || s.Budget.WhenSpent != BudgetAllowPanic) {
		if most = max(most, p.floor); most < n {
			n, d.Limiter = most, LimiterBudget
		}
	}
	if n > p.most {
		n, d.Limiter = p.most, LimiterMax
		if p.cap != nil {
			d.Limiter = LimiterCap
		}
	}
	if n < p.current {
		m.shrink.use(p.current - n)
	}
	if d.Workers = n; n == d.Need {
		d.Limiter = LimiterNone
	}
}

// pace is the least number of workers that a pool which is to shrink to n may have now.
func (p *plan) pace(m *Memory, n int) int {
	s := &p.in.Settings
	switch {
	case n >= p.current:
		return n
	case p.in.RollingOut, s.begins(p.in.Now, p.d.Lead+s.hold()):
		return p.current
	case p.kept:
		return max(n, p.current-max(0, p.in.Refused))
	default:
		return max(p.found, p.current-m.shrink.permit(p.in.Now, p.current, s.percentPerMinute()))
	}
}

// keeps says that workers were refused a while ago. It ends by itself, since a pool of no more than there are asks for nothing that is refused.
func (m *Memory) keeps(in *Input) bool {
	if in.Refused > 0 {
		m.refused = in.Now
	}
	return !m.refused.IsZero() && in.Now.Sub(m.refused) < LongestHold
}

// begins says that arrivals have not been watched for long enough to tell who is
// needed: their rate is that of the last minutes, and those who came a handle time
// ago are not seen by whoever has just come. What was found counts as needed until
// then. Whoever was added since was so for a need that was seen, and goes with it.
func (m *Memory) begins(in *Input) bool {
	if m.knowledge == nil || in.Figures.Flow == nil {
		return false
	}
	return m.knowledge.forecaster(in.Settings.Calendar).Watched() < min(watchedHolds*in.Settings.hold(), longestWatched).Seconds()
}

// believe takes figures in and says in words why they are of no use; empty when they are.
func (m *Memory) believe(in *Input) string {
	f := &in.Figures
	if !f.Fresh(in.Now) {
		return in.silence()
	}
	if f.Flow == nil || f.At.Equal(m.trusted.At) {
		return ""
	}
	if m.knowledge == nil {
		m.knowledge = NewKnowledge()
	}
	if contradiction := f.contradicts(&m.trusted); contradiction != "" {
		if m.doubted.IsZero() {
			m.doubted = f.At
		}
		if f.At.Sub(m.doubted) < doubtedAtMost {
			return contradiction
		}
		m.trusted.Flow = nil // it goes on for so long: the desk began anew, and what was before says nothing
	}
	m.doubted = time.Time{}
	m.knowledge.learn(&in.Settings, m.trusted.At, f.At, f.Flow, m.trusted.Flow)
	m.flow = *f.Flow
	m.flow.Handled, m.flow.ColdStarts = nil, nil
	m.trusted = Figures{At: f.At, Waiting: f.Waiting, InProgress: f.InProgress, Flow: &m.flow}
	return ""
}
