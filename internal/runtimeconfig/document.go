// Package runtimeconfig is the versioned document that tells a running desk
// what to do: one type for the control plane, which renders it, and for the
// roles, which read it. It holds no secret: secrets are mounted files.
package runtimeconfig

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/escalation"
)

// Version of the document's format. Roles read this version and the one
// before; a role that meets a newer one keeps what it has and says so.
const Version = 1

// FileName is the key of the boot copy in the desk's ConfigMap, and the name
// of the file that the roles read.
const FileName = "desk.json"

// Document is the whole configuration of one desk.
type Document struct {
	// Version of the format, see the constant.
	Version int `json:"version"`
	// Generation orders the documents of a desk: of two the greater one is newer. It is 0 where a document
	// travels one way only, such as a desk in one process; see docs/adr/0005-configuration-generation.md.
	Generation int64 `json:"generation,omitempty"`
	// Namespace and Desk name the desk; they stand in every bus subject.
	Namespace string `json:"namespace"`
	Desk      string `json:"desk"`
	// DisplayName is what customers see.
	DisplayName string `json:"displayName"`
	// Languages of the desk, at least one; the first is the fallback.
	Languages []string `json:"languages"`
	// TimeZone of the calendar and of the shifts, an IANA name; empty is UTC.
	TimeZone string `json:"timeZone,omitempty"`
	// Calendar of the desk; nil is always open.
	Calendar *Calendar `json:"calendar,omitempty"`
	// Routing holds the desk-wide rules of matching.
	Routing Routing `json:"routing,omitzero"`
	// WebChat bounds the chat channel.
	WebChat WebChat `json:"webChat"`
	// Queues of people, at least one.
	Queues []Queue `json:"queues"`
	// DefaultQueue receives hand-offs that name no queue; it is one of Queues.
	DefaultQueue string `json:"defaultQueue"`
	// Pools of the desk, sorted by name.
	Pools []Pool `json:"pools,omitempty"`
	// Knowledge lists the content that the knowledge role serves, sorted by name.
	Knowledge []KnowledgeBase `json:"knowledge,omitempty"`
	// Rules of the escalation policy, in order.
	Rules []escalation.Rule `json:"rules,omitempty"`
	// RetentionDays that a closed conversation stays in the archive, at least 1.
	RetentionDays int `json:"retentionDays"`
	// Webhooks that the archive role tells what happens, those of channels included.
	Webhooks []Webhook `json:"webhooks,omitempty"`
	// Scaled are the roles whose replicas follow their load: they tell it.
	Scaled []Role `json:"scaled,omitempty"`
	// Bus says how the roles reach the bus.
	Bus Bus `json:"bus"`
	// Link says how the routers reach the managers; nil where there are none.
	Link *Link `json:"link,omitempty"`
}

// Link says how the routers reach the managers.
type Link struct {
	// Host name with an address a manager, which is the name in their certificate too.
	Host string `json:"host"`
	Port int    `json:"port"`
	// CA that signs their certificates: PEM, the present authority and the one before it.
	CA string `json:"ca"`
}

// WebChat bounds what customers may send.
type WebChat struct {
	// AllowedOrigins besides the desk's own pages; "*" matches any run of characters in a host name.
	AllowedOrigins []string `json:"allowedOrigins,omitempty"`
	// MaxMessageLength of a customer's message, in characters.
	MaxMessageLength int `json:"maxMessageLength"`
	// MessagesPerMinute that one contact may send.
	MessagesPerMinute int `json:"messagesPerMinute"`
}

// Queue of conversations that wait for a person.
type Queue struct {
	Name string `json:"name"`
	// Priority from 0 to 100: what the score of its conversations begins with.
	Priority int `json:"priority"`
	// Skills that agents must or should have.
	Skills []QueueSkill `json:"skills,omitempty"`
	// ServiceLevel promised; nil for none.
	ServiceLevel *ServiceLevel `json:"serviceLevel,omitempty"`
	// Relax are the rings, in order of their times.
	Relax []Relax `json:"relax,omitempty"`
	// MaxLength of the queue, and MaxWaitSeconds of a conversation: beyond them the last step of Overflow applies. 0 is no limit.
	MaxLength      int `json:"maxLength,omitempty"`
	MaxWaitSeconds int `json:"maxWaitSeconds,omitempty"`
	// Overflow is the degradation ladder, in order of the predicted waits.
	Overflow []Overflow `json:"overflow,omitempty"`
	// Announce says what waiting customers are told; empty is PositionAndWait.
	Announce Announce `json:"announce,omitempty"`
}

// PoolType is Bot or Human.
type PoolType string

// Types of pools.
const (
	PoolBot   PoolType = "Bot"
	PoolHuman PoolType = "Human"
)

// Pool of agents.
type Pool struct {
	Name string   `json:"name"`
	Type PoolType `json:"type"`
	// Concurrency is the number of slots of one agent.
	Concurrency int `json:"concurrency"`
	// Bot settings; set for type Bot only.
	Bot *BotSettings `json:"bot,omitempty"`
	// Human settings; set for type Human only.
	Human *HumanSettings `json:"human,omitempty"`
}

// BotSettings say how the bots of a pool answer.
type BotSettings struct {
	// KnowledgeBases that the bots search, by name.
	KnowledgeBases []string `json:"knowledgeBases,omitempty"`
	// MinConfidence from 0 to 1: below it the bot hands off.
	MinConfidence float64 `json:"minConfidence"`
	// Greeting opens a conversation, one text a language.
	Greeting []escalation.LocalisedText `json:"greeting,omitempty"`
}

