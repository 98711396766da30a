package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

var at = time.Date(2026, 11, 20, 8, 0, 0, 123456789, time.UTC)

func event(action, details string) Event {
	e := NewEvent(conversation.NewID(at), at, "console", action, conversation.Actor{Kind: conversation.KindAgent, ID: "mei", Name: "梅"})
	e.Details = json.RawMessage(details)
	return e
}

func chain(t testing.TB, events ...Event) []Record {
	t.Helper()
	var records []Record
	var head Head
	for i, e := range events {
		data, err := Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		if e, err = Decode(data); err != nil {
			t.Fatal(err)
		}
		r := Link(head, "shop", "web", e, bytes.Repeat([]byte{byte(i)}, SaltBytes))
		records, head = append(records, r), r.Head()
	}
	return records
}

func verify(records []Record, noted Head) *Break {
	var v Verifier
	for i := range records {
		if b := v.Next(&records[i]); b != nil {
			return b
		}
	}
	return v.End(noted)
}

func TestChainHolds(t *testing.T) {
	records := chain(t, event("agent.signedOn", ""), event("conversation.closed", `{"disposition":"refunded"}`), event("agent.signedOff", `{}`))
	if b := verify(records, records[2].Head()); b != nil {
		t.Fatalf("an untouched chain breaks: %+v", b)
	}
	if b := verify(nil, Head{}); b != nil {
		t.Fatalf("an empty chain breaks: %+v", b)
	}
}

func TestEveryChangeIsFound(t *testing.T) {
	fresh := func() []Record {
		return chain(t, event("a.one", `{"n":1}`), event("a.two", `{"n":2}`), event("a.three", `{"n":3}`), event("a.four", ""))
	}
	head := fresh()[3].Head().Number
	for name, c := range map[string]struct {
		tamper func([]Record) []Record
		broken uint64
	}{
		"details":      {func(r []Record) []Record { r[1].Details = json.RawMessage(`{"n":9}`); return r }, 2},
		"details gone": {func(r []Record) []Record { r[1].Details = nil; return r }, 2},
		"salt":         {func(r []Record) []Record { r[1].Salt = r[2].Salt; return r }, 2},
		"who":          {func(r []Record) []Record { r[1].Who.ID = "max"; return r }, 2},
		"name":         {func(r []Record) []Record { r[1].Who.Name = "Max"; return r }, 2},
		"kind":         {func(r []Record) []Record { r[1].Who.Kind = conversation.KindSystem; return r }, 2},
		"action":       {func(r []Record) []Record { r[1].Action = "a.2"; return r }, 2},
		"role":         {func(r []Record) []Record { r[1].Role = "router"; return r }, 2},
		"time":         {func(r []Record) []Record { r[1].At = r[1].At.Add(1); return r }, 2},
		"id":           {func(r []Record) []Record { r[1].ID = conversation.NewID(at); return r }, 2},
		"conversation": {func(r []Record) []Record { r[1].Conversation = conversation.NewID(at); return r }, 2},
		"desk":         {func(r []Record) []Record { r[1].Desk = "other"; return r }, 2},
		"namespace":    {func(r []Record) []Record { r[1].Namespace = "other"; return r }, 2},
		"version":      {func(r []Record) []Record { r[1].V = 2; return r }, 2},
		"hash":         {func(r []Record) []Record { r[1].Hash = Genesis; return r }, 2},
		"removed":      {func(r []Record) []Record { return append(r[:1], r[2:]...) }, 2},
		"renumbered": {func(r []Record) []Record {
			r = append(r[:1], r[2:]...)
			r[1].Number = 2
			return r
		}, 2},
		"recomputed alone": {func(r []Record) []Record {
			r[1].Action = "forged"
			r[1].Hash = r[1].compute()
			return r
		}, 3},
		"cut off":  {func(r []Record) []Record { return r[:2] }, 3},
		"swapped":  {func(r []Record) []Record { r[1], r[2] = r[2], r[1]; return r }, 2},
		"appended": {func(r []Record) []Record { return append(r, Link(r[3].Head(), "shop", "web", event("x", ""), nil)) }, 5},
		"all recomputed": {func([]Record) []Record {
			forged := chain(t, event("a.one", ""), event("a.two", ""), event("a.three", ""), event("a.four", ""))
			return forged
		}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			records := fresh()
			noted := records[len(records)-1].Head()
			if noted.Number != head {
				t.Fatal("the chain has another length")
			}
			b := verify(c.tamper(records), noted)
			if b == nil || b.Number != c.broken || b.Why == "" {
				t.Fatalf("break %+v, want one at %d", b, c.broken)
			}
		})
	}
}

