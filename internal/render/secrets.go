package render

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Secret describes one generated Secret of a desk. Its content is random, so it
// is made where it is written, never here.
type Secret struct {
	// Name of the Secret.
	Name string
	// Role that mounts it; empty for the certificate authority, which no pod mounts.
	Role runtimeconfig.Role
	// Labels of the Secret.
	Labels map[string]string
	// Authority holds the certificate authority of the desk.
	Authority bool
	// ServerNames are the DNS names of a server certificate; none for a role that serves no TLS.
	ServerNames []string
	// NKey is the role's identity on the bus.
	NKey bool
	// ContactTokenKey signs the tokens by which customers resume.
	ContactTokenKey bool
}

// SecretsOf lists the generated Secrets of a desk, one a role and one for the
// certificate authority of its bus.
func SecretsOf(namespace, desk string, spec *v1alpha1.ServiceDeskSpec) []Secret {
	var secrets []Secret
	add := func(s Secret) {
		s.Name, s.Labels = RoleName(desk, s.Role), labels(desk, s.Role)
		if s.Authority {
			s.Name = CASecretName(desk)
		}
		secrets = append(secrets, s)
	}
	ownBus := spec.Bus.External == nil
	if ownBus {
		add(Secret{Authority: true})
	}
	if spec.Profile == v1alpha1.ProfileCompact {
		add(Secret{Role: runtimeconfig.RoleDesk, ServerNames: busNames(namespace, desk, runtimeconfig.RoleDesk), ContactTokenKey: true})
		add(Secret{Role: runtimeconfig.RoleBot, NKey: true})
		return secrets
	}
	if ownBus {
		add(Secret{Role: runtimeconfig.RoleBus, ServerNames: busNames(namespace, desk, runtimeconfig.RoleBus)})
	}
	for _, role := range runtimeconfig.ClientRoles() {
		if hasSecret(spec, role) {
			add(Secret{Role: role, NKey: ownBus, ContactTokenKey: role == runtimeconfig.RoleGateway})
		}
	}
	return secrets
}

// hasSecret reports whether a role mounts a generated Secret. With an external
// bus only the gateway has one: the others' identity is the user's credentials.
func hasSecret(spec *v1alpha1.ServiceDeskSpec, role runtimeconfig.Role) bool {
	return spec.Bus.External == nil || role == runtimeconfig.RoleGateway
}

// busNames are the names by which the bus is reached: its Service, and each server by its pod.
func busNames(namespace, desk string, workload runtimeconfig.Role) []string {
	service := RoleName(desk, runtimeconfig.RoleBus)
	return []string{
		service,
		fmt.Sprintf("%s.%s", service, namespace),
		fmt.Sprintf("%s.%s.svc", service, namespace),
		fmt.Sprintf("*.%s.%s.svc", service, namespace),
		RoleName(desk, workload),
		"localhost",
	}
}

// Outline is the Secret without its content, for those who read what would be made.
func (s *Secret) Outline(owner Owner) *unstructured.Unstructured {
	return unstructuredOf(corev1ac.Secret(s.Name, owner.Namespace).
		WithLabels(s.Labels).WithOwnerReferences(owner.reference()).
		WithAnnotations(map[string]string{"deskfleet.dev/content": "made by the operator"}).
		WithType(corev1.SecretTypeOpaque))
}
