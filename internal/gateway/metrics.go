package gateway

import "github.com/prometheus/client_golang/prometheus"

// metrics of the role; always there, registered only if a registerer is given.
type metrics struct {
	sockets  prometheus.Gauge
	ended    *prometheus.CounterVec
	messages *prometheus.CounterVec
	stored   prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		sockets: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "deskfleet_gateway_sockets", Help: "Open WebSockets of customers.",
		}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_gateway_sockets_ended_total",
			Help: "WebSockets that ended, by cause: client, restart, slow, silent, policy, unauthorised, unavailable, internal.",
		}, []string{"cause"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_gateway_messages_total",
			Help: "Customers' messages by result: stored, duplicate, refused, full, unavailable.",
		}, []string{"result"}),
		stored: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "deskfleet_gateway_store_seconds",
			Help:    "Time from receiving a customer's message until it could be acknowledged.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
	}
	if reg != nil {
		reg.MustRegister(m.sockets, m.ended, m.messages, m.stored)
	}
	return m
}
