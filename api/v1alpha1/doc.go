// Package v1alpha1 holds the four kinds of Deskfleet: ServiceDesk, AgentPool,
// KnowledgeBase and EscalationPolicy.
//
// A field stands here only once it works. Every string, list and map is
// bounded, so that the cost of the CEL rules stays within the API server's
// budget and no object grows past what etcd stores.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package="applyconfiguration"
// +groupName=deskfleet.dev
package v1alpha1
