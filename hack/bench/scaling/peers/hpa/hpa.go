package hpa

import (
	"context"
	"errors"
	"math"
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

	"github.com/deskfleet/deskfleet/internal/simulation/policy"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

func init() {
	// Of the handlers of errors one sleeps until a millisecond after the error before, of which it keeps the time for the
	// whole process: by the real clock, or by that of another bubble. The controller would sleep for 26 years at the first
	// missing figure, and be compared asleep. Without errors this changes nothing, with them one millisecond.
	utilruntime.ErrorHandlers = nil
}

// Names of the metrics that the controller asks for.
const (
	conversations = "conversations"
	floor         = "floor"
)

// Hour is the grace in seconds of those that drain.
const Hour = 3600

// Setting of an autoscaler.
type Setting struct {
	Name string
	// Waiting alone is the metric, Target an agent; else the conversations in the system, so much of an agent's slots.
	Waiting bool
	Target  float64
	// Grace in seconds after which a deleted pod's conversations are cut.
	Grace float64
	// Polled says that the controller is given what [Cluster.Poll] read last, instead of what is now.
	Polled bool
	// Floor is a second metric: so many agents at a time in seconds. Nil for none.
	Floor func(now float64) int
	// Beside runs beside the controller in its virtual time until the context is done, as whoever else scales does. Nil for nobody.
	Beside func(context.Context, *Cluster)
}

// Simulate has the controller decide throughout a scenario.
func Simulate(t *testing.T, s *world.Scenario, set Setting) world.Result {
	t.Helper()
	var result world.Result
	synctest.Test(t, func(t *testing.T) {
		c := &Cluster{world: world.New(s, policy.First(s)), set: set, begin: time.Now()}
		c.world.Grace = set.Grace
		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), logr.Discard()))
		done := c.start(ctx)
		time.Sleep(time.Duration(s.Seconds * float64(time.Second)))
		c.mu.Lock()
		c.world.Run(s.Seconds)
		c.mu.Unlock()
		cancel()
		<-done
		result = c.world.Result(set.Name)
	})
	return result
}

// Cluster around a controller. The world is brought to the present whenever somebody looks at it.
type Cluster struct {
	mu     sync.Mutex
	world  *world.World
	set    Setting
	begin  time.Time
	late   []sample
	polled sample
	err    error
	scales *scalefake.FakeScaleClient
}

type sample struct{ at, value float64 }

// now brings the world to the present; the lock is held.
func (c *Cluster) now() float64 {
	at := time.Since(c.begin).Seconds()
	c.world.Run(at)
	return at
}

// average is a metric of which each agent is to have so much.
func average(name string, target float64) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: name},
		Target: autoscalingv2.MetricTarget{
			Type: autoscalingv2.AverageValueMetricType, AverageValue: resource.NewMilliQuantity(int64(math.Round(target*1000)), resource.DecimalSI),
		},
	}}
}

func (c *Cluster) start(ctx context.Context) <-chan struct{} {
	target := c.set.Target
	if !c.set.Waiting {
		target *= float64(c.world.Scenario.Slots)
	}
	least := int32(1)
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "desk", Name: "pool"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "pool"},
			MinReplicas:    &least, MaxReplicas: int32(c.world.Scenario.Max),
			Metrics: []autoscalingv2.MetricSpec{average(conversations, target)},
		},
	}
	if c.set.Floor != nil {
		hpa.Spec.Metrics = append(hpa.Spec.Metrics, average(floor, 1))
	}
	client := fake.NewSimpleClientset(hpa) //nolint:staticcheck // the other one keeps managed fields, which takes ten times as long
	c.scales = &scalefake.FakeScaleClient{}
	c.scales.AddReactor("get", "*", c.getScale)
	c.scales.AddReactor("update", "*", c.updateScale)
	factory := informers.NewSharedInformerFactory(client, 12*time.Hour)
	controller := podautoscaler.NewHorizontalController(ctx, client.CoreV1(), c.scales, client.AutoscalingV2(),
		testrestmapper.TestOnlyStaticRESTMapper(legacyscheme.Scheme), c,
		factory.Autoscaling().V2().HorizontalPodAutoscalers(), factory.Core().V1().Pods(),
		// The defaults of kube-controller-manager.
		15*time.Second, 5*time.Minute, 0.1, 5*time.Minute, 30*time.Second)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	// How often that polled is chance, and every sync would be so much later.
	time.Sleep(time.Second - time.Since(c.begin)%time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var beside sync.WaitGroup
		if c.set.Beside != nil {
			beside.Go(func() { c.set.Beside(ctx, c) })
		}
		controller.Run(ctx, 1)
		beside.Wait()
		factory.Shutdown()
	}()
	return done
}

