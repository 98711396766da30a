package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/deskfleet/deskfleet/internal/archive/audit"
	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/telemetry"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

func testDocument() *runtimeconfig.Document {
	return &runtimeconfig.Document{
		Version: runtimeconfig.Version, Namespace: "shop", Desk: "web", Languages: []string{"en", "zh"},
		Queues: []runtimeconfig.Queue{{Name: "refunds"}}, DefaultQueue: "refunds", RetentionDays: 365,
		Bus: runtimeconfig.Bus{Replicas: 1, MaxStoreBytes: 64 << 20},
	}
}

// bench is a desk of which only bus and archive run; the test is everybody else.
type bench struct {
	t        testing.TB
	subjects bus.Subjects
	server   *bus.Server
	source   *runtimeconfig.Store
	conn     bus.Conn
	log      bus.Log
	file     string
}

func newBench(t testing.TB) *bench {
	t.Helper()
	source, err := runtimeconfig.NewStoreOf(testDocument())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, subjects: testSubjects(t), source: source, file: filepath.Join(t.TempDir(), "archive.db")}
	b.startBus(filepath.Join(t.TempDir(), "bus"))
	return b
}

func (b *bench) startBus(dir string) {
	b.t.Helper()
	logger := slog.New(slog.DiscardHandler)
	server, err := bus.StartEmbedded(b.t.Context(), testDocument(), dir, logger)
	if err != nil {
		b.t.Fatal(err)
	}
	conn, err := server.Dial(b.t.Context(), bus.ClientOptions{Name: "test", Logger: logger})
	if err != nil {
		b.t.Fatal(err)
	}
	b.server, b.conn, b.log = server, conn, conn.Log(b.subjects.Stream())
	b.t.Cleanup(func() {
		conn.Close()
		if err := server.Shutdown(context.WithoutCancel(b.t.Context())); err != nil {
			b.t.Error(err)
		}
	})
}

func (b *bench) options() Options {
	return Options{
		Dialer: b.server, Source: b.source, Logger: slog.New(slog.DiscardHandler),
		Open: func(ctx context.Context, s bus.Subjects) (Store, error) { return OpenSQLite(ctx, b.file, s) },
		// At once, so that no test has to wait.
		Grace: time.Nanosecond, PurgeEvery: 5 * time.Millisecond, RetentionEvery: 5 * time.Millisecond, VerifyEvery: 5 * time.Millisecond,
	}
}

// run the role until the returned function is called or the test ends.
func (b *bench) run(o Options) (stop func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, o) }()
	var once atomic.Bool
	stop = func() {
		if once.Swap(true) {
			return
		}
		cancel()
		if err := eventually.Receive(b.t, "the archive ends", done); err != nil {
			b.t.Error(err)
		}
	}
	b.t.Cleanup(stop)
	return stop
}

// play appends a script to the log and returns the sequences that the bus gave.
func (b *bench) play(s *script) {
	b.t.Helper()
	for _, e := range s.entries {
		if _, _, err := b.log.Append(b.t.Context(), e.Subject, e.Data, bus.AppendOptions{}); err != nil {
			b.t.Fatal(err)
		}
	}
	s.entries = nil
}

