package hpa

import (
	"flag"
	"fmt"
	"testing"

	"github.com/deskfleet/deskfleet/hack/bench/scaling/report"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

var (
	options world.Options
	output  = flag.String("out", "", "file for the sheet, as JSON")
)

func init() { options.AddFlags(flag.CommandLine) }

var settings = []Setting{
	{Name: "HPA queue, 1 an agent, 30 s grace", Waiting: true, Target: 1, Grace: 30},
	{Name: "HPA 80 %, 30 s grace", Target: 0.8, Grace: 30},
	{Name: "HPA 60 %", Target: 0.6, Grace: Hour},
	{Name: "HPA 70 %", Target: 0.7, Grace: Hour},
	{Name: "HPA 80 %", Target: 0.8, Grace: Hour},
	{Name: "HPA 90 %", Target: 0.9, Grace: Hour},
	{Name: "HPA 95 %", Target: 0.95, Grace: Hour},
}

func TestPeer(t *testing.T) {
	if *output == "" {
		t.Skip("no -out: nothing is measured")
	}
	err := report.Measure(&options, *output, func(s *world.Scenario) []world.Result {
		var results []world.Result
		for _, set := range settings {
			results = append(results, Simulate(t, s, set))
		}
		return results
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The controller really decides: it follows a load up and down.
func TestFollowsALoad(t *testing.T) {
	s := world.Day{Name: "test", PerDay: 6000, ColdStart: 60}.Make(1)
	r := Simulate(t, s, Setting{Name: "HPA 80 %", Target: 0.8, Grace: Hour})
	if r.ScaleEvents < 20 || r.ServiceLevel < 0.9 || r.Dropped > 0 {
		t.Errorf("%+v", r)
	}
	again := Simulate(t, s, Setting{Name: "HPA 80 %", Target: 0.8, Grace: Hour})
	r.Series, again.Series = nil, nil
	if fmt.Sprint(r) != fmt.Sprint(again) {
		t.Errorf("two runs differ:\n%+v\n%+v", r, again)
	}
}

// After a time without figures it goes on to decide: a peer that is stuck in the harness would be beaten by anybody.
func TestGoesOnAfterMissingFigures(t *testing.T) {
	for i := range 2 { // what one bubble leaves behind must not hold up the next
		s := world.Day{Name: "test", PerDay: 6000, ColdStart: 60, Faults: []world.Fault{{Kind: world.Missing, From: 36000, To: 36600}}}.Make(1)
		r := Simulate(t, s, Setting{Name: "HPA 80 %", Target: 0.8, Grace: Hour})
		during, after := map[int]bool{}, map[int]bool{}
		for _, p := range r.Series {
			if p.At > 36120 && p.At < 36600 {
				during[p.Slots] = true
			} else if p.At > 36700 {
				after[p.Slots] = true
			}
		}
		if len(during) > 1 || len(after) < 5 || r.Abandonment > 0.02 || r.AgentHours > 200 {
			t.Errorf("run %d: %d sizes without figures, %d after: %+v", i, len(during), len(after), r.Name)
		}
	}
}
