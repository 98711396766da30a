package stage

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

// Scheme has the kinds of Kubernetes and the four of ours.
func Scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(s))
	utilruntime.Must(v1alpha1.AddToScheme(s))
	return s
}

// Config reaches the cluster's API server.
func (s *Stage) Config(ctx context.Context) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if !s.existing {
		path, err := s.command(ctx, "go", "run", "./hack/cluster", "kubeconfig").Output()
		if err != nil {
			return nil, fmt.Errorf("find the kubeconfig of the local cluster: %w", err)
		}
		rules.ExplicitPath = strings.TrimSpace(string(path))
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
}

// Moment is how a pool of bots stood at a time.
type Moment struct {
	At time.Time
	// Recommended workers by the operator's decision, Wanted ones by the Deployment, Active ones that do not drain.
	Recommended, Wanted, Active int32
	// Pods that exist, those that start or end included, and how many of them are Ready.
	Pods, Ready int
}

// Timeline is all that the API server told of a pool of bots, as it came.
type Timeline struct {
	mu      sync.Mutex
	now     Moment
	pods    map[string]bool // by UID: ready
	made    map[string]bool // all UIDs there ever were
	moments []Moment
}

// Watch records a pool until ctx ends.
func (s *Stage) Watch(ctx context.Context, namespace, pool string) (*Timeline, error) {
	log.SetLogger(logr.Discard()) // it complains of a program without one
	config, err := s.Config(ctx)
	if err != nil {
		return nil, err
	}
	watched, err := cache.New(config, cache.Options{
		Scheme: Scheme(), DefaultNamespaces: map[string]cache.Config{namespace: {}},
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}: {Label: labels.SelectorFromSet(labels.Set{v1alpha1.LabelPool: pool})},
		},
	})
	if err != nil {
		return nil, err
	}
	t := &Timeline{pods: map[string]bool{}, made: map[string]bool{}}
	for _, object := range []client.Object{&v1alpha1.AgentPool{}, &appsv1.Deployment{}, &corev1.Pod{}} {
		informer, err := watched.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, err
		}
		if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { t.take(pool, o, false) },
			UpdateFunc: func(_, o any) { t.take(pool, o, false) },
			DeleteFunc: func(o any) { t.take(pool, o, true) },
		}); err != nil {
			return nil, err
		}
	}
	go func() { _ = watched.Start(ctx) }()
	if !watched.WaitForCacheSync(ctx) {
		return nil, fmt.Errorf("watch pool %s: %w", pool, ctx.Err())
	}
	return t, nil
}

func (t *Timeline) take(pool string, object any, deleted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.now
	switch o := object.(type) {
	case *v1alpha1.AgentPool:
		if o.Name != pool {
			return
		}
		if t.now.Active = o.Status.Replicas; o.Status.Scaling != nil {
			t.now.Recommended = o.Status.Scaling.Recommended
		}
	case *appsv1.Deployment:
		if o.Labels[v1alpha1.LabelPool] == pool && o.Spec.Replicas != nil {
			t.now.Wanted = *o.Spec.Replicas
		}
	case *corev1.Pod:
		t.made[string(o.UID)] = true
		if t.pods[string(o.UID)] = ready(o); deleted {
			delete(t.pods, string(o.UID))
		}
		t.now.Pods, t.now.Ready = len(t.pods), 0
		for _, is := range t.pods {
			if is {
				t.now.Ready++
			}
		}
	}
	if was == t.now {
		return
	}
	t.now.At = time.Now()
	t.moments = append(t.moments, t.now)
}

func ready(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && p.DeletionTimestamp == nil
		}
	}
	return false
}

// Now is the last moment.
func (t *Timeline) Now() Moment {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// Made is how many pods there ever were.
func (t *Timeline) Made() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.made)
}

// Since are the moments from a time on, headed by how the pool stood then.
func (t *Timeline) Since(at time.Time) []Moment {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := 0
	for i := range t.moments {
		if !t.moments[i].At.After(at) {
			first = i
		}
	}
	return append([]Moment(nil), t.moments[first:]...)
}

// Until waits for a moment that suits, which may have been already since a time, and returns it.
func (t *Timeline) Until(ctx context.Context, since time.Time, what string, suits func(Moment) bool) (Moment, error) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		for _, m := range t.Since(since) {
			if m.At.After(since) && suits(m) {
				return m, nil
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return Moment{}, fmt.Errorf("%s was waited for, there are %+v: %w", what, t.Now(), ctx.Err())
		}
	}
}

// Turns counts how often the number of wanted workers changed its direction between two times.
func (t *Timeline) Turns(from, to time.Time) int {
	turns, direction := 0, int32(0)
	moments := t.Since(from)
	for i := 1; i < len(moments) && !moments[i].At.After(to); i++ {
		step := moments[i].Wanted - moments[i-1].Wanted
		if step == 0 {
			continue
		}
		if direction != 0 && step > 0 != (direction > 0) {
			turns++
		}
		direction = step
	}
	return turns
}

// PodTime is how long pods existed between two times, all together: what the pool cost.
func (t *Timeline) PodTime(from, to time.Time) time.Duration {
	var total time.Duration
	moments := t.Since(from)
	for i, m := range moments {
		begin, end := m.At, to
		if begin.Before(from) {
			begin = from
		}
		if i+1 < len(moments) && moments[i+1].At.Before(to) {
			end = moments[i+1].At
		}
		if end.After(begin) {
			total += time.Duration(m.Pods) * end.Sub(begin)
		}
	}
	return total
}
