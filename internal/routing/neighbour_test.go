package routing_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// fold decodes the events of a log, one a line, and folds them.
func fold(t *testing.T, d *routing.Desk, log string) {
	t.Helper()
	for i, line := range strings.Split(strings.TrimSpace(log), "\n") {
		head := fmt.Sprintf(`{"v":1,"id":"01JD3KZ8Q80000000000000%03d","at":"2026-11-20T08:%02d:00Z",`, 900+i, i)
		e, err := conversation.Decode([]byte(head + strings.TrimSpace(line)[1:]))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if err := d.Fold(e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
}

// A log of the release before this one gives the desk that it described: nobody loses a place, an owner or a
// slot by the upgrade. It is written out as that release wrote it.
func TestTheLogOfTheReleaseBefore(t *testing.T) {
	c := peopleOnly()
	c.Pools[0].WrapUp = 30 * time.Second
	d, err := routing.New(c)
	if err != nil {
		t.Fatal(err)
	}
	const ann = `{"kind":"agent","id":"ann","pool":"people"}`
	fold(t, d, `
{"type":"agentRestored","agent":{"kind":"agent","id":"ann"},"presence":"online","idleSince":"2026-11-20T07:00:00Z"}
{"type":"opened","conversation":"01JD3KZ8Q80000000000000001","channel":"web","contact":"c-1","queue":"general","priority":50,"arrival":{"at":"2026-11-20T08:00:00Z","seq":3}}
{"type":"offered","conversation":"01JD3KZ8Q80000000000000001","agent":`+ann+`,"deadline":"2026-11-20T08:03:00Z","why":["queue general, priority 50, waited 0s, 0 ahead"]}
{"type":"accepted","conversation":"01JD3KZ8Q80000000000000001","agent":`+ann+`}
{"type":"restored","conversation":"01JD3KZ8Q80000000000000002","state":{"id":"01JD3KZ8Q80000000000000002","status":"Active","channel":"web","contact":"c-2","queue":"general","priority":50,"arrival":{"at":"2026-11-20T07:58:00Z","seq":2},"agent":`+ann+`,"statusAt":"2026-11-20T07:59:00Z"}}
{"type":"opened","conversation":"01JD3KZ8Q80000000000000003","channel":"web","contact":"c-3","queue":"general","priority":50,"arrival":{"at":"2026-11-20T08:05:00Z","seq":9}}
{"type":"wrapUpStarted","conversation":"01JD3KZ8Q80000000000000002","agent":`+ann+`}
{"type":"closed","conversation":"01JD3KZ8Q80000000000000002","by":{"kind":"agent","id":"ann"},"reason":"resolved"}
{"type":"celebrated","conversation":"01JD3KZ8Q80000000000000003","with":"cake"}
{"type":"queueCelebrated","queue":"general"}
`)
	if v, _ := d.Agent("ann"); v.Busy != 1 || v.Owned != 1 {
		t.Errorf("ann is %+v", v)
	}
	if position, waiting := d.Position("01JD3KZ8Q80000000000000003"); position != 1 || waiting != 1 {
		t.Errorf("the third stands at %d of %d", position, waiting)
	}
	if q := d.Queues()[1]; q.Name != "general" || q.HandleMean <= 0 || q.InProgress != 1 {
		t.Errorf("the queue is %+v", q)
	}
	now := start.Add(10 * time.Minute)
	d.SeenAll(now)
	d.Rearm()
	out, err := d.Decide(now, routing.Configure{Config: c})
	if err != nil || len(out) != 1 || out[0].Conversation != "01JD3KZ8Q80000000000000003" {
		t.Errorf("under this release follows %+v, %v", out, err)
	}
}

// A wrap-up that was cut off between its two events, as the release before wrote them, can still be ended.
func TestAWrapUpWithoutATimeEnds(t *testing.T) {
	d, err := routing.New(peopleOnly())
	if err != nil {
		t.Fatal(err)
	}
	const ann = `{"kind":"agent","id":"ann","pool":"people"}`
	fold(t, d, `
{"type":"signedOn","agent":{"kind":"agent","id":"ann"},"presence":"online"}
{"type":"opened","conversation":"01JD3KZ8Q80000000000000001","channel":"web","contact":"c-1","queue":"general","priority":50,"arrival":{"at":"2026-11-20T08:01:00Z","seq":3}}
{"type":"offered","conversation":"01JD3KZ8Q80000000000000001","agent":`+ann+`,"deadline":"2026-11-20T08:03:00Z"}
{"type":"accepted","conversation":"01JD3KZ8Q80000000000000001","agent":`+ann+`}
{"type":"wrapUpStarted","conversation":"01JD3KZ8Q80000000000000001","agent":`+ann+`}
`)
	now := start.Add(10 * time.Minute)
	by := conversation.Actor{Kind: conversation.KindAgent, ID: "ann"}
	out, err := d.Decide(now, routing.Close{Conversation: "01JD3KZ8Q80000000000000001", By: by})
	if err != nil || len(out) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	if s, _ := d.State("01JD3KZ8Q80000000000000001"); s.Status != conversation.StatusClosed {
		t.Errorf("it is %s", s.Status)
	}
}
