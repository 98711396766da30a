package v1alpha1

// AgentSkill is a skill that an agent has.
type AgentSkill struct {
	// name of the skill, as the queues name it, for example "refund". Required.
	// +required
	Name DNSLabel `json:"name"`
	// level, 1 to 10: 10 is best. Default 1. No rollout.
	// +optional
	// +kubebuilder:default=1
	Level SkillLevel `json:"level,omitempty"`
}

// MemberSettings override what the pool says for one member.
//
// +kubebuilder:validation:XValidation:rule="has(self.skills) || has(self.concurrency)",messageExpression="'agents names ' + self.name + ' and changes nothing: give skills or concurrency, or remove the entry'",message="the entry changes nothing: give skills or concurrency, or remove it"
type MemberSettings struct {
	// name of the agent, one of members. Required.
	// +required
	Name DNSLabel `json:"name"`
	// skills in addition to the pool's, at most 16; of a skill that both name, the level given here counts.
	// Default: those of the pool. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Skills []AgentSkill `json:"skills,omitempty"`
	// concurrency: slots of this agent, 1 to 200. Default: the pool's. No rollout.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=200
	Concurrency *int32 `json:"concurrency,omitempty"`
}

// ReservedSlots are slots of each agent that only conversations of one queue may take.
type ReservedSlots struct {
	// queue for which the slots are kept, one of the pool's. Required.
	// +required
	Queue DNSLabel `json:"queue"`
	// slots of each agent, 1 to 200; all that are reserved are at most concurrency. Required. No rollout.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=200
	Slots int32 `json:"slots"`
}

// ChannelType is a type of channel by which customers reach a desk.
//
// +kubebuilder:validation:Enum=WebChat;Webhook
type ChannelType string

const (
	// ChannelWebChat is chat in a web page.
	ChannelWebChat ChannelType = "WebChat"
	// ChannelWebhook is any messenger, through a bridge.
	ChannelWebhook ChannelType = "Webhook"
)

// ChannelWeight says how much of an agent a conversation of one channel takes.
type ChannelWeight struct {
	// channel that the conversation came by: WebChat or Webhook. Required.
	// +required
	Channel ChannelType `json:"channel"`
	// slots that one conversation takes, 1 to 200, at most concurrency. Required. No rollout.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=200
	Slots int32 `json:"slots"`
}

// Shift is a time at which members of a pool work. The zone is the desk's.
//
// +kubebuilder:validation:XValidation:rule="self.from < self.to",messageExpression="'shift ' + self.name + ' ends at ' + self.to + ', not after it begins at ' + self.from + ': write a time of the next day with hours beyond 24, such as 30:00 for 06:00'",message="the shift does not end after it begins: write a time of the next day with hours beyond 24, such as 30:00 for 06:00",fieldPath=".to"
// +kubebuilder:validation:XValidation:rule="duration(self.to.replace(':', 'h') + 'm') - duration(self.from.replace(':', 'h') + 'm') <= duration('24h')",messageExpression="'shift ' + self.name + ' from ' + self.from + ' to ' + self.to + ' is longer than 24 hours: make two of it'",message="the shift is longer than 24 hours: make two of it",fieldPath=".to"
type Shift struct {
	// name of the shift, as reasons of decisions show it, for example "early". Required.
	// +required
	Name DNSLabel `json:"name"`
	// days on which the shift begins, 1 to 7. Required. No rollout.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=7
	Days []Weekday `json:"days"`
	// from: local time at which the shift begins, for example "08:00". Required. No rollout.
	// +required
	From TimeOfDay `json:"from"`
	// to: local time at which the shift ends, for example "16:00"; 24:00 is midnight, 30:00 is 06:00 of the next day.
	// Required. No rollout.
	// +required
	To EndOfPeriod `json:"to"`
	// members who work the shift, at most 500. Default: all members of the pool. No rollout.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=500
	Members []DNSLabel `json:"members,omitempty"`
}
