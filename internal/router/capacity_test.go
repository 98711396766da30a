package router

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// reports are the last figures that routers gave, as managers see them.
type reports struct {
	t    *testing.T
	mu   sync.Mutex
	last *link.Report
	next chan struct{}
}

func newReports(t *testing.T) *reports { return &reports{t: t, next: make(chan struct{})} }

func (r *reports) take(f protocol.Figures) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = ReportOf(&f)
	r.last.V, r.last.Namespace, r.last.Desk = link.Version, "shop", "web"
	if err := r.last.Validate(); err != nil {
		r.t.Errorf("the report is refused: %v", err)
	}
	checkFlow(r.t, r.last)
	close(r.next)
	r.next = make(chan struct{})
}

// checkFlow: what came to the bots waits, is in progress, or went. Nobody else could tell a loss from an arrival.
func checkFlow(t *testing.T, r *link.Report) {
	t.Helper()
	waiting := 0
	for _, q := range r.Queues {
		if q.Name == conversation.BotQueue {
			waiting = q.Waiting
		}
	}
	for _, p := range r.Pools {
		f := p.Flow
		if f == nil {
			continue
		}
		var handled, ages uint64
		for _, l := range f.Handled {
			handled += l.Count
		}
		for _, l := range f.Ages {
			ages += l.Count
		}
		if f.Arrived-f.Started-f.Left != uint64(waiting) || f.Started-f.Ended != uint64(p.InProgress) || handled != f.Ended || ages != uint64(p.InProgress) {
			t.Errorf("%d wait, %d are in progress, and the flow is %+v", waiting, p.InProgress, f)
		}
	}
}

// until waits for a report that suits.
func (r *reports) until(d *desk, what string, suits func(*link.Report) bool) *link.Report {
	r.t.Helper()
	for {
		r.mu.Lock()
		last, next := r.last, r.next
		r.mu.Unlock()
		if last != nil && suits(last) {
			return last
		}
		select {
		case <-next:
		case <-d.ctx.Done():
			r.t.Fatalf("never reported: %s; last was %+v", what, last)
		}
	}
}

// worker finds a worker of pool bots in a report.
func worker(r *link.Report, name string) link.Worker {
	for _, p := range r.Pools {
		for _, w := range p.Workers {
			if p.Name == "bots" && w.Name == name {
				return w
			}
		}
	}
	return link.Worker{}
}

// A change of the lead neither forgets a drain nor makes it one that cannot be undone.
func TestCapacityIsTakenBackAndGivenBackAcrossLeaders(t *testing.T) {
	d, seen := newDesk(t), newReports(t)
	first := d.startRouter("router-0", func(o *Options) { o.OnFigures = seen.take })
	one, two := d.client(bus.PartyBot, "bot-1"), d.client(bus.PartyBot, "bot-2")
	one.signOn()
	talk := d.post("c-1", "m1", "hello")
	d.has(talk, conversation.TypeAssigned, 1)
	two.signOn()
	r := seen.until(d, "two workers", func(r *link.Report) bool { return worker(r, "bot-1").Busy == 1 && worker(r, "bot-2").Slots == 5 })
	if f := r.Pools[0].Flow; f == nil || f.Started != 1 {
		t.Errorf("the flow of %+v is %+v", r.Pools, f)
	}

	// The idle one goes, not the one that talks.
	first.SetWanted(map[string]link.Wanted{"bots": {Active: 1}})
	r = seen.until(d, "bot-2 is drained", func(r *link.Report) bool { return worker(r, "bot-2").Drained })
	if diff := cmp.Diff(link.Worker{Name: "bot-1", Slots: 5, Busy: 1}, worker(r, "bot-1")); diff != "" {
		t.Error(diff)
	}
	first.SetWanted(map[string]link.Wanted{"bots": {Active: 0}})
	r = seen.until(d, "bot-1 drains", func(r *link.Report) bool { return worker(r, "bot-1").Draining })
	if w := worker(r, "bot-1"); w.Drained || w.Busy != 1 {
		t.Errorf("it still talks, and is reported as %+v", w)
	}

	second := d.startRouter("router-1", func(o *Options) { o.OnFigures = seen.take })
	first.end(t)
	seen.until(d, "the new leader knows the marks", func(r *link.Report) bool {
		return r.Router == second.instance && worker(r, "bot-1").Draining && worker(r, "bot-2").Drained
	})
	second.SetWanted(map[string]link.Wanted{"bots": {Active: 1}})
	r = seen.until(d, "the busiest comes back first", func(r *link.Report) bool { return !worker(r, "bot-1").Draining })
	if !worker(r, "bot-2").Draining {
		t.Error("both came back, one is wanted")
	}
	// One whose pod was given up does not come back, whatever is wanted.
	second.SetWanted(map[string]link.Wanted{"bots": {Active: 2, Leaving: []string{"bot-2"}}})
	third := d.client(bus.PartyBot, "bot-3")
	third.signOn()
	r = seen.until(d, "bot-3 serves", func(r *link.Report) bool { return worker(r, "bot-3").Slots == 5 })
	if !worker(r, "bot-2").Draining || worker(r, "bot-3").Draining {
		t.Errorf("workers are %+v", r.Pools)
	}
	d.check()
}

