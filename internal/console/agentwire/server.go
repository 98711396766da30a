package agentwire

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// Types of the console's frames; presence, message and typing are as the client's.
const (
	TypeWelcome      = "welcome"
	TypeConversation = "conversation"
	TypeCaughtUp     = "caughtUp"
	TypeAck          = "ack"
	TypeDone         = "done"
	TypeError        = "error"
	TypeFigures      = "figures"
	TypePing         = "ping"
	TypeGoodbye      = socket.TypeGoodbye
)

// Relation of the agent to a conversation.
type Relation string

// Relations.
const (
	Offered Relation = "offered"
	Owned   Relation = "owned"
	// Watched: the agent has asked to see it, and may leave notes.
	Watched Relation = "watched"
	None    Relation = "none"
)

// Reads says whether an agent with the relation gets what is said.
func (r Relation) Reads() bool { return r == Owned || r == Watched }

// Welcome answers signIn.
type Welcome struct {
	Type   string    `json:"type"`
	V      int       `json:"v"`
	Agent  AgentCard `json:"agent"`
	Desk   DeskCard  `json:"desk"`
	Limits Limits    `json:"limits"`
}

// AgentCard is who signed in.
type AgentCard struct {
	ID string `json:"id"`
	// Role is agent, supervisor or admin.
	Role string `json:"role"`
}

// DeskCard is what a page shows of the desk.
type DeskCard struct {
	DisplayName string   `json:"displayName"`
	Languages   []string `json:"languages"`
	// Queues that conversations can be handed off to.
	Queues []string `json:"queues"`
}

// Limits of what an agent may send.
type Limits struct {
	MaxMessageBytes int `json:"maxMessageBytes"`
}

// PresenceFrame is the agent as the router sees it.
type PresenceFrame struct {
	Type     string   `json:"type"`
	Presence Presence `json:"presence"`
	// SignedOn is false until the router has confirmed, and when offline.
	SignedOn bool     `json:"signedOn"`
	Why      []string `json:"why,omitempty"`
	Slots    int      `json:"slots,omitempty"`
	Busy     int      `json:"busy,omitempty"`
	Pools    []string `json:"pools,omitempty"`
	Queues   []string `json:"queues,omitempty"`
}

// Conversation is a conversation and the agent's relation to it.
type Conversation struct {
	Type         string          `json:"type"`
	Conversation conversation.ID `json:"conversation"`
	Relation     Relation        `json:"relation"`
	// Anew is set when the sequence that the client resumed after is of another log: forget what was shown
	// of the conversation, everything comes again.
	Anew bool `json:"anew,omitempty"`
	Card Card `json:"card"`
}

