package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/scaling"
)

const scaledPool = `{"metadata":{"name":"shop-bots"},"spec":{"type":"Bot","scaling":{"max":8}},"status":{"replicas":4,
"conditions":[{"type":"ScalingLimited","status":"True","reason":"MaxReached","message":"12 waiting: raise spec.scaling.max","lastTransitionTime":"2026-11-10T12:00:03Z"}],
"scaling":{"current":4,"recommended":8,"needed":10,"offeredLoad":47,"winner":"load","limiter":"max","leadTime":"1m0s","at":"2026-11-10T12:00:03Z",
"proposals":[{"name":"feedback","agents":9,"load":45,"arrivalsPerHour":0},{"name":"load","agents":10,"load":47,"arrivalsPerHour":940}],
"next":{"at":"2026-11-10T15:29:00Z","peak":"singles-day","phase":"Begins","floor":6},"reason":"12 waiting and 33 in progress; max 8 limits"}}}`

const staffedPool = `{"metadata":{"name":"shop-people"},"spec":{"type":"Human"},"status":{"required":5,"signedOn":3,"shortfall":2,
"conditions":[{"type":"Staffed","status":"False","reason":"SeatsMissing","message":"2 of 5 seats are missing","lastTransitionTime":"2026-11-20T12:00:03Z"}],
"seats":{"scheduled":6,"requiredScheduled":8,"next":{"at":"2026-11-20T12:00:00Z","until":"2026-11-20T14:30:00Z","seats":2},"peak":{"at":"2026-11-23T09:00:00Z","seats":14},
"reserve":[{"name":"office","state":"Called","since":"2026-11-20T11:58:00Z","until":"2026-11-20T12:58:00Z"},{"name":"agency","state":"Released"}]}}}`

func TestWhyPoolOfPeople(t *testing.T) {
	c := newCluster(t, "")
	c.has("pool", staffedPool)
	status, stdout, stderr := command(t, "", "why", "pool", "shop-people")
	want := `AgentPool shop-people of people: 5 seats are required, 3 signed on, 2 missing.
On the roster are 6; 8 should be, shrinkage counted in.
Next shortfall: 2 seats from 2026-11-20T12:00:00Z to 2026-11-20T14:30:00Z.
Most are needed at 2026-11-23T09:00:00Z: 14 on the roster.
Reserve office: Called since 2026-11-20T11:58:00Z, until 2026-11-20T12:58:00Z at least
Reserve agency: Released
Staffed is False since 2026-11-20T12:00:03Z, SeatsMissing: 2 of 5 seats are missing
`
	if diff := cmp.Diff(want, stdout); status != 0 || diff != "" {
		t.Errorf("status %d: %s\n%s", status, stderr, diff)
	}
	if status, stdout, stderr := command(t, "", "why", "pool", "shop-people", "-o", "json"); status != 0 || !strings.Contains(stdout, `"requiredScheduled": 8`) {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
}

func TestWhyPool(t *testing.T) {
	c := newCluster(t, "")
	c.has("pool", scaledPool)
	status, stdout, stderr := command(t, "", "why", "pool", "shop-bots", "-n", "shop")
	want := `AgentPool shop-bots: 8 workers are to serve since 2026-11-10T12:00:03Z, 4 do; the load needs 10.
12 waiting and 33 in progress; max 8 limits
Not the needed number: max allows no more (max).

PROPOSAL     WORKERS  CONVERSATIONS  ARRIVALS PER HOUR
feedback     9        45             -
load (wins)  10       47             940

Lead time: 1m0s; planned: peak singles-day begins, at least 6 workers from 2026-11-10T15:29:00Z on
ScalingLimited is True since 2026-11-10T12:00:03Z, MaxReached: 12 waiting: raise spec.scaling.max
`
	if diff := cmp.Diff(want, stdout); status != 0 || diff != "" {
		t.Errorf("status %d: %s\n%s", status, stderr, diff)
	}
	if got := c.calls(); got != "--namespace=shop get agentpools.deskfleet.dev shop-bots -o json\n" {
		t.Errorf("kubectl was called as %s", got)
	}
	for _, row := range []struct {
		pool   string
		args   []string
		status int
		says   string
	}{
		{scaledPool, []string{"shop-bots", "-o", "json"}, 0, `"winner": "load"`},
		{`{"metadata":{"name":"bots"},"spec":{"type":"Bot","replicas":3},"status":{"replicas":2}}`, []string{"bots"}, 0, "no spec.scaling: spec.replicas says 3"},
		{`{"metadata":{"name":"bots"},"spec":{"type":"Bot","replicas":3},"status":{"replicas":2,"scaling":{"mode":"External","recommended":5,"needed":5,"reason":"12 waiting"}}}`,
			[]string{"bots"}, 0, "What the operator would do:\nAgentPool bots: 5 workers should serve"},
		{`{"metadata":{"name":"bots"},"spec":{"type":"Bot","scaling":{"max":3}}}`, []string{"bots"}, 1, "nothing has been decided about AgentPool bots yet"},
		{`{"metadata":{"name":"bots"},"spec":{"type":"Bot"}}`, []string{"bots", "-o", "json"}, 1, "AgentPool bots has no status.scaling"},
		{`{"metadata":{"name":"people"},"spec":{"type":"Human"},"status":{"required":5,"signedOn":3,"shortfall":2}}`, []string{"people"}, 0, "5 seats are required, 3 signed on, 2 missing"},
		{scaledPool, nil, 2, "0 arguments: give the name of one AgentPool"},
		{scaledPool, []string{"a", "-o", "yaml"}, 2, `--output is "yaml": use table or json`},
	} {
		c.has("pool", row.pool)
		status, stdout, stderr := command(t, "", append([]string{"why", "pool"}, row.args...)...)
		if status != row.status || !strings.Contains(stdout+stderr, row.says) {
			t.Errorf("%v: status %d, want %d with %q\n%s%s", row.args, status, row.status, row.says, stdout, stderr)
		}
	}
}

// Each limiter has words.
func TestLimitersHaveWords(t *testing.T) {
	for _, l := range []scaling.Limiter{
		scaling.LimiterMin, scaling.LimiterMax, scaling.LimiterPeak, scaling.LimiterCap, scaling.LimiterBudget,
		scaling.LimiterHold, scaling.LimiterPanic, scaling.LimiterPace, scaling.LimiterStale,
	} {
		if limiterWords[string(l)] == "" {
			t.Errorf("limiter %s has no words", l)
		}
	}
}
