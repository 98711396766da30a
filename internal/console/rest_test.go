package console

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive"
	protocol "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// startArchive runs the real archive on SQLite until the test ends.
func startArchive(t testing.TB, d *desk) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	dir := t.TempDir()
	go func() {
		done <- archive.Run(ctx, archive.Options{
			Dialer: d.Server, Source: d.Config, Logger: webtest.Quiet(t),
			Open: func(ctx context.Context, s bus.Subjects) (archive.Store, error) {
				return archive.OpenSQLite(ctx, filepath.Join(dir, "archive.db"), s)
			},
			Grace: time.Millisecond, PurgeEvery: 10 * time.Millisecond,
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := eventually.Receive(t, "the archive ends", done); err != nil {
			t.Errorf("archive ended with %v", err)
		}
	})
}

func itemTexts(t testing.TB, items []protocol.Item) []string {
	t.Helper()
	var out []string
	for _, item := range items {
		e, err := conversation.Decode(item.Event)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := e.Body.(*conversation.Message); ok {
			out = append(out, m.Text)
		}
	}
	return out
}

// TestTranscripts: a conversation can be read while it is in the log and when only the archive has it, by
// supervisors and its owner, and every reading is in the audit log.
func TestTranscripts(t *testing.T) {
	d := start(t, routing.Times{})
	startArchive(t, d)
	c := d.signedIn(t, chenToken, agentwire.Available, nil)
	d.customerSays("c-1", "m1", "Where is my lantern?")
	conv, _ := c.owns()
	c.say(conv, "a1", "On its way.")
	c.until(agentwire.TypeAck, func(f *agentwire.ServerFrame) bool { return f.ClientID == "a1" })
	path := "/console/v1/transcripts/" + string(conv)

	var live transcriptReply
	for _, token := range []string{bossToken, chenToken} {
		live = transcriptReply{}
		if status, p := d.get(t, path, token, &live); status != 200 {
			t.Fatalf("reading gives %d %v", status, p)
		}
		if got := strings.Join(itemTexts(t, live.Items), "|"); got != "Where is my lantern?|On its way." || live.Conversation.Status != conversation.StatusActive {
			t.Errorf("live transcript is %q, %s", got, live.Conversation.Status)
		}
	}
	if status, p := d.get(t, path, wuToken, nil); status != http.StatusForbidden || p.Code() != problem.CodeForbidden {
		t.Errorf("another agent gets %d", status)
	}
	var parts []protocol.Item
	for after := ""; ; {
		var part transcriptReply
		if status, p := d.get(t, path+"?limit=2&after="+after, bossToken, &part); status != 200 || len(part.Items) > 2 {
			t.Fatalf("a part gives %d with %d items, %v", status, len(part.Items), p)
		}
		parts = append(parts, part.Items...)
		if after = part.Next; after == "" {
			break
		}
	}
	if len(parts) != len(live.Items) {
		t.Errorf("%d items in parts, %d at once", len(parts), len(live.Items))
	}

	if p := c.request(agentwire.ClientFrame{Type: agentwire.TypeClose, Conversation: conv, Disposition: "solved"}); p != nil {
		t.Fatal(p)
	}
	eventually.True(t, "the conversation has left the log", func() bool {
		_, found, err := d.Log.Last(t.Context(), d.Subjects.Conversation(string(conv)))
		return err == nil && !found
	})
	var old transcriptReply
	if status, p := d.get(t, path, bossToken, &old); status != 200 || old.Conversation.Disposition != "solved" {
		t.Fatalf("reading the archive gives %d %v", status, p)
	}
	if got := strings.Join(itemTexts(t, old.Items), "|"); got != "Where is my lantern?|On its way." {
		t.Errorf("archived transcript is %q", got)
	}
	var found struct{ Hits []protocol.Hit }
	if status, p := d.get(t, "/console/v1/search?q=lantern&limit=5", bossToken, &found); status != 200 || len(found.Hits) != 1 || found.Hits[0].Conversation.ID != conv {
		t.Errorf("search gives %d with %d hits, %v", status, len(found.Hits), p)
	}

	// The audit log knows who read what.
	var reply protocol.AuditReply
	eventually.True(t, "the audit log holds the search", func() bool {
		reply = protocol.AuditReply{}
		status, _ := d.get(t, "/console/v1/audit?newest=true&verify=true&action=archive.searched", adminToken, &reply)
		return status == 200 && len(reply.Records) == 1
	})
	if r := reply.Records[0]; r.Who.ID != "boss" || !strings.Contains(string(r.Details), "lantern") || reply.Verified == nil || reply.Verified.Broken != nil {
		t.Errorf("record is %+v", r)
	}
	reply = protocol.AuditReply{}
	if status, p := d.get(t, "/console/v1/audit?action=conversation.read&conversation="+string(conv), adminToken, &reply); status != 200 {
		t.Fatalf("audit gives %d %v", status, p)
	}
	readers := map[string]int{}
	for _, r := range reply.Records {
		readers[r.Who.ID]++
	}
	if readers["boss"] < 3 || readers["chen"] != 1 || readers["wu"] != 0 {
		t.Errorf("readers are %v", readers)
	}
	reply = protocol.AuditReply{}
	if status, _ := d.get(t, "/console/v1/audit?action=agent.signedIn", adminToken, &reply); status != 200 || len(reply.Records) != 1 || reply.Records[0].Who.ID != "chen" {
		t.Errorf("sign-ins are %+v", reply.Records)
	}
	data, err := json.Marshal(reply)
	if err != nil || strings.Contains(string(data), chenToken) {
		t.Error("the audit log holds a token")
	}
}

