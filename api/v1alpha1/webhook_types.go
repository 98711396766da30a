package v1alpha1

// WebhookEvent is a kind of thing that receivers of webhooks are told.
//
// +kubebuilder:validation:Enum=conversation.opened;conversation.queued;conversation.assigned;conversation.closed;conversation.abandoned;conversation.reopened;conversation.tagged;conversation.rated;message;note
type WebhookEvent string

const (
	// WebhookEventOpened says: a conversation began.
	WebhookEventOpened WebhookEvent = "conversation.opened"
	// WebhookEventQueued says: it waits for a person.
	WebhookEventQueued WebhookEvent = "conversation.queued"
	// WebhookEventAssigned says: a bot or a person has it.
	WebhookEventAssigned WebhookEvent = "conversation.assigned"
	// WebhookEventClosed says: it has ended.
	WebhookEventClosed WebhookEvent = "conversation.closed"
	// WebhookEventAbandoned says: the customer left while waiting.
	WebhookEventAbandoned WebhookEvent = "conversation.abandoned"
	// WebhookEventReopened says: the customer wrote after the end.
	WebhookEventReopened WebhookEvent = "conversation.reopened"
	// WebhookEventTagged says: its tags were replaced.
	WebhookEventTagged WebhookEvent = "conversation.tagged"
	// WebhookEventRated says: the customer rated it after the end.
	WebhookEventRated WebhookEvent = "conversation.rated"
	// WebhookEventMessage says: customer, bot, agent or system said something.
	WebhookEventMessage WebhookEvent = "message"
	// WebhookEventNote says: an agent noted something for agents.
	WebhookEventNote WebhookEvent = "note"
)

// Permission is given or not.
//
// +kubebuilder:validation:Enum=Deny;Allow
type Permission string

const (
	// PermissionDeny refuses it.
	PermissionDeny Permission = "Deny"
	// PermissionAllow permits it.
	PermissionAllow Permission = "Allow"
)

// WebhookURL is where events are posted to, without user name and fragment.
//
// +kubebuilder:validation:MinLength=8
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:Pattern=`^https?://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?([/?][^\x00-\x20\x7f#]*)?$`
type WebhookURL string

// WebhookReceiver is where events are posted to.
//
// +kubebuilder:validation:XValidation:rule="self.url.startsWith('https:') || has(self.allowPlainHTTP) && self.allowPlainHTTP == 'Allow'",message="url begins with http, so that everybody on the way can read what customers say: use https, or set allowPlainHTTP to Allow",fieldPath=".url"
type WebhookReceiver struct {
	// url that events are posted to, for example "https://crm.example.com/desk-events". It stands in plain text in the
	// desk's configuration: put no secret into it. A change enables a webhook that its receiver had disabled. Required.
	// No rollout.
	// +required
	URL WebhookURL `json:"url"`
	// secretRef names a Secret in the desk's namespace. Its key "secret" holds one signing secret or, while it is rotated,
	// several separated by white space: "whsec_" and 24 to 64 random bytes in base64. Its key "ca.crt" may hold the
	// authorities of a receiver whose certificate is not publicly trusted. It is mounted, never read by the operator, and
	// may come later: until then events wait. A change of the reference rolls the archive out, a change of the content
	// does not. Required.
	// +required
	SecretRef LocalObjectReference `json:"secretRef"`
	// allowPrivateAddresses: Allow lets the url's host be in a private network or in the cluster; addresses of the link,
	// where clouds have their metadata, stay refused. Default Deny. No rollout.
	// +optional
	// +kubebuilder:default=Deny
	AllowPrivateAddresses Permission `json:"allowPrivateAddresses,omitempty"`
	// allowPlainHTTP: Allow takes a url without TLS. Default Deny. No rollout.
	// +optional
	// +kubebuilder:default=Deny
	AllowPlainHTTP Permission `json:"allowPlainHTTP,omitempty"`
}

// WebhookChannel bridges any messenger: its messages come in by POST /v1/channels/webhook of the gateway with a
// Standard Webhooks signature, and what bot and agents answer goes out to its url, as CloudEvents. Both directions are
// signed with the secret that secretRef names; a change of the reference rolls the gateway out too.
type WebhookChannel struct {
	WebhookReceiver `json:",inline"`
}

// Webhook tells a receiver outside the desk what happens in it: CloudEvents with a Standard Webhooks signature, at
// least once, in order within a conversation, tried again for three days.
type Webhook struct {
	// name of the webhook. Required.
	// +required
	Name            DNSLabel `json:"name"`
	WebhookReceiver `json:",inline"`
	// events that it is told, 1 to 10. Required. No rollout.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	Events []WebhookEvent `json:"events"`
}
