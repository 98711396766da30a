package router

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// A shift may have a zone of its own, and is not worked in its breaks.
func TestShiftsHaveZonesAndBreaks(t *testing.T) {
	doc := document()
	doc.TimeZone = "Asia/Shanghai"
	doc.Pools[1].Human.Shifts = []runtimeconfig.Shift{{
		Name: "abroad", Days: []string{"Friday"}, From: "08:00", To: "16:00", TimeZone: "Europe/Berlin",
		Breaks: []runtimeconfig.Period{{From: "12:00", To: "12:30"}},
	}}
	c := routingConfig(doc, routing.Times{})
	if problem := setHours(&c, doc); problem != "" {
		t.Fatal(problem)
	}
	at := func(hour, minute int) time.Time { return time.Date(2026, 11, 20, hour, minute, 0, 0, time.UTC) } // an hour before Berlin
	for _, tt := range []struct {
		at, until time.Time
		open      bool
	}{
		{at: at(7, 0), open: true, until: at(11, 0)},
		{at: at(11, 0), until: at(11, 30)},
		{at: at(11, 30), open: true, until: at(15, 0)},
	} {
		if open, until := c.Pools[1].Shifts[0].Hours.At(tt.at); open != tt.open || !until.Equal(tt.until) {
			t.Errorf("at %s the shift is worked: %v until %s, want %v until %s", tt.at, open, until, tt.open, tt.until)
		}
	}
}
