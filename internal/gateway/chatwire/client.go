package chatwire

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// Version of the frames that this release speaks.
const Version = 1

// Types of the client's frames.
const (
	TypeHello   = "hello"
	TypeMessage = "message"
	TypeTyping  = "typing"
	TypeClose   = "close"
	// TypeCallBack and TypeRate: a customer who waits wants to be answered later, and one whose conversation has ended
	// rates it.
	TypeCallBack = "callBack"
	TypeRate     = "rate"
)

// MaxNameRunes of the name that a contact gives.
const MaxNameRunes = 64

// ClientFrame is any frame of a client; which fields count depends on the type.
type ClientFrame struct {
	Type string `json:"type"`
	V    int    `json:"v,omitempty"`

	// Of hello.
	Token       string       `json:"token,omitempty"`
	Contact     *ContactCard `json:"contact,omitempty"`
	ResumeAfter uint64       `json:"resumeAfter,omitempty"`
	Start       bool         `json:"start,omitempty"`

	// Of hello and message.
	Conversation conversation.ID `json:"conversation,omitempty"`
	Language     string          `json:"language,omitempty"`

	// Of message.
	ClientID string `json:"clientId,omitempty"`
	Text     string `json:"text,omitempty"`

	// Of typing.
	On bool `json:"on,omitempty"`

	// Of callBack.
	Until time.Time `json:"until,omitzero"`

	// Of rate.
	Score   int    `json:"score,omitempty"`
	Comment string `json:"comment,omitempty"`
}

// ContactCard is what a contact says about itself. Nothing in it is verified.
type ContactCard struct {
	// ID is set by the gateway only.
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// DecodeClient reads and checks a frame of a client. The error is a *problem.Problem.
func DecodeClient(data []byte) (*ClientFrame, error) {
	var f ClientFrame
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, problem.New(http.StatusBadRequest, problem.CodeProtocol, "the frame is not the JSON object of a frame", "send the frames of the protocol's description")
	}
	if err := f.validate(); err != nil {
		return &f, err
	}
	return &f, nil
}

func (f *ClientFrame) validate() error {
	switch f.Type {
	case "":
		return invalid("type", "", "say what the frame is: hello, message, typing, callBack, rate or close")
	case TypeHello:
		if f.Contact != nil {
			if err := CheckName(f.Contact.Name); err != nil {
				return err
			}
		}
	case TypeMessage:
		if err := CheckMessage(f.ClientID, f.Text); err != nil {
			return err
		}
	case TypeRate:
		if f.Conversation == "" {
			return invalid("conversation", "", "name the conversation that is rated")
		}
		if err := CheckRating(f.Score, f.Comment); err != nil {
			return err
		}
	}
	if f.Conversation != "" {
		if _, err := conversation.ParseID(string(f.Conversation)); err != nil {
			return invalid("conversation", string(f.Conversation), "send the id from the welcome or an ack, or leave it out")
		}
	}
	return CheckLanguage(f.Language)
}

// CheckName of a contact. The error is a *problem.Problem.
func CheckName(name string) error {
	if n := utf8.RuneCountInString(name); n > MaxNameRunes || strings.ContainsFunc(name, isControl) {
		return invalid("contact.name", name, "use at most 64 characters and no control characters")
	}
	return nil
}

// CheckMessage checks what a message must have; its length is configuration and checked by the gateway.
// The error is a *problem.Problem.
func CheckMessage(clientID, text string) error {
	if !conversation.IsToken(clientID) {
		return invalid("clientId", clientID, "choose 1 to 64 characters of A-Z, a-z, 0-9, _ and -, and the same ones when sending again")
	}
	if strings.TrimSpace(text) == "" {
		return invalid("text", text, "write something")
	}
	return nil
}

// CheckRating of a conversation. The error is a *problem.Problem.
func CheckRating(score int, comment string) error {
	r := conversation.Rating{Score: score, Comment: comment}
	if wrong, ok := errors.AsType[*conversation.FieldError](r.Validate()); ok {
		return invalid(wrong.Field, wrong.Value, wrong.Remedy)
	}
	return nil
}

// CheckLanguage of a text: empty, or the form of a BCP 47 tag. The error is a *problem.Problem.
func CheckLanguage(tag string) error {
	ok := len(tag) <= conversation.MaxLanguageBytes && !strings.ContainsFunc(tag, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-')
	})
	if !ok {
		return invalid("language", tag, "use a BCP 47 tag such as zh or en-GB, or leave it out")
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func invalid(field, value, remedy string) error {
	return problem.Field(http.StatusBadRequest, problem.CodeInvalid, field, value, "", remedy)
}
