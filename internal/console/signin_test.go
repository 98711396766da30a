package console

import (
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/web/ask"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// fakeBot is a bot worker as the test plays it.
type fakeBot struct {
	t      testing.TB
	rig    *webtest.Rig
	router ask.Router
	pushes chan *protocol.Push
}

func signOnBot(t testing.TB, rig *webtest.Rig) *fakeBot {
	t.Helper()
	b := &fakeBot{
		t: t, rig: rig, router: ask.Router{Bus: rig.Conn, Subjects: rig.Subjects, Party: bus.PartyBot},
		pushes: make(chan *protocol.Push, 64),
	}
	_, err := rig.Conn.Subscribe(t.Context(), rig.Subjects.Offer(bus.PartyBot, webtest.Bot.ID), func(m *bus.Message) {
		if p, err := protocol.DecodePush(m.Data); err == nil {
			b.pushes <- p
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.router.Ask(t.Context(), webtest.Bot.ID, protocol.Request{Type: protocol.SignOn, Agent: &webtest.Bot, Presence: conversation.PresenceOnline}); err != nil {
		t.Fatal(err)
	}
	return b
}

// assigned waits until the bot owns the conversation and returns the sequence of that.
func (b *fakeBot) assigned(conv conversation.ID) uint64 {
	b.t.Helper()
	for p := range b.pushes {
		if p.Type == protocol.PushAssigned && p.Conversation.ID == conv {
			return p.Conversation.OwnSeq
		}
	}
	return 0
}

func (b *fakeBot) say(conv conversation.ID, _ uint64, text string) {
	b.t.Helper()
	b.rig.Say(conv, conversation.Message{From: webtest.Bot.Actor(), Text: text})
}

func (b *fakeBot) handOff(conv conversation.ID, h *conversation.HandOff) {
	b.t.Helper()
	if _, err := b.router.Ask(b.t.Context(), webtest.Bot.ID, protocol.Request{Type: protocol.HandOff, Conversation: conv, HandOff: h}); err != nil {
		b.t.Fatal(err)
	}
}

func watchTyping(t testing.TB, d *desk, into chan<- feed.Typing) {
	t.Helper()
	_, err := d.Conn.Subscribe(t.Context(), d.Subjects.AllLive(), func(m *bus.Message) {
		if typing, ok := feed.DecodeTyping(m.Data); ok && typing.From.Kind == conversation.KindAgent {
			into <- typing
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSignInRefusals(t *testing.T) {
	d := start(t, routing.Times{})
	for _, tc := range []struct {
		name, frame string
		code        websocket.StatusCode
		problem     string
	}{
		{"wrong token", `{"type":"signIn","token":"wrong-wrong-wrong-wrong"}`, socket.CodeUnauthorised, problem.CodeToken},
		{"no token", `{"type":"signIn"}`, socket.CodeUnauthorised, problem.CodeUnauthorised},
		{"something else first", `{"type":"presence","presence":"away"}`, socket.CodePolicy, problem.CodeProtocol},
		{"no JSON", `signIn`, socket.CodePolicy, problem.CodeProtocol},
		{"bad presence", `{"type":"signIn","token":"` + chenToken + `","presence":"busy"}`, socket.CodePolicy, problem.CodeInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := d.connect(t)
			if err := c.ws.Write(t.Context(), websocket.MessageText, []byte(tc.frame)); err != nil {
				t.Fatal(err)
			}
			code, frames := c.closeCode()
			if code != tc.code || len(frames) != 1 || frames[0].Problem.Code() != tc.problem {
				t.Errorf("closed with %d behind %d frames", code, len(frames))
			}
		})
	}
	t.Run("header", func(t *testing.T) {
		ws, _, err := d.dial(http.Header{"Authorization": {"Bearer " + chenToken}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ws.CloseNow() }()
		c := &client{t: t, ws: ws, contract: d.contract}
		c.send(agentwire.ClientFrame{Type: agentwire.TypeSignIn})
		if f := c.next(agentwire.TypeWelcome); f.Agent.ID != "chen" {
			t.Errorf("signed in as %s", f.Agent.ID)
		}
	})
	t.Run("another site", func(t *testing.T) {
		_, resp, err := d.dial(http.Header{"Origin": {"https://evil.example"}})
		if err == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("a page of another site: %v", err)
		}
	})
}

// TestSignInLimit: after too many wrong tokens of one address not even the right one is looked at, while
// others sign in.
func TestSignInLimit(t *testing.T) {
	d := start(t, routing.Times{}, func(o *Options) { o.WrongTokensPerMinute = 3 })
	now := time.Now()
	here, there := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	for range 3 {
		if _, err := d.console.signIn("wrong-wrong-wrong-wrong", here, now); problem.From(err).Status != http.StatusUnauthorized {
			t.Fatalf("a wrong token gives %v", err)
		}
	}
	if _, err := d.console.signIn(chenToken, here, now); problem.From(err).Status != http.StatusTooManyRequests || problem.From(err).RetryAfterSeconds == 0 {
		t.Errorf("the right token after too many wrong ones gives %v", err)
	}
	if _, err := d.console.signIn(chenToken, there, now); err != nil {
		t.Errorf("another address: %v", err)
	}
	if u, err := d.console.signIn(chenToken, here, now.Add(time.Minute)); err != nil || u.Name != "chen" {
		t.Errorf("after a minute: %v", err)
	}
	for range 100 {
		if _, err := d.console.signIn(chenToken, there, now); err != nil {
			t.Fatalf("right tokens are limited: %v", err)
		}
	}
	// Addresses that are not known share a larger limit.
	refused := 0
	for range everybodyTimes*3 + 1 {
		if _, err := d.console.signIn("wrong-wrong-wrong-wrong", netip.Addr{}, now); problem.From(err).Status == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Error("wrong tokens of unknown addresses are not limited")
	}
}

// TestTokensFile: without the file nobody signs in and the health says which file; a token that is withdrawn
// ends its sockets.
func TestTokensFile(t *testing.T) {
	d := start(t, routing.Times{})
	c := d.signedIn(t, chenToken, agentwire.Available, nil)
	wu := d.signedIn(t, wuToken, agentwire.Available, nil)
	d.writeTokens(t, strings.Replace(tokensFile, chenToken, "another-token-of-chen-00", 1))
	if code, _ := c.closeCode(); code != socket.CodeUnauthorised {
		t.Errorf("a withdrawn token's socket is closed with %d", code)
	}
	if p := wu.request(agentwire.ClientFrame{Type: agentwire.TypePresence, Presence: agentwire.Away}); p != nil {
		t.Errorf("another's socket is disturbed: %v", p)
	}
	if err := os.Remove(d.tokens); err != nil {
		t.Fatal(err)
	}
	if code, _ := wu.closeCode(); code != socket.CodeUnauthorised {
		t.Errorf("closed with %d", code)
	}
	late := d.connect(t)
	late.send(agentwire.ClientFrame{Type: agentwire.TypeSignIn, Token: wuToken})
	code, frames := late.closeCode()
	if code != socket.CodeSlow || frames[0].Problem.Code() != problem.CodeUnconfigured || !strings.Contains(frames[0].Problem.Remedy, "tokensSecretRef") {
		t.Errorf("closed with %d behind %+v", code, frames[0].Problem)
	}
	ready := d.health.Readiness(t.Context())
	if check := ready.Checks["agentTokens"]; check.OK || !strings.Contains(check.Error, d.tokens) || !ready.Ready {
		t.Errorf("health says %+v", ready)
	}
}
