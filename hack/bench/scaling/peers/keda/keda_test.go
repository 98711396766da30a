package keda

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	kedav1alpha1 "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	"github.com/kedacore/keda/v2/pkg/scaling/executor"

	"github.com/deskfleet/deskfleet/hack/bench/scaling/peers/hpa"
	"github.com/deskfleet/deskfleet/hack/bench/scaling/report"
	"github.com/deskfleet/deskfleet/internal/simulation/policy"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

var (
	options world.Options
	output  = flag.String("out", "", "file for the sheet, as JSON")
)

func init() {
	options.AddFlags(flag.CommandLine)
	log.SetLogger(logr.Discard())
}

// pollingInterval is KEDA's default.
const pollingInterval = 30 * time.Second

// scaledObject is what an author of one declares.
type scaledObject struct {
	name   string
	target float64
	// least replicas; with 0 the executor takes the pool to none and back.
	least int32
	// cron adds a trigger for each peak that is announced.
	cron bool
}

var scaledObjects = []scaledObject{
	{name: "KEDA 80 %", target: 0.8},
	{name: "KEDA 90 %", target: 0.9},
	{name: "KEDA 80 %, at least 1", target: 0.8, least: 1},
	{name: "KEDA 90 %, at least 1", target: 0.9, least: 1},
	{name: "KEDA 80 %, at least 1, cron", target: 0.8, least: 1, cron: true},
}

func TestPeer(t *testing.T) {
	if *output == "" {
		t.Skip("no -out: nothing is measured")
	}
	err := report.Measure(&options, *output, func(s *world.Scenario) []world.Result {
		var results []world.Result
		for _, o := range scaledObjects {
			results = append(results, o.simulate(t, s))
		}
		return results
	})
	if err != nil {
		t.Fatal(err)
	}
}

// It follows a load up and down, and does the same twice.
func TestFollowsALoad(t *testing.T) {
	s := world.Day{Name: "test", PerDay: 6000, ColdStart: 60}.Make(1)
	a, b := scaledObjects[0].simulate(t, s), scaledObjects[0].simulate(t, s)
	if a.ScaleEvents < 20 || a.ServiceLevel < 0.9 || a.Dropped > 0 {
		t.Errorf("%+v", a)
	}
	a.Series, b.Series = nil, nil
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("two runs differ:\n%+v\n%+v", a, b)
	}
}

// The executor is what takes a pool without conversations to none, after its cooldown, and back from there.
func TestGoesToNoneAndBack(t *testing.T) {
	s := &world.Scenario{Name: "test", Seed: 1, Seconds: 7200, Slots: 5, ColdStart: 60, Max: 10, Share: 0.8, Within: 20, Trace: []world.Conversation{
		{Arrival: 10, Service: 100, Patience: 1000}, {Arrival: 4000, Service: 100, Patience: 1000},
	}}
	for _, o := range scaledObjects[:4] {
		r := o.simulate(t, s)
		slots := func(at int) int { return r.Series[at/60].Slots }
		// Active for the last time at 90 s or so, and 300 s later none.
		if slots(360) != 5 || slots(480) != int(5*o.least) || slots(3960) != int(5*o.least) || slots(4140) != 5 || r.Abandonment > 0 {
			t.Errorf("%s: %d slots at 360 s, %d at 480 s, %d at 3960 s, %d at 4140 s", o.name, slots(360), slots(480), slots(3960), slots(4140))
		}
	}
}

// After a time without figures it goes on to decide: a peer that is stuck in the harness would be beaten by anybody.
func TestGoesOnAfterMissingFigures(t *testing.T) {
	for i := range 2 { // what one bubble leaves behind must not hold up the next
		s := world.Day{Name: "test", PerDay: 6000, ColdStart: 60, Faults: []world.Fault{{Kind: world.Missing, From: 36000, To: 36600}}}.Make(1)
		r := scaledObjects[0].simulate(t, s)
		during, after := map[int]bool{}, map[int]bool{}
		for _, p := range r.Series {
			if p.At > 36120 && p.At < 36600 {
				during[p.Slots] = true
			} else if p.At > 36700 {
				after[p.Slots] = true
			}
		}
		if len(during) > 1 || during[0] || len(after) < 5 || r.Abandonment > 0.02 || r.AgentHours > 200 {
			t.Errorf("run %d: %d sizes without figures, %d after: %+v", i, len(during), len(after), r.Name)
		}
	}
}

func (o scaledObject) simulate(t *testing.T, s *world.Scenario) world.Result {
	t.Helper()
	set := hpa.Setting{Name: o.name, Target: o.target, Grace: hpa.Hour, Polled: true, Beside: o.run}
	if o.cron && len(s.Peaks) > 0 {
		set.Floor = cron(s)
	}
	return hpa.Simulate(t, s, set)
}

// cron is the figure of cron triggers whose author knows how many agents the busiest minutes of each announced peak
// need, and has it begin early enough. Outside of peaks a cron trigger says 1.
func cron(s *world.Scenario) func(now float64) int {
	floors := make([]int, len(s.Peaks))
	for i, p := range s.Peaks {
		floors[i] = policy.PeakPodsBetween(s, p.From, p.To)
	}
	return func(now float64) int {
		least := 1
		for i, p := range s.Peaks {
			if now >= p.From-1.25*s.ColdStart-60 && now < p.To {
				least = max(least, floors[i])
			}
		}
		return least
	}
}

// run is KEDA's loop of a ScaledObject: poll, have the executor decide, store since when it is active.
func (o scaledObject) run(ctx context.Context, c *hpa.Cluster) {
	object := &kedav1alpha1.ScaledObject{
		ObjectMeta: metav1.ObjectMeta{Namespace: "desk", Name: "pool", CreationTimestamp: metav1.Now()},
		Spec: kedav1alpha1.ScaledObjectSpec{
			ScaleTargetRef: &kedav1alpha1.ScaleTarget{APIVersion: "apps/v1", Kind: "Deployment", Name: "pool"}, MinReplicaCount: &o.least,
		},
		Status: kedav1alpha1.ScaledObjectStatus{
			ScaleTargetKind: "apps/v1.Deployment",
			ScaleTargetGVKR: &kedav1alpha1.GroupVersionKindResource{Group: "apps", Version: "v1", Kind: "Deployment", Resource: "deployments"},
		},
	}
	began := metav1.Now()
	object.Status.LastActiveTime = &began // the pool has served yesterday's
	decides := executor.NewScaleExecutor(reader{cluster: c}, c.Scales(), runtime.NewScheme(), nowhere{})
	// Half a second off the syncs of the HPA, which come with the second: who is first would be chance.
	time.Sleep(500 * time.Millisecond)
	for ctx.Err() == nil {
		value, least, err := c.Poll()
		active := err == nil && value > 0 || least > 1
		r := decides.RequestScale(ctx, object, active, err != nil, executor.ScaleExecutorOptions{})
		if r.LastActiveTime != nil {
			object.Status.LastActiveTime = r.LastActiveTime
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollingInterval):
		}
	}
}

// reader is as much of a client as the executor reads with.
type reader struct {
	client.Client
	cluster *hpa.Cluster
}

// Get a Deployment.
func (r reader) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	deployment, ok := into.(*appsv1.Deployment)
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: fmt.Sprintf("%T", into)}, key.Name)
	}
	replicas := r.cluster.Replicas()
	deployment.Spec.Replicas = &replicas
	return nil
}

// nowhere is where events go.
type nowhere struct{}

// Eventf drops an event.
func (nowhere) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}
