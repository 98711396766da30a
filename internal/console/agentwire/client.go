package agentwire

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// Version of the frames that this release speaks.
const Version = 1

// Types of the client's frames.
const (
	TypeSignIn   = "signIn"
	TypePresence = "presence"
	TypeAccept   = "accept"
	TypeDecline  = "decline"
	TypeMessage  = "message"
	TypeTyping   = "typing"
	TypeHandOff  = "handOff"
	TypeClose    = "close"
	TypePostpone = "postpone"
	TypeTakeOver = "takeOver"
	TypeWatch    = "watch"
	TypeTag      = "tag"
	TypeMerge    = "merge"
)

// Presence is what an agent is to the desk.
type Presence string

// Presences.
const (
	// Available: may be given conversations.
	Available Presence = "available"
	// Away: keeps what it has and gets nothing new.
	Away Presence = "away"
	// Offline: is not signed on.
	Offline Presence = "offline"
)

// MaxResume is the greatest number of conversations that a client resumes.
const MaxResume = 100

// ClientFrame is any frame of a client; which fields count depends on the type.
type ClientFrame struct {
	Type string `json:"type"`
	V    int    `json:"v,omitempty"`
	// ID that the answer carries; may be empty.
	ID string `json:"id,omitempty"`

	// Of signIn.
	Token  string                     `json:"token,omitempty"`
	Resume map[conversation.ID]uint64 `json:"resume,omitempty"`
	// Of signIn and presence.
	Presence Presence `json:"presence,omitempty"`

	// Of all that concern a conversation.
	Conversation conversation.ID `json:"conversation,omitempty"`

	// Of message.
	ClientID string `json:"clientId,omitempty"`
	Text     string `json:"text,omitempty"`
	Note     bool   `json:"note,omitempty"`

	// Of typing and watch.
	On bool `json:"on,omitempty"`

	// Of handOff.
	Queue   string `json:"queue,omitempty"`
	Agent   string `json:"agent,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Summary string `json:"summary,omitempty"`

	// Of close.
	Disposition string `json:"disposition,omitempty"`
	Comment     string `json:"comment,omitempty"`

	// Of postpone.
	Until    time.Time `json:"until,omitzero"`
	CallBack bool      `json:"callBack,omitempty"`

	// Of tag.
	Tags []string `json:"tags,omitempty"`

	// Of merge.
	Into conversation.ID `json:"into,omitempty"`
}

// DecodeClient reads and checks a frame of a client. The error is a *problem.Problem; the frame is
// returned with it when it could be read.
func DecodeClient(data []byte) (*ClientFrame, error) {
	var f ClientFrame
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, problem.New(http.StatusBadRequest, problem.CodeProtocol, "the frame is not the JSON object of a frame", "send the frames of the protocol's description")
	}
	if f.ID != "" && !conversation.IsToken(f.ID) {
		given := f.ID
		f.ID = ""
		return &f, invalid("id", given, "choose 1 to 64 characters of A-Z, a-z, 0-9, _ and -")
	}
	return &f, f.validate()
}

func (f *ClientFrame) validate() error {
	switch f.Type {
	case "":
		return invalid("type", "", "say what the frame is: signIn, presence, accept, decline, message, typing, handOff, postpone, takeOver, watch, tag, merge or close")
	case TypeSignIn:
		return f.validateSignIn()
	case TypePresence:
		return f.validatePresence()
	case TypeAccept, TypeDecline, TypeTyping, TypeTakeOver, TypeWatch:
		return f.validateConversation()
	case TypeMessage:
		return f.validateMessage()
	case TypeHandOff:
		return f.validateHandOff()
	}
	return f.validateLabels()
}

// validateLabels checks the frames that say something about a conversation.
func (f *ClientFrame) validateLabels() error {
	switch f.Type {
	case TypeClose:
		return firstError(f.validateConversation(), asProblem(conversation.CheckDisposition(f.Disposition)))
	case TypeTag:
		return firstError(f.validateConversation(), asProblem(conversation.CheckTags(f.Tags)))
	case TypePostpone:
		if f.Until.IsZero() {
			return firstError(f.validateConversation(), invalid("until", "", "give the time at which it goes on, in RFC 3339"))
		}
		return f.validateConversation()
	case TypeMerge:
		if _, err := conversation.ParseID(string(f.Into)); err != nil || f.Into == f.Conversation {
			return firstError(f.validateConversation(), invalid("into", string(f.Into), "name the conversation that goes on by its id, and the duplicate in conversation"))
		}
		return f.validateConversation()
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// asProblem makes a problem of what the domain refuses.
func asProblem(err error) error {
	if wrong, ok := errors.AsType[*conversation.FieldError](err); ok {
		return invalid(wrong.Field, wrong.Value, wrong.Remedy)
	}
	return err
}

func (f *ClientFrame) validateSignIn() error {
	if len(f.Resume) > MaxResume {
		return invalid("resume", "", "resume at most 100 conversations")
	}
	for id := range f.Resume {
		if _, err := conversation.ParseID(string(id)); err != nil {
			return invalid("resume", string(id), "name conversations by their ids")
		}
	}
	if f.Presence == "" {
		return nil
	}
	return f.validatePresence()
}

func (f *ClientFrame) validatePresence() error {
	switch f.Presence {
	case Available, Away, Offline:
		return nil
	}
	return invalid("presence", string(f.Presence), "use available, away or offline")
}

func (f *ClientFrame) validateConversation() error {
	if _, err := conversation.ParseID(string(f.Conversation)); err != nil {
		return invalid("conversation", string(f.Conversation), "name the conversation by its id")
	}
	return nil
}

func (f *ClientFrame) validateMessage() error {
	if err := f.validateConversation(); err != nil {
		return err
	}
	if !conversation.IsToken(f.ClientID) {
		return invalid("clientId", f.ClientID, "choose 1 to 64 characters of A-Z, a-z, 0-9, _ and -, and the same ones when sending again")
	}
	if strings.TrimSpace(f.Text) == "" {
		return invalid("text", f.Text, "write something")
	}
	if len(f.Text) > conversation.MaxTextBytes {
		return problem.Field(http.StatusRequestEntityTooLarge, problem.CodeTooLarge, "text", f.Text, "it is too long",
			fmt.Sprintf("send at most %d bytes at a time", conversation.MaxTextBytes))
	}
	return nil
}

func (f *ClientFrame) validateHandOff() error {
	if err := f.validateConversation(); err != nil {
		return err
	}
	if f.Queue != "" && !conversation.IsToken(f.Queue) {
		return invalid("queue", f.Queue, "name a queue of the desk, or leave it out for the default one")
	}
	if f.Agent != "" && !conversation.IsToken(f.Agent) {
		return invalid("agent", f.Agent, "name an agent of the desk, or leave it out for anybody")
	}
	if strings.TrimSpace(f.Reason) == "" {
		return invalid("reason", f.Reason, "say why: the next agent must not have to ask")
	}
	return nil
}

func invalid(field, value, remedy string) error {
	return problem.Field(http.StatusBadRequest, problem.CodeInvalid, field, value, "", remedy)
}
