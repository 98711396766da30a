package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/gateway/contacttoken"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

func (d *desk) startREST(t testing.TB) started {
	t.Helper()
	var s started
	status, p := d.rest(t, "POST", "/v1/conversations", "", `{"contact":{"name":"Li Wei"},"language":"zh"}`, &s)
	if status != http.StatusCreated {
		t.Fatalf("start gives %d: %v", status, p)
	}
	return s
}

func TestREST(t *testing.T) {
	d := start(t)
	closedBy := make(chan string, 1)
	d.AnswerAs(func(a webtest.Asked) *protocol.Reply {
		if a.Request.Type == protocol.Close {
			closedBy <- string(a.Party) + " " + a.Who
		}
		return nil
	})
	s := d.startREST(t)
	if s.Token == "" || s.Contact.Name != "Li Wei" {
		t.Fatalf("started %+v", s)
	}
	path := "/v1/conversations/" + string(s.Conversation)

	// A second start joins, with and without anything said.
	var joined started
	if status, p := d.rest(t, "POST", "/v1/conversations", s.Token, `{}`, &joined); status != 200 || joined.Conversation != s.Conversation {
		t.Errorf("joined %d %+v %v", status, joined, p)
	}
	var h history
	if status, p := d.rest(t, "GET", path+"/messages", s.Token, nil, &h); status != 200 || len(h.Messages) != 0 || h.More {
		t.Errorf("the history of a new conversation is %d %+v %v", status, h, p)
	}

	var first, second sent
	body := map[string]string{"clientId": "m1", "text": "我的订单在哪里？"}
	if status, p := d.rest(t, "POST", path+"/messages", s.Token, body, &first); status != http.StatusCreated || first.Conversation != s.Conversation {
		t.Fatalf("sent %d %+v %v", status, first, p)
	}
	if status, _ := d.rest(t, "POST", path+"/messages", s.Token, body, &second); status != http.StatusOK || !second.Duplicate || second.Seq != first.Seq {
		t.Errorf("sent again %d %+v", status, second)
	}
	d.BotTakes(s.Conversation, s.Contact.ID)
	for i := range 3 {
		d.Say(s.Conversation, botMessage(fmt.Sprint("answer ", i)))
	}
	d.Say(s.Conversation, conversation.Message{From: webtest.Bot.Actor(), Text: "note", Note: true})
	var got []string
	after, pages := uint64(0), 0
	for more := true; more; pages++ {
		h = history{}
		if status, p := d.rest(t, "GET", fmt.Sprintf("%s/messages?after=%d&limit=2", path, after), s.Token, nil, &h); status != 200 {
			t.Fatalf("history gives %d %v", status, p)
		}
		for _, m := range h.Messages {
			got = append(got, m.Text)
		}
		after, more = h.Seq, h.More
	}
	if diff := cmp.Diff([]string{"我的订单在哪里？", "answer 0", "answer 1", "answer 2"}, got); diff != "" || pages != 2 {
		t.Errorf("history in %d pages (-want +got):\n%s", pages, diff)
	}
	if h.State.Status != conversation.StatusBot || h.State.Agent.Name != "Ada" {
		t.Errorf("state is %+v", h.State)
	}
	if m := d.Messages(s.Conversation)[0].Body.(*conversation.Message); m.Language != "zh" || m.From.Name != "Li Wei" {
		t.Errorf("stored %+v", m)
	}
	if status, p := d.rest(t, "POST", path+"/close", s.Token, `{}`, nil); status != 200 {
		t.Fatalf("close gives %d %v", status, p)
	}
	if got, want := <-closedBy, "customer "+s.Contact.ID; got != want {
		t.Errorf("closed by %s, want %s", got, want)
	}

	// The message behind the end opens another conversation, and its answer says which.
	d.End(s.Conversation, s.Contact.ID)
	var again sent
	if status, p := d.rest(t, "POST", path+"/messages", s.Token, body, &again); status != http.StatusOK || again.Conversation != s.Conversation || again.Seq != first.Seq {
		t.Errorf("sent again behind the end %d %+v %v", status, again, p)
	}
	if open := d.openConversation(s.Contact.ID); open != s.Conversation {
		t.Errorf("a message that was sent again opened %s", open)
	}
	var next sent
	if status, p := d.rest(t, "POST", path+"/messages", s.Token, map[string]string{"clientId": "m2", "text": "again"}, &next); status != http.StatusCreated || next.Conversation == s.Conversation {
		t.Errorf("sent behind the end %d %+v %v", status, next, p)
	}
}

