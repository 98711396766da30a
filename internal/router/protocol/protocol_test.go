package protocol_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// The shapes are a contract with neighbouring releases: a change of them shows here.
func TestShapes(t *testing.T) {
	holding := 3
	agent := &conversation.Agent{Kind: conversation.KindBot, ID: "bot-0", Pool: "bots"}
	for want, v := range map[string]any{
		`{"v":1,"id":"r1","type":"signOn","agent":{"kind":"bot","id":"bot-0","pool":"bots"},"presence":"online"}`: protocol.Request{
			V: 1, ID: "r1", Type: protocol.SignOn, Agent: agent, Presence: conversation.PresenceOnline},
		`{"v":1,"id":"r2","type":"drain","draining":true}`: protocol.Request{V: 1, ID: "r2", Type: protocol.Drain, Draining: true},
		`{"v":1,"ok":true,"agent":{"kind":"bot","id":"bot-0","signedOn":true,"presence":"online","pools":["bots"],"queues":["bot"],"slots":5,"busy":1}}`: protocol.Reply{
			V: 1, OK: true, Agent: &protocol.Agent{Kind: conversation.KindBot, ID: "bot-0", SignedOn: true,
				Presence: conversation.PresenceOnline, Pools: []string{"bots"}, Queues: []string{"bot"}, Slots: 5, Busy: 1}},
		`{"v":1,"ok":false,"error":{"code":"notOwner","what":"a","why":"b","remedy":"c"}}`: protocol.Reply{
			V: 1, Error: &protocol.Error{Code: protocol.CodeNotOwner, What: "a", Why: "b", Remedy: "c"}},
		`{"v":1,"type":"assigned","conversation":{"id":"01JD3KZ8Q80000000000000001","status":"Bot","channel":"web","contact":"c-1","agent":{"kind":"bot","id":"bot-0","pool":"bots"},"ownSeq":7,"msgSeq":3}}`: protocol.Push{
			V: 1, Type: protocol.PushAssigned, Conversation: &protocol.Conversation{
				ID: "01JD3KZ8Q80000000000000001", Status: conversation.StatusBot, Channel: "web", Contact: "c-1", Agent: agent, OwnSeq: 7, MsgSeq: 3}},
		`{"v":1,"holding":3}`: protocol.Heartbeat{V: 1, Holding: &holding},
		`{"v":1}`:             protocol.Heartbeat{V: 1},
	} {
		data, err := protocol.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(data)); diff != "" {
			t.Errorf("%T: %s", v, diff)
		}
	}
}

func TestRequestsThatCannotBeRead(t *testing.T) {
	for name, data := range map[string]string{
		"no JSON":    `hello`,
		"no version": `{"id":"r1","type":"sync"}`,
		"no id":      `{"v":1,"type":"sync"}`,
		"id":         `{"v":1,"id":"a b","type":"sync"}`,
		"too long":   `{"v":1,"id":"r1","comment":"` + strings.Repeat("x", protocol.MaxRequestBytes) + `"}`,
	} {
		if _, refused := protocol.DecodeRequest([]byte(data)); refused == nil || refused.Code != protocol.CodeMalformed || refused.Remedy == "" {
			t.Errorf("%s: %+v", name, refused)
		}
	}
	if r, refused := protocol.DecodeRequest([]byte(`{"v":2,"id":"r1","type":"dance","tempo":120}`)); refused != nil || r.Type != "dance" {
		t.Errorf("a later release's request: %+v, %v", r, refused)
	}
}

func TestReplies(t *testing.T) {
	_, err := protocol.DecodeReply([]byte(`{"v":1,"ok":false,"error":{"code":"state","what":"a","why":"b","remedy":"c"}}`))
	if refused, ok := errors.AsType[*protocol.Error](err); !ok || refused.Code != protocol.CodeState || refused.Error() != "a: b: c" {
		t.Errorf("a refusal: %v", err)
	}
	for _, data := range []string{`{"v":1,"ok":false}`, `x`} {
		if _, err := protocol.DecodeReply([]byte(data)); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%s: %v", data, err)
		}
	}
}

// FuzzDecodeRequest holds that every request is read or refused with a remedy.
func FuzzDecodeRequest(f *testing.F) {
	f.Add([]byte(`{"v":1,"id":"r1","type":"accept","conversation":"01JD3KZ8Q80000000000000001"}`))
	f.Add([]byte(`{"v":1,"id":"r1","type":"handOff","handOff":{"transcriptSeq":1,"reason":{"code":"a","words":"b"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, refused := protocol.DecodeRequest(data)
		if refused != nil {
			if refused.Remedy == "" {
				t.Fatal("a refusal without a remedy")
			}
			return
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
	})
}
