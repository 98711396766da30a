package world

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"
	_ "time/tzdata" // the scenario with a zone runs everywhere alike
)

// Scenario is a day, or several, of one pool.
type Scenario struct {
	Name string
	Seed uint64
	// Start is the instant of second 0, by which days and peaks are told.
	Start time.Time
	// Seconds that it lasts.
	Seconds float64
	Trace   []Conversation
	// History are arrivals in bins of five minutes before Start, the latest last, as a policy may have seen them; nil for none.
	History []float64
	// Learned are handle times of conversations before Start; nil for none.
	Learned []float64
	// Slots of a pod, the time that it takes to start, and the most pods.
	Slots     int
	ColdStart float64
	Max       int
	// Objective: Share answered Within seconds, at most MaxAbandonment.
	Share, Within, MaxAbandonment float64
	// Peaks that are announced, and Faults.
	Peaks  []Peak
	Faults []Fault
	// Sibling names the scenario of which this is a fault; empty for none.
	Sibling string
}

// At is the instant of a second of the scenario.
func (s *Scenario) At(seconds float64) time.Time {
	return s.Start.Add(time.Duration(seconds * float64(time.Second)))
}

// Peak that is announced; seconds since Start.
type Peak struct {
	Name       string
	From, To   float64
	Multiplier float64
}

// FaultKind says what goes wrong.
type FaultKind string

// Faults.
const (
	// Late figures are older by By seconds.
	Late FaultKind = "late"
	// Missing figures do not come.
	Missing FaultKind = "missing"
	// Zero figures read 0.
	Zero FaultKind = "zero"
	// Restart of whoever decides, at From: it forgets what it does not store.
	Restart FaultKind = "restart"
	// Quota allows By pods.
	Quota FaultKind = "quota"
	// SlowImage makes a start take By seconds.
	SlowImage FaultKind = "slow image"
)

// Fault for a while.
type Fault struct {
	Kind     FaultKind
	From, To float64
	By       float64
}

// Fault of a kind at a time; nil for none.
func (s *Scenario) Fault(kind FaultKind, now float64) *Fault {
	for i := range s.Faults {
		if f := &s.Faults[i]; f.Kind == kind && now >= f.From && now < f.To {
			return f
		}
	}
	return nil
}

func (s *Scenario) quota(now float64) int {
	if f := s.Fault(Quota, now); f != nil {
		return int(f.By)
	}
	return 0
}

func (s *Scenario) cold(now float64) float64 {
	if f := s.Fault(SlowImage, now); f != nil {
		return f.By
	}
	return s.ColdStart
}

// Mean and shape of real handle times: log-normal, mean 185 s, median 111 s; patience about exponential.
const (
	meanHandle   = 185.0
	medianHandle = 111.0
	meanPatience = 300.0
)

// Draws are the streams of chance of a scenario, one a concern, so that a change of one leaves the others alone.
type Draws struct {
	Arrivals, Handle, Patience *rand.Rand
	// handle times are multiplied by; 0 is 1.
	handle float64
	// mu and sigma are the mean and the deviation of the logarithm of handle times.
	mu, sigma float64
}

// NewDraws begins the streams of a seed.
func NewDraws(seed uint64) *Draws {
	stream := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
	mu, sigma := (&Character{}).handleTime()
	return &Draws{Arrivals: stream(1), Handle: stream(2), Patience: stream(3), mu: mu, sigma: sigma}
}

// HandleTime draws one.
func (d *Draws) HandleTime() float64 {
	return max(1, math.Exp(d.mu+d.sigma*d.Handle.NormFloat64())) * cmp.Or(d.handle, 1)
}

// PatienceTime draws one.
func (d *Draws) PatienceTime() float64 { return meanPatience * d.Patience.ExpFloat64() }

// gamma draws from a gamma distribution of mean 1 and a squared coefficient of variation (Marsaglia and Tsang, 2000).
func gamma(r *rand.Rand, variation float64) float64 {
	shape := 1 / variation
	boost := 1.0
	if shape < 1 {
		boost = math.Pow(r.Float64(), 1/shape)
		shape++
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if u := r.Float64(); math.Log(u) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return boost * d * v * variation
		}
	}
}

// shape is a day of a desk: quiet at night, two humps.
func shape(hour float64) float64 {
	hump := func(at, width float64) float64 { return math.Exp(-(hour - at) * (hour - at) / (2 * width * width)) }
	return 0.06 + hump(10.5, 2) + 0.85*hump(15.5, 2.5) + 0.4*hump(20, 1.5)
}

const shapeHours = 0.06*24 + 2.5066*(2+0.85*2.5+0.4*1.5)

