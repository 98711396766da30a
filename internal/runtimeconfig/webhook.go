package runtimeconfig

// WebhookEvent is a kind of thing that receivers of webhooks are told.
type WebhookEvent string

// Events of webhooks.
const (
	EventOpened    WebhookEvent = "conversation.opened"
	EventQueued    WebhookEvent = "conversation.queued"
	EventAssigned  WebhookEvent = "conversation.assigned"
	EventClosed    WebhookEvent = "conversation.closed"
	EventAbandoned WebhookEvent = "conversation.abandoned"
	EventReopened  WebhookEvent = "conversation.reopened"
	EventTagged    WebhookEvent = "conversation.tagged"
	EventRated     WebhookEvent = "conversation.rated"
	// EventMessage is something that was said; EventNote is said among agents.
	EventMessage WebhookEvent = "message"
	EventNote    WebhookEvent = "note"
)

// Files of a webhook's Secret, in the folder of its name.
const (
	// FileWebhookSecret holds one or more signing secrets, separated by white space: whsec_ and 24 to 64 bytes in base64.
	FileWebhookSecret = "secret"
	// FileWebhookCA holds authorities in PEM, where the receiver's certificate is not publicly trusted; it may be missing.
	FileWebhookCA = "ca.crt"
)

// Names of the channel for bridges to messengers: in events, and of its webhook, by which it is declared.
const (
	ChannelWebhook     = "webhook"
	ChannelWebhookName = "channel.webhook"
)

// Webhook is a receiver outside the desk that is told what happens.
type Webhook struct {
	// Name of the webhook, and of the folder with its secret. That of a channel has a dot, which no declared one has.
	Name string `json:"name"`
	// URL that events are posted to.
	URL string `json:"url"`
	// Events that it is told, at least one.
	Events []WebhookEvent `json:"events"`
	// Channel whose conversations it is told of; empty for all.
	Channel string `json:"channel,omitempty"`
	// OnlyAnswers leaves out what customers say: a bridge knows that.
	OnlyAnswers bool `json:"onlyAnswers,omitempty"`
	// AllowPrivateAddresses lets the URL's host be in a private network.
	AllowPrivateAddresses bool `json:"allowPrivateAddresses,omitempty"`
}
