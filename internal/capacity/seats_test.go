package capacity_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/deskfleet/deskfleet/internal/calendar"
	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/link/server"
	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/scaling/roster"
)

// crew is a desk with people, whose router counts.
type crew struct {
	*world
	term                       uint64
	arrived, abandoned         uint64
	waited                     float64
	handled                    uint64
	seconds, squares           float64
	signedOn, inProgress, wait int
	staffing                   string
	reserve                    []link.Reserve
}

func (c *crew) report() {
	c.seq++
	c.desks.Keep(&link.Report{
		V: 1, Namespace: "shop", Desk: "web", Router: "r", Term: c.term, Seq: c.seq,
		Queues: []link.Queue{
			{Name: "general", Waiting: c.wait, Figures: &link.QueueFigures{Arrived: c.arrived, Abandoned: c.abandoned, AbandonedWaitSeconds: c.waited}},
			{Name: "other", Figures: &link.QueueFigures{Arrived: 100 * c.arrived}},
		},
		Pools: []link.Pool{{
			Name: "people", SignedOn: c.signedOn, Slots: c.signedOn, InProgress: c.inProgress, Staffing: c.staffing, Reserve: c.reserve,
			Figures: &link.PoolFigures{Handled: c.handled, HandleSeconds: c.seconds, HandleSecondsSquared: c.squares},
		}},
	})
}

// serves lets seconds pass in each of which a conversation of two minutes arrives, is answered and ends, in steps of five.
func (c *crew) serves(seconds int) {
	for range seconds / 5 {
		c.now = c.now.Add(5 * time.Second)
		c.arrived += 5
		c.handled += 5
		c.seconds += 5 * 120
		c.squares += 5 * 120 * 120
		c.report()
		c.loop.Tick()
	}
}

func newCrew(t *testing.T) *crew {
	return &crew{world: newWorld(t), term: 1, signedOn: 20, inProgress: 1}
}

func people(revision string, declared *scaling.People) capacity.Pool {
	return capacity.Pool{
		Key: capacity.Key{Namespace: "shop", Name: "people"}, Desk: "web", Human: true, Concurrency: 1, Members: 30, Queues: []string{"general"},
		People: func(time.Time) *scaling.People { return declared }, PeopleRevision: revision,
	}
}

// Required are the seats that the arrivals of the last minutes need, learned from what the router counts; of a queue that
// several pools serve each expects its share; and a router that has just begun to lead makes no wave.
func TestSeatsFollowTheArrivals(t *testing.T) {
	c := newCrew(t)
	c.loop.Look(people("1", &scaling.People{Concurrency: 1}))
	c.serves(900)
	v := c.loop.Look(people("1", &scaling.People{Concurrency: 1}))
	if v.Seats.Required < 115 || v.Seats.Required > 150 || v.Seats.Shortfall != v.Seats.Required-20 || !strings.Contains(v.Seats.Reason, "3600 arrivals an hour of 1") {
		t.Errorf("for 3600 arrivals an hour of 2 minutes: %+v", *v.Seats)
	}
	half := people("1", &scaling.People{Concurrency: 1})
	half.Name = "others"
	c.loop.Look(half)
	c.serves(900)
	shared := c.loop.Look(people("1", &scaling.People{Concurrency: 1}))
	if shared.Seats.Required < 55 || shared.Seats.Required > 80 {
		t.Errorf("for half of them: %+v", *shared.Seats)
	}
	c.term, c.arrived, c.handled, c.seconds, c.squares = 2, 1_000_000, 1_000_000, 1, 1
	c.report()
	c.serves(60)
	if after := c.loop.Look(people("1", &scaling.People{Concurrency: 1})); after.Seats.Required > shared.Seats.Required+10 {
		t.Errorf("after a change of the lead: %+v", *after.Seats)
	}
}

