package controllers_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/go-logr/logr"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers"
	"github.com/deskfleet/deskfleet/controllers/link"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/manifest"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/testing/apiserver"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

var cluster *rest.Config

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(apiserver.Run(m, func(c *rest.Config) { cluster = c }))
}

// bench is a namespace, a client past all recording, and an operator that can be stopped and started.
type bench struct {
	t         *testing.T
	client    client.Client
	namespace string
	recorder  *apiserver.Recorder
	// settings of the operator that is started next.
	settings render.Settings
	// link makes the options of the operator's link; nil for none.
	link func() *link.Options
	// cache changes what the operator's caches hold.
	cache func(*cache.Options)
	// log gets the operator's lines too, those of controller-runtime among them.
	log slog.Handler
	// standby lets the operator wait for a Lease that another one has.
	standby bool
	// lease is how long a Lease that is not released is good; 0 for the default.
	lease time.Duration
	// elected is closed when the operator leads.
	elected <-chan struct{}
	stop    context.CancelFunc
	done    chan error
	// stale is the queued work that former operators left in their gauge when they were stopped. That of the active
	// workers begins anew with each operator.
	stale float64
}

func newBench(t *testing.T) *bench {
	t.Helper()
	c, err := client.New(cluster, client.Options{Scheme: controllers.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "t-"}}
	if err := c.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return &bench{t: t, client: c, namespace: namespace.Name, recorder: &apiserver.Recorder{}, settings: render.Settings{Image: "deskfleet:test"}}
}

// leaseName of leader election in the bench's namespace.
const leaseName = controllers.LeaderElectionID

