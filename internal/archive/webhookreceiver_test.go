package archive

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/contract"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/webhook"
)

const crm = "crm"

var signingSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))

// receiver is somebody's CRM: it verifies what it is sent.
type receiver struct {
	t        testing.TB
	contract *contract.Contract
	server   *httptest.Server
	mu       sync.Mutex
	// answer an event; nil takes it.
	answer func(w http.ResponseWriter, e *webhook.CloudEvent) bool
	// taken events, and attempts in the order in which they came.
	taken, attempts []webhook.CloudEvent
	times           []time.Time
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{t: t, contract: contract.Load(t)}
	r.server = httptest.NewTLSServer(r)
	t.Cleanup(r.server.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the sender was killed
	}
	verify, err := standardwebhooks.NewWebhook(signingSecret)
	if err == nil {
		err = verify.Verify(body, request.Header)
	}
	var e webhook.CloudEvent
	if err == nil {
		err = json.Unmarshal(body, &e)
	}
	if err == nil && (e.ID != request.Header.Get("webhook-id") || request.Header.Get("Content-Type") != webhook.ContentType) {
		err = fmt.Errorf("headers %v of event %s", request.Header, e.ID)
	}
	if err != nil {
		r.t.Errorf("event %s: %v", body, err)
	}
	r.contract.Value("CloudEvent", body)
	r.mu.Lock()
	r.attempts, r.times = append(r.attempts, e), append(r.times, time.Now())
	answer := r.answer
	r.mu.Unlock()
	if answer != nil && !answer(w, &e) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken = append(r.taken, e)
}

func (r *receiver) answers(f func(w http.ResponseWriter, e *webhook.CloudEvent) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

// status refuses everything with a status.
func status(code int) func(http.ResponseWriter, *webhook.CloudEvent) bool {
	return func(w http.ResponseWriter, _ *webhook.CloudEvent) bool {
		w.WriteHeader(code)
		return false
	}
}

func (r *receiver) tried() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.attempts)
}

// texts of the messages of a conversation in the order in which each came for the first time, and events by name.
func (r *receiver) story(conv conversation.ID) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	seen := map[string]bool{}
	for _, e := range r.taken {
		if e.Subject != string(conv) || seen[e.ID] {
			continue
		}
		seen[e.ID] = true
		name := strings.TrimSuffix(strings.TrimPrefix(e.Type, "dev.deskfleet."), ".v1")
		if e.Data.Message != nil {
			name += " " + e.Data.Message.Text
		}
		out = append(out, name)
	}
	return out
}

// storyOf is what a receiver of everything but notes is told of script.served.
func storyOf(question string) []string {
	return []string{
		"message " + question, "conversation.opened", "conversation.assigned", "message I do not know; a person will.",
		"conversation.queued", "conversation.assigned", "message It is done.", "message Thank you", "conversation.closed",
	}
}

func (r *receiver) waitStories(want map[conversation.ID][]string) {
	r.t.Helper()
	eventually.Nil(r.t, "the receiver knows everything", func() error {
		for conv, story := range want {
			if diff := cmp.Diff(story, r.story(conv)); diff != "" {
				return fmt.Errorf("conversation %s (-want +got):\n%s", conv, diff)
			}
		}
		return nil
	})
}

// hooked makes a desk with a webhook to the receiver.
func hooked(t testing.TB, r *receiver, change ...func(*runtimeconfig.Webhook)) (b *bench, secrets string) {
	t.Helper()
	b = newBench(t)
	hook := runtimeconfig.Webhook{
		Name: crm, URL: r.server.URL + "/events?key=of-the-url", AllowPrivateAddresses: true,
		Events: []runtimeconfig.WebhookEvent{
			runtimeconfig.EventOpened, runtimeconfig.EventQueued, runtimeconfig.EventAssigned, runtimeconfig.EventClosed,
			runtimeconfig.EventAbandoned, runtimeconfig.EventReopened, runtimeconfig.EventMessage,
		},
	}
	for _, f := range change {
		f(&hook)
	}
	b.declare(hook)
	secrets = t.TempDir()
	if err := os.Mkdir(filepath.Join(secrets, crm), 0o700); err != nil {
		t.Fatal(err)
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.server.Certificate().Raw})
	for file, content := range map[string][]byte{runtimeconfig.FileWebhookSecret: []byte(signingSecret + "\n"), runtimeconfig.FileWebhookCA: ca} {
		if err := os.WriteFile(filepath.Join(secrets, crm, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b, secrets
}

func (b *bench) declare(hooks ...runtimeconfig.Webhook) {
	b.t.Helper()
	doc := testDocument()
	doc.Webhooks = hooks
	data, err := doc.Marshal()
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.source.Offer(data); err != nil {
		b.t.Fatal(err)
	}
}

// hookOptions do not make a test wait.
func (b *bench) hookOptions(secrets string) Options {
	o := b.options()
	o.WebhookSecrets = secrets
	o.WebhookPolicy = webhook.Policy{First: time.Millisecond, Most: 5 * time.Millisecond, SecretEvery: 5 * time.Millisecond}
	return o
}

// outboxOf opens the desk's database beside the role.
func (b *bench) outboxOf() webhook.Outbox {
	b.t.Helper()
	var db *DB
	// While the role opens the same file, SQLite may be busy without waiting.
	eventually.Nil(b.t, "the database opens", func() (err error) {
		db, err = OpenSQLite(b.t.Context(), b.file, b.subjects)
		return err
	})
	b.t.Cleanup(func() { _ = db.Close() })
	return db.Webhooks()
}

func (b *bench) waitState(o webhook.Outbox, what string, f func(*webhook.State) bool) {
	b.t.Helper()
	eventually.Nil(b.t, what, func() error {
		states, err := o.States(b.t.Context())
		if err == nil && (len(states) != 1 || !f(&states[0])) {
			err = fmt.Errorf("states are %+v", states)
		}
		return err
	})
}

// waitDeclared: a webhook is told what is stored after it was declared.
func (b *bench) waitDeclared() webhook.Outbox {
	b.t.Helper()
	o := b.outboxOf()
	b.waitState(o, "the webhook is declared", func(*webhook.State) bool { return true })
	return o
}
