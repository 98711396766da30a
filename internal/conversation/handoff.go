package conversation

import (
	"fmt"
	"strings"
)

// HandOff is the contract of passing a conversation on: what the next owner must know so that the
// customer never has to say it again. It is refused without transcript position, reason and language.
type HandOff struct {
	// TranscriptSeq is the stream sequence of the last message that the giving side has seen, at least 1.
	TranscriptSeq uint64 `json:"transcriptSeq"`
	Reason        Reason `json:"reason"`
	// Language that the customer speaks, a BCP 47 tag.
	Language string `json:"language"`
	// Intents that were recognised, in the order they came up; at most MaxTried.
	Intents []string `json:"intents,omitempty"`
	// Tried are the entries that were given or considered as answers; at most MaxTried.
	Tried []Citation `json:"tried,omitempty"`
	// Verification is the state of the customer's identity check.
	Verification Verification `json:"verification"`
	// Summary for the next owner, optional.
	Summary string `json:"summary,omitempty"`
	// Queue wanted; empty for the desk's default queue.
	Queue string `json:"queue,omitempty"`
	// Agent wanted: a person who is asked first, whatever their skills. If they do not take it in the time of an
	// offer, it goes to the queue. Empty for anybody.
	Agent string `json:"agent,omitempty"`
}

// Reason of a hand-off: a code for figures and words for people.
type Reason struct {
	Code  ReasonCode `json:"code"`
	Words string     `json:"words"`
}

// ReasonCode groups the reasons of hand-offs in figures.
type ReasonCode string

// Codes of reasons that this release gives. Others are accepted: a neighbouring release may have more.
const (
	ReasonAskedForPerson ReasonCode = "askedForPerson"
	ReasonNoAnswer       ReasonCode = "noAnswer"
	ReasonPolicy         ReasonCode = "policy"
	ReasonTransfer       ReasonCode = "transfer"
	ReasonFault          ReasonCode = "fault"
)

// Verification is the state of a customer's identity check.
type Verification string

// VerificationNone is the only state so far: no check was made.
const VerificationNone Verification = "none"

// MaxTried is the greatest number of intents and of entries in a hand-off.
const MaxTried = 32

// maxHandOffBytes of all texts together: escaped in the worst way they still fit an event.
const maxHandOffBytes = 20 << 10

// Validate refuses an incomplete hand-off with a *FieldError that names what is missing.
func (h *HandOff) Validate() error {
	if h == nil {
		return fieldError("handOff", "", "give transcriptSeq, reason and language: nobody should have to ask the customer again")
	}
	if h.TranscriptSeq == 0 {
		return fieldError("handOff.transcriptSeq", "0", "give the sequence of the last message you have seen")
	}
	if !IsToken(string(h.Reason.Code)) {
		return fieldError("handOff.reason.code", string(h.Reason.Code), "give a code such as noAnswer")
	}
	if strings.TrimSpace(h.Reason.Words) == "" {
		return fieldError("handOff.reason.words", h.Reason.Words, "say in words why the conversation is handed off")
	}
	if h.Language == "" {
		return fieldError("handOff.language", "", "give the customer's language, such as zh or en")
	}
	if h.Verification == "" {
		return fieldError("handOff.verification", "", "give the state of the identity check: none if there was none")
	}
	if h.Queue != "" && !IsToken(h.Queue) {
		return fieldError("handOff.queue", h.Queue, idRemedy)
	}
	if h.Agent != "" && !IsToken(h.Agent) {
		return fieldError("handOff.agent", h.Agent, idRemedy)
	}
	return h.validateBounds()
}

func (h *HandOff) validateBounds() error {
	if len(h.Intents) > MaxTried || len(h.Tried) > MaxTried {
		return fieldError("handOff", fmt.Sprintf("%d intents, %d entries", len(h.Intents), len(h.Tried)),
			fmt.Sprintf("use at most %d of each", MaxTried))
	}
	for _, t := range []struct {
		name, value string
		most        int
	}{
		{"handOff.reason.words", h.Reason.Words, MaxWhyBytes},
		{"handOff.language", h.Language, MaxLanguageBytes},
		{"handOff.verification", string(h.Verification), MaxNameBytes},
		{"handOff.summary", h.Summary, MaxTextBytes},
	} {
		if err := checkText(t.name, t.value, t.most); err != nil {
			return err
		}
	}
	total := len(h.Summary)
	for _, intent := range h.Intents {
		total += len(intent)
		if err := checkText("handOff.intents", intent, MaxNameBytes); err != nil {
			return err
		}
	}
	for i := range h.Tried {
		total += len(h.Tried[i].KnowledgeBase) + len(h.Tried[i].ID) + len(h.Tried[i].Question)
		if err := h.Tried[i].validateTried(); err != nil {
			return err
		}
	}
	if total > maxHandOffBytes {
		return fieldError("handOff", fmt.Sprintf("%d bytes of texts", total), fmt.Sprintf("use at most %d", maxHandOffBytes))
	}
	return nil
}

// validateTried bounds the question of a tried entry more tightly than that of an answer: a hand-off
// holds many and must stay a small event.
func (c *Citation) validateTried() error {
	if err := checkText("handOff.tried.question", c.Question, MaxWhyBytes); err != nil {
		return err
	}
	return c.validate()
}
