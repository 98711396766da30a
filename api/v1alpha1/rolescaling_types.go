package v1alpha1

// RoleBounds bound the pods of a role that follow its load.
type RoleBounds struct {
	// min pods, 1 to 50. Default 2.
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=50
	Min int32 `json:"min,omitempty"`
	// max pods, 1 to 50, at least min. Required.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=50
	Max int32 `json:"max"`
}

// GatewayScaling lets the gateways follow the connections of customers.
//
// +kubebuilder:validation:XValidation:rule="!has(self.min) || self.min <= self.max",message="min is above max: lower min or raise max",fieldPath=".min"
type GatewayScaling struct {
	RoleBounds `json:",inline"`
	// connectionsPerReplica: open chats that one pod takes, 10 to 15000. Default 5000.
	// +optional
	// +kubebuilder:default=5000
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=15000
	ConnectionsPerReplica int32 `json:"connectionsPerReplica,omitempty"`
}

// ConsoleScaling lets the consoles follow the people who are signed on.
//
// +kubebuilder:validation:XValidation:rule="!has(self.min) || self.min <= self.max",message="min is above max: lower min or raise max",fieldPath=".min"
type ConsoleScaling struct {
	RoleBounds `json:",inline"`
	// agentsPerReplica: people signed on that one pod takes, 5 to 5000. Default 200.
	// +optional
	// +kubebuilder:default=200
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=5000
	AgentsPerReplica int32 `json:"agentsPerReplica,omitempty"`
}

// KnowledgeScaling lets the knowledge role follow the rate of searches.
//
// +kubebuilder:validation:XValidation:rule="!has(self.min) || self.min <= self.max",message="min is above max: lower min or raise max",fieldPath=".min"
type KnowledgeScaling struct {
	RoleBounds `json:",inline"`
	// queriesPerSecondPerReplica: searches a second that one pod takes, over a minute, 1 to 10000. Default 50.
	// +optional
	// +kubebuilder:default=50
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	QueriesPerSecondPerReplica int32 `json:"queriesPerSecondPerReplica,omitempty"`
}

// GatewayRole is the role that customers connect to.
type GatewayRole struct {
	ReplicatedRoleSpec `json:",inline"`
	// scaling by connections. With it replicas says nothing, and the operator's decision has a field owner of its own.
	// Default: none, replicas are fixed. No rollout.
	// +optional
	Scaling *GatewayScaling `json:"scaling,omitempty"`
}

// ConsoleRole is the role that agents connect to.
type ConsoleRole struct {
	ReplicatedRoleSpec `json:",inline"`
	// scaling by people who are signed on. With it replicas says nothing, and the operator's decision has a field owner
	// of its own. Default: none, replicas are fixed. No rollout.
	// +optional
	Scaling *ConsoleScaling `json:"scaling,omitempty"`
}

// KnowledgeRole is the role that searches the knowledge bases.
type KnowledgeRole struct {
	ReplicatedRoleSpec `json:",inline"`
	// scaling by searches. With it replicas says nothing, and the operator's decision has a field owner of its own.
	// Default: none, replicas are fixed. No rollout.
	// +optional
	Scaling *KnowledgeScaling `json:"scaling,omitempty"`
}

// RoleStatus is what the operator decided about the pods of a role that scales.
type RoleStatus struct {
	// name of the role: gateway, console or knowledge.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Name string `json:"name"`
	// replicas that are wanted.
	// +required
	Replicas int32 `json:"replicas"`
	// load by which it was decided, in connections, people or searches a second, rounded up. Absent while it is not known.
	// +optional
	Load *int32 `json:"load,omitempty"`
	// reason in words.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`
}
