package plan

import (
	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// RoleScaling says how a role of a desk follows its load; nil for one whose replicas are fixed.
func RoleScaling(spec *v1alpha1.ServiceDeskSpec, role runtimeconfig.Role) *scaling.RoleSettings {
	bounds := render.Scaled(spec, role)
	if bounds == nil {
		return nil
	}
	s := &scaling.RoleSettings{Min: int(bounds.Min), Max: int(bounds.Max)}
	switch role {
	case runtimeconfig.RoleGateway:
		s.PerReplica, s.Unit = float64(spec.Gateway.Scaling.ConnectionsPerReplica), "connections"
	case runtimeconfig.RoleConsole:
		s.PerReplica, s.Unit = float64(spec.Console.Scaling.AgentsPerReplica), "people signed on"
	case runtimeconfig.RoleKnowledge:
		s.PerReplica, s.Unit = float64(spec.Knowledge.Scaling.QueriesPerSecondPerReplica), "searches a second"
	default: // the others do not scale
	}
	return s
}
