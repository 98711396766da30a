package router

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/link/linktest"
	"github.com/deskfleet/deskfleet/internal/link/server"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/scaling/forecast"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// linked is a desk on a real bus with a real router and a real loop of a manager behind a real link.
type linked struct {
	*desk
	m     *manager
	store *runtimeconfig.Store
	// ahead is by how much the manager's clock is ahead.
	ahead atomic.Int64
	last  *process
}

func newLinked(t *testing.T) *linked {
	t.Helper()
	l := &linked{desk: newDesk(t)}
	l.m = &manager{cluster: linktest.NewCluster(t), desks: server.NewDesks(l.now)}
	l.restartManager()
	l.m.serve(t)
	l.doc.Generation = 1
	l.doc.Link = &runtimeconfig.Link{Host: linktest.Host, Port: link.Port, CA: l.m.cluster.CA()}
	l.store = configOf(t, l.doc)
	return l
}

func (l *linked) now() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }

// restartManager takes the lead with a memory that is empty.
func (l *linked) restartManager() {
	loop := capacity.New(capacity.Options{
		Desks: l.m.desks, Now: l.now, Logger: quiet(l.t),
		PoolChanged: func(capacity.Key) {}, DeskChanged: func(string, string) {},
	})
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.m.loop, l.m.began = loop, time.Now()
	loop.Look(botPool())
}

func botPool() capacity.Pool {
	return capacity.Pool{
		Key: capacity.Key{Namespace: "shop", Name: "bots"}, Desk: "web", Concurrency: 5, Live: 1, DrainDeadline: time.Minute,
		Scaling: &scaling.Settings{Concurrency: 5, Min: 1, Max: 50, Forecast: scaling.ForecastRaise},
	}
}

func (l *linked) startRouterOf(t *testing.T, name string) {
	l.last = l.startRouter(name, func(o *Options) { o.Config, o.Link = l.store, l.m.link(t, l.desk, l.store) })
}

func (l *linked) restartRouter(t *testing.T, name string) {
	l.last.end(t)
	l.startRouterOf(t, name)
}

// forecast is what the manager expects of the bots; nil while it does not know.
func (l *linked) forecast() *scaling.Term {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	d := l.m.loop.Look(botPool()).Decision
	for i := range d.Terms[:d.Proposals] {
		if d.Terms[i].Name == scaling.TermForecast {
			return &d.Terms[i]
		}
	}
	return nil
}

// knows waits for a forecast of two arrivals a second, as in the two weeks before.
func (l *linked) knows(t *testing.T, what string) {
	t.Helper()
	eventually.True(t, what, func() bool {
		last, _ := l.m.desks.Last(server.Key{Namespace: "shop", Desk: "web"})
		f := l.forecast()
		return last != nil && last.Router == l.last.instance && f != nil && f.Rate > 0.8 && f.Rate < 2.2
	})
}

