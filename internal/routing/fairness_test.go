package routing_test

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// oneSeat is a desk with one agent with one slot for queues of different priorities.
func oneSeat(ageing int, priorities ...int) routing.Config {
	c := routing.Config{
		Ageing: ageing, DefaultQueue: "q0",
		Pools: []routing.Pool{{Name: "people", Kind: conversation.KindAgent, Concurrency: 1, Members: []string{"ann"}, OfferTimeout: time.Hour}},
		Times: routing.Times{HeartbeatLost: 1000 * time.Hour},
	}
	for i, p := range priorities {
		name := fmt.Sprint("q", i)
		c.Queues = append(c.Queues, routing.Queue{Name: name, Priority: p})
		c.Pools[0].Queues = append(c.Pools[0].Queues, name)
	}
	return c
}

// comes lets a customer write to a queue.
func comes(t fataler, d *routing.Desk, n int, queue string, now time.Time) conversation.ID {
	id := conversation.ID(fmt.Sprintf("01JD3KZ8Q8%016d", n))
	e := conversation.NewEvent(id, id, now, &conversation.Message{
		From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"}, Text: "hello", ClientID: "m",
	})
	e.Seq = uint64(n)
	d.Hear(e)
	in := routing.Wrote{Conversation: id, Seq: e.Seq, Channel: "web", Contact: "c", Verdict: routing.Verdict{HandOff: queue}}
	if _, err := d.Decide(now, in); err != nil {
		t.Fatalf("%v", err)
	}
	return id
}

// Whoever waits keeps the order among those who wait, whatever comes and goes and however long it takes: the score
// ages at one rate. And nobody is overtaken by one who came later than 100 points of ageing take.
func TestTheOrderOfTheWaitingNeverChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ageing := rapid.SampledFrom([]int{1, 3, 7, 100}).Draw(t, "ageing")
		d, err := routing.New(oneSeat(ageing, 0, 30, 55, 100))
		if err != nil {
			t.Fatal(err)
		}
		now, order := start, []conversation.ID(nil)
		for n := 1; n <= 40; n++ {
			now = now.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "seconds")) * time.Second)
			comes(t, d, n, fmt.Sprint("q", rapid.IntRange(0, 3).Draw(t, "queue")), now)
			var waiting []conversation.State
			for _, id := range d.Conversations() {
				if s, _ := d.State(id); s.Status == conversation.StatusQueued {
					waiting = append(waiting, s)
				}
			}
			slices.SortFunc(waiting, func(a, b conversation.State) int {
				if x, y := d.Score(&a, now), d.Score(&b, now); math.Abs(x-y) > 1e-6 {
					return int(math.Copysign(1, y-x))
				}
				return int(a.Arrival.Seq) - int(b.Arrival.Seq)
			})
			var ids []conversation.ID
			for _, s := range waiting {
				ids = append(ids, s.ID)
			}
			before := slices.DeleteFunc(slices.Clone(ids), func(id conversation.ID) bool { return !slices.Contains(order, id) })
			if !slices.Equal(before, order) {
				t.Fatalf("the order was %v and is %v", order, before)
			}
			order = ids
		}
		// Served one by one, by an agent who comes after all of them.
		bound := 100 * time.Minute / time.Duration(ageing)
		if _, err := d.Decide(now, routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: "ann"}}); err != nil {
			t.Fatal(err)
		}
		arrivals := map[conversation.ID]time.Time{}
		for _, id := range order {
			s, _ := d.State(id)
			arrivals[id] = s.Arrival.At
		}
		for _, want := range order {
			served := ""
			for _, v := range d.Holding("ann") {
				served = string(v.ID)
			}
			if served != string(want) {
				t.Fatalf("served is %q, first in line was %s", served, want)
			}
			delete(arrivals, want)
			s, _ := d.State(want)
			for id, at := range arrivals {
				if s.Arrival.At.Sub(at) > bound {
					t.Fatalf("%s was overtaken by %s, which came %v later", id, want, s.Arrival.At.Sub(at))
				}
			}
			for _, in := range []routing.Input{
				routing.Accept{Agent: "ann", Conversation: want},
				routing.Close{Conversation: want, By: conversation.Actor{Kind: conversation.KindAgent, ID: "ann"}},
			} {
				if _, err := d.Decide(now, in); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// A stream of important conversations that would fill the agent for ever does not starve one without any priority:
// it is served within 100 points of ageing and what was in line by then.
func TestNobodyStarvesUnderALoadThatNeverEnds(t *testing.T) {
	d, err := routing.New(oneSeat(10, 0, 100))
	if err != nil {
		t.Fatal(err)
	}
	now := start
	if _, err := d.Decide(now, routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: "ann"}}); err != nil {
		t.Fatal(err)
	}
	comes(t, d, 1, "q1", now)
	poor := comes(t, d, 2, "q0", now)
	for n := 3; ; n++ {
		now = now.Add(time.Minute) // one a minute comes, one a minute is served
		comes(t, d, n, "q1", now)
		held := d.Holding("ann")
		if len(held) != 1 {
			t.Fatalf("the agent has %d", len(held))
		}
		if held[0].ID == poor {
			break
		}
		if now.Sub(start) > 13*time.Minute {
			t.Fatalf("it waits for %v", now.Sub(start))
		}
		for _, in := range []routing.Input{
			routing.Accept{Agent: "ann", Conversation: held[0].ID},
			routing.Close{Conversation: held[0].ID, By: conversation.Actor{Kind: conversation.KindAgent, ID: "ann"}},
		} {
			if _, err := d.Decide(now, in); err != nil {
				t.Fatal(err)
			}
		}
	}
	if now.Sub(start) < 9*time.Minute {
		t.Errorf("it was served after %v already: priority counts for nothing", now.Sub(start))
	}
}

