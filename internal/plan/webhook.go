package plan

import (
	"slices"
	"strings"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// webhooks converts the desk's webhooks, those of its channels included, sorted by name.
func webhooks(spec *v1alpha1.ServiceDeskSpec) []runtimeconfig.Webhook {
	converted := make([]runtimeconfig.Webhook, 0, len(spec.Webhooks))
	for i := range spec.Webhooks {
		declared := &spec.Webhooks[i]
		hook := webhookTo(string(declared.Name), &declared.WebhookReceiver)
		for _, event := range declared.Events {
			hook.Events = append(hook.Events, runtimeconfig.WebhookEvent(event))
		}
		slices.Sort(hook.Events)
		converted = append(converted, hook)
	}
	if channel := spec.Channels.Webhook; channel != nil {
		hook := webhookTo(runtimeconfig.ChannelWebhookName, &channel.WebhookReceiver)
		hook.Channel, hook.OnlyAnswers = runtimeconfig.ChannelWebhook, true
		hook.Events = []runtimeconfig.WebhookEvent{runtimeconfig.EventAssigned, runtimeconfig.EventClosed, runtimeconfig.EventMessage}
		converted = append(converted, hook)
	}
	slices.SortFunc(converted, func(a, b runtimeconfig.Webhook) int { return strings.Compare(a.Name, b.Name) })
	return converted
}

func webhookTo(name string, receiver *v1alpha1.WebhookReceiver) runtimeconfig.Webhook {
	return runtimeconfig.Webhook{
		Name: name, URL: string(receiver.URL), AllowPrivateAddresses: receiver.AllowPrivateAddresses == v1alpha1.PermissionAllow,
	}
}
