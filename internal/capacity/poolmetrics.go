package capacity

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/link/server"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// poolMetrics describe the decisions about pools of bots with scaling.
type poolMetrics struct {
	active, recommended, needed, proposed, load, lead, limited, burst, level, abandoned *prometheus.Desc
}

func newPoolMetrics() *poolMetrics {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("deskfleet_scaling_"+name, help, append([]string{"namespace", "desk", "pool"}, labels...), nil)
	}
	return &poolMetrics{
		active:      describe("active", "1 while the number of workers follows the desk's figures, 0 while these are missing."),
		recommended: describe("recommended_workers", "Bot workers that are to serve."),
		needed:      describe("needed_workers", "Bot workers that the load needs, before anything limits."),
		proposed:    describe("proposed_workers", "Bot workers that each way of the decision asks for, by term: feedback, load, forecast, calendar.", "term"),
		load:        describe("offered_load", "Conversations in the system that each way of the decision expects at the lead time, by term.", "term"),
		lead:        describe("lead_seconds", "Time from asking for a worker until it serves, declared or learned."),
		limited:     describe("limited", "1 for what keeps the recommended workers from the needed ones, by limiter; missing for nothing.", "limiter"),
		burst:       describe("burst", "1 while far more arrive than usual, else 0."),
		level:       describe("predicted_service_level_ratio", "Predicted share of conversations that are answered in time, while fewer workers than needed are allowed."),
		abandoned:   describe("predicted_abandonment_ratio", "Predicted share of conversations that are given up, while fewer workers than needed are allowed."),
	}
}

func (m *poolMetrics) describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.active, m.recommended, m.needed, m.proposed, m.load, m.lead, m.limited, m.burst, m.level, m.abandoned} {
		ch <- d
	}
}

// collect shows one decision. Of a silent desk it shows what is kept, and nothing that rests on figures.
func (m *poolMetrics) collect(ch chan<- prometheus.Metric, key server.Key, pool string, d *scaling.Decision) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, append([]string{key.Namespace, key.Desk, pool}, labels...)...)
	}
	gauge(m.recommended, float64(d.Workers))
	gauge(m.lead, d.Lead.Seconds())
	if d.Limiter != scaling.LimiterNone {
		gauge(m.limited, 1, string(d.Limiter))
	}
	if d.Limiter == scaling.LimiterStale {
		gauge(m.active, 0)
		return
	}
	gauge(m.active, 1)
	gauge(m.needed, float64(d.Need))
	for i := range d.Terms[:d.Proposals] {
		t := &d.Terms[i]
		gauge(m.proposed, float64(t.Workers), string(t.Name))
		gauge(m.load, t.Load, string(t.Name))
	}
	burst := 0.0
	if d.Panics {
		burst = 1
	}
	gauge(m.burst, burst)
	if p := d.Predicted; p != nil {
		gauge(m.level, p.ServiceLevel)
		gauge(m.abandoned, p.Abandonment)
	}
}

// decisions are the latest ones about pools of bots with scaling, by desk and pool.
func (l *Loop) decisions() map[server.Key]map[string]*scaling.Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[server.Key]map[string]*scaling.Decision{}
	for key, d := range l.desks {
		for _, e := range d.pools {
			if e.view.Decision == nil {
				continue
			}
			if all[key] == nil {
				all[key] = map[string]*scaling.Decision{}
			}
			all[key][e.pool.Name] = e.view.Decision // made anew with each look, and never changed
		}
	}
	return all
}
