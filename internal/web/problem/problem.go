// Package problem says to clients what was refused, in the form of RFC 9457 (problem details for HTTP
// APIs): what is wrong, with which field and value, and what to do. WebSocket frames carry the same object.
package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// ContentType of a problem in an HTTP response.
const ContentType = "application/problem+json"

// Codes of problems that clients act on. Each is the last part of a problem's type.
const (
	CodeInvalid         = "invalid"
	CodeTooLarge        = "too-large"
	CodeRate            = "rate"
	CodeConnections     = "connections"
	CodeUnauthorised    = "unauthorised"
	CodeToken           = "token"
	CodeSignature       = "signature"
	CodeForbidden       = "forbidden"
	CodeOrigin          = "origin"
	CodeNotFound        = "not-found"
	CodeConflict        = "conflict"
	CodeNotOwner        = "not-owner"
	CodeUnavailable     = "unavailable"
	CodeUnconfigured    = "unconfigured"
	CodeInternal        = "internal"
	CodeProtocol        = "protocol"
	typePrefix          = "urn:deskfleet:problem:"
	unavailableRetry    = 2 * time.Second
	fullRetry           = 10 * time.Second
	maxValueRunes       = 120
	titleOfUnknownError = "Internal error"
)

// Problem is one refusal. It is an error.
type Problem struct {
	// Type is a URN whose last part is the code.
	Type string `json:"type"`
	// Title is the same for all problems of a type.
	Title string `json:"title"`
	// Status is the HTTP status, also in WebSocket frames.
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Field and Value name what was refused; the value is shortened and never a secret.
	Field string `json:"field,omitempty"`
	Value string `json:"value,omitempty"`
	// Remedy is what to do.
	Remedy string `json:"remedy,omitempty"`
	// RetryAfterSeconds is when to try again; 0 when trying again is of no use.
	RetryAfterSeconds int `json:"retryAfterSeconds,omitempty"`

	cause error
}

var titles = map[string]string{
	CodeInvalid:      "The request is not valid",
	CodeTooLarge:     "Too large",
	CodeRate:         "Too many messages",
	CodeConnections:  "Too many connections",
	CodeUnauthorised: "Sign in first",
	CodeToken:        "The token is not accepted",
	CodeSignature:    "The signature is not accepted",
	CodeForbidden:    "Not allowed",
	CodeOrigin:       "The page may not use this desk",
	CodeNotFound:     "Not found",
	CodeConflict:     "Not possible now",
	CodeNotOwner:     "The conversation is not yours",
	CodeUnavailable:  "The desk is not available at the moment",
	CodeUnconfigured: "The desk is not set up completely",
	CodeInternal:     titleOfUnknownError,
	CodeProtocol:     "The frame is not understood",
}

// New makes a problem. The code is one of this package's.
func New(status int, code, detail, remedy string) *Problem {
	return &Problem{Type: typePrefix + code, Title: titles[code], Status: status, Detail: detail, Remedy: remedy}
}

// Field makes a problem about one field of the request.
func Field(status int, code, field, value, detail, remedy string) *Problem {
	p := New(status, code, detail, remedy)
	p.Field, p.Value = field, shorten(value)
	return p
}

// RetryAfter sets when to try again, rounded up to seconds.
func (p *Problem) RetryAfter(d time.Duration) *Problem {
	p.RetryAfterSeconds = max(1, int(math.Ceil(d.Seconds())))
	return p
}

// Code is the last part of the type.
func (p *Problem) Code() string {
	if len(p.Type) < len(typePrefix) {
		return ""
	}
	return p.Type[len(typePrefix):]
}

// Error implements error.
func (p *Problem) Error() string {
	s := p.Title
	if p.Field != "" {
		s += fmt.Sprintf(": %s %q", p.Field, p.Value)
	}
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	if p.Remedy != "" {
		s += ": " + p.Remedy
	}
	return s
}

// Unwrap gives the error that the problem was made from, which is for the log only.
func (p *Problem) Unwrap() error { return p.cause }

// From tells clients about an error as much as helps them. What it does not know becomes status 500
// without detail: errors of the inside may hold what is not theirs.
func From(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	p = describe(err)
	p.cause = err
	return p
}

func describe(err error) *Problem {
	var field *conversation.FieldError
	var refused *protocol.Error
	switch {
	case errors.As(err, &field):
		return Field(http.StatusBadRequest, CodeInvalid, field.Field, field.Value, "", field.Remedy)
	case errors.As(err, &refused):
		return fromRouter(refused)
	case errors.Is(err, bus.ErrTooLarge):
		return New(http.StatusRequestEntityTooLarge, CodeTooLarge, "", "send a shorter message")
	case errors.Is(err, bus.ErrFull):
		return New(http.StatusServiceUnavailable, CodeUnavailable, "the desk's log is full",
			"keep the message and send it again with the same clientId: nothing of it is stored").RetryAfter(fullRetry)
	case errors.Is(err, bus.ErrUnavailable), errors.Is(err, bus.ErrNoResponders), errors.Is(err, bus.ErrClosed), errors.Is(err, intake.ErrContended):
		return New(http.StatusServiceUnavailable, CodeUnavailable, "", "try again with the same clientId").RetryAfter(unavailableRetry)
	default:
		return New(http.StatusInternalServerError, CodeInternal, "", "try again; tell the desk's operator if it stays")
	}
}

func fromRouter(e *protocol.Error) *Problem {
	status, code := http.StatusConflict, CodeConflict
	switch e.Code {
	case protocol.CodeMalformed, protocol.CodeUnsupported, protocol.CodeUnknownQueue:
		status, code = http.StatusBadRequest, CodeInvalid
	case protocol.CodeNotFound:
		status, code = http.StatusNotFound, CodeNotFound
	case protocol.CodeNotOwner, protocol.CodeNotOffered:
		code = CodeNotOwner
	case protocol.CodeUnknownPool:
		status, code = http.StatusForbidden, CodeForbidden
	case protocol.CodeUnavailable:
		status, code = http.StatusServiceUnavailable, CodeUnavailable
	case protocol.CodeNotSignedOn, protocol.CodeState:
	}
	p := Field(status, code, e.Field, e.Value, e.What+": "+e.Why, e.Remedy)
	if code == CodeUnavailable {
		return p.RetryAfter(unavailableRetry)
	}
	return p
}

// Level at which the failure of a client's request is logged. ctx is that of the client's connection or request.
// Warnings are for those who run the desk: that a client left or asked for the wrong thing is none, and an outage
// of the bus or a full log is told once by who notices it, not with each request.
func Level(ctx context.Context, err error) slog.Level {
	switch p := From(err); {
	case ctx.Err() != nil, p.Status < http.StatusInternalServerError:
		return slog.LevelDebug
	case p.Status == http.StatusServiceUnavailable:
		return slog.LevelInfo
	default:
		return slog.LevelWarn
	}
}

// Write answers a request with the problem.
func Write(w http.ResponseWriter, p *Problem) {
	body, err := json.Marshal(p)
	if err != nil { // cannot be: strings and numbers only
		http.Error(w, p.Title, p.Status)
		return
	}
	if p.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfterSeconds))
	}
	w.Header().Set("Content-Type", ContentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // the client may be gone
}

func shorten(s string) string {
	n := 0
	for i := range s {
		if n == maxValueRunes {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
