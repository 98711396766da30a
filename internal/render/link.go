package render

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Link says that desks report to managers.
type Link struct {
	// Namespace of the managers.
	Namespace string
}

const (
	// linkService is the headless Service of the managers; config/manager has it.
	linkService = "deskfleet-link"
	folderLink  = "/etc/deskfleet/link"
	fileToken   = "token"
	// tokenSeconds is how long a token is good; the kubelet renews it when a fifth of that is left.
	tokenSeconds = 3600
	// managerComponent is the component label of the managers' pods.
	managerComponent = "manager"
)

// Host is the name of all managers, with an address each. It is the name in their certificate, too.
func (l *Link) Host() string { return linkService + "." + l.Namespace + ".svc" }

// reports says that a role's pods report to the managers.
func (r *deskRenderer) reports(role runtimeconfig.Role) bool {
	return r.settings.Link != nil && (role == runtimeconfig.RoleRouter || role == runtimeconfig.RoleDesk)
}

// linkMount is the token by which the managers know the desk. The API server
// takes it for nothing: its audience is the link's.
func linkMount() mount {
	return mount{
		volume: corev1ac.Volume().WithName("link").WithProjected(corev1ac.ProjectedVolumeSource().WithDefaultMode(0o440).
			WithSources(corev1ac.VolumeProjection().WithServiceAccountToken(corev1ac.ServiceAccountTokenProjection().
				WithAudience(link.Audience).WithExpirationSeconds(tokenSeconds).WithPath(fileToken)))),
		path: folderLink,
	}
}

const linkFlag = "--link-token=" + folderLink + "/" + fileToken

// egress lets a pod reach the managers.
func (l *Link) egress() *networkingv1ac.NetworkPolicyEgressRuleApplyConfiguration {
	return networkingv1ac.NetworkPolicyEgressRule().
		WithPorts(policyPort(corev1.ProtocolTCP, link.Port)).
		WithTo(networkingv1ac.NetworkPolicyPeer().
			WithNamespaceSelector(matching(map[string]string{corev1.LabelMetadataName: l.Namespace})).
			WithPodSelector(matching(map[string]string{
				v1alpha1.LabelName: v1alpha1.ManagedByDeskfleet, v1alpha1.LabelComponent: managerComponent,
			})))
}

// linkPolicy lets the routers reach the managers.
func (r *deskRenderer) linkPolicy() *networkingv1ac.NetworkPolicyApplyConfiguration {
	return r.networkPolicy("link", networkingv1ac.NetworkPolicySpec().
		WithPodSelector(matching(selector(r.name(), runtimeconfig.RoleRouter))).
		WithPolicyTypes(networkingv1.PolicyTypeEgress).
		WithEgress(r.settings.Link.egress()))
}
