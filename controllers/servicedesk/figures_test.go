package servicedesk

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/capacity"
	wire "github.com/deskfleet/deskfleet/internal/link"
)

var now = time.Date(2026, 11, 11, 12, 0, 0, 500, time.UTC)

// served is a desk that has shown figures.
func served() *v1alpha1.ServiceDesk {
	desk := &v1alpha1.ServiceDesk{}
	desk.Name, desk.Generation = "shop", 3
	show(desk, &capacity.DeskView{
		Fresh: true, Waiting: 2, OldestSince: now, Agents: &wire.Agents{Online: 3, Busy: 1},
		Queues: []wire.Queue{{Name: "bot"}, {Name: "general", Waiting: 2, OldestSince: now, Figures: &wire.QueueFigures{
			ExpectedWaitSeconds: new(61.5), OverflowSteps: 1, Held: []wire.HeldStep{{Step: 2, Action: "Pool", Target: "backup", Until: now}}, Level: &wire.Level{Of: 9, InTimePercent: 200.0 / 3, AbandonedPercent: 100.0 / 9},
		}}},
	}, now)
	return desk
}

// linked is the condition, as text.
func linked(desk *v1alpha1.ServiceDesk) string {
	c := meta.FindStatusCondition(desk.Status.Conditions, v1alpha1.ConditionLinked)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason + ": " + c.Message
}

func TestFiguresAreShown(t *testing.T) {
	desk := served()
	second := new(metav1.NewTime(now.Truncate(time.Second)))
	want := v1alpha1.ServiceDeskStatus{
		Waiting: new(int32(2)), OldestSince: second, Agents: &v1alpha1.AgentsStatus{Online: 3, Busy: 1},
		Queues: []v1alpha1.QueueStatus{{Name: "bot"}, {
			Name: "general", Waiting: 2, OldestSince: second,
			ExpectedWait: new(v1alpha1.Duration("90s")), ServiceLevelPercent: new(int32(67)), AbandonedPercent: new(int32(11)), OverflowSteps: new(int32(1)),
			HeldSteps: []v1alpha1.HeldStepStatus{{Step: 2, Action: "Pool", Target: "backup", Until: *second}},
		}},
	}
	got := desk.Status.DeepCopy()
	got.Conditions = nil
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Error(diff)
	}
	if c := meta.FindStatusCondition(desk.Status.Conditions, v1alpha1.ConditionLinked); !strings.HasPrefix(linked(desk), "True FiguresArrive") || c.ObservedGeneration != 3 {
		t.Errorf("it says %s", linked(desk))
	}
	// A router that does not tell of agents, and of one queue only.
	show(desk, &capacity.DeskView{Fresh: true, Queues: []wire.Queue{{Name: "bot"}}}, now)
	if s := desk.Status; s.Agents != nil || *s.Waiting != 0 || s.OldestSince != nil || len(s.Queues) != 1 {
		t.Errorf("an older router is shown as %+v", s)
	}
}

func TestUnknownIsNotZero(t *testing.T) {
	desk := served()
	before := desk.Status.DeepCopy()
	if show(desk, &capacity.DeskView{Young: true}, now); !cmp.Equal(*before, desk.Status) {
		t.Errorf("an operator that has just started changes %s", cmp.Diff(*before, desk.Status))
	}
	heard := now.Add(-20 * time.Second)
	if after := show(desk, &capacity.DeskView{Received: heard, Since: now.Add(-time.Hour)}, now); after != 0 {
		t.Errorf("a silent desk is looked at again after %s", after)
	}
	if s := desk.Status; s.Waiting != nil || s.OldestSince != nil || s.Queues != nil || s.Agents != nil {
		t.Errorf("a silent desk is shown as %+v", s)
	}
	said := linked(desk)
	if !strings.HasPrefix(said, "False NoFigures: nothing has been heard from the desk since 2026-11-11T11:59:40Z") || !strings.Contains(said, "port 9443") {
		t.Errorf("it says %s", said)
	}
	// The next operator has heard nothing at all: it does not know better.
	if show(desk, &capacity.DeskView{Since: now.Add(time.Hour)}, now.Add(2*time.Hour)); linked(desk) != said {
		t.Errorf("after a restart it says %s", linked(desk))
	}
	// One that was heard once is missed by an operator that never heard it.
	desk = served()
	if show(desk, &capacity.DeskView{Since: now}, now.Add(time.Minute)); !strings.Contains(linked(desk), "since 2026-11-11T12:00:00Z") || desk.Status.Queues != nil {
		t.Errorf("it says %s", linked(desk))
	}
}

// A desk that is being made is not called silent, and one that never says anything is not forgotten.
func TestNewDeskIsGivenTime(t *testing.T) {
	desk := &v1alpha1.ServiceDesk{}
	view := &capacity.DeskView{Since: now}
	if after := show(desk, view, now.Add(time.Hour)); after != unheardEvery || linked(desk) != "" {
		t.Errorf("without pods it says %q, look again after %s", linked(desk), after)
	}
	meta.SetStatusCondition(&desk.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, LastTransitionTime: metav1.NewTime(now),
	})
	if after := show(desk, view, now.Add(5*time.Second)); after != 10*time.Second || linked(desk) != "" {
		t.Errorf("after 5 s it says %q, look again after %s", linked(desk), after)
	}
	if after := show(desk, view, now.Add(15*time.Second)); after != 0 || !strings.HasPrefix(linked(desk), "False NoFigures") {
		t.Errorf("after 15 s it says %q, look again after %s", linked(desk), after)
	}
}