// Card is what an agent sees of a conversation before reading it.
type Card struct {
	Status      conversation.Status `json:"status"`
	Queue       string              `json:"queue,omitempty"`
	Priority    int                 `json:"priority,omitempty"`
	Channel     string              `json:"channel,omitempty"`
	Contact     string              `json:"contact,omitempty"`
	ContactName string              `json:"contactName,omitempty"`
	Language    string              `json:"language,omitempty"`
	OpenedAt    time.Time           `json:"openedAt,omitzero"`
	// ArrivedAt in the queue.
	ArrivedAt time.Time `json:"arrivedAt,omitzero"`
	// Deadline of the offer.
	Deadline time.Time             `json:"deadline,omitzero"`
	HandOff  *conversation.HandOff `json:"handOff,omitempty"`
	// Why it was offered, given or taken.
	Why         []string `json:"why,omitempty"`
	Turns       int      `json:"turns,omitempty"`
	Misses      int      `json:"misses,omitempty"`
	Disposition string   `json:"disposition,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	// Agent who owns it or is asked.
	Agent *conversation.Agent `json:"agent,omitempty"`
	// Callback says that the customer waits for a call and may not be connected.
	Callback bool `json:"callback,omitempty"`
	// MergedInto is the conversation in which it goes on.
	MergedInto conversation.ID `json:"mergedInto,omitempty"`
}

// Message is something that was said, or a note.
type Message struct {
	Type          string                 `json:"type"`
	Conversation  conversation.ID        `json:"conversation"`
	Seq           uint64                 `json:"seq"`
	ID            conversation.ID        `json:"id"`
	At            time.Time              `json:"at"`
	From          conversation.Actor     `json:"from"`
	Text          string                 `json:"text"`
	Language      string                 `json:"language,omitempty"`
	ClientID      string                 `json:"clientId"`
	Entry         *conversation.Citation `json:"entry,omitempty"`
	Note          bool                   `json:"note,omitempty"`
	Missed        bool                   `json:"missed,omitempty"`
	AsksForPerson bool                   `json:"asksForPerson,omitempty"`
}

// CaughtUp says that all that was stored of an owned conversation has been sent.
type CaughtUp struct {
	Type         string          `json:"type"`
	Conversation conversation.ID `json:"conversation"`
	Seq          uint64          `json:"seq"`
}

// Ack says that a message is stored.
type Ack struct {
	Type         string          `json:"type"`
	Conversation conversation.ID `json:"conversation"`
	ClientID     string          `json:"clientId"`
	Seq          uint64          `json:"seq"`
	Duplicate    bool            `json:"duplicate,omitempty"`
}

// Done answers a request.
type Done struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// Error is a refusal.
type Error struct {
	Type         string           `json:"type"`
	ID           string           `json:"id,omitempty"`
	ClientID     string           `json:"clientId,omitempty"`
	Conversation conversation.ID  `json:"conversation,omitempty"`
	Problem      *problem.Problem `json:"problem"`
}

// Typing says that somebody is writing.
type Typing struct {
	Type         string             `json:"type"`
	Conversation conversation.ID    `json:"conversation"`
	From         conversation.Actor `json:"from"`
	On           bool               `json:"on"`
}

// Figures of the desk's queues and pools.
type Figures struct {
	Type   string                  `json:"type"`
	At     time.Time               `json:"at"`
	Queues []protocol.QueueFigures `json:"queues"`
	Pools  []protocol.PoolFigures  `json:"pools"`
}

// Ping shows that the connection lives.
type Ping struct {
	Type string `json:"type"`
}

// ServerFrame is any frame of the console, for clients: the fields of all types in one.
type ServerFrame struct {
	Type             string                 `json:"type"`
	V                int                    `json:"v"`
	ID               string                 `json:"id"`
	Agent            AgentCard              `json:"agent"`
	Desk             DeskCard               `json:"desk"`
	Limits           Limits                 `json:"limits"`
	Presence         Presence               `json:"presence"`
	SignedOn         bool                   `json:"signedOn"`
	Why              []string               `json:"why"`
	Slots            int                    `json:"slots"`
	Busy             int                    `json:"busy"`
	Conversation     conversation.ID        `json:"conversation"`
	Relation         Relation               `json:"relation"`
	Anew             bool                   `json:"anew"`
	Card             Card                   `json:"card"`
	Seq              uint64                 `json:"seq"`
	At               time.Time              `json:"at"`
	From             conversation.Actor     `json:"from"`
	Text             string                 `json:"text"`
	Language         string                 `json:"language"`
	ClientID         string                 `json:"clientId"`
	Entry            *conversation.Citation `json:"entry"`
	Note             bool                   `json:"note"`
	Missed           bool                   `json:"missed"`
	Duplicate        bool                   `json:"duplicate"`
	On               bool                   `json:"on"`
	Problem          *problem.Problem       `json:"problem"`
	Reason           string                 `json:"reason"`
	RetryAfterMillis int64                  `json:"retryAfterMillis"`
}

// DecodeServer reads a frame of the console.
func DecodeServer(data []byte) (*ServerFrame, error) {
	var f ServerFrame
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("frame of the console: %w", err)
	}
	return &f, nil
}
