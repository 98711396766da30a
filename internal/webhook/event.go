package webhook

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// ContentType of an event in structured mode.
const ContentType = "application/cloudevents+json; charset=utf-8"

// typePrefix and typeVersion stand around the name of an event in its CloudEvents type. A change that receivers
// must not overlook raises the version; fields may be added without.
const (
	typePrefix  = "dev.deskfleet."
	typeVersion = ".v1"
)

// CloudEvent is what a receiver is sent: CloudEvents 1.0 with the extensions sequence and partitionkey.
type CloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	// Sequence orders the events of a conversation as text: 20 digits.
	Sequence string `json:"sequence"`
	// PartitionKey is the conversation: what has the same key is sent in order.
	PartitionKey string `json:"partitionkey"`
	Data         Data   `json:"data"`
}

// Data of an event. Which fields are set depends on its type.
type Data struct {
	Conversation Card `json:"conversation"`

	// Of message and note.
	Message *Message `json:"message,omitempty"`
	// Of conversation.opened and conversation.queued.
	Queue string `json:"queue,omitempty"`
	// Of conversation.queued and conversation.reopened.
	Cause conversation.Cause `json:"cause,omitempty"`
	// Of conversation.assigned.
	Agent *conversation.Agent `json:"agent,omitempty"`
	// Of conversation.closed.
	By          *conversation.Actor      `json:"by,omitempty"`
	Reason      conversation.CloseReason `json:"reason,omitempty"`
	Disposition string                   `json:"disposition,omitempty"`
	// Comment of the agent, or of the customer with conversation.rated.
	Comment string `json:"comment,omitempty"`
	// MergedInto is the conversation in which it goes on, with reason merged.
	MergedInto conversation.ID `json:"mergedInto,omitempty"`
	// Tags of conversation.tagged, all that it has now; nil for other events.
	Tags *[]string `json:"tags,omitempty"`
	// Score of conversation.rated, 1 to 5.
	Score int `json:"score,omitempty"`
	// Of conversation.abandoned.
	WaitedMillis int64 `json:"waitedMillis,omitempty"`
	// Why it was decided, in words.
	Why []string `json:"why,omitempty"`
}

// Card is what stays the same in a conversation's life.
type Card struct {
	ID          conversation.ID `json:"id"`
	Channel     string          `json:"channel,omitempty"`
	Contact     string          `json:"contact,omitempty"`
	ContactName string          `json:"contactName,omitempty"`
}

// Message is something that was said.
type Message struct {
	From     conversation.Actor     `json:"from"`
	Text     string                 `json:"text"`
	Language string                 `json:"language,omitempty"`
	ClientID string                 `json:"clientId"`
	Entry    *conversation.Citation `json:"entry,omitempty"`
}

// describe gives the name of an event and what it says; ok is false for what no receiver is told.
func describe(e conversation.Event) (name runtimeconfig.WebhookEvent, d Data, ok bool) {
	switch b := e.Body.(type) {
	case *conversation.Message:
		name = runtimeconfig.EventMessage
		if b.Note {
			name = runtimeconfig.EventNote
		}
		d.Message = &Message{From: b.From, Text: b.Text, Language: b.Language, ClientID: b.ClientID, Entry: b.Entry}
	case *conversation.Opened:
		name, d.Queue, d.Why = runtimeconfig.EventOpened, b.Queue, b.Why
	case *conversation.Queued:
		name, d.Queue, d.Cause, d.Why = runtimeconfig.EventQueued, b.Queue, b.Cause, b.Why
	case *conversation.Assigned:
		name, d.Agent, d.Why = runtimeconfig.EventAssigned, &b.Agent, b.Why
	case *conversation.Accepted:
		name, d.Agent = runtimeconfig.EventAssigned, &b.Agent
	case *conversation.Closed:
		name, d.By, d.Reason, d.Disposition, d.Comment = runtimeconfig.EventClosed, &b.By, b.Reason, b.Disposition, b.Comment
		d.MergedInto = b.MergedInto
	case *conversation.Tagged:
		name, d.By, d.Tags = runtimeconfig.EventTagged, &b.By, &b.Tags
	case *conversation.Rated:
		name, d.By, d.Score, d.Comment = runtimeconfig.EventRated, &b.By, b.Score, b.Comment
	case *conversation.Abandoned:
		name, d.WaitedMillis, d.Why = runtimeconfig.EventAbandoned, b.WaitedMillis, b.Why
	case *conversation.Reopened:
		name, d.Cause = runtimeconfig.EventReopened, b.Cause
	default:
		return "", Data{}, false
	}
	return name, d, true
}

// Wants says whether the receiver is told of an event of a conversation on the channel.
func Wants(h *runtimeconfig.Webhook, e conversation.Event, channel string) bool {
	name, d, ok := describe(e)
	switch {
	case !ok || !slices.Contains(h.Events, name):
		return false
	case h.Channel != "" && h.Channel != channel:
		return false
	}
	return !h.OnlyAnswers || d.Message == nil || d.Message.From.Kind != conversation.KindCustomer
}

// Name of an event, empty for what no receiver is told.
func Name(e conversation.Event) string {
	name, _, _ := describe(e)
	return string(name)
}

// Render an event that Wants has passed. source names the desk.
func Render(source string, e conversation.Event, card Card) ([]byte, error) {
	name, d, ok := describe(e)
	if !ok {
		return nil, fmt.Errorf("event %s of type %s is for no receiver", e.ID, e.Type)
	}
	d.Conversation = card
	d.Conversation.ID = e.Conversation
	return json.Marshal(CloudEvent{
		SpecVersion: "1.0", ID: string(e.ID), Source: source, Type: typePrefix + string(name) + typeVersion,
		Subject: string(e.Conversation), Time: e.At, DataContentType: "application/json",
		Sequence: fmt.Sprintf("%020d", e.Seq), PartitionKey: string(e.Conversation), Data: d,
	})
}

// Source of a desk's events, a URI reference.
func Source(namespace, desk string) string {
	return "/namespaces/" + namespace + "/servicedesks/" + desk
}
