package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/knowledge"
	"github.com/deskfleet/deskfleet/internal/knowledge/protocol"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/telemetry"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func hours(answer string) []knowledge.Entry {
	return []knowledge.Entry{
		{ID: "hours-en", Questions: []string{"When are you open?", "What are your opening hours?"}, Answer: answer, Language: "en"},
		{ID: "hours-zh", Questions: []string{"你们几点营业？", "营业时间是什么时候？"}, Answer: "我们全天营业。", Language: "zh"},
		{ID: "returns-en", Questions: []string{"How do I return an item?"}, Answer: "Within 30 days.", Language: "en"},
	}
}

// write lays entries into a folder in two parts and describes them.
func write(t *testing.T, folder, name string, entries []knowledge.Entry) runtimeconfig.KnowledgeBase {
	t.Helper()
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	if err := errors.Join(json.NewEncoder(zip).Encode(entries), zip.Close()); err != nil {
		t.Fatal(err)
	}
	base := runtimeconfig.KnowledgeBase{Name: name, Revision: knowledge.Revision(entries)}
	half := zipped.Len() / 2
	for i, part := range [][]byte{zipped.Bytes()[:half], zipped.Bytes()[half:]} {
		sum := sha256.Sum256(part)
		file := fmt.Sprintf("%s.%d.json.gz", name, i)
		if err := os.WriteFile(filepath.Join(folder, file), part, 0o600); err != nil {
			t.Fatal(err)
		}
		base.Parts = append(base.Parts, runtimeconfig.KnowledgePart{Path: file, SHA256: hex.EncodeToString(sum[:])})
	}
	return base
}

func document(bases ...runtimeconfig.KnowledgeBase) *runtimeconfig.Document {
	return &runtimeconfig.Document{
		Version: runtimeconfig.Version, Namespace: "shop", Desk: "shop", Languages: []string{"en", "zh"},
		Queues: []runtimeconfig.Queue{{Name: "general"}}, DefaultQueue: "general", RetentionDays: 1, Knowledge: bases,
	}
}

// rig is a running role with a client of its bus.
type rig struct {
	conn     bus.Conn
	subjects bus.Subjects
	store    *runtimeconfig.Store
	health   *telemetry.Health
}

