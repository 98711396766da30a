package console

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive"
	protocol "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
	"github.com/deskfleet/deskfleet/internal/webhook"
)

// post sends a REST request and decodes the answer into out; a problem is returned.
func (d *desk) post(t testing.TB, path, token, body string, out any) (int, *problem.Problem) {
	t.Helper()
	return d.send(t, http.MethodPost, path, token, body, out)
}

func (d *desk) send(t testing.TB, method, path, token, body string, out any) (int, *problem.Problem) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.http.URL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = resp.Body.Close() }()
	var p problem.Problem
	into := any(&p)
	if resp.StatusCode < 400 {
		into = out
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, &p
}

// TestWebhooks: an admin sees what was given up, replays it and enables what its receiver had disabled; both stand
// in the audit log.
func TestWebhooks(t *testing.T) {
	var status atomic.Int64
	status.Store(http.StatusBadRequest)
	var taken atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		code := int(status.Load())
		if code == http.StatusNoContent {
			taken.Add(1)
		}
		w.WriteHeader(code)
	}))
	t.Cleanup(receiver.Close)
	d := start(t, routing.Times{})
	doc := d.Config.Current().Document
	changed := *doc
	changed.Webhooks = []runtimeconfig.Webhook{{
		Name: "crm", URL: receiver.URL + "/token-of-the-url", AllowPrivateAddresses: true, Events: []runtimeconfig.WebhookEvent{runtimeconfig.EventMessage},
	}}
	d.Config.Set(t, &changed)
	startArchiveWithWebhooks(t, d)
	var list struct{ Webhooks []protocol.WebhookState }
	eventually.True(t, "the webhook is declared", func() bool {
		code, _ := d.get(t, "/console/v1/webhooks", adminToken, &list)
		return code == 200 && len(list.Webhooks) == 1
	})
	d.customerSays("c-1", "m1", "hello")
	eventually.True(t, "a dead letter", func() bool {
		code, _ := d.get(t, "/console/v1/webhooks", adminToken, &list)
		return code == 200 && list.Webhooks[0].DeadLetters == 1
	})
	if s := list.Webhooks[0]; s.Host != receiver.URL || s.Problem == "" {
		t.Errorf("state %+v", s)
	}
	var letters struct{ DeadLetters []webhook.DeadLetter }
	if code, p := d.get(t, "/console/v1/webhooks/crm/dead-letters?limit=1", adminToken, &letters); code != 200 || len(letters.DeadLetters) != 1 || letters.DeadLetters[0].Event != "message" {
		t.Fatalf("%d %+v %v", code, letters, p)
	}
	for _, tc := range []struct {
		path, token, body string
		status            int
	}{
		{"crm/replay", bossToken, `{"all":true}`, http.StatusForbidden},
		{"crm/replay", adminToken, `{}`, http.StatusBadRequest},
		{"crm/replay", adminToken, `{"all":true,"ids":["1-1"]}`, http.StatusBadRequest},
		{"crm/replay", adminToken, `{"ids":["x"]}`, http.StatusBadRequest},
		{"crm/replay", adminToken, `x`, http.StatusBadRequest},
		{"erp/replay", adminToken, `{"all":true}`, http.StatusNotFound},
		{"erp/enable", adminToken, `{}`, http.StatusNotFound},
	} {
		if code, p := d.post(t, "/console/v1/webhooks/"+tc.path, tc.token, tc.body, nil); code != tc.status || p.Remedy == "" {
			t.Errorf("%s with %s gives %d %+v", tc.path, tc.body, code, p)
		}
	}
	status.Store(http.StatusGone)
	var replayed struct{ Replayed int }
	body := `{"ids":["` + letters.DeadLetters[0].ID + `"]}`
	if code, p := d.post(t, "/console/v1/webhooks/crm/replay", adminToken, body, &replayed); code != 200 || replayed.Replayed != 1 {
		t.Fatalf("replay gives %d %+v %v", code, replayed, p)
	}
	eventually.True(t, "it is disabled", func() bool {
		code, _ := d.get(t, "/console/v1/webhooks", adminToken, &list)
		return code == 200 && !list.Webhooks[0].DisabledAt.IsZero()
	})
	status.Store(http.StatusNoContent)
	var nothing struct{}
	if code, p := d.post(t, "/console/v1/webhooks/crm/enable", adminToken, `{}`, &nothing); code != 200 {
		t.Fatalf("enable gives %d %v", code, p)
	}
	eventually.True(t, "the replayed event is delivered", func() bool { return taken.Load() == 1 })
	for _, action := range []string{"webhook.replayed", "webhook.enabled"} {
		var audit struct {
			Records []struct{ Who struct{ ID string } }
		}
		eventually.True(t, action+" is in the audit log", func() bool {
			code, _ := d.get(t, "/console/v1/audit?action="+action, adminToken, &audit)
			return code == 200 && len(audit.Records) > 0 && audit.Records[0].Who.ID == "root"
		})
	}
}

// startArchiveWithWebhooks runs the real archive on SQLite, which gives events up at once.
func startArchiveWithWebhooks(t testing.TB, d *desk) {
	t.Helper()
	secrets, dir := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(secrets, "crm"), 0o700); err != nil {
		t.Fatal(err)
	}
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	if err := os.WriteFile(filepath.Join(secrets, "crm", runtimeconfig.FileWebhookSecret), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- archive.Run(ctx, archive.Options{
			Dialer: d.Server, Source: d.Config, Logger: webtest.Quiet(t), WebhookSecrets: secrets,
			WebhookPolicy: webhook.Policy{First: time.Millisecond, Most: time.Millisecond, MaxAttempts: 1},
			Open: func(ctx context.Context, s bus.Subjects) (archive.Store, error) {
				return archive.OpenSQLite(ctx, filepath.Join(dir, "archive.db"), s)
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
