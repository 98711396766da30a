package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PoolType says what the agents of a pool are.
//
// +kubebuilder:validation:Enum=Bot;Human
type PoolType string

const (
	// PoolTypeBot is a pool of bot worker pods, the front line of a desk.
	PoolTypeBot PoolType = "Bot"
	// PoolTypeHuman is a pool of people who sign on to the console.
	PoolTypeHuman PoolType = "Human"
)

// BotSettings say how the bots of a pool answer.
type BotSettings struct {
	// knowledgeBaseRefs: the knowledge bases that the bots answer from, at most 16. Default: none, every
	// question is handed off. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	KnowledgeBaseRefs []LocalObjectReference `json:"knowledgeBaseRefs,omitempty"`
	// minConfidencePercent: the bot answers when the probability that the best entry answers the question
	// is at least this, 0 to 100; below it says that it does not know and hands off. Default 60. No rollout.
	// +optional
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MinConfidencePercent *int32 `json:"minConfidencePercent,omitempty"`
	// greeting that opens a conversation, one text a language, at most 16. Default: none. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=language
	// +kubebuilder:validation:MaxItems=16
	Greeting []LocalizedText `json:"greeting,omitempty"`
	// resources of the bot workers. Default: the operator's sizing table.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
	// placement of the bot workers. Default: any node, spread over nodes and zones.
	// +optional
	Placement *Placement `json:"placement,omitempty"`
}

// HumanSettings say who the agents of a pool are and how conversations are offered to them.
//
// +kubebuilder:validation:XValidation:rule="!has(self.agents) || self.agents.all(a, a.name in self.members)",message="agents names somebody who is not among members: add the agent to members, or mend the name",fieldPath=".agents"
// +kubebuilder:validation:XValidation:rule="!has(self.reserved) || self.reserved.all(r, r.queue in self.queues)",message="reserved names a queue that is not among queues: the pool does not serve it; add it to queues or remove the reservation",fieldPath=".reserved"
// +kubebuilder:validation:XValidation:rule="!has(self.agents) || !has(self.reserved) || self.agents.all(a, !has(a.concurrency) || self.reserved.map(r, r.slots).sum() <= a.concurrency)",message="agents gives somebody a concurrency below the slots that reserved keeps: raise it or reserve fewer",fieldPath=".agents"
// +kubebuilder:validation:XValidation:rule="!has(self.agents) || !has(self.weights) || self.agents.all(a, !has(a.concurrency) || self.weights.all(w, w.slots <= a.concurrency))",message="agents gives somebody a concurrency below what weights says that a conversation takes: raise it or lower the weight",fieldPath=".agents"
// +kubebuilder:validation:XValidation:rule="!has(self.reserve) || self.reserve.all(t, !has(t.members) || t.members.all(m, m in self.members))",message="reserve names somebody who is not among members: add the agent to members, or mend the name",fieldPath=".reserve"
type HumanSettings struct {
	// members: names of the agents, as the console's tokens name them, 1 to 500. Required. No rollout.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=500
	Members []DNSLabel `json:"members"`
	// queues that the pool serves, in order: when an agent has a free slot, a conversation of an earlier
	// queue wins among equal priorities; 1 to 50. Required. No rollout.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Queues []DNSLabel `json:"queues"`
	// offerTimeout: an offer that is not accepted within this time goes to the next agent and the one who
	// missed it is set away, 5s to 5m. Default 20s. No rollout.
	// +optional
	// +kubebuilder:default="20s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('5s') && duration(self) <= duration('5m')",messageExpression="'offerTimeout is ' + self + ': use 5s to 5m'",message="use 5s to 5m"
	OfferTimeout Duration `json:"offerTimeout,omitempty"`
	// maxMisses: offers that an agent may miss in a row before the agent is set away, 1 to 10. Default 1. No rollout.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	MaxMisses int32 `json:"maxMisses,omitempty"`
	// wrapUp: time for notes after a conversation, in which its slot stays taken; an agent may end it earlier,
	// 0s to 1h. Default 0s. No rollout.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('1h')",messageExpression="'wrapUp is ' + self + ': use 0s to 1h'",message="use 0s to 1h"
	WrapUp *Duration `json:"wrapUp,omitempty"`
	// skills that all members have, at most 32. Default: none. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Skills []AgentSkill `json:"skills,omitempty"`
	// agents: what is different for single members, at most 500. Default: nothing. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=500
	Agents []MemberSettings `json:"agents,omitempty"`
	// reserved: slots of each agent that only conversations of a queue may take, so that an urgent one never waits for
	// a long one of another queue; at most 50. Default: none. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=queue
	// +kubebuilder:validation:MaxItems=50
	Reserved []ReservedSlots `json:"reserved,omitempty"`
	// weights: slots that one conversation of a channel takes, at most 16. Default: 1 for each channel. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=channel
	// +kubebuilder:validation:MaxItems=16
	Weights []ChannelWeight `json:"weights,omitempty"`
	// shifts, the roster, at most 32: members are offered nothing outside them, nor what would likely pass their end, and
	// the seats that they schedule are compared with the required ones. Who is in no shift has no limits. Default: no
	// shifts. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Shifts []Shift `json:"shifts,omitempty"`
	// shrinkagePercent of the scheduled time in which people are not there, by illness, leave, training and unplanned
	// breaks, 0 to 90: so many more seats must be scheduled than are required. What breaks of shifts say is not counted in.
	// Default 30. No rollout.
	// +optional
	// +kubebuilder:default=30
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=90
	ShrinkagePercent *int32 `json:"shrinkagePercent,omitempty"`
	// shiftEndGrace: what a member still has so long after the end of the shift goes back to its place in the queue, with
	// the whole dialogue, and the customer is told, 0s to 24h. Default: members finish what they have. No rollout.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('24h')",messageExpression="'shiftEndGrace is ' + self + ': use 0s to 24h'",message="use 0s to 24h"
	ShiftEndGrace *Duration `json:"shiftEndGrace,omitempty"`
	// peaks that are announced, at most 64; floor and cap are seats that are asked for. Default: none. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Peaks []Peak `json:"peaks,omitempty"`
	// reserve: tiers of people who are called in when too few are there, in this order, at most 8. Default: none.
	// No rollout.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Reserve []ReserveTier `json:"reserve,omitempty"`
}

