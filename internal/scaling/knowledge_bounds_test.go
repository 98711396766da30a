package scaling_test

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/scaling"
)

// What was learned is stored within what can be read again, also of customers who wait for weeks and never hang up.
func TestPatienceBeyondBoundsIsReadAgain(t *testing.T) {
	for name, each := range map[string]scaling.Flow{
		"nobody hangs up":      {WaitedSeconds: 1e6},
		"a gap in the figures": {WaitedSeconds: 1e6, Abandonments: 4000},
	} {
		var m scaling.Memory
		settings, flow := scaling.Settings{Concurrency: 1, Max: 10}, scaling.Flow{Epoch: 1}
		for s := range 200 {
			flow.WaitedSeconds, flow.Abandonments = flow.WaitedSeconds+each.WaitedSeconds, flow.Abandonments+each.Abandonments
			flow.Arrivals = flow.Abandonments
			is, f := flow, fresh(at(5*s), 0)
			f.Flow = &is
			scaling.Decide(&scaling.Input{Now: at(5 * s), Settings: settings, Figures: f, Current: 1}, &m)
			stored, err := m.Knowledge().MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			if err := scaling.NewKnowledge().UnmarshalBinary(stored); err != nil {
				t.Fatalf("%s, after %v: %v", name, time.Duration(5*s)*time.Second, err)
			}
		}
	}
}
