package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/telemetry"
	"github.com/deskfleet/deskfleet/internal/testing/contract"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/ask"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Tokens of the test's users.
const (
	chenToken  = "token-of-chen-0123456789"
	wuToken    = "token-of-wu-0123456789xx"
	bossToken  = "token-of-boss-0123456789"
	adminToken = "token-of-admin-012345678"
)

const tokensFile = `
- {name: chen, role: agent, token: ` + chenToken + `}
- {name: wu, role: agent, token: ` + wuToken + `}
- {name: boss, role: supervisor, token: ` + bossToken + `}
- {name: root, role: admin, token: ` + adminToken + `}
`

// desk is a console under test on a real bus with a real router.
type desk struct {
	*webtest.Rig
	console *Console
	// router that leads; nil where a test starts its own.
	router *router.Router
	health *telemetry.Health
	http   *httptest.Server
	// contract that everything the role says is held to.
	contract *contract.Contract
	tokens   string
	// stop drains the console and waits until it has ended.
	stop func()
}

func start(t testing.TB, times routing.Times, change ...func(*Options)) *desk {
	t.Helper()
	return startWith(t, times, 60, change...)
}

// startWith gives offers so many seconds.
func startWith(t testing.TB, times routing.Times, offerSeconds int, change ...func(*Options)) *desk {
	t.Helper()
	rig := webtest.New(t)
	// Without bots conversations go to people at once.
	doc := webtest.Document()
	doc.Pools = doc.Pools[1:]
	doc.Pools[0].Human.OfferTimeoutSeconds = offerSeconds
	rig.Config.Set(t, doc)
	led := rig.StartRouter(times)
	d := startOn(t, rig, change...)
	d.router = led
	return d
}

// startOn starts a console on an existing bus.
func startOn(t testing.TB, rig *webtest.Rig, change ...func(*Options)) *desk {
	t.Helper()
	d := &desk{Rig: rig, tokens: filepath.Join(t.TempDir(), "tokens.yaml"), health: telemetry.NewHealth(nil)}
	d.writeTokens(t, tokensFile)
	opts := Options{
		Name: "console-0", Source: rig.Config, Dialer: rig.Server, Tokens: d.tokens, Logger: webtest.Quiet(t),
		Registerer: prometheus.NewRegistry(), Health: d.health, DrainWithin: 10 * time.Second,
		TokensEvery: 10 * time.Millisecond, HeartbeatEvery: 200 * time.Millisecond,
	}
	for _, f := range change {
		f(&opts)
	}
	var err error
	if d.console, err = New(opts); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.console.Run(ctx) }()
	d.contract = contract.Load(t)
	d.http = httptest.NewServer(d.contract.Handler(d.console.Handler()))
	stopped := false
	d.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := eventually.Receive(t, "the console ends", done); err != nil {
			t.Errorf("console ended with %v", err)
		}
		d.http.Close()
	}
	t.Cleanup(d.stop)
	eventually.Nil(t, "the console is ready", d.console.Ready)
	return d
}

func (d *desk) writeTokens(t testing.TB, content string) {
	t.Helper()
	if err := os.WriteFile(d.tokens, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// customerSays posts a message of a customer, as the gateway does, and returns its conversation.
func (d *desk) customerSays(contact, clientID, text string) conversation.ID {
	d.T.Helper()
	posted, err := intake.Desk{Log: d.Log, Subjects: d.Subjects}.Post(d.T.Context(),
		intake.Contact{Channel: "web", ID: contact, Name: "Li Wei", Language: "en"},
		conversation.Message{Text: text, ClientID: clientID, Language: "en"}, "", time.Now())
	if err != nil {
		d.T.Fatal(err)
	}
	return posted.Conversation
}

// show asks the router about a conversation.
func (d *desk) show(conv conversation.ID) *protocol.Conversation {
	d.T.Helper()
	reply, err := ask.Router{Bus: d.Conn, Subjects: d.Subjects, Party: "agent"}.Ask(d.T.Context(), "observer",
		protocol.Request{Type: protocol.Show, Conversation: conv})
	if err != nil {
		d.T.Fatal(err)
	}
	return reply.Conversation
}

// client is an agent's WebSocket.
type client struct {
	t        testing.TB
	ws       *websocket.Conn
	contract *contract.Contract
	// nextID of a request.
	nextID int
	// passed are frames that came before the answer to a request.
	passed []*agentwire.ServerFrame
}

func (d *desk) dial(header http.Header) (*websocket.Conn, *http.Response, error) {
	return websocket.Dial(d.T.Context(), strings.Replace(d.http.URL, "http", "ws", 1)+"/console/v1/agent",
		&websocket.DialOptions{HTTPHeader: header})
}

func (d *desk) connect(t testing.TB) *client {
	t.Helper()
	ws, _, err := d.dial(nil)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = ws.CloseNow() })
	return &client{t: t, ws: ws, contract: d.contract}
}

// signedIn is a client that has signed in and, unless the presence is offline, is signed on.
func (d *desk) signedIn(t testing.TB, token string, presence agentwire.Presence, resume map[conversation.ID]uint64) *client {
	t.Helper()
	c := d.connect(t)
	c.send(agentwire.ClientFrame{Type: agentwire.TypeSignIn, V: 1, Token: token, Presence: presence, Resume: resume})
	c.next(agentwire.TypeWelcome)
	if presence != agentwire.Offline {
		// An offer may come before the presence is confirmed: it is kept.
		frames := c.collect(agentwire.TypePresence, func(f *agentwire.ServerFrame) bool { return f.SignedOn && f.Presence == presence })
		c.passed = frames[:len(frames)-1]
	}
	return c
}