// AgentPoolSpec is the desired state of a pool of agents.
//
// +kubebuilder:validation:XValidation:rule="self.type == oldSelf.type",messageExpression="'type cannot change from ' + oldSelf.type + ' to ' + self.type + ': make a new pool'",message="type is immutable",fieldPath=".type"
// +kubebuilder:validation:XValidation:rule="self.deskRef.name == oldSelf.deskRef.name",messageExpression="'deskRef.name cannot change from ' + oldSelf.deskRef.name + ' to ' + self.deskRef.name + ': make a new pool for that desk'",message="deskRef is immutable",fieldPath=".deskRef.name"
// +kubebuilder:validation:XValidation:rule="self.type != 'Human' || has(self.human)",message="type is Human but human is missing: name the members and the queues in spec.human",fieldPath=".human",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="self.type != 'Human' || !has(self.bot)",message="type is Human but bot is set: remove spec.bot, or use type Bot",fieldPath=".bot",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="self.type != 'Bot' || !has(self.human)",message="type is Bot but human is set: remove spec.human, or use type Human",fieldPath=".human",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="self.type != 'Human' || self.replicas == 1",messageExpression="'type is Human but replicas is ' + (self.replicas == 0 ? '0' : 'above 1') + ': people are members, not replicas; remove spec.replicas'",message="replicas is for type Bot only",fieldPath=".replicas"
// +kubebuilder:validation:XValidation:rule="self.type != 'Human' || !has(self.scaling)",message="type is Human but scaling is set: people are members, not replicas; remove spec.scaling",fieldPath=".scaling",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="!has(self.human) || !has(self.human.reserved) || self.human.reserved.map(r, r.slots).sum() <= self.concurrency",message="human.reserved keeps more slots of each agent than concurrency has: reserve fewer or raise concurrency",fieldPath=".human.reserved"
// +kubebuilder:validation:XValidation:rule="!has(self.human) || !has(self.human.weights) || self.human.weights.all(w, w.slots <= self.concurrency)",message="human.weights has a channel that takes more slots than concurrency has, so that nobody could answer it: lower the weight or raise concurrency",fieldPath=".human.weights"
type AgentPoolSpec struct {
	// suspend stops the operator's work on this pool; what runs goes on running. Default false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
	// deskRef names the desk that the pool belongs to. Required. Immutable.
	// +required
	DeskRef LocalObjectReference `json:"deskRef"`
	// type of the agents: Bot (worker pods) or Human (people at the console). Required. Immutable.
	// +required
	Type PoolType `json:"type"`
	// concurrency: conversations that one agent holds at a time (its slots), 1 to 200. Default 5. No rollout.
	// +optional
	// +kubebuilder:default=5
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=200
	Concurrency int32 `json:"concurrency,omitempty"`
	// replicas: bot workers, 0 to 1000; type Bot only. Written by kubectl scale, an HPA or KEDA through /scale.
	// Unused while scaling is set. Fewer are reached by drain: a worker goes when it has nothing left. Default 1.
	// No rollout.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Replicas int32 `json:"replicas"`
	// scaling lets the operator decide how many bot workers run; type Bot only. Default: replicas says it, and the
	// operator recommends. Where it is taken away, what runs is kept until replicas is written, or for ten minutes.
	// No rollout.
	// +optional
	Scaling *PoolScaling `json:"scaling,omitempty"`
	// bot: how the bots answer; type Bot only. Default: no knowledge base, every question is handed off.
	// +optional
	Bot *BotSettings `json:"bot,omitempty"`
	// human: who the agents are and what they serve; type Human only, where it is required.
	// +optional
	Human *HumanSettings `json:"human,omitempty"`
}