func TestRESTRefusals(t *testing.T) {
	d := start(t, routing.Times{})
	const id = "01JD0000000000000000000000"
	for _, tc := range []struct {
		name, path, token string
		status            int
		code              string
	}{
		{"no token", "/console/v1/me", "", 401, problem.CodeUnauthorised},
		{"wrong token", "/console/v1/me", "wrong-wrong-wrong-wrong", 401, problem.CodeToken},
		{"agent searches", "/console/v1/search?q=x", chenToken, 403, problem.CodeForbidden},
		{"supervisor audits", "/console/v1/audit", bossToken, 403, problem.CodeForbidden},
		{"bad id", "/console/v1/transcripts/x", bossToken, 400, problem.CodeInvalid},
		{"bad limit", "/console/v1/transcripts/" + id + "?limit=9999", bossToken, 400, problem.CodeInvalid},
		{"bad time", "/console/v1/search?from=yesterday", bossToken, 400, problem.CodeInvalid},
		{"bad truth", "/console/v1/audit?verify=maybe", adminToken, 400, problem.CodeInvalid},
		{"no archive", "/console/v1/search?q=x", bossToken, 503, problem.CodeUnavailable},
		{"unknown conversation", "/console/v1/transcripts/" + id, bossToken, 503, problem.CodeUnavailable},
		{"agent reads what is not there", "/console/v1/transcripts/" + id, chenToken, 403, problem.CodeForbidden},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, p := d.get(t, tc.path, tc.token, nil)
			if status != tc.status || p.Code() != tc.code || p.Remedy == "" {
				t.Errorf("%d %+v, want %d %s", status, p, tc.status, tc.code)
			}
		})
	}
	var me map[string]string
	if status, _ := d.get(t, "/console/v1/me", bossToken, &me); status != 200 || me["name"] != "boss" || me["role"] != "supervisor" {
		t.Errorf("me is %v", me)
	}
}

func TestPageHeaders(t *testing.T) {
	d := start(t, routing.Times{})
	defer http.DefaultClient.CloseIdleConnections()
	resp, err := http.Get(d.http.URL + "/console")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.Request.URL.Path != "/console/" || resp.StatusCode != 200 || !strings.HasSuffix(resp.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("%s gives %d %v", resp.Request.URL.Path, resp.StatusCode, resp.Header)
	}
}
