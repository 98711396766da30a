package world

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Options of a run, the same for each policy's command.
type Options struct {
	Trace    string
	Seeds    int
	Seed     uint64
	Only     string
	Slots    int
	Cold     float64
	Announce string
	Handle   float64
	// Scale multiplies the arrivals of a trace; 0 is 1. A part of a huge one is simulated in a part of the time.
	Scale float64
	// Share answered within 20 s and MaxAbandonment are the objective that our policy is given.
	Share, MaxAbandonment float64
}

// AddFlags declares them.
func (o *Options) AddFlags(fs *flag.FlagSet) {
	fs.StringVar(&o.Trace, "trace", "", "CSV of arrival_s,service_s,patience_s,priority or interval_start,count instead of the bundled scenarios")
	fs.IntVar(&o.Seeds, "seeds", 3, "how often each scenario is drawn")
	fs.Uint64Var(&o.Seed, "seed", 1, "the first seed")
	fs.StringVar(&o.Only, "only", "", "bundled scenarios whose name has this in it")
	fs.IntVar(&o.Slots, "slots", 5, "conversations that an agent holds, for a trace")
	fs.Float64Var(&o.Cold, "cold-start", 60, "seconds until a pod serves, for a trace")
	fs.StringVar(&o.Announce, "announce", "", "peaks of a trace that are known beforehand: from-to*multiplier in seconds, by commas")
	fs.Float64Var(&o.Share, "share", 0.9, "objective of our policy: share answered within 20 s")
	fs.Float64Var(&o.MaxAbandonment, "max-abandonment", 0.02, "objective of our policy: greatest share that hangs up")
	fs.Float64Var(&o.Scale, "scale", 1, "so many times the arrivals of a trace; less than 1 takes a part of a huge one by chance")
	fs.Float64Var(&o.Handle, "handle", 0, "mean handle time in seconds where a trace has none; 0 is 185")
}

// Group is one scenario, drawn several times.
type Group struct {
	Name  string
	Draws []*Scenario
}

// Scenarios that are to run.
func (o *Options) Scenarios() ([]Group, error) {
	if o.Seeds < 1 {
		return nil, fmt.Errorf("-seeds is %d: use 1 or more", o.Seeds)
	}
	groups, err := o.groups()
	for _, g := range groups {
		for _, s := range g.Draws {
			s.Share, s.MaxAbandonment = o.Share, o.MaxAbandonment
		}
	}
	return groups, err
}

func (o *Options) groups() ([]Group, error) {
	var groups []Group
	if o.Trace != "" {
		draw, err := o.openTrace()
		if err != nil {
			return nil, err
		}
		g := Group{Name: filepath.Base(o.Trace)}
		for i := range o.Seeds {
			g.Draws = append(g.Draws, draw(o.Seed+uint64(i)))
		}
		return []Group{g}, nil
	}
	for _, d := range Bundled() {
		if !strings.Contains(d.Name, o.Only) {
			continue
		}
		g := Group{Name: d.Name}
		for i := range o.Seeds {
			g.Draws = append(g.Draws, d.Make(o.Seed+uint64(i)))
		}
		groups = append(groups, g)
	}
	if len(groups) == 0 {
		return nil, fmt.Errorf("-only %q is part of no scenario's name", o.Only)
	}
	return groups, nil
}

// ReadTrace reads a trace and draws what it does not say.
func (o *Options) ReadTrace(seed uint64) (*Scenario, error) {
	draw, err := o.openTrace()
	if err != nil {
		return nil, err
	}
	return draw(seed), nil
}

// openTrace reads the trace once; what it gives makes the scenario of a seed.
func (o *Options) openTrace() (draw func(seed uint64) *Scenario, err error) {
	if o.Slots < 1 || !(o.Cold >= 0) || !(o.Handle >= 0) { // also NaN
		return nil, fmt.Errorf("-slots is %d, -cold-start %g and -handle %g: use at least 1, and 0 or more", o.Slots, o.Cold, o.Handle)
	}
	peaks, err := announced(o.Announce)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(o.Trace)
	if err != nil {
		return nil, fmt.Errorf("-trace: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was read
	trace, err := ParseTrace(file, Reading{Scale: o.Scale})
	if err != nil {
		return nil, fmt.Errorf("-trace %s: %w", o.Trace, err)
	}
	return func(seed uint64) *Scenario { return o.scenario(trace, seed, peaks) }, nil
}

func (o *Options) scenario(trace *Trace, seed uint64, peaks []Peak) *Scenario {
	s := &Scenario{
		Name: o.Trace, Seed: seed, Start: trace.Start, Seconds: trace.Seconds, Slots: o.Slots, ColdStart: o.Cold, Max: 1000,
		Share: 0.8, Within: 20, MaxAbandonment: 0.03, Peaks: peaks,
	}
	if s.Start.IsZero() {
		s.Start = time.Date(2026, 11, 4, 0, 0, 0, 0, time.UTC)
	}
	draws := NewDraws(seed)
	if o.Handle > 0 {
		draws.handle = o.Handle / meanHandle
	}
	s.Trace = trace.Arrivals(draws)
	s.finish(draws)
	if n := len(s.Trace); n > 0 {
		s.Seconds = max(s.Seconds, s.Trace[n-1].Arrival+1)
	}
	return s
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

// Args are the flags that give the same options.
func (o *Options) Args() []string {
	return []string{
		"-trace", o.Trace, "-seeds", strconv.Itoa(o.Seeds), "-seed", strconv.FormatUint(o.Seed, 10), "-only", o.Only, "-slots", strconv.Itoa(o.Slots),
		"-share", strconv.FormatFloat(o.Share, 'g', -1, 64), "-max-abandonment", strconv.FormatFloat(o.MaxAbandonment, 'g', -1, 64),
		"-cold-start", strconv.FormatFloat(o.Cold, 'g', -1, 64), "-announce", o.Announce, "-scale", strconv.FormatFloat(cmp.Or(o.Scale, 1), 'g', -1, 64), "-handle", strconv.FormatFloat(o.Handle, 'g', -1, 64),
	}
}
