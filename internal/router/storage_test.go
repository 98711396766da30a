package router

import (
	"encoding/json"
	"sync/atomic"
	"testing"

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
	conn := d.dial("archive")
	d.t.Cleanup(conn.Close)
	service := bus.ServiceArchiveStatus
	if _, err := conn.QueueSubscribe(d.ctx, d.names.Request(service), service.QueueGroup(), func(m *bus.Message) {
		data, err := json.Marshal(archive.StatusReply{V: archive.Version, OK: true, Status: &archive.Status{Storage: *storage.Load()}})
		if err == nil {
			err = m.Respond(data)
		}
		if err != nil {
			d.t.Error(err)
		}
	}); err != nil {
		d.t.Fatal(err)
	}
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
