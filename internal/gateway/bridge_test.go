package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/deskfleet/deskfleet/internal/archive"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
	"github.com/deskfleet/deskfleet/internal/webhook"
)

var bridgeSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("the secret of a bridge, 32 bytes"))

// bridge between a messenger and a desk: it posts what customers say and is posted the answers.
type bridge struct {
	*desk
	t       testing.TB
	key     *standardwebhooks.Webhook
	secrets string

	mu      sync.Mutex
	answers []webhook.CloudEvent
}

func newBridge(t testing.TB) *bridge {
	t.Helper()
	b := &bridge{t: t, secrets: t.TempDir()}
	var err error
	if b.key, err = standardwebhooks.NewWebhook(bridgeSecret); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var e webhook.CloudEvent
		if err == nil {
			err = b.key.Verify(body, r.Header)
		}
		if err == nil {
			err = json.Unmarshal(body, &e)
		}
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		b.contract.Value("CloudEvent", body)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.answers = append(b.answers, e)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	folder := filepath.Join(b.secrets, runtimeconfig.ChannelWebhookName)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, runtimeconfig.FileWebhookSecret), []byte(bridgeSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	b.desk = start(t, func(o *Options) { o.Webhooks = b.secrets })
	doc := webtest.Document()
	doc.Webhooks = []runtimeconfig.Webhook{{
		Name: runtimeconfig.ChannelWebhookName, URL: server.URL, AllowPrivateAddresses: true, Channel: runtimeconfig.ChannelWebhook, OnlyAnswers: true,
		Events: []runtimeconfig.WebhookEvent{runtimeconfig.EventMessage, runtimeconfig.EventClosed},
	}}
	b.Config.Set(t, doc)
	return b
}

// startArchive runs the real archive, which delivers the answers.
func (b *bridge) startArchive() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	done, dir := make(chan error, 1), b.t.TempDir()
	go func() {
		done <- archive.Run(ctx, archive.Options{
			Dialer: b.Server, Source: b.Config, Logger: webtest.Quiet(b.t), WebhookSecrets: b.secrets, Grace: time.Nanosecond, PurgeEvery: 5 * time.Millisecond,
			Open: func(ctx context.Context, s bus.Subjects) (archive.Store, error) {
				return archive.OpenSQLite(ctx, filepath.Join(dir, "archive.db"), s)
			},
		})
	}()
	b.t.Cleanup(func() {
		cancel()
		if err := eventually.Receive(b.t, "the archive ends", done); err != nil {
			b.t.Errorf("archive ended with %v", err)
		}
	})
}

// posts a message as of a time, with a signature of the key.
func (b *bridge) posts(body string, key *standardwebhooks.Webhook, at time.Time) (int, bridgedReply, *problem.Problem) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.http.URL+"/v1/channels/webhook", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	signature, err := key.Sign("msg-1", at, []byte(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", standardwebhooks.HeaderWebhookID: "msg-1",
		standardwebhooks.HeaderWebhookTimestamp: strconv.FormatInt(at.Unix(), 10), standardwebhooks.HeaderWebhookSignature: signature,
	} {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = response.Body.Close() }()
	var reply bridgedReply
	var p problem.Problem
	into := any(&reply)
	if response.StatusCode >= 400 {
		into = &p
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode, reply, &p
}

func (b *bridge) says(id, contact, text string) (int, bridgedReply) {
	b.t.Helper()
	body := fmt.Sprintf(`{"id":%q,"contact":{"id":%q,"name":"Li Wei"},"text":%q,"language":"en"}`, id, contact, text)
	status, reply, p := b.posts(body, b.key, time.Now())
	if status >= 400 {
		b.t.Fatalf("%s gives %d %+v", body, status, p)
	}
	return status, reply
}

func (b *bridge) heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, e := range b.answers {
		if e.Data.Message != nil {
			out = append(out, e.Data.Conversation.Contact+": "+e.Data.Message.Text)
		} else {
			out = append(out, e.Data.Conversation.Contact+" "+e.Type)
		}
	}
	return out
}

