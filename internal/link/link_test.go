package link_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/link"
)

func report() *link.Report {
	return &link.Report{
		V: 1, Namespace: "shop", Desk: "web", Router: "r", Term: 7, Seq: 3, At: time.Unix(1_800_000_000, 0).UTC(), Revision: "r1", Generation: 5,
		Queues: []link.Queue{{Name: "bot", Waiting: 2, OldestSince: time.Unix(1_799_999_990, 0).UTC()}},
		Pools: []link.Pool{{Name: "bots", SignedOn: 2, Away: 1, Slots: 10, InProgress: 4, Workers: []link.Worker{
			{Name: "a", Slots: 5, Busy: 4}, {Name: "b", Slots: 5, Draining: true, Drained: true},
		}}},
	}
}

func TestReportTravels(t *testing.T) {
	data, err := json.Marshal(report())
	if err != nil {
		t.Fatal(err)
	}
	var back link.Report
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report(), &back); diff != "" {
		t.Error(diff)
	}
	if err := back.Validate(); err != nil {
		t.Error(err)
	}
}

func TestChangesAreSeen(t *testing.T) {
	for name, change := range map[string]func(*link.Report){
		"time":     func(r *link.Report) { r.At = r.At.Add(time.Second) },
		"number":   func(r *link.Report) { r.Seq++ },
		"revision": func(r *link.Report) { r.Revision, r.Generation = "r2", 6 }, // the reply brought it
	} {
		r := report()
		change(r)
		if !r.Same(report()) {
			t.Errorf("another %s is worth a report", name)
		}
	}
	for name, change := range map[string]func(*link.Report){
		"router":      func(r *link.Report) { r.Router = "other" },
		"term":        func(r *link.Report) { r.Term++ },
		"waiting":     func(r *link.Report) { r.Queues[0].Waiting++ },
		"oldest":      func(r *link.Report) { r.Queues[0].OldestSince = time.Time{} },
		"queue":       func(r *link.Report) { r.Queues[0].Name = "other" },
		"queues":      func(r *link.Report) { r.Queues = nil },
		"pool":        func(r *link.Report) { r.Pools[0].Name = "other" },
		"pools":       func(r *link.Report) { r.Pools = nil },
		"signed on":   func(r *link.Report) { r.Pools[0].SignedOn++ },
		"away":        func(r *link.Report) { r.Pools[0].Away++ },
		"slots":       func(r *link.Report) { r.Pools[0].Slots++ },
		"in progress": func(r *link.Report) { r.Pools[0].InProgress++ },
		"workers":     func(r *link.Report) { r.Pools[0].Workers = r.Pools[0].Workers[:1] },
		"drained":     func(r *link.Report) { r.Pools[0].Workers[1].Drained = false },
	} {
		r := report()
		change(r)
		if r.Same(report()) || report().Same(r) {
			t.Errorf("a change of %s is not seen", name)
		}
	}
}

// Whatever comes in, a report that passes has counts that can be added up and names that are bounded.
func FuzzReport(f *testing.F) {
	seed, err := json.Marshal(report())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"v":1,"namespace":"a","desk":"b","router":"c","pools":[{"name":"p","slots":-1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r link.Report
		if json.Unmarshal(data, &r) != nil || r.Validate() != nil {
			return
		}
		sum := 0
		for _, q := range r.Queues {
			if q.Waiting < 0 || q.Name == "" {
				t.Fatalf("%+v", q)
			}
			sum += q.Waiting
		}
		for _, p := range r.Pools {
			for _, w := range p.Workers {
				if w.Drained && w.Busy > 0 || w.Busy < 0 {
					t.Fatalf("%+v", w)
				}
				sum += w.Busy
			}
		}
		if sum < 0 {
			t.Fatal("the counts overflow")
		}
		if !r.Same(&r) {
			t.Fatal("a report differs from itself")
		}
	})
}
