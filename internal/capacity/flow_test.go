package capacity_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// stream is a desk to which somebody comes every second, and whose bots have each for a minute.
type stream struct {
	*world
	flow  link.Flow
	began []time.Time
	term  uint64
	// untold reports carry no flow, as those of an older router.
	untold bool
}

// second lets one customer come, and those go who have been there for a minute.
func (s *stream) second(arrivals int) {
	s.now = s.now.Add(time.Second)
	for len(s.began) > 0 && s.now.Sub(s.began[0]) >= time.Minute {
		s.began = s.began[1:]
		s.flow.Ended++
	}
	for range arrivals {
		s.flow.Arrived++
		s.flow.Started++
		s.began = append(s.began, s.now)
	}
}

func (s *stream) tell(live int) {
	s.t.Helper()
	s.seq++
	p := workers(live, 0)
	p.InProgress = len(s.began)
	if !s.untold {
		flow := s.flow
		flow.Handled = nil
		if flow.Ended > 0 {
			flow.Handled = []link.Lasting{{Seconds: 60, Count: flow.Ended}}
		}
		for _, b := range s.began {
			flow.Ages = append(flow.Ages, link.Lasting{Seconds: s.now.Sub(b).Seconds(), Count: 1})
		}
		p.Flow = &flow
	}
	s.desks.Keep(&link.Report{
		V: 1, Namespace: "shop", Desk: "web", Router: "r", Term: s.term, Seq: s.seq,
		Queues: []link.Queue{{Name: "bot"}}, Pools: []link.Pool{p},
	})
	s.loop.Tick()
}

func (s *stream) minutes(n, live int) {
	for range n * 60 {
		s.second(1)
		s.tell(live)
	}
}

func (s *stream) look(live int) *scaling.Decision {
	return s.loop.Look(bots(live)).Decision
}

func term(d *scaling.Decision, name scaling.TermName) *scaling.Term {
	for i := range d.Terms[:d.Proposals] {
		if d.Terms[i].Name == name {
			return &d.Terms[i]
		}
	}
	return nil
}

// What the desk tells of its flow reaches the decision: arrivals and handle times make a load.
func TestFlowMakesALoad(t *testing.T) {
	s := &stream{world: newWorld(t), term: 1}
	s.look(13)
	s.minutes(12, 13)
	load := term(s.look(13), scaling.TermLoad)
	if load == nil {
		t.Fatalf("no load among %+v", s.look(13).Terms)
	}
	// One a second for a minute each are 60, at any time.
	if load.Load < 50 || load.Load > 70 || load.Rate < 0.9 || load.Rate > 1.1 {
		t.Errorf("a load of %.1f, with %.2f arrivals a second", load.Load, load.Rate)
	}
	// A lost report is made up for by the next one, a new router begins anew, and neither makes arrivals.
	for range 4 {
		s.second(1)
	}
	s.tell(13)
	s.term++
	s.flow = link.Flow{Arrived: 5000, Started: 5000, Ended: 4000}
	s.minutes(1, 13)
	if after := term(s.look(13), scaling.TermLoad); after == nil || after.Rate < 0.9 || after.Rate > 1.1 || after.Load > 75 {
		t.Errorf("after a change of routers %+v", after)
	}
	// A new manager learns at once how long conversations take.
	s.restart()
	s.look(13)
	s.minutes(7, 13)
	if again := term(s.look(13), scaling.TermLoad); again == nil || again.Load < 50 || again.Load > 75 {
		t.Errorf("a new manager reckons with %+v", again)
	}
}

// A router of the release before tells no flow: the feedback decides, and nothing is taken for zero.
func TestOlderRoutersAreDecidedByFeedback(t *testing.T) {
	s := &stream{world: newWorld(t), term: 1, untold: true}
	s.look(13)
	s.minutes(2, 13)
	d := s.look(13)
	if d.Proposals != 1 || d.Winner != scaling.TermFeedback || d.Need != 12 {
		t.Errorf("%d proposals, winner %s, need %d", d.Proposals, d.Winner, d.Need)
	}
	// The routers are replaced by newer ones, and back.
	s.untold = false
	s.minutes(3, 13)
	if d := s.look(13); d.Proposals != 2 || d.Workers < 12 || d.Workers > 16 {
		t.Errorf("after an upgrade: %+v", d)
	}
	s.untold = true
	s.minutes(3, 13)
	if d := s.look(13); d.Proposals != 1 || d.Workers != 12 {
		t.Errorf("after a downgrade: %+v", d)
	}
}

