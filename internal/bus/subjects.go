package bus

import (
	"fmt"
	"strings"
)

// Party is the side that speaks: the second last token of intents, heartbeats
// and offers. It stands in the subject, not only in the body, so that the
// server's permissions can keep a bot from speaking as a person.
type Party string

// Parties of a desk.
const (
	// PartyCustomer speaks through the gateway.
	PartyCustomer Party = "customer"
	// PartyBot is a bot worker.
	PartyBot Party = "bot"
	// PartyAgent is a person who speaks through the console.
	PartyAgent Party = "agent"
)

func (p Party) valid() bool {
	return p == PartyCustomer || p == PartyBot || p == PartyAgent
}

// Service is a request/reply service of a desk, answered by a queue group.
type Service string

// Services of a desk.
const (
	ServiceKnowledgeSearch   Service = "knowledge.search"
	ServiceArchiveTranscript Service = "archive.transcript"
	ServiceArchiveSearch     Service = "archive.search"
	ServiceArchiveAudit      Service = "archive.audit"
	ServiceArchiveStatus     Service = "archive.status"
	ServiceArchiveWebhooks   Service = "archive.webhooks"
	ServiceArchiveReport     Service = "archive.report"
)

// Services lists all services in a fixed order.
func Services() []Service {
	return []Service{ServiceKnowledgeSearch, ServiceArchiveTranscript, ServiceArchiveSearch, ServiceArchiveAudit, ServiceArchiveWebhooks, ServiceArchiveStatus, ServiceArchiveReport}
}

// QueueGroup of the pods that share the requests of a service.
func (s Service) QueueGroup() string {
	role, _, _ := strings.Cut(string(s), ".")
	return role
}

// Subjects names everything that one desk says on the bus. Make it with
// [NewSubjects]; the zero value is of no desk.
//
// The methods that take ids panic on an id that [ValidID] refuses: ids from
// outside are checked where they come in.
type Subjects struct {
	namespace, desk string
	tail            string // "<namespace>.<desk>" as tokens
	stream          string
}

// NewSubjects makes the names of one desk. Both names are Kubernetes names:
// lower-case letters, digits, "-", and in desk names "."; anything else is
// refused, because two desks must never share a subject.
func NewSubjects(namespace, desk string) (Subjects, error) {
	if !kubernetesName(namespace, false) {
		return Subjects{}, fmt.Errorf("namespace %q is not a Kubernetes namespace name: use 1 to 63 lower-case letters, digits and \"-\"", namespace)
	}
	if !kubernetesName(desk, true) {
		return Subjects{}, fmt.Errorf("desk name %q is not a Kubernetes name: use 1 to 253 lower-case letters, digits, \"-\" and \".\"", desk)
	}
	// "_" stands in no Kubernetes name, so that both replacements can be undone.
	d := strings.ReplaceAll(desk, ".", "_")
	return Subjects{
		namespace: namespace,
		desk:      desk,
		tail:      namespace + "." + d,
		stream:    "DESK_" + namespace + "_" + d,
	}, nil
}

// Namespace of the desk.
func (s Subjects) Namespace() string { return s.namespace }

// Desk is the name of the desk.
func (s Subjects) Desk() string { return s.desk }

// Stream is the name of the one stream that stores the desk's logs.
func (s Subjects) Stream() string { return s.stream }

// Stored lists the subjects of the stream.
func (s Subjects) Stored() []string {
	return []string{s.Conversations(), s.Decisions(), s.Claims(), s.Audit(), s.AllLearned()}
}

// Messages of a conversation: what was said.
func (s Subjects) Messages(conversation string) string {
	return "cv." + s.tail + "." + token("conversation", conversation) + ".msg"
}

// Ownership of a conversation: owner and state, written by the leading router only.
func (s Subjects) Ownership(conversation string) string {
	return "cv." + s.tail + "." + token("conversation", conversation) + ".own"
}

// Conversation matches both subjects of one conversation.
func (s Subjects) Conversation(conversation string) string {
	return "cv." + s.tail + "." + token("conversation", conversation) + ".*"
}

// AllMessages matches the messages of all conversations.
func (s Subjects) AllMessages() string { return "cv." + s.tail + ".*.msg" }

// AllOwnership matches the ownership of all conversations.
func (s Subjects) AllOwnership() string { return "cv." + s.tail + ".*.own" }

