package routing_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// skilledConfig has 50 queues that each ask for two skills in three rings, and 1,000 people who all differ in theirs.
func skilledConfig() routing.Config {
	const skills = 40
	config := routing.Config{DefaultQueue: "q00", Ageing: 2}
	for i := range 50 {
		config.Queues = append(config.Queues, routing.Queue{
			Name: fmt.Sprintf("q%02d", i), Priority: i % 5 * 10,
			Skills: []routing.Wanted{
				{Skill: routing.Skill{Name: fmt.Sprintf("s%02d", i%skills), Level: 1 + i%3}},
				{Skill: routing.Skill{Name: fmt.Sprintf("s%02d", (i+7)%skills), Level: 1}, Preferred: true},
			},
			Rings: []routing.Ring{{After: time.Minute, LowerLevelsBy: 1}, {After: 2 * time.Minute, Drop: routing.DropAll}},
		})
	}
	for p := range 10 {
		pool := routing.Pool{Name: fmt.Sprintf("p%d", p), Kind: conversation.KindAgent, Concurrency: 3, OfferTimeout: time.Minute}
		for i := range 100 {
			n := p*100 + i
			pool.Members = append(pool.Members, fmt.Sprintf("a%04d", n))
			o := routing.Override{Agent: fmt.Sprintf("a%04d", n)}
			for k := range 12 {
				o.Skills = append(o.Skills, routing.Skill{Name: fmt.Sprintf("s%02d", (n*7+k*3)%skills), Level: 1 + (n/(k+1))%5})
			}
			o.Skills = append(o.Skills, routing.Skill{Name: fmt.Sprint("own-", n), Level: 1})
			pool.Overrides = append(pool.Overrides, o)
		}
		for i := range 50 {
			pool.Queues = append(pool.Queues, fmt.Sprintf("q%02d", (p*5+i)%50))
		}
		config.Pools = append(config.Pools, pool)
	}
	return config
}

// skilledDesk10k has all slots taken and 10,000 conversations waiting, a third of them in each ring.
func skilledDesk10k(b *testing.B, waiting int) (d *routing.Desk, held []conversation.ID, now time.Time) {
	b.Helper()
	d, err := routing.New(skilledConfig())
	if err != nil {
		b.Fatal(err)
	}
	now = start
	for i := range 1000 {
		if _, err := d.Decide(now, routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: fmt.Sprintf("a%04d", i)}}); err != nil {
			b.Fatal(err)
		}
	}
	for n := 1; waiting > 0; n++ {
		if n%3000 == 0 {
			now = now.Add(time.Minute)
			d.SeenAll(now)
			decideAt(b, d, now, routing.Tick{})
		}
		id := comes(b, d, n, fmt.Sprintf("q%02d", n%50), now)
		if s, _ := d.State(id); s.Status == conversation.StatusOffered {
			decideAt(b, d, now, routing.Accept{Agent: s.Agent.ID, Conversation: id})
			held = append(held, id)
		} else {
			waiting--
		}
	}
	if len(held) < 2900 {
		b.Fatalf("only %d conversations are held", len(held))
	}
	return d, held, now
}

func decideAt(b *testing.B, d *routing.Desk, now time.Time, in routing.Input) []routing.Decision {
	out, err := d.Decide(now, in)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// BenchmarkSkilledEvents: 10,000 wait for 1,000 people who all differ. An agent closes one conversation and gets the
// next one, which is accepted, and a new one arrives: three inputs. p99 is that of a single input.
func BenchmarkSkilledEvents(b *testing.B) {
	d, held, now := skilledDesk10k(b, 10_000)
	var took []time.Duration
	timed := func(in routing.Input) []routing.Decision {
		began := time.Now()
		out := decideAt(b, d, now, in)
		took = append(took, time.Since(began))
		return out
	}
	b.ReportAllocs()
	n, i := 100_000, 0
	for b.Loop() {
		at := i % len(held)
		id := held[at]
		held = slices.Delete(held, at, at+1)
		s, _ := d.State(id)
		for _, decision := range timed(routing.Close{Conversation: id, By: s.Agent.Actor()}) {
			if o, ok := decision.Body.(*conversation.Offered); ok {
				timed(routing.Accept{Agent: o.Agent.ID, Conversation: decision.Conversation})
				held = append(held, decision.Conversation)
			}
		}
		decideAt(b, d, now, routing.Forget{Conversation: id})
		began := time.Now()
		comes(b, d, n, fmt.Sprintf("q%02d", n%50), now)
		took = append(took, time.Since(began))
		now = now.Add(20 * time.Millisecond)
		n++
		i++
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns/event")
}

// BenchmarkSkilledBacklog: the 1,000 people sign on to 10,000 waiting conversations; one operation is the matching
// of the whole backlog.
func BenchmarkSkilledBacklog(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		d, _, now := skilledDesk10k(b, 10_000)
		for i := range 1000 {
			decideAt(b, d, now, routing.SignOff{Agent: fmt.Sprintf("a%04d", i)})
		}
		b.StartTimer()
		for i := range 1000 {
			decideAt(b, d, now, routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: fmt.Sprintf("a%04d", i)}})
		}
	}
}

