package forecast

import (
	"math"
	"slices"
	"time"
)

const (
	// medianOf is how many days at most a median is taken of.
	medianOf = 10
	// ahead is how many bins the expected arrivals are worked out for: a day. What comes now is first of account for
	// the same time tomorrow, so that nothing within it needs to be worked out twice.
	ahead = BinsPerDay
	// judged is how many bins before its time a forecast is judged by: about a cold start and a hold.
	judged = 2
	// Level correction: prior weight in conversations, time constant and bounds, and the time after which it has faded.
	levelPrior   = 30
	levelSeconds = 22.0
	levelLeast   = 0.4
	levelMost    = 3.0
	levelFades   = 2 * time.Hour
	// Relative error that is assumed before any forecast was judged, and its greatest value.
	firstError, mostError = 0.10, 1.0
	errorWeight           = 1.0 / 48
	// enough arrivals tell their rate to a twentieth.
	enough = 400
)

// Calendar says which days compare.
type Calendar struct {
	// Location whose midnight begins a day, and whose wall clock people live by; nil is UTC.
	Location *time.Location
	// Holiday says that a date, at any time of it, is one on which people act as on no usual day. Nil for none. It must be fast.
	Holiday func(time.Time) bool
	// Holidays tells one set of holidays from another: two calendars with the same number have the same ones.
	Holidays uint64
}

func (c Calendar) location() *time.Location {
	if c.Location == nil {
		return time.UTC
	}
	return c.Location
}

// Forecaster expects arrivals. Make it with [New]; it is not safe for concurrent use.
type Forecaster struct {
	history  *History
	calendar Calendar
	recent   recent
	// curve are the expected arrivals of the bins from first on, medians those before they are smoothed, from the bin
	// before on; NaN is not known. samples is of how many days the latest is the median.
	curve, medians []float32
	first          int64
	samples        int
	// level is by what factor today is above the curve, factor how much of the last minutes was an announced peak.
	level, factor float64
	// errors is the squared relative error of past forecasts beyond chance. promised are forecasts to be judged, by bin.
	errors   float64
	promised [8]promise
}

type promise struct {
	bin   int64
	count float64
}

// New makes a forecaster on a history, which it goes on filling.
func New(h *History, c Calendar) *Forecaster {
	if h == nil {
		h = &History{}
	}
	c.Location = c.location()
	return &Forecaster{history: h, calendar: c, level: 1, factor: 1, errors: firstError * firstError}
}

// History that is filled.
func (f *Forecaster) History() *History { return f.history }

// Observe takes in that count conversations arrived between two times. Factor is
// by what an announced peak multiplies the usual arrivals then, 1 for none; a peak
// is kept out of the history, or it would be expected again where none is announced.
func (f *Forecaster) Observe(from, to time.Time, count, factor float64) {
	if !(count >= 0) || count > 1e9 || !to.After(from) { // also NaN
		return
	}
	if factor == 1 {
		f.history.Add(from, to, count)
	}
	f.recent.add(from, to, count)
	f.move(to)
	f.correct(from, to, factor)
}

// Follow takes over another calendar, such as after a change of the time zone: what was counted stays, as it is kept by
// the bins of UTC, and is compared anew.
func (f *Forecaster) Follow(c Calendar) {
	c.Location = c.location()
	if c.Holidays == f.calendar.Holidays && c.Location.String() == f.calendar.Location.String() {
		return
	}
	f.calendar = c
	f.Refresh()
}

// Refresh works all expectations out anew with the next figures, after the history was merged with another.
func (f *Forecaster) Refresh() { f.curve = nil }

// move brings the curve to a time: once a bin.
func (f *Forecaster) move(now time.Time) {
	bin := binOf(now.Unix())
	if f.curve != nil && bin == f.first {
		return
	}
	f.judge(bin - 1)
	if f.curve == nil || bin != f.first+1 {
		f.curve, f.medians = make([]float32, ahead), make([]float32, ahead+2)
		for i := range f.medians {
			f.medians[i] = f.median(bin + int64(i) - 1)
		}
	} else {
		copy(f.medians, f.medians[1:])
		f.medians[ahead+1] = f.median(bin + ahead)
		f.medians[ahead] = f.median(bin + ahead - 1) // its yesterday is known by now
	}
	for i := range f.curve {
		f.curve[i] = smooth(f.medians[i : i+3])
	}
	f.first = bin
	if e, ok := f.expected(bin + judged); ok {
		p := &f.promised[(bin+judged)%int64(len(f.promised))]
		*p = promise{bin: bin + judged, count: e * f.levelAt(float64(judged)*float64(binSeconds))}
	}
}

// judge compares a forecast with what came, beyond what chance explains.
func (f *Forecaster) judge(bin int64) {
	p := f.promised[(bin%8+8)%8]
	actual, known := f.history.at(bin)
	if !known || p.bin != bin || p.count < 1 {
		return
	}
	off := actual - p.count
	beyond := max(0, off*off-p.count) / (p.count * p.count)
	f.errors += errorWeight * (min(beyond, mostError*mostError) - f.errors)
}

// smooth is the mean of a bin's median and its neighbours'; NaN when none is known.
func smooth(medians []float32) float32 {
	sum, weight := float32(0), float32(0)
	for _, m := range medians {
		if m >= 0 {
			sum, weight = sum+m, weight+1
		}
	}
	return sum / weight
}

type class int8

const (
	workingDay class = iota
	saturday
	sunday
	holiday
)

func (f *Forecaster) classOf(t time.Time) class {
	switch {
	case f.calendar.Holiday != nil && f.calendar.Holiday(t):
		return holiday
	case t.Weekday() == time.Saturday:
		return saturday
	case t.Weekday() == time.Sunday:
		return sunday
	default:
		return workingDay
	}
}

