package status_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/status"
)

// rig is a Writer with a clock, a client that counts and fails, and a recorder of events.
type rig struct {
	*status.Writer
	t      *testing.T
	now    time.Time
	writes int
	fail   error
	events *events.FakeRecorder
}

func newRig(t *testing.T, objects ...client.Object) *rig {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, now: time.Unix(1e9, 0), events: events.NewFakeRecorder(100)}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(objects...).
		WithInterceptorFuncs(interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			r.writes++
			if r.fail != nil {
				return r.fail
			}
			return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
		}}).Build()
	r.Writer = &status.Writer{Client: c, Events: r.events, Now: func() time.Time { return r.now }}
	return r
}

// read gives the stored desk, as an up-to-date cache does.
func (r *rig) read() *v1alpha1.ServiceDesk {
	r.t.Helper()
	d := &v1alpha1.ServiceDesk{}
	if err := r.Client.Get(r.t.Context(), client.ObjectKey{Namespace: "tenant", Name: "shop"}, d); err != nil {
		r.t.Fatal(err)
	}
	return d
}

// reconcile is one pass over a desk as it was read, with an outcome.
func (r *rig) reconcile(read *v1alpha1.ServiceDesk, workloads string, err error) (time.Duration, error) {
	r.t.Helper()
	d := read.DeepCopy()
	r.Freshen(d)
	before := d.DeepCopy()
	if workloads != "" {
		d.Status.Workloads = workloads
	}
	if _, err := status.Conclude(d, err, "ready"); err != nil {
		r.t.Fatal(err)
	}
	result, writeErr := r.Write(r.t.Context(), before, d)
	return result.RequeueAfter, writeErr
}

// wrote checks how many writes and events there were since it was asked last.
func (r *rig) wrote(what string, writes int, reasons ...string) {
	r.t.Helper()
	if r.writes != writes {
		r.t.Errorf("%s: %d writes, expected %d", what, r.writes, writes)
	}
	r.writes = 0
	var got []string
	for len(r.events.Events) > 0 {
		got = append(got, strings.Join(strings.Fields(<-r.events.Events)[:2], " "))
	}
	if diff := cmp.Diff(reasons, got); diff != "" {
		r.t.Errorf("%s: events (-expected +got):\n%s", what, diff)
	}
}

func stored() *v1alpha1.ServiceDesk {
	return &v1alpha1.ServiceDesk{ObjectMeta: metav1.ObjectMeta{Namespace: "tenant", Name: "shop", UID: "1", Generation: 1}}
}

func progress(message string) error {
	return &status.WaitingError{Reason: v1alpha1.ReasonProgressing, Message: message}
}

func TestOnlyChangesAreWritten(t *testing.T) {
	r := newRig(t, stored())
	step := func(what, workloads string, err error) time.Duration {
		t.Helper()
		after, writeErr := r.reconcile(r.read(), workloads, err)
		if writeErr != nil {
			t.Fatalf("%s: %v", what, writeErr)
		}
		return after
	}
	step("first", "0/7", progress("0 of 7"))
	r.wrote("first", 1, "Normal Progressing")
	step("the same", "0/7", progress("0 of 7"))
	r.wrote("the same", 0)

	// Figures and the message of progress wait for half a minute since the last write.
	r.now = r.now.Add(10 * time.Second)
	if after := step("figures", "3/7", progress("3 of 7")); after != 20*time.Second {
		t.Errorf("come again after %s, expected 20s", after)
	}
	r.wrote("figures", 0)
	r.now = r.now.Add(20 * time.Second)
	if after := step("figures later", "4/7", progress("4 of 7")); after != 0 {
		t.Errorf("come again after %s although it was written", after)
	}
	r.wrote("figures later", 1)

	// News is written at once, with its figures.
	step("ready", "7/7", nil)
	r.wrote("ready", 1, "Normal Ready")
	step("a person must act", "7/7", &status.TerminalError{Reason: v1alpha1.ReasonNameConflict, Message: "not ours"})
	r.wrote("a person must act", 1, "Warning NameConflict")
	step("another message", "7/7", &status.TerminalError{Reason: v1alpha1.ReasonNameConflict, Message: "another one"})
	r.wrote("another message", 1) // not a transition: no event
	step("ready again", "7/7", nil)
	r.wrote("ready again", 1, "Normal Ready")
}

