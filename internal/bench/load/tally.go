package load

import (
	"slices"
	"sync"
	"time"
)

// maxErrors of a run are told; the rest are counted.
const maxErrors = 5

// tracked counts what became of messages.
type tracked struct {
	acknowledged, lost, duplicated, reordered int
}

// compare what was acknowledged with what is stored, of one sender.
func (t *tracked) compare(acknowledged, stored []string) {
	at := map[string][]int{}
	for i, text := range stored {
		at[text] = append(at[text], i)
	}
	last := -1
	for _, text := range acknowledged {
		places := at[text]
		if len(places) == 0 {
			t.lost++
			continue
		}
		t.duplicated += len(places) - 1
		if places[0] < last {
			t.reordered++
		}
		last = max(last, places[0])
	}
}

// hearing is what came over a socket.
type hearing struct {
	order                 map[string]int
	last                  uint64
	duplicated, reordered int
}

func (h *hearing) note(id string, seq uint64) {
	h.order[id]++
	switch {
	case h.order[id] > 1:
		h.duplicated++
	case seq <= h.last:
		h.reordered++
	}
	h.last = max(h.last, seq)
}

// tally adds up the outcomes of all conversations.
type tally struct {
	mu sync.Mutex
	tracked
	conversations, failed int
	latencies, routing    []time.Duration
	errs                  []error
}

func (t *tally) add(o *outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.acknowledged += o.acknowledged
	t.lost += o.lost
	t.duplicated += o.duplicated
	t.reordered += o.reordered
	t.latencies = append(t.latencies, o.latencies...)
	if o.routing > 0 {
		t.routing = append(t.routing, o.routing)
	}
	if o.err == nil {
		t.conversations++
		return
	}
	t.failed++
	if len(t.errs) < maxErrors {
		t.errs = append(t.errs, o.err)
	}
}

func (t *tally) latency(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latencies = append(t.latencies, d)
}

func (t *tally) report(r *Report, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.latencies)
	slices.Sort(t.routing)
	r.Acknowledged, r.Lost, r.Duplicated, r.Reordered = t.acknowledged, t.lost, t.duplicated, t.reordered
	r.Conversations, r.Failed = t.conversations, t.failed
	r.Seconds = took.Seconds()
	r.MessagesPerSecond = float64(t.acknowledged) / took.Seconds()
	r.ConversationsPerSecond = float64(t.conversations) / took.Seconds()
	r.P50Millis, r.P95Millis, r.P99Millis = quantile(t.latencies, 0.50), quantile(t.latencies, 0.95), quantile(t.latencies, 0.99)
	r.RoutingP50Millis, r.RoutingP99Millis = quantile(t.routing, 0.50), quantile(t.routing, 0.99)
	for _, err := range t.errs {
		r.Errors = append(r.Errors, err.Error())
	}
}

// quantile of sorted times in milliseconds: the smallest one that at least the share q does not exceed; 0 for none.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(q*float64(len(sorted)) + 0.999999)
	return float64(sorted[min(max(rank, 1), len(sorted))-1]) / float64(time.Millisecond)
}
