package scaling

import (
	"math"
	"time"
)

// demand is how many conversations will be in the system, as far as is known: the
// conditional offered load. Those in progress have lasted for a known time, and
// are rather over the longer that is; those to come are by chance.
type demand struct {
	// mean, its variance by chance, and that of what is not known: what was surprising before, and the error of the rate.
	mean, variance, unknown float64
	// arrives is the part of the mean, and spread of its variance before surprises, that is not here yet.
	arrives, spread float64
	// rate of arrivals a second that it was reckoned with, on average.
	rate float64
}

// carried is the part of the demand that is here already, so many seconds ahead.
func (k *Knowledge) carried(f *Figures, ahead float64) demand {
	var d demand
	add := func(count int, remains float64) {
		d.mean += float64(count) * remains
		d.variance += float64(count) * remains * (1 - remains)
	}
	left := f.busy()
	for _, a := range f.Ages {
		count := max(0, min(a.Count, left))
		left -= count
		add(count, k.handle.Lasts(max(0, a.Seconds), ahead))
	}
	// Of the rest nobody knows since when: they are like any that one finds in progress.
	add(left, k.handle.Resumes(ahead))
	add(f.Waiting, k.handle.Beyond(ahead/2))
	return d
}

// steps in which arrivals are reckoned: the rate changes slowly.
const steps = 6

// arriving adds those that will arrive within so many seconds and still be there
// then, each step of them at its own rate. The known error of the rates is common
// to all of them, so that it counts by its square. Surprise is by how much more
// than chance and that error arrivals have differed.
func (k *Knowledge) arriving(d demand, ahead, relativeError, surprise float64, rate func(seconds float64) float64) demand {
	width := ahead / steps
	sum := 0.0
	for i := range steps {
		from := float64(i) * width
		r := min(max(rate(from+width/2), 0), mostFigures)
		d.rate += r / steps
		sum += r * (k.handle.Area(ahead-from) - k.handle.Area(ahead-from-width))
	}
	d.arrives, d.spread = sum, sum+relativeError*relativeError*sum*sum
	d.mean += sum
	d.variance += sum
	d.unknown += max(0, surprise*d.spread-sum)
	return d
}

// size is how many workers serve a demand within the objective.
func (k *Knowledge) size(s *Settings, d demand) int {
	o := s.objective()
	slots := d.mean
	switch {
	case o.Occupancy > 0:
		slots = d.mean / min(o.Occupancy, 1)
	case o.QueueDepthPerAgent > 0:
	default:
		// Hayward's approximation: what is above the load grows with the spread of the demand, which is not that of
		// chance alone: of those in progress much is known.
		chance := k.staffing(o.erlang()).Margin(d.mean) * math.Sqrt(max(0, min(d.variance, d.mean)))
		// What is not known lasts for longer than a queue does. The load may be greater for all of the time, and is not
		// in as much of all times as are to be served well. The two are independent of one another.
		unknown := o.quantile() * math.Sqrt(max(0, d.unknown))
		if chance > 0 {
			slots += math.Hypot(chance, unknown)
		} else {
			slots += chance + unknown
		}
	}
	return bounded(math.Ceil(slots/float64(s.slots()) - 1e-9))
}

// bounded is a number of workers that a computer can count.
func bounded(x float64) int {
	if !(x > 0) { // also NaN
		return 0
	}
	return int(min(x, mostFigures))
}

// TermName names one of the ways to the number of workers.
type TermName string

// Terms of a decision. The largest wins.
const (
	// TermFeedback: everybody in the system deserves a slot.
	TermFeedback TermName = "feedback"
	// TermLoad: those in progress that will still be, and arrivals as in the last minutes, at the lead time.
	TermLoad TermName = "load"
	// TermForecast: the same with the arrivals of comparable days.
	TermForecast TermName = "forecast"
	// TermCalendar: the same with what peaks announce.
	TermCalendar TermName = "calendar"
)

// Term is what one way to the number of workers proposes.
type Term struct {
	Name TermName
	// Workers that it asks for.
	Workers int
	// Load is the conversations in the system that it expects at the lead time, Rate the arrivals a second until then.
	Load, Rate float64
	// Counts says that it may decide; a forecast that is only observed does not.
	Counts bool
	// Peak that announces it; empty for none.
	Peak string
}

// mostTerms is the number of terms.
const mostTerms = 4

// outlook are all proposals about one pool.
type outlook struct {
	terms [mostTerms]Term
	n     int
	// later is what the forecast and the peaks ask for beyond the lead time, until a hold from now on.
	later int
	// burst says that arrivals are far above what is usual; crowded that the queue will not be served in time.
	burst, crowded bool
}

func (o *outlook) add(t Term) { o.terms[o.n] = t; o.n++ }

// winner is the term with the greatest proposal that counts.
func (o *outlook) winner() *Term {
	best := &o.terms[0]
	for i := range o.terms[:o.n] {
		if t := &o.terms[i]; t.Counts && t.Workers > best.Workers {
			best = t
		}
	}
	return best
}

