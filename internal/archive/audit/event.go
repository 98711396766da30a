package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Version of the events that this release writes.
const Version = 1

// Bounds of an event.
const (
	// MaxActionBytes of an action.
	MaxActionBytes = 64
	// MaxDetailsBytes of the details in canonical form.
	MaxDetailsBytes = 16 << 10
	// MaxEventBytes of an encoded event.
	MaxEventBytes = 64 << 10
)

// Event is one thing that somebody did.
type Event struct {
	V  int             `json:"v"`
	ID conversation.ID `json:"id"`
	// At is when it was done, by the clock of the role that reports it.
	At time.Time `json:"at"`
	// Role that reports it, such as console.
	Role string `json:"role"`
	// Action in words joined by dots, such as conversation.closed: a-z, A-Z, 0-9, "." and "-", at most MaxActionBytes.
	Action string `json:"action"`
	// Who did it.
	Who conversation.Actor `json:"who"`
	// Conversation that it concerns; may be empty.
	Conversation conversation.ID `json:"conversation,omitempty"`
	// Details is a JSON object; may be empty.
	Details json.RawMessage `json:"details,omitempty"`
}

// ErrMalformed is wrapped by all errors of decoding.
var ErrMalformed = errors.New("malformed audit event")

// NewEvent makes an event of this release's version. The role puts itself into Role.
func NewEvent(id conversation.ID, at time.Time, role, action string, who conversation.Actor) Event {
	return Event{V: Version, ID: id, At: at.UTC(), Role: role, Action: action, Who: who}
}

// Encode renders an event and refuses an invalid one.
func Encode(e Event) ([]byte, error) {
	if err := e.normalise(); err != nil {
		return nil, fmt.Errorf("encode audit event: %w", err)
	}
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode audit event: %w", err)
	}
	return data, nil
}

// Decode reads an event. Unknown fields are ignored, a neighbouring release may have written them. Errors
// wrap ErrMalformed.
func Decode(data []byte) (Event, error) {
	if len(data) > MaxEventBytes {
		return Event{}, fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrMalformed, len(data), MaxEventBytes)
	}
	var e Event
	if err := json.Unmarshal(data, &e); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := e.normalise(); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return e, nil
}

// normalise brings an event into the one form that is hashed, or says what is wrong.
func (e *Event) normalise() error {
	if e.V < 1 {
		return fieldError("v", fmt.Sprint(e.V), "use 1 or more")
	}
	if _, err := conversation.ParseID(string(e.ID)); err != nil {
		return err
	}
	e.At = e.At.UTC()
	if y := e.At.Year(); y < 2000 || y > 2200 {
		return fieldError("at", e.At.String(), "give the time at which it was done, in RFC 3339")
	}
	if !conversation.IsToken(e.Role) {
		return fieldError("role", e.Role, "name the role that reports it, such as console")
	}
	if !isAction(e.Action) {
		return fieldError("action", e.Action, fmt.Sprintf("use 1 to %d of a-z, A-Z, 0-9, '.' and '-'", MaxActionBytes))
	}
	if err := checkActor(e.Who); err != nil {
		return err
	}
	if e.Conversation != "" {
		if _, err := conversation.ParseID(string(e.Conversation)); err != nil {
			return err
		}
	}
	details, err := canonical(e.Details)
	if err != nil {
		return err
	}
	e.Details = details
	return nil
}

func checkActor(a conversation.Actor) error {
	if !a.Kind.Valid() {
		return fieldError("who.kind", string(a.Kind), "use customer, bot, agent or system")
	}
	if a.ID == "" && a.Kind != conversation.KindSystem {
		return fieldError("who.id", "", "say who did it")
	}
	for _, f := range []struct{ field, value string }{{"who.id", a.ID}, {"who.name", a.Name}} {
		if len(f.value) > conversation.MaxNameBytes || !utf8.ValidString(f.value) || strings.ContainsRune(f.value, 0) {
			return fieldError(f.field, f.value, fmt.Sprintf("use at most %d bytes of UTF-8", conversation.MaxNameBytes))
		}
	}
	return nil
}

func isAction(s string) bool {
	if s == "" || len(s) > MaxActionBytes {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return r != '.' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}

// canonical gives the one form of details: an object with sorted keys, without spaces, numbers as they were
// written. Empty details stay empty.
func canonical(details json.RawMessage) (json.RawMessage, error) {
	if len(details) == 0 || string(details) == "null" {
		return nil, nil
	}
	var object map[string]any
	dec := json.NewDecoder(bytes.NewReader(details))
	// A float would lose digits of large numbers, such as amounts and sequences.
	dec.UseNumber()
	if err := dec.Decode(&object); err != nil {
		return nil, fieldError("details", string(details), "give a JSON object: "+err.Error())
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fieldError("details", string(details), "give one JSON object and nothing behind it")
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(object); err != nil {
		return nil, fieldError("details", string(details), err.Error())
	}
	form := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	if len(form) > MaxDetailsBytes {
		return nil, fieldError("details", fmt.Sprint(len(form), " bytes"), fmt.Sprintf("use at most %d", MaxDetailsBytes))
	}
	return form, nil
}

func fieldError(field, value, remedy string) error {
	const most = 80
	if len(value) > most {
		value = strings.ToValidUTF8(value[:most], "") + "…"
	}
	return &conversation.FieldError{Field: field, Value: value, Remedy: remedy}
}
