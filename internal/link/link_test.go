package link_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/link"
)

func newReport() *link.Report {
	return &link.Report{
		Since: time.Unix(1_799_990_000, 0).UTC(),
		V:     1, Namespace: "shop", Desk: "web", Router: "r", Term: 7, Seq: 3, At: time.Unix(1_800_000_000, 0).UTC(), Revision: "r1", Generation: 5,
		Queues: []link.Queue{{Name: "bot", Waiting: 2, OldestSince: time.Unix(1_799_999_990, 0).UTC(), Figures: &link.QueueFigures{
			Offered: 1, InProgress: 3, Arrived: 9, Offers: 8, OffersExpired: 1, Answered: 6, AnsweredInTime: 5, Abandoned: 2, AbandonedLate: 1,
			AnsweredWaitSeconds: 61.5, Handle: &link.HandleTime{MeanSeconds: 120.5, Variance: 90},
			Level: &link.Level{WindowSeconds: 300, Of: 7, InTimePercent: 80, AbandonedPercent: 10}, ExpectedWaitSeconds: new(31.5), OverflowSteps: 2,
		}}},
		Pools: []link.Pool{{Name: "bots", SignedOn: 2, Away: 1, Slots: 10, InProgress: 4, Figures: &link.PoolFigures{
			Busy: 2, Draining: 1, Used: 5, Offers: 8, OffersExpired: 1, Answered: 6, Handled: 4, HandleSeconds: 482, HandleSecondsSquared: 60_000,
			Handle: &link.HandleTime{MeanSeconds: 120.5, Variance: 90},
		}, Flow: &link.Flow{
			Arrived: 12, Started: 9, Left: 1, Ended: 5, WaitedSeconds: 31.5,
			Handled: []link.Lasting{{Seconds: 90, Count: 3}, {Seconds: 180, Count: 2}}, Ages: []link.Lasting{{Seconds: 60, Count: 4}},
		}, Workers: []link.Worker{
			{Name: "a", Slots: 5, Busy: 4}, {Name: "b", Slots: 5, Draining: true, Drained: true},
		}}},
		Agents: &link.Agents{Online: 3, Busy: 1}, Archive: &link.Storage{FreeBytes: 5, TotalBytes: 10}, Bus: &link.Storage{FreeBytes: 1, TotalBytes: 10, Low: true},
		Webhooks:   &link.Webhooks{Troubled: []link.WebhookTrouble{{Name: "crm", FailingSince: time.Unix(1_799_990_000, 0).UTC(), DeadLetters: 2, Problem: "status 503"}}},
		ArchiveLag: &link.Lag{Events: 12, Seconds: 61.5, Behind: true},
	}
}

func TestReportTravels(t *testing.T) {
	data, err := json.Marshal(newReport())
	if err != nil {
		t.Fatal(err)
	}
	var back link.Report
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(newReport(), &back); diff != "" {
		t.Error(diff)
	}
	if err := back.Validate(); err != nil {
		t.Error(err)
	}
}

// Neighbouring releases work together: what a side does not know it ignores, and what the other does not send is absent,
// which is something else than nothing.
func TestNeighboursUnderstandEachOther(t *testing.T) {
	var report link.Report
	newer := `{"v":2,"namespace":"a","desk":"b","router":"c","mood":{"of":"agents"},"agents":{"online":2,"busy":1,"asleep":1},"queues":[{"name":"q","waiting":1,"colour":"red"}]}`
	if err := json.Unmarshal([]byte(newer), &report); err != nil || report.Validate() != nil {
		t.Fatalf("a newer router: %v, %v", err, report.Validate())
	}
	if *report.Agents != (link.Agents{Online: 2, Busy: 1}) || len(report.Queues) != 1 || report.Queues[0].Waiting != 1 {
		t.Errorf("a newer router says %+v", report)
	}
	report = link.Report{}
	older := `{"v":1,"namespace":"a","desk":"b","router":"c","queues":[{"name":"q","waiting":1}]}`
	if err := json.Unmarshal([]byte(older), &report); err != nil || report.Validate() != nil {
		t.Fatalf("an older router: %v, %v", err, report.Validate())
	}
	if !report.Since.IsZero() || report.Queues[0].Figures != nil {
		t.Errorf("an older router says how its queues are served: %+v", report)
	}
	pool := link.Report{}
	if err := json.Unmarshal([]byte(`{"v":1,"namespace":"a","desk":"b","router":"c","pools":[{"name":"p","signedOn":1}]}`), &pool); err != nil || pool.Pools[0].Flow != nil {
		t.Errorf("an older router tells of a flow: %+v (%v)", pool.Pools, err)
	}
	// Nothing is told of what does not exist yet: a queue in which nobody was served has no handle time, and not one of 0.
	young := `{"v":1,"namespace":"a","desk":"b","router":"c","queues":[{"name":"q","waiting":0,"figures":{}}],"pools":[{"name":"p","figures":{}}]}`
	var fresh link.Report
	if err := json.Unmarshal([]byte(young), &fresh); err != nil || fresh.Validate() != nil {
		t.Fatalf("a young desk: %v, %v", err, fresh.Validate())
	}
	if f := fresh.Queues[0].Figures; f == nil || f.Handle != nil || f.Level != nil || f.ExpectedWaitSeconds != nil || fresh.Pools[0].Figures == nil {
		t.Errorf("a young desk says %+v", fresh)
	}
	if report.Agents != nil || report.Archive != nil || report.Bus != nil || report.ArchiveLag != nil {
		t.Errorf("an older router says %+v", report)
	}
	// An older manager reads what this release writes: as a type without the fields it has never heard of.
	data, err := json.Marshal(newReport())
	if err != nil {
		t.Fatal(err)
	}
	var known struct {
		V      int          `json:"v"`
		Queues []link.Queue `json:"queues"`
	}
	if err := json.Unmarshal(data, &known); err != nil || known.V != 1 || len(known.Queues) != 1 {
		t.Errorf("an older manager reads %+v (%v)", known, err)
	}
}

func TestFiguresOfTheDeskThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*link.Report){
		"agents.busy is -1":                  func(r *link.Report) { r.Agents.Busy = -1 },
		"archive has 11 of 10 bytes free":    func(r *link.Report) { r.Archive.FreeBytes = 11 },
		"archiveLag.seconds is -1: send":     func(r *link.Report) { r.ArchiveLag.Seconds = -1 },
		"archiveLag.seconds is 1e+300":       func(r *link.Report) { r.ArchiveLag.Seconds = 1e300 },
		"queues[0].figures.offered is -1":    func(r *link.Report) { r.Queues[0].Figures.Offered = -1 },
		"queues[0].figures.held has 9 steps": func(r *link.Report) { r.Queues[0].Figures.Held = make([]link.HeldStep, 9) },
		"queues[0].figures.held[0].step is 9": func(r *link.Report) {
			r.Queues[0].Figures.Held = []link.HeldStep{{Step: 9, Action: "Bot", Until: r.At}}
		},
		"queues[0].figures.held[0].action is \"\"":   func(r *link.Report) { r.Queues[0].Figures.Held = []link.HeldStep{{Step: 1, Until: r.At}} },
		"queues[0].figures.held[0].until is missing": func(r *link.Report) { r.Queues[0].Figures.Held = []link.HeldStep{{Step: 1, Action: "Bot"}} },
		"queues[0].figures.held[1].step is 1 again": func(r *link.Report) {
			r.Queues[0].Figures.Held = []link.HeldStep{{Step: 1, Action: "Bot", Until: r.At}, {Step: 1, Action: "Bot", Until: r.At}}
		},
		"queues[0].figures.level.of is 0":                     func(r *link.Report) { r.Queues[0].Figures.Level.Of = 0 },
		"queues[0].figures.level.inTimePercent is 101":        func(r *link.Report) { r.Queues[0].Figures.Level.InTimePercent = 101 },
		"queues[0].figures.handle.meanSeconds is NaN":         func(r *link.Report) { r.Queues[0].Figures.Handle.MeanSeconds = math.NaN() },
		"queues[0].figures.expectedWaitSeconds is -1":         func(r *link.Report) { r.Queues[0].Figures.ExpectedWaitSeconds = new(-1.0) },
		"pools[0].figures.used is -1":                         func(r *link.Report) { r.Pools[0].Figures.Used = -1 },
		"pools[0].figures.handleSecondsSquared is +Inf":       func(r *link.Report) { r.Pools[0].Figures.HandleSecondsSquared = math.Inf(1) },
		"pools[0].flow.arrived is 9007199254740993":           func(r *link.Report) { r.Pools[0].Flow.Arrived = 1<<53 + 1 },
		"pools[0].flow.ages has 129 items":                    func(r *link.Report) { r.Pools[0].Flow.Ages = make([]link.Lasting, 129) },
		"pools[0].flow.handled[1].s is NaN":                   func(r *link.Report) { r.Pools[0].Flow.Handled[1].Seconds = math.NaN() },
		"pools[0].flow.ages[0].n is 100000001":                func(r *link.Report) { r.Pools[0].Flow.Ages[0].Count = 100_000_001 },
		"pools[0].flow.waitedSeconds is -1":                   func(r *link.Report) { r.Pools[0].Flow.WaitedSeconds = -1 },
		"roles has 9 items":                                   func(r *link.Report) { r.Roles = make([]link.Role, 9) },
		"roles[0].name has 0 bytes":                           func(r *link.Report) { r.Roles = make([]link.Role, 1) },
		"roles[0].load is NaN":                                func(r *link.Report) { r.Roles = []link.Role{{Name: "gateway", Load: math.NaN()}} },
		"roles[0].replicas is -1":                             func(r *link.Report) { r.Roles = []link.Role{{Name: "gateway", Replicas: -1}} },
		"webhooks.troubled[0].name has 0 bytes":               func(r *link.Report) { r.Webhooks.Troubled[0].Name = "" },
		"since is 2028-01-15T08:00:00Z, and at is 2027-01-15": func(r *link.Report) { r.Since = time.Date(2028, 1, 15, 8, 0, 0, 0, time.UTC) },
		"learned has 3 pools: send at most 2":                 func(r *link.Report) { r.Learned = map[string][]byte{"a": nil, "b": nil, "c": nil} },
		"learned: name has 0 bytes":                           func(r *link.Report) { r.Learned = map[string][]byte{"": nil} },
		"learned.a has 65537 bytes: send at most 65536":       func(r *link.Report) { r.Learned = map[string][]byte{"a": make([]byte, 65537)} },
		"bus has -1 of 10 bytes free: send":                   func(r *link.Report) { r.Bus.FreeBytes = -1 },
	} {
		r := newReport()
		change(r)
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, expected %q", err, want)
		}
	}
}

