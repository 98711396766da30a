package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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

// Break is a time within a shift in which nothing is offered.
//
// +kubebuilder:validation:XValidation:rule="self.from < self.to",messageExpression="'the break from ' + self.from + ' to ' + self.to + ' does not end after it begins: write times of the next day with hours beyond 24, such as 26:00 for 02:00'",message="the break does not end after it begins: write times of the next day with hours beyond 24, such as 26:00 for 02:00",fieldPath=".to"
type Break struct {
	// from: local time at which the break begins, for example "12:00"; 26:00 is 02:00 of the day after the one on which the
	// shift begins. Required. No rollout.
	// +required
	From EndOfPeriod `json:"from"`
	// to: local time at which it ends, for example "12:30". Required. No rollout.
	// +required
	To EndOfPeriod `json:"to"`
}

// Shift is a time at which members of a pool work.
//
// +kubebuilder:validation:XValidation:rule="self.from < self.to",messageExpression="'shift ' + self.name + ' ends at ' + self.to + ', not after it begins at ' + self.from + ': write a time of the next day with hours beyond 24, such as 30:00 for 06:00'",message="the shift does not end after it begins: write a time of the next day with hours beyond 24, such as 30:00 for 06:00",fieldPath=".to"
// +kubebuilder:validation:XValidation:rule="duration(self.to.replace(':', 'h') + 'm') - duration(self.from.replace(':', 'h') + 'm') <= duration('24h')",messageExpression="'shift ' + self.name + ' from ' + self.from + ' to ' + self.to + ' is longer than 24 hours: make two of it'",message="the shift is longer than 24 hours: make two of it",fieldPath=".to"
// +kubebuilder:validation:XValidation:rule="!has(self.breaks) || self.breaks.all(b, self.from <= b.from && b.to <= self.to)",messageExpression="'shift ' + self.name + ' from ' + self.from + ' to ' + self.to + ' has a break that is not within it: move the break, or remove it'",message="a break is not within the shift: move the break, or remove it",fieldPath=".breaks"
// +kubebuilder:validation:XValidation:rule="!has(self.breaks) || self.breaks.all(b, self.breaks.filter(o, o.from < b.to && b.from < o.to).size() <= 1)",messageExpression="'shift ' + self.name + ' has breaks that overlap: make one of them'",message="breaks overlap: make one of them",fieldPath=".breaks"
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
	// timeZone of from, to and breaks, an IANA name such as Asia/Shanghai, for those who work elsewhere. Default: the desk's
	// timeZone. No rollout.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z][-+A-Za-z0-9_]*(/[A-Za-z0-9][-+A-Za-z0-9_]*)*$`
	TimeZone string `json:"timeZone,omitempty"`
	// seats that are planned for the shift, 1 to 10000: the roster counts so many, whoever they will be. Default: as many
	// as the shift has members. No rollout.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Seats int32 `json:"seats,omitempty"`
	// breaks of the shift, at most 8: nothing is offered in them, nor what would likely pass their beginning. Default: none.
	// No rollout.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Breaks []Break `json:"breaks,omitempty"`
}

// ReserveTier is a group of people who are called in when too few are there, and released when they are not needed.
type ReserveTier struct {
	// name of the tier, as conditions, events and the console name it, for example "back-office". Required.
	// +required
	Name DNSLabel `json:"name"`
	// seats that the tier brings, 1 to 10000. Required. No rollout.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Seats int32 `json:"seats"`
	// members of the pool who are the tier, at most 500: they are offered conversations of the pool only while it is called
	// in. Default: nobody in particular; whoever of the pool signs on fills its seats. No rollout.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=500
	Members []DNSLabel `json:"members,omitempty"`
	// notice: the time from the call until the people are there, 0s to 24h; the tier is called so long before a shortfall
	// that is foreseen. Default 15m. No rollout.
	// +optional
	// +kubebuilder:default="15m"
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('24h')",messageExpression="'notice is ' + self + ': use 0s to 24h'",message="use 0s to 24h"
	Notice *Duration `json:"notice,omitempty"`
	// minimumStay: who was called in is not released before, 0s to 24h, the notice counted in. Default 1h. No rollout.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('24h')",messageExpression="'minimumStay is ' + self + ': use 0s to 24h'",message="use 0s to 24h"
	MinimumStay *Duration `json:"minimumStay,omitempty"`
}

// ReserveState says whether a reserve tier is called in.
//
// +kubebuilder:validation:Enum=Released;Called
type ReserveState string

const (
	// ReserveReleased tiers are not needed.
	ReserveReleased ReserveState = "Released"
	// ReserveCalled tiers are called in.
	ReserveCalled ReserveState = "Called"
)

// ReserveStatus is how a reserve tier stands.
type ReserveStatus struct {
	// name of the tier.
	// +required
	Name DNSLabel `json:"name"`
	// state: Released or Called.
	// +required
	State ReserveState `json:"state"`
	// since when it is so.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
	// until: who was called in stays at least until then; of one that a supervisor called, the end.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`
	// by: the supervisor who called it; absent for the operator.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	By string `json:"by,omitempty"`
}

// SeatsShortfall is a time at which fewer seats are scheduled than are required.
type SeatsShortfall struct {
	// at: when it begins.
	// +required
	At metav1.Time `json:"at"`
	// until: when it ends, or the end of the eight days.
	// +optional
	Until metav1.Time `json:"until,omitempty"`
	// seats that are missing at the worst time of it, shrinkage counted in.
	// +optional
	Seats int32 `json:"seats"`
}

// SeatsRequirement is how many scheduled seats are required at a time.
type SeatsRequirement struct {
	// at: when it begins.
	// +required
	At metav1.Time `json:"at"`
	// seats, shrinkage counted in.
	// +optional
	Seats int32 `json:"seats"`
}

// SeatsStatus sums up the requirement of the next eight days in steps of fifteen minutes; the console has the steps.
type SeatsStatus struct {
	// scheduled seats now, by the shifts; absent without shifts.
	// +optional
	Scheduled *int32 `json:"scheduled,omitempty"`
	// requiredScheduled: seats that should be scheduled now, so that the required ones are there in spite of the shrinkage;
	// absent while the arrivals of comparable days are not known.
	// +optional
	RequiredScheduled *int32 `json:"requiredScheduled,omitempty"`
	// next shortfall ahead: fewer seats scheduled than should be; absent for none within eight days, and without shifts.
	// +optional
	Next *SeatsShortfall `json:"next,omitempty"`
	// peak is the greatest requirement of the next eight days; absent while the arrivals of comparable days are not known.
	// +optional
	Peak *SeatsRequirement `json:"peak,omitempty"`
	// reserve tiers, at most 8.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Reserve []ReserveStatus `json:"reserve,omitempty"`
}