// What a worker cannot finish in time goes on with another, with its place and nothing lost.
func TestConversationsAreHandedOverAtTheDeadline(t *testing.T) {
	d, seen := newDesk(t), newReports(t)
	r := d.startRouter("router-0", func(o *Options) { o.OnFigures = seen.take })
	leaving := d.client(bus.PartyBot, "bot-1")
	leaving.signOn()
	talk := d.post("c-1", "m1", "hello")
	d.has(talk, conversation.TypeAssigned, 1)
	stays := d.client(bus.PartyBot, "bot-2")
	stays.signOn()
	// bot-2 is the less busy one and would go: it is given more to do first.
	for _, contact := range []string{"c-2", "c-3"} {
		d.has(d.post(contact, "m1", "hello"), conversation.TypeAssigned, 1)
	}
	seen.until(d, "the load", func(r *link.Report) bool { return worker(r, "bot-1").Busy+worker(r, "bot-2").Busy == 3 })
	r.SetWanted(map[string]link.Wanted{"bots": {Active: 1, DrainSeconds: 1}})
	drained := seen.until(d, "one is drained", func(r *link.Report) bool { return worker(r, "bot-1").Drained || worker(r, "bot-2").Drained })
	other := "bot-2"
	if worker(drained, "bot-2").Drained {
		other = "bot-1"
	}
	r2 := seen.until(d, "the other has everything", func(r *link.Report) bool { return worker(r, other).Busy == 3 })
	if w := worker(r2, other); w.Draining {
		t.Errorf("%+v", w)
	}
	for _, e := range d.stored("") {
		if q, ok := e.Body.(*conversation.Queued); ok && (q.Cause != conversation.CauseDrained || q.Queue != conversation.BotQueue) {
			t.Errorf("queued as %+v", q)
		}
	}
	d.check()
}

// A worker that was told to end is not marked, counted or taken back by capacity.
func TestWorkerThatEndsByItselfIsLeftAlone(t *testing.T) {
	d, seen := newDesk(t), newReports(t)
	r := d.startRouter("router-0", func(o *Options) { o.OnFigures = seen.take })
	ends, serves := d.client(bus.PartyBot, "bot-1"), d.client(bus.PartyBot, "bot-2")
	ends.signOn()
	serves.signOn()
	ends.must(protocol.Request{Type: protocol.Drain, Draining: true})
	r.SetWanted(map[string]link.Wanted{"bots": {Active: 2}})
	begin := seen.until(d, "both", func(r *link.Report) bool { return worker(r, "bot-1").Draining && worker(r, "bot-2").Slots == 5 }).At
	after := seen.until(d, "three seconds later", func(r *link.Report) bool { return r.At.Sub(begin) >= 3*time.Second })
	if !worker(after, "bot-1").Draining || worker(after, "bot-2").Draining {
		t.Errorf("workers are %+v", after.Pools)
	}
	d.check()
}

// For which of several pools a conversation came nobody can say: the flow is the desk's, and no pool's.
func TestSeveralPoolsOfBotsReportTheFlowOfTheDesk(t *testing.T) {
	d, seen := newDesk(t), newReports(t)
	d.doc.Pools = append(d.doc.Pools, runtimeconfig.Pool{Name: "more", Type: runtimeconfig.PoolBot, Concurrency: 5, Bot: &runtimeconfig.BotSettings{}})
	d.startRouter("router-0", func(o *Options) { o.OnFigures = seen.take })
	d.client(bus.PartyBot, "bot-1").signOn()
	talk := d.post("c-1", "m1", "hello")
	d.has(talk, conversation.TypeAssigned, 1)
	r := seen.until(d, "a worker with a conversation", func(r *link.Report) bool { return worker(r, "bot-1").Busy == 1 })
	if f := r.BotFlow; f == nil || f.Arrived != 1 || f.Started != 1 || len(f.Ages) != 1 {
		t.Errorf("the flow of the desk is %+v", f)
	}
	for _, p := range r.Pools {
		if p.Flow != nil {
			t.Errorf("pool %s has the flow %+v", p.Name, p.Flow)
		}
	}
	d.check()
}
