package chatwire

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

func TestDecodeClient(t *testing.T) {
	const id = "01JD0000000000000000000000"
	for _, tc := range []struct {
		name, frame string
		// field of the problem, "-" for none and "" for a frame that is accepted.
		field string
	}{
		{"hello", `{"type":"hello","v":1}`, ""},
		{"full hello", `{"type":"hello","token":"x","contact":{"name":"李薇"},"language":"zh-Hans","conversation":"` + id + `","resumeAfter":7}`, ""},
		{"unknown type", `{"type":"wave","hand":"left"}`, ""},
		{"unknown field", `{"type":"typing","on":true,"emoji":1}`, ""},
		{"message", `{"type":"message","clientId":"m1","text":"hi"}`, ""},
		{"no JSON", `hello`, "-"},
		{"array", `[]`, "-"},
		{"wrong kind of field", `{"type":"hello","resumeAfter":"7"}`, "-"},
		{"negative sequence", `{"type":"hello","resumeAfter":-1}`, "-"},
		{"no type", `{}`, "type"},
		{"null", `null`, "type"},
		{"bad conversation", `{"type":"hello","conversation":"../x"}`, "conversation"},
		{"lower case id", `{"type":"message","clientId":"m1","text":"hi","conversation":"` + strings.ToLower(id) + `"}`, "conversation"},
		{"bad language", `{"type":"hello","language":"<b>"}`, "language"},
		{"long language", `{"type":"hello","language":"` + strings.Repeat("a", 36) + `"}`, "language"},
		{"long name", `{"type":"hello","contact":{"name":"` + strings.Repeat("李", 65) + `"}}`, "contact.name"},
		{"control characters", `{"type":"hello","contact":{"name":"a\nb"}}`, "contact.name"},
		{"no client id", `{"type":"message","text":"hi"}`, "clientId"},
		{"client id with dot", `{"type":"message","clientId":"a.b","text":"hi"}`, "clientId"},
		{"blank", `{"type":"message","clientId":"m1","text":" \n"}`, "text"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := DecodeClient([]byte(tc.frame))
			if tc.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var p *problem.Problem
			if !errors.As(err, &p) {
				t.Fatalf("error is %v, want a problem", err)
			}
			if got := p.Field; got != strings.TrimPrefix(tc.field, "-") || p.Remedy == "" || p.Status != 400 {
				t.Errorf("problem is %+v, want field %q and a remedy", p, tc.field)
			}
		})
	}
}

// FuzzDecodeClient: whatever is accepted can be stored and put into subjects.
func FuzzDecodeClient(f *testing.F) {
	f.Add([]byte(`{"type":"hello","contact":{"name":"x"},"language":"zh"}`))
	f.Add([]byte(`{"type":"message","clientId":"m1","text":"hi","conversation":"01JD0000000000000000000000"}`))
	f.Add([]byte(`{"type":"message","clientId":"m1","text":"\ud800"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, err := DecodeClient(data)
		if err != nil {
			if p := problem.From(err); p.Status != 400 {
				t.Fatalf("refused with status %d: %v", p.Status, err)
			}
			return
		}
		if frame.Type != TypeMessage {
			return
		}
		if !utf8.ValidString(frame.Text) {
			t.Fatalf("text %q is not valid UTF-8", frame.Text)
		}
		m := conversation.Message{
			From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"},
			Text: frame.Text, Language: frame.Language, ClientID: frame.ClientID,
		}
		if err := m.Validate(); err != nil && len(frame.Text) <= conversation.MaxTextBytes {
			t.Fatalf("accepted a message that cannot be stored: %v", err)
		}
	})
}

// TestServerFrames: the client's union reads each of the gateway's frames.
func TestServerFrames(t *testing.T) {
	for _, frame := range []any{
		Welcome{Type: TypeWelcome, V: 1, Token: "t", Contact: ContactCard{ID: "c"}, Limits: Limits{MaxMessageLength: 5}},
		Message{Type: TypeMessage, Seq: 3, Text: "x", From: Party{Kind: conversation.KindBot}, Entry: &conversation.Citation{KnowledgeBase: "k", ID: "e"}},
		State{Type: TypeState, Seq: 4, Status: conversation.StatusActive, Agent: &Party{Name: "Chen"}},
		CaughtUp{Type: TypeCaughtUp, Seq: 4, State: &State{Status: conversation.StatusBot}},
		Position{Type: TypePosition, Position: 2, Waiting: 9, Queue: "refunds"},
		Error{Type: TypeError, ClientID: "m", Problem: problem.New(429, problem.CodeRate, "", "wait").RetryAfter(1)},
		socket.Goodbye{Type: TypeGoodbye, Reason: "restart", RetryAfterMillis: 12},
	} {
		data, err := json.Marshal(frame)
		if err != nil {
			t.Fatal(err)
		}
		union, err := DecodeServer(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(union)
		if err != nil {
			t.Fatal(err)
		}
		var want, got map[string]any
		if json.Unmarshal(data, &want) != nil || json.Unmarshal(again, &got) != nil {
			t.Fatal("not JSON")
		}
		for field := range want {
			if _, there := got[field]; !there {
				t.Errorf("%T: field %s is lost by the client", frame, field)
			}
		}
	}
}
