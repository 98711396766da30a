package capacity

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/link"
)

// collector shows what desks report as metrics of the leading manager.
type collector struct {
	loop                                        *Loop
	linked, waiting, oldest, agents, space, lag *prometheus.Desc
	level, abandoned, expected, steps, held     *prometheus.Desc
	history                                     *prometheus.Desc
	pools                                       *poolMetrics
	seats                                       *seatMetrics
	roles                                       *roleMetrics
}

// NewCollector shows the figures of the desks in the table: at most 51 queues a desk, those that it declares. Of a desk
// that is silent it shows that alone, as a figure that is not known is no number; and the decisions about its pools.
func NewCollector(l *Loop) prometheus.Collector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("deskfleet_desk_"+name, help, append([]string{"namespace", "desk"}, labels...), nil)
	}
	return &collector{
		loop: l,
		history: prometheus.NewDesc("deskfleet_scaling_history_total",
			"What became of what was learned of pools, by result: handed to the desk to keep, recalled from it, none kept there, discarded as it could not be read.",
			[]string{"result"}, nil),
		pools: newPoolMetrics(), seats: newSeatMetrics(), roles: newRoleMetrics(),
		linked:  describe("linked", "1 while a desk reports figures over the link, else 0."),
		waiting: describe("waiting", "Conversations that wait, by queue.", "queue"),
		oldest:  describe("oldest_wait_seconds", "How long the longest waiting conversation has waited, by queue; 0 when none waits.", "queue"),
		level:   describe("service_level_ratio", "Share of the last five minutes' conversations that were answered within the time of the service level, by queue.", "queue"),
		abandoned: describe("abandonment_ratio",
			"Share of the last five minutes' conversations that were given up later than the service level promises an answer, by queue.", "queue"),
		expected: describe("expected_wait_seconds", "Expected wait of who comes now, by queue; missing while nothing tells.", "queue"),
		steps:    describe("overflow_steps", "Steps of the degradation ladder that apply by the predicted wait, by queue.", "queue"),
		held: describe("overflow_held_until_seconds",
			"When a step of the degradation ladder that a supervisor holds ends, in seconds since 1970, by queue, step and action; missing while nobody holds it.",
			"queue", "step", "action"),
		agents: describe("agents", "People of a desk by state: online, busy.", "state"),
		lag:    describe("archive_lag_seconds", "Age of the oldest event that the archive has not stored; of one that is silent, since when."),
		space:  describe("storage_free_ratio", "Free share, 0 to 1, by storage: archive, bus.", "storage"),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.linked, c.waiting, c.oldest, c.level, c.abandoned, c.expected, c.steps, c.held, c.agents, c.space, c.lag, c.history} {
		ch <- d
	}
	c.pools.describe(ch)
	c.seats.describe(ch)
	c.roles.describe(ch)
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.collectHistories(ch)
	c.roles.collect(ch, c.loop.roleViews())
	c.collectPools(ch)
	for key, v := range c.loop.deskViews() {
		gauge := func(d *prometheus.Desc, value float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{key.Namespace, key.Desk}, labels...)...)
		}
		if !v.Fresh {
			gauge(c.linked, 0)
			continue
		}
		gauge(c.linked, 1)
		for i := range v.Queues {
			q := &v.Queues[i]
			gauge(c.waiting, float64(q.Waiting), q.Name)
			wait := 0.0
			if !q.OldestSince.IsZero() {
				wait = max(0, c.loop.o.Now().Sub(q.OldestSince).Seconds())
			}
			gauge(c.oldest, wait, q.Name)
			if q.Figures != nil {
				c.served(gauge, q)
			}
		}
		if v.Agents != nil {
			gauge(c.agents, float64(v.Agents.Online), "online")
			gauge(c.agents, float64(v.Agents.Busy), "busy")
		}
		share := func(s *link.Storage, name string) {
			if s != nil && s.TotalBytes > 0 {
				gauge(c.space, float64(s.FreeBytes)/float64(s.TotalBytes), name)
			}
		}
		share(v.Archive, "archive")
		share(v.Bus, "bus")
		if v.ArchiveLag != nil {
			gauge(c.lag, v.ArchiveLag.Seconds)
		}
	}
}

func (c *collector) collectHistories(ch chan<- prometheus.Metric) {
	for result, n := range c.loop.historyCounts() {
		ch <- prometheus.MustNewConstMetric(c.history, prometheus.CounterValue, float64(n), result)
	}
}

// served shows how a queue is served.
func (c *collector) served(gauge func(*prometheus.Desc, float64, ...string), q *link.Queue) {
	f := q.Figures
	if f.Level != nil {
		gauge(c.level, f.Level.InTimePercent/100, q.Name)
		gauge(c.abandoned, f.Level.AbandonedPercent/100, q.Name)
	}
	if f.ExpectedWaitSeconds != nil {
		gauge(c.expected, *f.ExpectedWaitSeconds, q.Name)
	}
	gauge(c.steps, float64(f.OverflowSteps), q.Name)
	for _, h := range f.Held {
		gauge(c.held, float64(h.Until.Unix()), q.Name, strconv.Itoa(h.Step), h.Action)
	}
}

func (c *collector) collectPools(ch chan<- prometheus.Metric) {
	for key, pools := range c.loop.decisions() {
		for pool, d := range pools {
			c.pools.collect(ch, key, pool, d)
		}
	}
	for key, pools := range c.loop.people() {
		for pool, v := range pools {
			c.seats.collect(ch, key, pool, &v)
		}
	}
}
