package capacity_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/link/server"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// world is a loop with the clock and the reports of a test.
type world struct {
	t       testing.TB
	now     time.Time
	desks   *server.Desks
	loop    *capacity.Loop
	seq     uint64
	changed []capacity.Key
	foreign []string
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, now: time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)}
	w.desks = server.NewDesks(func() time.Time { return w.now })
	w.restart()
	return w
}

// restart is a new leader: the reports are warm, everything else is gone.
func (w *world) restart() {
	w.loop = capacity.New(capacity.Options{
		Desks: w.desks, Now: func() time.Time { return w.now },
		PoolChanged: func(k capacity.Key) { w.changed = append(w.changed, k) },
		DeskChanged: func(namespace, desk string) { w.foreign = append(w.foreign, namespace+"/"+desk) },
	})
}

func (w *world) report(waiting int, pools ...link.Pool) {
	w.t.Helper()
	w.seq++
	w.desks.Keep(&link.Report{
		V: 1, Namespace: "shop", Desk: "web", Router: "r", Term: 1, Seq: w.seq, Revision: "r1", Generation: 5,
		Queues: []link.Queue{{Name: "bot", Waiting: waiting}}, Pools: pools,
	})
}

// pass lets seconds pass with a tick each; the desk reports when report is not nil.
func (w *world) pass(seconds int, report func()) {
	for range seconds {
		w.now = w.now.Add(time.Second)
		if report != nil {
			report()
		}
		w.loop.Tick()
	}
}

func workers(n, busy int) link.Pool {
	p := link.Pool{Name: "bots", SignedOn: n, Slots: n * 5, InProgress: n * busy}
	for i := range n {
		p.Workers = append(p.Workers, link.Worker{Name: fmt.Sprintf("bots-%02d", i), Slots: 5, Busy: busy})
	}
	return p
}

func bots(live int) capacity.Pool {
	return capacity.Pool{
		Key: capacity.Key{Namespace: "shop", Name: "bots"}, Desk: "web", Concurrency: 5, Live: live, DrainDeadline: 10 * time.Minute,
		Scaling: &scaling.Settings{Concurrency: 5, Min: 1, Max: 20},
	}
}

func (w *world) wanted() int {
	_, pools := w.loop.Answer("shop", "web")
	if p, told := pools["bots"]; told {
		return p.Active
	}
	return -1
}

func TestPoolGrowsAtOnceAndShrinksAfterTheHold(t *testing.T) {
	w := newWorld(t)
	w.loop.Look(bots(2))
	w.pass(3, func() { w.report(12, workers(2, 5)) })
	if got := w.wanted(); got != 5 {
		t.Fatalf("%d workers are wanted for 12 waiting and 10 in progress", got)
	}
	if !slices.Contains(w.changed, capacity.Key{Namespace: "shop", Name: "bots"}) {
		t.Error("the controller was not told")
	}
	v := w.loop.Look(bots(5))
	if v.Wanted != 5 || !v.Fresh || v.Waiting != 12 || v.InProgress != 10 || v.Decision.Need != 5 {
		t.Errorf("view %+v", v)
	}
	w.pass(59, func() { w.report(0, workers(5, 0)) })
	if got := w.wanted(); got != 5 {
		t.Errorf("%d workers are wanted within the hold", got)
	}
	w.pass(10, func() { w.report(0, workers(5, 0)) })
	if got := w.wanted(); got != 1 {
		t.Errorf("%d workers are wanted after the hold", got)
	}
}

// The next report may come only after the new workers, which would be drained as too many until then.
func TestReportIsAnsweredWithWhatItCallsFor(t *testing.T) {
	w := newWorld(t)
	w.loop.Look(bots(2))
	w.pass(3, func() { w.report(0, workers(2, 5)) })
	w.report(12, workers(2, 5))
	if got := w.wanted(); got != 5 {
		t.Errorf("%d workers are wanted in the answer to a report of 12 waiting and 10 in progress", got)
	}
	w.pass(1, nil)
	if !slices.Contains(w.changed, capacity.Key{Namespace: "shop", Name: "bots"}) {
		t.Error("the controller was not told")
	}
}

// A new leader finds the workers, and goes on where the former one stopped.
func TestNewLeaderNeitherShrinksNorTakesDrainsBack(t *testing.T) {
	w := newWorld(t)
	draining := workers(6, 1)
	draining.Workers[0].Draining, draining.Workers[1].Draining = true, true
	w.report(0, draining)
	w.restart()
	w.now = w.now.Add(20 * time.Second) // silent during the change
	if v := w.loop.Look(bots(6)); v.Wanted != 6 || v.Fresh {
		t.Errorf("without figures: %+v", v)
	}
	if got := w.wanted(); got != -1 {
		t.Errorf("the desk is told %d although nothing was decided", got)
	}
	w.pass(1, func() { w.report(0, draining) })
	if got := w.wanted(); got != 4 {
		t.Errorf("%d workers are wanted, 4 of 6 serve", got)
	}
	w.pass(30, func() { w.report(0, draining) })
	if got := w.wanted(); got != 4 {
		t.Errorf("%d workers are wanted within the hold of the new leader", got)
	}
}

