package archive

import (
	"fmt"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
)

func onEachBench(b *testing.B, f func(b *testing.B, d database)) {
	b.Run("sqlite", func(b *testing.B) { f(b, newSQLite(b)) })
	b.Run("postgresql", func(b *testing.B) { f(b, newPostgres(b)) })
}

// BenchmarkWrite stores whole conversations of 12 events in batches as large as the role's.
func BenchmarkWrite(b *testing.B) {
	onEachBench(b, func(b *testing.B, d database) {
		st, s := d.store(), newScript(b)
		p, err := st.Position(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		conversations := 0
		for b.Loop() {
			b.StopTimer()
			s.entries = nil
			for len(s.entries) < batchEntries {
				s.served(fmt.Sprintf("c-%d", conversations), "Where is my order 4711? 我的订单在哪里？")
				conversations++
			}
			b.StartTimer()
			if p, _, err = st.Write(b.Context(), p, s.seq, s.entries); err != nil {
				b.Fatal(err)
			}
		}
		seconds := b.Elapsed().Seconds()
		b.ReportMetric(float64(s.seq)/seconds, "events/s")
		b.ReportMetric(float64(conversations)/seconds, "conversations/s")
		space, err := st.Space(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(space.Bytes)/float64(conversations), "bytes/conversation")
	})
}

// BenchmarkSearch looks through 100,000 messages.
func BenchmarkSearch(b *testing.B) {
	onEachBench(b, func(b *testing.B, d database) {
		st, s := d.store(), newScript(b)
		for conversations := 0; conversations < 20_000; {
			for range 200 {
				question := fmt.Sprintf("Where is my order %d? 我的订单在哪里？", conversations)
				if conversations == 3 {
					question = "瑕疵 the needle in the haystack"
				}
				s.served(fmt.Sprintf("c-%d", conversations), question)
				conversations++
			}
			s.store(st)
		}
		for name, r := range map[string]protocol.SearchRequest{
			"common":      {Text: "order"},
			"rare":        {Text: "needle haystack"},
			"none":        {Text: "nothing like it"},
			"twoRunes":    {Text: "订单"},
			"twoRareOnes": {Text: "瑕疵"},
			"contact":     {Text: "订单", Contact: "c-77"},
			"recent":      {},
		} {
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					if _, err := st.Search(b.Context(), r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

// BenchmarkVerifyAudit walks a chain of 10,000 records.
func BenchmarkVerifyAudit(b *testing.B) {
	onEachBench(b, func(b *testing.B, d database) {
		st, s := d.store(), newScript(b)
		for range 10_000 {
			s.audit("agent.signedOn")
		}
		s.store(st)
		for b.Loop() {
			if v, err := st.VerifyAudit(b.Context()); err != nil || v.Broken != nil || v.Records != 10_000 {
				b.Fatalf("%+v, %v", v, err)
			}
		}
		b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
}

// BenchmarkArchive is the whole way: from the bus to the database and out of the log.
func BenchmarkArchive(b *testing.B) {
	bench, s := newBench(b), newScript(b)
	const conversations = 100
	total := int64(0)
	o := bench.options()
	o.PurgeEvery, o.VerifyEvery, o.RetentionEvery = 20*time.Millisecond, time.Hour, time.Hour
	bench.run(o)
	for b.Loop() {
		b.StopTimer()
		for i := range conversations {
			s.served(fmt.Sprintf("c-%d", i), "Where is my order?")
		}
		b.StartTimer()
		bench.play(s)
		bench.decide()
		total += conversations
		bench.waitStatus("all is archived and purged", func(s *protocol.Status) bool {
			return s.Conversations == total && s.Lag == 0 && s.Unpurged == 0
		})
	}
	b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "conversations/s")
}