// TestFiguresOfAnUnknownObject: after a restart nobody knows when the last write was. Figures that have changed meanwhile
// wait all the same, as those of all objects would be written at the same moment; news does not.
func TestFiguresOfAnUnknownObject(t *testing.T) {
	r := newRig(t, stored())
	if _, err := r.reconcile(r.read(), "0/7", progress("0 of 7")); err != nil {
		t.Fatal(err)
	}
	r.wrote("first", 1, "Normal Progressing")
	r.Writer = &status.Writer{Client: r.Client, Events: r.Events, Now: r.Now}
	if after, err := r.reconcile(r.read(), "1/7", progress("1 of 7")); err != nil || after != 30*time.Second {
		t.Errorf("%s, %v", after, err)
	}
	r.wrote("after a restart", 0)
	r.now = r.now.Add(30 * time.Second)
	if after, err := r.reconcile(r.read(), "1/7", progress("1 of 7")); err != nil || after != 0 {
		t.Errorf("%s, %v", after, err)
	}
	r.wrote("half a minute later", 1)
	r.Writer = &status.Writer{Client: r.Client, Events: r.Events, Now: r.Now}
	if after, err := r.reconcile(r.read(), "7/7", nil); err != nil || after != 0 {
		t.Errorf("%s, %v", after, err)
	}
	r.wrote("news after a restart", 1, "Normal Ready")
}

// TestStaleCache: a reconcile that reads the object as it was before the last
// status write must still undo what that write said.
func TestStaleCache(t *testing.T) {
	r := newRig(t, stored())
	stale := r.read()
	if _, err := r.reconcile(stale, "7/7", nil); err != nil {
		t.Fatal(err)
	}
	r.wrote("ready", 1, "Normal Ready")
	waiting := &status.WaitingError{Reason: v1alpha1.ReasonReferenceMissing, Message: "no policy"}

	// A write that fails is not remembered, although the cache is still behind.
	r.fail = apierrors.NewInternalError(errors.New("down"))
	if _, err := r.reconcile(stale, "7/7", waiting); !apierrors.IsInternalError(err) {
		t.Fatalf("%v", err)
	}
	r.wrote("failed", 1)
	r.fail = nil
	if _, err := r.reconcile(stale, "7/7", waiting); err != nil {
		t.Fatal(err)
	}
	r.wrote("not ready", 1, "Normal ReferenceMissing")
	if got := conditionsOf(r.read()); got != "False ReferenceMissing Reconciling" {
		t.Errorf("stored is %q", got)
	}
	// Another reconcile with the same stale object, and back to what that object says.
	if _, err := r.reconcile(stale, "7/7", waiting); err != nil {
		t.Fatal(err)
	}
	r.wrote("the same", 0)
	if _, err := r.reconcile(stale, "7/7", nil); err != nil {
		t.Fatal(err)
	}
	r.wrote("ready again", 1, "Normal Ready")

	// A cache that is ahead of us wins: somebody else may have written since.
	other := r.read()
	other.Status.Workloads = "1/7"
	if err := r.Client.Status().Update(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, err := r.reconcile(r.read(), "7/7", nil); err != nil {
		t.Fatal(err)
	}
	if got := r.read().Status.Workloads; got == "7/7" {
		t.Error("a figure was written at once")
	}
	r.now = r.now.Add(time.Minute)
	if _, err := r.reconcile(r.read(), "7/7", nil); err != nil || r.read().Status.Workloads != "7/7" {
		t.Errorf("workloads are %s (%v)", r.read().Status.Workloads, err)
	}
}

// TestSuccessorOfTheSameName: what is remembered of an object says nothing of the next one.
func TestSuccessorOfTheSameName(t *testing.T) {
	r := newRig(t, stored())
	if _, err := r.reconcile(r.read(), "7/7", nil); err != nil {
		t.Fatal(err)
	}
	for _, forget := range []bool{false, true} {
		if forget {
			r.Forget(&v1alpha1.ServiceDesk{}, client.ObjectKey{Namespace: "tenant", Name: "shop"})
		}
		successor := stored()
		successor.UID, successor.ResourceVersion = "2", "1"
		r.Freshen(successor)
		if len(successor.Status.Conditions) > 0 {
			t.Errorf("forgotten %t: the successor has the conditions of the former object", forget)
		}
	}
	// Another kind may have the same name.
	pool := &v1alpha1.AgentPool{ObjectMeta: metav1.ObjectMeta{Namespace: "tenant", Name: "shop", UID: "1", ResourceVersion: "1"}}
	r.Freshen(pool)
	if len(pool.Status.Conditions) > 0 {
		t.Error("the pool has the conditions of the desk")
	}
}

func TestFailedWrites(t *testing.T) {
	for _, row := range []struct {
		name  string
		fail  error
		after time.Duration
		err   bool
	}{
		{name: "deleted meanwhile", fail: apierrors.NewNotFound(deployments, "shop")},
		{name: "conflict", fail: conflict, after: 500 * time.Millisecond},
		{name: "server error", fail: apierrors.NewInternalError(errors.New("down")), err: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t, stored())
			r.fail = row.fail
			after, err := r.reconcile(r.read(), "7/7", nil)
			if after != row.after || (err != nil) != row.err {
				t.Errorf("come again after %s, %v", after, err)
			}
			r.wrote(row.name, 1) // nothing happened, so no event says that it did
		})
	}
}

