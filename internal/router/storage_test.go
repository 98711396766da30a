package router

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// archiveSays answers for the archive.
func (d *desk) archiveSays(storage *atomic.Pointer[archive.Storage]) {
	d.t.Helper()
	d.archiveAnswers(func() *archive.Status { return &archive.Status{Storage: *storage.Load()} })
}

// archiveAnswers until the returned function is called.
func (d *desk) archiveAnswers(status func() *archive.Status) (silence func()) {
	d.t.Helper()
	conn := d.dial("archive")
	d.t.Cleanup(conn.Close)
	service := bus.ServiceArchiveStatus
	subscription, err := conn.QueueSubscribe(d.ctx, d.names.Request(service), service.QueueGroup(), func(m *bus.Message) {
		data, err := json.Marshal(archive.StatusReply{V: archive.Version, OK: true, Status: status()})
		if err == nil {
			err = m.Respond(data)
		}
		if err != nil {
			d.t.Error(err)
		}
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return subscription.Stop
}

// How far the archive is behind goes the same way; one that is silent for long is behind too.
func TestArchiveLagIsReported(t *testing.T) {
	d, seen := newDesk(t), newReports(t)
	var status atomic.Pointer[archive.Status]
	status.Store(&archive.Status{Lag: 7, LagSeconds: 90.5, Behind: true})
	silence := d.archiveAnswers(status.Load)
	r := d.startRouter("router-0", func(o *Options) { o.OnFigures = seen.take })
	report := seen.until(d, "it is behind", func(r *link.Report) bool { return r.ArchiveLag != nil })
	if diff := cmp.Diff(&link.Lag{Events: 7, Seconds: 90.5, Behind: true}, report.ArchiveLag); diff != "" {
		t.Error(diff)
	}
	status.Store(&archive.Status{})
	r.storage.ask()
	seen.until(d, "it has caught up", func(r *link.Report) bool { return *r.ArchiveLag == link.Lag{} })
	silence()
	r.storage.mu.Lock()
	r.storage.heard = time.Now().Add(-archiveSilence)
	r.storage.mu.Unlock()
	r.storage.ask()
	seen.until(d, "it is silent", func(r *link.Report) bool {
		return r.ArchiveLag.Silent && r.ArchiveLag.Behind && r.ArchiveLag.Seconds >= archiveSilence.Seconds()
	})
}

// What is wrong with webhooks goes the same way; an older archive tells nothing, which is not that nothing is wrong.
func TestWebhooksInTroubleAreReported(t *testing.T) {
	d, seen := newDesk(t), newReports(t)
	var status atomic.Pointer[archive.Status]
	status.Store(&archive.Status{})
	d.archiveAnswers(status.Load)
	r := d.startRouter("router-0", func(o *Options) { o.OnFigures = seen.take })
	seen.until(d, "an older archive", func(r *link.Report) bool { return r.ArchiveLag != nil && r.Webhooks == nil })
	since := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	status.Store(&archive.Status{Webhooks: &archive.WebhookTroubles{Troubled: []archive.WebhookTrouble{{Name: "crm", FailingSince: since, DeadLetters: 2, Problem: "status 503"}}}})
	r.storage.ask()
	report := seen.until(d, "a webhook fails", func(r *link.Report) bool { return r.Webhooks != nil })
	if diff := cmp.Diff(&link.Webhooks{Troubled: []link.WebhookTrouble{{Name: "crm", FailingSince: since, DeadLetters: 2, Problem: "status 503"}}}, report.Webhooks); diff != "" {
		t.Error(diff)
	}
	status.Store(&archive.Status{Webhooks: &archive.WebhookTroubles{}})
	r.storage.ask()
	seen.until(d, "it is mended", func(r *link.Report) bool { return r.Webhooks != nil && len(r.Webhooks.Troubled) == 0 })
}

// A desk whose archive never answered is given time, and what it said last counts until then.
func TestSilenceOfTheArchive(t *testing.T) {
	var s storage
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	is := func(want *protocol.LagFigures) {
		t.Helper()
		if _, _, got := s.last(); !cmp.Equal(want, got) {
			t.Error(cmp.Diff(want, got))
		}
	}
	s.silent(now)
	s.silent(now.Add(archiveSilence - 1))
	is(nil)
	s.silent(now.Add(archiveSilence))
	is(&protocol.LagFigures{Seconds: 120, Behind: true, Silent: true})
	s.answered(&archive.Status{Lag: 3, LagSeconds: 1}, now.Add(time.Hour))
	s.silent(now.Add(time.Hour + time.Minute))
	is(&protocol.LagFigures{Events: 3, Seconds: 1})
	s.silent(now.Add(2 * time.Hour))
	is(&protocol.LagFigures{Events: 3, Seconds: 3600, Behind: true, Silent: true})
}

// How full archive and bus are goes from the archive over the bus into the report.
func TestStorageIsReported(t *testing.T) {
	d, seen := newDesk(t), newReports(t)
	var storage atomic.Pointer[archive.Storage]
	storage.Store(&archive.Storage{Engine: "sqlite", FreeBytes: 900, TotalBytes: 1000})
	d.archiveSays(&storage)
	r := d.startRouter("router-0", func(o *Options) { o.OnFigures = seen.take })
	report := seen.until(d, "both", func(r *link.Report) bool { return r.Archive != nil && r.Bus != nil })
	if diff := cmp.Diff(&link.Storage{FreeBytes: 900, TotalBytes: 1000}, report.Archive); diff != "" {
		t.Error(diff)
	}
	if b := report.Bus; b.Low || b.TotalBytes <= 0 || b.FreeBytes <= 0 || b.FreeBytes > b.TotalBytes {
		t.Errorf("the bus is %+v", b)
	}
	storage.Store(&archive.Storage{Engine: "sqlite", FreeBytes: 90, TotalBytes: 1000, Low: true})
	r.storage.ask()
	seen.until(d, "it is low", func(r *link.Report) bool { return r.Archive.Low && r.Archive.FreeBytes == 90 })
	storage.Store(&archive.Storage{Engine: "postgresql"})
	r.storage.ask()
	seen.until(d, "it cannot be seen", func(r *link.Report) bool { return r.Archive == nil })
}

// A silent archive is no empty one: what was heard last stays, and the bus is asked all the same.
func TestSilentArchiveHoldsNothingUp(t *testing.T) {
	d, seen := newDesk(t), newReports(t)
	r := d.startRouter("router-0", func(o *Options) { o.OnFigures = seen.take })
	before := &protocol.StorageFigures{FreeBytes: 1, TotalBytes: 10, Low: true}
	seen.until(d, "the bus", func(r *link.Report) bool { return r.Bus != nil && r.Archive == nil })
	r.storage.keep(before, nil)
	r.storage.ask()
	seen.until(d, "the bus again, and what the archive said", func(r *link.Report) bool { return r.Bus != nil && r.Archive != nil && r.Archive.Low })
}

func TestLogIsLowBeforeItIsFull(t *testing.T) {
	low := &protocol.StorageFigures{Low: true}
	for name, c := range map[string]struct {
		used   uint64
		most   int64
		before *protocol.StorageFigures
		want   *protocol.StorageFigures
	}{
		"empty":               {0, 100, nil, &protocol.StorageFigures{FreeBytes: 100, TotalBytes: 100}},
		"nearly":              {79, 100, nil, &protocol.StorageFigures{FreeBytes: 21, TotalBytes: 100}},
		"low":                 {80, 100, nil, &protocol.StorageFigures{FreeBytes: 20, TotalBytes: 100, Low: true}},
		"a little less":       {76, 100, low, &protocol.StorageFigures{FreeBytes: 24, TotalBytes: 100, Low: true}},
		"enough less":         {74, 100, low, &protocol.StorageFigures{FreeBytes: 26, TotalBytes: 100}},
		"beyond its limit":    {120, 100, nil, &protocol.StorageFigures{TotalBytes: 100, Low: true}},
		"no limit to be near": {5, -1, low, nil},
	} {
		if diff := cmp.Diff(c.want, logStorage(&bus.LogInfo{Bytes: c.used, MaxBytes: c.most}, c.before)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// People are counted once, bots not at all.
func TestPeopleAreReported(t *testing.T) {
	d, seen := newDesk(t), newReports(t)
	d.startRouter("router-0", func(o *Options) { o.OnFigures = seen.take })
	is := func(online, busy int) func(*link.Report) bool {
		return func(r *link.Report) bool { return *r.Agents == link.Agents{Online: online, Busy: busy} }
	}
	seen.until(d, "nobody", is(0, 0))
	d.client(bus.PartyBot, "bot-0").signOn()
	ann, ben := d.client(bus.PartyAgent, "ann"), d.client(bus.PartyAgent, "ben")
	ann.signOn()
	ben.signOn()
	seen.until(d, "two people", func(r *link.Report) bool { return is(2, 0)(r) && worker(r, "bot-0").Slots == 5 })
	ben.must(protocol.Request{Type: protocol.Presence, Presence: conversation.PresenceAway})
	seen.until(d, "one is away", is(1, 0))
	d.post("c-1", "m1", "I want a refund")
	seen.until(d, "the other is offered something", is(1, 1))
}
