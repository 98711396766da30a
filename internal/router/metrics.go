package router

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// Metrics of the router role. A nil *Metrics counts nothing.
type Metrics struct {
	leading   prometheus.Gauge
	decisions *prometheus.CounterVec
	rebuilds  prometheus.Counter
	dropped   prometheus.Counter
	wait      prometheus.Histogram
	waiting   *prometheus.GaugeVec
	progress  *prometheus.GaugeVec
	agents    *prometheus.GaugeVec
	slots     *prometheus.GaugeVec
	used      *prometheus.GaugeVec
}

// NewMetrics registers the metrics. It panics if they are registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		leading: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "deskfleet_router_leading", Help: "1 while this replica decides, otherwise 0.",
		}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_router_decisions_total", Help: "Stored decisions by type.",
		}, []string{"type"}),
		rebuilds: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "deskfleet_router_rebuilds_total", Help: "Times that the state was built again from the log.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "deskfleet_router_dropped_inputs_total", Help: "Requests and heartbeats that were dropped because the router could not keep up.",
		}),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "deskfleet_router_wait_seconds", Help: "Time from arrival in a queue until a bot or a person had the conversation.",
			Buckets: []float64{0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800},
		}),
		waiting:  gauge("deskfleet_queue_waiting", "Conversations that wait, by queue.", "queue"),
		progress: gauge("deskfleet_queue_in_progress", "Conversations that agents hold, by the queue they came from.", "queue"),
		agents:   gauge("deskfleet_pool_agents", "Signed-on agents by pool and state: online, away, draining.", "pool", "state"),
		slots:    gauge("deskfleet_pool_slots", "Slots of the online agents, by pool.", "pool"),
		used:     gauge("deskfleet_pool_slots_used", "Slots that are taken, by pool.", "pool"),
	}
	reg.MustRegister(m.leading, m.decisions, m.rebuilds, m.dropped, m.wait, m.waiting, m.progress, m.agents, m.slots, m.used)
	return m
}

func (m *Metrics) lead(leading bool) {
	if m == nil {
		return
	}
	if leading {
		m.leading.Set(1)
		return
	}
	m.leading.Set(0)
	// A standby has no say about the desk.
	for _, v := range []*prometheus.GaugeVec{m.waiting, m.progress, m.agents, m.slots, m.used} {
		v.Reset()
	}
}

func (m *Metrics) decided(kind string) {
	if m != nil {
		m.decisions.WithLabelValues(kind).Inc()
	}
}

func (m *Metrics) rebuilt() {
	if m != nil {
		m.rebuilds.Inc()
	}
}

func (m *Metrics) droppedInput() {
	if m != nil {
		m.dropped.Inc()
	}
}

func (m *Metrics) waited(d time.Duration) {
	if m != nil {
		m.wait.Observe(d.Seconds())
	}
}

func (m *Metrics) figures(f *protocol.Figures) {
	if m == nil {
		return
	}
	m.waiting.Reset()
	m.progress.Reset()
	for _, q := range f.Queues {
		m.waiting.WithLabelValues(q.Name).Set(float64(q.Waiting))
		m.progress.WithLabelValues(q.Name).Set(float64(q.InProgress))
	}
	for _, v := range []*prometheus.GaugeVec{m.agents, m.slots, m.used} {
		v.Reset()
	}
	for _, p := range f.Pools {
		m.agents.WithLabelValues(p.Name, "online").Set(float64(p.Online))
		m.agents.WithLabelValues(p.Name, "away").Set(float64(p.Away))
		m.agents.WithLabelValues(p.Name, "draining").Set(float64(p.Draining))
		m.slots.WithLabelValues(p.Name).Set(float64(p.Slots))
		m.used.WithLabelValues(p.Name).Set(float64(p.Used))
	}
}