// TestWarningsNeedAPerson: an alert on Warnings wakes somebody, which only makes
// sense where there is something for a person to do.
func TestWarningsNeedAPerson(t *testing.T) {
	waiting := func(reason string) error { return &status.WaitingError{Reason: reason, Message: "m"} }
	for _, row := range []struct {
		err   error
		event string
	}{
		{nil, "Normal Ready"},
		{waiting(v1alpha1.ReasonProgressing), "Normal Progressing"},
		{waiting(v1alpha1.ReasonReferenceMissing), "Normal ReferenceMissing"},
		{waiting(v1alpha1.ReasonReferenceNotReady), "Normal ReferenceNotReady"},
		{waiting(v1alpha1.ReasonQueueUnreachable), "Normal QueueUnreachable"},
		{waiting(v1alpha1.ReasonQuotaExceeded), "Warning QuotaExceeded"},
		{waiting(v1alpha1.ReasonForbidden), "Warning Forbidden"},
		{waiting(v1alpha1.ReasonProgressDeadlineExceeded), "Warning ProgressDeadlineExceeded"},
		{&status.TerminalError{Reason: v1alpha1.ReasonInvalidSpec, Message: "m"}, "Warning InvalidSpec"},
		{&status.TerminalError{Reason: v1alpha1.ReasonInternalError, Message: "m"}, "Warning InternalError"},
	} {
		r := newRig(t, stored())
		for range 2 { // the second time nothing has happened
			if _, err := r.reconcile(r.read(), "", row.err); err != nil {
				t.Fatal(err)
			}
		}
		r.wrote(row.event, 1, row.event)
	}
	// An error that the operator tries again is no reason to wake anybody.
	r := newRig(t, stored())
	d := r.read()
	before := d.DeepCopy()
	if _, err := status.Conclude(d, errors.New("down"), ""); err == nil {
		t.Error("a transient error is gone")
	}
	if _, err := r.Write(t.Context(), before, d); err != nil {
		t.Fatal(err)
	}
	r.wrote("transient", 1, "Normal APIError")
	// Nor is it news that nothing changes from now on, in whatever state the object is.
	d = r.read()
	before = d.DeepCopy()
	if _, err := status.Conclude(d, status.Suspended(), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Write(t.Context(), before, d); err != nil {
		t.Fatal(err)
	}
	r.wrote("suspended", 1, "Normal Suspended")
}

// TestEventsFit: the API server refuses an event with a note of more than 1024 bytes.
func TestEventsFit(t *testing.T) {
	r := newRig(t, stored())
	long := &status.TerminalError{Reason: v1alpha1.ReasonInvalidSpec, Message: strings.Repeat("灯笼里 ", 500)}
	if _, err := r.reconcile(r.read(), "", long); err != nil {
		t.Fatal(err)
	}
	event := strings.TrimPrefix(<-r.events.Events, "Warning InvalidSpec ")
	if len(event) > 1024 || len(event) < 1000 || !strings.HasSuffix(event, "…") {
		t.Errorf("the note has %d bytes and ends with %q", len(event), event[len(event)-10:])
	}
}

func TestCount(t *testing.T) {
	deployment := func(name string, generation, observed int64, replicas, updated, available int32) *appsv1.Deployment {
		return &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: name, Generation: generation}, Spec: appsv1.DeploymentSpec{Replicas: &replicas},
			Status: appsv1.DeploymentStatus{ObservedGeneration: observed, Replicas: updated, UpdatedReplicas: updated, AvailableReplicas: available},
		}
	}
	set := func(name string, generation, observed int64, replicas, updated, available int32) *appsv1.StatefulSet {
		return &appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Name: name, Generation: generation}, Spec: appsv1.StatefulSetSpec{Replicas: &replicas},
			Status: appsv1.StatefulSetStatus{ObservedGeneration: observed, UpdatedReplicas: updated, AvailableReplicas: available},
		}
	}
	with := func(d *appsv1.Deployment, c appsv1.DeploymentCondition) *appsv1.Deployment {
		d.Status.Conditions = append(d.Status.Conditions, c)
		return d
	}
	stuck := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Reason: "ProgressDeadlineExceeded", Message: "no progress"}
	quota := appsv1.DeploymentCondition{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "pods is forbidden: exceeded quota: team"}
	for _, row := range []struct {
		name     string
		children []client.Object
		wanted   int
		reason   string
		says     string
	}{
		{name: "all", wanted: 2, children: []client.Object{deployment("a", 2, 2, 2, 2, 2), set("b", 1, 1, 1, 1, 1), &corev1.ConfigMap{}}},
		{name: "not seen by its controller", wanted: 1, children: []client.Object{deployment("a", 3, 2, 2, 2, 2)}, reason: v1alpha1.ReasonProgressing, says: "0 of 1 workloads are available; waiting for a"},
		{name: "rolling out", wanted: 2, children: []client.Object{deployment("b", 2, 2, 2, 1, 2), set("a", 2, 2, 3, 2, 3)}, reason: v1alpha1.ReasonProgressing, says: "0 of 2 workloads are available; waiting for a, b"},
		{name: "not available", wanted: 1, children: []client.Object{set("b", 1, 1, 3, 3, 2)}, reason: v1alpha1.ReasonProgressing, says: "waiting for b"},
		{name: "one is missing", wanted: 2, children: []client.Object{deployment("a", 1, 1, 0, 0, 0)}, reason: v1alpha1.ReasonProgressing, says: "1 of 2"},
		{name: "stuck", wanted: 1, children: []client.Object{with(deployment("a", 1, 1, 1, 0, 0), stuck)}, reason: v1alpha1.ReasonProgressDeadlineExceeded, says: "Deployment a: no progress: look at its pods"},
		{name: "quota", wanted: 1, children: []client.Object{with(with(deployment("a", 1, 1, 1, 0, 0), stuck), quota)}, reason: v1alpha1.ReasonQuotaExceeded, says: "exceeded quota: team: raise"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := status.Count(row.children).Err(row.wanted)
			var w *status.WaitingError
			switch {
			case row.reason == "" && err == nil:
			case !errors.As(err, &w) || w.Reason != row.reason || !strings.Contains(w.Message, row.says):
				t.Errorf("%#v", err)
			}
		})
	}
}