// How long workers take to come up is learned from the times at which their pods were made.
func TestLeadTimeIsLearned(t *testing.T) {
	s := &stream{world: newWorld(t), term: 1}
	look := func(live int, made map[string]time.Time) *scaling.Decision {
		p := bots(live)
		p.Created = made
		return s.loop.Look(p).Decision
	}
	old := s.now.Add(-24 * time.Hour)
	made := map[string]time.Time{}
	for _, w := range workers(13, 0).Workers {
		made[w.Name] = old
	}
	look(13, made)
	s.minutes(1, 13)
	if d := look(13, made); d.Lead != time.Minute {
		t.Fatalf("a lead time of %s, although nobody has come up", d.Lead)
	}
	made["bots-13"] = s.now
	for range 3 {
		s.minutes(1, 13)
		look(14, made)
	}
	s.second(1)
	s.tell(14) // it serves, three minutes after it was made
	look(14, made)
	s.minutes(1, 14)
	if d := look(14, made); d.Lead < 150*time.Second || d.Lead > 240*time.Second {
		t.Errorf("a lead time of %s after a cold start of 181 s", d.Lead)
	}
}

// A decision is shown with everything that it rests on; of a silent desk only what is kept.
func TestDecisionsAreMetrics(t *testing.T) {
	s := &stream{world: newWorld(t), term: 1, untold: true}
	c := capacity.NewCollector(s.loop)
	p := bots(2)
	p.Scaling.Max = 10
	s.loop.Look(p)
	s.minutes(2, 2)
	is := func(what, want string, names ...string) {
		t.Helper()
		for i := range names {
			names[i] = "deskfleet_scaling_" + names[i]
		}
		if err := testutil.CollectAndCompare(c, strings.NewReader(want), names...); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if problems, err := testutil.CollectAndLint(c); err != nil || len(problems) > 0 {
		t.Errorf("%v (%v)", problems, err)
	}
	is("twelve are needed and ten allowed", `
# HELP deskfleet_scaling_active 1 while the number of workers follows the desk's figures, 0 while these are missing.
# TYPE deskfleet_scaling_active gauge
deskfleet_scaling_active{desk="web",namespace="shop",pool="bots"} 1
# HELP deskfleet_scaling_limited 1 for what keeps the recommended workers from the needed ones, by limiter; missing for nothing.
# TYPE deskfleet_scaling_limited gauge
deskfleet_scaling_limited{desk="web",limiter="max",namespace="shop",pool="bots"} 1
# HELP deskfleet_scaling_needed_workers Bot workers that the load needs, before anything limits.
# TYPE deskfleet_scaling_needed_workers gauge
deskfleet_scaling_needed_workers{desk="web",namespace="shop",pool="bots"} 12
# HELP deskfleet_scaling_offered_load Conversations in the system that each way of the decision expects at the lead time, by term.
# TYPE deskfleet_scaling_offered_load gauge
deskfleet_scaling_offered_load{desk="web",namespace="shop",pool="bots",term="feedback"} 60
# HELP deskfleet_scaling_proposed_workers Bot workers that each way of the decision asks for, by term: feedback, load, forecast, calendar.
# TYPE deskfleet_scaling_proposed_workers gauge
deskfleet_scaling_proposed_workers{desk="web",namespace="shop",pool="bots",term="feedback"} 12
# HELP deskfleet_scaling_recommended_workers Bot workers that are to serve.
# TYPE deskfleet_scaling_recommended_workers gauge
deskfleet_scaling_recommended_workers{desk="web",namespace="shop",pool="bots"} 10
`, "active", "limited", "needed_workers", "offered_load", "proposed_workers", "recommended_workers")
	s.pass(20, nil)
	is("a silent desk", `
# HELP deskfleet_scaling_active 1 while the number of workers follows the desk's figures, 0 while these are missing.
# TYPE deskfleet_scaling_active gauge
deskfleet_scaling_active{desk="web",namespace="shop",pool="bots"} 0
# HELP deskfleet_scaling_recommended_workers Bot workers that are to serve.
# TYPE deskfleet_scaling_recommended_workers gauge
deskfleet_scaling_recommended_workers{desk="web",namespace="shop",pool="bots"} 10
`, "active", "needed_workers", "offered_load", "proposed_workers", "recommended_workers", "burst")

	// Taken out of the operator's hands, it is advice, and without a max.
	p = bots(2)
	p.Advice, p.Scaling, p.Replicas = &scaling.Settings{Concurrency: 5, Min: 1, Max: 1000}, nil, 2
	s.loop.Look(p)
	s.report(60, workers(2, 0))
	if got := s.wanted(); got != 2 {
		t.Errorf("%d workers are wanted of a pool that somebody else scales to 2", got)
	}
	is("advice", `
# HELP deskfleet_scaling_managed 1 while the operator decides, 0 while spec.replicas does and what is recommended is advice.
# TYPE deskfleet_scaling_managed gauge
deskfleet_scaling_managed{desk="web",namespace="shop",pool="bots"} 0
# HELP deskfleet_scaling_recommended_workers Bot workers that are to serve.
# TYPE deskfleet_scaling_recommended_workers gauge
deskfleet_scaling_recommended_workers{desk="web",namespace="shop",pool="bots"} 12
`, "managed", "recommended_workers", "limited")
}

// A wave of customers, who have come and gone within two minutes, makes workers at once and none for long, also for a
// manager that has just begun and takes the wave for the usual.
func TestAfterAWaveThePoolShrinks(t *testing.T) {
	for _, quiet := range []int{20, 300} { // seconds that were watched before
		s := &stream{world: newWorld(t), term: 1}
		p := bots(1)
		p.Concurrency = 20
		p.Scaling = &scaling.Settings{Concurrency: 20, Min: 1, Max: 8}
		live, most := 1, 0
		second := func(arrivals int) {
			s.second(arrivals)
			s.tell(live)
			p.Live = live
			live = s.loop.Look(p).Wanted
			most = max(most, live)
		}
		for range quiet {
			second(0)
		}
		for range 9 {
			second(5)
		}
		if live < 3 {
			t.Errorf("%d workers of 20 slots for 45 customers", live)
		}
		after := 0
		for ; live > 1 && after < 600; after++ {
			second(0)
		}
		if most > 8 || after > 300 {
			t.Errorf("after %d quiet seconds at most %d workers, and one %d s after the wave", quiet, most, after)
		}
	}
}

// A tick decides about two thousand pools of busy desks, each by its own flow.
func BenchmarkTickWithFlow(b *testing.B) {
	const pools = 2000
	s := &stream{world: newWorld(b), term: 1}
	keep := func() {
		s.seq++
		for i := range pools {
			desk := fmt.Sprintf("desk-%d", i)
			p := workers(13, 0)
			p.Name = fmt.Sprintf("bots-%d", i)
			p.InProgress, p.Flow = 60, &link.Flow{Arrived: s.seq, Started: s.seq, Ended: s.seq, Handled: []link.Lasting{{Seconds: 60, Count: s.seq}}}
			for age := range 40 {
				p.Flow.Ages = append(p.Flow.Ages, link.Lasting{Seconds: float64(age * 3), Count: 2})
			}
			s.desks.Keep(&link.Report{V: 1, Namespace: "shop", Desk: desk, Router: "r", Term: 1, Seq: s.seq, Queues: []link.Queue{{Name: "bot"}}, Pools: []link.Pool{p}})
		}
	}
	for i := range pools {
		p := bots(13)
		p.Desk, p.Name = fmt.Sprintf("desk-%d", i), fmt.Sprintf("bots-%d", i)
		s.loop.Look(p)
	}
	keep()
	for b.Loop() {
		b.StopTimer()
		s.now = s.now.Add(time.Second)
		if s.seq++; s.seq%5 == 0 { // a desk reports each five seconds at least
			keep()
		}
		b.StartTimer()
		s.loop.Tick()
	}
}
