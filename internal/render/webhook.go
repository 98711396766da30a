package render

import (
	"net/url"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// receiver of webhooks that the desk declares, with the name that its folder of secrets has.
type receiver struct {
	name string
	*v1alpha1.WebhookReceiver
}

func receivers(spec *v1alpha1.ServiceDeskSpec) []receiver {
	all := make([]receiver, 0, len(spec.Webhooks)+1)
	if channel := spec.Channels.Webhook; channel != nil {
		all = append(all, receiver{runtimeconfig.ChannelWebhookName, &channel.WebhookReceiver})
	}
	for i := range spec.Webhooks {
		all = append(all, receiver{string(spec.Webhooks[i].Name), &spec.Webhooks[i].WebhookReceiver})
	}
	return all
}

// WebhookSecrets are the names of the Secrets of the desk's webhooks, by the name of the folder that they are mounted in.
func WebhookSecrets(spec *v1alpha1.ServiceDeskSpec) map[string]string {
	names := map[string]string{}
	for _, r := range receivers(spec) {
		names[r.name] = string(r.SecretRef.Name)
	}
	return names
}

// channelSecrets mounts the secrets of channels alone, for the role that verifies what comes in.
func (p *pod) channelSecrets(spec *v1alpha1.ServiceDeskSpec) {
	p.mountWebhooks(slices.DeleteFunc(receivers(spec), func(r receiver) bool { return r.name != runtimeconfig.ChannelWebhookName }))
}

// webhookSecrets mounts the secrets of the desk's webhooks, a folder each, where it has any.
func (p *pod) webhookSecrets(spec *v1alpha1.ServiceDeskSpec) { p.mountWebhooks(receivers(spec)) }

func (p *pod) mountWebhooks(all []receiver) {
	if len(all) == 0 {
		return
	}
	p.mounts = append(p.mounts, webhooksMount(all))
	p.args = append(p.args, "--webhooks="+folderWebhooks)
}

func webhooksMount(all []receiver) mount {
	projected := corev1ac.ProjectedVolumeSource().WithDefaultMode(0o440)
	for _, r := range all {
		secret := corev1ac.SecretProjection().WithName(string(r.SecretRef.Name)).WithOptional(true)
		for _, key := range []string{runtimeconfig.FileWebhookSecret, runtimeconfig.FileWebhookCA} {
			secret.WithItems(corev1ac.KeyToPath().WithKey(key).WithPath(r.name + "/" + key))
		}
		projected.WithSources(corev1ac.VolumeProjection().WithSecret(secret))
	}
	return mount{volume: corev1ac.Volume().WithName("webhooks").WithProjected(projected), path: folderWebhooks}
}

// privateNetworks that receivers without allowPrivateAddresses cannot be in, whatever their names resolve to.
var privateNetworks = map[string][]string{
	"0.0.0.0/0": {"10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"},
	"::/0":      {"::1/128", "64:ff9b::/96", "fc00::/7", "fe80::/10"},
}

// webhookEgress opens the ports of the webhooks' URLs. Their hosts are names, which a NetworkPolicy cannot have:
// the ports are open to all public addresses, and to private ones only where a webhook allows them.
func webhookEgress(all []receiver) []*networkingv1ac.NetworkPolicyEgressRuleApplyConfiguration {
	ports := map[bool][]int32{}
	for _, r := range all {
		private := r.AllowPrivateAddresses == v1alpha1.PermissionAllow
		ports[private] = append(ports[private], portOf(r.URL))
	}
	var rules []*networkingv1ac.NetworkPolicyEgressRuleApplyConfiguration
	for _, private := range []bool{false, true} {
		if len(ports[private]) == 0 {
			continue
		}
		rule := networkingv1ac.NetworkPolicyEgressRule()
		slices.Sort(ports[private])
		for _, port := range slices.Compact(ports[private]) {
			rule.WithPorts(policyPort(corev1.ProtocolTCP, port))
		}
		if !private {
			for _, all := range []string{"0.0.0.0/0", "::/0"} {
				rule.WithTo(networkingv1ac.NetworkPolicyPeer().WithIPBlock(
					networkingv1ac.IPBlock().WithCIDR(all).WithExcept(privateNetworks[all]...)))
			}
		}
		rules = append(rules, rule)
	}
	return rules
}

func portOf(address v1alpha1.WebhookURL) int32 {
	const https, http = 443, 80
	u, err := url.Parse(string(address))
	switch {
	case err != nil:
		return https
	case u.Port() != "":
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil {
			return https // the schema's pattern has no other ports
		}
		return int32(port)
	case u.Scheme == "http":
		return http
	}
	return https
}