// ends is a heap of the times at which talks end.
type ends []ending

type ending struct {
	at   time.Time
	conv conversation.ID
}

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(x any)        { *e = append(*e, x.(ending)) }
func (e *ends) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// rush simulates a desk of 20 agents over six hours: talks of 5 minutes in the mean, arrivals that swell to 130 % of
// what the agents can do and ebb again. It returns, for those who waited 30 s or more, the waits as they were
// predicted at the arrival and as they came, in seconds.
func rush(t fataler, seed uint64) (predicted, came []float64) {
	const agents, mean = 20, 300.0
	random := rand.New(rand.NewPCG(seed, 1))
	c := oneSeat(1, 50)
	c.Pools[0].Members = nil
	for i := range agents {
		c.Pools[0].Members = append(c.Pools[0].Members, fmt.Sprintf("a%02d", i))
	}
	d, err := routing.New(c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	now := start
	talks := &ends{}
	guesses := map[conversation.ID]float64{}
	arrived := map[conversation.ID]time.Time{}
	decide := func(in routing.Input) {
		out, err := d.Decide(now, in)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for _, decision := range out {
			if o, ok := decision.Body.(*conversation.Offered); ok {
				heap.Push(talks, ending{now.Add(time.Duration(random.ExpFloat64() * mean * float64(time.Second))), decision.Conversation})
				if _, err := d.Decide(now, routing.Accept{Agent: o.Agent.ID, Conversation: decision.Conversation}); err != nil {
					t.Fatalf("%v", err)
				}
				wait := now.Sub(arrived[decision.Conversation]).Seconds()
				if guess, told := guesses[decision.Conversation]; told && wait >= 30 {
					predicted, came = append(predicted, guess), append(came, wait)
				}
			}
		}
	}
	for _, a := range c.Pools[0].Members {
		decide(routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: a}})
	}
	next, review := now, now
	for n := 1; now.Before(start.Add(6 * time.Hour)); {
		due := next
		if len(*talks) > 0 && (*talks)[0].at.Before(due) {
			due = (*talks)[0].at
		}
		for review.Before(due) {
			now = review
			decide(routing.Review{})
			review = review.Add(time.Second)
		}
		now = due
		if due.Equal(next) {
			id := conversation.ID(fmt.Sprintf("01JD3KZ8Q8%016d", n))
			arrived[id] = now
			e := conversation.NewEvent(id, id, now, &conversation.Message{From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"}, Text: "x", ClientID: "m"})
			e.Seq = uint64(n)
			d.Hear(e)
			decide(routing.Wrote{Conversation: id, Seq: e.Seq, Channel: "web", Contact: "c"})
			if wait, known := d.ExpectedWait(id, now); known {
				guesses[id] = wait.Seconds()
			}
			n++
			load := 1.0 + 0.3*math.Sin(now.Sub(start).Hours()*math.Pi*2/3)
			next = now.Add(time.Duration(random.ExpFloat64() * mean / agents / load * float64(time.Second)))
			continue
		}
		end := heap.Pop(talks).(ending)
		s, _ := d.State(end.conv)
		decide(routing.Close{Conversation: end.conv, By: s.Agent.Actor()})
		decide(routing.Forget{Conversation: end.conv})
	}
	return predicted, came
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// What customers are told about their wait comes true: the median error stays below a third of the median wait.
// With 20 agents the chance alone gives an error of about a seventh at a wait of ten answers.
func TestExpectedWaitComesTrue(t *testing.T) {
	var misses, waits []float64
	for seed := range uint64(4) {
		predicted, came := rush(t, seed)
		for i := range came {
			misses = append(misses, math.Abs(predicted[i]-came[i]))
			waits = append(waits, came[i])
		}
	}
	if len(waits) < 200 {
		t.Fatalf("only %d waited", len(waits))
	}
	miss, wait := median(misses), median(waits)
	t.Logf("median absolute error %.0f s at a median wait of %.0f s, of %d who waited 30 s or more", miss, wait, len(waits))
	if miss > wait/3 {
		t.Errorf("the median absolute error is %.0f s at a median wait of %.0f s", miss, wait)
	}
}
