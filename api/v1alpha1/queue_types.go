package v1alpha1

// SkillLevel says how well somebody can do something, 1 to 10: 10 is best.
//
// +kubebuilder:validation:Minimum=1
// +kubebuilder:validation:Maximum=10
type SkillLevel int32

// SkillNeed says how much a queue needs a skill.
//
// +kubebuilder:validation:Enum=Required;Preferred
type SkillNeed string

const (
	// SkillRequired asks for agents who have the skill at the level, and no others.
	SkillRequired SkillNeed = "Required"
	// SkillPreferred lets those of the agents who may answer go first that have the skill at the level.
	SkillPreferred SkillNeed = "Preferred"
)

// QueueSkill is a skill that the conversations of a queue ask for.
type QueueSkill struct {
	// name of the skill, as the pools name it, for example "refund". Required.
	// +required
	Name DNSLabel `json:"name"`
	// level that is asked for at least, 1 to 10. Default 1. No rollout.
	// +optional
	// +kubebuilder:default=1
	Level SkillLevel `json:"level,omitempty"`
	// need: whether only agents who have it may answer (Required) or they go first (Preferred). Default: the former.
	// No rollout.
	// +optional
	// +kubebuilder:default=Required
	Need SkillNeed `json:"need,omitempty"`
}

// ServiceLevel is what a queue promises: so many percent of its conversations are answered within a time, and no more
// than so many are given up. Both parts count: the first alone can be met by people who hang up.
type ServiceLevel struct {
	// percent of the conversations that are to be answered in time, 1 to 100. Default 80. No rollout.
	// +optional
	// +kubebuilder:default=80
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Percent int32 `json:"percent,omitempty"`
	// within: time in which a conversation is to be accepted by a person, 1s to 24h. The share of those that are is the
	// queue's service level. Default 20s. No rollout.
	// +optional
	// +kubebuilder:default="20s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",messageExpression="'within is ' + self + ': use 1s to 24h'",message="use 1s to 24h"
	Within Duration `json:"within,omitempty"`
	// maxAbandonmentPercent of the conversations that may be given up while they wait, 1 to 100; who gives up within the
	// time does not count. 100 is no limit. Default 3. No rollout.
	// +optional
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MaxAbandonmentPercent int32 `json:"maxAbandonmentPercent,omitempty"`
}

// RelaxDrop says which skills a ring no longer asks for.
//
// +kubebuilder:validation:Enum=None;Preferred;All
type RelaxDrop string

const (
	// DropNone keeps asking for all skills.
	DropNone RelaxDrop = "None"
	// DropPreferred no longer asks for preferred skills.
	DropPreferred RelaxDrop = "Preferred"
	// DropAll no longer asks for any skill.
	DropAll RelaxDrop = "All"
)

// Ring widens who may answer a conversation that has waited so long. Rings add up in their order.
//
// +kubebuilder:validation:XValidation:rule="has(self.lowerLevelsBy) || has(self.addPools) || self.drop != 'None'",messageExpression="'the ring after ' + self.after + ' widens nothing: give at least one of lowerLevelsBy, drop, addPools'",message="the ring widens nothing: give at least one of lowerLevelsBy, drop, addPools"
type Ring struct {
	// after this time of waiting the ring begins, 1s to 24h; greater from ring to ring. Required. No rollout.
	// +required
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",messageExpression="'after is ' + self + ': use 1s to 24h'",message="use 1s to 24h"
	After Duration `json:"after"`
	// lowerLevelsBy is taken from every level that is asked for, 1 to 9; none falls below 1. Default: nothing. No rollout.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=9
	LowerLevelsBy *int32 `json:"lowerLevelsBy,omitempty"`
	// drop: skills that are no longer asked for: None, Preferred or All. Default None. No rollout.
	// +optional
	// +kubebuilder:default=None
	Drop RelaxDrop `json:"drop,omitempty"`
	// addPools: Human pools of the desk that may answer as well, although they do not serve the queue, 1 to 8.
	// Default: none. No rollout.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	AddPools []DNSLabel `json:"addPools,omitempty"`
}

// OverflowAction is what a step of the degradation ladder does.
//
// +kubebuilder:validation:Enum=Pool;Queue;Bot;Callback;Message
type OverflowAction string

