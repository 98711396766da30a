package hpa

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	scalefake "k8s.io/client-go/scale/fake"
	core "k8s.io/client-go/testing"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"

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
	// Of the handlers of errors one sleeps until a millisecond after the error before, of which it keeps the time for the
	// whole process: by the real clock, or by that of another bubble. The controller would sleep for 26 years at the first
	// missing figure, and be compared asleep. Without errors this changes nothing, with them one millisecond.
	utilruntime.ErrorHandlers = nil
}

// setting of an autoscaler.
type setting struct {
	name string
	// waiting alone is the metric, target an agent; else the conversations in the system, so much of an agent's slots.
	waiting bool
	target  float64
	grace   float64
}

const hour = 3600

var settings = []setting{
	{name: "HPA queue, 1 an agent, 30 s grace", waiting: true, target: 1, grace: 30},
	{name: "HPA 80 %, 30 s grace", target: 0.8, grace: 30},
	{name: "HPA 60 %", target: 0.6, grace: hour},
	{name: "HPA 70 %", target: 0.7, grace: hour},
	{name: "HPA 80 %", target: 0.8, grace: hour},
	{name: "HPA 90 %", target: 0.9, grace: hour},
	{name: "HPA 95 %", target: 0.95, grace: hour},
}

func TestPeer(t *testing.T) {
	if *output == "" {
		t.Skip("no -out: nothing is measured")
	}
	groups, err := options.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	var sheet report.Sheet
	for _, group := range groups {
		sheet.Add(group, func(s *world.Scenario) []world.Result {
			var results []world.Result
			for _, set := range settings {
				results = append(results, simulate(t, s, set))
			}
			return results
		})
	}
	content, err := json.Marshal(&sheet)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*output, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The controller really decides: it follows a load up and down.
func TestFollowsALoad(t *testing.T) {
	s := world.Day{Name: "test", PerDay: 6000, ColdStart: 60}.Make(1)
	r := simulate(t, s, setting{name: "HPA 80 %", target: 0.8, grace: hour})
	if r.ScaleEvents < 20 || r.ServiceLevel < 0.9 || r.Dropped > 0 {
		t.Errorf("%+v", r)
	}
	again := simulate(t, s, setting{name: "HPA 80 %", target: 0.8, grace: hour})
	r.Series, again.Series = nil, nil
	if fmt.Sprint(r) != fmt.Sprint(again) {
		t.Errorf("two runs differ:\n%+v\n%+v", r, again)
	}
}

// After a time without figures it goes on to decide: a peer that is stuck in the harness would be beaten by anybody.
func TestGoesOnAfterMissingFigures(t *testing.T) {
	for i := range 2 { // what one bubble leaves behind must not hold up the next
		s := world.Day{Name: "test", PerDay: 6000, ColdStart: 60, Faults: []world.Fault{{Kind: world.Missing, From: 36000, To: 36600}}}.Make(1)
		r := simulate(t, s, setting{name: "HPA 80 %", target: 0.8, grace: hour})
		during, after := map[int]bool{}, map[int]bool{}
		for _, p := range r.Series {
			if p.At > 36120 && p.At < 36600 {
				during[p.Slots] = true
			} else if p.At > 36700 {
				after[p.Slots] = true
			}
		}
		if len(during) > 1 || len(after) < 5 || r.Abandonment > 0.02 || r.AgentHours > 200 {
			t.Errorf("run %d: %d sizes without figures, %d after: %+v", i, len(during), len(after), r.Name)
		}
	}
}

func simulate(t *testing.T, s *world.Scenario, set setting) world.Result {
	t.Helper()
	var result world.Result
	synctest.Test(t, func(t *testing.T) {
		d := &driver{world: world.New(s, policy.First(s)), set: set, begin: time.Now()}
		d.world.Grace = set.grace
		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), logr.Discard()))
		done := d.start(ctx)
		time.Sleep(time.Duration(s.Seconds * float64(time.Second)))
		d.mu.Lock()
		d.world.Run(s.Seconds)
		d.mu.Unlock()
		cancel()
		<-done
		result = d.world.Result(set.name)
	})
	return result
}

// driver is the cluster around a controller. The world is brought to the present whenever somebody looks at it.
type driver struct {
	mu    sync.Mutex
	world *world.World
	set   setting
	begin time.Time
	late  []sample
}