func TestDetailsAreCanonical(t *testing.T) {
	for in, want := range map[string]string{
		``:                            ``,
		`null`:                        ``,
		`{}`:                          `{}`,
		` { "b" : 1 , "a" : [ 2 ] } `: `{"a":[2],"b":1}`,
		`{"n":12345678901234567890}`:  `{"n":12345678901234567890}`,
		`{"t":"<退款>"}`:                `{"t":"<退款>"}`,
	} {
		got, err := canonical(json.RawMessage(in))
		if err != nil || string(got) != want {
			t.Errorf("canonical(%s) = %s, %v, want %s", in, got, err, want)
		}
		again, err := canonical(got)
		if err != nil || !bytes.Equal(again, got) {
			t.Errorf("canonical is not stable: %s, then %s, %v", got, again, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := event("a.b", `{"k":1}`)
	for field, change := range map[string]func(*Event){
		"v":        func(e *Event) { e.V = 0 },
		"id":       func(e *Event) { e.ID = "17" },
		"at":       func(e *Event) { e.At = time.Time{} },
		"role":     func(e *Event) { e.Role = "" },
		"action":   func(e *Event) { e.Action = "what was done" },
		"who.kind": func(e *Event) { e.Who.Kind = "boss" },
		"who.id":   func(e *Event) { e.Who.ID = "" },
		"who.name": func(e *Event) { e.Who.Name = strings.Repeat("x", conversation.MaxNameBytes+1) },
		"details":  func(e *Event) { e.Details = json.RawMessage(`[1]`) },
	} {
		e := good
		change(&e)
		if _, err := Encode(e); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("an event with a bad %s is encoded: %v", field, err)
		}
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(raw); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), field) {
			t.Errorf("an event with a bad %s is decoded: %v", field, err)
		}
	}
	if _, err := Decode([]byte(`{"v":1}{}`)); !errors.Is(err, ErrMalformed) {
		t.Errorf("trailing data is decoded: %v", err)
	}
	big := event("a.b", `{"k":"`+strings.Repeat("x", MaxDetailsBytes)+`"}`)
	if _, err := Encode(big); err == nil {
		t.Error("details without bound are encoded")
	}
}

// What is encoded is decoded to the same, and hashing does not depend on how it was written.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := event("a.b", "")
		e.Who.Name = rapid.StringN(0, 20, 80).Filter(func(s string) bool { return !strings.ContainsRune(s, 0) }).Draw(t, "name")
		e.At = time.Unix(0, rapid.Int64Range(1e18, 4e18).Draw(t, "at"))
		details := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "details")
		raw, err := json.MarshalIndent(details, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		e.Details = raw
		data, err := Encode(e)
		if err != nil {
			t.Skip(err)
		}
		back, err := Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		direct := e
		if err := direct.normalise(); err != nil {
			t.Fatal(err)
		}
		a, b := Link(Head{}, "n", "d", direct, nil), Link(Head{}, "n", "d", back, nil)
		if a.Hash != b.Hash {
			t.Fatalf("hash %s before and %s after the wire", a.Hash, b.Hash)
		}
	})
}

func FuzzDecode(f *testing.F) {
	data, err := Encode(event("a.b", `{"k":[1,{"z":null}]}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"v":1,"details":{"a":1e999}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Encode(e)
		if err != nil {
			t.Fatalf("decoded, but not encoded: %v", err)
		}
		back, err := Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := Link(Head{}, "n", "d", e, nil), Link(Head{}, "n", "d", back, nil); a.Hash != b.Hash {
			t.Fatalf("another hash after a round trip of %s", data)
		}
	})
}
