package bus

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of the connections of one process.
type Metrics struct {
	appends     *prometheus.CounterVec
	appendTime  prometheus.Histogram
	disconnects prometheus.Counter
	dropped     prometheus.Counter
	connected   prometheus.Gauge
}

// NewMetrics registers the metrics. It panics if they are registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		appends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_bus_appends_total",
			Help: "Appends to the log by result: stored, duplicate, fenced, full, denied, too_large, unavailable.",
		}, []string{"result"}),
		appendTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "deskfleet_bus_append_seconds",
			Help:    "Time until the bus had an append on disk, with repetitions.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 16),
		}),
		disconnects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "deskfleet_bus_disconnects_total",
			Help: "Connections to the bus that were lost.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "deskfleet_bus_dropped_total",
			Help: "Times that a subscription lost messages because its handler was too slow.",
		}),
		connected: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "deskfleet_bus_connected",
			Help: "Connections to the bus that stand.",
		}),
	}
	reg.MustRegister(m.appends, m.appendTime, m.disconnects, m.dropped, m.connected)
	return m
}

func (m *Metrics) observeAppend(seconds float64, duplicate bool, err error) {
	if m == nil {
		return
	}
	m.appendTime.Observe(seconds)
	m.appends.WithLabelValues(appendResult(duplicate, err)).Inc()
}

func (m *Metrics) linkUp() {
	if m != nil {
		m.connected.Inc()
	}
}

func (m *Metrics) linkDown(lost bool) {
	if m == nil {
		return
	}
	m.connected.Dec()
	if lost {
		m.disconnects.Inc()
	}
}

func (m *Metrics) incDropped() {
	if m != nil {
		m.dropped.Inc()
	}
}

func appendResult(duplicate bool, err error) string {
	switch {
	case err == nil && duplicate:
		return "duplicate"
	case err == nil:
		return "stored"
	case errors.Is(err, ErrFenced):
		return "fenced"
	case errors.Is(err, ErrFull):
		return "full"
	case errors.Is(err, ErrDenied):
		return "denied"
	case errors.Is(err, ErrTooLarge):
		return "too_large"
	}
	return "unavailable"
}