type sample struct{ at, value float64 }

// now brings the world to the present; the lock is held.
func (d *driver) now() float64 {
	at := time.Since(d.begin).Seconds()
	d.world.Run(at)
	return at
}

func (d *driver) start(ctx context.Context) <-chan struct{} {
	quantity := func(x float64) *resource.Quantity {
		return resource.NewMilliQuantity(int64(math.Round(x*1000)), resource.DecimalSI)
	}
	target := d.set.target
	if !d.set.waiting {
		target *= float64(d.world.Scenario.Slots)
	}
	least := int32(1)
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "desk", Name: "pool"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "pool"},
			MinReplicas:    &least, MaxReplicas: int32(d.world.Scenario.Max),
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: "conversations"},
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: quantity(target)},
			}}},
		},
	}
	client := fake.NewSimpleClientset(hpa) //nolint:staticcheck // the other one keeps managed fields, which takes ten times as long
	scales := &scalefake.FakeScaleClient{}
	scales.AddReactor("get", "*", d.getScale)
	scales.AddReactor("update", "*", d.updateScale)
	factory := informers.NewSharedInformerFactory(client, 12*time.Hour)
	controller := podautoscaler.NewHorizontalController(ctx, client.CoreV1(), scales, client.AutoscalingV2(),
		testrestmapper.TestOnlyStaticRESTMapper(legacyscheme.Scheme), d,
		factory.Autoscaling().V2().HorizontalPodAutoscalers(), factory.Core().V1().Pods(),
		// The defaults of kube-controller-manager.
		15*time.Second, 5*time.Minute, 0.1, 5*time.Minute, 30*time.Second)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	// How often that polled is chance, and every sync would be so much later.
	time.Sleep(time.Second - time.Since(d.begin)%time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		controller.Run(ctx, 1)
		factory.Shutdown()
	}()
	return done
}

func (d *driver) scale() *autoscalingv1.Scale {
	replicas := int32(d.world.Replicas())
	return &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Namespace: "desk", Name: "pool"},
		Spec:       autoscalingv1.ScaleSpec{Replicas: replicas},
		Status:     autoscalingv1.ScaleStatus{Replicas: replicas, Selector: "app=pool"},
	}
}

func (d *driver) getScale(core.Action) (bool, runtime.Object, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now()
	return true, d.scale(), nil
}

func (d *driver) updateScale(action core.Action) (bool, runtime.Object, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now()
	scale := action.(core.UpdateAction).GetObject().(*autoscalingv1.Scale)
	d.world.Scale(int(scale.Spec.Replicas))
	return true, d.scale(), nil
}

var errMissing = errors.New("no figures")

// GetExternalMetric is the one metric that is asked for.
func (d *driver) GetExternalMetric(string, string, labels.Selector) ([]int64, time.Time, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	s := d.world.Scenario
	value := float64(d.world.Waiting())
	if !d.set.waiting {
		value += float64(d.world.Busy())
	}
	d.late = append(d.late, sample{now, value})
	switch {
	case s.Fault(world.Missing, now) != nil:
		return nil, time.Time{}, errMissing
	case s.Fault(world.Zero, now) != nil:
		value = 0
	}
	if fault := s.Fault(world.Late, now); fault != nil {
		for _, old := range d.late {
			if old.at <= now-fault.By {
				value = old.value
			}
		}
	}
	return []int64{int64(value * 1000)}, time.Now(), nil
}

// GetResourceMetric is not asked for.
func (d *driver) GetResourceMetric(context.Context, corev1.ResourceName, string, labels.Selector, string) (metrics.PodMetricsInfo, time.Time, error) {
	return nil, time.Time{}, errMissing
}

// GetRawMetric is not asked for.
func (d *driver) GetRawMetric(string, string, labels.Selector, labels.Selector) (metrics.PodMetricsInfo, time.Time, error) {
	return nil, time.Time{}, errMissing
}

// GetObjectMetric is not asked for.
func (d *driver) GetObjectMetric(string, string, *autoscalingv2.CrossVersionObjectReference, labels.Selector) (int64, time.Time, error) {
	return 0, time.Time{}, errMissing
}
