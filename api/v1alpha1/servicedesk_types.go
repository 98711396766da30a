package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Profile says how a desk's roles are spread over pods.
//
// +kubebuilder:validation:Enum=Distributed;Compact
type Profile string

const (
	// ProfileDistributed runs a workload for each role, highly available where replicas say so.
	ProfileDistributed Profile = "Distributed"
	// ProfileCompact runs all roles but the bots in one pod with one volume, for small tenants.
	ProfileCompact Profile = "Compact"
)

// DeletionPolicy says what becomes of a desk's volumes when the desk is deleted.
//
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

const (
	// DeletionPolicyRetain keeps the claims of bus and archive.
	DeletionPolicyRetain DeletionPolicy = "Retain"
	// DeletionPolicyDelete deletes the claims with the desk.
	DeletionPolicyDelete DeletionPolicy = "Delete"
)

// ExposureType is the API by which a desk is exposed.
//
// +kubebuilder:validation:Enum=Ingress;HTTPRoute
type ExposureType string

const (
	// ExposureIngress makes an Ingress.
	ExposureIngress ExposureType = "Ingress"
	// ExposureHTTPRoute makes a Gateway API HTTPRoute.
	ExposureHTTPRoute ExposureType = "HTTPRoute"
)

// Origin is the origin of a web page, for example "https://shop.example.com".
//
// +kubebuilder:validation:MinLength=8
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^https?://[A-Za-z0-9*]([-A-Za-z0-9.*]*[A-Za-z0-9])?(:[0-9]{1,5})?$`
type Origin string

// WebChatChannel is chat in a web page.
type WebChatChannel struct {
	// allowedOrigins: pages that may open the chat, at most 32, for example "https://shop.example.com";
	// "*" stands for any run of characters in a host name. Default: only the desk's own pages. No rollout.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	AllowedOrigins []Origin `json:"allowedOrigins,omitempty"`
	// maxMessageLength: longest message of a customer, in characters, 1 to 8000; a longer one is refused
	// with status 413. Default 2000. No rollout.
	// +optional
	// +kubebuilder:default=2000
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=8000
	MaxMessageLength int32 `json:"maxMessageLength,omitempty"`
	// messagesPerMinute a contact may send, 1 to 600; more are refused with status 429 and a time to wait.
	// Default 60. No rollout.
	// +optional
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=600
	MessagesPerMinute int32 `json:"messagesPerMinute,omitempty"`
}

// Channels are the ways by which customers reach the desk.
type Channels struct {
	// webChat: chat in a web page. Default: on, for the desk's own pages.
	// +optional
	// +kubebuilder:default={}
	WebChat *WebChatChannel `json:"webChat,omitempty"`
	// webhook: any messenger, through a bridge that posts signed messages and is posted the answers. Default: none.
	// +optional
	Webhook *WebhookChannel `json:"webhook,omitempty"`
}

// ArchiveRole keeps closed conversations and the audit table.
type ArchiveRole struct {
	RoleSpec `json:",inline"`
	// storage of the SQLite database. Default 4Gi. No effect with postgres, nor with profile Compact, whose one volume
	// is bus.storage.
	// +optional
	// +kubebuilder:default={}
	Storage *Storage `json:"storage,omitempty"`
	// postgres: keep everything in a PostgreSQL outside the desk; the archive has no volume then. Default: SQLite on
	// a volume. The choice is immutable.
	// +optional
	Postgres *ArchivePostgres `json:"postgres,omitempty"`
}

// ArchivePostgres is a PostgreSQL database, or a schema in one, for one desk alone.
type ArchivePostgres struct {
	// dsnSecretRef names a Secret in the desk's namespace with the key "dsn", for example
	// "postgres://desk:PASSWORD@db.example.com:5432/desk?sslmode=verify-full". It is mounted, never read by the
	// operator, and may come later: until then the archive stores nothing and nothing leaves the bus. A new password
	// in it needs no restart; a change of the reference rolls the archive out. Required.
	// +required
	DSNSecretRef LocalObjectReference `json:"dsnSecretRef"`
	// port of the server, 1 to 65535, to which the desk's network policy lets the archive connect: the operator does
	// not know the DSN. Default 5432. No rollout.
	// +optional
	// +kubebuilder:default=5432
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}

// ExternalBus is a NATS system outside the desk.
type ExternalBus struct {
	// urls of the NATS servers, at most 8, for example "tls://nats.example.com:4222". Required. A change rolls all roles out.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	URLs []BusURL `json:"urls"`
	// credentialsSecretRef names a Secret in the desk's namespace with the key "nats.creds", and "ca.crt"
	// where the servers' certificate is not publicly trusted. The Secret is mounted, never read by the operator.
	// Required.
	// +required
	CredentialsSecretRef LocalObjectReference `json:"credentialsSecretRef"`
}

