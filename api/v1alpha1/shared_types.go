package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DNSLabel is a name of at most 63 characters: lower-case letters, digits and
// hyphens, beginning and ending with a letter or a digit.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
type DNSLabel string

// ObjectName is the name of another object in the same namespace.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
type ObjectName string

// Language is a language tag as in BCP 47, for example "en", "zh" or "zh-TW".
//
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=16
// +kubebuilder:validation:Pattern=`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`
type Language string

// LocalObjectReference names an object in the namespace of the object that
// holds the reference; references never cross namespaces.
type LocalObjectReference struct {
	// name of the object. Required.
	// +required
	Name ObjectName `json:"name"`
}

// LocalizedText is one text in one language.
type LocalizedText struct {
	// language of the text, for example "en" or "zh". Required.
	// +required
	Language Language `json:"language"`
	// text as the customer reads it, 1 to 2000 characters. Required.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2000
	Text string `json:"text"`
}

// ResourceAmounts is an amount of CPU and memory.
type ResourceAmounts struct {
	// cpu in cores, for example "250m". Default: the operator's sizing table.
	// +optional
	CPU *resource.Quantity `json:"cpu,omitempty"`
	// memory in bytes, for example "128Mi". Default: the operator's sizing table.
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`
}

// Resources are the requests and limits of one role's container. What is left
// out comes from the operator's sizing table.
type Resources struct {
	// requests that the scheduler reserves. A change rolls the role out.
	// +optional
	Requests *ResourceAmounts `json:"requests,omitempty"`
	// limits that the kubelet enforces; GOMEMLIMIT follows the memory limit. A change rolls the role out.
	// +optional
	Limits *ResourceAmounts `json:"limits,omitempty"`
}

// TolerationOperator says how a toleration's key is compared.
//
// +kubebuilder:validation:Enum=Exists;Equal
type TolerationOperator string

// TaintEffect is the effect of a taint that a toleration matches.
//
// +kubebuilder:validation:Enum=NoSchedule;PreferNoSchedule;NoExecute
type TaintEffect string

// Toleration lets the pods of a role run on nodes with a matching taint.
type Toleration struct {
	// key of the taint, at most 253 characters. Empty with operator Exists matches every taint.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
	// operator: Equal compares the value, Exists ignores it. Default Equal.
	// +optional
	// +kubebuilder:default=Equal
	Operator TolerationOperator `json:"operator,omitempty"`
	// value of the taint, at most 63 characters; only with operator Equal.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Value string `json:"value,omitempty"`
	// effect of the taint; empty matches all effects.
	// +optional
	Effect TaintEffect `json:"effect,omitempty"`
}

// NodeLabelValue is the value of a node's label.
//
// +kubebuilder:validation:MaxLength=63
type NodeLabelValue string

// Placement says on which nodes the pods of a role may run. Spreading over
// nodes and zones is always asked for and needs no field.
type Placement struct {
	// nodeSelector: labels that a node must have, at most 16. A change rolls the role out.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	NodeSelector map[string]NodeLabelValue `json:"nodeSelector,omitempty"`
	// tolerations: taints that the pods accept, at most 16. A change rolls the role out.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Tolerations []Toleration `json:"tolerations,omitempty"`
}

// RoleSpec is what each role of a desk can be given.
type RoleSpec struct {
	// resources of the role's container. Default: the operator's sizing table.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
	// placement of the role's pods. Default: any node, spread over nodes and zones.
	// +optional
	Placement *Placement `json:"placement,omitempty"`
}

// ReplicatedRoleSpec is a role that runs as several equal pods.
type ReplicatedRoleSpec struct {
	RoleSpec `json:",inline"`
	// replicas: pods of the role, 1 to 50. From 2 on a PodDisruptionBudget keeps all but one
	// running through node drains. Default 2. No effect with profile Compact.
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=50
	Replicas int32 `json:"replicas,omitempty"`
}

// Storage is the volume of a role that keeps data.
//
// +kubebuilder:validation:XValidation:rule="!has(self.size) || (quantity(self.size).isGreaterThan(quantity('63Mi')) && quantity(self.size).isLessThan(quantity('65Ti')))",messageExpression="'size ' + string(self.size) + ' is outside 64Mi to 64Ti: ask for a size in this range'",message="size must be 64Mi to 64Ti"
type Storage struct {
	// size of the volume in bytes, 64Mi to 64Ti, for example "10Gi". Claims are made once: a later change
	// is for new claims only. Default 4Gi.
	// +optional
	// +kubebuilder:default="4Gi"
	Size *resource.Quantity `json:"size,omitempty"`
	// storageClassName of the volume. Default: the operator's setting, else the cluster's default class.
	// +optional
	StorageClassName *ObjectName `json:"storageClassName,omitempty"`
}

// CommonStatus is what the status of each kind holds.
type CommonStatus struct {
	// observedGeneration is the generation of the spec that the conditions speak of; -1 before the
	// operator has seen the object for the first time.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions: Ready (True when the object does its job), Reconciling and Stalled (present only while True),
	// as kstatus reads them.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
