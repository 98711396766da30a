package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/deskfleet/deskfleet/internal/version"
)

// NewRegistry makes a registry with the metrics of the process and of the
// build. It is not the global one, so that several roles run in one process,
// each with its own.
func NewRegistry(role string) *prometheus.Registry {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "deskfleet_build_info",
		Help: "Always 1; the labels tell which build runs in which role.",
		ConstLabels: prometheus.Labels{
			"version": version.Version(), "commit": version.Commit(), "role": role,
		},
	})
	build.Set(1)
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build,
	)
	return registry
}
