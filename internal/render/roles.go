package render

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// ScaledRoles are the roles of a desk that may follow their load, in the order in which they are shown.
var ScaledRoles = []runtimeconfig.Role{runtimeconfig.RoleGateway, runtimeconfig.RoleConsole, runtimeconfig.RoleKnowledge}

// Scaled gives the bounds of a role that follows its load; nil for one whose replicas are fixed.
func Scaled(spec *v1alpha1.ServiceDeskSpec, role runtimeconfig.Role) *v1alpha1.RoleBounds {
	if spec.Profile == v1alpha1.ProfileCompact {
		return nil // the schema refuses it; an older one did not
	}
	switch {
	case role == runtimeconfig.RoleGateway && spec.Gateway != nil && spec.Gateway.Scaling != nil:
		return &spec.Gateway.Scaling.RoleBounds
	case role == runtimeconfig.RoleConsole && spec.Console != nil && spec.Console.Scaling != nil:
		return &spec.Console.Scaling.RoleBounds
	case role == runtimeconfig.RoleKnowledge && spec.Knowledge != nil && spec.Knowledge.Scaling != nil:
		return &spec.Knowledge.Scaling.RoleBounds
	default:
		return nil
	}
}

// RoleReplicas is the number of pods of a role as a server-side apply of v1alpha1.FieldOwnerScaling, which owns nothing
// else.
func RoleReplicas(namespace, desk string, role runtimeconfig.Role, replicas int32) *unstructured.Unstructured {
	return unstructuredOf(appsv1ac.Deployment(RoleName(desk, role), namespace).
		WithSpec(appsv1ac.DeploymentSpec().WithReplicas(replicas)))
}
