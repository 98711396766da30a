package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// TestTheLongestMessage: what the API allows as a message's length is taken in every script and spelling, over
// the WebSocket and REST, comes back whole, and one character more is refused.
func TestTheLongestMessage(t *testing.T) {
	d := start(t)
	doc := webtest.Document()
	doc.WebChat = runtimeWebChat(conversation.MaxTextRunes, 600)
	d.Config.Set(t, doc)
	c := d.connect(t)
	welcome, _ := c.hello(chatwire.ClientFrame{})
	var want []string
	for i, tc := range []struct{ character, spelled string }{
		{"字", "字"}, {"😀", "😀"}, {"😀", `\ud83d\ude00`}, {"<", `\u003c`},
	} {
		spell := func(kind string, n int) string {
			return fmt.Sprintf(`{%s"clientId":"%s%d","text":"%s"}`, kind, "m", i, strings.Repeat(tc.spelled, n))
		}
		frame := func(n int) {
			t.Helper()
			if err := c.ws.Write(t.Context(), websocket.MessageText, []byte(spell(`"type":"message",`, n))); err != nil {
				t.Fatal(err)
			}
		}
		frame(conversation.MaxTextRunes + 1)
		if f := c.next(chatwire.TypeError); f.Problem.Status != http.StatusRequestEntityTooLarge || f.Problem.Code() != problem.CodeTooLarge {
			t.Fatalf("one %q more gives %v", tc.spelled, f.Problem)
		}
		frame(conversation.MaxTextRunes)
		ack := c.until(chatwire.TypeAck, func(f *chatwire.ServerFrame) bool { return f.ClientID == fmt.Sprint("m", i) })
		want = append(want, strings.Repeat(tc.character, conversation.MaxTextRunes))

		path := "/v1/conversations/" + string(ack.Conversation) + "/messages"
		var again sent
		if status, p := d.rest(t, "POST", path, welcome.Token, spell("", conversation.MaxTextRunes), &again); status != http.StatusOK || !again.Duplicate {
			t.Errorf("%q by REST gives %d %+v %v", tc.spelled, status, again, p)
		}
		if status, p := d.rest(t, "POST", path, welcome.Token, spell("", conversation.MaxTextRunes+1), nil); status != http.StatusRequestEntityTooLarge {
			t.Errorf("one %q more by REST gives %d %v", tc.spelled, status, p)
		}
	}
	back := d.connect(t)
	_, frames := back.hello(chatwire.ClientFrame{Token: welcome.Token})
	got := texts(frames)
	if len(got) != len(want) {
		t.Fatalf("%d messages come back, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("message %d comes back with %d bytes, want %d", i, len(got[i]), len(want[i]))
		}
	}
}