// The desk gets the plan when it has another one, and not again; a changed declaration makes a new one at once.
func TestThePlanGoesToTheDeskOnce(t *testing.T) {
	c := newCrew(t)
	c.loop.Look(people("1", &scaling.People{Concurrency: 1, Shrinkage: 0.3}))
	c.serves(10)
	plan := c.loop.Seats("shop", "web")["people"].Staffing
	if plan == nil || plan.Validate() != nil || len(plan.Required) != scaling.PlanSteps || plan.ShrinkagePercent != 30 || plan.Rostered[0] != scaling.NotKnown {
		t.Fatalf("the plan is %+v", plan)
	}
	c.staffing = plan.Revision
	c.serves(10)
	if again := c.loop.Seats("shop", "web")["people"].Staffing; again != nil {
		t.Error("the plan comes again")
	}
	night := &scaling.People{Concurrency: 1, Peaks: []scaling.Peak{{Name: "night", Start: c.now.Add(time.Hour), End: c.now.Add(3 * time.Hour), Floor: 7}}}
	c.loop.Look(people("2", night))
	next := c.loop.Seats("shop", "web")["people"].Staffing
	if next == nil || slices.Max(next.Required) != 7 {
		t.Fatalf("the next plan is %+v", next)
	}
	c.staffing = next.Revision
	c.serves(15*60 + 5)
	later := c.loop.Seats("shop", "web")["people"].Staffing
	if later == nil || !later.Start.Equal(next.Start.Add(15*time.Minute)) {
		t.Errorf("a quarter of an hour later the plan is %+v", later)
	}
}

// Two thousand pools are not planned in one tick.
func TestPlansAreMadeOneAfterAnother(t *testing.T) {
	c := newCrew(t)
	const pools = 12
	declared := &scaling.People{Concurrency: 1}
	named := func(i int) capacity.Pool {
		p := people("1", declared)
		p.Name = fmt.Sprintf("people-%02d", i)
		return p
	}
	for i := range pools {
		c.loop.Look(named(i))
	}
	begun := c.loop.Look(named(0)).Plan.Start
	c.now = begun.Add(15*time.Minute + 2*time.Second)
	renewed := func() (n int) {
		for i := range pools {
			// The desk reports no plan, so that it is given each; asking makes none.
			if curve := c.loop.Seats("shop", "web")[named(i).Name]; curve.Staffing != nil && curve.Staffing.Start.After(begun) {
				n++
			}
		}
		return n
	}
	reports := func() {
		c.seq++
		r := &link.Report{V: 1, Namespace: "shop", Desk: "web", Router: "r", Term: 1, Seq: c.seq}
		for i := range pools {
			r.Pools = append(r.Pools, link.Pool{Name: named(i).Name})
		}
		c.desks.Keep(r)
	}
	reports()
	c.loop.Tick()
	if n := renewed(); n == 0 || n > 3 {
		t.Errorf("%d plans are made in the first tick", n)
	}
	for range pools {
		c.loop.Tick()
	}
	if n := renewed(); n != pools {
		t.Errorf("%d of %d plans are made", n, pools)
	}
}

