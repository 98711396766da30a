package gateway

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
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

// TestFirstFrameIsShort: somebody of whom nothing is known cannot make the gateway hold much.
func TestFirstFrameIsShort(t *testing.T) {
	d := start(t)
	c := d.connect(t)
	c.send(chatwire.ClientFrame{Type: chatwire.TypeHello, Text: strings.Repeat("x", 20<<10)})
	if code, _ := c.closeCode(); code != websocket.StatusMessageTooBig {
		t.Errorf("a long hello is closed with %d", code)
	}
}

// TestReadsAreLimited: asking for the whole conversation over and over costs the desk more than the asker.
func TestReadsAreLimited(t *testing.T) {
	d := start(t)
	s := d.startREST(t)
	path := "/v1/conversations/" + string(s.Conversation) + "/messages"
	for range readsPerMinute + 50 {
		status, p := d.rest(t, "GET", path, s.Token, nil, nil)
		if status == http.StatusOK {
			continue
		}
		if status != http.StatusTooManyRequests || p.Code() != problem.CodeRate || p.RetryAfterSeconds == 0 {
			t.Errorf("a read is refused with %d %v", status, p)
		}
		// The same over the WebSocket, where each hello reads.
		c := d.connect(t)
		c.send(chatwire.ClientFrame{Type: chatwire.TypeHello, Token: s.Token})
		if f := c.next(chatwire.TypeError); f.Problem.Code() != problem.CodeRate {
			t.Errorf("a hello is refused with %v", f.Problem)
		}
		// What is said is not held up by it.
		var posted sent
		if status, p := d.rest(t, "POST", path, s.Token, map[string]string{"clientId": "m1", "text": "hello"}, &posted); status != http.StatusCreated {
			t.Errorf("a message gives %d %v", status, p)
		}
		return
	}
	t.Error("reads are not limited")
}

// TestComingAndGoing: while no router answers, a client that comes and goes leaves nothing behind.
func TestComingAndGoing(t *testing.T) {
	d := start(t, func(o *Options) { o.LeftAfter = time.Hour })
	attend := d.gw.link.Load().attend
	conv := conversation.NewID(time.Now())
	before := runtime.NumGoroutine()
	for range 300 {
		attend.enter(conv, "c-1", true)
		attend.leave(conv)
	}
	eventually.True(t, "what told the router has ended", func() bool { return runtime.NumGoroutine() < before+30 })
}