// decide appends a decision whose cursor is the end of the log: the router has seen everything.
func (b *bench) decide() {
	b.t.Helper()
	info, err := b.log.Info(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	batch := &conversation.Batch{V: 1, ID: conversation.NewID(start), At: start, Router: "router-0", Cursor: info.LastSeq}
	data, err := conversation.EncodeBatch(batch)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, _, err := b.log.Append(b.t.Context(), b.subjects.Decisions(), data, bus.AppendOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) client() protocol.Client { return protocol.Client{Bus: b.conn, Subjects: b.subjects} }

// inLog counts what the log holds of a conversation.
func (b *bench) inLog(id conversation.ID) int {
	b.t.Helper()
	n := 0
	for _, err := range b.log.Read(b.t.Context(), b.subjects.Conversation(string(id)), 0) {
		if err != nil {
			b.t.Fatal(err)
		}
		n++
	}
	return n
}

// archived reads a transcript over the bus.
func (b *bench) archived(id conversation.ID) ([]string, error) {
	reply, err := b.client().Transcript(b.t.Context(), protocol.TranscriptRequest{Conversation: id})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, item := range reply.Items {
		e, err := conversation.Decode(item.Event)
		if err != nil {
			return nil, err
		}
		out = append(out, e.Body.(*conversation.Message).Text)
	}
	return out, nil
}

func (b *bench) waitArchived(id conversation.ID, want []string) {
	b.t.Helper()
	eventually.Nil(b.t, "the transcript is archived", func() error {
		got, err := b.archived(id)
		if err == nil && !cmp.Equal(got, want) {
			err = errors.New(cmp.Diff(want, got))
		}
		return err
	})
}

func (b *bench) waitStatus(what string, f func(*protocol.Status) bool) *protocol.Status {
	b.t.Helper()
	var s *protocol.Status
	eventually.Nil(b.t, what, func() error {
		var err error
		if s, err = b.client().Status(b.t.Context()); err != nil {
			return err
		}
		if !f(s) {
			return fmt.Errorf("status is %+v", s)
		}
		return nil
	})
	return s
}

func TestArchivesAndForgets(t *testing.T) {
	b, s := newBench(t), newScript(t)
	id, want := s.served("c-17", "where is my order")
	open := conversation.NewID(s.now)
	s.says(open, customer("c-18"), "anybody there?")
	s.audit("agent.signedOn")
	b.play(s)
	b.decide()
	registry, health := prometheus.NewRegistry(), telemetry.NewHealth(nil)
	o := b.options()
	o.Registerer, o.Health = registry, health
	b.run(o)
	b.waitArchived(id, want)
	b.waitArchived(open, []string{"anybody there?"})
	status := b.waitStatus("the ended conversation leaves the log", func(s *protocol.Status) bool {
		return s.Unpurged == 0 && s.Lag == 0 && s.Verified != nil && s.Verified.Records == 1
	})
	if ended, going := b.inLog(id), b.inLog(open); ended != 0 || going != 1 {
		t.Errorf("the log holds %d events of the ended conversation and %d of the open one, want 0 and 1", ended, going)
	}
	eventually.Nil(t, "audit events leave the log", func() error {
		last, err := b.log.LastSeq(t.Context(), b.subjects.Audit())
		if err == nil && last != 0 {
			err = fmt.Errorf("sequence %d is there", last)
		}
		return err
	})
	checkStatus(t, status, int64(len(want)+1))
	if r := health.Readiness(t.Context()); !r.Ready {
		t.Errorf("readiness %+v", r)
	}
	expected := `
# HELP deskfleet_archive_purged_conversations_total Ended conversations that left the log of the bus.
# TYPE deskfleet_archive_purged_conversations_total counter
deskfleet_archive_purged_conversations_total 1
`
	eventually.Nil(t, "the purge is counted", func() error {
		return testutil.GatherAndCompare(registry, strings.NewReader(expected), "deskfleet_archive_purged_conversations_total")
	})
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v, %v", problems, err)
	}
}

func checkStatus(t *testing.T, s *protocol.Status, messages int64) {
	t.Helper()
	if s.Conversations != 2 || s.Messages != messages || s.Audit.Number != 1 || s.Revision == "" || s.Problem != "" {
		t.Errorf("status %+v", s)
	}
	if s.Storage.Engine != "sqlite" || s.Storage.DatabaseBytes == 0 || s.Storage.TotalBytes == 0 {
		t.Errorf("storage %+v", s.Storage)
	}
}

// A message that slips in after the end stays until the router has decided about it, and is never lost.
func TestLateMessage(t *testing.T) {
	b, s := newBench(t), newScript(t)
	id, want := s.served("c-17", "where is my order")
	b.play(s)
	b.decide()
	b.run(b.options())
	b.waitStatus("the conversation leaves the log", func(s *protocol.Status) bool { return s.Conversations == 1 && s.Unpurged == 0 && s.Lag == 0 })
	s.says(id, customer("c-17"), "one more thing")
	b.play(s)
	want = append(want, "one more thing")
	b.waitArchived(id, want)
	b.waitStatus("the late message is held for the router", func(s *protocol.Status) bool { return s.Held == 1 && s.Lag == 0 })
	if n := b.inLog(id); n != 1 {
		t.Fatalf("the log holds %d events, want the late message", n)
	}
	b.decide()
	b.waitStatus("the late message leaves the log", func(s *protocol.Status) bool { return s.Unpurged == 0 && s.Held == 0 })
	if n := b.inLog(id); n != 0 {
		t.Errorf("the log holds %d events", n)
	}
	b.waitArchived(id, want)
}

// A reopened conversation is as open as any other, although it has ended once.
func TestReopenedStays(t *testing.T) {
	b, s := newBench(t), newScript(t)
	id, want := s.served("c-17", "where is my order")
	late := s.says(id, customer("c-17"), "it is broken")
	s.event(id, &conversation.Reopened{Cause: conversation.CauseReopened, Seq: late})
	other, _ := s.served("c-18", "another one")
	b.play(s)
	b.decide()
	b.run(b.options())
	b.waitStatus("the other conversation leaves the log", func(s *protocol.Status) bool { return s.Conversations == 2 && s.Unpurged == 0 && s.Lag == 0 })
	b.waitArchived(id, append(want, "it is broken"))
	if b.inLog(other) != 0 || b.inLog(id) != len(want)+1+8 {
		t.Errorf("the log holds %d events of the closed and %d of the reopened conversation", b.inLog(other), b.inLog(id))
	}
}

func TestGoesOnWithAnotherLog(t *testing.T) {
	b, s := newBench(t), newScript(t)
	id, want := s.served("c-17", "before the accident")
	b.play(s)
	stop := b.run(b.options())
	b.waitArchived(id, want)
	stop()
	b.conn.Close()
	if err := b.server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.startBus(filepath.Join(t.TempDir(), "another volume"))
	s = newScript(t)
	after, wantAfter := s.served("c-17", "after the accident")
	b.play(s)
	b.decide()
	b.run(b.options())
	b.waitArchived(id, want)
	b.waitArchived(after, wantAfter)
	b.waitStatus("the second log is emptied", func(s *protocol.Status) bool { return s.Generation == 2 && s.Unpurged == 0 && b.inLog(after) == 0 })
	reply, err := b.client().Audit(t.Context(), protocol.AuditRequest{Action: "archive.logReplaced", Verify: true})
	if err != nil || len(reply.Records) != 1 || reply.Verified == nil || reply.Verified.Broken != nil {
		t.Errorf("audit %+v, %v", reply, err)
	}
}

func TestRetentionOfTheDocument(t *testing.T) {
	b, s := newBench(t), newScript(t)
	s.now = time.Now().AddDate(0, 0, -400)
	old, _ := s.served("c-17", "long ago")
	s.now = time.Now().AddDate(0, 0, -300)
	kept, want := s.served("c-18", "not so long ago")
	b.play(s)
	b.decide()
	b.run(b.options())
	b.waitStatus("the old conversation is deleted", func(s *protocol.Status) bool { return s.Conversations == 1 && s.Lag == 0 })
	var refused *protocol.Error
	if _, err := b.archived(old); !errors.As(err, &refused) || refused.Code != protocol.CodeNotFound {
		t.Errorf("the old conversation: %v", err)
	}
	b.waitArchived(kept, want)
	// A change of the document is enough.
	doc := testDocument()
	doc.RetentionDays = 30
	data, err := doc.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.source.Offer(data); err != nil {
		t.Fatal(err)
	}
	b.waitStatus("the other one is deleted", func(s *protocol.Status) bool { return s.Conversations == 0 })
}

func TestStorageLow(t *testing.T) {
	b := newBench(t)
	var free atomic.Int64
	free.Store(500)
	o := b.options()
	o.Health = telemetry.NewHealth(nil)
	o.Volume = func(dir string) (int64, int64, error) {
		if dir != filepath.Dir(b.file) {
			return 0, 0, fmt.Errorf("asked for %s", dir)
		}
		return free.Load(), 1000, nil
	}
	b.run(o)
	low := func(want bool) func(*protocol.Status) bool {
		return func(s *protocol.Status) bool { return s.Storage.Low == want && s.Storage.FreeBytes == free.Load() }
	}
	b.waitStatus("enough is free", low(false))
	free.Store(99)
	b.waitStatus("less than a tenth is free", low(true))
	if r := o.Health.Readiness(t.Context()); !r.Ready || !strings.Contains(r.Checks["storage"].Error, "StorageLow") {
		t.Errorf("readiness %+v", r)
	}
	free.Store(110) // a little more does not end it
	b.waitStatus("it stays low", low(true))
	free.Store(120)
	b.waitStatus("it is over", low(false))
}

func TestRefusesBadRequests(t *testing.T) {
	b := newBench(t)
	b.run(b.options())
	b.waitStatus("it runs", func(*protocol.Status) bool { return true })
	for _, service := range []bus.Service{bus.ServiceArchiveTranscript, bus.ServiceArchiveSearch, bus.ServiceArchiveAudit} {
		for name, request := range map[string]string{
			"no JSON": "what?", "too much": `{"text":"` + strings.Repeat("x", protocol.MaxRequestBytes) + `"}`, "limit": `{"conversation":"01JD0000000000000000000000","limit":-1}`,
		} {
			data, err := b.conn.Request(t.Context(), b.subjects.Request(service), []byte(request))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(data), `"ok":false`) || !strings.Contains(string(data), `"code":"malformed"`) {
				t.Errorf("%s, %s: %s", service, name, data)
			}
		}
	}
	var refused *protocol.Error
	if _, err := b.client().Transcript(t.Context(), protocol.TranscriptRequest{Conversation: "x"}); !errors.As(err, &refused) || refused.Code != protocol.CodeMalformed {
		t.Errorf("no id: %v", err)
	}
}