func TestRESTRefusals(t *testing.T) {
	d := start(t)
	doc := webtest.Document()
	doc.WebChat = runtimeWebChat(5, 1)
	d.Config.Set(t, doc)
	s := d.startREST(t)
	path := "/v1/conversations/" + string(s.Conversation)
	for _, tc := range []struct {
		name, method, path, token, body string
		status                          int
		code, field                     string
	}{
		{"no token", "GET", path + "/messages", "", "", 401, problem.CodeUnauthorised, ""},
		{"bad token", "GET", path + "/messages", "dft1.x.y", "", 401, problem.CodeToken, ""},
		{"bad token at start", "POST", "/v1/conversations", "dft1.x.y", "{}", 401, problem.CodeToken, ""},
		{"bad id", "GET", "/v1/conversations/1/messages", s.Token, "", 404, problem.CodeNotFound, "id"},
		{"bad after", "GET", path + "/messages?after=x", s.Token, "", 400, problem.CodeInvalid, "after"},
		{"bad limit", "GET", path + "/messages?limit=0", s.Token, "", 400, problem.CodeInvalid, "limit"},
		{"no JSON", "POST", path + "/messages", s.Token, "hi", 400, problem.CodeInvalid, ""},
		{"no client id", "POST", path + "/messages", s.Token, `{"text":"hi"}`, 400, problem.CodeInvalid, "clientId"},
		{"no text", "POST", path + "/messages", s.Token, `{"clientId":"m"}`, 400, problem.CodeInvalid, "text"},
		{"bad language", "POST", path + "/messages", s.Token, `{"clientId":"m","text":"hi","language":"???"}`, 400, problem.CodeInvalid, "language"},
		{"too long", "POST", path + "/messages", s.Token, `{"clientId":"m","text":"123456"}`, 413, problem.CodeTooLarge, "text"},
		{"body too long", "POST", path + "/messages", s.Token, `{"text":"` + strings.Repeat("x", maxBody) + `"}`, 413, problem.CodeTooLarge, ""},
		{"long name", "POST", "/v1/conversations", "", `{"contact":{"name":"` + strings.Repeat("x", 65) + `"}}`, 400, problem.CodeInvalid, "contact.name"},
		{"rate", "POST", path + "/messages", s.Token, `{"clientId":"m","text":"hi"}`, 429, problem.CodeRate, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var body any
			if tc.body != "" {
				body = tc.body
			}
			status, p := d.rest(t, tc.method, tc.path, tc.token, body, nil)
			if status != tc.status || p.Code() != tc.code || p.Field != tc.field || p.Remedy == "" {
				t.Errorf("%d %+v, want %d %s %q and a remedy", status, p, tc.status, tc.code, tc.field)
			}
			if (p.RetryAfterSeconds > 0) != (tc.status == 429) {
				t.Errorf("retry after %d s", p.RetryAfterSeconds)
			}
		})
	}
	t.Run("content type", func(t *testing.T) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", d.http.URL+"/v1/conversations", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "text/plain") // what a form of another site could send
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer http.DefaultClient.CloseIdleConnections()
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("text/plain gives %d", resp.StatusCode)
		}
	})
}

