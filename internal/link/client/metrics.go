package client

import "github.com/prometheus/client_golang/prometheus"

// Kinds of failures, as the metric names them.
const (
	failedLookup = "lookup"
	failedPost   = "post"
)

// Metrics of the link. A nil one counts nothing.
type Metrics struct {
	reports  *prometheus.CounterVec
	failures *prometheus.CounterVec
}

// NewMetrics makes and registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_link_posts_total", Help: "Reports that a manager took, by whether it leads.",
		}, []string{"leads"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_link_failures_total", Help: "Look-ups of managers and reports to them that failed.",
		}, []string{"kind"}),
	}
	registry.MustRegister(m.reports, m.failures)
	return m
}

func (m *Metrics) arrived(leads bool) {
	if m == nil {
		return
	}
	label := "false"
	if leads {
		label = "true"
	}
	m.reports.WithLabelValues(label).Inc()
}

func (m *Metrics) failed(kind string) {
	if m != nil {
		m.failures.WithLabelValues(kind).Inc()
	}
}
