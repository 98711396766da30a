package world

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// mostConversations of a trace: about half a gigabyte while they are simulated.
const mostConversations = 5_000_000

// mostSeconds that a trace covers: one wrong time must not make a run without end.
const mostSeconds = 400 * 86400

// Trace is what was recorded of a time: each conversation, or counts.
type Trace struct {
	// Start is the instant of second 0; zero where the trace has seconds only.
	Start time.Time
	// Seconds that the trace covers.
	Seconds float64
	// Scale was asked for: by what factor there are more arrivals than recorded, or fewer.
	Scale float64

	conversations []Conversation // Service and Patience of 0 were not recorded
	intervals     []interval
}

// interval with its count of arrivals.
type interval struct {
	from, width, count float64
	line               int
	// expected says that the count is a mean, about which chance decides.
	expected bool
}

// Counts of arrivals in intervals of a width in seconds, from a time on. Expected ones are means, about which chance
// decides; else so many there were. At most five million are simulated.
func Counts(start time.Time, width float64, counts []float64, expected bool, scale float64) (*Trace, error) {
	t := &Trace{Start: start, Seconds: width * float64(len(counts)), Scale: scale}
	sum := 0.0
	for i, n := range counts {
		sum += n * scale
		t.intervals = append(t.intervals, interval{from: float64(i) * width, width: width, count: n, expected: expected})
	}
	if !(sum <= mostConversations) { // also NaN
		return nil, errTooMany(scale)
	}
	if t.Seconds > mostSeconds {
		return nil, fmt.Errorf("it covers %.0f days, and at most %d are simulated", t.Seconds/86400, mostSeconds/86400)
	}
	return t, nil
}

// Reading says how a trace is to be taken.
type Reading struct {
	// Location of times that name no zone; nil is UTC.
	Location *time.Location
	// Scale multiplies the arrivals; 0 is 1.
	Scale float64
}

// ParseTrace reads a CSV of arrival_s,service_s,patience_s,priority, of which all
// but the first may be empty or absent, or of interval_start,count. Times are
// seconds since some beginning, Unix times, or dates with or without a zone. Rows
// may be in any order. An error names the line and the remedy.
func ParseTrace(from io.Reader, how Reading) (*Trace, error) {
	if how.Scale == 0 {
		how.Scale = 1
	}
	if !(how.Scale > 0 && how.Scale <= 1000) { // also NaN
		return nil, fmt.Errorf("the scale is %g: use more than 0, at most 1000", how.Scale)
	}
	if how.Location == nil {
		how.Location = time.UTC
	}
	t := &Trace{Scale: how.Scale}
	rows, err := newTable(from)
	if err != nil {
		return nil, err
	}
	read := t.readConversations
	if rows.counts {
		read = t.readCounts
	}
	if err := read(rows, &instants{location: how.Location}); err != nil {
		return nil, err
	}
	if t.Seconds > mostSeconds {
		return nil, fmt.Errorf("it covers %.0f days, and at most %d are simulated: give a part of it, and look whether one of its times is wrong", t.Seconds/86400, mostSeconds/86400)
	}
	if len(t.conversations) == 0 && !slices.ContainsFunc(t.intervals, func(i interval) bool { return i.count > 0 }) {
		return nil, errors.New("it has no arrivals")
	}
	return t, nil
}

// errTooMany arrivals to simulate.
func errTooMany(scale float64) error {
	return fmt.Errorf("it has more than %d arrivals at a scale of %g: give a part of it, or a smaller scale", mostConversations, scale)
}

func (t *Trace) readConversations(rows *table, at *instants) error {
	kept := uint64(0)
	for row := range rows.all() {
		c, err := row.conversation(at)
		if err != nil {
			return row.wrong(err)
		}
		// A huge trace must not be kept to take a part of it. Which part is by chance: each tenth would be too regular.
		if kept++; t.Scale < 1 && chance(kept) >= t.Scale {
			continue
		}
		if float64(len(t.conversations)+1)*max(1, t.Scale) > mostConversations {
			return errTooMany(t.Scale)
		}
		t.conversations = append(t.conversations, c)
	}
	if err := cmp.Or(rows.err, at.check()); err != nil || len(t.conversations) == 0 {
		return err
	}
	slices.SortStableFunc(t.conversations, byArrival)
	if at.absolute {
		// From a full quarter of an hour on, so that its curve begins with one.
		begin := t.conversations[0].Arrival - math.Mod(t.conversations[0].Arrival, 900)
		t.Start = unix(begin).In(at.location)
		for i := range t.conversations {
			t.conversations[i].Arrival -= begin
		}
	}
	t.Seconds = t.conversations[len(t.conversations)-1].Arrival + 1
	return nil
}

