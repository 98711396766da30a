package render

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// consolePath is the path of the agents' page on a host that serves the chat too.
const consolePath = "/console"

// portService is the port of the gateway's and the console's Service.
const portService = 80

// HTTPRouteKind is the Gateway API's HTTPRoute, which not every cluster has.
var HTTPRouteKind = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"}

func in(key string, values ...string) *metav1ac.LabelSelectorRequirementApplyConfiguration {
	return metav1ac.LabelSelectorRequirement().WithKey(key).WithOperator(metav1.LabelSelectorOpIn).WithValues(values...)
}

// webPods are the pods behind the Service of the gateway or the console.
func (r *deskRenderer) webPods(role runtimeconfig.Role) map[string]string {
	if r.desk.Spec.Profile == v1alpha1.ProfileCompact {
		return selector(r.name(), runtimeconfig.RoleDesk)
	}
	return selector(r.name(), role)
}

func (r *deskRenderer) service(role runtimeconfig.Role) *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service(RoleName(r.name(), role), r.namespace()).
		WithLabels(labels(r.name(), role)).WithOwnerReferences(r.desk.Owner.reference()).
		WithSpec(corev1ac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithSelector(r.webPods(role)).
			WithPorts(servicePort("http", portService, portHTTP)))
}

// busService is headless: clients choose a server themselves, and the servers
// of a cluster find each other by name.
func (r *deskRenderer) busService() *corev1ac.ServiceApplyConfiguration {
	pods := selector(r.name(), runtimeconfig.RoleBus)
	if r.desk.Spec.Profile == v1alpha1.ProfileCompact {
		pods = selector(r.name(), runtimeconfig.RoleDesk)
	}
	spec := corev1ac.ServiceSpec().
		WithType(corev1.ServiceTypeClusterIP).
		WithClusterIP(corev1.ClusterIPNone).
		// A server is ready only when it has joined the others, and it must be found to join.
		WithPublishNotReadyAddresses(true).
		WithSelector(pods).
		WithPorts(servicePort("bus", portBus, portBus))
	if r.desk.Spec.Bus.Replicas > 1 {
		spec.WithPorts(servicePort("cluster", portBusCluster, portBusCluster))
	}
	return corev1ac.Service(RoleName(r.name(), runtimeconfig.RoleBus), r.namespace()).
		WithLabels(labels(r.name(), runtimeconfig.RoleBus)).WithOwnerReferences(r.desk.Owner.reference()).
		WithSpec(spec)
}

func servicePort(name string, port, target int32) *corev1ac.ServicePortApplyConfiguration {
	return corev1ac.ServicePort().WithName(name).WithPort(port).WithTargetPort(intstr.FromInt32(target)).WithProtocol(corev1.ProtocolTCP)
}

// ConsoleServiceName is the name of the Service that serves the console of a desk with the profile, on its port "http".
func ConsoleServiceName(desk string, profile v1alpha1.Profile) string {
	if profile == v1alpha1.ProfileCompact {
		return RoleName(desk, runtimeconfig.RoleGateway)
	}
	return RoleName(desk, runtimeconfig.RoleConsole)
}

func (r *deskRenderer) consoleService() string {
	return ConsoleServiceName(r.name(), r.desk.Spec.Profile)
}

func (r *deskRenderer) exposure() {
	e := r.desk.Spec.Exposure
	switch {
	case e == nil:
	case e.Type == v1alpha1.ExposureIngress:
		r.add(r.ingress(e))
	case e.Type == v1alpha1.ExposureHTTPRoute:
		r.objects = append(r.objects, r.httpRoute(e))
	}
}

func (r *deskRenderer) ingress(e *v1alpha1.Exposure) *networkingv1ac.IngressApplyConfiguration {
	path := func(p, service string) *networkingv1ac.HTTPIngressPathApplyConfiguration {
		return networkingv1ac.HTTPIngressPath().WithPath(p).WithPathType(networkingv1.PathTypePrefix).
			WithBackend(networkingv1ac.IngressBackend().WithService(networkingv1ac.IngressServiceBackend().
				WithName(service).WithPort(networkingv1ac.ServiceBackendPort().WithName("http"))))
	}
	spec := networkingv1ac.IngressSpec().WithRules(networkingv1ac.IngressRule().WithHost(e.Host).
		WithHTTP(networkingv1ac.HTTPIngressRuleValue().WithPaths(
			path("/", RoleName(r.name(), runtimeconfig.RoleGateway)), path(consolePath, r.consoleService()))))
	if e.IngressClassName != nil {
		spec.WithIngressClassName(string(*e.IngressClassName))
	}
	if e.TLSSecretName != nil {
		spec.WithTLS(networkingv1ac.IngressTLS().WithHosts(e.Host).WithSecretName(string(*e.TLSSecretName)))
	}
	return networkingv1ac.Ingress(child(r.name(), "web"), r.namespace()).
		WithLabels(labels(r.name(), "")).WithOwnerReferences(r.desk.Owner.reference()).
		// Chats are WebSockets that stay open for hours; the controllers' default of a minute would cut a silent one.
		WithAnnotations(map[string]string{
			"nginx.ingress.kubernetes.io/proxy-read-timeout": "3600",
			"nginx.ingress.kubernetes.io/proxy-send-timeout": "3600",
		}).
		WithSpec(spec)
}

// httpRoute is unstructured: the Gateway API's types would be a large dependency for one object.
func (r *deskRenderer) httpRoute(e *v1alpha1.Exposure) *unstructured.Unstructured {
	// Its lists are compared whole, so the defaults of their elements are spelled out; without them each
	// comparison with the live object would find a difference.
	parent := map[string]any{"group": HTTPRouteKind.Group, "kind": "Gateway", "name": string(e.GatewayRef.Name)}
	if e.GatewayRef.Namespace != nil {
		parent["namespace"] = string(*e.GatewayRef.Namespace)
	}
	rule := func(path, service string) map[string]any {
		return map[string]any{
			"matches":     []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": path}}},
			"backendRefs": []any{map[string]any{"group": "", "kind": "Service", "name": service, "port": int64(portService), "weight": int64(1)}},
			// 0s: no time-out, as the WebSocket of a chat stays open for hours.
			"timeouts": map[string]any{"request": "0s"},
		}
	}
	meta := unstructuredOf(metav1ac.ObjectMeta().
		WithName(child(r.name(), "web")).WithNamespace(r.namespace()).
		WithLabels(labels(r.name(), "")).WithOwnerReferences(r.desk.Owner.reference()))
	route := &unstructured.Unstructured{Object: map[string]any{
		"metadata": meta.Object,
		"spec": map[string]any{
			"hostnames":  []any{e.Host},
			"parentRefs": []any{parent},
			"rules": []any{
				rule(consolePath, r.consoleService()),
				rule("/", RoleName(r.name(), runtimeconfig.RoleGateway)),
			},
		},
	}}
	route.SetGroupVersionKind(HTTPRouteKind)
	return route
}