func start(t *testing.T, folder string, d *runtimeconfig.Document) *rig {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	server, err := bus.StartEmbedded(t.Context(), d, t.TempDir(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Shutdown(context.Background()) })
	r := &rig{}
	if r.store, err = runtimeconfig.NewStoreOf(d); err != nil {
		t.Fatal(err)
	}
	if r.subjects, err = bus.NewSubjects(d.Namespace, d.Desk); err != nil {
		t.Fatal(err)
	}
	if r.conn, err = server.Dial(t.Context(), bus.ClientOptions{Name: "test", Logger: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.conn.Close)
	r.health = telemetry.NewHealth(nil)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{
			Name: "knowledge-0", Dialer: server, Source: r.store, Folder: folder,
			Interval: 5 * time.Millisecond, Logger: log, Health: r.health,
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	eventually.Nil(t, "the role answers", func() error {
		_, err := r.search("anything", "none")
		if refusal := (*protocol.Error)(nil); errors.As(err, &refusal) {
			return nil
		}
		return err
	})
	return r
}

func (r *rig) search(query string, bases ...string) ([]protocol.Hit, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return protocol.Search(ctx, r.conn, r.subjects, protocol.Request{Query: query, KnowledgeBases: bases})
}

func TestSearchInBothLanguages(t *testing.T) {
	folder := t.TempDir()
	r := start(t, folder, document(write(t, folder, "faq", hours("Around the clock."))))
	for query, want := range map[string]string{"what are your opening hours": "hours-en", "请问营业时间": "hours-zh", "how can I return something": "returns-en"} {
		hits, err := r.search(query, "faq")
		if err != nil || len(hits) == 0 || hits[0].ID != want {
			t.Errorf("%q: %+v (%v), expected %s first", query, hits, err, want)
		}
	}
}

func TestHitsOfSeveralBasesAreMerged(t *testing.T) {
	folder := t.TempDir()
	other := []knowledge.Entry{{ID: "parking", Questions: []string{"Where can I park?"}, Answer: "Behind the house.", Language: "en"}}
	r := start(t, folder, document(write(t, folder, "faq", hours("x")), write(t, folder, "visit", other)))
	hits, err := r.search("where can I park?", "faq", "visit")
	if err != nil || len(hits) == 0 || hits[0].KnowledgeBase != "visit" {
		t.Errorf("%+v (%v)", hits, err)
	}
}

func TestSwapWhenAllPartsMatch(t *testing.T) {
	folder := t.TempDir()
	r := start(t, folder, document(write(t, folder, "faq", hours("old"))))
	next := t.TempDir()
	base := write(t, next, "faq", hours("new"))
	offer := func(b runtimeconfig.KnowledgeBase) {
		data, err := document(b).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.store.Offer(data); err != nil {
			t.Fatal(err)
		}
	}
	answer := func() string {
		hits, err := r.search("When are you open?", "faq")
		if err != nil || len(hits) == 0 {
			t.Fatalf("%+v (%v)", hits, err)
		}
		return hits[0].Answer
	}
	offer(base)
	move := func(i int) {
		if err := os.Rename(filepath.Join(next, base.Parts[i].Path), filepath.Join(folder, base.Parts[i].Path)); err != nil {
			t.Fatal(err)
		}
	}
	move(0)
	eventually.True(t, "the half-arrived revision is reported", func() bool {
		check := r.health.Readiness(t.Context()).Checks["revision"]
		return !check.OK && check.Error != ""
	})
	if got := answer(); got != "old" {
		t.Errorf("answer %q while the new revision is incomplete, expected the old one", got)
	}
	if !r.health.Readiness(t.Context()).Ready {
		t.Error("the role is not ready although it serves the former revision")
	}
	move(1)
	eventually.True(t, "the new revision is served", func() bool { return answer() == "new" })
}

func TestRefusals(t *testing.T) {
	folder := t.TempDir()
	missing := runtimeconfig.KnowledgeBase{Name: "late", Revision: "r", Parts: []runtimeconfig.KnowledgePart{{Path: "late.0.json.gz", SHA256: "x"}}}
	outside := runtimeconfig.KnowledgeBase{Name: "outside", Revision: "r", Parts: []runtimeconfig.KnowledgePart{{Path: "../secret", SHA256: "x"}}}
	r := start(t, folder, document(write(t, folder, "faq", hours("x")), missing, outside))
	for _, row := range []struct {
		what    string
		request protocol.Request
		code    protocol.Code
	}{
		{"an unknown base", protocol.Request{Query: "q", KnowledgeBases: []string{"other"}}, protocol.CodeUnknownBase},
		{"a base that has not come yet", protocol.Request{Query: "q", KnowledgeBases: []string{"late"}}, protocol.CodeUnavailable},
		{"a base outside the folder", protocol.Request{Query: "q", KnowledgeBases: []string{"outside"}}, protocol.CodeUnavailable},
		{"no base", protocol.Request{Query: "q"}, protocol.CodeMalformed},
		{"no query", protocol.Request{KnowledgeBases: []string{"faq"}}, protocol.CodeMalformed},
		{"too many hits", protocol.Request{Query: "q", KnowledgeBases: []string{"faq"}, K: 99}, protocol.CodeMalformed},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := protocol.Search(ctx, r.conn, r.subjects, row.request)
		cancel()
		if refusal := (*protocol.Error)(nil); !errors.As(err, &refusal) || refusal.Code != row.code || refusal.Remedy == "" {
			t.Errorf("%s: %v, expected code %s with a remedy", row.what, err, row.code)
		}
	}
	if r.health.Readiness(t.Context()).Ready {
		t.Error("the role is ready although a base is not served at all")
	}
}