// OfWeek is how busy a day of the week is, a working day about 1.
func OfWeek(day time.Weekday) float64 {
	switch day {
	case time.Saturday:
		return 0.55
	case time.Sunday:
		return 0.4
	case time.Monday:
		return 1.12
	default:
		return 1
	}
}

// Day describes a synthetic day.
type Day struct {
	Name string
	// PerDay is the number of conversations of a usual working day.
	PerDay float64
	// DayVariation and HalfHourVariation are squared coefficients of variation of the rate from day to day, and within a day.
	DayVariation, HalfHourVariation float64
	// Bursts multiply the rate.
	Bursts []Peak
	// Announced says that the bursts are known beforehand.
	Announced bool
	ColdStart float64
	Slots     int
	// Weeks of history; 0 for the first day of a pool.
	Weeks int
	// Start is the midnight at which it begins; zero for a Wednesday.
	Start  time.Time
	Faults []Fault
	// Sibling of a fault.
	Sibling string
	Character
}

// Make draws the scenario of a seed.
func (d Day) Make(seed uint64) *Scenario {
	s := &Scenario{
		Name: d.Name, Seed: seed, Start: d.Start, Slots: d.Slots, ColdStart: d.ColdStart, Max: 1000,
		Share: 0.8, Within: 20, MaxAbandonment: 0.03, Faults: d.Faults, Sibling: d.Sibling,
	}
	if s.Slots == 0 {
		s.Slots = 5
	}
	if s.Start.IsZero() {
		s.Start = time.Date(2026, 11, 4, 0, 0, 0, 0, time.UTC)
	}
	// A day on which a clock is set is an hour longer or shorter.
	s.Seconds = s.Start.AddDate(0, 0, 1).Sub(s.Start).Seconds()
	if d.Announced {
		s.Peaks = d.Bursts
	}
	draws := NewDraws(seed)
	draws.mu, draws.sigma = d.handleTime()
	past := rand.New(rand.NewPCG(seed, 7))
	begin := s.Start.AddDate(0, 0, -7*d.Weeks)
	for at := begin; at.Before(s.Start); at = at.AddDate(0, 0, 1) {
		rates := d.rates(past, at)
		wave := d.wave(past, len(rates))
		for bin, rate := range rates {
			s.History = append(s.History, float64(poisson(past, rate*mean(wave, bin))))
		}
	}
	if d.Weeks > 0 {
		other := NewDraws(seed + 1_000_000)
		other.mu, other.sigma = d.handleTime()
		for range 2000 {
			s.Learned = append(s.Learned, other.HandleTime())
		}
	}
	rates := d.rates(draws.Arrivals, s.Start)
	wave := d.wave(draws.Arrivals, len(rates))
	for bin, rate := range rates {
		s.Trace = append(s.Trace, d.arrivals(draws, float64(bin)*300, rate, wave)...)
	}
	s.finish(draws)
	return s
}

// rates are the expected arrivals of each five minutes of a day, without bursts: people live by the clock of their zone.
func (d Day) rates(r *rand.Rand, day time.Time) []float64 {
	level := 1.0
	if d.DayVariation > 0 {
		level = gamma(r, d.DayVariation)
	}
	shares := d.curve(day)
	half := 1.0
	for i := range shares {
		if i%6 == 0 && d.HalfHourVariation > 0 {
			half = gamma(r, d.HalfHourVariation)
		}
		shares[i] *= d.PerDay * d.week(day.Weekday()) * level * half
	}
	return shares
}

// Typical is how busy each five minutes of a day of a desk are, by the clock of the day's zone: quiet at night, two humps
// and a third in the evening. The day begins at a midnight; one on which a clock is set has more of them, or fewer.
func Typical(day time.Time) []float64 { return along(day, shape) }

// arrivals of five minutes, thinned from the greatest rate of any burst.
func (d Day) arrivals(draws *Draws, from, rate float64, wave []float64) []Conversation {
	most := 1.0
	for _, b := range d.Bursts {
		if b.From < from+300 && b.To > from {
			most = max(most, b.Multiplier)
		}
	}
	if wave != nil {
		most *= slices.Max(wave[int(from)/waveSeconds:][:300/waveSeconds])
	}
	var list []Conversation
	for at := from + draws.Arrivals.ExpFloat64()*300/(rate*most); at < from+300; at += draws.Arrivals.ExpFloat64() * 300 / (rate * most) {
		factor := 1.0
		for _, b := range d.Bursts {
			if at >= b.From && at < b.To {
				factor = b.Multiplier
			}
		}
		if wave != nil {
			factor *= wave[int(at)/waveSeconds]
		}
		if draws.Arrivals.Float64() < factor/most {
			list = append(list, Conversation{Arrival: at})
		}
	}
	return list
}

func poisson(r *rand.Rand, mean float64) int {
	if mean > 500 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	n, at := -1, 0.0
	for at < mean {
		at += r.ExpFloat64()
		n++
	}
	return n
}

