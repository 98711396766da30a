package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EntryID names an entry of a knowledge base.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^[a-z0-9][a-z0-9._-]*$`
type EntryID string

// Question is one way to ask for an entry.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=500
// +kubebuilder:validation:Pattern=`^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$`
type Question string

// Label is a word that groups entries.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^[a-z0-9][a-z0-9._-]*$`
type Label string

// Entry is one answer and the ways to ask for it.
type Entry struct {
	// id of the entry, unique in the knowledge base; the bot cites it. Required.
	// +required
	ID EntryID `json:"id"`
	// questions: ways to ask for this entry, 1 to 50. Required.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Questions []Question `json:"questions"`
	// answer in Markdown, 1 to 8000 characters. Required.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8000
	// +kubebuilder:validation:Pattern=`^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$`
	Answer string `json:"answer"`
	// language of the entry, for example "en" or "zh". Default: detected from the questions.
	// +optional
	Language Language `json:"language,omitempty"`
	// labels that group entries, at most 16. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Labels []Label `json:"labels,omitempty"`
}

// KnowledgeSources are the places that entries come from. Ids are unique over all of them.
//
// +kubebuilder:validation:XValidation:rule="(has(self.inline) && size(self.inline) > 0) || (has(self.configMaps) && size(self.configMaps) > 0)",message="sources is empty: give entries in sources.inline or name ConfigMaps in sources.configMaps"
type KnowledgeSources struct {
	// inline: entries in the object itself, at most 200. Default: none. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=200
	Inline []Entry `json:"inline,omitempty"`
	// configMaps in the same namespace, at most 16. Default: none. The value of each key is a YAML list of entries with the
	// fields of inline. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	ConfigMaps []LocalObjectReference `json:"configMaps,omitempty"`
}

// KnowledgeBaseSpec is the desired state of a knowledge base.
type KnowledgeBaseSpec struct {
	// suspend stops the operator's work on this knowledge base; desks keep serving the last revision. Default false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
	// sources of the entries. Required.
	// +required
	Sources KnowledgeSources `json:"sources"`
}

// KnowledgeBaseStatus is the observed state of a knowledge base.
type KnowledgeBaseStatus struct {
	CommonStatus `json:",inline"`
	// entries of the current revision.
	// +optional
	Entries int32 `json:"entries"`
	// languages of the entries, with the number of entries of each, for example "en: 40, zh: 35".
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Languages string `json:"languages,omitempty"`
	// revision is the content hash of the last good set of entries; desks serve it.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Revision string `json:"revision,omitempty"`
}

// KnowledgeBase is a set of entries that bots answer from.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=kb,categories=deskfleet
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Entries",type=integer,JSONPath=`.status.entries`
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.status.revision`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Languages",type=string,priority=1,JSONPath=`.status.languages`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="metadata.name is longer than 63 characters or holds a dot: shorten it or use hyphens, as the name stands in labels and bus subjects"
type KnowledgeBase struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the desired state. Required.
	// +required
	Spec KnowledgeBaseSpec `json:"spec"`
	// status is the observed state, written by the operator alone.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status KnowledgeBaseStatus `json:"status,omitempty"`
}

// KnowledgeBaseList is a list of knowledge bases.
//
// +kubebuilder:object:root=true
type KnowledgeBaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []KnowledgeBase `json:"items"`
}
