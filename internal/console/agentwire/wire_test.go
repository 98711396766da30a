package agentwire

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

const id = "01JD0000000000000000000000"

func TestDecodeClient(t *testing.T) {
	many := `{"type":"signIn","resume":{`
	for i := range MaxResume + 1 {
		many += fmt.Sprintf("%q:1,", fmt.Sprintf("01JD%022d", i))
	}
	many = strings.TrimSuffix(many, ",") + "}}"
	for _, tc := range []struct{ name, frame, field string }{
		{"signIn", `{"type":"signIn","token":"x","presence":"away","resume":{"` + id + `":7}}`, ""},
		{"accept", `{"type":"accept","id":"1","conversation":"` + id + `"}`, ""},
		{"message", `{"type":"message","conversation":"` + id + `","clientId":"a","text":"hi","note":true}`, ""},
		{"handOff", `{"type":"handOff","conversation":"` + id + `","reason":"why"}`, ""},
		{"unknown", `{"type":"dance"}`, ""},
		{"no JSON", `x`, "-"},
		{"no type", `{}`, "type"},
		{"bad id", `{"type":"accept","id":"a b","conversation":"` + id + `"}`, "id"},
		{"bad presence", `{"type":"presence","presence":"busy"}`, "presence"},
		{"no presence", `{"type":"presence"}`, "presence"},
		{"no conversation", `{"type":"accept"}`, "conversation"},
		{"bad conversation", `{"type":"close","conversation":"x.y"}`, "conversation"},
		{"no client id", `{"type":"message","conversation":"` + id + `","text":"hi"}`, "clientId"},
		{"blank", `{"type":"message","conversation":"` + id + `","clientId":"a","text":" "}`, "text"},
		{"too long", `{"type":"message","conversation":"` + id + `","clientId":"a","text":"` + strings.Repeat("x", conversation.MaxTextBytes+1) + `"}`, "text"},
		{"no reason", `{"type":"handOff","conversation":"` + id + `"}`, "reason"},
		{"bad queue", `{"type":"handOff","conversation":"` + id + `","reason":"r","queue":"a.b"}`, "queue"},
		{"transfer", `{"type":"handOff","conversation":"` + id + `","agent":"wu","reason":"r"}`, ""},
		{"bad agent", `{"type":"handOff","conversation":"` + id + `","agent":"w u","reason":"r"}`, "agent"},
		{"tags", `{"type":"tag","conversation":"` + id + `","tags":["a","退款","a-b_9"]}`, ""},
		{"no tags", `{"type":"tag","conversation":"` + id + `","tags":[]}`, ""},
		{"tag with a blank", `{"type":"tag","conversation":"` + id + `","tags":["a b"]}`, "tags"},
		{"empty tag", `{"type":"tag","conversation":"` + id + `","tags":[""]}`, "tags"},
		{"tag twice", `{"type":"tag","conversation":"` + id + `","tags":["a","a"]}`, "tags"},
		{"long tag", `{"type":"tag","conversation":"` + id + `","tags":["` + strings.Repeat("退", 33) + `"]}`, "tags"},
		{"formula", `{"type":"tag","conversation":"` + id + `","tags":["=1"]}`, "tags"},
		{"many tags", `{"type":"tag","conversation":"` + id + `","tags":["a1","a2","a3","a4","a5","a6","a7","a8","a9","b1","b2","b3","b4","b5","b6","b7","b8","b9","c1","c2","c3"]}`, "tags"},
		{"bad disposition", `{"type":"close","conversation":"` + id + `","disposition":"so lala"}`, "disposition"},
		{"postpone", `{"type":"postpone","conversation":"` + id + `","until":"2026-11-21T09:00:00Z"}`, ""},
		{"no time", `{"type":"postpone","conversation":"` + id + `"}`, "until"},
		{"merge", `{"type":"merge","conversation":"` + id + `","into":"01JD0000000000000000000001"}`, ""},
		{"merge into itself", `{"type":"merge","conversation":"` + id + `","into":"` + id + `"}`, "into"},
		{"merge into nothing", `{"type":"merge","conversation":"` + id + `"}`, "into"},
		{"bad resume", `{"type":"signIn","resume":{"x":1}}`, "resume"},
		{"many to resume", many, "resume"},
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
			if !errors.As(err, &p) || p.Field != strings.TrimPrefix(tc.field, "-") || p.Remedy == "" {
				t.Errorf("error is %v, want a problem about %s", err, tc.field)
			}
		})
	}
}

func FuzzDecodeClient(f *testing.F) {
	f.Add([]byte(`{"type":"message","conversation":"` + id + `","clientId":"a","text":"hi"}`))
	f.Add([]byte(`{"type":"signIn","resume":{"` + id + `":18446744073709551615}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, err := DecodeClient(data)
		if err != nil {
			if p := problem.From(err); p.Status >= 500 {
				t.Fatalf("refused with status %d", p.Status)
			}
			return
		}
		if frame.Type == TypeMessage {
			m := conversation.Message{
				From: conversation.Actor{Kind: conversation.KindAgent, ID: "a"},
				Text: frame.Text, ClientID: frame.ClientID, Note: frame.Note,
			}
			if err := m.Validate(); err != nil {
				t.Fatalf("accepted a message that cannot be stored: %v", err)
			}
		}
	})
}