// BenchmarkReview is what each second costs with 10,000 waiting.
func BenchmarkReview(b *testing.B) {
	d, _, now := skilledDesk10k(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		decideAt(b, d, now, routing.Review{})
	}
}

// BenchmarkReviewOverflowing is the same while all queues overflow: everybody is looked at, and nothing is left to do.
func BenchmarkReviewOverflowing(b *testing.B) {
	d, held, now := skilledDesk10k(b, 10_000)
	c := skilledConfig()
	for i := range c.Queues {
		c.Queues[i].Ladder = []routing.Step{
			{PredictedWait: time.Second, Action: routing.ActionPool, Pool: "p0"},
			{PredictedWait: 2 * time.Second, Action: routing.ActionMessage, Say: []routing.Text{{Language: "en", Text: "It takes longer than we would like. Thank you for waiting."}}},
		}
	}
	now = now.Add(10 * time.Minute)
	d.SeenAll(now)
	decideAt(b, d, now, routing.Configure{Config: c})
	s, _ := d.State(held[0])
	decideAt(b, d, now, routing.Close{Conversation: held[0], By: s.Agent.Actor()}) // now a handle time is known
	for i := 0; len(decideAt(b, d, now, routing.Review{})) > 0; i++ {              // in turns of a few hundred
		if i > 1000 {
			b.Fatal("the reviews never end")
		}
	}
	for _, q := range d.Queues() {
		if q.Waiting > 0 && q.Steps == 0 {
			b.Fatalf("queue %s does not overflow", q.Name)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		decideAt(b, d, now, routing.Review{})
	}
}

// BenchmarkExpectedWait reports by how much the wait that is told at the arrival is wrong, in a simulated rush.
func BenchmarkExpectedWait(b *testing.B) {
	for b.Loop() {
		var misses, waits []float64
		for seed := range uint64(4) {
			predicted, came := rush(b, seed)
			for i := range came {
				misses = append(misses, max(predicted[i]-came[i], came[i]-predicted[i]))
				waits = append(waits, came[i])
			}
		}
		b.ReportMetric(median(misses), "median-error-s")
		b.ReportMetric(median(waits), "median-wait-s")
	}
}

// BenchmarkHeldSlots: all 1,000 people have one slot free and keep it for mails that take two and have waited for
// long; somebody arrives for whom each of them is looked at in vain, and leaves again.
func BenchmarkHeldSlots(b *testing.B) {
	c := routing.Config{DefaultQueue: "q0", Queues: []routing.Queue{{Name: "q0", Priority: 50}}}
	pool := routing.Pool{Name: "p", Kind: conversation.KindAgent, Concurrency: 2, Queues: []string{"q0"}, OfferTimeout: time.Hour,
		Weights: []routing.Weight{{Channel: "mail", Slots: 2}}}
	for i := range 1000 {
		pool.Members = append(pool.Members, fmt.Sprintf("a%04d", i))
	}
	c.Pools = []routing.Pool{pool}
	d, err := routing.New(c)
	if err != nil {
		b.Fatal(err)
	}
	now := start
	for _, a := range pool.Members {
		decideAt(b, d, now, routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: a}})
	}
	for n := range 1000 {
		id := comes(b, d, n+1, "", now)
		s, _ := d.State(id)
		decideAt(b, d, now, routing.Accept{Agent: s.Agent.ID, Conversation: id})
	}
	for n := range 100 {
		id := conversation.ID(fmt.Sprintf("01JD3KZ8Q8%016d", 5000+n))
		e := conversation.NewEvent(id, id, now, &conversation.Message{From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"}, Text: "hello", ClientID: "m"})
		e.Seq = uint64(5000 + n)
		d.Hear(e)
		decideAt(b, d, now, routing.Wrote{Conversation: id, Seq: e.Seq, Channel: "mail", Contact: "c"})
	}
	now = now.Add(time.Hour)
	d.SeenAll(now)
	b.ReportAllocs()
	for n := 10_000; b.Loop(); n++ {
		id := comes(b, d, n, "", now)
		if s, _ := d.State(id); s.Status != conversation.StatusQueued {
			b.Fatalf("it is %s", s.Status)
		}
		decideAt(b, d, now, routing.Close{Conversation: id, By: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"}})
		decideAt(b, d, now, routing.Forget{Conversation: id})
	}
}
