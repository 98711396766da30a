// Package protocol is how other roles ask the knowledge role, by request and
// reply on bus.Subjects.Request(bus.ServiceKnowledgeSearch). JSON with a
// version; unknown fields are ignored, so that neighbouring releases work
// together.
//
//	{"v":1,"query":"Where is my parcel?","language":"en","knowledgeBases":["faq"],"k":3}
//	{"v":1,"ok":true,"hits":[{"knowledgeBase":"faq","revision":"9c…","id":"tracking-en","question":"Where is my order?",
//	 "answer":"…","language":"en","confidence":0.93}]}
//	{"v":1,"ok":false,"error":{"code":"unknownBase","what":"…","why":"…","remedy":"…"}}
//
// Hits come best first. Confidence is the probability that the entry answers the
// question; it is calibrated for the first hit.
package protocol

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/deskfleet/deskfleet/internal/bus"
)

// Version of the requests and replies.
const Version = 1

// Bounds of a request.
const (
	// MaxQuery is the longest query, in bytes.
	MaxQuery = 32 << 10
	// MaxHits of a reply.
	MaxHits = 20
	// MaxBases that one request may name.
	MaxBases = 64
)

// Request asks for entries.
type Request struct {
	V int `json:"v"`
	// Query is what the customer wrote, 1 to MaxQuery bytes.
	Query string `json:"query"`
	// Language of the customer, a tag or empty; entries in another one rank behind equally good ones.
	Language string `json:"language,omitempty"`
	// KnowledgeBases to search, at least one.
	KnowledgeBases []string `json:"knowledgeBases"`
	// K is how many hits are wanted, 1 to MaxHits; 0 for 3.
	K int `json:"k,omitempty"`
}

// Hit is an entry that may answer the question.
type Hit struct {
	KnowledgeBase string  `json:"knowledgeBase"`
	Revision      string  `json:"revision"`
	ID            string  `json:"id"`
	Question      string  `json:"question"`
	Answer        string  `json:"answer"`
	Language      string  `json:"language,omitempty"`
	Confidence    float64 `json:"confidence"`
}

// Reply to a request.
type Reply struct {
	V     int    `json:"v"`
	OK    bool   `json:"ok"`
	Hits  []Hit  `json:"hits,omitempty"`
	Error *Error `json:"error,omitempty"`
}

// Code says what kind of refusal it is.
type Code string

// Codes of refusals.
const (
	// CodeMalformed requests are never answered otherwise.
	CodeMalformed Code = "malformed"
	// CodeUnknownBase names a base that the desk does not have.
	CodeUnknownBase Code = "unknownBase"
	// CodeUnavailable is for a base that is not loaded yet: ask again.
	CodeUnavailable Code = "unavailable"
)

// Error is a refusal.
type Error struct {
	Code   Code   `json:"code"`
	What   string `json:"what"`
	Why    string `json:"why"`
	Remedy string `json:"remedy"`
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s; %s", e.What, e.Why, e.Remedy) }

// Search asks the knowledge role of a desk. A refusal is an *Error; the bus's
// own errors are passed on.
func Search(ctx context.Context, messenger bus.Messenger, subjects bus.Subjects, request Request) ([]Hit, error) {
	request.V = Version
	data, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encode a search: %w", err)
	}
	answer, err := messenger.Request(ctx, subjects.Request(bus.ServiceKnowledgeSearch), data)
	if err != nil {
		return nil, fmt.Errorf("search the knowledge bases: %w", err)
	}
	var reply Reply
	if err := json.Unmarshal(answer, &reply); err != nil {
		return nil, fmt.Errorf("the knowledge role's reply: %w", err)
	}
	if !reply.OK {
		if reply.Error == nil {
			return nil, fmt.Errorf("the knowledge role refused without a reason")
		}
		return nil, reply.Error
	}
	return reply.Hits, nil
}
