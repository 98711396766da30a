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
	offers    *prometheus.CounterVec
	level     *prometheus.GaugeVec
	expected  *prometheus.GaugeVec
	overflow  *prometheus.GaugeVec
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
	m.offers = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "deskfleet_queue_offers_total", Help: "Offers to people by queue and what became of them: made, then declined, expired or revoked.",
	}, []string{"queue", "outcome"})
	m.level = gauge("deskfleet_queue_service_level_ratio", "Share of the last five minutes' conversations that were answered in time, by queue.", "queue")
	m.expected = gauge("deskfleet_queue_expected_wait_seconds", "Expected wait of who comes now, by queue; missing while nothing tells.", "queue")
	m.overflow = gauge("deskfleet_queue_overflow_steps", "Steps of the degradation ladder that apply, by queue.", "queue")
	reg.MustRegister(m.leading, m.decisions, m.rebuilds, m.dropped, m.wait, m.waiting, m.progress, m.agents, m.slots, m.used,
		m.offers, m.level, m.expected, m.overflow)
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
	for _, v := range m.gauges() {
		v.Reset()
	}
}

func (m *Metrics) gauges() []*prometheus.GaugeVec {
	return []*prometheus.GaugeVec{m.waiting, m.progress, m.agents, m.slots, m.used, m.level, m.expected, m.overflow}
}

// offered counts an offer. The queues are those of the configuration.
func (m *Metrics) offered(queue, outcome string) {
	if m != nil {
		m.offers.WithLabelValues(queue, outcome).Inc()
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
	for _, v := range m.gauges() {
		v.Reset()
	}
	for _, q := range f.Queues {
		m.waiting.WithLabelValues(q.Name).Set(float64(q.Waiting))
		m.progress.WithLabelValues(q.Name).Set(float64(q.InProgress))
		m.overflow.WithLabelValues(q.Name).Set(float64(q.OverflowSteps))
		if q.ServiceLevelOf > 0 {
			m.level.WithLabelValues(q.Name).Set(q.ServiceLevelPercent / 100)
		}
		if q.ExpectedWaitSeconds != nil {
			m.expected.WithLabelValues(q.Name).Set(*q.ExpectedWaitSeconds)
		}
	}
	for _, p := range f.Pools {
		m.agents.WithLabelValues(p.Name, "online").Set(float64(p.Online))
		m.agents.WithLabelValues(p.Name, "away").Set(float64(p.Away))
		m.agents.WithLabelValues(p.Name, "draining").Set(float64(p.Draining))
		m.slots.WithLabelValues(p.Name).Set(float64(p.Slots))
		m.used.WithLabelValues(p.Name).Set(float64(p.Used))
	}
}