func TestReport(t *testing.T) {
	b := newBench(t)
	b.run(b.options())
	e := audit.NewEvent(conversation.NewID(start), start, "console", "agent.signedOn", mei.Actor())
	for range 2 { // as after a lost answer
		if err := protocol.Report(t.Context(), b.log, b.subjects, e); err != nil {
			t.Fatal(err)
		}
	}
	b.waitStatus("it is linked once", func(s *protocol.Status) bool { return s.Audit.Number == 1 && s.Lag == 0 })
	reply, err := b.client().Audit(t.Context(), protocol.AuditRequest{Who: "mei"})
	if err != nil || len(reply.Records) != 1 || reply.Records[0].Action != "agent.signedOn" || reply.Records[0].Who.Name != "梅" {
		t.Errorf("audit %+v, %v", reply, err)
	}
	e.Action = "not an action"
	if err := protocol.Report(t.Context(), b.log, b.subjects, e); err == nil {
		t.Error("a malformed event is reported")
	}
}

func TestStartFailures(t *testing.T) {
	b := newBench(t)
	for name, change := range map[string]func(*Options){
		"required": func(o *Options) { o.Source = nil },
		"LowShare": func(o *Options) { o.LowShare = 1.5 },
		"no such": func(o *Options) {
			o.Open = func(context.Context, bus.Subjects) (Store, error) { return nil, errors.New("no such database") }
		},
	} {
		o := b.options()
		change(&o)
		if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
