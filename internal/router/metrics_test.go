package router

import (
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// The names are a promise: each stands in the documentation, and the documentation names no others of the router.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	m := NewMetrics(registry)
	m.lead(true)
	m.figures(&protocol.Figures{
		Queues: []protocol.QueueFigures{{Name: "q", ServiceLevelOf: 1, HandleMeanSeconds: 1, ExpectedWaitSeconds: new(1.0), Held: []conversation.HeldStep{{Step: 1, Action: "Bot"}}}},
		Pools:  []protocol.PoolFigures{{Name: "p"}},
	})
	m.arrived("q")
	m.abandoned("q")
	m.offered("q", "made")
	m.answered("q", "p", 1)
	m.handled("p", 1)
	m.decided("opened")
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v (%v)", problems, err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, family := range families {
		known[family.GetName()] = true
		if !strings.Contains(string(text), "`"+family.GetName()+"`") {
			t.Errorf("docs/metrics.md does not tell of %s", family.GetName())
		}
	}
	for _, word := range strings.FieldsFunc(string(text), func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
		ours := strings.HasPrefix(word, "deskfleet_queue_") || strings.HasPrefix(word, "deskfleet_pool_") || strings.HasPrefix(word, "deskfleet_router_")
		operators := strings.HasPrefix(word, "deskfleet_pool_seats_") || strings.HasPrefix(word, "deskfleet_pool_reserve_")
		if ours && !operators && !known[word] {
			t.Errorf("docs/metrics.md tells of %s, which there is not", word)
		}
	}
}
