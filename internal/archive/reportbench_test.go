package archive

import (
	"fmt"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
)

// BenchmarkReport adds up 20,000 conversations of twelve days by queue, and measures how fast their stays are told.
func BenchmarkReport(b *testing.B) {
	onEachBench(b, func(b *testing.B, d database) {
		const conversations = 20_000
		st, s := d.store(), newScript(b)
		for i := range conversations {
			s.now = start.Add(time.Duration(i) * 50 * time.Second)
			s.served(fmt.Sprintf("c-%d", i%8_000), "Where is my order 4711?")
			if len(s.entries) >= 20*batchEntries {
				s.store(st)
			}
		}
		s.store(st)
		began := time.Now()
		for {
			n, err := st.TellStays(b.Context(), staysBatch)
			if err != nil {
				b.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		told := conversations / time.Since(began).Seconds()
		r := protocol.ReportRequest{By: protocol.ByQueue, From: start, To: start.Add(30 * 24 * time.Hour)}
		for b.Loop() {
			reply, err := st.Report(b.Context(), r, Levels{"refunds": 20}, s.now)
			if err != nil || len(reply.Rows) != 2 {
				b.Fatal(reply, err)
			}
		}
		b.ReportMetric(told, "told/s")
	})
}
