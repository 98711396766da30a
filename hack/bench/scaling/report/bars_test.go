package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/hack/bench/scaling/report"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

func row(name string, hours float64, levels ...float64) report.Row {
	r := report.Row{Result: world.Result{Name: name, AgentHours: hours}, Draws: len(levels), Levels: levels}
	for _, l := range levels {
		r.ServiceLevel += l / float64(len(levels))
	}
	return r
}

// What is missing is told by scenario, what is only chance is not held against us, and a setting that cuts people off is no best one.
func TestBars(t *testing.T) {
	sheet := report.Sheet{Scenarios: []report.Scenario{
		{Name: "one", Policies: []report.Row{
			row("deskfleet", 80, 0.99, 0.98), row("clairvoyant", 70, 1, 1),
			row("HPA 80 %", 100, 0.98, 0.97), row("HPA 70 %", 120, 0.999, 0.999), row("HPA 80 %, 30 s grace", 60, 0.995, 0.995), row("KPA 70 %", 70, 0.9, 0.9),
		}},
		{Name: "two", Policies: []report.Row{
			row("deskfleet", 30, 0.97, 0.97), row("clairvoyant", 20, 1, 1),
			row("HPA 80 %", 25, 0.9, 1), row("HPA 70 %", 35, 0.98, 0.98), row("HPA 80 %, 30 s grace", 20, 0.995, 0.995), row("KPA 70 %", 40, 0.9, 0.9),
		}},
	}}
	var out bytes.Buffer
	if err := sheet.Write(&out, "table"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"deskfleet answers 97.75 % in time with 110.0 agent-hours; 0 dropped",
		"HPA 70 %, the cheapest that serves at least as well: 98.95 % with 155.0 agent-hours, ours are 29.0 % fewer",
		"HPA 80 %, the best that neither serves better nor is cheaper: 96.25 % with 125.0 agent-hours, ours are 12.0 % fewer",
		"not in two (hours: +2.00 points, +20.0 % agent-hours)",
		"not in two (service: -1.00 points, -14.3 % agent-hours)",
		"KPA 70 %, the best, as none serves as well: 90.00 % with 110.0 agent-hours",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(out.String(), "grace, the") {
		t.Error("who cuts people off is compared with")
	}
	if t.Failed() {
		t.Log(out.String())
	}
}
