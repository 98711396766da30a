package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DeskEndpoints are the addresses of a desk.
type DeskEndpoints struct {
	// chat is the address of the customers' page.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Chat string `json:"chat,omitempty"`
	// console is the address of the agents' page.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Console string `json:"console,omitempty"`
}

// QueueStatus is what a desk reports of one of its queues.
type QueueStatus struct {
	// name of the queue; "bot" is the implicit one in front of the bots. Required.
	// +required
	Name DNSLabel `json:"name"`
	// waiting: conversations that wait in the queue, those on offer included.
	// +required
	Waiting int32 `json:"waiting"`
	// oldestSince: when the longest waiting one arrived, to the second. Absent when none waits.
	// +optional
	OldestSince *metav1.Time `json:"oldestSince,omitempty"`
	// expectedWait of who comes now, coarse, for example "90s". Absent while nothing tells, or nobody is there who may
	// serve the queue.
	// +optional
	ExpectedWait *Duration `json:"expectedWait,omitempty"`
	// serviceLevelPercent: share of the last five minutes' conversations that were answered within serviceLevel.within.
	// Absent where none is declared, and while nothing tells.
	// +optional
	ServiceLevelPercent *int32 `json:"serviceLevelPercent,omitempty"`
	// abandonedPercent: share of the same that was given up later than that.
	// +optional
	AbandonedPercent *int32 `json:"abandonedPercent,omitempty"`
	// overflowSteps of the queue's degradation ladder that apply by the predicted wait, 0 for none. Absent while it is
	// not known.
	// +optional
	OverflowSteps *int32 `json:"overflowSteps,omitempty"`
	// heldSteps of the ladder apply because a supervisor holds them; the desk's audit log has who and why. Absent while
	// nobody holds any.
	// +optional
	// +listType=map
	// +listMapKey=step
	// +kubebuilder:validation:MaxItems=8
	HeldSteps []HeldStepStatus `json:"heldSteps,omitempty"`
}

// HeldStepStatus is a step of a queue's degradation ladder that a supervisor holds.
type HeldStepStatus struct {
	// step of the queue's overflow, from 1.
	// +required
	Step int32 `json:"step"`
	// action of the step.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Action string `json:"action"`
	// target: the pool or the queue that the action names. Absent for others.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Target string `json:"target,omitempty"`
	// until: when it ends by itself.
	// +required
	Until metav1.Time `json:"until"`
}

// AgentsStatus is what a desk reports of its people, in all pools, each counted once.
type AgentsStatus struct {
	// online: people who are signed on and may be given conversations.
	// +required
	Online int32 `json:"online"`
	// busy: people who have a conversation, or are offered one; they may be away.
	// +required
	Busy int32 `json:"busy"`
}

// ServiceDeskStatus is the observed state of a desk. Figures of its customers and agents are at most half a minute
// older than what the desk reported last. They are absent while nothing newer than 15 seconds is known: the
// condition Linked tells since when.
type ServiceDeskStatus struct {
	CommonStatus `json:",inline"`
	// waiting: conversations that wait in all queues, that of the bots included. Absent while it is not known.
	// +optional
	Waiting *int32 `json:"waiting,omitempty"`
	// oldestSince: when the longest waiting one of all queues arrived, to the second. Absent when none waits, and
	// while it is not known.
	// +optional
	OldestSince *metav1.Time `json:"oldestSince,omitempty"`
	// queues of the spec in their order, behind the implicit one of the bots, as far as the desk has reported them.
	// Absent while nothing is known.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=51
	Queues []QueueStatus `json:"queues,omitempty"`
	// agents: the people of the desk. Bot workers are in the status of their pools. Absent while it is not known.
	// +optional
	Agents *AgentsStatus `json:"agents,omitempty"`
	// roles that scale, with what was decided about each. Absent where none does.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Roles []RoleStatus `json:"roles,omitempty"`
	// endpoints of the desk: outside the cluster where exposure asks for it, else inside.
	// +optional
	Endpoints *DeskEndpoints `json:"endpoints,omitempty"`
	// configurationRevision is the content hash of the configuration that the roles are given.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ConfigurationRevision string `json:"configurationRevision,omitempty"`
	// workloads that are available and wanted, for example "6/7".
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Workloads string `json:"workloads,omitempty"`
}
