package scaling

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/deskfleet/deskfleet/internal/scaling/erlang"
	"github.com/deskfleet/deskfleet/internal/scaling/forecast"
	"github.com/deskfleet/deskfleet/internal/scaling/survival"
)

// What is assumed of a pool of which nothing is known yet.
const (
	firstHandleTime      = 180.0 // seconds
	firstHandleVariation = 1.9   // squared coefficient of variation, as in real call centres
	firstPatience        = 300.0 // seconds
	firstLead            = 60 * time.Second
	priorWorth           = 20 // observations
	// mostHangUps bounds the weight of what was seen of patience, so that it follows changes.
	mostHangUps = 1000.0
	// reportEvery is how old figures are at the most in the usual course.
	reportEvery = 5 * time.Second
)

// Knowledge is what was learned of a pool and is worth to be stored: arrivals,
// handle times, cold starts, patience. It is not safe for concurrent use.
type Knowledge struct {
	history  *forecast.History
	forecast *forecast.Forecaster
	handle   survival.Sketch
	cold     survival.Sketch
	// load and expected are how surprising arrivals were to the terms of the same names.
	load, expected surprise
	hangUps        float64
	waited         float64
	table          *erlang.Table
	tableFor       erlang.System
	objective      erlang.Objective
	people         seatTables
}

// NewKnowledge knows nothing but what is usual.
func NewKnowledge() *Knowledge {
	k := &Knowledge{history: &forecast.History{}, hangUps: priorWorth, waited: priorWorth * firstPatience}
	k.handle.Seed(firstHandleTime, firstHandleVariation, priorWorth)
	return k
}

// History of the arrivals; it may be merged into.
func (k *Knowledge) History() *forecast.History { return k.history }

func (k *Knowledge) forecaster(c forecast.Calendar) *forecast.Forecaster {
	if k.forecast == nil {
		k.forecast = forecast.New(k.history, c)
	}
	k.forecast.Follow(c)
	return k.forecast
}

// HandleTime is the mean handle time in seconds.
func (k *Knowledge) HandleTime() float64 { return max(1, k.handle.Mean()) }

// Patience is the mean time in seconds after which a waiting customer leaves.
func (k *Knowledge) Patience() float64 { return k.waited / k.hangUps }

// lead is the time from asking for a worker until it serves: nine of ten are there by then.
func (k *Knowledge) lead(declared time.Duration) time.Duration {
	switch {
	case declared > 0:
		return min(declared, time.Hour)
	case k == nil || k.cold.Weight() < 1:
		return firstLead
	default:
		return min(time.Duration(k.cold.Quantile(0.9)*float64(time.Second))+reportEvery, time.Hour)
	}
}

// learn takes in what happened between two times, by the difference of two flows.
func (k *Knowledge) learn(s *Settings, from, to time.Time, is, was *Flow) {
	for _, h := range is.Handled {
		k.handle.Observe(h.Seconds, float64(h.Count))
	}
	for _, c := range is.ColdStarts {
		k.cold.Observe(c.Seconds(), 1)
	}
	if was == nil || was.Epoch != is.Epoch {
		return
	}
	if waited := is.WaitedSeconds - was.WaitedSeconds; waited > 0 && waited < mostFigures {
		k.waited += waited
		k.hangUps += float64(is.Abandonments - was.Abandonments)
		if k.hangUps > mostHangUps || k.waited > 1e7 {
			k.hangUps, k.waited = k.hangUps/2, k.waited/2
		}
	}
	factor, rate, _ := s.announced(to)
	if rate > 0 {
		factor = 0 // what was announced replaces what is usual, which then cannot be seen
	}
	k.forecaster(s.Calendar).Observe(from, to, float64(is.Arrivals-was.Arrivals), factor)
}

// staffing is the table for what is known now. It is made anew when that has
// changed by more than a twentieth, since all its entries are to be worked out then.
func (k *Knowledge) staffing(o erlang.Objective) *erlang.Table {
	now := erlang.System{Service: k.HandleTime(), Patience: min(max(k.Patience(), 1), 1e6)}
	if k.table == nil || k.objective != o || off(now.Service, k.tableFor.Service) || off(now.Patience, k.tableFor.Patience) {
		k.table, k.tableFor, k.objective = erlang.NewTable(now, o), now, o
	}
	return k.table
}