// Conversations matches both subjects of all conversations.
func (s Subjects) Conversations() string { return "cv." + s.tail + ".*.*" }

// Decisions is the desk's decision log.
func (s Subjects) Decisions() string { return "dk." + s.tail }

// Claim says which conversation of a contact is open on a channel. The
// contact is the raw id, see [ContactToken].
func (s Subjects) Claim(channel, contact string) string {
	return "ct." + s.tail + "." + token("channel", channel) + "." + ContactToken(contact)
}

// Claims matches the claims of all contacts.
func (s Subjects) Claims() string { return "ct." + s.tail + ".*.*" }

// Audit collects who did what. It is stored, so that nothing is lost while the
// archive, which takes it from there, does not run.
func (s Subjects) Audit() string { return "au." + s.tail }

// Learned holds what the managers learned of a pool, in its last message. Writers purge the messages before it.
func (s Subjects) Learned(pool string) string {
	if pool == "" || len(pool) > maxPoolName {
		panic(fmt.Sprintf("bus: pool %q has not 1 to %d bytes", pool, maxPoolName))
	}
	return "ln." + s.tail + "." + escapeToken(pool)
}

// AllLearned matches what was learned of all pools.
func (s Subjects) AllLearned() string { return "ln." + s.tail + ".*" }

// maxPoolName is the longest name that Kubernetes gives an object, in bytes.
const maxPoolName = 253

// Heartbeat of an agent, a bot worker or a person.
func (s Subjects) Heartbeat(p Party, agent string) string { return s.party("hb", p, agent) }

// Heartbeats matches those of all agents.
func (s Subjects) Heartbeats() string { return "hb." + s.tail + ".*.*" }

// Intent that someone sends to the router by request.
func (s Subjects) Intent(p Party, who string) string { return s.party("in", p, who) }

// Intents matches those of everyone.
func (s Subjects) Intents() string { return "in." + s.tail + ".*.*" }

// Offer pushes offers and assignments to one agent.
func (s Subjects) Offer(p Party, agent string) string { return s.party("of", p, agent) }

// Offers matches those to all agents of a party.
func (s Subjects) Offers(p Party) string { return "of." + s.tail + "." + string(p) + ".*" }

// Live carries what is not stored of a conversation: typing, place in the queue.
func (s Subjects) Live(conversation string) string {
	return "lv." + s.tail + "." + token("conversation", conversation)
}

// AllLive matches the live subjects of all conversations.
func (s Subjects) AllLive() string { return "lv." + s.tail + ".*" }

// Figures of the desk, each second.
func (s Subjects) Figures() string { return "fg." + s.tail }

// Leader carries the lease of the leading router to its standbys.
func (s Subjects) Leader() string { return "ld." + s.tail }

// Config pushes the configuration document.
func (s Subjects) Config() string { return "cf." + s.tail }

// ConfigGet asks for the configuration document.
func (s Subjects) ConfigGet() string { return "cf." + s.tail + ".get" }

// Request of a service.
func (s Subjects) Request(service Service) string { return "rq." + s.tail + "." + string(service) }

func (s Subjects) party(kind string, p Party, who string) string {
	if !p.valid() {
		panic(fmt.Sprintf("bus: party %q does not exist", p))
	}
	if who == "" || len(who) > MaxID {
		panic(fmt.Sprintf("bus: %s id %q has not 1 to %d bytes", p, who, MaxID))
	}
	return kind + "." + s.tail + "." + string(p) + "." + escapeToken(who)
}

// ValidID says whether an id can be a conversation or a channel in a subject:
// 1 to [MaxID] of [A-Za-z0-9_-].
func ValidID(id string) bool { return len(id) <= MaxID && safe(id) }

func token(field, id string) string {
	if !ValidID(id) {
		panic(fmt.Sprintf("bus: %s id %q has not 1 to %d of [A-Za-z0-9_-]", field, id, MaxID))
	}
	return id
}

// kubernetesName follows DNS labels and subdomains, RFC 1123.
func kubernetesName(name string, dots bool) bool {
	if dots {
		if len(name) > 253 {
			return false
		}
		for label := range strings.SplitSeq(name, ".") {
			if !dnsLabel(label, 253) {
				return false
			}
		}
		return true
	}
	return dnsLabel(name, 63)
}

func dnsLabel(label string, limit int) bool {
	if label == "" || len(label) > limit || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		if c := label[i]; !plain(c) || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}
