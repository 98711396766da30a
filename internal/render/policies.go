package render

import (
	"net/url"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// metricsNamespaceLabel on a namespace lets its pods read the metrics of all roles.
const metricsNamespaceLabel = "metrics"

func rollingUpdate() *appsv1ac.DeploymentStrategyApplyConfiguration {
	return appsv1ac.DeploymentStrategy().
		WithType(appsv1.RollingUpdateDeploymentStrategyType).
		WithRollingUpdate(appsv1ac.RollingUpdateDeployment().
			WithMaxUnavailable(intstr.FromInt32(0)).WithMaxSurge(intstr.FromInt32(1)))
}

func claimRetention(policy v1alpha1.DeletionPolicy) appsv1.PersistentVolumeClaimRetentionPolicyType {
	if policy == v1alpha1.DeletionPolicyDelete {
		return appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	}
	return appsv1.RetainPersistentVolumeClaimRetentionPolicyType
}

// disruptionBudget lets node drains end one pod of a role at a time. It counts
// in pods that may go, never in pods that must stay: a budget that keeps all
// would block drains for ever.
func disruptionBudget(name string, owner Owner, l, podSelector map[string]string) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	return policyv1ac.PodDisruptionBudget(name, owner.Namespace).
		WithLabels(l).WithOwnerReferences(owner.reference()).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMaxUnavailable(intstr.FromInt32(1)).
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
			WithSelector(matching(podSelector)))
}

// networkPolicies deny everything to and from the desk's pods but what the
// roles need: names, the bus, customers and agents, and the metrics reader.
func (r *deskRenderer) networkPolicies() {
	all := networkingv1ac.NetworkPolicySpec().
		WithPodSelector(matching(deskSelector(r.name()))).
		WithPolicyTypes(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress).
		WithIngress(networkingv1ac.NetworkPolicyIngressRule().
			WithPorts(policyPort(corev1.ProtocolTCP, portMetrics)).
			WithFrom(networkingv1ac.NetworkPolicyPeer().WithNamespaceSelector(matching(map[string]string{metricsNamespaceLabel: "enabled"})))).
		WithEgress(
			networkingv1ac.NetworkPolicyEgressRule().WithPorts(policyPort(corev1.ProtocolUDP, 53), policyPort(corev1.ProtocolTCP, 53)),
			r.busEgress())
	web, bus := r.webIngress(), r.busIngress()
	if r.desk.Spec.Profile == v1alpha1.ProfileCompact {
		if link := r.settings.Link; link != nil {
			all.WithEgress(link.egress())
		}
		if postgres := r.desk.Spec.Archive.Postgres; postgres != nil {
			all.WithEgress(postgresEgress(postgres))
		}
		all.WithEgress(webhookEgress(receivers(&r.desk.Spec))...)
		// One policy for all pods saves objects a desk; the bots listen on neither port and have no token for the link.
		r.add(r.networkPolicy("default", all.WithIngress(web, bus)))
		return
	}
	r.add(r.networkPolicy("default", all))
	if r.settings.Link != nil {
		r.add(r.linkPolicy())
	}
	if postgres := r.desk.Spec.Archive.Postgres; postgres != nil {
		r.add(r.networkPolicy("postgres", networkingv1ac.NetworkPolicySpec().
			WithPodSelector(matching(selector(r.name(), runtimeconfig.RoleArchive))).
			WithPolicyTypes(networkingv1.PolicyTypeEgress).WithEgress(postgresEgress(postgres))))
	}
	if egress := webhookEgress(receivers(&r.desk.Spec)); len(egress) > 0 {
		r.add(r.networkPolicy("webhooks", networkingv1ac.NetworkPolicySpec().
			WithPodSelector(matching(selector(r.name(), runtimeconfig.RoleArchive))).
			WithPolicyTypes(networkingv1.PolicyTypeEgress).WithEgress(egress...)))
	}
	r.add(r.networkPolicy("web", networkingv1ac.NetworkPolicySpec().
		WithPodSelector(matching(deskSelector(r.name())).WithMatchExpressions(
			in(v1alpha1.LabelComponent, string(runtimeconfig.RoleConsole), string(runtimeconfig.RoleGateway)))).
		WithPolicyTypes(networkingv1.PolicyTypeIngress).WithIngress(web)))
	if r.desk.Spec.Bus.External == nil {
		r.add(r.networkPolicy("bus", networkingv1ac.NetworkPolicySpec().
			WithPodSelector(matching(selector(r.name(), runtimeconfig.RoleBus))).
			WithPolicyTypes(networkingv1.PolicyTypeIngress).WithIngress(bus)))
	}
}

func (r *deskRenderer) networkPolicy(suffix string, spec *networkingv1ac.NetworkPolicySpecApplyConfiguration) *networkingv1ac.NetworkPolicyApplyConfiguration {
	return networkingv1ac.NetworkPolicy(child(r.name(), suffix), r.namespace()).
		WithLabels(labels(r.name(), "")).WithOwnerReferences(r.desk.Owner.reference()).
		WithSpec(spec)
}

func (r *deskRenderer) webIngress() *networkingv1ac.NetworkPolicyIngressRuleApplyConfiguration {
	return networkingv1ac.NetworkPolicyIngressRule().WithPorts(policyPort(corev1.ProtocolTCP, portHTTP))
}

func (r *deskRenderer) busIngress() *networkingv1ac.NetworkPolicyIngressRuleApplyConfiguration {
	return networkingv1ac.NetworkPolicyIngressRule().
		WithPorts(policyPort(corev1.ProtocolTCP, portBus), policyPort(corev1.ProtocolTCP, portBusCluster)).
		WithFrom(networkingv1ac.NetworkPolicyPeer().WithPodSelector(matching(deskSelector(r.name()))))
}

// busEgress lets the roles reach the bus. An external one is known by host name,
// which a NetworkPolicy cannot name: its ports are open to any address.
func (r *deskRenderer) busEgress() *networkingv1ac.NetworkPolicyEgressRuleApplyConfiguration {
	rule := networkingv1ac.NetworkPolicyEgressRule()
	if external := r.desk.Spec.Bus.External; external != nil {
		for _, port := range externalPorts(external) {
			rule.WithPorts(policyPort(corev1.ProtocolTCP, port))
		}
		return rule
	}
	return rule.WithPorts(policyPort(corev1.ProtocolTCP, portBus), policyPort(corev1.ProtocolTCP, portBusCluster)).
		WithTo(networkingv1ac.NetworkPolicyPeer().WithPodSelector(matching(deskSelector(r.name()))))
}

// postgresEgress opens one port to any address: only the DSN, which is secret, says where the server is.
func postgresEgress(postgres *v1alpha1.ArchivePostgres) *networkingv1ac.NetworkPolicyEgressRuleApplyConfiguration {
	return networkingv1ac.NetworkPolicyEgressRule().WithPorts(policyPort(corev1.ProtocolTCP, postgres.Port))
}

func externalPorts(external *v1alpha1.ExternalBus) []int32 {
	ports := make([]int32, 0, len(external.URLs))
	for _, address := range external.URLs {
		port := int64(portBus)
		if u, err := url.Parse(string(address)); err == nil && u.Port() != "" {
			port, _ = strconv.ParseInt(u.Port(), 10, 32) // the schema's pattern allows digits only
		}
		ports = append(ports, int32(port))
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func policyPort(protocol corev1.Protocol, port int32) *networkingv1ac.NetworkPolicyPortApplyConfiguration {
	return networkingv1ac.NetworkPolicyPort().WithProtocol(protocol).WithPort(intstr.FromInt32(port))
}
