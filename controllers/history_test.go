package controllers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	wire "github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/scaling/forecast"
)

// What was learned goes to the desk and comes back from there: an operator that is restarted shows the forecast with its
// first decisions, and the API server does not notice.
func TestHistoryCostsNoWrite(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.scaled(&v1alpha1.PoolScaling{Max: 40, Forecast: v1alpha1.ForecastObserve})
	d.workers(wire.Worker{Name: "bots-a", Slots: 5, Busy: 5})
	d.report.Pools[0].InProgress, d.report.Pools[0].Flow = 60, &wire.Flow{}

	k := scaling.NewKnowledge()
	now := time.Now()
	for at := now.AddDate(0, 0, -14); at.Before(now.Add(time.Hour)); at = at.Add(forecast.BinLength) {
		k.History().Add(at, at.Add(forecast.BinLength), 300)
	}
	stored, err := k.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	recalls := func(reply *wire.Reply) error {
		if len(reply.Recall) == 0 {
			return fmt.Errorf("it does not ask: %+v", reply)
		}
		return nil
	}
	// giveBack answers like a router whose bus keeps what was stored, until nothing is asked any more.
	giveBack := func() {
		t.Helper()
		d.until("the pool is asked for", recalls)
		d.report.Learned = map[string][]byte{"bots": stored, "people": {}}
		d.until("nothing is asked any more", func(reply *wire.Reply) error {
			if len(reply.Recall) > 0 {
				return fmt.Errorf("it asks for %v", reply.Recall)
			}
			return nil
		})
		d.report.Learned = nil
	}
	giveBack()
	d.flows(12, 60)
	explained := func() *v1alpha1.PoolScalingStatus {
		t.Helper()
		var s *v1alpha1.PoolScalingStatus
		d.until("the forecast is explained", func(*wire.Reply) error {
			if s = d.pool("bots").Status.Scaling; s == nil || s.Forecast == nil || *s.Forecast == 0 {
				return fmt.Errorf("status.scaling is %+v", s)
			}
			return nil
		})
		return s
	}
	explained()
	d.allReady()

	// Handing over costs nothing: the figures stay, time passes, and the only thing to be told is what was learned.
	d.idle()
	d.recorder.Reset()
	d.learned = nil
	d.flows(12, 60) // two bins are full, and two times five minutes over
	if stored = d.learned["bots"]; len(stored) == 0 {
		t.Fatalf("handed over is %v", d.learned)
	}
	d.onlyStatus("to hand over")

	d.stopOperator()
	d.report.Term++ // the router begins anew, too
	d.recorder.Reset()
	d.startOperator()
	giveBack()
	d.flows(1, 60)
	explained()
	d.onlyStatus("to begin with what was learned")
}

// onlyStatus allows the figures of the pool that come every half a minute, and nothing else.
func (d *desk) onlyStatus(what string) {
	d.t.Helper()
	for _, write := range d.recorder.Writes() {
		if !strings.HasSuffix(write, "/agentpools/bots/status") {
			d.t.Errorf("%s costs %q", what, write)
		}
	}
}
