package world

import (
	"flag"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
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
		g := Group{Name: filepath.Base(o.Trace)}
		for i := range o.Seeds {
			s, err := o.ReadTrace(o.Seed + uint64(i))
			if err != nil {
				return nil, err
			}
			g.Draws = append(g.Draws, s)
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

// Args are the flags that give the same options.
func (o *Options) Args() []string {
	return []string{
		"-trace", o.Trace, "-seeds", strconv.Itoa(o.Seeds), "-seed", strconv.FormatUint(o.Seed, 10), "-only", o.Only, "-slots", strconv.Itoa(o.Slots),
		"-share", strconv.FormatFloat(o.Share, 'g', -1, 64), "-max-abandonment", strconv.FormatFloat(o.MaxAbandonment, 'g', -1, 64),
		"-cold-start", strconv.FormatFloat(o.Cold, 'g', -1, 64), "-announce", o.Announce, "-handle", strconv.FormatFloat(o.Handle, 'g', -1, 64),
	}
}