// A tier is called when seats have been missing for two minutes, and a new leader goes on with that; what a supervisor
// called is the desk's word.
func TestReserveIsCalledOverTheLink(t *testing.T) {
	c := newCrew(t)
	monday, problems := calendar.Compile(calendar.Declaration{TimeZone: "UTC"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	declared := &scaling.People{
		Concurrency: 1, Roster: roster.New([]roster.Shift{{Hours: monday, Seats: 3}}),
		Reserve: []scaling.Tier{{Name: "office", Seats: 2, Stay: time.Hour, Members: true}, {Name: "agency", Seats: 5, Stay: time.Hour}},
	}
	c.loop.Look(people("1", declared))
	c.signedOn, c.inProgress, c.wait = 3, 3, 2
	c.reserve = []link.Reserve{{Name: "office"}, {Name: "agency"}}
	c.pass(100, c.report)
	if called := c.loop.Seats("shop", "web")["people"].Called; len(called) != 0 {
		t.Fatalf("%v are called before two minutes", called)
	}
	c.changed = nil
	c.pass(30, c.report)
	if called := c.loop.Seats("shop", "web")["people"].Called; !slices.Equal(called, []string{"office"}) {
		t.Fatalf("%v are called for two missing seats", called)
	}
	if !slices.Contains(c.changed, capacity.Key{Namespace: "shop", Name: "people"}) {
		t.Error("the controller was not told")
	}
	v := c.loop.Look(people("1", declared))
	c.restart()
	next := people("1", declared)
	next.Reserve = v.Reserve
	byHand := scaling.TierState{Name: "agency", Called: true, Since: c.now, Until: c.now.Add(time.Minute), By: "sara"}
	next.Reserve[1] = byHand
	c.desks = server.NewDesks(func() time.Time { return c.now })
	c.restart()
	if stands := c.loop.Look(next).Reserve; stands[1] != byHand || !stands[0].Called {
		t.Errorf("before the desk has reported the reserve stands as %+v", stands)
	}
	c.reserve[0] = link.Reserve{Name: "office", Called: true, Present: 2}
	c.reserve[1] = link.Reserve{Name: "agency", Called: true, Since: c.now, Until: c.now.Add(time.Minute), By: "sara"}
	c.signedOn, c.inProgress, c.wait = 5, 5, 0
	c.pass(20, c.report)
	if called := c.loop.Seats("shop", "web")["people"].Called; !slices.Equal(called, []string{"office"}) {
		t.Errorf("%v are called by the next leader", called)
	}
	if s := c.loop.Look(next).Reserve[1]; !s.Called || s.By != "sara" {
		t.Errorf("what a supervisor called stands as %+v", s)
	}
	got := `
# HELP deskfleet_pool_reserve_called 1 while a reserve tier is called in, else 0, by tier.
# TYPE deskfleet_pool_reserve_called gauge
deskfleet_pool_reserve_called{desk="web",namespace="shop",pool="people",tier="agency"} 1
deskfleet_pool_reserve_called{desk="web",namespace="shop",pool="people",tier="office"} 1
# HELP deskfleet_pool_seats_required Seats of people that must be there now; missing while the desk is silent.
# TYPE deskfleet_pool_seats_required gauge
deskfleet_pool_seats_required{desk="web",namespace="shop",pool="people"} 5
# HELP deskfleet_pool_seats_scheduled Seats that are on the roster now; missing without shifts.
# TYPE deskfleet_pool_seats_scheduled gauge
deskfleet_pool_seats_scheduled{desk="web",namespace="shop",pool="people"} 3
# HELP deskfleet_pool_seats_shortfall Seats that are required and not signed on; missing while the desk is silent.
# TYPE deskfleet_pool_seats_shortfall gauge
deskfleet_pool_seats_shortfall{desk="web",namespace="shop",pool="people"} 0
`
	if err := testutil.CollectAndCompare(capacity.NewCollector(c.loop), strings.NewReader(got),
		"deskfleet_pool_reserve_called", "deskfleet_pool_seats_required", "deskfleet_pool_seats_scheduled", "deskfleet_pool_seats_shortfall"); err != nil {
		t.Error(err)
	}
}

// Two thousand pools of people in as many desks, whose arrivals are known: what a second of them costs.
func BenchmarkTickPeople(b *testing.B) {
	w := newWorld(b)
	const desks = 2000
	declared := &scaling.People{Concurrency: 3, Shrinkage: 0.3, Reserve: []scaling.Tier{{Name: "office", Seats: 2, Stay: time.Hour}}}
	for i := range desks {
		w.loop.Look(capacity.Pool{
			Key: capacity.Key{Namespace: "shop", Name: fmt.Sprintf("people-%d", i)}, Desk: fmt.Sprintf("desk-%d", i), Human: true, Concurrency: 3,
			Members: 20, Queues: []string{"general"}, People: func(time.Time) *scaling.People { return declared }, PeopleRevision: "1",
		})
	}
	arrived := uint64(0)
	second := func() {
		w.now = w.now.Add(time.Second)
		w.seq++
		arrived++
		for i := range desks {
			w.desks.Keep(&link.Report{
				V: 1, Namespace: "shop", Desk: fmt.Sprintf("desk-%d", i), Router: "r", Term: 1, Seq: w.seq,
				Queues: []link.Queue{{Name: "general", Waiting: 2, Figures: &link.QueueFigures{Arrived: arrived / 5}}},
				Pools: []link.Pool{{Name: fmt.Sprintf("people-%d", i), SignedOn: 9, Slots: 27, InProgress: 20, Figures: &link.PoolFigures{
					Handled: arrived / 5, HandleSeconds: float64(arrived/5) * 200, HandleSecondsSquared: float64(arrived/5) * 45_000,
				}}},
			})
		}
	}
	for range 60 {
		second()
		w.loop.Tick()
	}
	for b.Loop() {
		b.StopTimer()
		second()
		b.StartTimer()
		w.loop.Tick()
	}
}
