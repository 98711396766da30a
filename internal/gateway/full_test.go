package gateway

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/ask"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// startArchive runs the real archive until the test ends; it purges what has ended at once.
func (d *desk) startArchive(t testing.TB) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "archive.db")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- archive.Run(ctx, archive.Options{
			Dialer: d.Server, Source: d.Config, Logger: webtest.Quiet(t), Grace: time.Nanosecond, PurgeEvery: 5 * time.Millisecond,
			Open: func(ctx context.Context, s bus.Subjects) (archive.Store, error) {
				return archive.OpenSQLite(ctx, file, s)
			},
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := eventually.Receive(t, "the archive ends", done); err != nil {
			t.Errorf("archive ended with %v", err)
		}
	})
}

// TestFullLog: customers fill a desk's log. They are refused, with what to do, while there still is room for the
// router: conversations are closed, archived and purged, and then the very messages that were refused are taken.
func TestFullLog(t *testing.T) {
	rig := webtest.New(t, func(doc *runtimeconfig.Document) {
		doc.Bus.MaxStoreBytes = 8 << 20
		doc.WebChat = runtimeWebChat(conversation.MaxTextRunes, 60_000) // asking whether there is room again counts, too
	})
	rig.StartRouter(routing.Times{HeartbeatLost: time.Hour})
	// A bot has the conversations; that it says nothing is no matter here.
	bot := ask.Router{Bus: rig.Conn, Subjects: rig.Subjects, Party: bus.PartyBot}
	if _, err := bot.Ask(t.Context(), webtest.Bot.ID, protocol.Request{
		Type: protocol.SignOn, Agent: &webtest.Bot, Presence: conversation.PresenceOnline,
	}); err != nil {
		t.Fatal(err)
	}
	d := startOn(t, rig)
	text := strings.Repeat("字", conversation.MaxTextRunes)
	const customers = 6
	clients := make([]*client, customers)
	tokens := make([]string, customers)
	refused := make([]string, customers)
	for i := range clients {
		clients[i] = d.connect(t)
		welcome, _ := clients[i].hello(chatwire.ClientFrame{Start: true})
		tokens[i] = welcome.Token
		clients[i].sayAcked("m0", "the first one") // nobody's conversation is empty
	}
	stored := 0
	for i, c := range clients {
		path := "/v1/conversations/" + string(d.openConversation(contactOf(t, d, tokens[i]))) + "/messages"
		for n := 1; refused[i] == ""; n++ {
			id := fmt.Sprint("m", n)
			status, p := d.rest(t, "POST", path, tokens[i], map[string]string{"clientId": id, "text": text}, nil)
			if status == http.StatusCreated {
				stored++
				continue
			}
			wantFull(t, p)
			refused[i] = id
		}
		// Over the WebSocket the same is said, and the socket stays.
		c.say(refused[i], text, "")
		wantFull(t, c.answer(refused[i]).Problem)
	}
	t.Logf("%d messages of %d bytes were stored before", stored, len(text))
	// Nobody can begin a conversation either, and is told the same.
	if status, p := d.rest(t, "POST", "/v1/conversations", "", `{}`, nil); status != http.StatusServiceUnavailable || p.RetryAfterSeconds == 0 {
		t.Errorf("a start gives %d, %v", status, p)
	}
	for i, c := range clients {
		c.send(chatwire.ClientFrame{Type: chatwire.TypeClose})
		f := c.until(chatwire.TypeState, func(f *chatwire.ServerFrame) bool { return f.Status.Ended() })
		if f.Status != conversation.StatusClosed {
			t.Errorf("conversation %d is %s", i, f.Status)
		}
	}
	d.startArchive(t)
	for i, c := range clients {
		eventually.True(t, "service resumes", func() bool {
			status, _ := d.rest(t, "POST", "/v1/conversations", tokens[i], `{}`, nil)
			return status < http.StatusBadRequest
		})
		c.say(refused[i], text, "")
		if f := c.answer(refused[i]); f.Type != chatwire.TypeAck {
			t.Fatalf("the refused message is answered with %v", f.Problem)
		}
		if got := d.Messages(d.openConversation(contactOf(t, d, tokens[i]))); len(got) != 1 || got[0].Body.(*conversation.Message).ClientID != refused[i] {
			t.Errorf("conversation %d holds %d messages", i, len(got))
		}
	}
}

func wantFull(t testing.TB, p *problem.Problem) {
	t.Helper()
	if p == nil || p.Status != http.StatusServiceUnavailable || p.Code() != problem.CodeUnavailable || p.RetryAfterSeconds == 0 ||
		!strings.Contains(p.Remedy, "same clientId") {
		t.Fatalf("a message for a full log is refused with %v", p)
	}
}

// answer reads up to the ack or the refusal of a message.
func (c *client) answer(clientID string) *chatwire.ServerFrame {
	c.t.Helper()
	for {
		f, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for the answer to %s: %v", clientID, err)
		}
		if f.ClientID == clientID && (f.Type == chatwire.TypeAck || f.Type == chatwire.TypeError) {
			return f
		}
	}
}

// contactOf a token.
func contactOf(t testing.TB, d *desk, token string) string {
	t.Helper()
	who, err := d.gw.identify(token, "", noAddr, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return who.ID
}