// Scales is a client of the pool's scale.
func (c *Cluster) Scales() *scalefake.FakeScaleClient { return c.scales }

// Replicas of the pool.
func (c *Cluster) Replicas() int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now()
	return int32(c.world.Replicas())
}

// Poll reads the metric, and the floor where there is one, and keeps what it read.
func (c *Cluster) Poll() (value float64, least int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	value, c.err = c.read(now)
	c.polled = sample{now, value}
	if c.set.Floor != nil {
		least = c.set.Floor(now)
	}
	return value, least, c.err
}

func (c *Cluster) scale() *autoscalingv1.Scale {
	replicas := int32(c.world.Replicas())
	return &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Namespace: "desk", Name: "pool"},
		Spec:       autoscalingv1.ScaleSpec{Replicas: replicas},
		Status:     autoscalingv1.ScaleStatus{Replicas: replicas, Selector: "app=pool"},
	}
}

func (c *Cluster) getScale(core.Action) (bool, runtime.Object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now()
	return true, c.scale(), nil
}

func (c *Cluster) updateScale(action core.Action) (bool, runtime.Object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now()
	scale := action.(core.UpdateAction).GetObject().(*autoscalingv1.Scale)
	c.world.Scale(int(scale.Spec.Replicas))
	return true, c.scale(), nil
}

var errMissing = errors.New("no figures")

// GetExternalMetric is the only kind of metric that is asked for.
func (c *Cluster) GetExternalMetric(name, _ string, _ labels.Selector) ([]int64, time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if name == floor {
		return []int64{1000 * int64(c.set.Floor(now))}, time.Now(), nil
	}
	value, err := c.polled.value, c.err
	if !c.set.Polled {
		value, err = c.read(now)
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	return []int64{int64(value * 1000)}, time.Now(), nil
}

// read the metric, subject to faults; the lock is held.
func (c *Cluster) read(now float64) (float64, error) {
	s := c.world.Scenario
	value := float64(c.world.Waiting())
	if !c.set.Waiting {
		value += float64(c.world.Busy())
	}
	c.late = append(c.late, sample{now, value})
	switch {
	case s.Fault(world.Missing, now) != nil:
		return 0, errMissing
	case s.Fault(world.Zero, now) != nil:
		return 0, nil
	}
	if fault := s.Fault(world.Late, now); fault != nil {
		for _, old := range c.late {
			if old.at <= now-fault.By {
				value = old.value
			}
		}
	}
	return value, nil
}

// GetResourceMetric is not asked for.
func (c *Cluster) GetResourceMetric(context.Context, corev1.ResourceName, string, labels.Selector, string) (metrics.PodMetricsInfo, time.Time, error) {
	return nil, time.Time{}, errMissing
}

// GetRawMetric is not asked for.
func (c *Cluster) GetRawMetric(string, string, labels.Selector, labels.Selector) (metrics.PodMetricsInfo, time.Time, error) {
	return nil, time.Time{}, errMissing
}

// GetObjectMetric is not asked for.
func (c *Cluster) GetObjectMetric(string, string, *autoscalingv2.CrossVersionObjectReference, labels.Selector) (int64, time.Time, error) {
	return 0, time.Time{}, errMissing
}