func TestWhatFillsUpIsSaid(t *testing.T) {
	desk := served()
	condition := func(kind string) string {
		if c := meta.FindStatusCondition(desk.Status.Conditions, kind); c != nil {
			return string(c.Status) + " " + c.Reason + ": " + c.Message
		}
		return ""
	}
	view := &capacity.DeskView{
		Fresh:   true,
		Archive: &wire.Storage{FreeBytes: 943 << 20, TotalBytes: 10 << 30, Low: true},
		Bus:     &wire.Storage{FreeBytes: 300 << 20, TotalBytes: 2 << 30, Low: true},
	}
	show(desk, view, now)
	for kind, parts := range map[string][]string{
		v1alpha1.ConditionStorageLow:    {"True VolumeFillsUp: 940 MiB of 10 GiB are free", "claim data-shop-archive-0", "spec.retention.days"},
		v1alpha1.ConditionBusStorageLow: {"True LogFillsUp: 300 MiB of 2 GiB are free", "customers are refused", "spec.bus.storage.size"},
	} {
		for _, part := range parts {
			if said := condition(kind); !strings.Contains(said, part) {
				t.Errorf("%s says %q, which lacks %q", kind, said, part)
			}
		}
	}
	// A few bytes more are no change. What is silent, or does not tell, has not become empty.
	said := condition(v1alpha1.ConditionStorageLow)
	view.Archive.FreeBytes -= 100 << 10
	show(desk, view, now)
	show(desk, &capacity.DeskView{Fresh: true}, now)
	show(desk, &capacity.DeskView{Received: now}, now)
	if got := condition(v1alpha1.ConditionStorageLow); got != said || condition(v1alpha1.ConditionBusStorageLow) == "" {
		t.Errorf("it says %q", got)
	}
	desk.Spec.Profile = v1alpha1.ProfileCompact
	show(desk, view, now)
	if got := condition(v1alpha1.ConditionStorageLow); !strings.Contains(got, "claim data-shop-desk-0") {
		t.Errorf("a Compact desk says %q", got)
	}
	show(desk, &capacity.DeskView{Fresh: true, Archive: &wire.Storage{FreeBytes: 5, TotalBytes: 10}, Bus: &wire.Storage{FreeBytes: 5, TotalBytes: 10}}, now)
	if got := condition(v1alpha1.ConditionStorageLow) + condition(v1alpha1.ConditionBusStorageLow); got != "" {
		t.Errorf("with room it says %q", got)
	}
}

func TestArchiveThatIsBehindIsSaid(t *testing.T) {
	desk := served()
	said := func(lag *wire.Lag) string {
		show(desk, &capacity.DeskView{Fresh: true, ArchiveLag: lag}, now)
		if c := meta.FindStatusCondition(desk.Status.Conditions, v1alpha1.ConditionArchiveBehind); c != nil {
			return string(c.Status) + " " + c.Reason + ": " + c.Message
		}
		return ""
	}
	for _, c := range []struct {
		lag  *wire.Lag
		want []string
	}{
		{&wire.Lag{Seconds: 59, Events: 3}, nil},
		{&wire.Lag{Seconds: 61, Behind: true}, []string{"True ArchiveLags: ", "a minute ago", "stays on the bus", "deskfleet_archive_write_seconds"}},
		{nil, []string{"True ArchiveLags: "}}, // what is not told has not been cured
		{&wire.Lag{Seconds: 3 * 3600, Behind: true, Silent: true}, []string{"True ArchiveSilent: ", "not answered for 3 hours", "/readyz"}},
		{&wire.Lag{Seconds: 3 * 86400, Behind: true}, []string{"True ArchiveLags: ", "3 days ago"}},
		{&wire.Lag{}, nil},
	} {
		got := said(c.lag)
		if len(c.want) == 0 && got != "" {
			t.Errorf("%+v: it says %q", c.lag, got)
		}
		for _, part := range c.want {
			if !strings.Contains(got, part) {
				t.Errorf("%+v: it says %q, which lacks %q", c.lag, got, part)
			}
		}
	}
}