func TestCORS(t *testing.T) {
	d := start(t)
	doc := webtest.Document()
	doc.WebChat.AllowedOrigins = []string{"https://shop.example"}
	d.Config.Set(t, doc)
	defer http.DefaultClient.CloseIdleConnections()
	for _, tc := range []struct {
		method, origin string
		status         int
		allowed        string
	}{
		{"OPTIONS", "https://shop.example", 204, "https://shop.example"},
		{"POST", "https://shop.example", 201, "https://shop.example"},
		{"POST", "https://evil.example", 403, ""},
		{"OPTIONS", "https://evil.example", 403, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, d.http.URL+"/v1/conversations", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", tc.origin)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if got := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != tc.status || got != tc.allowed {
			t.Errorf("%s from %s gives %d and allows %q", tc.method, tc.origin, resp.StatusCode, got)
		}
	}
}

// TestArchivedConversation: what the log has no longer is read from the archive, by its contact only.
func TestArchivedConversation(t *testing.T) {
	d := start(t)
	s := d.startREST(t)
	old := conversation.NewID(time.Now())
	customer := conversation.Actor{Kind: conversation.KindCustomer, ID: s.Contact.ID}
	var items []archive.Item
	for i, body := range []conversation.Body{
		&conversation.Opened{Channel: Channel, Contact: s.Contact.ID, Queue: conversation.BotQueue, Arrival: conversation.Arrival{At: time.Now()}},
		&conversation.Message{From: customer, Text: "old question", ClientID: "o1", Channel: Channel},
		&conversation.Message{From: webtest.Bot.Actor(), Text: "old note", ClientID: "o2", Note: true},
		&conversation.Message{From: webtest.Bot.Actor(), Text: "old answer", ClientID: "o3"},
	} {
		event, err := conversation.Encode(conversation.NewEvent(conversation.NewID(time.Now()), old, time.Now(), body))
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, archive.Item{Seq: uint64(i + 1), Event: event})
	}
	_, err := d.Conn.QueueSubscribe(t.Context(), d.Subjects.Request(bus.ServiceArchiveTranscript), "archive", func(m *bus.Message) {
		var req archive.TranscriptRequest
		reply := archive.TranscriptReply{V: 1, OK: true, Conversation: &archive.Conversation{ID: old, Contact: s.Contact.ID, Channel: Channel}}
		switch {
		case json.Unmarshal(m.Data, &req) != nil || req.Conversation != old:
			reply = archive.TranscriptReply{V: 1, Error: &archive.Error{Code: archive.CodeNotFound}}
		case req.After == "":
			reply.Items, reply.Next = items[:2], "2"
		default:
			reply.Items = items[2:]
		}
		data, err := json.Marshal(reply)
		if err == nil {
			err = m.Respond(data)
		}
		if err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	c := d.connect(t)
	_, frames := c.hello(chatwire.ClientFrame{Token: s.Token, Conversation: old})
	if diff := cmp.Diff([]string{"old question", "old answer"}, texts(frames)); diff != "" {
		t.Errorf("over the socket (-want +got):\n%s", diff)
	}
	var h history
	if status, p := d.rest(t, "GET", "/v1/conversations/"+string(old)+"/messages", s.Token, nil, &h); status != 200 || len(h.Messages) != 2 {
		t.Errorf("over REST %d with %d messages, %v", status, len(h.Messages), p)
	}
	thief := d.startREST(t)
	if status, _ := d.rest(t, "GET", "/v1/conversations/"+string(old)+"/messages", thief.Token, nil, nil); status != 404 {
		t.Errorf("another contact gets %d", status)
	}
}

// TestKeys: without a key nobody is served and the status says which file is missing; a key that comes
// later is taken without a restart.
func TestKeys(t *testing.T) {
	rig := webtest.New(t)
	secrets := t.TempDir()
	gw, err := New(Options{Name: "gw", Source: rig.Config, Dialer: rig.Server, Secrets: secrets, Logger: webtest.Quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := gw.Ready(); err == nil || !strings.Contains(err.Error(), contacttoken.FileCurrent) {
		t.Errorf("readiness says %v", err)
	}
	_, err = gw.identify("", "", noAddr, time.Now())
	if p := problem.From(err); p.Status != 503 || p.Code() != problem.CodeUnconfigured || !strings.Contains(p.Detail, contacttoken.FileCurrent) {
		t.Errorf("problem is %+v", p)
	}
	writeKey(t, secrets, 1)
	later := time.Now().Add(keysEvery)
	who, err := gw.identify("", "Li", noAddr, later)
	if err != nil {
		t.Fatal(err)
	}
	same, err := gw.identify(who.Token, "", noAddr, later.Add(time.Hour))
	if err != nil || !cmp.Equal(same, who) {
		t.Errorf("the token gives %+v, %v; want %+v", same, err, who)
	}
	renewed, err := gw.identify(who.Token, "", noAddr, later.Add(contacttoken.RenewAfter+time.Hour))
	if err != nil || renewed.ID != who.ID || renewed.Token == who.Token {
		t.Errorf("an old token gives %+v, %v", renewed, err)
	}
	keys, err := gw.keys.Keys(later)
	if err != nil {
		t.Fatal(err)
	}
	gold, err := contacttoken.Sign(keys, gw.desk, contacttoken.Claims{
		Contact: "c-9", Channel: Channel, Attributes: conversation.Attributes{conversation.AttributeTier: "gold"},
	}, later)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Duration{0, contacttoken.RenewAfter + time.Hour} {
		kept, err := gw.identify(gold, "", noAddr, later.Add(at))
		if err != nil || kept.Attributes.Tier() != "gold" || intakeContact(kept, "en").Attributes.Tier() != "gold" {
			t.Errorf("after %s the contact of a tier is %+v, %v", at, kept, err)
		}
		gold = kept.Token
	}
	named, err := gw.identify(who.Token, "Li Wei", noAddr, later.Add(time.Hour))
	if err != nil || named.ID != who.ID || named.Name != "Li Wei" || named.Token == who.Token {
		t.Errorf("a new name gives %+v, %v", named, err)
	}
	if err := os.Remove(filepath.Join(secrets, contacttoken.FileCurrent)); err != nil {
		t.Fatal(err)
	}
	if _, err := gw.identify(who.Token, "", noAddr, later.Add(48*time.Hour)); problem.From(err).Status != 503 {
		t.Errorf("without the key: %v", err)
	}
}

func TestOptions(t *testing.T) {
	rig := webtest.New(t)
	for name, o := range map[string]Options{
		"Name":    {Source: rig.Config, Dialer: rig.Server, Secrets: "x"},
		"Secrets": {Name: "gw", Source: rig.Config, Dialer: rig.Server},
		"Dialer":  {Name: "gw", Source: rig.Config, Secrets: "x"},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// TestNotRunning: a handler whose role does not run refuses, and says to try again.
func TestNotRunning(t *testing.T) {
	d := start(t)
	d.stop()
	d.http = httptest.NewServer(d.contract.Handler(d.gw.Handler()))
	t.Cleanup(d.http.Close)
	status, p := d.rest(t, "POST", "/v1/conversations", "", `{}`, nil)
	if status != 503 || p.RetryAfterSeconds == 0 {
		t.Errorf("gives %d %+v", status, p)
	}
	if _, resp, err := d.dial(nil); err == nil || resp.StatusCode != 503 {
		t.Errorf("WebSocket: %v", err)
	}
}

// TestConnectionLimits: sockets of one address are bounded, and a new contact of it is too.
func TestConnectionLimits(t *testing.T) {
	d := start(t, func(o *Options) {
		o.TrustedProxies = noProxies
		o.MaxConnectionsPerAddress, o.NewContactsPerMinute = 2, 3
	})
	d.connect(t)
	second := d.connect(t)
	if _, resp, err := d.dial(nil); err == nil || resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Fatalf("the third socket: %v", err)
	}
	_, _ = second.hello(chatwire.ClientFrame{})
	_ = d.startREST(t)
	_ = d.startREST(t)
	if status, p := d.rest(t, "POST", "/v1/conversations", "", `{}`, nil); status != 429 || p.RetryAfterSeconds == 0 {
		t.Errorf("the fourth contact gives %d %v", status, p)
	}
}
