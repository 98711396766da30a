package capacity

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/link/server"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// poolMetrics describe the decisions about pools of bots.
type poolMetrics struct {
	active, recommended, needed, proposed, load, lead, limited, burst, level, abandoned, managed *prometheus.Desc
}

func newPoolMetrics() *poolMetrics {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("deskfleet_scaling_"+name, help, append([]string{"namespace", "desk", "pool"}, labels...), nil)
	}
	return &poolMetrics{
		active:      describe("active", "1 while the number of workers follows the desk's figures, 0 while these are missing."),
		managed:     describe("managed", "1 while the operator decides, 0 while spec.replicas does and what is recommended is advice."),
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
	for _, d := range []*prometheus.Desc{m.active, m.recommended, m.needed, m.proposed, m.load, m.lead, m.limited, m.burst, m.level, m.abandoned, m.managed} {
		ch <- d
	}
}

// collect shows one decision. Of a silent desk it shows what is kept, and nothing that rests on figures.
func (m *poolMetrics) collect(ch chan<- prometheus.Metric, key server.Key, pool string, v *shown) {
	d := v.decision
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, append([]string{key.Namespace, key.Desk, pool}, labels...)...)
	}
	managed := 1.0
	if v.advice {
		managed = 0
	}
	gauge(m.managed, managed)
	gauge(m.recommended, float64(d.Workers))
	gauge(m.lead, d.Lead.Seconds())
	if d.Limiter != scaling.LimiterNone {
		gauge(m.limited, 1, string(d.Limiter))
	}
	if v.refused != "" {
		gauge(m.limited, 1, v.refused)
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

// shown is what the metrics say of a pool.
type shown struct {
	decision *scaling.Decision
	advice   bool
	refused  string
}

// decisions are the latest ones about pools of bots, by desk and pool.
func (l *Loop) decisions() map[server.Key]map[string]*shown {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[server.Key]map[string]*shown{}
	for key, d := range l.desks {
		for _, e := range d.pools {
			if e.view.Decision == nil {
				continue
			}
			if all[key] == nil {
				all[key] = map[string]*shown{}
			}
			all[key][e.pool.Name] = &shown{e.view.Decision, e.view.Advice, e.pool.RefusedBy} // made anew with each look, and never changed
		}
	}
	return all
}

// seatMetrics describe the seats of pools of people.
type seatMetrics struct{ required, signedOn, shortfall, scheduled, requiredScheduled, called *prometheus.Desc }

func newSeatMetrics() *seatMetrics {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("deskfleet_pool_"+name, help, append([]string{"namespace", "desk", "pool"}, labels...), nil)
	}
	return &seatMetrics{
		required:          describe("seats_required", "Seats of people that must be there now; missing while the desk is silent."),
		signedOn:          describe("seats_signed_on", "People who are signed on and not away; missing while the desk is silent."),
		shortfall:         describe("seats_shortfall", "Seats that are required and not signed on; missing while the desk is silent."),
		scheduled:         describe("seats_scheduled", "Seats that are on the roster now; missing without shifts."),
		requiredScheduled: describe("seats_required_scheduled", "Seats that should be on the roster now, shrinkage counted in; missing while the arrivals of comparable days are not known."),
		called:            describe("reserve_called", "1 while a reserve tier is called in, else 0, by tier.", "tier"),
	}
}

func (m *seatMetrics) describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.required, m.signedOn, m.shortfall, m.scheduled, m.requiredScheduled, m.called} {
		ch <- d
	}
}

func (m *seatMetrics) collect(ch chan<- prometheus.Metric, key server.Key, pool string, v *View) {
	gauge := func(desc *prometheus.Desc, value int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), append([]string{key.Namespace, key.Desk, pool}, labels...)...)
	}
	if v.Fresh {
		gauge(m.required, v.Seats.Required)
		gauge(m.signedOn, v.SignedOn)
		gauge(m.shortfall, v.Seats.Shortfall)
	}
	if v.Rostered != nil {
		gauge(m.scheduled, *v.Rostered)
	}
	if v.Plan != nil && v.Plan.Steps[0].Scheduled != scaling.NotKnown {
		gauge(m.requiredScheduled, v.Plan.Steps[0].Scheduled)
	}
	for i := range v.Reserve {
		called := 0
		if v.Reserve[i].Called {
			called = 1
		}
		gauge(m.called, called, v.Reserve[i].Name)
	}
}

// people are the latest views of the pools of people, by desk and pool.
func (l *Loop) people() map[server.Key]map[string]View {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[server.Key]map[string]View{}
	for key, d := range l.desks {
		for _, e := range d.pools {
			if e.view.Seats == nil {
				continue
			}
			if all[key] == nil {
				all[key] = map[string]View{}
			}
			all[key][e.pool.Name] = e.view
		}
	}
	return all
}