func (c *client) send(frame agentwire.ClientFrame) {
	c.t.Helper()
	data, err := json.Marshal(frame)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.ws.Write(c.t.Context(), websocket.MessageText, data); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read() (*agentwire.ServerFrame, error) {
	if len(c.passed) > 0 {
		f := c.passed[0]
		c.passed = c.passed[1:]
		return f, nil
	}
	return c.receive()
}

func (c *client) receive() (*agentwire.ServerFrame, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), eventually.Limit)
	defer cancel()
	_, data, err := c.ws.Read(ctx)
	if err != nil {
		return nil, err
	}
	c.contract.Frame("AgentServerFrame", data)
	return agentwire.DecodeServer(data)
}

func (c *client) next(kind string) *agentwire.ServerFrame {
	c.t.Helper()
	return c.until(kind, func(*agentwire.ServerFrame) bool { return true })
}

func (c *client) until(kind string, ok func(*agentwire.ServerFrame) bool) *agentwire.ServerFrame {
	c.t.Helper()
	frames := c.collect(kind, ok)
	return frames[len(frames)-1]
}

// collect reads up to a frame and returns all until then.
func (c *client) collect(kind string, ok func(*agentwire.ServerFrame) bool) []*agentwire.ServerFrame {
	c.t.Helper()
	var frames []*agentwire.ServerFrame
	for deadline := time.Now().Add(eventually.Limit); time.Now().Before(deadline); {
		f, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", kind, err)
		}
		frames = append(frames, f)
		if f.Type == kind && ok(f) {
			return frames
		}
	}
	for _, f := range frames {
		c.t.Logf("%+v", f)
	}
	c.t.Fatalf("no %s among %d frames", kind, len(frames))
	return nil
}

// relation reads up to a frame that shows the relation to the conversation; an empty id stands for any.
func (c *client) relation(conv conversation.ID, r agentwire.Relation) *agentwire.ServerFrame {
	c.t.Helper()
	return c.until(agentwire.TypeConversation, func(f *agentwire.ServerFrame) bool {
		return (conv == "" || f.Conversation == conv) && f.Relation == r
	})
}

// request sends a request and reads up to its answer; the problem is nil when it was done.
func (c *client) request(f agentwire.ClientFrame) *problem.Problem {
	c.t.Helper()
	c.nextID++
	f.ID = fmt.Sprint("r", c.nextID)
	c.send(f)
	for {
		got, err := c.receive()
		if err != nil {
			c.t.Fatalf("waiting for the answer to %s: %v", f.Type, err)
		}
		if got.ID == f.ID && got.Type == agentwire.TypeDone {
			return nil
		}
		if got.ID == f.ID && got.Type == agentwire.TypeError {
			return got.Problem
		}
		c.passed = append(c.passed, got)
	}
}

func (c *client) say(conv conversation.ID, clientID, text string) {
	c.t.Helper()
	c.send(agentwire.ClientFrame{Type: agentwire.TypeMessage, Conversation: conv, ClientID: clientID, Text: text})
}

// owns takes the next offer and reads the transcript.
func (c *client) owns() (conversation.ID, []*agentwire.ServerFrame) {
	c.t.Helper()
	offer := c.relation("", agentwire.Offered)
	c.send(agentwire.ClientFrame{Type: agentwire.TypeAccept, Conversation: offer.Conversation})
	return offer.Conversation, c.collect(agentwire.TypeCaughtUp, func(f *agentwire.ServerFrame) bool { return f.Conversation == offer.Conversation })
}

func texts(frames []*agentwire.ServerFrame) []string {
	var out []string
	for _, f := range frames {
		if f.Type == agentwire.TypeMessage {
			out = append(out, f.Text)
		}
	}
	return out
}

// closeCode reads until the socket is closed.
func (c *client) closeCode() (websocket.StatusCode, []*agentwire.ServerFrame) {
	c.t.Helper()
	var frames []*agentwire.ServerFrame
	for {
		f, err := c.read()
		if err != nil {
			var ce websocket.CloseError
			if !errors.As(err, &ce) {
				c.t.Fatalf("the socket ended without a close frame: %v", err)
			}
			return ce.Code, frames
		}
		frames = append(frames, f)
	}
}

// get sends a REST request and decodes the answer into out; a problem is returned.
func (d *desk) get(t testing.TB, path, token string, out any) (int, *problem.Problem) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.http.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 400 {
		var p problem.Problem
		if err := json.Unmarshal(data, &p); err != nil || resp.Header.Get("Content-Type") != problem.ContentType {
			t.Fatalf("status %d with %q is no problem: %v", resp.StatusCode, data, err)
		}
		return resp.StatusCode, &p
	}
	if out != nil {
		if err := json.Unmarshal(data, out); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
	}
	return resp.StatusCode, nil
}

func (d *desk) awaitMessages(t testing.TB, conv conversation.ID, n int) {
	t.Helper()
	eventually.True(t, fmt.Sprint(n, " messages are stored"), func() bool { return len(d.Messages(conv)) >= n })
}

// presence of an agent as the router sees it.
func (d *desk) presence(t testing.TB, agent string) string {
	t.Helper()
	reply, err := ask.Router{Bus: d.Conn, Subjects: d.Subjects, Party: "agent"}.Ask(t.Context(), agent, protocol.Request{Type: protocol.Sync})
	if err != nil {
		t.Fatal(err)
	}
	return string(reply.Agent.Presence)
}
