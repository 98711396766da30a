package v1alpha1

import (
	"time"

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

// Duration is a span of time in hours, minutes and seconds, for example "20s", "10m" or "1h30m".
//
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=16
// +kubebuilder:validation:Pattern=`^([0-9]{1,4}h)?([0-9]{1,4}m)?([0-9]{1,5}s)?$`
type Duration string

// Span is the duration as Go counts it; 0 for what the schema refuses.
func (d Duration) Span() time.Duration {
	span, err := time.ParseDuration(string(d))
	if err != nil {
		return 0
	}
	return span
}

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
	// +kubebuilder:validation:Pattern=`^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$`
	Text string `json:"text"`
}

// ResourceAmounts is an amount of CPU and memory.
//
// +kubebuilder:validation:XValidation:rule="!has(self.cpu) || [quantity(string(self.cpu))].all(q, q.compareTo(quantity('1m')) >= 0 && q.compareTo(quantity('256')) <= 0)",messageExpression="string(self.cpu) + ' is outside 1m to 256: give cores, for example 250m'",message="cpu is outside 1m to 256: give cores, for example 250m",fieldPath=".cpu"
// +kubebuilder:validation:XValidation:rule="!has(self.memory) || [quantity(string(self.memory))].all(q, q.compareTo(quantity('16Mi')) >= 0 && q.compareTo(quantity('1Ti')) <= 0)",messageExpression="string(self.memory) + ' is outside 16Mi to 1Ti: give bytes, for example 128Mi'",message="memory is outside 16Mi to 1Ti: give bytes, for example 128Mi",fieldPath=".memory"
type ResourceAmounts struct {
	// cpu in cores, 1m to 256, for example "250m". Default: the operator's sizing table.
	// +optional
	CPU *resource.Quantity `json:"cpu,omitempty"`
	// memory in bytes, 16Mi to 1Ti, for example "128Mi". Default: the operator's sizing table.
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`
}

// Resources are the requests and limits of one role's container. What is left
// out comes from the operator's sizing table.
//
// +kubebuilder:validation:XValidation:rule="!has(self.requests) || !has(self.limits) || !has(self.requests.cpu) || !has(self.limits.cpu) || quantity(string(self.requests.cpu)).compareTo(quantity(string(self.limits.cpu))) <= 0",message="requests.cpu is above limits.cpu: lower the request or raise the limit",fieldPath=".requests.cpu"
// +kubebuilder:validation:XValidation:rule="!has(self.requests) || !has(self.limits) || !has(self.requests.memory) || !has(self.limits.memory) || quantity(string(self.requests.memory)).compareTo(quantity(string(self.limits.memory))) <= 0",message="requests.memory is above limits.memory: lower the request or raise the limit",fieldPath=".requests.memory"
type Resources struct {
	// requests that the scheduler reserves. Default: the operator's sizing table. A change rolls the role out.
	// +optional
	Requests *ResourceAmounts `json:"requests,omitempty"`
	// limits that the kubelet enforces; GOMEMLIMIT follows the memory limit. Default: the operator's sizing table.
	// A change rolls the role out.
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
//
// +kubebuilder:validation:XValidation:rule="self.operator != 'Exists' || !has(self.value) || self.value.size() == 0",messageExpression="'operator is Exists but value is ' + self.value + ': remove value, or use operator Equal'",message="value is for operator Equal only",fieldPath=".value",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="self.operator != 'Equal' || (has(self.key) && self.key.size() > 0)",message="operator is Equal but key is missing: name the taint's key, or use operator Exists to accept every taint",fieldPath=".key",reason=FieldValueRequired
type Toleration struct {
	// key of the taint, at most 317 characters. Empty with operator Exists matches every taint.
	// +optional
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^(([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`
	Key string `json:"key,omitempty"`
	// operator: Equal compares the value, Exists ignores it. Default Equal.
	// +optional
	// +kubebuilder:default=Equal
	Operator TolerationOperator `json:"operator,omitempty"`
	// value of the taint, at most 63 characters; only with operator Equal.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`
	Value string `json:"value,omitempty"`
	// effect of the taint; empty matches all effects.
	// +optional
	Effect TaintEffect `json:"effect,omitempty"`
}

// NodeLabelValue is the value of a node's label.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`
type NodeLabelValue string

// Placement says on which nodes the pods of a role may run. Spreading over
// nodes and zones is always asked for and needs no field.
type Placement struct {
	// nodeSelector: labels that a node must have, at most 16. Default: none. A change rolls the role out.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, !format.qualifiedName().validate(k).hasValue())",message="nodeSelector has a key that is no label name: use a name like kubernetes.io/arch"
	NodeSelector map[string]NodeLabelValue `json:"nodeSelector,omitempty"`
	// tolerations: taints that the pods accept, at most 16. Default: none. A change rolls the role out.
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
// +kubebuilder:validation:XValidation:rule="!has(self.size) || [quantity(string(self.size))].all(q, q.compareTo(quantity('64Mi')) >= 0 && q.compareTo(quantity('64Ti')) <= 0)",messageExpression="string(self.size) + ' is outside 64Mi to 64Ti: ask for a size in this range'",message="size is outside 64Mi to 64Ti: ask for a size in this range",fieldPath=".size"
// +kubebuilder:validation:XValidation:rule="!has(self.size) || !has(oldSelf.size) || quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) == 0",messageExpression="'size cannot change from ' + string(oldSelf.size) + ': the volume is made once; change it back and enlarge the claim itself where the storage class allows it, or make a new desk'",message="size is immutable",fieldPath=".size"
// +kubebuilder:validation:XValidation:rule="has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",messageExpression="'storageClassName cannot change from ' + (has(oldSelf.storageClassName) ? oldSelf.storageClassName : 'the default') + ' to ' + (has(self.storageClassName) ? self.storageClassName : 'the default') + ': the volume is made once; make a new desk'",message="storageClassName is immutable",fieldPath=".storageClassName"
type Storage struct {
	// size of the volume in bytes, 64Mi to 64Ti, for example "10Gi". Default 4Gi. Immutable, as the claim is made
	// once: to enlarge a volume, edit its claim.
	// +optional
	// +kubebuilder:default="4Gi"
	Size *resource.Quantity `json:"size,omitempty"`
	// storageClassName of the volume. Default: the operator's setting, else the cluster's default class. Immutable.
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