const (
	// OverflowPool lets a further pool answer.
	OverflowPool OverflowAction = "Pool"
	// OverflowQueue moves the conversation to another queue, once in its life.
	OverflowQueue OverflowAction = "Queue"
	// OverflowBot gives the conversation to the bots meanwhile, once in its life.
	OverflowBot OverflowAction = "Bot"
	// OverflowCallback offers the customer to be answered later.
	OverflowCallback OverflowAction = "Callback"
	// OverflowMessage tells the customer.
	OverflowMessage OverflowAction = "Message"
)

// OverflowStep is a step of the degradation ladder of a queue.
//
// +kubebuilder:validation:XValidation:rule="(self.action == 'Pool') == has(self.pool)",messageExpression="self.action == 'Pool' ? 'action is Pool but pool is missing: name the AgentPool' : 'action is ' + self.action + ' but pool is set: remove pool, or use action Pool'",message="pool goes with action Pool, and only with it: name the AgentPool or remove it",fieldPath=".pool"
// +kubebuilder:validation:XValidation:rule="(self.action == 'Queue') == has(self.queue)",messageExpression="self.action == 'Queue' ? 'action is Queue but queue is missing: name another queue of the desk' : 'action is ' + self.action + ' but queue is set: remove queue, or use action Queue'",message="queue goes with action Queue, and only with it: name a queue or remove it",fieldPath=".queue"
// +kubebuilder:validation:XValidation:rule="!(self.action in ['Message', 'Callback']) || has(self.say)",messageExpression="'action is ' + self.action + ' but say is missing: give a text a language'",message="actions Message and Callback tell the customer something: give a text a language in say",fieldPath=".say"
// +kubebuilder:validation:XValidation:rule="!(self.action in ['Pool', 'Queue']) || !has(self.say)",messageExpression="'action is ' + self.action + ' but say is set: remove say, or use action Message'",message="actions Pool and Queue say nothing: remove say, or use action Message",fieldPath=".say"
type OverflowStep struct {
	// predictedWait from which on the step is taken, 1s to 24h; greater from step to step. Required. No rollout.
	// +required
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",messageExpression="'predictedWait is ' + self + ': use 1s to 24h'",message="use 1s to 24h"
	PredictedWait Duration `json:"predictedWait"`
	// action: Pool (a further pool may answer), Queue (the conversation moves to another queue, once in its life), Bot (the
	// bots have it meanwhile, once in its life; it keeps the place for when they hand it off again), Callback (the customer
	// is told, and keeps the place also after leaving or until a time that suits them) or Message (the customer is told,
	// and keeps the place). Required. No rollout.
	// +required
	Action OverflowAction `json:"action"`
	// pool that may answer as well, a Human pool of the desk; only with action Pool, where it must be given. No rollout.
	// +optional
	Pool *DNSLabel `json:"pool,omitempty"`
	// queue that receives the conversation, another one of the desk; only with action Queue, where it must be given. No rollout.
	// +optional
	Queue *DNSLabel `json:"queue,omitempty"`
	// say: what the customer is told, one text a language, 1 to 16; only with actions Message and Callback, where it must be
	// given, and with Bot, where it may. Default: nothing. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=language
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Say []LocalizedText `json:"say,omitempty"`
}

// Announcement says what waiting customers are told.
//
// +kubebuilder:validation:Enum=PositionAndWait;Position;Nothing
type Announcement string

const (
	// AnnouncePositionAndWait tells the place in the queue and the expected wait.
	AnnouncePositionAndWait Announcement = "PositionAndWait"
	// AnnouncePosition tells the place in the queue.
	AnnouncePosition Announcement = "Position"
	// AnnounceNothing tells that the customer waits, no more.
	AnnounceNothing Announcement = "Nothing"
)

