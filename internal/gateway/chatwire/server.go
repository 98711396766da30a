package chatwire

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// Types of the gateway's frames; message and typing are as the client's.
const (
	TypeWelcome  = "welcome"
	TypeState    = "state"
	TypeCaughtUp = "caughtUp"
	TypeAck      = "ack"
	TypePosition = "position"
	TypeError    = "error"
	TypePing     = "ping"
	TypeGoodbye  = socket.TypeGoodbye
)

// Welcome answers hello.
type Welcome struct {
	Type    string      `json:"type"`
	V       int         `json:"v"`
	Contact ContactCard `json:"contact"`
	// Token to keep, the given one or a newer one.
	Token string `json:"token"`
	// Conversation that is open; empty for none.
	Conversation conversation.ID `json:"conversation,omitempty"`
	// Anew is set when the sequence that the client resumed after is of another log, such as after a restore
	// of the bus: forget what was shown, everything comes again.
	Anew   bool     `json:"anew,omitempty"`
	Desk   DeskCard `json:"desk"`
	Limits Limits   `json:"limits"`
}

// DeskCard is what a page shows of the desk.
type DeskCard struct {
	DisplayName string   `json:"displayName"`
	Languages   []string `json:"languages"`
}

// Limits of what a contact may send.
type Limits struct {
	// MaxMessageLength in characters.
	MaxMessageLength  int `json:"maxMessageLength"`
	MessagesPerMinute int `json:"messagesPerMinute"`
}

// Party is who said or does something, as customers see it: without ids.
type Party struct {
	Kind conversation.Kind `json:"kind"`
	Name string            `json:"name,omitempty"`
}

// Message is something that was said.
type Message struct {
	Type         string                 `json:"type"`
	Seq          uint64                 `json:"seq"`
	Conversation conversation.ID        `json:"conversation"`
	ID           conversation.ID        `json:"id"`
	At           time.Time              `json:"at"`
	From         Party                  `json:"from"`
	Text         string                 `json:"text"`
	Language     string                 `json:"language,omitempty"`
	ClientID     string                 `json:"clientId,omitempty"`
	Entry        *conversation.Citation `json:"entry,omitempty"`
}

// State is where the conversation stands.
type State struct {
	Type         string              `json:"type"`
	Seq          uint64              `json:"seq"`
	Conversation conversation.ID     `json:"conversation"`
	At           time.Time           `json:"at,omitzero"`
	Status       conversation.Status `json:"status"`
	// Queue while it waits.
	Queue string `json:"queue,omitempty"`
	// Agent that answers.
	Agent *Party `json:"agent,omitempty"`
	// Until is when it goes on, of one that is put aside and whose customer was told or asked for it.
	Until time.Time `json:"until,omitzero"`
	// CallBack says that the customer need not stay connected while it waits.
	CallBack bool `json:"callBack,omitempty"`
	// Score that the customer has given; 0 for none.
	Score int `json:"score,omitempty"`
}

// CaughtUp says that everything stored so far has been sent.
type CaughtUp struct {
	Type         string          `json:"type"`
	Seq          uint64          `json:"seq"`
	Conversation conversation.ID `json:"conversation,omitempty"`
	// State of the conversation; nil when there is none.
	State *State `json:"state,omitempty"`
}

// Ack says that a message is stored.
type Ack struct {
	Type         string          `json:"type"`
	ClientID     string          `json:"clientId"`
	Conversation conversation.ID `json:"conversation"`
	Seq          uint64          `json:"seq"`
	// Duplicate is set when it had been stored before.
	Duplicate bool `json:"duplicate,omitempty"`
}

// Typing says that somebody is writing.
type Typing struct {
	Type         string          `json:"type"`
	Conversation conversation.ID `json:"conversation"`
	From         Party           `json:"from"`
	On           bool            `json:"on"`
}

// Position in the queue.
type Position struct {
	Type         string          `json:"type"`
	Conversation conversation.ID `json:"conversation"`
	Queue        string          `json:"queue,omitempty"`
	Position     int             `json:"position"`
	Waiting      int             `json:"waiting"`
	// ExpectedWaitSeconds from now on, rounded up; left out when that is not known or not announced.
	ExpectedWaitSeconds int `json:"expectedWaitSeconds,omitempty"`
}

// Error is a refusal.
type Error struct {
	Type string `json:"type"`
	// ClientID of the refused message, empty when it is about something else.
	ClientID string           `json:"clientId,omitempty"`
	Problem  *problem.Problem `json:"problem"`
}

// Ping shows that the connection lives.
type Ping struct {
	Type string `json:"type"`
}

// ServerFrame is any frame of the gateway, for clients: the fields of all types in one.
type ServerFrame struct {
	Type             string                 `json:"type"`
	V                int                    `json:"v"`
	Contact          ContactCard            `json:"contact"`
	Token            string                 `json:"token"`
	Conversation     conversation.ID        `json:"conversation"`
	Anew             bool                   `json:"anew"`
	Desk             DeskCard               `json:"desk"`
	Limits           Limits                 `json:"limits"`
	Seq              uint64                 `json:"seq"`
	ID               conversation.ID        `json:"id"`
	At               time.Time              `json:"at"`
	From             Party                  `json:"from"`
	Text             string                 `json:"text"`
	Language         string                 `json:"language"`
	ClientID         string                 `json:"clientId"`
	Entry            *conversation.Citation `json:"entry"`
	Status           conversation.Status    `json:"status"`
	Queue            string                 `json:"queue"`
	Agent            *Party                 `json:"agent"`
	State            *State                 `json:"state"`
	Until            time.Time              `json:"until"`
	CallBack         bool                   `json:"callBack"`
	Score            int                    `json:"score"`
	Duplicate        bool                   `json:"duplicate"`
	On               bool                   `json:"on"`
	Position         int                    `json:"position"`
	Waiting          int                    `json:"waiting"`
	ExpectedWait     int                    `json:"expectedWaitSeconds"`
	Problem          *problem.Problem       `json:"problem"`
	Reason           string                 `json:"reason"`
	RetryAfterMillis int64                  `json:"retryAfterMillis"`
}

// DecodeServer reads a frame of the gateway.
func DecodeServer(data []byte) (*ServerFrame, error) {
	var f ServerFrame
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("frame of the gateway: %w", err)
	}
	return &f, nil
}
