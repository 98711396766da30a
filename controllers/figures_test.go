package controllers_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	wire "github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// serves sets what the desk reports of its customers and people.
func (d *desk) serves(waiting int, oldest time.Time, online, busy int) {
	d.report.Queues = []wire.Queue{{Name: "bot"}, {Name: "general", Waiting: waiting, OldestSince: oldest}}
	d.report.Agents = &wire.Agents{Online: online, Busy: busy}
}

// shown lets the operator's clock run, a second a report, until the desk's status shows something. Nothing gets stale
// meanwhile, and what waits for its half minute comes.
func (d *desk) shown(what string, holds func(*v1alpha1.ServiceDesk) error) {
	d.t.Helper()
	d.until(what, func(*wire.Reply) error {
		d.ahead.Add(int64(time.Second))
		return holds(d.bench.desk())
	})
}

// settled lets the desk report until its status shows that it does, so that nothing is left to be written.
func (d *desk) settled() {
	d.t.Helper()
	d.serves(0, time.Time{}, 1, 0)
	d.shown("the desk is linked", func(desk *v1alpha1.ServiceDesk) error {
		if desk.Status.Agents != nil && meta.IsStatusConditionTrue(desk.Status.Conditions, v1alpha1.ConditionLinked) {
			d.report.Agents.Online = int(desk.Status.Agents.Online)
			return nil
		}
		d.report.Agents.Online = 3 - d.report.Agents.Online // a change is what the link wakes for
		return errors.New("no figures")
	})
	d.until("the desk says so once more", func(*wire.Reply) error { return nil })
	d.idle()
}

// said is a condition of the desk as text.
func said(desk *v1alpha1.ServiceDesk, kind string) string {
	if c := meta.FindStatusCondition(desk.Status.Conditions, kind); c != nil {
		return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
	}
	return ""
}

// columns are what kubectl get desk -o wide shows of the desk, by the API server itself.
func (d *desk) columns() map[string]any {
	d.t.Helper()
	c, err := rest.HTTPClientFor(cluster)
	if err != nil {
		d.t.Fatal(err)
	}
	address, err := url.JoinPath(cluster.Host, "apis", v1alpha1.SchemeGroupVersion.String(), "namespaces", d.namespace, "servicedesks/shop")
	if err != nil {
		d.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
	response, err := c.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var table metav1.Table
	if err := json.NewDecoder(response.Body).Decode(&table); err != nil || len(table.Rows) != 1 {
		d.t.Fatalf("%s: %+v, %v", response.Status, table, err)
	}
	shown := map[string]any{}
	for i, column := range table.ColumnDefinitions {
		shown[column.Name] = table.Rows[0].Cells[i]
	}
	return shown
}

func TestDeskShowsHowCustomersAreServed(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	if got := d.columns(); got["Waiting"] != nil || got["Agents"] != nil {
		t.Errorf("a desk of which nothing is known shows %v", got)
	}
	d.settled()
	oldest := time.Now().Add(-90 * time.Second).Truncate(time.Second)
	d.serves(3, oldest, 2, 1)
	d.shown("its figures", func(desk *v1alpha1.ServiceDesk) error {
		want := v1alpha1.ServiceDeskStatus{
			Waiting: new(int32(3)), OldestSince: new(metav1.NewTime(oldest)), Agents: &v1alpha1.AgentsStatus{Online: 2, Busy: 1},
			Queues: []v1alpha1.QueueStatus{{Name: "bot"}, {Name: "general", Waiting: 3, OldestSince: new(metav1.NewTime(oldest))}},
		}
		s := desk.Status
		got := v1alpha1.ServiceDeskStatus{Waiting: s.Waiting, OldestSince: s.OldestSince, Queues: s.Queues, Agents: s.Agents}
		if diff := cmp.Diff(want, got); diff != "" {
			return errors.New(diff)
		}
		return nil
	})
	got := d.columns()
	for column, want := range map[string]any{"Ready": "True", "Waiting": 3.0, "Agents": 2.0, "Busy": 1.0, "Linked": "True", "StorageLow": nil} {
		if got[column] != want {
			t.Errorf("column %s shows %v, expected %v", column, got[column], want)
		}
	}
	if age := fmt.Sprint(got["Oldest"]); !strings.HasSuffix(age, "s") && !strings.HasSuffix(age, "m") {
		t.Errorf("column Oldest shows %s", age)
	}

	// What fills up is said, and keeps nobody from being ready.
	d.report.Archive = &wire.Storage{FreeBytes: 300 << 20, TotalBytes: 4 << 30, Low: true}
	d.report.Bus = &wire.Storage{FreeBytes: 100 << 20, TotalBytes: 1 << 30, Low: true}
	d.report.ArchiveLag = &wire.Lag{Seconds: 600, Events: 40, Behind: true}
	d.shown("what fills up", func(desk *v1alpha1.ServiceDesk) error {
		if late := said(desk, v1alpha1.ConditionArchiveBehind); !strings.HasPrefix(late, "True ArchiveLags: the archive has not stored what happened 10 minutes ago") {
			return fmt.Errorf("it says %q", late)
		}
		if volume, log := said(desk, v1alpha1.ConditionStorageLow), said(desk, v1alpha1.ConditionBusStorageLow); !strings.HasPrefix(volume, "True VolumeFillsUp: 300 MiB of 4 GiB are free") ||
			!strings.HasPrefix(log, "True LogFillsUp: 100 MiB of 1 GiB are free") {
			return fmt.Errorf("it says %q and %q", volume, log)
		}
		return d.ready()
	})
	if got := d.columns(); got["StorageLow"] != "True" || got["Ready"] != "True" {
		t.Errorf("the columns show %v", got)
	}
	d.report.Archive = &wire.Storage{FreeBytes: 3 << 30, TotalBytes: 4 << 30}
	d.report.Bus = &wire.Storage{FreeBytes: 1 << 29, TotalBytes: 1 << 30}
	d.report.ArchiveLag = &wire.Lag{}
	d.shown("there is room again", func(desk *v1alpha1.ServiceDesk) error {
		if left := said(desk, v1alpha1.ConditionStorageLow) + said(desk, v1alpha1.ConditionBusStorageLow) + said(desk, v1alpha1.ConditionArchiveBehind); left != "" {
			return errors.New(left)
		}
		return nil
	})

	// A suspended desk goes on serving, and its status goes on telling.
	d.editDesk(func(s *v1alpha1.ServiceDeskSpec) { s.Suspend = true })
	d.serves(7, oldest, 2, 2)
	d.shown("figures of a suspended desk", func(desk *v1alpha1.ServiceDesk) error {
		if c := said(desk, v1alpha1.ConditionReady); *desk.Status.Waiting != 7 || !strings.HasPrefix(c, "True Suspended") {
			return fmt.Errorf("%d wait, Ready says %s", *desk.Status.Waiting, c)
		}
		return nil
	})

	// A silent desk: no figure is better than one of yesterday, and than 0.
	d.ahead.Add(int64(time.Minute))
	eventually.Nil(t, "the figures go", func() error {
		desk := d.bench.desk()
		s, c := desk.Status, said(desk, v1alpha1.ConditionLinked)
		if s.Waiting != nil || s.OldestSince != nil || s.Queues != nil || s.Agents != nil || !strings.HasPrefix(c, "False NoFigures: nothing has been heard from the desk since 20") {
			return fmt.Errorf("%+v, Linked says %s", s, c)
		}
		return nil
	})
	if got := d.columns(); got["Waiting"] != nil || got["Agents"] != nil || got["Oldest"] != nil || got["Linked"] != "False" {
		t.Errorf("a silent desk shows %v", got)
	}
}

// statusWrites counts those of the desk.
func (d *desk) statusWrites() (n int) {
	for _, write := range d.recorder.Writes() {
		if strings.Contains(write, "/servicedesks/shop/status") {
			n++
		}
	}
	return n
}

// looks is how often the desks' controller has worked.
func (d *desk) looks() (n int) {
	d.t.Helper()
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		d.t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if family.GetName() == "controller_runtime_reconcile_total" && label.GetName() == "controller" && label.GetValue() == "servicedesk" {
					n += int(metric.GetCounter().GetValue())
				}
			}
		}
	}
	return n
}

