package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/gateway/contacttoken"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/contract"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a gateway under test on a real bus.
type desk struct {
	*webtest.Rig
	gw   *Gateway
	http *httptest.Server
	// contract that everything the role says is held to.
	contract *contract.Contract
	// stop drains the gateway and waits until it has ended.
	stop func()
}

func writeKey(t testing.TB, dir string, fill byte) {
	t.Helper()
	key := bytes.Repeat([]byte{fill}, contacttoken.KeySize)
	if err := os.WriteFile(filepath.Join(dir, contacttoken.FileCurrent), key, 0o600); err != nil {
		t.Fatal(err)
	}
}

func start(t testing.TB, change ...func(*Options)) *desk {
	t.Helper()
	return startOn(t, webtest.New(t), change...)
}

// startOn starts a gateway on an existing bus.
func startOn(t testing.TB, rig *webtest.Rig, change ...func(*Options)) *desk {
	t.Helper()
	secrets := t.TempDir()
	writeKey(t, secrets, 7)
	opts := Options{
		Name: "gw-0", Source: rig.Config, Dialer: rig.Server, Secrets: secrets, Logger: webtest.Quiet(t),
		Registerer: prometheus.NewRegistry(), DrainWithin: 10 * time.Second, LeftAfter: time.Millisecond,
	}
	for _, f := range change {
		f(&opts)
	}
	gw, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- gw.Run(ctx) }()
	d := &desk{Rig: rig, gw: gw, contract: contract.Load(t)}
	d.http = httptest.NewServer(d.contract.Handler(gw.Handler()))
	stopped := false
	d.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := eventually.Receive(t, "the gateway ends", done); err != nil {
			t.Errorf("gateway ended with %v", err)
		}
		d.http.Close()
	}
	t.Cleanup(d.stop)
	eventually.Nil(t, "the gateway is ready", gw.Ready)
	return d
}

// client is a customer's WebSocket. Its frames are read in order.
type client struct {
	t        testing.TB
	ws       *websocket.Conn
	contract *contract.Contract
}

func (d *desk) dial(header http.Header) (*websocket.Conn, *http.Response, error) {
	return websocket.Dial(d.T.Context(), strings.Replace(d.http.URL, "http", "ws", 1)+"/v1/chat",
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

func (c *client) send(frame any) {
	c.t.Helper()
	data, err := json.Marshal(frame)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.ws.Write(c.t.Context(), websocket.MessageText, data); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read() (*chatwire.ServerFrame, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), eventually.Limit)
	defer cancel()
	_, data, err := c.ws.Read(ctx)
	if err != nil {
		return nil, err
	}
	c.contract.Frame("ChatServerFrame", data)
	return chatwire.DecodeServer(data)
}

// next reads up to the next frame of the type.
func (c *client) next(kind string) *chatwire.ServerFrame {
	c.t.Helper()
	return c.until(kind, func(*chatwire.ServerFrame) bool { return true })
}

func (c *client) until(kind string, ok func(*chatwire.ServerFrame) bool) *chatwire.ServerFrame {
	c.t.Helper()
	for {
		f, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", kind, err)
		}
		if f.Type == kind && ok(f) {
			return f
		}
	}
}

// closeCode reads until the socket is closed and returns the code and the frames before.
func (c *client) closeCode() (websocket.StatusCode, []*chatwire.ServerFrame) {
	c.t.Helper()
	var frames []*chatwire.ServerFrame
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

// hello says hello and reads up to caughtUp. It returns the welcome and everything behind it.
func (c *client) hello(h chatwire.ClientFrame) (*chatwire.ServerFrame, []*chatwire.ServerFrame) {
	c.t.Helper()
	h.Type, h.V = chatwire.TypeHello, chatwire.Version
	c.send(h)
	welcome := c.next(chatwire.TypeWelcome)
	var frames []*chatwire.ServerFrame
	for {
		f, err := c.read()
		if err != nil {
			c.t.Fatal(err)
		}
		frames = append(frames, f)
		if f.Type == chatwire.TypeCaughtUp {
			return welcome, frames
		}
	}
}

func (c *client) say(clientID, text string, conv conversation.ID) {
	c.t.Helper()
	c.send(chatwire.ClientFrame{Type: chatwire.TypeMessage, ClientID: clientID, Text: text, Conversation: conv})
}

// sayAcked sends a message and waits for its ack.
func (c *client) sayAcked(clientID, text string) *chatwire.ServerFrame {
	c.t.Helper()
	c.say(clientID, text, "")
	return c.until(chatwire.TypeAck, func(f *chatwire.ServerFrame) bool { return f.ClientID == clientID })
}

// rest sends a request and decodes the answer into out; a problem is returned.
func (d *desk) rest(t testing.TB, method, path, token string, body, out any) (int, *problem.Problem) {
	t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		reader = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, d.http.URL+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	defer http.DefaultClient.CloseIdleConnections()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 400 {
		var p problem.Problem
		if err := json.Unmarshal(data, &p); err != nil || resp.Header.Get("Content-Type") != problem.ContentType {
			t.Fatalf("status %d with %q is no problem: %v", resp.StatusCode, data, err)
		}
		if p.Status != resp.StatusCode {
			t.Errorf("problem says %d, the answer %d", p.Status, resp.StatusCode)
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

func botMessage(text string) conversation.Message {
	return conversation.Message{From: webtest.Bot.Actor(), Text: text, Language: "en"}
}

func texts(frames []*chatwire.ServerFrame) []string {
	var out []string
	for _, f := range frames {
		if f.Type == chatwire.TypeMessage {
			out = append(out, f.Text)
		}
	}
	return out
}

func describe(f *chatwire.ServerFrame) string {
	return fmt.Sprintf("%s %d %s %s", f.Type, f.Seq, f.Text, f.Status)
}

// openConversation is the one that the contact's claim names.
func (d *desk) openConversation(contact string) conversation.ID {
	d.T.Helper()
	last, found, err := d.Log.Last(d.T.Context(), d.Subjects.Claim(Channel, contact))
	if err != nil || !found {
		d.T.Fatalf("claim of %s: found %t, %v", contact, found, err)
	}
	claim, err := conversation.DecodeClaim(last.Data)
	if err != nil {
		d.T.Fatal(err)
	}
	return claim.Conversation
}

func runtimeWebChat(length, perMinute int) runtimeconfig.WebChat {
	return runtimeconfig.WebChat{MaxMessageLength: length, MessagesPerMinute: perMinute}
}

var (
	noAddr    netip.Addr
	noProxies = []netip.Prefix{}
)