// BusURL is the address of a NATS server.
//
// +kubebuilder:validation:MinLength=8
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^(nats|tls)://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?$`
type BusURL string

// BusRole carries all messages of the desk.
//
// +kubebuilder:validation:XValidation:rule="!has(self.replicas) || self.replicas != 2",message="bus.replicas is 2: use 1 (one server) or 3 (a cluster that survives the loss of one)",fieldPath=".replicas"
// +kubebuilder:validation:XValidation:rule="!has(self.external) || !has(self.replicas) || self.replicas == 1",message="bus.external is set but bus.replicas is not 1: the desk runs no server then; remove replicas",fieldPath=".replicas"
type BusRole struct {
	RoleSpec `json:",inline"`
	// replicas: NATS servers, 1 or 3 (clustered, each message stored on all three). Default 1. Immutable,
	// as the membership of a running cluster is never changed by itself.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",messageExpression="'bus.replicas cannot change from ' + (oldSelf == 1 ? '1' : '3') + ' to ' + (self == 1 ? '1' : '3') + ': change it back, or make a new desk'",message="bus.replicas is immutable"
	Replicas int32 `json:"replicas,omitempty"`
	// storage of the open conversations. Default 4Gi.
	// +optional
	// +kubebuilder:default={}
	Storage *Storage `json:"storage,omitempty"`
	// external: use a NATS system outside the desk instead of running one. Default: run one.
	// +optional
	External *ExternalBus `json:"external,omitempty"`
}

// GatewayReference names the Gateway that an HTTPRoute attaches to.
type GatewayReference struct {
	// name of the Gateway. Required.
	// +required
	Name ObjectName `json:"name"`
	// namespace of the Gateway. Default: the desk's. The Gateway's own allowedRoutes decide whether it accepts the route.
	// +optional
	Namespace *DNSLabel `json:"namespace,omitempty"`
}

// Exposure makes the desk reachable from outside the cluster: the chat on "/", the agents' console on "/console".
//
// +kubebuilder:validation:XValidation:rule="self.type != 'HTTPRoute' || has(self.gatewayRef)",message="exposure.type is HTTPRoute but gatewayRef is missing: name the Gateway in exposure.gatewayRef",fieldPath=".gatewayRef",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="self.type != 'HTTPRoute' || (!has(self.ingressClassName) && !has(self.tlsSecretName))",message="exposure.type is HTTPRoute but ingressClassName or tlsSecretName is set: both belong to Ingress, with a Gateway TLS is declared on its listener; remove them"
// +kubebuilder:validation:XValidation:rule="self.type != 'Ingress' || !has(self.gatewayRef)",message="exposure.type is Ingress but gatewayRef is set: remove it, or use type HTTPRoute",fieldPath=".gatewayRef",reason=FieldValueForbidden
type Exposure struct {
	// type of the object that is made: Ingress or HTTPRoute. Required.
	// +required
	Type ExposureType `json:"type"`
	// host name of the desk, for example "help.example.com". Required. No rollout.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$`
	Host string `json:"host"`
	// tlsSecretName: Secret of type kubernetes.io/tls for the host; Ingress only. Default: no TLS section,
	// for controllers that bring their own certificate. No rollout.
	// +optional
	TLSSecretName *ObjectName `json:"tlsSecretName,omitempty"`
	// ingressClassName of the Ingress. Default: the cluster's default class. No rollout.
	// +optional
	IngressClassName *ObjectName `json:"ingressClassName,omitempty"`
	// gatewayRef: the Gateway of the HTTPRoute; required with type HTTPRoute. No rollout.
	// +optional
	GatewayRef *GatewayReference `json:"gatewayRef,omitempty"`
}

// AgentsAuth says who may sign on to the console.
type AgentsAuth struct {
	// tokensSecretRef names a Secret in the desk's namespace. Its key "tokens.yaml" holds a list of
	// {name, role, token} with role agent, supervisor or admin. It is mounted, never read by the operator,
	// and may come later: until then nobody can sign on. A change of the reference rolls the console out,
	// a change of the content does not. Required.
	// +required
	TokensSecretRef LocalObjectReference `json:"tokensSecretRef"`
}

// Retention says how long the archive keeps closed conversations.
type Retention struct {
	// days that a closed conversation is kept, 1 to 3650. Default 365. No rollout.
	// +optional
	// +kubebuilder:default=365
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	Days int32 `json:"days,omitempty"`
}

