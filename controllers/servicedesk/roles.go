package servicedesk

import (
	"context"
	"errors"
	"math"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// roles brings the roles that scale to what is wanted of them. It runs before the children are applied, so that a number
// that was fixed so far has an owner when the children name none any more, and after it for those that were just made.
func (s *scope) roles(ctx context.Context) error {
	var roles []capacity.Role
	for _, role := range render.ScaledRoles {
		settings := plan.RoleScaling(&s.desk.Spec, role)
		deployment := s.roleDeployment(role)
		if settings == nil || deployment == nil || deployment.Spec.Replicas == nil {
			continue
		}
		roles = append(roles, capacity.Role{Name: string(role), Settings: *settings, Replicas: int(*deployment.Spec.Replicas)})
	}
	s.decided = s.Link.Loop.LookAtRoles(s.desk.Namespace, s.desk.Name, roles)
	errs := make([]error, 0, len(s.decided))
	for _, v := range s.decided {
		errs = append(errs, s.Applier.RoleReplicas(ctx, s.live, s.desk.Namespace, s.desk.Name, runtimeconfig.Role(v.Name), count(v.Decision.Replicas)))
	}
	return errors.Join(errs...)
}

func (s *scope) roleDeployment(role runtimeconfig.Role) *appsv1.Deployment {
	return apply.Get[*appsv1.Deployment](s.live, "Deployment", render.RoleName(s.desk.Name, role))
}

// reportRoles sets what was decided about them.
func (s *scope) reportRoles() {
	s.desk.Status.Roles = nil
	for _, v := range s.decided {
		r := v1alpha1.RoleStatus{Name: v.Name, Replicas: count(v.Decision.Replicas), Reason: v.Decision.Reason}
		if v.Known {
			r.Load = new(count(int(math.Ceil(min(v.Load, math.MaxInt32)))))
		}
		s.desk.Status.Roles = append(s.desk.Status.Roles, r)
	}
}

// growing counts roles as available to which scaling just adds pods, and says for how long: those that run serve.
func (s *scope) growing() time.Duration {
	var soonest time.Duration
	for _, role := range render.ScaledRoles {
		bounds, deployment := render.Scaled(&s.desk.Spec, role), s.roleDeployment(role)
		if bounds == nil || deployment == nil {
			continue
		}
		if rest := s.available.Growing(deployment, max(1, bounds.Min), s.Now()); rest > 0 && (soonest == 0 || rest < soonest) {
			soonest = rest
		}
	}
	return soonest
}