// finish draws what the trace does not say, and puts it in order.
func (s *Scenario) finish(draws *Draws) {
	slices.SortStableFunc(s.Trace, byArrival)
	for i := range s.Trace {
		c := &s.Trace[i]
		if c.Service == 0 {
			c.Service = draws.HandleTime()
		}
		if c.Patience == 0 {
			c.Patience = draws.PatienceTime()
		}
	}
}

// berlin sets its clocks back on 25 October 2026: that Sunday has 25 hours, and half past two comes twice.
var berlin = func() *time.Location {
	location, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err) // the zones are part of the program
	}
	return location
}()

// Bundled are the scenarios that come with the benchmark.
func Bundled() []Day {
	noon := Peak{Name: "sale", From: 11.5 * 3600, To: 11.5*3600 + 1200, Multiplier: 4}
	elevens := []Peak{
		{Name: "midnight", From: 0, To: 2 * 3600, Multiplier: 12},
		{Name: "morning", From: 9 * 3600, To: 12 * 3600, Multiplier: 2.5},
		{Name: "evening", From: 19 * 3600, To: 23 * 3600, Multiplier: 3},
	}
	fault := func(kind FaultKind, from, to, by float64) Day {
		return Day{
			Name: "fault " + string(kind), PerDay: 12000, DayVariation: 0.004, ColdStart: 60, Weeks: 4, Sibling: "medium",
			Faults: []Fault{{Kind: kind, From: from, To: to, By: by}},
		}
	}
	const ten = 10 * 3600.0
	return []Day{
		{Name: "smooth large", PerDay: 32000, DayVariation: 0.002, ColdStart: 60, Weeks: 8},
		{Name: "smooth large, slow start", PerDay: 32000, DayVariation: 0.002, ColdStart: 300, Weeks: 8},
		{Name: "medium", PerDay: 12000, DayVariation: 0.004, ColdStart: 60, Weeks: 4},
		{Name: "small", PerDay: 620, DayVariation: 0.02, ColdStart: 60, Weeks: 8},
		{Name: "small, slow start", PerDay: 620, DayVariation: 0.02, ColdStart: 300, Weeks: 8},
		{Name: "over-dispersed", PerDay: 3200, DayVariation: 0.02, HalfHourVariation: 0.06, ColdStart: 120, Weeks: 8},
		{Name: "burst announced", PerDay: 6000, ColdStart: 300, Weeks: 4, Bursts: []Peak{noon}, Announced: true},
		{Name: "burst unannounced", PerDay: 6000, ColdStart: 300, Weeks: 4, Bursts: []Peak{noon}},
		{Name: "burst unannounced, fast start", PerDay: 6000, ColdStart: 30, Weeks: 4, Bursts: []Peak{noon}},
		{Name: "double eleven", PerDay: 9000, DayVariation: 0.01, ColdStart: 120, Weeks: 8, Bursts: elevens, Announced: true},
		{Name: "first day", PerDay: 6000, ColdStart: 60},
		{Name: "Sunday of winter time", PerDay: 6000, ColdStart: 120, Weeks: 8, Start: time.Date(2026, 10, 25, 0, 0, 0, 0, berlin)},
		{Name: "arrivals in bursts", PerDay: 60000, ColdStart: 120, Character: Character{Handle: 30, Wave: bursts(4, 60, 180)}},
		{Name: "self-similar", PerDay: 9000, DayVariation: 0.01, ColdStart: 90, Weeks: 4, Character: Character{Wave: selfSimilar(0.12)}},
		{Name: "messages each hour", PerDay: 9000, DayVariation: 0.01, ColdStart: 60, Weeks: 4, Character: Character{Curve: sawtooth}},
		{Name: "office hours", PerDay: 5000, DayVariation: 0.01, ColdStart: 90, Weeks: 8, Character: Character{Curve: officeHours, Week: workingDays}},
		{Name: "heavy-tailed handle times", PerDay: 6000, DayVariation: 0.01, ColdStart: 60, Weeks: 4, Character: Character{Variation: 8}},
		{Name: "short conversations", PerDay: 150000, DayVariation: 0.01, ColdStart: 60, Weeks: 4, Character: Character{Handle: 25, Variation: 1}},
		{Name: "long conversations", PerDay: 3000, DayVariation: 0.01, ColdStart: 120, Weeks: 4, Character: Character{Handle: 900, Variation: 1}},
		fault(Late, ten, ten+7200, 30),
		fault(Missing, ten, ten+600, 0),
		fault(Zero, ten, ten+600, 0),
		fault(Restart, ten, ten+1, 0),
		fault(Quota, ten-3600, ten+3600, 10),
		fault(SlowImage, ten-7200, ten+7200, 300),
	}
}
