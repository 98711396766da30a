package webhook

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of delivering. The label webhook has as many values as the desk declares webhooks.
type metrics struct {
	deliveries *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	pending    *prometheus.GaugeVec
	oldest     *prometheus.GaugeVec
	dead       *prometheus.GaugeVec
	disabled   *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	label := []string{"webhook"}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, label)
	}
	m := &metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_webhook_deliveries_total",
			Help: "Attempts by result: delivered, failed (tried again), dead (given up), gone (deleted before it was sent).",
		}, []string{"webhook", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "deskfleet_webhook_delivery_seconds", Help: "Time of one attempt.",
			Buckets: prometheus.ExponentialBuckets(0.005, 3, 8),
		}, label),
		pending:  gauge("deskfleet_webhook_pending", "Events that are queued for the receiver."),
		oldest:   gauge("deskfleet_webhook_oldest_seconds", "How long the oldest of them has been queued; 0 for none."),
		dead:     gauge("deskfleet_webhook_dead_letters", "Events that were given up and not replayed."),
		disabled: gauge("deskfleet_webhook_disabled", "1 when the receiver has answered with 410, until it is enabled again."),
	}
	if r != nil {
		r.MustRegister(m.deliveries, m.seconds, m.pending, m.oldest, m.dead, m.disabled)
	}
	return m
}

func (m *metrics) set(s *State, now time.Time) {
	m.pending.WithLabelValues(s.Name).Set(float64(s.Pending))
	m.dead.WithLabelValues(s.Name).Set(float64(s.DeadLetters))
	oldest, disabled := 0.0, 0.0
	if !s.Oldest.IsZero() {
		oldest = max(0, now.Sub(s.Oldest).Seconds())
	}
	if !s.Disabled.IsZero() {
		disabled = 1
	}
	m.oldest.WithLabelValues(s.Name).Set(oldest)
	m.disabled.WithLabelValues(s.Name).Set(disabled)
}

// forget the webhooks that may be no longer declared.
func (m *metrics) forget() {
	for _, g := range []*prometheus.GaugeVec{m.pending, m.oldest, m.dead, m.disabled} {
		g.Reset()
	}
}
