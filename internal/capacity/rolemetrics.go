package capacity

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/link/server"
)

// roleMetrics show what was decided about the roles that scale.
type roleMetrics struct{ wanted, load *prometheus.Desc }

func newRoleMetrics() *roleMetrics {
	describe := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("deskfleet_desk_role_"+name, help, []string{"namespace", "desk", "role"}, nil)
	}
	return &roleMetrics{
		wanted: describe("wanted_replicas", "Pods that a role that scales is to have."),
		load:   describe("load", "Load by which a role scales, in connections, people or searches a second; missing while it is not known."),
	}
}

func (m *roleMetrics) describe(ch chan<- *prometheus.Desc) {
	ch <- m.wanted
	ch <- m.load
}

func (m *roleMetrics) collect(ch chan<- prometheus.Metric, views map[server.Key][]RoleView) {
	for key, roles := range views {
		for _, r := range roles {
			ch <- prometheus.MustNewConstMetric(m.wanted, prometheus.GaugeValue, float64(r.Decision.Replicas), key.Namespace, key.Desk, r.Name)
			if r.Known {
				ch <- prometheus.MustNewConstMetric(m.load, prometheus.GaugeValue, r.Load, key.Namespace, key.Desk, r.Name)
			}
		}
	}
}
