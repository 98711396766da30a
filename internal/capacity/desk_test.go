package capacity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/link"
)

var web = capacity.Desk{Namespace: "shop", Name: "web", Queues: []string{"general", "refunds"}}

// says lets the desk report of its queues, agents and storage.
func (w *world) says(r link.Report) {
	w.t.Helper()
	w.seq++
	r.V, r.Namespace, r.Desk, r.Router, r.Term, r.Seq = 1, "shop", "web", "r", 1, w.seq
	if !w.desks.Keep(&r) {
		w.t.Fatal("the report is not taken")
	}
}

// woken is how often the desk's controller was told since it was asked last.
func (w *world) woken() int {
	n := len(w.foreign)
	w.foreign = nil
	return n
}

func TestDeskShowsDeclaredQueuesInTheirOrder(t *testing.T) {
	w := newWorld(t)
	early, late := w.now.Add(-40*time.Second), w.now.Add(-10*time.Second)
	w.says(link.Report{Agents: &link.Agents{Online: 3, Busy: 2}, Queues: []link.Queue{
		{Name: "refunds", Waiting: 2, OldestSince: late}, {Name: "former", Waiting: 9, OldestSince: early.Add(-time.Hour)},
		{Name: "bot"}, {Name: "general", Waiting: 1, OldestSince: early},
	}})
	got := w.loop.LookAtDesk(web)
	want := capacity.DeskView{
		Fresh: true, Received: w.now, Since: w.now, Waiting: 3, OldestSince: early, Agents: &link.Agents{Online: 3, Busy: 2},
		Queues: []link.Queue{{Name: "bot"}, {Name: "general", Waiting: 1, OldestSince: early}, {Name: "refunds", Waiting: 2, OldestSince: late}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What is older than 15 seconds is not known: neither as it was, nor as nothing.
func TestStaleFiguresOfADeskAreUnknown(t *testing.T) {
	w := newWorld(t)
	began := w.now
	if v := w.loop.LookAtDesk(web); v.Fresh || !v.Young {
		t.Errorf("a desk that has just come: %+v", v)
	}
	w.pass(14, nil)
	if v := w.loop.LookAtDesk(web); !v.Young {
		t.Errorf("a desk that has had 14 s: %+v", v)
	}
	w.woken()
	w.pass(1, nil)
	if v := w.loop.LookAtDesk(web); v.Young || v.Fresh || !v.Since.Equal(began) || w.woken() != 1 {
		t.Errorf("a desk that never reported: %+v", v)
	}
	heard := w.now
	w.says(link.Report{Queues: []link.Queue{{Name: "general", Waiting: 4, OldestSince: w.now}}})
	w.pass(1, nil)
	if n := w.woken(); n != 1 {
		t.Errorf("%d wake-ups when a desk is heard for the first time", n)
	}
	w.pass(14, nil)
	if v := w.loop.LookAtDesk(web); !v.Fresh || v.Waiting != 4 {
		t.Errorf("figures of 15 s: %+v", v)
	}
	w.pass(600, nil)
	if n := w.woken(); n != 1 {
		t.Errorf("%d wake-ups when a desk falls silent", n)
	}
	if diff := cmp.Diff(capacity.DeskView{Received: heard, Since: began}, w.loop.LookAtDesk(web)); diff != "" {
		t.Error(diff)
	}
}

// A new leader is no reason to call figures unknown that it has heard already, nor to miss them at once.
func TestNewLeaderOfADeskIsPatient(t *testing.T) {
	w := newWorld(t)
	w.says(link.Report{Queues: []link.Queue{{Name: "general", Waiting: 1}}})
	w.restart()
	if v := w.loop.LookAtDesk(web); !v.Fresh || v.Waiting != 1 {
		t.Errorf("with a warm register: %+v", v)
	}
}

// An idle desk wakes nobody, and one whose figures change each second twice a minute.
func TestFiguresOfADeskWakeSeldom(t *testing.T) {
	w := newWorld(t)
	idle := func() {
		w.says(link.Report{Queues: []link.Queue{{Name: "general"}}, Agents: &link.Agents{Online: 1},
			Archive: &link.Storage{FreeBytes: int64(1_000_000 - w.seq), TotalBytes: 1_000_000}})
	}
	idle()
	w.loop.LookAtDesk(web)
	w.pass(3600, idle)
	if n := w.woken(); n > 0 {
		t.Errorf("%d wake-ups in an idle hour", n)
	}
	w.pass(600, func() { w.says(link.Report{Queues: []link.Queue{{Name: "general", Waiting: int(w.seq % 7)}}}) })
	if n := w.woken(); n < 15 || n > 20 {
		t.Errorf("%d wake-ups in ten busy minutes", n)
	}
	// Nor does a wait that hardly changes, nor a counter.
	w.loop.LookAtDesk(web)
	hardly := func() {
		w.says(link.Report{Queues: []link.Queue{{Name: "general", Figures: &link.QueueFigures{
			Arrived: w.seq, ExpectedWaitSeconds: new(91 + float64(w.seq%20)), Level: &link.Level{Of: int(w.seq), InTimePercent: 80 + float64(w.seq%4)/10},
		}}}})
	}
	w.pass(60, hardly)
	w.woken()
	w.pass(600, hardly)
	if n := w.woken(); n > 0 {
		t.Errorf("%d wake-ups by figures that are shown as the same", n)
	}
	// That somebody holds a step is news, and how long it lasts none.
	holding := func() {
		w.says(link.Report{Queues: []link.Queue{{Name: "general", Figures: &link.QueueFigures{
			ExpectedWaitSeconds: new(91.0), Level: &link.Level{Of: 9, InTimePercent: 80}, Held: []link.HeldStep{{Step: 1, Action: "Bot", Until: w.now.Truncate(24 * time.Hour).Add(24 * time.Hour)}},
		}}}})
	}
	w.pass(1, holding)
	if n := w.woken(); n != 1 {
		t.Errorf("%d wake-ups when a step is held", n)
	}
	w.pass(60, holding)
	w.woken()
	w.pass(600, holding)
	if n := w.woken(); n > 0 {
		t.Errorf("%d wake-ups while it is held", n)
	}
	w.pass(1, hardly)
	if n := w.woken(); n != 1 {
		t.Errorf("%d wake-ups when it is released", n)
	}
	w.pass(60, hardly)
	w.woken()
	// That the archive is behind is news, and then by how much twice a minute; a little lag is none.
	w.loop.LookAtDesk(web)
	w.pass(60, func() { w.says(link.Report{ArchiveLag: &link.Lag{Seconds: float64(w.seq % 5)}}) })
	w.woken()
	late := func() { w.says(link.Report{ArchiveLag: &link.Lag{Seconds: float64(w.seq), Behind: true}}) }
	w.pass(1, late)
	if n := w.woken(); n != 1 {
		t.Errorf("%d wake-ups when the archive falls behind", n)
	}
	w.pass(600, late)
	if n := w.woken(); n < 15 || n > 20 {
		t.Errorf("%d wake-ups in ten minutes of an archive that is behind", n)
	}
	// That something fills up is news, and then how full it is twice a minute.
	w.loop.LookAtDesk(web)
	full := func() {
		w.says(link.Report{Bus: &link.Storage{FreeBytes: int64(w.seq), TotalBytes: 1 << 30, Low: true}})
	}
	w.pass(1, full)
	if n := w.woken(); n != 1 {
		t.Errorf("%d wake-ups when the bus fills up", n)
	}
	w.pass(60, full)
	if n := w.woken(); n != 2 {
		t.Errorf("%d wake-ups in a minute in which it fills further", n)
	}
	w.loop.ForgetDesk("shop", "web")
	w.pass(60, idle)
	if n := w.woken(); n > 0 {
		t.Errorf("%d wake-ups of a desk that is gone", n)
	}
}

func TestFiguresOfADeskAreMetrics(t *testing.T) {
	w := newWorld(t)
	c := capacity.NewCollector(w.loop)
	if problems, err := testutil.CollectAndLint(c); err != nil || len(problems) > 0 {
		t.Errorf("%v (%v)", problems, err)
	}
	report := link.Report{
		Agents: &link.Agents{Online: 3, Busy: 2}, Archive: &link.Storage{FreeBytes: 1, TotalBytes: 4}, Bus: &link.Storage{FreeBytes: 1, TotalBytes: 2},
		Queues: []link.Queue{{Name: "general", Waiting: 2, OldestSince: w.now.Add(-30 * time.Second), Figures: &link.QueueFigures{
			ExpectedWaitSeconds: new(42.5), Level: &link.Level{Of: 4, InTimePercent: 75, AbandonedPercent: 25},
			OverflowSteps: 1, Held: []link.HeldStep{{Step: 2, Action: "Bot", Until: time.Unix(2e9, 0)}},
		}}, {Name: "made-up", Waiting: 1}},
	}
	w.says(report)
	is := func(what, want string) {
		t.Helper()
		if err := testutil.CollectAndCompare(c, strings.NewReader(want+noHistory)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	is("a desk that no controller looks at, as on a standby", "")
	w.loop.LookAtDesk(web)
	is("a desk", `
# HELP deskfleet_desk_abandonment_ratio Share of the last five minutes' conversations that were given up later than the service level promises an answer, by queue.
# TYPE deskfleet_desk_abandonment_ratio gauge
deskfleet_desk_abandonment_ratio{desk="web",namespace="shop",queue="general"} 0.25
# HELP deskfleet_desk_agents People of a desk by state: online, busy.
# TYPE deskfleet_desk_agents gauge
deskfleet_desk_agents{desk="web",namespace="shop",state="busy"} 2
deskfleet_desk_agents{desk="web",namespace="shop",state="online"} 3
# HELP deskfleet_desk_expected_wait_seconds Expected wait of who comes now, by queue; missing while nothing tells.
# TYPE deskfleet_desk_expected_wait_seconds gauge
deskfleet_desk_expected_wait_seconds{desk="web",namespace="shop",queue="general"} 42.5
# HELP deskfleet_desk_linked 1 while a desk reports figures over the link, else 0.
# TYPE deskfleet_desk_linked gauge
deskfleet_desk_linked{desk="web",namespace="shop"} 1
# HELP deskfleet_desk_oldest_wait_seconds How long the longest waiting conversation has waited, by queue; 0 when none waits.
# TYPE deskfleet_desk_oldest_wait_seconds gauge
deskfleet_desk_oldest_wait_seconds{desk="web",namespace="shop",queue="general"} 30
# HELP deskfleet_desk_overflow_held_until_seconds When a step of the degradation ladder that a supervisor holds ends, in seconds since 1970, by queue, step and action; missing while nobody holds it.
# TYPE deskfleet_desk_overflow_held_until_seconds gauge
deskfleet_desk_overflow_held_until_seconds{action="Bot",desk="web",namespace="shop",queue="general",step="2"} 2e+09
# HELP deskfleet_desk_overflow_steps Steps of the degradation ladder that apply by the predicted wait, by queue.
# TYPE deskfleet_desk_overflow_steps gauge
deskfleet_desk_overflow_steps{desk="web",namespace="shop",queue="general"} 1
# HELP deskfleet_desk_service_level_ratio Share of the last five minutes' conversations that were answered within the time of the service level, by queue.
# TYPE deskfleet_desk_service_level_ratio gauge
deskfleet_desk_service_level_ratio{desk="web",namespace="shop",queue="general"} 0.75
# HELP deskfleet_desk_storage_free_ratio Free share, 0 to 1, by storage: archive, bus.
# TYPE deskfleet_desk_storage_free_ratio gauge
deskfleet_desk_storage_free_ratio{desk="web",namespace="shop",storage="archive"} 0.25
deskfleet_desk_storage_free_ratio{desk="web",namespace="shop",storage="bus"} 0.5
# HELP deskfleet_desk_waiting Conversations that wait, by queue.
# TYPE deskfleet_desk_waiting gauge
deskfleet_desk_waiting{desk="web",namespace="shop",queue="general"} 2
`)
	w.pass(20, nil)
	is("a silent desk", `
# HELP deskfleet_desk_linked 1 while a desk reports figures over the link, else 0.
# TYPE deskfleet_desk_linked gauge
deskfleet_desk_linked{desk="web",namespace="shop"} 0
`)
}

// noHistory is of a loop to which nothing was given back and that has handed nothing over.
const noHistory = `
# HELP deskfleet_scaling_history_total What became of what was learned of pools, by result: handed to the desk to keep, recalled from it, none kept there, discarded as it could not be read.
# TYPE deskfleet_scaling_history_total counter
deskfleet_scaling_history_total{result="discarded"} 0
deskfleet_scaling_history_total{result="handed"} 0
deskfleet_scaling_history_total{result="none"} 0
deskfleet_scaling_history_total{result="recalled"} 0
`