func TestPromisesOfQueuesAreSaid(t *testing.T) {
	desk := served()
	desk.Spec.Queues = []v1alpha1.Queue{
		{Name: "general"},
		{Name: "refunds", ServiceLevel: &v1alpha1.ServiceLevel{Percent: 90, Within: "30s", MaxAbandonmentPercent: 2}},
		{Name: "vip", ServiceLevel: &v1alpha1.ServiceLevel{Percent: 80, Within: "20s", MaxAbandonmentPercent: 100}},
	}
	queue := func(name string, of int, inTime, abandoned float64) wire.Queue {
		return wire.Queue{Name: name, Figures: &wire.QueueFigures{Level: &wire.Level{Of: of, InTimePercent: inTime, AbandonedPercent: abandoned}}}
	}
	said := func(queues ...wire.Queue) string {
		show(desk, &capacity.DeskView{Fresh: true, Queues: queues}, now)
		if c := meta.FindStatusCondition(desk.Status.Conditions, v1alpha1.ConditionServiceLevelMet); c != nil {
			return string(c.Status) + " " + c.Reason + ": " + c.Message
		}
		return ""
	}
	for _, c := range []struct {
		queues []wire.Queue
		want   string
	}{
		{nil, ""},
		{[]wire.Queue{{Name: "refunds"}, queue("general", 50, 0, 100)}, ""},
		{[]wire.Queue{queue("refunds", fewest-1, 0, 100)}, ""},
		{[]wire.Queue{queue("refunds", fewest, 90, 2), queue("vip", 50, 80, 99)}, "True PromisesKept: "},
		{[]wire.Queue{queue("refunds", fewest, 89, 2)}, "False AnsweredLate: over the last five minutes: queue refunds: 89 % were answered within 30s, 90 % are promised"},
		{[]wire.Queue{queue("refunds", fewest, 95, 3), queue("vip", 50, 80, 99)}, "False Abandoned: over the last five minutes: queue refunds: 3 % were given up, at most 2 % are promised"},
		{[]wire.Queue{queue("refunds", fewest, 90, 2)}, "True PromisesKept: "},
	} {
		if got := said(c.queues...); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%+v: it says %q, expected %q", c.queues, got, c.want)
		}
	}
	// A desk that is silent keeps no promise that anybody knows of.
	if show(desk, &capacity.DeskView{Received: now, Since: now}, now); meta.FindStatusCondition(desk.Status.Conditions, v1alpha1.ConditionServiceLevelMet) != nil {
		t.Error("a silent desk is said to keep its promises")
	}
	// It is a figure: it comes with those, twice a minute at most.
	before, after := desk.DeepCopy(), desk.DeepCopy()
	show(after, &capacity.DeskView{Fresh: true, Queues: []wire.Queue{queue("refunds", fewest, 0, 0)}}, now)
	show(before, &capacity.DeskView{Fresh: true, Queues: []wire.Queue{queue("refunds", fewest, 100, 0)}}, now)
	if diff := cmp.Diff(before.WithoutFigures(), after.WithoutFigures()); diff != "" {
		t.Errorf("a broken promise is written at once: %s", diff)
	}
}

func TestWebhooksInTroubleAreSaid(t *testing.T) {
	desk := served()
	said := func(hooks *wire.Webhooks) string {
		show(desk, &capacity.DeskView{Fresh: true, Webhooks: hooks}, now)
		if c := meta.FindStatusCondition(desk.Status.Conditions, v1alpha1.ConditionWebhooksTroubled); c != nil {
			return string(c.Status) + " " + c.Reason + ": " + c.Message
		}
		return ""
	}
	dead := wire.WebhookTrouble{Name: "crm", DeadLetters: 3}
	failing := wire.WebhookTrouble{Name: "erp", FailingSince: now, Problem: "status 503" + strings.Repeat("…", 200)}
	gone := wire.WebhookTrouble{Name: "pager", DisabledAt: now, Problem: "status 410"}
	for _, c := range []struct {
		hooks *wire.Webhooks
		want  []string
	}{
		{&wire.Webhooks{}, nil},
		{&wire.Webhooks{Troubled: []wire.WebhookTrouble{dead}}, []string{"True DeadLetters: webhook crm: 3 events were given up", "/console/v1/webhooks/crm/dead-letters", "replay"}},
		{nil, []string{"True DeadLetters: "}}, // what is not told has not been cured
		{&wire.Webhooks{Troubled: []wire.WebhookTrouble{dead, failing}}, []string{"True WebhookFailing: webhook crm: ", "webhook erp: its receiver takes nothing since 2026-11-11T12:00:00Z (status 503", "three days"}},
		{&wire.Webhooks{Troubled: []wire.WebhookTrouble{failing, gone, dead, dead, dead}}, []string{"True WebhookDisabled: ", "POST /console/v1/webhooks/pager/enable", "; 2 more webhooks"}},
		{&wire.Webhooks{}, nil},
	} {
		got := said(c.hooks)
		if len(c.want) == 0 && got != "" || len(got) > 2000 {
			t.Errorf("%+v: it says %q", c.hooks, got)
		}
		for _, part := range c.want {
			if !strings.Contains(got, part) {
				t.Errorf("%+v: it says %q, which lacks %q", c.hooks, got, part)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0 bytes", 7: "7 bytes", 1023: "1000 bytes", 1536: "1.5 KiB", 943 << 20: "940 MiB", 10 << 30: "10 GiB", 10<<30 - 1<<20: "10 GiB", 123 << 30: "120 GiB", 5000 << 40: "5000 TiB",
	} {
		if got := size(bytes); got != want {
			t.Errorf("%d bytes are %s, expected %s", bytes, got, want)
		}
	}
}
