package server

import "github.com/prometheus/client_golang/prometheus"

// Results of a report, as the metric names them.
const (
	resultTaken           = "taken"
	resultUnauthenticated = "unauthenticated"
	resultForbidden       = "forbidden"
	resultMalformed       = "malformed"
	resultUnknown         = "unknown_desk"
	resultTooMany         = "too_many"
	resultUnavailable     = "unavailable"
)

// Metrics of the link. A nil one counts nothing.
type Metrics struct{ reports *prometheus.CounterVec }

// NewMetrics makes and registers the metrics.
func NewMetrics(registry prometheus.Registerer, desks *Desks) *Metrics {
	m := &Metrics{reports: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "deskfleet_link_reports_total",
		Help: "Reports of desks by result.",
	}, []string{"result"})}
	registry.MustRegister(m.reports, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "deskfleet_link_desks",
		Help: "Desks that have reported within the last ten minutes.",
	}, func() float64 { return float64(desks.Len()) }))
	return m
}

func (m *Metrics) count(result string) {
	if m != nil {
		m.reports.WithLabelValues(result).Inc()
	}
}