// TestBridge: a messenger's customer talks with bot and people; sent again nothing is doubled.
func TestBridge(t *testing.T) {
	b := newBridge(t)
	b.startArchive()
	status, first := b.says("wamid.HBg+1==", "+86 138 0000 0000", "我的订单在哪里？")
	if status != http.StatusCreated || first.Duplicate || first.ID != "wamid.HBg+1==" || first.Contact != bus.ContactToken("+86 138 0000 0000") {
		t.Fatalf("first is %d %+v", status, first)
	}
	if status, again := b.says("wamid.HBg+1==", "+86 138 0000 0000", "我的订单在哪里？"); status != http.StatusOK || !again.Duplicate || again.Seq != first.Seq {
		t.Errorf("sent again %d %+v", status, again)
	}
	if _, second := b.says("m2", "+86 138 0000 0000", "hello?"); second.Conversation != first.Conversation {
		t.Errorf("the second message opened %s", second.Conversation)
	}
	if _, other := b.says("m1", "li-wei", "hi"); other.Conversation == first.Conversation || other.Contact != "li-wei" {
		t.Errorf("another contact is given %+v", other)
	}
	said := b.Messages(first.Conversation)
	if m := said[0].Body.(*conversation.Message); len(said) != 2 || m.Channel != "webhook" || m.From.Name != "Li Wei" || m.Language != "zh" {
		t.Errorf("stored are %d, the first is %+v", len(said), m)
	}
	b.Own(first.Conversation, &conversation.Opened{Channel: runtimeconfig.ChannelWebhook, Contact: first.Contact, Queue: conversation.BotQueue,
		Arrival: conversation.Arrival{At: time.Now(), Seq: first.Seq}})
	b.Own(first.Conversation, &conversation.Assigned{Agent: webtest.Bot})
	b.Say(first.Conversation, botMessage("On its way."))
	b.Say(first.Conversation, conversation.Message{From: webtest.Bot.Actor(), Text: "a note", Note: true})
	eventually.Nil(t, "the answer comes to the bridge", func() error {
		if diff := cmp.Diff([]string{first.Contact + ": On its way."}, b.heard()); diff != "" {
			return fmt.Errorf("(-want +got):\n%s", diff)
		}
		return nil
	})
}

// TestBridgeAssuresAttributes: what a bridge says of a customer is in the claim that opens the conversation, and what does
// not fit is refused with its field.
func TestBridgeAssuresAttributes(t *testing.T) {
	b := newBridge(t)
	body := func(attributes string) string {
		return `{"id":"m1","contact":{"id":"li-wei","attributes":` + attributes + `},"text":"hello"}`
	}
	for attributes, field := range map[string]string{
		`{"tier":""}`:       "contact.attributes.tier",
		`{"a tier":"gold"}`: "contact.attributes",
		`{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1","g":"1","h":"1","i":"1"}`: "contact.attributes",
	} {
		if status, _, p := b.posts(body(attributes), b.key, time.Now()); status != http.StatusBadRequest || p.Field != field {
			t.Errorf("%s gives %d %+v", attributes, status, p)
		}
	}
	if status, _, p := b.posts(body(`{"tier":"gold"}`), b.key, time.Now()); status != http.StatusCreated {
		t.Fatalf("it gives %d %+v", status, p)
	}
	stored, found, err := b.Log.Last(t.Context(), b.Subjects.Claim(runtimeconfig.ChannelWebhook, "li-wei"))
	if err != nil || !found {
		t.Fatal(found, err)
	}
	if claim, err := conversation.DecodeClaim(stored.Data); err != nil || claim.Attributes.Tier() != "gold" {
		t.Errorf("the claim is %+v, %v", claim, err)
	}
}

