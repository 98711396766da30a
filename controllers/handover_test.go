package controllers_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	wire "github.com/deskfleet/deskfleet/internal/link"
)

// numbers are the replicas of every write of the operator to the bots' Deployment that has some.
type numbers struct {
	t  *testing.T
	mu sync.Mutex
	is []int
}

func (d *desk) watchNumbers() *numbers {
	n := &numbers{t: d.t}
	d.recorder.Fault(func(r *http.Request) *http.Response {
		if r.Method == http.MethodGet || !strings.HasSuffix(r.URL.Path, "/deployments/bots-worker") || r.Body == nil {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var written struct{ Spec struct{ Replicas *int } }
		if err != nil || yaml.Unmarshal(body, &written) != nil {
			n.t.Errorf("a write that is none: %q, %v", body, err)
		}
		if written.Spec.Replicas != nil {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.is = append(n.is, *written.Spec.Replicas)
		}
		return nil
	})
	d.t.Cleanup(func() { d.recorder.Fault(nil) })
	return n
}

func (n *numbers) written() []int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.is)
}

// autoscale writes a number like an HPA: through /scale.
func (d *desk) autoscale(n int32) {
	d.t.Helper()
	pool := d.pool("bots")
	scale := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: pool.Name, Namespace: pool.Namespace}, Spec: autoscalingv1.ScaleSpec{Replicas: n}}
	if err := d.client.SubResource("scale").Update(d.t.Context(), pool, client.WithSubResourceBody(scale)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) runs(n int) {
	d.t.Helper()
	d.until(fmt.Sprint(n, " workers"), func(reply *wire.Reply) error {
		if got := d.replicas(); got != n {
			return fmt.Errorf("%d replicas", got)
		}
		return active(n)(reply)
	})
}

// talking are workers with a conversation each.
func talking(names ...string) []wire.Worker {
	var list []wire.Worker
	for _, name := range names {
		list = append(list, wire.Worker{Name: name, Busy: 1})
	}
	return list
}

// Scaling is added to a pool that an HPA drives, and taken away again: whatever stands in spec.replicas, what runs is
// where the other one begins, and there is one writer at any time.
func TestHandOverNeitherDropsNorJumps(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	names := []string{"bots-a", "bots-b", "bots-c", "bots-d"}
	d.autoscale(4)
	d.workers(talking(names...)...)
	d.runs(4)
	d.pods(names...)
	d.allReady()
	n := d.watchNumbers()

	// To the operator, which finds four, while the load needs one.
	d.scaled(&v1alpha1.PoolScaling{Max: 10})
	d.says("bots", v1alpha1.ConditionScalingActive, metav1.ConditionTrue, v1alpha1.ReasonFollowsLoad, "")
	d.runs(4)
	d.idle()
	if w := n.written(); len(w) > 0 {
		t.Fatalf("written are %v when scaling is added", w)
	}
	// It makes seven. What /scale says meanwhile is unused.
	d.report.Queues = []wire.Queue{{Name: "bot", Waiting: 31}}
	d.runs(7)
	d.autoscale(1)
	d.runs(7)
	d.pods("bots-e", "bots-f", "bots-g")
	names = append(names, "bots-e", "bots-f", "bots-g")
	d.workers(talking(names...)...)
	d.report.Queues = nil
	d.until("the status has seen it", func(*wire.Reply) error {
		if s := d.pool("bots").Status.Scaling; s == nil || s.Mode != v1alpha1.ScalingManaged || s.Replicas == nil || *s.Replicas != 1 || s.Recommended != 7 {
			return fmt.Errorf("status.scaling is %+v", s)
		}
		return nil
	})
	n.mu.Lock()
	n.is = nil
	n.mu.Unlock()

	// Back: spec.replicas is 1, and seven stay until somebody writes; also over a restart.
	d.scaled(nil)
	kept := func(*wire.Reply) error {
		s := d.pool("bots").Status.Scaling
		if s == nil || s.Mode != v1alpha1.ScalingExternal || s.HandOver == nil || s.HandOver.Workers != 7 || s.HandOver.Replicas != 1 ||
			!strings.Contains(s.Reason, "scaling was taken away: 7 are kept until spec.replicas, which is 1, is written as 7 or more, or until ") {
			return fmt.Errorf("status.scaling is %+v", s)
		}
		return nil
	}
	d.until("seven are kept", kept)
	if c := meta.FindStatusCondition(d.pool("bots").Status.Conditions, v1alpha1.ConditionScalingLimited); c != nil {
		t.Errorf("without scaling it says %+v", c)
	}
	d.runs(7)
	d.stopOperator()
	d.startOperator()
	d.until("seven are kept by the next operator, too", kept)
	d.runs(7)
	d.idle()
	if w := n.written(); len(w) > 0 {
		t.Fatalf("written are %v when scaling is taken away", w)
	}
	// An HPA climbs from spec.replicas, whatever runs: what it writes on its way takes nobody away.
	for _, climbed := range []int32{2, 4} {
		d.autoscale(climbed)
		d.until("its number is seen", func(*wire.Reply) error {
			if s := d.pool("bots").Status.Scaling; s == nil || s.HandOver == nil || s.HandOver.Workers != 7 || s.HandOver.Replicas != climbed {
				return fmt.Errorf("status.scaling is %+v", s)
			}
			return nil
		})
		d.runs(7)
	}
	// It wants eight, which are made at once, and then what stood there before, which is reached by drain.
	d.autoscale(8)
	d.runs(8)
	d.autoscale(1)
	d.until("one is wanted", active(1))
	d.idle()
	if w := n.written(); !slices.Equal(w, []int{8}) {
		t.Errorf("written are %v while all talk", w)
	}
	if h := d.pool("bots").Status.Scaling.HandOver; h != nil {
		t.Errorf("the hand-over goes on: %+v", h)
	}
}

