package whatif_test

import (
	"bytes"
	"encoding/csv"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/scaling/erlang"
	"github.com/deskfleet/deskfleet/internal/simulation/whatif"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

var wednesday = time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC)

// ask is a question about a day of a desk with a pool of bots and one of people, both of which have enough.
func ask(t *testing.T, perDay, multiplier float64, change func(*whatif.Question)) *whatif.Answer {
	t.Helper()
	usual, history := whatif.TypicalDay(wednesday, perDay, 4)
	trace, err := world.Counts(wednesday, 300, usual, true, multiplier)
	if err != nil {
		t.Fatal(err)
	}
	q := &whatif.Question{
		Trace: trace, Start: wednesday, History: history, Draws: 2, Seed: 1, HandOff: 0.3,
		BotHandle: whatif.LogNormal(185, 111), HumanHandle: whatif.LogNormal(360, 216), Patience: whatif.Exponential(300),
		Desk: whatif.Desk{Name: "shop", Location: time.UTC,
			Bots: []whatif.Bots{{
				Name: "bots", Concurrency: 5, Objective: scaling.DefaultObjective, ColdStart: time.Minute, DrainDeadline: 10 * time.Minute,
				Scaling: &scaling.Settings{Concurrency: 5, Min: 1, Max: 100, Objective: scaling.DefaultObjective, Forecast: scaling.ForecastRaise},
			}},
			People: []whatif.People{{
				Name: "people", Concurrency: 2, WrapUp: 30 * time.Second, Objective: scaling.DefaultObjective, Usual: 20,
				Seats: func(time.Time) int { return 20 },
			}},
		},
	}
	if change != nil {
		change(q)
	}
	a, err := whatif.Ask(q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestADayThatHolds(t *testing.T) {
	a := ask(t, 3000, 1, nil)
	bots, people := a.Pools[0], a.Pools[1]
	if !a.Holds || !bots.Met || !people.Met || bots.Limit != nil || people.Limit != nil {
		t.Errorf("%s\n%+v\n%+v", a.Verdict, bots.Limits, people.Limits)
	}
	// 30 % of what bots answer comes to people; nobody else does.
	if got, want := people.Conversations.Mean, 0.3*bots.Conversations.Mean; math.Abs(got-want) > 5*math.Sqrt(want) {
		t.Errorf("%g of %g come to people", got, bots.Conversations.Mean)
	}
	if math.Abs(a.Conversations.Mean-3000) > 5*math.Sqrt(3000) || a.Conversations.Mean != bots.Conversations.Mean {
		t.Errorf("%g conversations of 3000, %g come to the bots", a.Conversations.Mean, bots.Conversations.Mean)
	}
	// 900 conversations of 390 s are 97.5 hours of slots, of two a seat; 20 seats are there for 24 hours.
	if math.Abs(people.AgentHours.Mean-480) > 1e-6 || people.PeakAgents.Mean != 20 || people.PeakRequired < 5 || people.PeakRequired > 12 {
		t.Errorf("people: %+v agent-hours, peak %+v, %d required", people.AgentHours, people.PeakAgents, people.PeakRequired)
	}
	if len(bots.Quarters) != 96 || bots.Quarters[40].Required < bots.Quarters[12].Required || bots.AgentHours.Mean < 3000*185/5/3600 {
		t.Errorf("bots: %d quarters, %+v agent-hours", len(bots.Quarters), bots.AgentHours)
	}
	again := ask(t, 3000, 1, nil)
	if diff := cmp.Diff(a, again); diff != "" {
		t.Errorf("two answers differ:\n%s", diff)
	}
}

// Each limit is found, with its cost: without it the customers are served as well as by a desk that never had it.
func TestLimits(t *testing.T) {
	free := ask(t, 3000, 1, nil)
	for name, change := range map[whatif.LimitName]func(*whatif.Question){
		whatif.LimitMax:    func(q *whatif.Question) { q.Desk.Bots[0].Scaling.Max = 2 },
		whatif.LimitBudget: func(q *whatif.Question) { q.Desk.Bots[0].Scaling.Budget = &scaling.Budget{AgentHours: 20} },
		whatif.LimitQuota:  func(q *whatif.Question) { q.Quota = 2 },
		whatif.LimitCap: func(q *whatif.Question) {
			q.Desk.Bots[0].Scaling.Peaks = []scaling.Peak{{Name: "x", Start: wednesday.Add(9 * time.Hour), End: wednesday.Add(18 * time.Hour), Cap: 2}}
		},
		whatif.LimitReplicas: func(q *whatif.Question) { q.Desk.Bots[0].Scaling, q.Desk.Bots[0].Replicas = nil, 2 },
		whatif.LimitSeats:    func(q *whatif.Question) { q.Desk.People[0].Seats = func(time.Time) int { return 5 } },
	} {
		t.Run(string(name), func(t *testing.T) {
			a := ask(t, 3000, 1, change)
			i := 0
			if name == whatif.LimitSeats {
				i = 1
			}
			p := a.Pools[i]
			if a.Holds || p.Limit == nil || p.Limit.Name != name || p.Limit.Without == nil || p.Limit.Hours <= 0 {
				t.Fatalf("%s\n%+v", a.Verdict, p.Limits)
			}
			if level := p.Limit.Without.ServiceLevel.Mean; level < p.ServiceLevel.Mean+0.02 || level < 0.8 || level > 1 || math.Abs(level-free.Pools[i].ServiceLevel.Mean) > 0.2 {
				t.Errorf("%.3f with the limit, %.3f without it, %.3f free", p.ServiceLevel.Mean, level, free.Pools[i].ServiceLevel.Mean)
			}
			if first := p.Limit.First; first.Before(wednesday) || !first.Before(wednesday.Add(24*time.Hour)) {
				t.Errorf("it bites first at %s", first)
			}
			if !strings.Contains(a.Verdict, "limited by") || !strings.Contains(a.Verdict, p.Name) {
				t.Error(a.Verdict)
			}
		})
	}
}

// More seats never serve worse, and four times the customers never better.
func TestMoreSeatsServeBetter(t *testing.T) {
	before := -1.0
	for _, seats := range []int{2, 4, 6, 10, 20} {
		a := ask(t, 3000, 1, func(q *whatif.Question) { q.Desk.People[0].Seats = func(time.Time) int { return seats } })
		if level := a.Pools[1].ServiceLevel.Mean; level < before {
			t.Errorf("%d seats: %.3f, fewer: %.3f", seats, level, before)
		} else {
			before = level
		}
	}
	few, many := ask(t, 3000, 1, nil), ask(t, 3000, 4, nil)
	if many.Conversations.Mean < 3.8*few.Conversations.Mean || many.Pools[1].ServiceLevel.Mean > few.Pools[1].ServiceLevel.Mean ||
		many.Pools[0].AgentHours.Mean < 2*few.Pools[0].AgentHours.Mean {
		t.Errorf("once: %s\nfour times: %s", few.Verdict, many.Verdict)
	}
}

// Shifts, opening hours and a desk without bots: people are there by the plan, and nobody is cut at its end.
func TestPeople(t *testing.T) {
	at := func(from, to int) func(time.Time) bool {
		return func(t time.Time) bool { return t.Hour() >= from && t.Hour() < to }
	}
	a := ask(t, 3000, 0.3, func(q *whatif.Question) {
		q.Desk.Bots = nil
		q.Desk.Open = at(8, 20)
		day := at(9, 17)
		q.Desk.People[0].Seats = func(t time.Time) int {
			if day(t) {
				return 12
			}
			return 0
		}
	})
	p := a.Pools[0]
	if p.Quarters[8*4-1].Arrivals != 0 || p.Quarters[9*4].Agents != 12 || p.Quarters[17*4].Agents != 0 || *p.Quarters[8*4].ServiceLevel > 0.3 || *p.Quarters[12*4].ServiceLevel < 0.9 {
		t.Errorf("08:00 %+v, 09:00 %+v, 17:00 %+v", p.Quarters[8*4], p.Quarters[9*4], p.Quarters[17*4])
	}
	// Eight hours of twelve seats, and the end of what they had.
	if p.AgentHours.Mean < 96 || p.AgentHours.Mean > 100 || p.Limit == nil || p.Limit.First.Hour() != 8 {
		t.Errorf("%+v agent-hours, %+v", p.AgentHours, p.Limit)
	}
}

func TestSeveralPoolsShare(t *testing.T) {
	a := ask(t, 3000, 1, func(q *whatif.Question) {
		second := q.Desk.Bots[0]
		second.Name, second.Scaling, second.Replicas = "fixed", nil, 50
		q.Desk.Bots = append(q.Desk.Bots, second)
		other := q.Desk.People[0]
		other.Name, other.Usual = "other", 60
		q.Desk.People = append(q.Desk.People, other)
	})
	if share := a.Pools[0].Conversations.Mean / a.Conversations.Mean; math.Abs(share-2.0/3) > 0.05 {
		t.Errorf("%.3f come to the pool with two thirds of the slots", share)
	}
	if share := a.Pools[2].Conversations.Mean / (a.Pools[2].Conversations.Mean + a.Pools[3].Conversations.Mean); math.Abs(share-0.25) > 0.06 {
		t.Errorf("%.3f come to the pool with a quarter of the seats", share)
	}
	if text := strings.Join(a.Assumed, "\n"); !strings.Contains(text, "the 2 pools of bots share") || !strings.Contains(text, "the 2 pools of people share") {
		t.Error(text)
	}
}

func TestQuestionsThatCannotBeAnswered(t *testing.T) {
	trace, err := world.Counts(wednesday, 300, []float64{1}, true, 1)
	if err != nil {
		t.Fatal(err)
	}
	people := []whatif.People{{Name: "p", Seats: func(time.Time) int { return 1 }}}
	for want, q := range map[string]*whatif.Question{
		"no pools":           {Trace: trace, Draws: 1},
		"0 draws":            {Trace: trace, Desk: whatif.Desk{People: people}},
		"nothing arrives":    {Draws: 1, Desk: whatif.Desk{People: people}},
		"handed off is 2":    {Trace: trace, Draws: 1, HandOff: 2, Desk: whatif.Desk{People: people}},
		"handed off is NaN:": {Trace: trace, Draws: 1, HandOff: math.NaN(), Desk: whatif.Desk{People: people}},
	} {
		if _, err := whatif.Ask(q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// The day on which Berlin sets its clocks back has an hour more, and each quarter of it is told.
func TestDayWithTheClocksSetBack(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	sunday := time.Date(2026, 10, 25, 0, 0, 0, 0, berlin)
	usual, history := whatif.TypicalDay(sunday, 1000, 1)
	if len(usual) != 25*12 || len(history) != 7*24*12 {
		t.Fatalf("%d bins of five minutes, %d before", len(usual), len(history))
	}
	sum := 0.0
	for _, n := range usual {
		sum += n
	}
	if math.Abs(sum-1000) > 1e-6 {
		t.Errorf("%g arrivals", sum)
	}
}

func TestAnnounced(t *testing.T) {
	usual := []float64{10, 10, 10, 10}
	peak := scaling.Peak{Start: wednesday.Add(5 * time.Minute), End: wednesday.Add(15 * time.Minute)}
	more, many := peak, peak
	more.Multiplier, many.ExpectedArrivals = 3, 100
	for _, row := range []struct {
		lists [][]scaling.Peak
		want  []float64
	}{
		{nil, usual},
		{[][]scaling.Peak{{more}}, []float64{10, 30, 30, 10}},
		{[][]scaling.Peak{{many}}, []float64{10, 50, 50, 10}},
		{[][]scaling.Peak{{more}, {many}, {peak}}, []float64{10, 50, 50, 10}},
		{[][]scaling.Peak{{more, more}}, []float64{10, 90, 90, 10}},
	} {
		if diff := cmp.Diff(row.want, whatif.Announced(wednesday, 5*time.Minute, usual, row.lists...)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestCSV(t *testing.T) {
	a := ask(t, 500, 1, nil)
	var b bytes.Buffer
	if err := a.CSV(&b); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 1+2*96 || rows[1][0] != "2026-11-18T00:00:00Z" || rows[1][1] != "bots" || rows[97][2] != "Human" {
		t.Errorf("%d rows, %v: %v", len(rows), err, rows[1])
	}
}

// Where a formula knows the answer, the simulation finds it: customers who come at one rate, handle times and patience that are
// exponential, and a number of slots that does not change, are Erlang A.
func TestAgreesWithErlangA(t *testing.T) {
	const perDay, service, patience, slots = 8640, 300, 240, 30
	counts := make([]float64, 7*288)
	for i := range counts {
		counts[i] = perDay / 288.0
	}
	trace, err := world.Counts(wednesday, 300, counts, true, 1)
	if err != nil {
		t.Fatal(err)
	}
	q := &whatif.Question{
		Trace: trace, Start: wednesday, Draws: 4, Seed: 1, BotHandle: whatif.Exponential(service), Patience: whatif.Exponential(patience), HumanHandle: whatif.Exponential(service),
		Desk: whatif.Desk{Location: time.UTC, Bots: []whatif.Bots{{Name: "bots", Concurrency: 5, Replicas: slots / 5, Objective: scaling.DefaultObjective}}},
	}
	a, err := whatif.Ask(q)
	if err != nil {
		t.Fatal(err)
	}
	want := erlang.System{Load: perDay * service / 86400, Service: service, Patience: patience}.Serve(slots, 20)
	got := a.Pools[0]
	// It begins empty, and there is chance.
	if math.Abs(got.ServiceLevel.Mean-want.ServiceLevel) > 0.02 || math.Abs(got.Abandonment.Mean-want.Abandonment) > 0.01 {
		t.Errorf("simulated %.4f in time and %.4f abandoned, by the formula %.4f and %.4f", got.ServiceLevel.Mean, got.Abandonment.Mean, want.ServiceLevel, want.Abandonment)
	}
}