// median of the latest comparable days at the same time of the wall clock; NaN when there is none.
func (f *Forecaster) median(bin int64) float32 {
	at := time.Unix(bin*binSeconds, 0).In(f.calendar.Location)
	want := f.classOf(at)
	var buffer [medianOf]float64
	found := f.collect(buffer[:0], at, want)
	if len(found) == 0 && want == holiday {
		// Of no holiday anything is known: a Sunday is nearest.
		found = f.collect(buffer[:0], at, sunday)
	}
	f.samples = len(found)
	if len(found) == 0 {
		return float32(math.NaN())
	}
	slices.Sort(found)
	mid := len(found) / 2
	if len(found)%2 == 1 {
		return float32(found[mid])
	}
	return float32((found[mid-1] + found[mid]) / 2)
}

func (f *Forecaster) collect(found []float64, at time.Time, want class) []float64 {
	year, month, date := at.Date()
	hour, minute := at.Hour(), at.Minute()
	for back := 1; back < Days && len(found) < medianOf; back++ {
		day := time.Date(year, month, date-back, hour, minute, 0, 0, f.calendar.Location)
		count, known := f.history.at(binOf(day.Unix()))
		if known && f.classOf(day) == want {
			found = append(found, count)
		}
	}
	return found
}

func (f *Forecaster) expected(bin int64) (float64, bool) {
	i := bin - f.first
	if f.curve == nil || i < 0 || i >= ahead || math.IsNaN(float64(f.curve[i])) {
		return 0, false
	}
	return float64(f.curve[i]), true
}

// correct moves the level towards what the last ten minutes showed.
func (f *Forecaster) correct(from, to time.Time, factor float64) {
	f.factor += (1 - math.Exp(-to.Sub(from).Seconds()/(recentSeconds/2))) * (factor - f.factor)
	if f.recent.seconds < 60 || f.factor < 0.9 || f.factor > 1.1 {
		// In a peak, and in the minutes after it, what was usual cannot be told from what was announced.
		return
	}
	expected := 0.0
	// Ten minutes are at most three bins; those before the first are taken from the curve's beginning.
	for left, at := min(f.recent.seconds, recentSeconds), to.Unix(); left > 0; {
		e, ok := f.expected(max(binOf(at), f.first))
		if !ok {
			return
		}
		step := min(left, float64(at-binOf(at)*binSeconds)+1)
		expected += e * step / float64(binSeconds)
		left, at = left-step, at-int64(step)
	}
	target := (f.recent.sum(recentSeconds) + levelPrior) / (expected + levelPrior)
	f.level += (1 - math.Exp(-to.Sub(from).Seconds()/levelSeconds)) * (target - f.level)
	f.level = min(max(f.level, levelLeast), levelMost)
}

// levelAt is the correction so many seconds ahead: it fades.
func (f *Forecaster) levelAt(seconds float64) float64 {
	return 1 + (f.level-1)*math.Exp(-max(0, seconds)/levelFades.Seconds())
}

// Expected is the rate of arrivals a second at a time from now on; false when nothing comparable is known.
func (f *Forecaster) Expected(now, at time.Time) (float64, bool) {
	bin := binOf(at.Unix())
	e, ok := f.expected(bin)
	if !ok {
		return 0, false
	}
	// Between the middles of two bins the rate changes gradually.
	part := float64(at.Unix()-bin*binSeconds)/float64(binSeconds) - 0.5
	other := bin + 1
	if part < 0 {
		other = bin - 1
	}
	if o, ok := f.expected(other); ok {
		e += (o - e) * math.Abs(part)
	}
	return e / float64(binSeconds) * f.levelAt(at.Sub(now).Seconds()), true
}

// Level is by what factor the last minutes are above what was expected, 0.4 to 3.
func (f *Forecaster) Level() float64 { return f.level }

// Error is the relative error of forecasts beyond chance, 0 to 1.
func (f *Forecaster) Error() float64 { return math.Sqrt(f.errors) }

// Samples is of how many days the latest forecast is the median.
func (f *Forecaster) Samples() int { return f.samples }

// Measured is the rate of arrivals a second of the last minutes, as few as tell
// enough, and for how many seconds was looked back; false when less than 30 s were watched.
func (f *Forecaster) Measured() (rate, seconds float64, ok bool) {
	if f.recent.seconds < 30 {
		return 0, 0, false
	}
	seconds = min(f.recent.seconds, 300)
	count := f.recent.sum(seconds)
	if count < enough && f.recent.seconds > seconds {
		seconds = min(f.recent.seconds, recentSeconds)
		count = f.recent.sum(seconds)
	}
	return count / seconds, seconds, true
}

// Watched is for how many seconds arrivals have been seen without a pause, at most ten minutes.
func (f *Forecaster) Watched() float64 { return f.recent.seconds }

// Arrived is how many of those who arrived within the last so many seconds are still there, given the share that lasts
// longer than a time in seconds.
func (f *Forecaster) Arrived(seconds float64, lasts func(seconds float64) float64) float64 {
	return f.recent.weighted(seconds, lasts)
}

// Burst is the rate of the last minute when it is far above a usual rate a second: beyond four standard deviations
// of chance and of the known error. It is false otherwise.
func (f *Forecaster) Burst(usual float64) (rate float64, burst bool) {
	const window = 60
	if f.recent.seconds < 10 {
		return 0, false
	}
	seconds := min(f.recent.seconds, window)
	count, expected := f.recent.sum(seconds), max(0, usual)*seconds
	spread := math.Sqrt(max(expected, 1) + f.errors*expected*expected)
	return count / seconds, count > expected+4*spread
}
