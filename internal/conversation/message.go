package conversation

import (
	"fmt"
	"strings"
)

// Message is something that was said, or a note among agents.
type Message struct {
	From Actor `json:"from"`
	// Text in UTF-8, not blank, at most MaxTextBytes.
	Text string `json:"text"`
	// Language of the text as a BCP 47 tag; empty when it could not be told.
	Language string `json:"language,omitempty"`
	// ClientID is chosen by the author's client and unique in the conversation: a message sent again
	// with the same id is the same message.
	ClientID string `json:"clientId"`
	// Channel that a customer's message came in on, and the contact's token there. Set by the gateway:
	// a message that stands alone (its conversation was purged) can so be given a conversation again.
	Channel string `json:"channel,omitempty"`
	// AsksForPerson is set by the gateway on a customer's message that asks for a person.
	AsksForPerson bool `json:"asksForPerson,omitempty"`
	// Entry that a bot's answer cites.
	Entry *Citation `json:"entry,omitempty"`
	// Missed is set on a bot's message that says it has no sure answer; it counts as a miss.
	Missed bool `json:"missed,omitempty"`
	// Note is set on what only agents see.
	Note bool `json:"note,omitempty"`
	// Rule of the escalation policy that a system message comes from.
	Rule string `json:"rule,omitempty"`
}

// Citation names the knowledge base entry behind an answer.
type Citation struct {
	KnowledgeBase string `json:"knowledgeBase"`
	ID            string `json:"id"`
	// Question of the entry as it is written there.
	Question string `json:"question,omitempty"`
	// Confidence from 0 to 1 that the entry answers the customer.
	Confidence float64 `json:"confidence"`
}

// EventType implements Body.
func (m *Message) EventType() Type { return TypeMessage }

// Validate implements Body.
func (m *Message) Validate() error {
	if err := m.From.validate("from"); err != nil {
		return err
	}
	if strings.TrimSpace(m.Text) == "" {
		return fieldError("text", m.Text, "write something")
	}
	if err := checkText("text", m.Text, MaxTextBytes); err != nil {
		return err
	}
	if err := checkText("language", m.Language, MaxLanguageBytes); err != nil {
		return err
	}
	if err := checkName("clientId", m.ClientID); err != nil {
		return err
	}
	if m.Channel != "" && !IsToken(m.Channel) {
		return fieldError("channel", m.Channel, idRemedy)
	}
	if err := checkText("rule", m.Rule, MaxNameBytes); err != nil {
		return err
	}
	if m.Note && m.From.Kind == KindCustomer {
		return fieldError("note", "true", "notes are for agents only; leave it out of a customer's message")
	}
	return m.Entry.validate()
}

func (c *Citation) validate() error {
	if c == nil {
		return nil
	}
	if c.KnowledgeBase == "" || c.ID == "" {
		return fieldError("entry", c.KnowledgeBase+"/"+c.ID, "name the knowledge base and the entry")
	}
	for _, f := range []struct {
		name, value string
		most        int
	}{
		{"entry.knowledgeBase", c.KnowledgeBase, MaxNameBytes},
		{"entry.id", c.ID, MaxNameBytes},
		{"entry.question", c.Question, MaxQuestionBytes},
	} {
		if err := checkText(f.name, f.value, f.most); err != nil {
			return err
		}
	}
	// The comparison is written so that NaN fails it too.
	if !(c.Confidence >= 0 && c.Confidence <= 1) {
		return fieldError("entry.confidence", fmt.Sprint(c.Confidence), "use 0 to 1")
	}
	return nil
}