// Queue holds conversations that wait for a person.
//
// +kubebuilder:validation:XValidation:rule="has(self.overflow) || !(has(self.maxLength) || has(self.maxWait))",messageExpression="'queue ' + self.name + ' has maxLength or maxWait but no overflow: add a step to overflow that says what happens then, or remove the limit'",message="maxLength and maxWait need overflow: say there what happens",fieldPath=".overflow",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="!has(self.overflow) || self.overflow.all(s, !has(s.queue) || s.queue != self.name)",messageExpression="'queue ' + self.name + ' overflows to itself: name another queue of the desk'",message="a queue overflows to itself: name another queue of the desk",fieldPath=".overflow"
// +kubebuilder:validation:XValidation:rule="!has(self.relax) || self.relax.map(r, duration(r.after)).isSorted() && self.relax.all(r, self.relax.exists_one(o, duration(o.after) == duration(r.after)))",messageExpression="'the times of relax of queue ' + self.name + ' do not increase: give each ring a greater after than the one before it'",message="the times of relax do not increase: give each ring a greater after than the one before it",fieldPath=".relax"
// +kubebuilder:validation:XValidation:rule="!has(self.overflow) || self.overflow.map(r, duration(r.predictedWait)).isSorted() && self.overflow.all(r, self.overflow.exists_one(o, duration(o.predictedWait) == duration(r.predictedWait)))",messageExpression="'the times of overflow of queue ' + self.name + ' do not increase: give each step a greater predictedWait than the one before it'",message="the times of overflow do not increase: give each step a greater predictedWait than the one before it",fieldPath=".overflow"
type Queue struct {
	// name of the queue, unique in the desk. Required.
	// +required
	Name DNSLabel `json:"name"`
	// priority is what the score of the queue's conversations begins with, 0 to 100; the score grows with the wait
	// (routing.ageingPerMinute), and the highest is offered first. Default 50. No rollout.
	// +optional
	// +kubebuilder:default=50
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Priority *int32 `json:"priority,omitempty"`
	// skills that agents must have, or should have, to answer; at most 16. Default: none, every agent of the pools
	// that serve the queue may answer. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Skills []QueueSkill `json:"skills,omitempty"`
	// serviceLevel that the queue is measured by, in the figures and metrics of the router. Default: not measured.
	// No rollout.
	// +optional
	ServiceLevel *ServiceLevel `json:"serviceLevel,omitempty"`
	// relax: rings, in the order of their times, that widen who may answer the longer a conversation waits; 1 to 8.
	// Default: none, the queue asks for the same as long as it takes. No rollout.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Relax []Ring `json:"relax,omitempty"`
	// maxLength: conversations that may wait in the queue, 1 to 10000; for those beyond it the last step of overflow
	// is taken, whatever wait is predicted. Default: no limit. No rollout.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxLength *int32 `json:"maxLength,omitempty"`
	// maxWait: time after which the last step of overflow is taken for a conversation, whatever wait is predicted,
	// 1s to 24h. Default: no limit. No rollout.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",messageExpression="'maxWait is ' + self + ': use 1s to 24h'",message="use 1s to 24h"
	MaxWait *Duration `json:"maxWait,omitempty"`
	// overflow is the degradation ladder: steps, in the order of predicted waits, that are taken when the wait that is
	// predicted for a conversation reaches them; 1 to 8. Default: none, customers wait. No rollout.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Overflow []OverflowStep `json:"overflow,omitempty"`
	// announce: what waiting customers are told: PositionAndWait, Position or Nothing. Default PositionAndWait.
	// No rollout.
	// +optional
	// +kubebuilder:default=PositionAndWait
	Announce Announcement `json:"announce,omitempty"`
}

// ContactTier is a kind of contact whose conversations go before others.
type ContactTier struct {
	// name of the tier, as bridges and contact tokens give it in the attribute "tier", for example "gold". Required.
	// +required
	Name DNSLabel `json:"name"`
	// priority that is added to that of the queue, 1 to 100; the sum is at most 100. A priority that a rule gives counts
	// instead. Required. No rollout.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Priority int32 `json:"priority"`
}

// Routing holds the rules of matching that are one for a desk.
type Routing struct {
	// ageingPerMinute: points that a minute of waiting adds to a conversation's score, 1 to 100. One rate holds for
	// all queues, so that the order of two waiting conversations never changes, and who came 100/ageingPerMinute
	// minutes earlier is never overtaken. Default 1. No rollout.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	AgeingPerMinute int32 `json:"ageingPerMinute,omitempty"`
	// stickyFor: a contact who returns within this time after a conversation is offered to the same agent first,
	// 0s (off) to 720h. Default 0s. No rollout.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('720h')",messageExpression="'stickyFor is ' + self + ': use 0s to 720h'",message="use 0s to 720h"
	StickyFor *Duration `json:"stickyFor,omitempty"`
	// reopenFor: a conversation that goes on within this time after its end is offered to its last agent first, 1s to
	// 168h. Default 10m. No rollout.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('168h')",messageExpression="'reopenFor is ' + self + ': use 1s to 168h'",message="use 1s to 168h"
	ReopenFor *Duration `json:"reopenFor,omitempty"`
	// tiers of contacts whose conversations go before others, at most 16. A contact of a tier that is not among them is
	// served like one without. Default: none. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Tiers []ContactTier `json:"tiers,omitempty"`
}
