// Package retrieval measures how well the bots' retrieval answers: which entry comes
// first, how true its confidence is, how fast and how large the index is; beside it,
// in the same run, plain BM25 as bleve has it.
package retrieval

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/deskfleet/deskfleet/internal/knowledge"
)

// Report is what was measured. Its own figures are those of the index that ships.
type Report struct {
	*Figures
	Entries int     `json:"entries"`
	Queries int     `json:"queries"`
	Floor   float64 `json:"floor"`
	// Peers by name. BM25 has no probability: its floor is the threshold that, chosen afterwards on these very queries,
	// answers the most at 90 % precision, and its confidence is the score over the highest of all queries.
	Peers map[string]*Figures `json:"peers"`
}

// Run measures both engines. Floor, 0 to 1, is from which confidence on the bot would answer.
func Run(entries []knowledge.Entry, queries []Query, floor float64) (*Report, error) {
	r := &Report{Entries: len(entries), Queries: len(queries), Floor: floor, Peers: map[string]*Figures{}}
	var err error
	if r.Figures, err = ours(entries, queries, floor); err != nil {
		return nil, err
	}
	r.Peers["bm25"], err = bm25(entries, queries)
	return r, err
}

func ours(entries []knowledge.Entry, queries []Query, floor float64) (*Figures, error) {
	var ix *knowledge.Index
	seconds, heap, err := build(func() (err error) {
		ix, err = knowledge.Compile(entries, knowledge.Options{})
		return err
	})
	if err != nil {
		return nil, err
	}
	f, _, err := score(queries, floor, func(text string) (ranked, error) {
		hits := ix.Search(text, "", depth)
		found := ranked{ids: make([]string, 0, len(hits))}
		for i := range hits {
			found.ids = append(found.ids, hits[i].Entry.ID)
		}
		if len(hits) > 0 {
			found.confidence = hits[0].Confidence
		}
		return found, nil
	})
	if err != nil {
		return nil, err
	}
	f.IndexSeconds, f.HeapMiB = seconds, heap
	return f, nil
}

// build measures the time and the memory that stays.
func build(index func() error) (seconds, heapMiB float64, err error) {
	before := liveHeap()
	began := time.Now()
	err = index()
	seconds = time.Since(began).Seconds()
	return seconds, max(0, float64(liveHeap())-float64(before)) / (1 << 20), err
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC() // the second frees what finalizers and pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Write prints a report as "table" or "json".
func (r *Report) Write(to io.Writer, format string) error {
	if format == "json" {
		encoder := json.NewEncoder(to)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(w, "%d entries, %d queries\tdeskfleet\tbm25\t\n", r.Entries, r.Queries)
	peer := r.Peers["bm25"]
	share := func(name string, of func(*Figures) *float64) {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t\n", name, percent(of(r.Figures)), percent(of(peer)))
	}
	share("top 1", func(f *Figures) *float64 { return &f.Top1 })
	share("top 5", func(f *Figures) *float64 { return &f.Top5 })
	_, _ = fmt.Fprintf(w, "MRR\t%.3f\t%.3f\t\n", r.MRR, peer.MRR)
	share(fmt.Sprintf("coverage at %g (bm25: best threshold)", r.Floor), func(f *Figures) *float64 { return &f.Coverage })
	share("precision there", func(f *Figures) *float64 { return f.Precision })
	share("coverage at 90 % precision", func(f *Figures) *float64 { return &f.CoverageAt90 })
	share("out-of-scope AUROC", func(f *Figures) *float64 { return f.OOSAUROC })
	_, _ = fmt.Fprintf(w, "calibration error\t%.3f\t%.3f\t\n", r.ECE, peer.ECE)
	_, _ = fmt.Fprintf(w, "indexing\t%.2f s\t%.2f s\t\n", r.IndexSeconds, peer.IndexSeconds)
	_, _ = fmt.Fprintf(w, "query p50 / p99\t%.2f / %.2f ms\t%.2f / %.2f ms\t\n", r.QueryP50Millis, r.QueryP99Millis, peer.QueryP50Millis, peer.QueryP99Millis)
	_, _ = fmt.Fprintf(w, "memory\t%.1f MiB\t%.1f MiB\t\n", r.HeapMiB, peer.HeapMiB)
	return w.Flush()
}

func percent(share *float64) string {
	if share == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100**share)
}