func (l *linked) kept(t *testing.T) bus.Stored {
	t.Helper()
	stored, _, err := l.conn.Log(l.names.Stream()).Last(t.Context(), l.names.Learned("bots"))
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// keep stores what a former manager handed over.
func (l *linked) keep(t *testing.T, data []byte) {
	t.Helper()
	if _, _, err := l.conn.Log(l.names.Stream()).Append(t.Context(), l.names.Learned("bots"), data, bus.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
}

// fortnight is what a manager has learned that watched a desk of two arrivals a second for two weeks.
func fortnight(t *testing.T, until time.Time) []byte {
	t.Helper()
	k := scaling.NewKnowledge()
	for at := until.Add(-14 * 24 * time.Hour); at.Before(until); at = at.Add(forecast.BinLength) {
		k.History().Add(at, at.Add(forecast.BinLength), 600)
	}
	encoded, err := k.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// What was learned in two weeks is kept at the desk, and is there again at the first decisions of whoever begins anew: a
// manager, a router, or both.
func TestHistorySurvivesRestarts(t *testing.T) {
	t.Parallel()
	l := newLinked(t)
	l.keep(t, fortnight(t, time.Now()))
	if l.forecast() != nil {
		t.Fatal("a new manager knows a forecast before the desk has reported to it")
	}
	l.startRouterOf(t, "router-0")
	l.client(bus.PartyBot, "bot-0").signOn()
	l.knows(t, "a new manager")
	l.restartManager()
	l.knows(t, "a manager that begins while the router runs")
	l.restartRouter(t, "router-1")
	l.knows(t, "the manager after a change of routers")
	l.restartManager()
	l.restartRouter(t, "router-2")
	l.knows(t, "both are new")

	l.check()
}

// Bytes that nobody can read cost a forecast, and nothing else: it is learned and kept anew.
func TestUnreadableHistoryIsLearnedAnew(t *testing.T) {
	t.Parallel()
	l := newLinked(t)
	log := l.conn.Log(l.names.Stream())
	l.keep(t, []byte("of a release of the year 2040"))
	before := l.kept(t)
	l.startRouterOf(t, "router-0")
	l.client(bus.PartyBot, "bot-0").signOn()
	eventually.True(t, "it is discarded and counted", func() bool { return histories(t, l.m.loop, "discarded") == 1 })
	eventually.True(t, "the pool is decided about all the same", func() bool {
		last, _ := l.m.desks.Last(server.Key{Namespace: "shop", Desk: "web"})
		return last != nil && last.Learned == nil && l.forecast() == nil
	})
	l.ahead.Add(int64(6 * time.Minute))
	eventually.True(t, "what is learned anew takes its place", func() bool {
		now := l.kept(t)
		return now.Seq > before.Seq && scaling.NewKnowledge().UnmarshalBinary(now.Data) == nil
	})
	eventually.True(t, "nothing heaps up", func() bool {
		n := 0
		for _, err := range log.Read(t.Context(), l.names.AllLearned(), 1) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n == 1
	})
}

// Nothing is handed over before the desk has said what it keeps: a bus that does not answer must not have a manager
// write a minute over eight weeks.
func TestHistoryIsNotOverwrittenByWhoDidNotReadIt(t *testing.T) {
	t.Parallel()
	l := newLinked(t)
	stored := fortnight(t, time.Now())
	l.keep(t, stored)
	var deaf atomic.Bool
	deaf.Store(true)
	l.last = l.startRouter("router-0", func(o *Options) {
		o.Config, o.Link = l.store, l.m.link(t, l.desk, l.store)
		o.WrapLog = func(log bus.Log) bus.Log { return &deafLog{log, l.names.Learned("bots"), &deaf} }
	})
	l.client(bus.PartyBot, "bot-0").signOn()
	reports := func(customer string) {
		t.Helper()
		before := uint64(0)
		if last, _ := l.m.desks.Last(server.Key{Namespace: "shop", Desk: "web"}); last != nil {
			before = last.Seq
		}
		l.post(customer, "m1", "refund") // a change is reported at once
		eventually.True(t, "the desk reports", func() bool {
			last, _ := l.m.desks.Last(server.Key{Namespace: "shop", Desk: "web"})
			return last != nil && last.Seq > before+1
		})
	}
	reports("c-1")
	l.ahead.Add(int64(30 * time.Minute))
	reports("c-2")
	if !bytes.Equal(l.kept(t).Data, stored) {
		t.Fatal("eight weeks were overwritten")
	}
	deaf.Store(false)
	reports("c-3")
	l.knows(t, "the bus answers again")
}

// deafLog does not answer what the last message of a subject is.
type deafLog struct {
	bus.Log
	subject string
	deaf    *atomic.Bool
}

func (d *deafLog) Last(ctx context.Context, filter string) (bus.Stored, bool, error) {
	if filter == d.subject && d.deaf.Load() {
		return bus.Stored{}, false, bus.ErrUnavailable
	}
	return d.Log.Last(ctx, filter)
}

// A router keeps what is of its own pools and of a size that can be, whoever gives it; the rest of a former pool goes.
func TestKeeperKeepsWithinBounds(t *testing.T) {
	d := newDesk(t)
	r := d.startRouter("router-0", nil)
	old := d.names.Learned("former")
	log := d.conn.Log(d.names.Stream())
	if _, _, err := log.Append(t.Context(), old, []byte("x"), bus.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually.True(t, "the bus is reached", func() bool { _, err := r.learned.Kept(t.Context(), nil); return err == nil })
	r.learned.Keep(map[string][]byte{
		"bots": []byte("mine"), "stranger": []byte("of nobody"), "people": make([]byte, link.MaxLearnedBytes+1),
	})
	kept := func() map[string][]byte {
		t.Helper()
		all, err := r.learned.Kept(t.Context(), []string{"bots", "stranger", "people", "former", ""})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	eventually.True(t, "it is kept", func() bool { return string(kept()["bots"]) == "mine" })
	if all := kept(); len(all["stranger"]) > 0 || len(all["people"]) > 0 || string(all["former"]) != "x" || len(all) != 5 {
		t.Errorf("kept is %q", all)
	}
	// A pool that is made again within two weeks finds what it had.
	if err := r.learned.sweep(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	if all := kept(); string(all["former"]) != "x" {
		t.Error("what a pool had that was just deleted is gone")
	}
	if err := r.learned.sweep(t.Context(), agedLog{log}); err != nil {
		t.Fatal(err)
	}
	if all := kept(); len(all["former"]) > 0 || string(all["bots"]) != "mine" {
		t.Errorf("after two weeks kept is %q", all)
	}
}

// agedLog is read two weeks later.
type agedLog struct{ bus.Log }

func (a agedLog) Info(ctx context.Context) (bus.LogInfo, error) {
	info, err := a.Log.Info(ctx)
	info.Now = info.Now.Add(learnedOutlives)
	return info, err
}

// histories reads the count of one result from the metrics.
func histories(t *testing.T, loop *capacity.Loop, result string) float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(capacity.NewCollector(loop))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "deskfleet_scaling_history_total" && m.GetLabel()[0].GetValue() == result {
				return m.GetCounter().GetValue()
			}
		}
	}
	return -1
}
