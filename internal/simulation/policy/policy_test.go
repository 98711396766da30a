package policy_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/internal/simulation/policy"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

// Whoever runs the benchmark again sees the same bytes, of each policy that needs no code of others.
func TestTwoRunsAreAlike(t *testing.T) {
	run := func() []byte {
		var b bytes.Buffer
		for _, d := range world.Bundled() {
			if !strings.HasPrefix(d.Name, "small") && !strings.HasPrefix(d.Name, "Sunday") && !strings.HasPrefix(d.Name, "fault late") {
				continue
			}
			d.PerDay = min(d.PerDay, 2000)
			s := d.Make(5)
			for _, r := range append(policy.Sweep(s), policy.Defaults(s).Run(s), policy.Clairvoyant(s), policy.Static(s, "static", 1)) {
				if err := json.NewEncoder(&b).Encode(r); err != nil {
					t.Fatal(err)
				}
			}
		}
		return b.Bytes()
	}
	first, second := run(), run()
	if len(first) < 10000 || !bytes.Equal(first, second) {
		t.Errorf("two runs differ: %d and %d bytes", len(first), len(second))
	}
}

// On the Sunday on which Berlin sets its clocks back there are 25 hours, the hour from two comes twice, and the pool knows
// its history by the clock on the wall: eight weeks of 24 hours a day, all of summer time.
func TestSundayOfWinterTime(t *testing.T) {
	for _, d := range world.Bundled() {
		if d.Name != "Sunday of winter time" {
			continue
		}
		s := d.Make(1)
		if s.Seconds != 25*3600 || len(s.History) != 56*288 || s.Start.Location().String() != "Europe/Berlin" {
			t.Fatalf("%g s from %s, %d bins of history", s.Seconds, s.Start, len(s.History))
		}
		if first, second := s.At(2*3600).Hour(), s.At(3*3600).Hour(); first != 2 || second != 2 {
			t.Errorf("%d and %d o'clock", first, second)
		}
		// What comes at 10:30 of the wall is the 11th hour and a half of this day.
		byHour := [25]int{}
		for _, c := range s.Trace {
			byHour[int(c.Arrival/3600)]++
		}
		if busiest := byHour[11]; busiest < byHour[9] || busiest < byHour[14] {
			t.Errorf("arrivals by hour: %v", byHour)
		}
		r := policy.Defaults(s).Run(s)
		if r.ServiceLevel < 0.97 || r.Dropped > 0 || r.AgentHours > 1.7*policy.Clairvoyant(s).AgentHours {
			t.Errorf("%+v", r)
		}
		return
	}
	t.Fatal("there is no such scenario")
}

// Who signs off finishes what he has, and nobody is there before or after the plan.
func TestSeats(t *testing.T) {
	s := &world.Scenario{Seconds: 3600, Slots: 1, Max: 9, Within: 20, Trace: []world.Conversation{
		{Arrival: 100, Service: 50, Patience: 1000},  // waits for the first seat, at 900
		{Arrival: 1750, Service: 300, Patience: 100}, // goes on after the end of the plan at 1800, until 2050
		{Arrival: 1900, Service: 10, Patience: 100},  // finds nobody
	}}
	w := world.New(s, 0)
	w.Track()
	policy.Seats(w, 900, []int{0, 2, 0, 0})
	r, outcomes := w.Result("x"), w.Outcomes()
	if outcomes[0].Answered != 900 || outcomes[1].Ended != 2050 || outcomes[2].Abandoned != 2000 || !math.IsNaN(outcomes[2].Answered) {
		t.Errorf("%+v", outcomes)
	}
	// Two seats for 15 minutes, and one until the next look after 2050.
	if got := r.AgentHours * 3600; r.Dropped != 0 || got < 1800+250 || got > 1800+310 {
		t.Errorf("%g agent-seconds, %+v", got, r.Dropped)
	}
}