// HumanSettings say who the agents are and what they serve.
type HumanSettings struct {
	// Members by the names of their tokens.
	Members []string `json:"members"`
	// Queues served, in order.
	Queues []string `json:"queues"`
	// OfferTimeoutSeconds after which a missed offer goes to the next agent.
	OfferTimeoutSeconds int `json:"offerTimeoutSeconds"`
	// Skills that all members have.
	Skills []AgentSkill `json:"skills,omitempty"`
	// Agents are overrides of single members, sorted by name.
	Agents []AgentSettings `json:"agents,omitempty"`
	// WrapUpSeconds that an agent has after a conversation; its slot stays taken.
	WrapUpSeconds int `json:"wrapUpSeconds,omitempty"`
	// MaxMisses is the number of offers missed in a row that sets an agent away; 0 stands for 1.
	MaxMisses int `json:"maxMisses,omitempty"`
	// Reserved slots of each agent, by queue.
	Reserved []Reserved `json:"reserved,omitempty"`
	// Weights of channels; 1 where none is given.
	Weights []Weight `json:"weights,omitempty"`
	// Shifts of the members; none: no limits.
	Shifts []Shift `json:"shifts,omitempty"`
	// ShiftEndGraceSeconds after the end of a shift what its members still have is handed over; nil for never.
	ShiftEndGraceSeconds *int `json:"shiftEndGraceSeconds,omitempty"`
	// Reserve tiers, in the order in which they are called in.
	Reserve []Reserve `json:"reserve,omitempty"`
}

// KnowledgeBase is the content of one knowledge base, cut into parts that fit
// the shards. The knowledge role swaps to a revision when all its parts match.
type KnowledgeBase struct {
	Name string `json:"name"`
	// Revision is the content hash of the entries.
	Revision string `json:"revision"`
	// Parts in order; joined and unzipped they are the JSON list of entries.
	Parts []KnowledgePart `json:"parts"`
}

// KnowledgePart is one file of the knowledge volume.
type KnowledgePart struct {
	// Path is the file below the knowledge folder.
	Path string `json:"path"`
	// SHA256 of the part's bytes, in hex.
	SHA256 string `json:"sha256"`
}

// Role is a subcommand of the binary that runs as a part of a desk.
type Role string

// Roles of a desk.
const (
	RoleGateway   Role = "gateway"
	RoleRouter    Role = "router"
	RoleBot       Role = "bot"
	RoleConsole   Role = "console"
	RoleKnowledge Role = "knowledge"
	RoleArchive   Role = "archive"
	RoleBus       Role = "bus"
	// RoleDesk runs all roles but the bots in one process (profile Compact).
	RoleDesk Role = "desk"
)

// ClientRoles are the roles that sign on to the bus, in a fixed order.
func ClientRoles() []Role {
	return []Role{RoleGateway, RoleRouter, RoleBot, RoleConsole, RoleKnowledge, RoleArchive}
}

// Bus says how the roles reach the bus.
type Bus struct {
	// URLs of the servers.
	URLs []string `json:"urls"`
	// Replicas that each stream is stored on: 1 or 3. For an external bus 0, "as many as the system has, at most 3".
	Replicas int `json:"replicas"`
	// External bus: sign on with mounted credentials instead of the role's NKey.
	External bool `json:"external,omitempty"`
	// Users: the public NKey of each role, which the bus accepts. Empty for an external bus.
	Users []BusUser `json:"users,omitempty"`
	// Routes between the servers of a cluster. Empty with one server.
	Routes []string `json:"routes,omitempty"`
	// MaxStoreBytes is the most that the bus keeps on its volume.
	MaxStoreBytes int64 `json:"maxStoreBytes,omitempty"`
}

// BusUser is a role that may sign on to the bus.
type BusUser struct {
	Role Role `json:"role"`
	// PublicKey is the public half of the role's NKey, beginning with "U".
	PublicKey string `json:"publicKey"`
}

// Marshal renders the document; equal documents give equal bytes.
func (d *Document) Marshal() ([]byte, error) {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false) // people read it, and rules are full of && and >
	if err := encoder.Encode(d); err != nil {
		return nil, fmt.Errorf("render the configuration of desk %s/%s: %w", d.Namespace, d.Desk, err)
	}
	return data.Bytes(), nil
}

// Revision is the content hash of a rendered document, 16 hexadecimal digits.
func Revision(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// NextGeneration is the generation of a document whose content differs from the
// one before it: greater, and by the clock, so that the order holds where the
// document before it was lost with the object that kept it.
func NextGeneration(before int64, now time.Time) int64 {
	return max(before+1, now.UnixMilli())
}

// ErrNewerVersion says that a document was written by a newer release than this one.
var ErrNewerVersion = errors.New("configuration was written by a newer release")

// Parse reads a rendered document. Unknown fields are ignored, as a
// neighbouring release may have written them.
func Parse(data []byte) (*Document, error) {
	var d Document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("%s is not a configuration document: %w", FileName, err)
	}
	if d.Version > Version+1 || d.Version < 1 {
		return nil, fmt.Errorf("%w: it has version %d, this release reads up to %d", ErrNewerVersion, d.Version, Version+1)
	}
	if d.Namespace == "" || d.Desk == "" || len(d.Queues) == 0 || len(d.Languages) == 0 {
		return nil, fmt.Errorf("%s names no namespace, desk, queue or language", FileName)
	}
	return &d, nil
}
