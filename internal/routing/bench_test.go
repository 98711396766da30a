package routing_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// bigDesk has 50 queues, 1,000 people with 3 slots each who are all busy, and 10,000 waiting conversations.
func bigDesk(b *testing.B, waiting int) (*routing.Desk, []conversation.ID) {
	b.Helper()
	config := routing.Config{DefaultQueue: "q00"}
	for i := range 50 {
		config.Queues = append(config.Queues, routing.Queue{Name: fmt.Sprintf("q%02d", i), Priority: i % 5 * 10})
	}
	for p := range 10 {
		pool := routing.Pool{Name: fmt.Sprintf("p%d", p), Kind: conversation.KindAgent, Concurrency: 3, OfferTimeout: time.Minute}
		for i := range 100 {
			pool.Members = append(pool.Members, fmt.Sprintf("a%04d", p*100+i))
		}
		for i := range 10 {
			pool.Queues = append(pool.Queues, fmt.Sprintf("q%02d", (p*5+i)%50))
		}
		config.Pools = append(config.Pools, pool)
	}
	d, err := routing.New(config)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		decide(b, d, routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: fmt.Sprintf("a%04d", i)}})
	}
	var held []conversation.ID
	for i := range 3000 + waiting {
		id := arrive(b, d, i)
		if s, _ := d.State(id); s.Status == conversation.StatusOffered {
			decide(b, d, routing.Accept{Agent: s.Agent.ID, Conversation: id})
			held = append(held, id)
		}
	}
	if len(held) != 3000 {
		b.Fatalf("%d conversations are held, want 3000", len(held))
	}
	return d, held
}

func decide(b *testing.B, d *routing.Desk, in routing.Input) []routing.Decision {
	out, err := d.Decide(start, in)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// arrive opens a conversation and hands it to one of the queues.
func arrive(b *testing.B, d *routing.Desk, n int) conversation.ID {
	id := conversation.ID(fmt.Sprintf("01JD3KZ8Q8%016d", n))
	e := conversation.NewEvent(id, id, start, &conversation.Message{
		From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"}, Text: "hello", ClientID: "m",
	})
	e.Seq = uint64(n + 1)
	d.Hear(e)
	decide(b, d, routing.Wrote{
		Conversation: id, Seq: e.Seq, Channel: "web", Contact: "c",
		Verdict: routing.Verdict{Rules: "r", Reason: "r", HandOff: fmt.Sprintf("q%02d", n%50)},
	})
	return id
}

// BenchmarkCloseAndOffer: an agent closes one conversation and gets the next one, with 10,000 waiting.
// The next one is accepted and a new one arrives, so that the desk stays as it is: three inputs.
func BenchmarkCloseAndOffer(b *testing.B) {
	d, held := bigDesk(b, 10_000)
	b.ReportAllocs()
	n, i := 13_000, 0
	for b.Loop() {
		id := held[i%len(held)]
		s, _ := d.State(id)
		for _, decision := range decide(b, d, routing.Close{Conversation: id, By: s.Agent.Actor()}) {
			if o, ok := decision.Body.(*conversation.Offered); ok {
				decide(b, d, routing.Accept{Agent: o.Agent.ID, Conversation: decision.Conversation})
				held[i%len(held)] = decision.Conversation
			}
		}
		decide(b, d, routing.Forget{Conversation: id})
		arrive(b, d, n)
		n++
		i++
	}
}

// BenchmarkArrival: one conversation arrives behind 10,000 others and leaves again.
func BenchmarkArrival(b *testing.B) {
	d, _ := bigDesk(b, 10_000)
	b.ReportAllocs()
	n := 13_000
	for b.Loop() {
		id := arrive(b, d, n)
		decide(b, d, routing.Close{Conversation: id, By: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"}})
		decide(b, d, routing.Forget{Conversation: id})
		n++
	}
}

// BenchmarkPosition reads one position among 10,000.
func BenchmarkPosition(b *testing.B) {
	d, _ := bigDesk(b, 10_000)
	id := conversation.ID(fmt.Sprintf("01JD3KZ8Q8%016d", 9000))
	b.ReportAllocs()
	for b.Loop() {
		d.Position(id)
	}
}

// BenchmarkBacklog: 1,000 agents sign on to 10,000 waiting conversations; one operation is the whole backlog's matching.
func BenchmarkBacklog(b *testing.B) {
	d, _ := bigDesk(b, 10_000)
	for i := range 1000 {
		decide(b, d, routing.SignOff{Agent: fmt.Sprintf("a%04d", i)})
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range 1000 {
			decide(b, d, routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: fmt.Sprintf("a%04d", i)}})
		}
		b.StopTimer()
		for i := range 1000 {
			decide(b, d, routing.SignOff{Agent: fmt.Sprintf("a%04d", i)})
		}
		b.StartTimer()
	}
}

// BenchmarkMemory reports the heap that one waiting conversation takes.
func BenchmarkMemory(b *testing.B) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		at := [2]uint64{}
		for i, waiting := range []int{5_000, 25_000} {
			before := heap()
			d, _ := bigDesk(b, waiting)
			at[i] = heap() - before
			runtime.KeepAlive(d)
		}
		b.ReportMetric(float64(at[1]-at[0])/20_000, "B/conversation")
	}
}