// ServiceDeskSpec is the desired state of a desk.
//
// +kubebuilder:validation:XValidation:rule="!has(self.profile) || !has(oldSelf.profile) || self.profile == oldSelf.profile",messageExpression="'profile cannot change from ' + oldSelf.profile + ' to ' + self.profile + ': make a new desk and move the customers there'",message="profile is immutable",fieldPath=".profile"
// +kubebuilder:validation:XValidation:rule="!has(self.profile) || self.profile != 'Compact' || !has(self.bus) || ((!has(self.bus.replicas) || self.bus.replicas == 1) && !has(self.bus.external))",message="profile is Compact but bus.replicas is 3 or bus.external is set: the one pod runs its own bus; remove them or use profile Distributed",fieldPath=".bus"
// +kubebuilder:validation:XValidation:rule="!has(self.profile) || self.profile != 'Compact' || !(has(self.gateway) && has(self.gateway.scaling) || has(self.console) && has(self.console.scaling) || has(self.knowledge) && has(self.knowledge.scaling))",message="profile is Compact but gateway.scaling, console.scaling or knowledge.scaling is set: one pod runs all roles; remove them or use profile Distributed",fieldPath=".profile"
// +kubebuilder:validation:XValidation:rule="has(self.bus) && has(self.bus.external) == (has(oldSelf.bus) && has(oldSelf.bus.external)) || !has(self.bus) && !(has(oldSelf.bus) && has(oldSelf.bus.external))",message="bus.external cannot be added to or removed from a running desk, as its open conversations are on the bus: make a new desk",fieldPath=".bus"
// +kubebuilder:validation:XValidation:rule="(has(self.archive) && has(self.archive.postgres)) == (has(oldSelf.archive) && has(oldSelf.archive.postgres))",message="archive.postgres cannot be added to or removed from a running desk, as its closed conversations are in the other database: change it back, or make a new desk",fieldPath=".archive"
// +kubebuilder:validation:XValidation:rule="!has(self.defaultQueue) || !has(self.queues) || self.queues.exists(q, q.name == self.defaultQueue)",messageExpression="'defaultQueue is ' + self.defaultQueue + ', which is not among queues: add it there or name one of them'",message="defaultQueue must be one of queues",fieldPath=".defaultQueue"
type ServiceDeskSpec struct {
	// suspend stops the operator's work on this desk and on its pools; what runs goes on running. Default false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
	// displayName that customers see, at most 120 characters. Default: the desk's name. No rollout.
	// +optional
	// +kubebuilder:validation:MaxLength=120
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	DisplayName string `json:"displayName,omitempty"`
	// languages that the desk speaks, the first is used when a customer's is not among them; at most 16.
	// Default ["en"]. No rollout.
	// +optional
	// +listType=atomic
	// +kubebuilder:default={"en"}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Languages []Language `json:"languages,omitempty"`
	// timeZone of the calendar and of the pools' shifts, an IANA name such as Asia/Shanghai. Default UTC. No rollout.
	// +optional
	// +kubebuilder:default=UTC
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z][-+A-Za-z0-9_]*(/[A-Za-z0-9][-+A-Za-z0-9_]*)*$`
	TimeZone string `json:"timeZone,omitempty"`
	// calendar: when people answer, and what happens when they do not. Default: they answer round the clock. No rollout.
	// +optional
	Calendar *Calendar `json:"calendar,omitempty"`
	// profile: Distributed (a workload a role) or Compact (one pod runs all roles but the bots, recovery by
	// restart). Default Distributed. Immutable.
	// +optional
	// +kubebuilder:default=Distributed
	Profile Profile `json:"profile,omitempty"`
	// channels by which customers reach the desk. Default: web chat on the desk's own pages. No rollout.
	// +optional
	// +kubebuilder:default={webChat: {}}
	Channels *Channels `json:"channels,omitempty"`
	// queues in which conversations wait for people, 1 to 50. Default: one queue named "general". No rollout.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:default={{name: "general"}}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:XValidation:rule="!self.exists(q, q.name == 'bot')",message="queues has a queue named bot: that name is the implicit queue in front of the bots; choose another"
	// +kubebuilder:validation:XValidation:rule="self.all(q, !has(q.overflow) || q.overflow.all(s, !has(s.queue) || self.exists(o, o.name == s.queue)))",message="overflow of a queue names a queue that is not among queues: add it there or name one of them"
	Queues []Queue `json:"queues,omitempty"`
	// routing: the rules of matching that are one for the desk. Default: a point a minute, no sticky agent. No rollout.
	// +optional
	// +kubebuilder:default={}
	Routing *Routing `json:"routing,omitempty"`
	// defaultQueue receives hand-offs for which no rule names a queue. Default: the first of queues. No rollout.
	// +optional
	DefaultQueue *DNSLabel `json:"defaultQueue,omitempty"`
	// escalationPolicyRef: the rules that say when a person takes over. Default: only on the customer's
	// request and when the bot does not know. No rollout.
	// +optional
	EscalationPolicyRef *LocalObjectReference `json:"escalationPolicyRef,omitempty"`
	// gateway: the role that customers connect to. Default: two pods.
	// +optional
	// +kubebuilder:default={}
	Gateway *GatewayRole `json:"gateway,omitempty"`
	// router: the role that decides who answers; one leads, the others stand by warm. Default: two pods.
	// +optional
	// +kubebuilder:default={}
	Router *ReplicatedRoleSpec `json:"router,omitempty"`
	// console: the role that agents connect to. Default: two pods.
	// +optional
	// +kubebuilder:default={}
	Console *ConsoleRole `json:"console,omitempty"`
	// knowledge: the role that searches the knowledge bases of the desk's bot pools. Default: two pods.
	// +optional
	// +kubebuilder:default={}
	Knowledge *KnowledgeRole `json:"knowledge,omitempty"`
	// archive: the role that keeps closed conversations and the audit table. Default: one pod with a volume of 4Gi.
	// +optional
	// +kubebuilder:default={}
	Archive *ArchiveRole `json:"archive,omitempty"`
	// bus: the role that carries and stores all messages of open conversations. Default: one server with a volume of 4Gi.
	// +optional
	// +kubebuilder:default={}
	Bus *BusRole `json:"bus,omitempty"`
	// exposure of the desk to the outside. Default: none, reach the Services inside the cluster.
	// +optional
	Exposure *Exposure `json:"exposure,omitempty"`
	// agentsAuth: who may sign on to the console. Default: nobody.
	// +optional
	AgentsAuth *AgentsAuth `json:"agentsAuth,omitempty"`
	// webhooks: receivers outside the desk that are told what happens in it, at most 8. Default: none.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Webhooks []Webhook `json:"webhooks,omitempty"`
	// retention of closed conversations. Default 365 days. No rollout.
	// +optional
	// +kubebuilder:default={}
	Retention *Retention `json:"retention,omitempty"`
	// deletionPolicy: Retain keeps the volume claims of bus and archive when the desk is deleted, Delete deletes them.
	// Default Retain.
	// +optional
	// +kubebuilder:default=Retain
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
	// image of all roles and of the desk's bot pools, so that an upgrade of the operator restarts no live chat.
	// Default: the operator's own image. A change rolls all roles out.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-zA-Z0-9._/:@]*[a-zA-Z0-9])?$`
	Image string `json:"image,omitempty"`
}

