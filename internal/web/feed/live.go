package feed

import (
	"encoding/json"
	"fmt"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Types of live messages that web roles publish on Subjects.Live; places in the queue come from the
// router. Unknown types are ignored.
const (
	// LiveTyping: somebody writes a message, or stopped to.
	LiveTyping = "typing"
	// LiveSought: a gateway has lost its last socket of the conversation and asks whether another has one.
	LiveSought = "sought"
	// LivePresent is the answer of one that has.
	LivePresent = "present"
)

// Typing says that somebody is writing.
type Typing struct {
	V            int                `json:"v"`
	Type         string             `json:"type"`
	Conversation conversation.ID    `json:"conversation"`
	From         conversation.Actor `json:"from"`
	On           bool               `json:"on"`
}

// Attendance is asked for and answered among gateways.
type Attendance struct {
	V            int             `json:"v"`
	Type         string          `json:"type"`
	Conversation conversation.ID `json:"conversation"`
	// Gateway that speaks, so that it does not answer itself.
	Gateway string `json:"gateway"`
}

// EncodeTyping renders a typing message.
func EncodeTyping(conv conversation.ID, from conversation.Actor, on bool) ([]byte, error) {
	return encode(Typing{V: 1, Type: LiveTyping, Conversation: conv, From: from, On: on})
}

// EncodeAttendance renders LiveSought or LivePresent.
func EncodeAttendance(kind string, conv conversation.ID, gateway string) ([]byte, error) {
	return encode(Attendance{V: 1, Type: kind, Conversation: conv, Gateway: gateway})
}

func encode(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return data, nil
}

// TypeOf is the type of a live message, empty when it cannot be read.
func TypeOf(data []byte) string {
	var head struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(data, &head) != nil {
		return ""
	}
	return head.Type
}

// DecodeTyping reads a typing message; ok is false for anything else.
func DecodeTyping(data []byte) (t Typing, ok bool) {
	if json.Unmarshal(data, &t) != nil || t.Type != LiveTyping || !t.From.Kind.Valid() {
		return Typing{}, false
	}
	return t, true
}

// DecodeAttendance reads LiveSought or LivePresent; ok is false for anything else.
func DecodeAttendance(data []byte) (a Attendance, ok bool) {
	if json.Unmarshal(data, &a) != nil || a.Type != LiveSought && a.Type != LivePresent {
		return Attendance{}, false
	}
	return a, true
}
