package server

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/knowledge/protocol"
)

// metrics of the role. The labels are bounded: outcomes are codes, bases are
// named by the desk's configuration.
type metrics struct {
	searches *prometheus.CounterVec
	seconds  prometheus.Histogram
	entries  *prometheus.GaugeVec
	// answered searches since the start.
	answered atomic.Uint64
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		searches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_knowledge_searches_total", Help: "Searches by outcome: hit, nothing, or the code of the refusal.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "deskfleet_knowledge_search_seconds", Help: "Time that a search took.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 3, 9),
		}),
		entries: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "deskfleet_knowledge_entries", Help: "Entries that are served, by knowledge base.",
		}, []string{"knowledge_base"}),
	}
	if reg != nil {
		reg.MustRegister(m.searches, m.seconds, m.entries)
	}
	return m
}

func (m *metrics) search(reply protocol.Reply, took time.Duration) {
	outcome := "hit"
	switch {
	case reply.Error != nil:
		outcome = string(reply.Error.Code)
	case len(reply.Hits) == 0:
		outcome = "nothing"
	}
	m.searches.WithLabelValues(outcome).Inc()
	m.answered.Add(1)
	m.seconds.Observe(took.Seconds())
}

func (m *metrics) served(l *library) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	m.entries.Reset()
	for name, b := range l.bases {
		m.entries.WithLabelValues(name).Set(float64(b.index.Len()))
	}
}