func TestSilentDeskIsHeld(t *testing.T) {
	w := newWorld(t)
	w.loop.Look(bots(2))
	w.pass(3, func() { w.report(12, workers(2, 5)) })
	w.changed = nil
	w.pass(600, nil)
	if got := w.wanted(); got != 5 {
		t.Errorf("%d workers are wanted of a desk that is silent", got)
	}
	if len(w.changed) != 2 { // stale, then blind
		t.Errorf("the controller was told %d times of a silent desk", len(w.changed))
	}
	if v := w.loop.Look(bots(5)); v.Fresh || !v.Blind || v.Decision.Limiter != scaling.LimiterStale {
		t.Errorf("view %+v", v)
	}
}

// An idle desk wakes no controller.
func TestIdleDeskIsQuiet(t *testing.T) {
	w := newWorld(t)
	w.loop.Look(bots(1))
	w.pass(120, func() { w.report(0, workers(1, 0)) })
	w.changed = nil
	w.pass(3600, func() { w.report(0, workers(1, 0)) })
	if len(w.changed) > 0 {
		t.Errorf("%d wake-ups in an idle hour", len(w.changed))
	}
}

// A busy one whose figures change each second is looked at twice a minute.
func TestFiguresAloneWakeSeldom(t *testing.T) {
	w := newWorld(t)
	w.loop.Look(bots(10))
	w.pass(60, func() { w.report(0, workers(10, 5)) })
	w.changed = nil
	n := 0
	w.pass(600, func() { n++; w.report(n%3, workers(9, 5)) })
	if len(w.changed) < 15 || len(w.changed) > 25 {
		t.Errorf("%d wake-ups in ten minutes", len(w.changed))
	}
}

func TestWithoutScalingTheSpecIsWanted(t *testing.T) {
	w := newWorld(t)
	p := bots(7)
	p.Scaling, p.Replicas = nil, 3
	if v := w.loop.Look(p); v.Wanted != 3 || v.Decision != nil || v.Blind {
		t.Errorf("view %+v", v)
	}
	if got := w.wanted(); got != 3 {
		t.Errorf("the desk is told %d", got)
	}
	w.pass(61, nil)
	if v := w.loop.Look(p); !v.Blind {
		t.Error("a minute of silence does not let the author's word through")
	}
	w.pass(1, func() { w.report(0, workers(7, 1)) })
	if v := w.loop.Look(p); v.Blind || !v.Fresh || len(v.Workers) != 7 {
		t.Errorf("view %+v", v)
	}
}

func TestDrainsAndDeparturesWakeTheController(t *testing.T) {
	w := newWorld(t)
	p := bots(3)
	p.Scaling, p.Replicas = nil, 2
	w.loop.Look(p)
	report := workers(3, 2)
	step := func(what string, wakes int, change func()) {
		t.Helper()
		change()
		w.changed = nil
		w.pass(1, func() { w.report(0, report) })
		if len(w.changed) != wakes {
			t.Errorf("%s: %d wake-ups, expected %d", what, len(w.changed), wakes)
		}
	}
	step("first figures", 1, func() {})
	step("a mark", 1, func() { report.Workers[0].Draining = true })
	step("one conversation less", 0, func() { report.Workers[0].Busy = 0 })
	// That is not the router's word yet that it is empty.
	if v := w.loop.Look(p); v.Workers[0].Drained() || v.Draining() != 1 {
		t.Errorf("%+v counts as drained", v.Workers[0])
	}
	step("drained", 1, func() { report.Workers[0].Drained = true })
	if v := w.loop.Look(p); !v.Workers[0].Drained() {
		t.Errorf("%+v does not count as drained", v.Workers[0])
	}
	w.loop.Leaving(p.Key, []string{"bots-00"})
	if _, pools := w.loop.Answer("shop", "web"); !cmp.Equal(pools["bots"], link.Wanted{Active: 2, DrainSeconds: 600, Leaving: []string{"bots-00"}}) {
		t.Errorf("the desk is told %+v", pools["bots"])
	}
	step("gone", 1, func() { report.Workers = report.Workers[1:] })
}

