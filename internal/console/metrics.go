package console

import "github.com/prometheus/client_golang/prometheus"

// metrics of the role; always there, registered only if a registerer is given.
type metrics struct {
	sockets  prometheus.Gauge
	ended    *prometheus.CounterVec
	signIns  *prometheus.CounterVec
	messages *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		sockets: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "deskfleet_console_sockets", Help: "Open WebSockets of agents.",
		}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_console_sockets_ended_total",
			Help: "WebSockets that ended, by cause: client, restart, slow, silent, policy, unauthorised, internal.",
		}, []string{"cause"}),
		signIns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_console_sign_ins_total",
			Help: "Tokens that were presented, by result: accepted, wrong, limited, unconfigured.",
		}, []string{"result"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_console_messages_total",
			Help: "Agents' messages by result: stored, duplicate, fenced, refused, unavailable.",
		}, []string{"result"}),
	}
	if reg != nil {
		reg.MustRegister(m.sockets, m.ended, m.signIns, m.messages)
	}
	return m
}
