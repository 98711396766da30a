package bot

import "github.com/prometheus/client_golang/prometheus"

// metrics of the role.
type metrics struct {
	held     prometheus.Gauge
	turns    *prometheus.CounterVec
	handOffs *prometheus.CounterVec
	turnTime prometheus.Histogram
	lookups  *prometheus.CounterVec
	fenced   prometheus.Counter
	failures prometheus.Counter
}

// newMetrics makes the metrics and registers them where there is a registerer.
func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "deskfleet_bot_conversations", Help: "Conversations that the worker holds.",
		}),
		turns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_bot_turns_total",
			Help: "Turns by what was said: greeting, answer, chat, handoff, nothing.",
		}, []string{"said"}),
		handOffs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_bot_hand_offs_total", Help: "Conversations that were handed off, by the code of the reason.",
		}, []string{"reason"}),
		turnTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "deskfleet_bot_turn_seconds",
			Help:    "Time from the beginning of a turn until what was said is stored.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_bot_lookups_total", Help: "Searches of the knowledge bases by result: found, nothing, failed.",
		}, []string{"result"}),
		fenced: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "deskfleet_bot_fenced_total", Help: "Messages that were refused because the conversation was no longer the worker's.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "deskfleet_bot_failures_total", Help: "Turns that failed and were tried again.",
		}),
	}
	if r != nil {
		r.MustRegister(m.held, m.turns, m.handOffs, m.turnTime, m.lookups, m.fenced, m.failures)
	}
	return m
}