// ServiceDesk is a customer-service desk: channels for customers, queues, a console for agents, and the
// workloads that run them.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=desk,categories=deskfleet
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Workloads",type=string,JSONPath=`.status.workloads`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waiting`,description="Conversations that wait in all queues"
// +kubebuilder:printcolumn:name="Agents",type=integer,JSONPath=`.status.agents.online`,description="People who are signed on and may be given conversations"
// +kubebuilder:printcolumn:name="Profile",type=string,JSONPath=`.spec.profile`
// +kubebuilder:printcolumn:name="Chat",type=string,JSONPath=`.status.endpoints.chat`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Oldest",type=date,priority=1,JSONPath=`.status.oldestSince`,description="How long the longest waiting conversation has waited"
// +kubebuilder:printcolumn:name="Busy",type=integer,priority=1,JSONPath=`.status.agents.busy`,description="People who have a conversation"
// +kubebuilder:printcolumn:name="Linked",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Linked")].status`,description="Whether the desk reports figures"
// +kubebuilder:printcolumn:name="StorageLow",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="StorageLow")].status`,description="True when the archive's volume is filling up"
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Console",type=string,priority=1,JSONPath=`.status.endpoints.console`
// +kubebuilder:printcolumn:name="Configuration",type=string,priority=1,JSONPath=`.status.configurationRevision`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="metadata.name is longer than 63 characters or holds a dot: shorten it or use hyphens, as the name stands in labels and bus subjects"
type ServiceDesk struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the desired state. An empty spec is a desk with one queue.
	// +optional
	// +kubebuilder:default={}
	Spec ServiceDeskSpec `json:"spec,omitempty"`
	// status is the observed state, written by the operator alone.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status ServiceDeskStatus `json:"status,omitempty"`
}

// ServiceDeskList is a list of desks.
//
// +kubebuilder:object:root=true
type ServiceDeskList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ServiceDesk `json:"items"`
}