// AgentPoolStatus is the observed state of a pool.
type AgentPoolStatus struct {
	CommonStatus `json:",inline"`
	// replicas: bot workers that exist and are not draining.
	// +optional
	Replicas int32 `json:"replicas"`
	// readyReplicas: bot workers that are ready.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas"`
	// slots: conversations that the ready agents of a Bot pool, or all members of a Human pool, can hold at a time.
	// +optional
	Slots int32 `json:"slots"`
	// busy: conversations that the agents have in progress.
	// +optional
	Busy int32 `json:"busy"`
	// waiting: conversations that wait for the pool; of a queue that several pools serve, the pool's share.
	// +optional
	Waiting int32 `json:"waiting"`
	// signedOn: agents that are signed on and may be given conversations.
	// +optional
	SignedOn int32 `json:"signedOn"`
	// required: agents that are needed: bot workers that are to serve, or seats of people.
	// +optional
	Required int32 `json:"required"`
	// shortfall: seats of people that are required and not signed on; 0 for bots.
	// +optional
	Shortfall int32 `json:"shortfall"`
	// seats that people of the pool will be needed for; absent for bots, and before the desk has reported.
	// +optional
	Seats *SeatsStatus `json:"seats,omitempty"`
	// scaling is the last decision about a pool of bots; without spec.scaling what is recommended.
	// +optional
	Scaling *PoolScalingStatus `json:"scaling,omitempty"`
	// selector of the bot workers' pods, as /scale reports it to an HPA.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Selector string `json:"selector,omitempty"`
}

// AgentPool is a pool of agents of one desk: bot worker pods, or people.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:shortName=pool,categories=deskfleet
// +kubebuilder:printcolumn:name="Desk",type=string,JSONPath=`.spec.deskRef.name`
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Agents",type=integer,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="SignedOn",type=integer,JSONPath=`.status.signedOn`
// +kubebuilder:printcolumn:name="Required",type=integer,JSONPath=`.status.required`
// +kubebuilder:printcolumn:name="Slots",type=integer,JSONPath=`.status.slots`
// +kubebuilder:printcolumn:name="Busy",type=integer,JSONPath=`.status.busy`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waiting`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Scaling",type=string,priority=1,JSONPath=`.status.scaling.reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="metadata.name is longer than 63 characters or holds a dot: shorten it or use hyphens, as the name stands in labels and bus subjects"
type AgentPool struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the desired state. Required.
	// +required
	Spec AgentPoolSpec `json:"spec"`
	// status is the observed state, written by the operator alone.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status AgentPoolStatus `json:"status,omitempty"`
}

// AgentPoolList is a list of pools.
//
// +kubebuilder:object:root=true
type AgentPoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AgentPool `json:"items"`
}
