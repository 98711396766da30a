package router

import (
	"strconv"
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
	learned   *prometheus.CounterVec
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
	held      *prometheus.GaugeVec

	arrivals, answers, abandonments, poolAnswers *prometheus.CounterVec
	answerWait, handle                           *prometheus.HistogramVec
	oldest, handleMean, given, nobody            *prometheus.GaugeVec
}

// waitBuckets in seconds, from at once to half an hour.
var waitBuckets = []float64{0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800}

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
		learned: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_router_learned_total", Help: "Times that a manager gave what it learned of a pool to keep, by whether it is kept.",
		}, []string{"kept"}),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "deskfleet_router_wait_seconds", Help: "Time from arrival in a queue until a bot or a person had the conversation.",
			Buckets: waitBuckets,
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
	m.overflow = gauge("deskfleet_queue_overflow_steps", "Steps of the degradation ladder that apply by the predicted wait, by queue.", "queue")
	m.held = gauge("deskfleet_queue_overflow_held_until_seconds", "When a step of the degradation ladder that a person holds ends, in seconds since 1970, by queue, step and action; missing while nobody holds it.", "queue", "step", "action")
	reg.MustRegister(m.leading, m.decisions, m.rebuilds, m.dropped, m.learned, m.wait, m.waiting, m.progress, m.agents, m.slots, m.used,
		m.offers, m.level, m.expected, m.overflow, m.held)
	for _, kept := range []string{"true", "false"} {
		m.learned.WithLabelValues(kept) // from the beginning: a series that begins at 1 hides its first rise
	}
	m.registerService(reg)
	return m
}

// registerService makes the metrics of how queues are served and what pools do. Their labels are the queues and pools of
// the configuration.
func (m *Metrics) registerService(reg prometheus.Registerer) {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"queue"})
	}
	m.arrivals = counter("deskfleet_queue_arrivals_total", "Conversations that came to wait, by queue.", "queue")
	m.answers = counter("deskfleet_queue_answers_total", "Conversations that a bot or a person took, by queue.", "queue")
	m.abandonments = counter("deskfleet_queue_abandonments_total", "Conversations whose customer gave up waiting, by queue.", "queue")
	m.answerWait = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "deskfleet_queue_answer_wait_seconds", Help: "Time from arrival in a queue until a bot or a person had the conversation, by queue.", Buckets: waitBuckets,
	}, []string{"queue"})
	m.oldest = gauge("deskfleet_queue_oldest_wait_seconds", "How long the longest waiting conversation has waited, by queue; 0 when none waits.")
	m.handleMean = gauge("deskfleet_queue_handle_mean_seconds", "Mean handle time of the last conversations, by queue; missing while none was handled.")
	m.given = gauge("deskfleet_queue_abandonment_ratio", "Share of the last five minutes' conversations that were given up later than the service level promises an answer, by queue.")
	m.nobody = gauge("deskfleet_queue_unattended", "1 while nobody is there who may serve the queue, else 0.")
	m.poolAnswers = counter("deskfleet_pool_answers_total", "Conversations that agents of a pool took.", "pool")
	m.handle = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "deskfleet_pool_handle_seconds", Help: "Handle times of the conversations that agents of a pool finished or passed on.",
		Buckets: []float64{5, 15, 30, 60, 120, 300, 600, 1200, 2400, 3600, 7200},
	}, []string{"pool"})
	reg.MustRegister(m.arrivals, m.answers, m.abandonments, m.answerWait, m.oldest, m.handleMean, m.given, m.nobody, m.poolAnswers, m.handle)
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
	return []*prometheus.GaugeVec{m.waiting, m.progress, m.agents, m.slots, m.used, m.level, m.expected, m.overflow, m.held,
		m.oldest, m.handleMean, m.given, m.nobody}
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

func (m *Metrics) arrived(queue string) {
	if m != nil {
		m.arrivals.WithLabelValues(queue).Inc()
	}
}

func (m *Metrics) abandoned(queue string) {
	if m != nil {
		m.abandonments.WithLabelValues(queue).Inc()
	}
}

func (m *Metrics) answered(queue, pool string, waited time.Duration) {
	if m != nil {
		m.wait.Observe(waited.Seconds())
		m.answers.WithLabelValues(queue).Inc()
		m.answerWait.WithLabelValues(queue).Observe(waited.Seconds())
		m.poolAnswers.WithLabelValues(pool).Inc()
	}
}

func (m *Metrics) handled(pool string, seconds float64) {
	if m != nil {
		m.handle.WithLabelValues(pool).Observe(seconds)
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
		for _, h := range q.Held {
			m.held.WithLabelValues(q.Name, strconv.Itoa(h.Step), h.Action).Set(float64(h.Until.Unix()))
		}
		m.served(&q, f.At)
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

// served sets the gauges of how a queue is served.
func (m *Metrics) served(q *protocol.QueueFigures, now time.Time) {
	oldest, nobody := 0.0, 0.0
	if !q.OldestArrival.IsZero() {
		oldest = max(0, now.Sub(q.OldestArrival).Seconds())
	}
	if q.Nobody {
		nobody = 1
	}
	m.oldest.WithLabelValues(q.Name).Set(oldest)
	m.nobody.WithLabelValues(q.Name).Set(nobody)
	if q.HandleMeanSeconds > 0 {
		m.handleMean.WithLabelValues(q.Name).Set(q.HandleMeanSeconds)
	}
	if q.ServiceLevelOf > 0 {
		m.level.WithLabelValues(q.Name).Set(q.ServiceLevelPercent / 100)
		m.given.WithLabelValues(q.Name).Set(q.AbandonedPercent / 100)
	}
}

func (m *Metrics) learnedStored(kept bool) {
	if m != nil {
		m.learned.WithLabelValues(strconv.FormatBool(kept)).Inc()
	}
}