func off(a, b float64) bool { return math.Abs(math.Log(a/b)) > 0.05 }

// MaxEncodedKnowledge is the greatest number of bytes of stored knowledge.
const MaxEncodedKnowledge = forecast.MaxEncoded + 2*(survival.Buckets*4+2) + 32 + 2*surpriseBytes

// Version 1 did not have surprises.
const knowledgeVersion = 2

// errKnowledge says that stored bytes are no knowledge.
var errKnowledge = errors.New("what was stored of a pool cannot be read: remove it, and it is learned again")

// MarshalBinary encodes the knowledge: a version, patience, two sketches, two surprises, the arrivals, which end with a checksum.
func (k *Knowledge) MarshalBinary() ([]byte, error) {
	to := []byte{knowledgeVersion}
	// Within what the decoder takes: customers who never hang up bring the one below it, a gap in the figures above.
	to = binary.BigEndian.AppendUint64(to, math.Float64bits(min(max(k.hangUps, 1), 2*mostHangUps)))
	to = binary.BigEndian.AppendUint64(to, math.Float64bits(min(max(k.waited, 1), 1e9)))
	var err error
	for _, part := range []interface{ AppendBinary([]byte) ([]byte, error) }{&k.handle, &k.cold, &k.load, &k.expected, k.history} {
		if to, err = part.AppendBinary(to); err != nil {
			return nil, fmt.Errorf("encode what was learned of a pool: %w", err)
		}
	}
	return to, nil
}

// UnmarshalBinary takes the knowledge from stored bytes. On an error it is as before.
func (k *Knowledge) UnmarshalBinary(from []byte) error {
	if len(from) > MaxEncodedKnowledge {
		return fmt.Errorf("%w: %d bytes are more than %d", errKnowledge, len(from), MaxEncodedKnowledge)
	}
	if len(from) < 17 || from[0] < 1 || from[0] > knowledgeVersion {
		return fmt.Errorf("%w: the first byte is not that of version 1 to %d", errKnowledge, knowledgeVersion)
	}
	read := NewKnowledge()
	read.hangUps = math.Float64frombits(binary.BigEndian.Uint64(from[1:]))
	read.waited = math.Float64frombits(binary.BigEndian.Uint64(from[9:]))
	if !(read.hangUps >= 1 && read.hangUps <= 2*mostHangUps && read.waited >= 1 && read.waited <= 1e9) { // also NaN
		return fmt.Errorf("%w: patience is %g s", errKnowledge, read.waited/read.hangUps)
	}
	rest, err := read.handle.Read(from[17:])
	if err != nil {
		return fmt.Errorf("%w: handle times: %w", errKnowledge, err)
	}
	if rest, err = read.cold.Read(rest); err != nil {
		return fmt.Errorf("%w: cold starts: %w", errKnowledge, err)
	}
	if from[0] > 1 {
		if rest, err = readSurprises(rest, &read.load, &read.expected); err != nil {
			return fmt.Errorf("%w: %w", errKnowledge, err)
		}
	}
	if err := read.history.UnmarshalBinary(rest); err != nil {
		return fmt.Errorf("%w: %w", errKnowledge, err)
	}
	*k = *read
	return nil
}

// join adds what was known before. Of durations, surprises and patience whichever rests on more is kept: the two may have seen the same.
func (k *Knowledge) join(former *Knowledge) {
	k.history.Merge(former.history)
	if k.forecast != nil {
		k.forecast.Refresh()
	}
	if former.handle.Weight() > k.handle.Weight() {
		k.handle = former.handle
	}
	if former.cold.Weight() > k.cold.Weight() {
		k.cold = former.cold
	}
	k.load.join(&former.load)
	k.expected.join(&former.expected)
	if former.hangUps > k.hangUps {
		k.hangUps, k.waited = former.hangUps, former.waited
	}
}

// Learn takes in how long a conversation lasted, in seconds, that was found elsewhere than in figures, such as in the archive.
func (k *Knowledge) Learn(seconds float64) { k.handle.Observe(seconds, 1) }
