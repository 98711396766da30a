package scaling_test

import (
	"testing"

	"github.com/deskfleet/deskfleet/internal/scaling"
)

// A spent budget holds in a burst, unless its author lets a burst go before it; in the usual course it holds either way.
func TestBudgetThatLetsABurstPass(t *testing.T) {
	decide := func(mode scaling.BudgetMode) (usual, burst scaling.Decision) {
		d := desk{pool: pool{settings: scaling.Settings{
			Concurrency: 1, Min: 3, Max: 500, Budget: &scaling.Budget{AgentHours: 1, WhenSpent: mode},
		}, current: 20}, rate: 0.2, handle: 100}
		usual = d.run(0, 2400) // more than one hour of an agent
		d.rate = 2
		return usual, d.run(2400, 60)
	}
	for _, mode := range []scaling.BudgetMode{scaling.BudgetHoldFloor, scaling.BudgetAllowPanic} {
		usual, burst := decide(mode)
		if usual.Panics || usual.Limiter != scaling.LimiterBudget || usual.Workers != 3 {
			t.Errorf("%s: in the usual course %d workers, limited by %q: %s", mode, usual.Workers, usual.Limiter, usual.Reason)
		}
		if !burst.Panics || burst.Need < 50 {
			t.Fatalf("%s: ten times as many are no burst: %+v", mode, burst)
		}
		if holds := mode == scaling.BudgetHoldFloor; holds && (burst.Workers != 3 || burst.Limiter != scaling.LimiterBudget) || !holds && burst.Workers < burst.Need {
			t.Errorf("%s: in a burst %d workers of %d needed, limited by %q: %s", mode, burst.Workers, burst.Need, burst.Limiter, burst.Reason)
		}
	}
}
