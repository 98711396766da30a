package kpa

import (
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/autoscaler/aggregation"
	"knative.dev/serving/pkg/autoscaler/metrics"
	"knative.dev/serving/pkg/autoscaler/scaling"

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
}

type setting struct {
	name          string
	target, grace float64
}

const hour = 3600

// 70 % is Knative's default.
var settings = []setting{
	{name: "KPA 70 %, 30 s grace", target: 0.7, grace: 30},
	{name: "KPA 70 %", target: 0.7, grace: hour},
	{name: "KPA 85 %", target: 0.85, grace: hour},
	{name: "KPA 95 %", target: 0.95, grace: hour},
}

func TestPeer(t *testing.T) {
	if *output == "" {
		t.Skip("no -out: nothing is measured")
	}
	err := report.Measure(&options, *output, func(s *world.Scenario) []world.Result {
		var results []world.Result
		for _, set := range settings {
			results = append(results, simulate(t, s, set))
		}
		return results
	})
	if err != nil {
		t.Fatal(err)
	}
}

// It really decides, leaves the panic in which it begins, and does the same twice.
func TestFollowsALoad(t *testing.T) {
	s := world.Day{Name: "test", PerDay: 6000, ColdStart: 60}.Make(1)
	a, b := simulate(t, s, settings[1]), simulate(t, s, settings[1])
	least, most := 1<<30, 0
	for _, p := range a.Series[60:] {
		least, most = min(least, p.Slots), max(most, p.Slots)
	}
	if a.ScaleEvents < 100 || a.ServiceLevel < 0.9 || most < 3*least {
		t.Errorf("from %d to %d slots: %d events, %.3f in time", least, most, a.ScaleEvents, a.ServiceLevel)
	}
	a.Series, b.Series = nil, nil
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("two runs differ:\n%+v\n%+v", a, b)
	}
}

func simulate(t *testing.T, s *world.Scenario, set setting) world.Result {
	t.Helper()
	var result world.Result
	synctest.Test(t, func(t *testing.T) { result = run(t, s, set) })
	return result
}

func run(t *testing.T, s *world.Scenario, set setting) world.Result {
	w := world.New(s, policy.First(s))
	w.Grace = set.grace
	f := &feed{world: w, stable: aggregation.NewTimedFloat64Buckets(time.Minute, time.Second), panic: aggregation.NewTimedFloat64Buckets(6*time.Second, time.Second)}
	begin := time.Now()
	slots := float64(s.Slots)
	spec := &scaling.DeciderSpec{
		// The defaults of config-autoscaler.
		MaxScaleUpRate: 1000, MaxScaleDownRate: 2, ScalingMetric: "concurrency", TargetValue: set.target * slots, TotalValue: slots,
		TargetBurstCapacity: 211, ActivatorCapacity: 100, PanicThreshold: 2, StableWindow: time.Minute, InitialScale: 1, Reachable: true,
	}
	decider := scaling.New(*attribute.EmptySet(), noop.NewMeterProvider(), "desk", "pool", f, f, spec)
	logger := zap.NewNop().Sugar()
	for at := 0.0; at < s.Seconds; at++ {
		w.Run(at)
		f.record(begin, at)
		if int(at)%2 != 0 {
			continue
		}
		if r := decider.Scale(logger, begin.Add(time.Duration(at)*time.Second)); r.ScaleValid {
			w.Scale(max(1, int(r.DesiredPodCount)))
		}
	}
	w.Run(s.Seconds)
	return w.Result(set.name)
}

// feed is what the autoscaler sees of the world: concurrency, with what queues before the pods, and ready pods.
type feed struct {
	world         *world.World
	stable, panic *aggregation.TimedFloat64Buckets
	values        []float64
}

func (f *feed) record(begin time.Time, at float64) {
	s := f.world.Scenario
	value := float64(f.world.Waiting() + f.world.Busy())
	f.values = append(f.values, value)
	switch {
	case s.Fault(world.Missing, at) != nil:
		return
	case s.Fault(world.Zero, at) != nil:
		value = 0
	}
	if fault := s.Fault(world.Late, at); fault != nil {
		value = f.values[max(0, len(f.values)-1-int(fault.By))]
	}
	now := begin.Add(time.Duration(at) * time.Second)
	f.stable.Record(now, value)
	f.panic.Record(now, value)
}

// StableAndPanicConcurrency are the averages that Knative's collector would give.
func (f *feed) StableAndPanicConcurrency(_ types.NamespacedName, now time.Time) (float64, float64, error) {
	if f.stable.IsEmpty(now) {
		return 0, 0, metrics.ErrNoData
	}
	return f.stable.WindowAverage(now), f.panic.WindowAverage(now), nil
}

// StableAndPanicRPS is not asked for.
func (f *feed) StableAndPanicRPS(types.NamespacedName, time.Time) (float64, float64, error) {
	return 0, 0, metrics.ErrNoData
}

// ReadyCount of pods.
func (f *feed) ReadyCount() (int, error) { return f.world.Ready(), nil }

// NotReadyCount of pods.
func (f *feed) NotReadyCount() (int, error) { return f.world.Replicas() - f.world.Ready(), nil }
