package console

import (
	"net/http"
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// TestLoadReport: a supervisor sees what came to the desk, and the table is a trace that a simulation takes.
func TestLoadReport(t *testing.T) {
	d := start(t, routing.Times{})
	startArchive(t, d)
	d.serveOne(t)
	var load loadReply
	period := today() // once: it counts from the second in which it is asked for
	eventually.True(t, "the conversation is in the load", func() bool {
		load = loadReply{}
		status, _ := d.get(t, "/console/v1/reports/load"+period, bossToken, &load)
		return status == 200 && load.People.Answered == 1
	})
	sum := int64(0)
	for _, n := range load.Arrivals {
		sum += n
	}
	if sum != 1 || len(load.Arrivals) != 8 || load.StepSeconds != 900 || load.Bots.Answered != 0 || len(load.People.HandleQuantilesSeconds) != 21 || len(load.Bots.HandleQuantilesSeconds) != 0 {
		t.Errorf("%+v", load)
	}
	_, table := d.table(t, "/console/v1/reports/load"+period+"&format=csv", bossToken)
	trace, err := world.ParseTrace(strings.NewReader(table), world.Reading{})
	if err != nil || trace.Expected() != 1 || !trace.Start.Equal(load.From) || trace.Seconds != 7200 {
		t.Errorf("%q: %+v, %v", table, trace, err)
	}
	for query, want := range map[string]int{
		"": http.StatusBadRequest, "?from=2026-01-01T00:00:00Z&to=2026-06-01T00:00:00Z": http.StatusBadRequest, today() + "&format=xls": http.StatusBadRequest,
	} {
		if status, p := d.get(t, "/console/v1/reports/load"+query, bossToken, nil); status != want || p.Remedy == "" {
			t.Errorf("%q gives %d, %v", query, status, p)
		}
	}
	for token, want := range map[string]int{chenToken: http.StatusForbidden, "": http.StatusUnauthorized} {
		if status, _ := d.get(t, "/console/v1/reports/load"+today(), token, nil); status != want {
			t.Errorf("%q gives %d", token, status)
		}
	}
}