// startOperator runs the operator, restricted to the bench's namespace, until the test ends or it is stopped.
func (b *bench) startOperator() {
	b.t.Helper()
	if err := b.settings.Validate(); err != nil {
		b.t.Fatal(err)
	}
	kinds, err := controllers.Kinds(cluster)
	if err != nil {
		b.t.Fatal(err)
	}
	logger := logr.Discard()
	lines := slog.Handler(slog.NewTextHandler(b.t.Output(), nil))
	if b.log != nil {
		logger, lines = logr.FromSlogHandler(b.log), slog.NewMultiHandler(lines, b.log)
	}
	managed := controllers.ManagerOptions([]string{b.namespace}, b.standby)
	managed.Logger, managed.Metrics = logger, metricsserver.Options{BindAddress: "0"}
	managed.Controller = config.Controller{SkipNameValidation: new(true)}
	managed.LeaderElectionNamespace = b.namespace
	if b.lease > 0 {
		managed.LeaseDuration, managed.RenewDeadline = new(b.lease), new(b.lease/2)
	}
	if b.cache != nil {
		b.cache(&managed.Cache)
	}
	mgr, err := ctrl.NewManager(b.recorder.Wrap(cluster), managed)
	if err != nil {
		b.t.Fatal(err)
	}
	if b.stale, _, err = work(); err != nil {
		b.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	options := controllers.Options{
		Settings: b.settings, Kinds: kinds, Concurrency: 4, Namespaces: []string{b.namespace}, Log: slog.New(lines),
	}
	if b.link != nil {
		options.Link = b.link()
	}
	if err := controllers.Setup(ctx, mgr, options); err != nil {
		b.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	b.stop, b.done, b.elected = stop, done, mgr.Elected()
	b.t.Cleanup(b.stopOperator)
	if !mgr.GetCache().WaitForCacheSync(ctx) && ctx.Err() == nil { // a kill may strike before
		b.t.Fatal("the caches never synced")
	}
}

func (b *bench) stopOperator() {
	if b.stop == nil {
		return
	}
	b.stop()
	if err := <-b.done; err != nil && !errors.Is(err, apiserver.ErrKilled) && !errors.Is(err, context.Canceled) {
		b.t.Errorf("operator: %v", err)
	}
	b.stop = nil
}

// apply creates the objects of manifests in the bench's namespace.
func (b *bench) apply(manifests string) {
	b.t.Helper()
	for _, object := range b.objects(manifests) {
		if err := b.client.Create(b.t.Context(), object); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) objects(manifests string) []client.Object {
	b.t.Helper()
	parsed, err := manifest.Parse("test.yaml", []byte(manifests))
	if err != nil {
		b.t.Fatal(err)
	}
	var objects []client.Object
	for _, o := range parsed.ConfigMaps {
		objects = append(objects, o)
	}
	for _, o := range parsed.ServiceDesks {
		objects = append(objects, o)
	}
	for _, o := range parsed.AgentPools {
		objects = append(objects, o)
	}
	for _, o := range parsed.KnowledgeBases {
		objects = append(objects, o)
	}
	for _, o := range parsed.EscalationPolicies {
		objects = append(objects, o)
	}
	for _, o := range objects {
		o.SetNamespace(b.namespace)
	}
	return objects
}

func (b *bench) get(object client.Object, name string) error {
	return b.client.Get(b.t.Context(), client.ObjectKey{Namespace: b.namespace, Name: name}, object)
}

// edit changes an object as kubectl edit does.
func edit[T client.Object](b *bench, object T, name string, change func(T)) {
	b.t.Helper()
	if err := b.get(object, name); err != nil {
		b.t.Fatal(err)
	}
	before, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		b.t.Fatalf("a copy of %T is no object", object)
	}
	change(object)
	if err := b.client.Patch(b.t.Context(), object, client.MergeFrom(before)); err != nil {
		b.t.Fatal(err)
	}
}

// editDesk changes the spec of the desk.
func (b *bench) editDesk(change func(*v1alpha1.ServiceDeskSpec)) {
	b.t.Helper()
	edit(b, &v1alpha1.ServiceDesk{}, "shop", func(d *v1alpha1.ServiceDesk) { change(&d.Spec) })
}

func (b *bench) desk() *v1alpha1.ServiceDesk {
	b.t.Helper()
	desk := &v1alpha1.ServiceDesk{}
	if err := b.get(desk, "shop"); err != nil {
		b.t.Fatal(err)
	}
	return desk
}

// runWorkloads does what the Deployment and StatefulSet controllers and a kubelet would do: it reports every workload as available.
func (b *bench) runWorkloads() error {
	ctx := b.t.Context()
	var deployments appsv1.DeploymentList
	if err := b.client.List(ctx, &deployments, client.InNamespace(b.namespace)); err != nil {
		return err
	}
	for i := range deployments.Items {
		d := &deployments.Items[i]
		n := *d.Spec.Replicas
		if d.Status.ObservedGeneration == d.Generation && d.Status.AvailableReplicas == n {
			continue
		}
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n}
		if err := b.client.Status().Update(ctx, d); err != nil {
			return err
		}
	}
	var sets appsv1.StatefulSetList
	if err := b.client.List(ctx, &sets, client.InNamespace(b.namespace)); err != nil {
		return err
	}
	for i := range sets.Items {
		s := &sets.Items[i]
		n := *s.Spec.Replicas
		if s.Status.ObservedGeneration == s.Generation && s.Status.AvailableReplicas == n {
			continue
		}
		s.Status = appsv1.StatefulSetStatus{ObservedGeneration: s.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n}
		if err := b.client.Status().Update(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// collect does what the garbage collector would do: it deletes the children of objects that are gone or being deleted.
func (b *bench) collect() error {
	owners := map[types.UID]bool{}
	for _, object := range b.fleet() {
		owners[object.GetUID()] = object.GetDeletionTimestamp() == nil
	}
	for _, kind := range apply.DeskKinds() {
		list := kind.List.DeepCopyObject().(client.ObjectList)
		if err := b.client.List(b.t.Context(), list, client.InNamespace(b.namespace), client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedByDeskfleet}); err != nil {
			return err
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return err
		}
		for _, item := range items {
			object, ok := item.(client.Object)
			if !ok {
				return fmt.Errorf("%T is no object", item)
			}
			if owner := metav1.GetControllerOf(object); owner == nil || owners[owner.UID] {
				continue
			}
			if err := b.client.Delete(b.t.Context(), object, client.Preconditions{UID: new(object.GetUID())}); client.IgnoreNotFound(err) != nil {
				return err
			}
		}
	}
	return nil
}

// allReady waits until every object of the four kinds is ready with the spec that it has now, and all work is done.
func (b *bench) allReady() {
	b.t.Helper()
	eventually.Nil(b.t, "all objects ready", b.ready)
	b.idle()
}

// ready is nil when every object of the four kinds is ready with the spec that it has now.
func (b *bench) ready() error {
	b.t.Helper()
	if err := b.runWorkloads(); err != nil {
		return err
	}
	for _, object := range b.fleet() {
		c := meta.FindStatusCondition(object.Common().Conditions, v1alpha1.ConditionReady)
		if c == nil || c.Status != metav1.ConditionTrue || c.ObservedGeneration != object.GetGeneration() {
			return fmt.Errorf("%T %s: %+v", object, object.GetName(), c)
		}
	}
	return nil
}

type fleetObject interface {
	client.Object
	Common() *v1alpha1.CommonStatus
}

// fleet are all objects of the four kinds in the namespace.
func (b *bench) fleet() []fleetObject {
	b.t.Helper()
	var all []fleetObject
	for _, list := range []client.ObjectList{
		&v1alpha1.ServiceDeskList{}, &v1alpha1.AgentPoolList{}, &v1alpha1.KnowledgeBaseList{}, &v1alpha1.EscalationPolicyList{},
	} {
		if err := b.client.List(b.t.Context(), list, client.InNamespace(b.namespace)); err != nil {
			b.t.Fatal(err)
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, item := range items {
			object, ok := item.(fleetObject)
			if !ok {
				b.t.Fatalf("%T is none of the four kinds", item)
			}
			all = append(all, object)
		}
	}
	return all
}

// idle waits until no controller works and nothing waits for one.
func (b *bench) idle() {
	b.t.Helper()
	quiet := 0
	eventually.Nil(b.t, "idle controllers", func() error {
		queued, active, err := work()
		if err != nil {
			return err
		}
		if busy := queued - b.stale + active; busy > 0 {
			quiet = 0
			return fmt.Errorf("%v objects are being worked on", busy)
		}
		// An event may be on its way from the watch to the queue: look several times.
		if quiet++; quiet < 40 {
			return errors.New("not quiet for long enough")
		}
		return nil
	})
}

// work is the number of objects that are queued, and that are being reconciled.
func work() (queued, active float64, err error) {
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		return 0, 0, err
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			switch family.GetName() {
			case "workqueue_depth":
				queued += metric.GetGauge().GetValue()
			case "controller_runtime_active_workers":
				active += metric.GetGauge().GetValue()
			}
		}
	}
	return queued, active, nil
}

// state is the end state of the namespace as text, without what differs from run to run.
func (b *bench) state() string {
	b.t.Helper()
	var lines []string
	for _, kind := range apply.DeskKinds() {
		list, ok := kind.List.DeepCopyObject().(client.ObjectList)
		if !ok {
			b.t.Fatalf("%T is no list", kind.List)
		}
		if err := b.client.List(b.t.Context(), list, client.InNamespace(b.namespace), client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedByDeskfleet}); err != nil {
			b.t.Fatal(err)
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, item := range items {
			lines = append(lines, b.masked(kind.GroupVersionKind.Kind, item))
		}
	}
	for _, object := range b.fleet() {
		for _, c := range object.Common().Conditions {
			lines = append(lines, fmt.Sprintf("%T %s %s=%s %s: %s", object, object.GetName(), c.Type, c.Status, c.Reason, b.anywhere(c.Message)))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// masked is an object as JSON without what the API server or randomness made of it.
func (b *bench) masked(kind string, item any) string {
	data, err := json.Marshal(item)
	if err != nil {
		b.t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		b.t.Fatal(err)
	}
	delete(object, "status")
	if m, ok := object["metadata"].(map[string]any); ok {
		for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "namespace"} {
			delete(m, field)
		}
		if owners, ok := m["ownerReferences"].([]any); ok {
			for _, o := range owners {
				if owner, ok := o.(map[string]any); ok {
					delete(owner, "uid")
				}
			}
		}
	}
	if spec, ok := object["spec"].(map[string]any); ok {
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
	}
	if secret, ok := object["data"].(map[string]any); ok && kind == "Secret" {
		for key := range secret {
			secret[key] = "masked"
		}
	}
	data, err = json.Marshal(object)
	if err != nil {
		b.t.Fatal(err)
	}
	return kind + " " + generation.ReplaceAllString(maskKeys(b.anywhere(string(data))), "masked")
}

// generation of a configuration, which is made of the time.
var generation = regexp.MustCompile(`\\"generation\\": [0-9]+`)

// anywhere is text without the name of the bench's namespace.
func (b *bench) anywhere(text string) string {
	return strings.ReplaceAll(text, b.namespace, "NAMESPACE")
}

// generations in a configuration tell its age: they are times.
var generations = regexp.MustCompile(`(\\"generation\\": )[0-9]+`)

// maskKeys replaces public keys, which are as random as their seeds, and the age of the configuration.
func maskKeys(text string) string {
	text = generations.ReplaceAllString(text, "${1}0")
	const before = `\"publicKey\": \"`
	parts := strings.Split(text, before)
	for i := 1; i < len(parts); i++ {
		end := strings.Index(parts[i], `\"`)
		parts[i] = "masked" + parts[i][max(0, end):]
	}
	return strings.Join(parts, before)
}

// children are the names of all children of a kind.
func (b *bench) children(list client.ObjectList) []string {
	b.t.Helper()
	if err := b.client.List(b.t.Context(), list, client.InNamespace(b.namespace), client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedByDeskfleet}); err != nil {
		b.t.Fatal(err)
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		b.t.Fatal(err)
	}
	names := make([]string, 0, len(items))
	for _, item := range items {
		if object, ok := item.(client.Object); ok {
			names = append(names, object.GetName())
		}
	}
	slices.SortFunc(names, cmp.Compare)
	return names
}
