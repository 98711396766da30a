package capacity_test

import (
	"testing"
	"time"

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