func TestGrowth(t *testing.T) {
	now := time.Unix(1e9, 0)
	unavailable := func(ago time.Duration) []appsv1.DeploymentCondition {
		return []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(now.Add(-ago))}}
	}
	for _, row := range []struct {
		name string
		s    appsv1.DeploymentStatus
		want time.Duration
	}{
		{"not seen by its controller", appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}, 10 * time.Minute},
		{"pods are starting", appsv1.DeploymentStatus{Replicas: 7, UpdatedReplicas: 7, AvailableReplicas: 2, Conditions: unavailable(time.Minute)}, 9 * time.Minute},
		{"pods do not start", appsv1.DeploymentStatus{Replicas: 7, UpdatedReplicas: 7, AvailableReplicas: 2, Conditions: unavailable(time.Hour)}, 0},
		{"nobody serves", appsv1.DeploymentStatus{Replicas: 7, UpdatedReplicas: 7, Conditions: unavailable(time.Minute)}, 0},
		{"a rollout", appsv1.DeploymentStatus{Replicas: 8, UpdatedReplicas: 1, AvailableReplicas: 7}, 0},
		{"stuck", appsv1.DeploymentStatus{Replicas: 7, UpdatedReplicas: 7, AvailableReplicas: 2, Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentProgressing, Reason: "ProgressDeadlineExceeded"}}}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: new(int32(7))}, Status: row.s}
			if got := status.Growth(d, now); got != row.want {
				t.Errorf("%s, expected %s", got, row.want)
			}
		})
	}
}

// TestUnknownStatusCode: an answer without a reason is a failure of the moment.
func TestUnknownStatusCode(t *testing.T) {
	err := &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusBadGateway, Message: "etcdserver: leader changed"}}
	if got := status.Classify(err); !errors.Is(got, err) {
		t.Errorf("%v", got)
	}
}