func TestSeatsOfPeople(t *testing.T) {
	w := newWorld(t)
	people := capacity.Pool{
		Key: capacity.Key{Namespace: "shop", Name: "people"}, Desk: "web", Human: true, Concurrency: 3, Queues: []string{"refunds", "general"}, Members: 10,
	}
	w.loop.Look(people)
	w.loop.Look(bots(1))
	report := func(waiting, inProgress, signedOn int) func() {
		return func() {
			w.seq++
			w.desks.Keep(&link.Report{
				V: 1, Namespace: "shop", Desk: "web", Router: "r", Term: 1, Seq: w.seq,
				Queues: []link.Queue{{Name: "bot", Waiting: 50}, {Name: "general", Waiting: waiting}, {Name: "refunds", Waiting: 1}, {Name: "other", Waiting: 30}},
				Pools:  []link.Pool{{Name: "people", SignedOn: signedOn, Slots: signedOn * 3, InProgress: inProgress}},
			})
		}
	}
	w.pass(1, report(4, 7, 2))
	v := w.loop.Look(people)
	if v.Waiting != 5 || v.Seats.Required != 4 || v.Seats.Shortfall != 2 || v.SignedOn != 2 || v.Slots != 6 {
		t.Errorf("view %+v, seats %+v", v, v.Seats)
	}
	if _, pools := w.loop.Answer("shop", "web"); len(pools) != 0 {
		t.Errorf("a desk is told %+v about people", pools)
	}
	w.changed = nil
	w.pass(1, report(4, 7, 4))
	if len(w.changed) != 1 {
		t.Errorf("%d wake-ups when nobody is missing any more", len(w.changed))
	}
}

// What waits for bots is shared by the pools of bots, not counted in each.
func TestPoolsShareAQueue(t *testing.T) {
	w := newWorld(t)
	other := bots(1)
	other.Name, other.Scaling = "others", &scaling.Settings{Concurrency: 5, Min: 1, Max: 10}
	w.loop.Look(bots(1))
	w.loop.Look(other)
	w.pass(1, func() { w.report(60, workers(1, 0), link.Pool{Name: "others", SignedOn: 1, Slots: 5}) })
	a, b := w.loop.Look(bots(1)), w.loop.Look(other)
	if a.Waiting+b.Waiting != 60 || a.Waiting != 40 {
		t.Errorf("%d and %d wait, 60 do, and the rooms are 100 and 50", a.Waiting, b.Waiting)
	}
}

func TestMissingPoolIsNotIdle(t *testing.T) {
	w := newWorld(t)
	w.loop.Look(bots(6))
	w.pass(120, func() { w.report(0) }) // the desk does not know the pool
	if v := w.loop.Look(bots(6)); v.Wanted != 6 || v.Fresh {
		t.Errorf("view %+v", v)
	}
}

func TestForeignConfigurationIsToldOnce(t *testing.T) {
	w := newWorld(t)
	w.loop.Look(bots(1))
	w.loop.Configured("shop", "web", capacity.Configuration{Revision: "r0", Generation: 4})
	w.pass(5, func() { w.report(0, workers(1, 0)) }) // it has r1 of generation 5
	if !slices.Equal(w.foreign, []string{"shop/web"}) {
		t.Errorf("told of %v", w.foreign)
	}
	if running := w.loop.Running("shop", "web"); running.Revision != "r1" || running.Generation != 5 {
		t.Errorf("running %+v", running)
	}
	w.loop.Configured("shop", "web", capacity.Configuration{Revision: "r2", Generation: 6})
	w.foreign = nil
	w.pass(5, func() { w.report(0, workers(1, 0)) }) // behind, as it should be for a moment
	if len(w.foreign) > 0 {
		t.Errorf("told of %v, which is only late", w.foreign)
	}
	if revision, _ := w.loop.Answer("shop", "web"); revision != "r2" {
		t.Errorf("the desk is told %s", revision)
	}
	w.loop.Forget(bots(1).Key)
	w.loop.ForgetDesk("shop", "web")
	if revision, pools := w.loop.Answer("shop", "web"); revision != "" || pools != nil {
		t.Errorf("a desk that is gone is told %s, %v", revision, pools)
	}
}

func TestWithoutALinkTheSpecGoesFirst(t *testing.T) {
	loop := capacity.New(capacity.Options{Now: time.Now, PoolChanged: func(capacity.Key) {}, DeskChanged: func(string, string) {}})
	p := bots(7)
	p.Scaling, p.Replicas = nil, 3
	if v := loop.Look(p); !v.Blind || v.Wanted != 3 || loop.Linked() {
		t.Errorf("view %+v", v)
	}
	loop.Tick()
}

// 2,000 pools of 10 workers each, all of which report.
func BenchmarkTick(b *testing.B) {
	w := newWorld(b)
	for i := range 2000 {
		p := bots(10)
		p.Desk = fmt.Sprintf("desk-%d", i)
		p.Name = fmt.Sprintf("bots-%d", i)
		w.loop.Look(p)
		pool := workers(10, 3)
		pool.Name = p.Name
		w.desks.Keep(&link.Report{V: 1, Namespace: "shop", Desk: p.Desk, Router: "r", Term: 1, Seq: 1, Queues: []link.Queue{{Name: "bot", Waiting: 4}}, Pools: []link.Pool{pool}})
	}
	for b.Loop() {
		w.loop.Tick()
	}
}