// TestI17AWebhookThatComesTwice: a message that was in a conversation which has ended opens none.
func TestI17AWebhookThatComesTwice(t *testing.T) {
	b := newBridge(t)
	_, first := b.says("m1", "li-wei", "hello")
	b.Own(first.Conversation, &conversation.Opened{Channel: runtimeconfig.ChannelWebhook, Contact: first.Contact, Queue: conversation.BotQueue,
		Arrival: conversation.Arrival{At: time.Now(), Seq: first.Seq}})
	closed := b.Own(first.Conversation, &conversation.Closed{By: webtest.Bot.Actor(), Reason: conversation.CloseResolved})
	claim, err := conversation.EncodeClaim(conversation.Claim{V: 1, Conversation: first.Conversation, Channel: runtimeconfig.ChannelWebhook,
		Contact: first.Contact, Ended: true, Acted: closed, At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Log.Append(t.Context(), b.Subjects.Claim(runtimeconfig.ChannelWebhook, first.Contact), claim, bus.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	if status, again := b.says("m1", "li-wei", "hello"); status != http.StatusOK || again.Conversation != first.Conversation || !again.Duplicate {
		t.Errorf("sent again %d %+v", status, again)
	}
	b.startArchive()
	b.decided(closed)
	eventually.True(t, "the conversation has left the log", func() bool {
		_, found, err := b.Log.Last(t.Context(), b.Subjects.Conversation(string(first.Conversation)))
		return err == nil && !found
	})
	if status, again := b.says("m1", "li-wei", "hello"); status != http.StatusOK || again.Conversation != first.Conversation {
		t.Errorf("sent again when only the archive has it %d %+v", status, again)
	}
	if status, next := b.says("m2", "li-wei", "again"); status != http.StatusCreated || next.Conversation == first.Conversation {
		t.Errorf("the next message %d %+v", status, next)
	}
}

// decided says that the router has seen everything up to a sequence.
func (b *bridge) decided(seq uint64) {
	b.t.Helper()
	data, err := conversation.EncodeBatch(&conversation.Batch{V: 1, ID: conversation.NewID(time.Now()), At: time.Now(), Router: "router-0", Cursor: seq})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, _, err := b.Log.Append(b.t.Context(), b.Subjects.Decisions(), data, bus.AppendOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

func TestBridgeRefusals(t *testing.T) {
	b := newBridge(t)
	stranger, err := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString([]byte("the secret of somebody else, 32 b")))
	if err != nil {
		t.Fatal(err)
	}
	const good = `{"id":"m1","contact":{"id":"c"},"text":"hi"}`
	now := time.Now()
	for _, tc := range []struct {
		name, body  string
		key         *standardwebhooks.Webhook
		at          time.Time
		status      int
		code, field string
	}{
		{"a stranger", good, stranger, now, 401, problem.CodeSignature, ""},
		{"yesterday", good, b.key, now.Add(-24 * time.Hour), 401, problem.CodeSignature, ""},
		{"no JSON", `x`, b.key, now, 400, problem.CodeInvalid, ""},
		{"no id", `{"contact":{"id":"c"},"text":"hi"}`, b.key, now, 400, problem.CodeInvalid, "id"},
		{"no contact", `{"id":"m1","text":"hi"}`, b.key, now, 400, problem.CodeInvalid, "contact.id"},
		{"no text", `{"id":"m1","contact":{"id":"c"},"text":" "}`, b.key, now, 400, problem.CodeInvalid, "text"},
		{"long name", `{"id":"m1","contact":{"id":"c","name":"` + strings.Repeat("x", 65) + `"},"text":"hi"}`, b.key, now, 400, problem.CodeInvalid, "contact.name"},
		{"long text", `{"id":"m1","contact":{"id":"c"},"text":"` + strings.Repeat("x", 2001) + `"}`, b.key, now, 413, problem.CodeTooLarge, "text"},
		{"long body", `{"id":"` + strings.Repeat("x", maxBody) + `"}`, b.key, now, 413, problem.CodeTooLarge, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, _, p := b.posts(tc.body, tc.key, tc.at)
			if status != tc.status || p.Code() != tc.code || p.Field != tc.field || p.Remedy == "" {
				t.Errorf("%d %+v, want %d %s %q", status, p, tc.status, tc.code, tc.field)
			}
		})
	}
	if err := os.Remove(filepath.Join(b.secrets, runtimeconfig.ChannelWebhookName, runtimeconfig.FileWebhookSecret)); err != nil {
		t.Fatal(err)
	}
	if status, _, p := b.posts(good, b.key, now); status != 503 || p.Code() != problem.CodeUnconfigured || p.RetryAfterSeconds == 0 {
		t.Errorf("without a secret %d %+v", status, p)
	}
	b.Config.Set(t, webtest.Document())
	if status, _, p := b.posts(good, b.key, now); status != 404 || p.Code() != problem.CodeNotFound {
		t.Errorf("without the channel %d %+v", status, p)
	}
}