// look works out all terms. Without a flow of figures only the feedback is known.
func (m *Memory) look(in *Input, lead time.Duration) outlook {
	s, f := &in.Settings, &in.Figures
	var o outlook
	feedback := f.need(s.Concurrency)
	if depth := s.objective().QueueDepthPerAgent; depth > 0 {
		feedback = max(ceilDiv(f.busy(), s.slots()), bounded(math.Ceil(float64(f.Waiting)/depth)))
	}
	o.add(Term{Name: TermFeedback, Workers: feedback, Load: float64(f.Waiting + f.busy()), Counts: true})
	if m.knowledge == nil || f.Flow == nil { // what was measured while the desk told it is no figure of now
		return o
	}
	k := m.knowledge
	fc := k.forecaster(s.Calendar)
	measured, watched, known := fc.Measured()
	expected, compared := fc.Expected(in.Now, in.Now)
	factor, announced, _ := s.announced(in.Now)
	usual := measured
	if compared {
		usual = expected * factor
	}
	usual = max(usual, announced)
	o.crowded = m.crowded(in)
	ahead := lead.Seconds()
	here := k.carried(f, ahead)
	if known {
		rate, off := measured, 1/math.Sqrt(max(1, measured*watched))
		if now, burst := fc.Burst(usual); burst {
			rate, o.burst = max(rate, now), now >= 2*usual
		}
		d := k.arriving(here, ahead, off, k.load.factor(), func(float64) float64 { return rate })
		m.observe(&k.load, in.Now, factor != 1 || announced > 0, ahead, d)
		o.add(Term{Name: TermLoad, Workers: k.size(s, d), Load: d.mean, Rate: d.rate, Counts: true})
	}
	beyond := k.carried(f, (lead + s.hold()).Seconds())
	if mode := s.Forecast; compared && (mode == ForecastRaise || mode == ForecastObserve) {
		at := func(seconds float64) float64 { r, _ := fc.Expected(in.Now, after(in.Now, seconds)); return r }
		d := k.arriving(here, ahead, fc.Error(), k.expected.factor(), at)
		m.observe(&k.expected, in.Now, factor != 1 || announced > 0, ahead, d)
		o.add(Term{Name: TermForecast, Workers: k.size(s, d), Load: d.mean, Rate: d.rate, Counts: mode == ForecastRaise})
		if mode == ForecastRaise {
			o.later = k.size(s, k.arriving(beyond, (lead+s.hold()).Seconds(), fc.Error(), k.expected.factor(), at))
		}
	}
	m.lookAtPeaks(in, &o, lead, here, measured/max(factor, 1e-3))
	return o
}

// observe compares what came with what was expected of it, and keeps what is expected now.
func (m *Memory) observe(s *surprise, now time.Time, announced bool, ahead float64, d demand) {
	k := m.knowledge
	e := expectation{mean: float32(d.arrives), variance: float32(d.spread), ahead: float32(ahead)}
	s.observe(now, announced, k.HandleTime(), e, func(seconds float64) float64 { return k.forecast.Arrived(seconds, k.handle.Beyond) })
}

// lookAtPeaks adds what peaks announce. A peak begins by the clock, and workers
// come up sooner or later than expected: capacity is there a quarter of the lead
// time, and at least half a minute, before it is needed.
func (m *Memory) lookAtPeaks(in *Input, o *outlook, lead time.Duration, here demand, measured float64) {
	s, k := &in.Settings, m.knowledge
	early := lead + max(lead/4, 30*time.Second)
	_, _, now := s.announced(in.Now)
	_, _, then := s.announced(in.Now.Add(early))
	if now == nil && then == nil {
		return
	}
	fc := k.forecaster(s.Calendar)
	rate := func(seconds float64) float64 {
		at := after(in.Now, seconds)
		usual, ok := fc.Expected(in.Now, at)
		if !ok {
			usual = measured
		}
		factor, announced, _ := s.announced(at)
		return max(usual*factor, announced)
	}
	if then == nil {
		then = now
	}
	d := k.arriving(here, lead.Seconds(), fc.Error(), 1, rate)
	// A peak is a step: capacity for all of it stands when the first of it arrives.
	full := k.arriving(k.carried(&in.Figures, early.Seconds()), early.Seconds(), fc.Error(), 1, rate)
	if step := rate(early.Seconds()); step*k.HandleTime() > full.mean {
		reached := step * (k.handle.Area(2 * k.HandleTime()))
		full = demand{mean: max(full.mean, reached), variance: max(full.variance, reached), rate: step}
	}
	t := Term{Name: TermCalendar, Workers: k.size(s, full), Load: full.mean, Rate: d.rate, Counts: true, Peak: then.Name}
	o.add(t)
	o.later = max(o.later, t.Workers)
}

func after(now time.Time, seconds float64) time.Time {
	return now.Add(time.Duration(seconds * float64(time.Second)))
}

// crowded says that whoever arrives now waits for longer than half of the promised time, behind more than a handful.
func (m *Memory) crowded(in *Input) bool {
	f, s := &in.Figures, &in.Settings
	within := s.objective().Within.Seconds()
	if within <= 0 || f.Waiting < 3 {
		return false
	}
	slots := float64(max(f.Ready, 1) * s.slots())
	if f.Ready == 0 {
		slots = float64(max(1, f.busy()))
	}
	return float64(f.Waiting) > 0.1*slots && float64(f.Waiting)*m.knowledge.HandleTime()/slots > within/2
}