// chance is a number from 0 to 1 that looks random, by the mixing of SplitMix64.
func chance(n uint64) float64 {
	n *= 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return float64((n^n>>31)>>11) / (1 << 53)
}

func byArrival(a, b Conversation) int { return cmp.Compare(a.Arrival, b.Arrival) }

func (t *Trace) readCounts(rows *table, at *instants) error {
	sum := 0.0
	for row := range rows.all() {
		start, err := at.read(row.cell(columnStart))
		if err != nil {
			return row.wrong(err)
		}
		if row.cell(columnCount) == "" {
			return row.wrong(errors.New("it has no count: write 0 for none, or leave the line out for unknown"))
		}
		count, err := number(row.cell(columnCount))
		if err != nil {
			return row.wrong(err)
		}
		if sum += count * t.Scale; sum > mostConversations {
			return errTooMany(t.Scale)
		}
		t.intervals = append(t.intervals, interval{from: start, count: count, line: row.line})
	}
	if err := cmp.Or(rows.err, at.check()); err != nil || len(t.intervals) == 0 {
		return err
	}
	return t.arrange(at)
}

// arrange puts intervals in order and finds how long they are: as long as most. After a hole comes nothing: nobody knows
// what was in it.
func (t *Trace) arrange(at *instants) error {
	list := t.intervals
	slices.SortStableFunc(list, func(a, b interval) int { return cmp.Compare(a.from, b.from) })
	var steps []float64
	for i := range list[1:] {
		step := list[i+1].from - list[i].from
		if step <= 0 {
			first, second := min(list[i].line, list[i+1].line), max(list[i].line, list[i+1].line)
			return fmt.Errorf("line %d: its interval begins when that of line %d does: add the two up, or write times with a zone if a clock was set back", second, first)
		}
		steps = append(steps, step)
	}
	usual := 300.0
	if len(steps) > 0 {
		usual = slices.Sorted(slices.Values(steps))[len(steps)/2]
	}
	begin := 0.0
	if at.absolute {
		begin = list[0].from
		t.Start = unix(begin).In(at.location)
	}
	for i := range list {
		list[i].from -= begin
		list[i].width = usual
		if i < len(steps) {
			list[i].width = min(usual, steps[i])
		}
	}
	last := list[len(list)-1]
	t.Seconds = last.from + last.width
	return nil
}

// Expected is the number of arrivals of a draw on average.
func (t *Trace) Expected() float64 {
	n := float64(len(t.conversations)) * max(1, t.Scale) // thinned while it was read
	for i := range t.intervals {
		n += t.intervals[i].count * t.Scale
	}
	return n
}

// Arrivals of one draw, in order: those that were recorded, times the scale. Counts are spread over their intervals by
// chance. Service and Patience of 0 were not recorded.
func (t *Trace) Arrivals(draws *Draws) []Conversation {
	list := make([]Conversation, 0, len(t.conversations))
	for i := range t.intervals {
		in := &t.intervals[i]
		for range t.number(in, draws) {
			list = append(list, Conversation{Arrival: in.from + draws.Arrivals.Float64()*in.width})
		}
	}
	if t.Scale <= 1 { // thinned while it was read
		list = append(list, t.conversations...)
	} else {
		for i := range t.conversations {
			list = append(list, t.conversations[i])
			list = t.alike(list, t.conversations[i].Arrival, draws)
		}
	}
	slices.SortStableFunc(list, byArrival)
	return list
}

// number of arrivals in an interval.
func (t *Trace) number(in *interval, draws *Draws) int {
	if in.expected {
		return poisson(draws.Arrivals, in.count*t.Scale)
	}
	return t.times(in.count*t.Scale, draws)
}

// times is how often something is there that is to be there n times on average.
func (t *Trace) times(n float64, draws *Draws) int {
	if t.Scale == 1 {
		return int(math.Round(n))
	}
	whole := math.Floor(n)
	if draws.Arrivals.Float64() < n-whole {
		whole++
	}
	return int(whole)
}

// alike adds more arrivals about a time: other customers, each as any of the trace, within the five minutes around.
func (t *Trace) alike(list []Conversation, at float64, draws *Draws) []Conversation {
	for range t.times(t.Scale-1, draws) {
		other := t.conversations[draws.Arrivals.IntN(len(t.conversations))]
		other.Arrival = min(max(0, at+300*(draws.Arrivals.Float64()-0.5)), t.Seconds-1e-3)
		list = append(list, other)
	}
	return list
}
