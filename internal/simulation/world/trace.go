package world

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// mostConversations of a trace.
const mostConversations = 5_000_000

// ReadTrace reads a trace and draws what it does not say.
func (o *Options) ReadTrace(seed uint64) (*Scenario, error) {
	file, err := os.Open(o.Trace)
	if err != nil {
		return nil, fmt.Errorf("-trace: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was read
	s := &Scenario{
		Name: o.Trace, Seed: seed, Start: time.Date(2026, 11, 4, 0, 0, 0, 0, time.UTC), Slots: o.Slots, ColdStart: o.Cold, Max: 1000,
		Share: 0.8, Within: 20, MaxAbandonment: 0.03,
	}
	if s.Slots < 1 || !(s.ColdStart >= 0) {
		return nil, fmt.Errorf("-slots is %d and -cold-start %g: use at least 1, and 0 or more", s.Slots, s.ColdStart)
	}
	draws := NewDraws(seed)
	if err := s.read(csv.NewReader(file), draws); err != nil {
		return nil, fmt.Errorf("-trace %s: %w", o.Trace, err)
	}
	if len(s.Trace) == 0 {
		return nil, fmt.Errorf("-trace %s: it has no arrivals", o.Trace)
	}
	s.finish(draws)
	if o.Handle > 0 {
		for i := range s.Trace {
			s.Trace[i].Service *= o.Handle / meanHandle
		}
	}
	s.Seconds = max(s.Seconds, s.Trace[len(s.Trace)-1].Arrival+1)
	s.Peaks, err = announced(o.Announce)
	return s, err
}

func (s *Scenario) read(r *csv.Reader, draws *Draws) error {
	r.FieldsPerRecord, r.Comment, r.TrimLeadingSpace = -1, '#', true
	header, err := r.Read()
	if err != nil {
		return fmt.Errorf("the first line: %w", err)
	}
	switch first := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(header[0])), "\ufeff"); first {
	case "arrival_s":
		return s.readConversations(r)
	case "interval_start":
		return s.readCounts(r, draws)
	default:
		return fmt.Errorf("the first line begins with %q: begin it with arrival_s or interval_start", first)
	}
}

// readConversations reads arrival_s,service_s,patience_s,priority; all but the first may be empty.
func (s *Scenario) readConversations(r *csv.Reader) error {
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		numbers := [4]float64{}
		for i := range min(len(row), 4) {
			if row[i] == "" && i > 0 {
				continue
			}
			if numbers[i], err = number(row[i]); err != nil {
				line, _ := r.FieldPos(i)
				return fmt.Errorf("line %d: %w", line, err)
			}
		}
		if len(s.Trace) >= mostConversations {
			return fmt.Errorf("it has more than %d arrivals: give a part of it", mostConversations)
		}
		s.Trace = append(s.Trace, Conversation{Arrival: numbers[0], Service: numbers[1], Patience: numbers[2], Priority: int(numbers[3])})
	}
}

func number(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x >= 0) || math.IsInf(x, 0) {
		return 0, fmt.Errorf("%q is no number of 0 or more", text)
	}
	return x, nil
}

// readCounts reads interval_start,count: a time, or seconds. Arrivals are spread over their interval by chance.
func (s *Scenario) readCounts(r *csv.Reader, draws *Draws) error {
	var starts, counts []float64
	zero := time.Time{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		line, _ := r.FieldPos(0)
		if len(row) < 2 {
			return fmt.Errorf("line %d has no count", line)
		}
		start, at, err := instant(row[0])
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		if zero.IsZero() && !at.IsZero() {
			zero = at
			s.Start = at
		}
		if !at.IsZero() {
			start = at.Sub(zero).Seconds()
		}
		count, err := number(row[1])
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		if n := len(starts); n > 0 && start <= starts[n-1] {
			return fmt.Errorf("line %d: the interval does not begin after the one before", line)
		}
		starts, counts = append(starts, start), append(counts, count)
	}
	return s.spread(starts, counts, draws)
}

// spread draws the arrivals of each interval.
func (s *Scenario) spread(starts, counts []float64, draws *Draws) error {
	for i, start := range starts {
		width := 300.0
		switch {
		case i+1 < len(starts):
			width = starts[i+1] - start
		case i > 0:
			width = start - starts[i-1]
		}
		if i > 0 {
			width = min(width, starts[i]-starts[i-1]+1) // a hole in the counts is no long interval
		}
		if float64(len(s.Trace))+counts[i] > mostConversations {
			return fmt.Errorf("it has more than %d arrivals: give a part of it", mostConversations)
		}
		for range int(math.Round(counts[i])) {
			s.Trace = append(s.Trace, Conversation{Arrival: start + draws.Arrivals.Float64()*width})
		}
		s.Seconds = start + width
	}
	return nil
}

func instant(text string) (seconds float64, at time.Time, err error) {
	if x, err := strconv.ParseFloat(text, 64); err == nil {
		return x, time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		if at, err := time.Parse(layout, text); err == nil {
			return 0, at, nil
		}
	}
	return 0, time.Time{}, fmt.Errorf("%q is no time: write seconds or 2026-11-11T00:00:00Z", text)
}

// announced reads from-to*multiplier, by commas.
func announced(text string) ([]Peak, error) {
	var peaks []Peak
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		p := Peak{Name: "announced"}
		if n, err := fmt.Sscanf(part, "%f-%f*%f", &p.From, &p.To, &p.Multiplier); n != 3 || err != nil || p.To <= p.From || p.Multiplier <= 0 {
			return nil, fmt.Errorf("-announce %q is no peak: write from-to*multiplier, such as 3600-7200*4", part)
		}
		peaks = append(peaks, p)
	}
	return peaks, nil
}
