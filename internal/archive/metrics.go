package archive

import "github.com/prometheus/client_golang/prometheus"

// metrics of the role.
type metrics struct {
	stored     *prometheus.CounterVec
	writeTime  prometheus.Histogram
	failures   *prometheus.CounterVec
	purged     prometheus.Counter
	deleted    prometheus.Counter
	requests   *prometheus.CounterVec
	delay      prometheus.Histogram
	lag        prometheus.Gauge
	lagSeconds prometheus.Gauge
	behind     prometheus.Gauge
	rows       *prometheus.GaugeVec
	unpurged   prometheus.Gauge
	held       prometheus.Gauge
	bytes      prometheus.Gauge
	free       prometheus.Gauge
	low        prometheus.Gauge
	chain      prometheus.Gauge
	chainWhole prometheus.Gauge
}

// newMetrics makes the metrics and registers them where there is a registerer.
func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &metrics{
		stored: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_archive_stored_total",
			Help: "Events taken from the log by kind: message, ownership, audit, duplicate, unreadable, misfit.",
		}, []string{"kind"}),
		writeTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "deskfleet_archive_write_seconds",
			Help:    "Time of one transaction that stores events.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_archive_failures_total",
			Help: "What went wrong, and is tried again, by step: open, store, purge, report, retention, verify, measure.",
		}, []string{"step"}),
		purged:  counter("deskfleet_archive_purged_conversations_total", "Ended conversations that left the log of the bus."),
		deleted: counter("deskfleet_archive_deleted_conversations_total", "Conversations that were deleted after their retention."),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "deskfleet_archive_requests_total",
			Help: "Answered requests by service and result: ok, or the code of the refusal.",
		}, []string{"service", "result"}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "deskfleet_archive_delay_seconds",
			Help:    "Time from an event's storing on the bus to its storing in the database.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 12),
		}),
		lag:        gauge("deskfleet_archive_lag", "How many sequences of the log the archive is behind: at most so many events."),
		lagSeconds: gauge("deskfleet_archive_lag_seconds", "Age of the oldest event that is not stored, 0 when all are."),
		behind:     gauge("deskfleet_archive_behind", "1 when that is more than it should be."),
		rows: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "deskfleet_archive_rows",
			Help: "What the archive holds, by table: conversations, messages, audit, unreadable.",
		}, []string{"table"}),
		unpurged:   gauge("deskfleet_archive_unpurged_conversations", "Ended conversations that still lie in the log of the bus."),
		held:       gauge("deskfleet_archive_held_conversations", "Those of them that wait for the router to decide about a late message."),
		bytes:      gauge("deskfleet_archive_database_bytes", "Size of the database."),
		free:       gauge("deskfleet_archive_volume_free_ratio", "Free share of the database's volume, 0 to 1; 1 where the archive cannot see it."),
		low:        gauge("deskfleet_archive_storage_low", "1 when less of the volume is free than should be."),
		chain:      gauge("deskfleet_archive_audit_verified_records", "Records of the audit chain that held at the latest verification."),
		chainWhole: gauge("deskfleet_archive_audit_intact", "1 when the whole audit chain held at the latest verification, 0 when not."),
	}
	m.free.Set(1)
	m.chainWhole.Set(1)
	if r != nil {
		r.MustRegister(m.stored, m.writeTime, m.failures, m.purged, m.deleted, m.requests, m.delay, m.lag, m.lagSeconds, m.behind, m.rows, m.unpurged, m.held,
			m.bytes, m.free, m.low, m.chain, m.chainWhole)
	}
	return m
}

func (m *metrics) count(w Written) {
	for kind, n := range map[string]int{
		"message": w.Messages, "ownership": w.Ownership, "audit": w.Audit,
		"duplicate": w.Duplicates, "unreadable": w.Unreadable, "misfit": w.Misfits,
	} {
		m.stored.WithLabelValues(kind).Add(float64(n))
	}
}

func (m *metrics) total(t Totals) {
	for table, n := range map[string]float64{
		"conversations": float64(t.Conversations), "messages": float64(t.Messages),
		"unreadable": float64(t.Unreadable), "audit": float64(t.Audit.Number),
	} {
		m.rows.WithLabelValues(table).Set(n)
	}
	m.unpurged.Set(float64(t.Unpurged))
	m.held.Set(float64(t.Held))
}
