package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	wire "github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// startWithReserve starts a desk of people in whose pool wu is in reserve.
func startWithReserve(t testing.TB) *desk {
	t.Helper()
	rig := webtest.New(t, func(doc *runtimeconfig.Document) {
		doc.Pools = doc.Pools[1:]
		doc.Pools[0].Human.Reserve = []runtimeconfig.Reserve{{Name: "office", Seats: 1, Members: []string{"wu"}}}
	})
	led := rig.StartRouter(routing.Times{})
	d := startOn(t, rig)
	d.router = led
	return d
}

// Who is in reserve is given something when the operator calls the tier in, or a supervisor does by hand, which everybody sees
// and the audit log knows.
func TestReserve(t *testing.T) {
	d := startWithReserve(t)
	startArchive(t, d)
	wu := d.signedIn(t, wuToken, agentwire.Available, nil)
	conv := d.customerSays("c-1", "m1", "My lamp is broken")
	tiers := func(token string) []protocol.PoolReserve {
		t.Helper()
		var reply reserveReply
		if status, p := d.get(t, "/console/v1/reserve", token, &reply); status != http.StatusOK {
			t.Fatalf("the reserve gives %d %v", status, p)
		}
		return reply.Pools
	}
	released := []protocol.PoolReserve{{Pool: "people", Tiers: []protocol.ReserveFigures{{Name: "office", Seats: 1, Present: 1}}}}
	if diff := cmp.Diff(released, tiers(wuToken)); diff != "" {
		t.Error(diff)
	}
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	const path = "/console/v1/pools/people/reserve/office"
	var reply reserveReply
	if status, p := d.send(t, http.MethodPut, path, bossToken, fmt.Sprintf(`{"until":%q,"reason":" sale day "}`, until.Format(time.RFC3339)), &reply); status != http.StatusOK {
		t.Fatalf("calling gives %d %v", status, p)
	}
	want := []protocol.PoolReserve{{Pool: "people", Tiers: []protocol.ReserveFigures{
		{Name: "office", Seats: 1, Present: 1, Called: true, Until: until, By: "boss", Reason: "sale day"},
	}}}
	if diff := cmp.Diff(want, reply.Pools, cmpopts.IgnoreFields(protocol.ReserveFigures{}, "Since")); diff != "" {
		t.Error(diff)
	}
	wu.relation(conv, agentwire.Offered)
	wu.next(agentwire.TypeFigures) // which show it: the contract holds what is in them
	if status, p := d.send(t, http.MethodDelete, path, bossToken, "", &reply); status != http.StatusOK || tiers(bossToken)[0].Tiers[0].Called {
		t.Errorf("releasing gives %d %v", status, p)
	}
	d.router.SetSeats(map[string]wire.Seats{"people": {Called: []string{"office"}}})
	eventually.True(t, "the operator calls", func() bool { tier := tiers(bossToken)[0].Tiers[0]; return tier.Called && tier.By == "" })

	record := audited(t, d, "pool.reserveCalled", 1)[0]
	var details struct{ Pool, Tier, Reason, Until string }
	if err := json.Unmarshal(record.Details, &details); err != nil || record.Who.ID != "boss" ||
		details.Pool != "people" || details.Tier != "office" || details.Reason != "sale day" || details.Until != until.Format(time.RFC3339) {
		t.Errorf("the audit has %+v %s", record, record.Details)
	}
	audited(t, d, "pool.reserveReleased", 1)
	good := fmt.Sprintf(`{"until":%q,"reason":"sale"}`, until.Format(time.RFC3339))
	for _, tt := range []struct {
		name, path, token, body string
		status                  int
	}{
		{"an agent", path, wuToken, good, http.StatusForbidden},
		{"no such tier", "/console/v1/pools/people/reserve/nobody", bossToken, good, http.StatusNotFound},
		{"no such pool", "/console/v1/pools/nobody/reserve/office", bossToken, good, http.StatusNotFound},
		{"without an end", path, bossToken, `{"reason":"sale"}`, http.StatusBadRequest},
		{"without words", path, bossToken, fmt.Sprintf(`{"until":%q}`, until.Format(time.RFC3339)), http.StatusBadRequest},
		{"past", path, bossToken, `{"until":"2020-01-01T00:00:00Z","reason":"sale"}`, http.StatusBadRequest},
	} {
		if status, p := d.send(t, http.MethodPut, tt.path, tt.token, tt.body, nil); status != tt.status || p.Remedy == "" {
			t.Errorf("%s: %d %+v", tt.name, status, p)
		}
	}
	audited(t, d, "pool.reserveCalled", 2) // the refused time in the past was an attempt; what is unknown is not news
}
