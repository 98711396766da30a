package world_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/internal/simulation/policy"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

// A pool that is never changed is M/M/n+M but for the handle times; of four
// conversations each number can be reckoned by hand.
func TestByHand(t *testing.T) {
	s := &world.Scenario{Seconds: 1000, Slots: 1, Max: 9, Within: 20, Trace: []world.Conversation{
		{Arrival: 10, Service: 100, Patience: 500},
		{Arrival: 20, Service: 50, Patience: 500},               // waits until 110
		{Arrival: 30, Service: 50, Patience: 40},                // hangs up at 70
		{Arrival: 150, Service: 10, Patience: 500, Priority: 0}, // waits until 160
	}}
	w := world.New(s, 1)
	w.Run(s.Seconds)
	r := w.Result("x")
	if r.ServiceLevel != 0.5 || r.Abandonment != 0.25 || r.P95 != 90 || math.Abs(r.AgentHours-1000.0/3600) > 1e-9 || r.Conversations != 4 {
		t.Errorf("%+v", r)
	}
}

func TestScaleDownCutsAfterTheGraceAndDrainDoesNot(t *testing.T) {
	s := &world.Scenario{Seconds: 1000, Slots: 1, Max: 9, Within: 20, Trace: []world.Conversation{{Arrival: 10, Service: 300, Patience: 500}}}
	w := world.New(s, 1)
	w.Grace = 30
	w.Run(20)
	w.Scale(0)
	w.Run(s.Seconds)
	if r := w.Result("x"); r.Dropped != 1 || math.Abs(r.AgentHours-50.0/3600) > 1e-9 {
		t.Errorf("deleted: %+v", r)
	}
	w = world.New(s, 1)
	w.Run(20)
	w.Drain(w.Pods()[0])
	for at := 25.0; at <= s.Seconds; at += 5 {
		w.Run(at)
		w.Release(3600)
	}
	if r := w.Result("x"); r.Dropped != 0 || r.HandedOver != 0 || math.Abs(r.AgentHours-310.0/3600) > 1e-9 {
		t.Errorf("drained: %+v", r)
	}
}

// Whoever asks in other steps sees the same world: the peers ask when they like.
func TestStepsDoNotMatter(t *testing.T) {
	s := world.Day{Name: "x", PerDay: 3000, ColdStart: 60}.Make(7)
	run := func(step float64) world.Result {
		w := world.New(s, 3)
		w.Grace = 600
		for at := 0.0; at < s.Seconds; at += step {
			w.Run(at)
			if math.Mod(at, 1800) == 0 {
				w.Scale(2 + int(at/1800)%4)
			}
		}
		w.Run(s.Seconds)
		r := w.Result("x")
		r.AgentHours = math.Round(r.AgentHours * 1e6)
		r.Series = nil
		return r
	}
	if a, b := run(1), run(300); a.ServiceLevel != b.ServiceLevel || a.AgentHours != b.AgentHours || a.Dropped != b.Dropped || a.PodsMade != b.PodsMade {
		t.Errorf("steps of 1 s:   %+v\nsteps of 300 s: %+v", a, b)
	}
}

// No policy of ours may cut anybody, whatever goes wrong, nor use less than the bound.
func TestOursDropsNobody(t *testing.T) {
	for _, d := range world.Bundled() {
		d.PerDay /= 8 // each phase of a day is there, in an eighth of the time
		s := d.Make(3)
		r, bound := policy.Defaults(s).Run(s), policy.Clairvoyant(s)
		if r.Dropped != 0 || r.Conversations != len(s.Trace) {
			t.Errorf("%s: %d dropped, %d of %d conversations", d.Name, r.Dropped, r.Conversations, len(s.Trace))
		}
		if r.ServiceLevel < 0.7 || r.AgentHours > 12*bound.AgentHours {
			t.Errorf("%s: %.2f in time with %.1f agent-hours, the bound is %.1f", d.Name, r.ServiceLevel, r.AgentHours, bound.AgentHours)
		}
	}
}

func read(t *testing.T, content string) (*world.Scenario, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return (&world.Options{Trace: path, Slots: 5, Cold: 60, Announce: "10-20*4"}).ReadTrace(1)
}

func TestTraces(t *testing.T) {
	s, err := read(t, "arrival_s,service_s,patience_s,priority\n7,30,,2\n1.5,,60,\n")
	if err != nil || len(s.Trace) != 2 || s.Trace[0].Arrival != 1.5 || s.Trace[0].Service <= 0 || s.Trace[1].Priority != 2 || s.Trace[1].Service != 30 ||
		s.Trace[1].Patience <= 0 || len(s.Peaks) != 1 || s.Peaks[0].Multiplier != 4 {
		t.Errorf("%+v, %v", s, err)
	}
	s, err = read(t, "interval_start,count\n2026-11-11 00:00:00,3\n2026-11-11 00:05:00,0\n2026-11-11 00:10:00,2\n")
	if err != nil || len(s.Trace) != 5 || s.Trace[2].Arrival >= 300 || s.Trace[3].Arrival < 600 || s.Seconds < 900 {
		t.Errorf("%+v, %v", s, err)
	}
	for content, want := range map[string]string{
		"a,b\n1,2\n":                                     "begin it with arrival_s or interval_start",
		"arrival_s\n-1\n":                                `line 2: "-1" is no number of 0 or more`,
		"arrival_s,service_s\n1,NaN\n":                   "is no number of 0 or more",
		"interval_start,count\n300,1\n0,1\n300,2\n":      "line 4: its interval begins when that of line 2 does",
		"interval_start,count\nsoon,1\n":                 "is no time",
		"arrival_s,service_s,patience_s,priority\n":      "it has no arrivals",
		"interval_start,count\n0,99999999\n300,99999999": "give a part of it",
	} {
		if _, err := read(t, content); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", content, err, want)
		}
	}
}
