package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// HandOffAction hands the conversation to people.
type HandOffAction struct {
	// queue that receives the conversation. Default: the desk's defaultQueue. A queue that the desk does not
	// have is reported on the desk, and the rule uses the default queue meanwhile.
	// +optional
	Queue *DNSLabel `json:"queue,omitempty"`
}

// RuleActions are what a rule does when it matches.
//
// +kubebuilder:validation:XValidation:rule="has(self.handOff) || has(self.priority) || (has(self.say) && size(self.say) > 0)",message="then is empty: give at least one of handOff, priority, say"
type RuleActions struct {
	// handOff hands the conversation to people. Default: no.
	// +optional
	HandOff *HandOffAction `json:"handOff,omitempty"`
	// priority of the conversation from now on, 0 to 100, in place of its queue's. Default: unchanged.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Priority *int32 `json:"priority,omitempty"`
	// say: what the customer is told, one text a language, at most 16; the customer's language, else the
	// desk's first, is used. Default: nothing.
	// +optional
	// +listType=map
	// +listMapKey=language
	// +kubebuilder:validation:MaxItems=16
	Say []LocalizedText `json:"say,omitempty"`
}

// MatchMode says whether later rules are still looked at after a match.
//
// +kubebuilder:validation:Enum=Stop;Continue
type MatchMode string

const (
	// MatchStop ends the evaluation with this rule.
	MatchStop MatchMode = "Stop"
	// MatchContinue goes on to the next rule.
	MatchContinue MatchMode = "Continue"
)

// Rule says what happens when a condition holds.
type Rule struct {
	// name of the rule, unique in the policy; it stands in the reason of each decision. Required.
	// +required
	Name DNSLabel `json:"name"`
	// description for the reader, at most 500 characters. Default: none.
	// +optional
	// +kubebuilder:validation:MaxLength=500
	Description string `json:"description,omitempty"`
	// when: a CEL expression of type bool over the fact set (message, conversation), 1 to 1024 characters,
	// for example: message.text.matchesAny(["refund", "退款"]). Required.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	When string `json:"when"`
	// then: what the rule does. Required.
	// +required
	Then RuleActions `json:"then"`
	// onMatch: Stop ends the evaluation with this rule, Continue looks at later rules too; for an action that
	// several rules give, the first wins. Default Stop.
	// +optional
	// +kubebuilder:default=Stop
	OnMatch MatchMode `json:"onMatch,omitempty"`
}

// EscalationPolicySpec is the desired state of a policy.
type EscalationPolicySpec struct {
	// suspend stops the operator's work on this policy; desks keep running the last good one. Default false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
	// rules in order: the first that matches decides; 1 to 100. Required. A change reaches running desks within
	// seconds, without a rollout.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Rules []Rule `json:"rules"`
}

// EscalationPolicyStatus is the observed state of a policy.
type EscalationPolicyStatus struct {
	CommonStatus `json:",inline"`
	// rules of the last policy that compiled.
	// +optional
	Rules int32 `json:"rules"`
	// lastGoodGeneration is the generation of the last policy that compiled; desks run it. 0 while none has.
	// +optional
	LastGoodGeneration int64 `json:"lastGoodGeneration,omitempty"`
	// lastGoodRules are the rules of that generation. They stand here so that a desk that is made, or an operator
	// that restarts, while the spec does not compile still runs the last good policy.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	LastGoodRules []Rule `json:"lastGoodRules,omitempty"`
}

// EscalationPolicy is a list of rules that say when people take over from bots, and how fast.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=escalationpolicies,shortName=escpol,categories=deskfleet
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Rules",type=integer,JSONPath=`.status.rules`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Generation",type=integer,priority=1,JSONPath=`.status.lastGoodGeneration`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="metadata.name is longer than 63 characters or holds a dot: shorten it or use hyphens, as the name stands in labels and bus subjects"
type EscalationPolicy struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the desired state. Required.
	// +required
	Spec EscalationPolicySpec `json:"spec"`
	// status is the observed state, written by the operator alone.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status EscalationPolicyStatus `json:"status,omitempty"`
}

// EscalationPolicyList is a list of policies.
//
// +kubebuilder:object:root=true
type EscalationPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []EscalationPolicy `json:"items"`
}