// Figures that change all the time are written twice a minute, however often the desk is looked at.
func TestFiguresCostFewWrites(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.settled()
	const steps, step = 24, 5 * time.Second
	token := d.token("shop-desk", wire.Audience)
	d.recorder.Reset()
	began := time.Now()
	looks := d.looks()
	for i := range steps {
		d.ahead.Add(int64(step))
		d.serves(i+1, time.Now(), 1, i%2)
		if _, err := d.post(token); err != nil {
			t.Fatal(err)
		}
		// Somebody else's label on a child wakes the controller, and is nothing that it would write about.
		edit(d.bench, &corev1.ConfigMap{}, "shop-config", func(c *corev1.ConfigMap) {
			if c.Labels == nil {
				c.Labels = map[string]string{}
			}
			c.Labels["example.com/step"] = fmt.Sprint(i)
		})
		eventually.True(t, "the controller has looked", func() bool { return d.looks() > looks+i })
	}
	d.idle()
	passed := steps*step + time.Since(began)
	most := int(passed/(30*time.Second)) + 1
	if n := d.statusWrites(); n == 0 || n > most {
		t.Errorf("%d writes of the status in %s, expected 1 to %d", n, passed.Round(time.Second), most)
	}
	// The last figures are not lost.
	d.shown("the last figures", func(desk *v1alpha1.ServiceDesk) error {
		if *desk.Status.Waiting != steps {
			return fmt.Errorf("%d wait", *desk.Status.Waiting)
		}
		return nil
	})
	// Then it is idle, and costs nothing.
	d.idle()
	d.recorder.Reset()
	d.shown("two minutes without a change", func() func(*v1alpha1.ServiceDesk) error {
		until := d.ahead.Load() + int64(2*time.Minute)
		return func(*v1alpha1.ServiceDesk) error {
			if d.ahead.Load() < until {
				return errors.New("not yet")
			}
			return nil
		}
	}())
	d.idle()
	if writes := d.recorder.Writes(); len(writes) > 0 {
		t.Errorf("an idle desk costs %v", writes)
	}
}
