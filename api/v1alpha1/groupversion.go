package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of the four kinds.
const GroupName = "deskfleet.dev"

// Kinds of the group.
const (
	KindServiceDesk      = "ServiceDesk"
	KindAgentPool        = "AgentPool"
	KindKnowledgeBase    = "KnowledgeBase"
	KindEscalationPolicy = "EscalationPolicy"
)

var (
	// SchemeGroupVersion is the group and version of this package. Generated
	// code reads it by this name.
	SchemeGroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

	schemeBuilder = runtime.NewSchemeBuilder(func(scheme *runtime.Scheme) error {
		scheme.AddKnownTypes(SchemeGroupVersion,
			&ServiceDesk{}, &ServiceDeskList{},
			&AgentPool{}, &AgentPoolList{},
			&KnowledgeBase{}, &KnowledgeBaseList{},
			&EscalationPolicy{}, &EscalationPolicyList{},
		)
		metav1.AddToGroupVersion(scheme, SchemeGroupVersion)
		return nil
	})

	// AddToScheme registers the four kinds with a scheme.
	AddToScheme = schemeBuilder.AddToScheme
)