func TestChangesAreSeen(t *testing.T) {
	for name, change := range map[string]func(*link.Report){
		"age":      func(r *link.Report) { r.Pools[0].Flow.Ages[0].Seconds++ },
		"letter":   func(r *link.Report) { r.Webhooks.Troubled[0].DeadLetters++ },
		"time":     func(r *link.Report) { r.At = r.At.Add(time.Second) },
		"number":   func(r *link.Report) { r.Seq++ },
		"revision": func(r *link.Report) { r.Revision, r.Generation = "r2", 6 }, // the reply brought it
		"byte":     func(r *link.Report) { r.Archive.FreeBytes--; r.Bus.TotalBytes++ },
		"second":   func(r *link.Report) { r.ArchiveLag.Seconds++; r.ArchiveLag.Events++ },
	} {
		r := newReport()
		change(r)
		if !r.Same(newReport()) {
			t.Errorf("another %s is worth a report", name)
		}
	}
	for name, change := range map[string]func(*link.Report){
		"webhook":    func(r *link.Report) { r.Webhooks.Troubled[0].DisabledAt = time.Unix(1_800_000_000, 0) },
		"no webhook": func(r *link.Report) { r.Webhooks.Troubled = nil },
		"router":     func(r *link.Report) { r.Router = "other" },
		"term":       func(r *link.Report) { r.Term++ },
		"waiting":    func(r *link.Report) { r.Queues[0].Waiting++ },
		"oldest":     func(r *link.Report) { r.Queues[0].OldestSince = time.Time{} },
		"queue":      func(r *link.Report) { r.Queues[0].Name = "other" },
		"a step":     func(r *link.Report) { r.Queues[0].Figures.OverflowSteps++ },
		"held": func(r *link.Report) {
			r.Queues[0].Figures.Held = []link.HeldStep{{Step: 1, Action: "Bot", Until: r.At}}
		},
		"queues":      func(r *link.Report) { r.Queues = nil },
		"pool":        func(r *link.Report) { r.Pools[0].Name = "other" },
		"pools":       func(r *link.Report) { r.Pools = nil },
		"signed on":   func(r *link.Report) { r.Pools[0].SignedOn++ },
		"away":        func(r *link.Report) { r.Pools[0].Away++ },
		"slots":       func(r *link.Report) { r.Pools[0].Slots++ },
		"in progress": func(r *link.Report) { r.Pools[0].InProgress++ },
		"workers":     func(r *link.Report) { r.Pools[0].Workers = r.Pools[0].Workers[:1] },
		"drained":     func(r *link.Report) { r.Pools[0].Workers[1].Drained = false },
		"online":      func(r *link.Report) { r.Agents.Online++ },
		"busy":        func(r *link.Report) { r.Agents.Busy++ },
		"agents":      func(r *link.Report) { r.Agents = nil },
		"caught up":   func(r *link.Report) { r.ArchiveLag.Behind = false },
		"silent":      func(r *link.Report) { r.ArchiveLag.Silent = true },
		"no lag":      func(r *link.Report) { r.ArchiveLag = nil },
		"archive":     func(r *link.Report) { r.Archive.Low = true },
		"bus":         func(r *link.Report) { r.Bus = nil },
	} {
		r := newReport()
		change(r)
		if r.Same(newReport()) || newReport().Same(r) {
			t.Errorf("a change of %s is not seen", name)
		}
	}
}

// Whatever comes in, a report that passes has counts that can be added up and names that are bounded.
func FuzzReport(f *testing.F) {
	seed, err := json.Marshal(newReport())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"v":1,"namespace":"a","desk":"b","router":"c","pools":[{"name":"p","slots":-1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r link.Report
		if json.Unmarshal(data, &r) != nil || r.Validate() != nil {
			return
		}
		sum := 0
		for _, q := range r.Queues {
			if q.Waiting < 0 || q.Name == "" {
				t.Fatalf("%+v", q)
			}
			sum += q.Waiting
		}
		for _, p := range r.Pools {
			for _, w := range p.Workers {
				if w.Drained && w.Busy > 0 || w.Busy < 0 {
					t.Fatalf("%+v", w)
				}
				sum += w.Busy
			}
		}
		if sum < 0 {
			t.Fatal("the counts overflow")
		}
		if !r.Same(&r) {
			t.Fatal("a report differs from itself")
		}
	})
}
