package fault

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"testing"

	"github.com/deskfleet/deskfleet/internal/testing/ledger"
)

// outage is how long a desk did not serve, over all runs of a fault.
type outage struct {
	Fault     string  `json:"fault"`
	Runs      int     `json:"runs"`
	P50Millis float64 `json:"p50Millis"`
	MaxMillis float64 `json:"maxMillis"`
}

// BenchmarkFailover measures how long a desk under load does not serve: from the fault until the next decision about a
// conversation is stored, and with one process, its start included, until its router leads and the next turn of a conversation is answered.
// its router leads. It prints the figures as JSON and as a table.
func BenchmarkFailover(b *testing.B) {
	var outages []outage
	run := func(name string, s shape, fault func(r *rig, tr *traffic) time.Duration) {
		b.Run(name, func(b *testing.B) {
			s.lease = -1 // the usual one
			r := newRig(b, s)
			tr := r.talk(compactCustomers, !s.compact)
			tr.replies(10)
			var took []time.Duration
			for b.Loop() {
				took = append(took, fault(r, tr))
				tr.replies(10)
			}
			tr.end()
			slices.Sort(took)
			o := outage{name, len(took), millis(took[len(took)/2]), millis(took[len(took)-1])}
			b.ReportMetric(o.P50Millis, "p50-ms")
			b.ReportMetric(o.MaxMillis, "max-ms")
			outages = append(outages, o)
		})
	}
	run("router killed", shape{routers: 2}, func(r *rig, _ *traffic) time.Duration {
		killed := r.leader(nil)
		took := r.served(killed.kill)
		killed.start()
		return took
	})
	run("router paused", shape{routers: 2}, func(r *rig, _ *traffic) time.Duration {
		paused := r.leader(nil)
		took := r.served(paused.pause)
		paused.resume()
		return took
	})
	run("router stopped", shape{routers: 2}, func(r *rig, _ *traffic) time.Duration {
		stopped := r.leader(nil)
		took := r.served(stopped.stop)
		stopped.start()
		return took
	})
	run("server of the bus killed, of three", shape{buses: 3, routers: 2}, func(r *rig, tr *traffic) time.Duration {
		r.current()
		killed := r.server(true)
		took := tr.back(killed.kill)
		killed.start()
		return took
	})
	run("server of the bus stopped, of three", shape{buses: 3, routers: 2}, func(r *rig, tr *traffic) time.Duration {
		r.current()
		stopped := r.server(true)
		took := tr.back(stopped.release)
		stopped.wait()
		stopped.start()
		return took
	})
	run("bus killed and started, of one", shape{routers: 2}, func(r *rig, tr *traffic) time.Duration {
		return tr.back(func() {
			r.buses[0].kill()
			r.buses[0].start()
		})
	})
	run("desk of one process killed and started", shape{compact: true}, func(r *rig, tr *traffic) time.Duration {
		return r.restarted(tr)
	})
	show(outages)
}

// served does something to the leading router and waits until another one has decided about a conversation.
func (r *rig) served(fault func()) time.Duration {
	r.t.Helper()
	was := r.instance()
	began := time.Now()
	fault()
	r.until("another router decides", func(l *ledger.Ledger) bool { return l.Leader() != was && l.Decider() == l.Leader() })
	return time.Since(began)
}

// restarted kills a desk of one process and starts it, and waits until it serves.
func (r *rig) restarted(tr *traffic) time.Duration {
	r.t.Helper()
	was := r.instance()
	began := time.Now()
	r.buses[0].kill()
	tr.back(r.buses[0].start)
	r.until("the new process leads", func(l *ledger.Ledger) bool { return l.Leader() != was })
	return time.Since(began).Round(time.Millisecond)
}

func millis(d time.Duration) float64 {
	return float64(d.Round(time.Millisecond)) / float64(time.Millisecond)
}

func show(outages []outage) {
	if len(outages) == 0 {
		return
	}
	if data, err := json.MarshalIndent(outages, "", "  "); err == nil {
		_, _ = fmt.Fprintf(os.Stdout, "%s\n", data)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "fault\truns\tp50\tmax")
	for _, o := range outages {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%.0f ms\t%.0f ms\n", o.Fault, o.Runs, o.P50Millis, o.MaxMillis)
	}
	_ = w.Flush()
}