// Nobody writes spec.replicas: after ten minutes it counts. A number that is written in the same breath counts at once.
func TestHandOverEnds(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.report.Queues = []wire.Queue{{Name: "bot", Waiting: 20}}
	d.workers(wire.Worker{Name: "bots-a"})
	d.scaled(&v1alpha1.PoolScaling{Max: 10})
	d.runs(4)
	d.allReady()
	d.until("the status has seen it", func(*wire.Reply) error {
		if s := d.pool("bots").Status.Scaling; s == nil || s.Recommended != 4 {
			return fmt.Errorf("status.scaling is %+v", s)
		}
		return nil
	})
	d.scaled(nil)
	d.until("four are kept", func(*wire.Reply) error {
		if s := d.pool("bots").Status.Scaling; s == nil || s.HandOver == nil || s.HandOver.Workers != 4 {
			return fmt.Errorf("status.scaling is %+v", s)
		}
		return nil
	})
	d.ahead.Add(int64(11 * time.Minute))
	d.report.Queues = []wire.Queue{{Name: "bot", Waiting: 21}} // figures wake the controller, as its timer does
	d.until("one is wanted", active(1))

	d.scaled(&v1alpha1.PoolScaling{Max: 10})
	d.runs(5)
	edit(d.bench, &v1alpha1.AgentPool{}, "bots", func(p *v1alpha1.AgentPool) { p.Spec.Scaling, p.Spec.Replicas = nil, 6 })
	d.runs(6)
}

// Without scaling the number is somebody else's, and the operator says all the same what it would do.
func TestRecommendationWithoutScaling(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.workers(wire.Worker{Name: "bots-a", Busy: 1})
	d.allReady()
	n := d.watchNumbers()
	d.report.Queues = []wire.Queue{{Name: "bot", Waiting: 40}}
	advised := func(want int32) {
		t.Helper()
		d.ahead.Add(int64(40 * time.Second))
		d.until(fmt.Sprint(want, " are recommended"), func(reply *wire.Reply) error {
			s := d.pool("bots").Status.Scaling
			if s == nil || s.Mode != v1alpha1.ScalingExternal || s.Recommended != want || s.Winner != "feedback" ||
				!strings.Contains(s.Reason, "this is advice without a max: spec.replicas says 1") {
				return fmt.Errorf("status.scaling is %+v", s)
			}
			return active(1)(reply)
		})
	}
	advised(9)
	d.report.Queues = []wire.Queue{{Name: "bot", Waiting: 6000}}
	advised(1000) // as many as the schema allows
	pool := d.pool("bots")
	if pool.Status.Required != 1 || pool.Spec.Replicas != 1 || len(n.written()) > 0 || d.replicas() != 1 {
		t.Errorf("%d required, spec %d, written %v: advice was carried out", pool.Status.Required, pool.Spec.Replicas, n.written())
	}
	for _, kind := range []string{v1alpha1.ConditionScalingActive, v1alpha1.ConditionScalingLimited} {
		if c := meta.FindStatusCondition(pool.Status.Conditions, kind); c != nil {
			t.Errorf("a pool that nobody scales says %+v", c)
		}
	}
}
