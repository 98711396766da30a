package status_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/status"
)

var (
	deployments = schema.GroupResource{Group: "apps", Resource: "deployments"}
	errDown     = errors.New("connection refused")
	waiting     = &status.WaitingError{Reason: v1alpha1.ReasonReferenceMissing, Message: "no policy", After: time.Minute}
	quiet       = &status.WaitingError{Reason: v1alpha1.ReasonProgressing, Message: "2 of 7"}
	terminal    = &status.TerminalError{Reason: v1alpha1.ReasonInvalidSpec, Message: "wrong"}
	foreign     = &status.TerminalError{Reason: v1alpha1.ReasonNameConflict, Message: "not ours", After: 2 * time.Minute}
	conflict    = apierrors.NewConflict(deployments, "shop-gateway", errors.New("changed"))
)

// desk that was last seen with generation 1 and the given Ready status; it has generation 2 now.
func desk(ready metav1.ConditionStatus, seen int64) *v1alpha1.ServiceDesk {
	d := &v1alpha1.ServiceDesk{ObjectMeta: metav1.ObjectMeta{Namespace: "tenant", Name: "shop", Generation: 2}}
	d.Status.ObservedGeneration = seen
	if ready != "" {
		d.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: ready, Reason: "Before", Message: "before", ObservedGeneration: seen,
		}}
	}
	return d
}

// health is what kstatus, and so Flux, Helm and cli-utils, make of an object.
func health(d *v1alpha1.ServiceDesk) string {
	c := d.Status.Conditions
	switch {
	case d.Status.ObservedGeneration != d.Generation:
		return "InProgress"
	case meta.IsStatusConditionTrue(c, "Reconciling"):
		return "InProgress"
	case meta.IsStatusConditionTrue(c, "Stalled"):
		return "Failed"
	case meta.IsStatusConditionTrue(c, "Ready"):
		return "Current"
	default:
		return "InProgress"
	}
}

// valid checks what every set of conditions must be, whatever happened.
func valid(t *testing.T, d *v1alpha1.ServiceDesk) {
	t.Helper()
	c := d.Status.Conditions
	ready := meta.FindStatusCondition(c, v1alpha1.ConditionReady)
	reconciling, stalled := meta.FindStatusCondition(c, v1alpha1.ConditionReconciling), meta.FindStatusCondition(c, v1alpha1.ConditionStalled)
	switch {
	case ready == nil:
		t.Error("there is no condition Ready")
	case reconciling != nil && stalled != nil:
		t.Error("the object is Reconciling and Stalled at once")
	case ready.Status != metav1.ConditionTrue && reconciling == nil && stalled == nil && ready.Reason != v1alpha1.ReasonSuspended:
		t.Error("the object is not ready, and neither Reconciling nor Stalled says who can mend it")
	case ready.Status == metav1.ConditionTrue && stalled != nil:
		t.Error("the object is Ready and Stalled at once")
	}
	for _, one := range c {
		if one.Type != v1alpha1.ConditionReady && one.Status != metav1.ConditionTrue {
			t.Errorf("%s is %s: it is present only while True", one.Type, one.Status)
		}
		if one.Reason == "" || one.Message == "" || len(one.Message) > 2000 || !utf8.ValidString(one.Message) {
			t.Errorf("%s has reason %q and a message of %d bytes", one.Type, one.Reason, len(one.Message))
		}
	}
	if d.Status.ObservedGeneration != d.Generation {
		t.Errorf("observedGeneration is %d, the object has generation %d", d.Status.ObservedGeneration, d.Generation)
	}
}

func TestConclude(t *testing.T) {
	for _, row := range []struct {
		name string
		err  error
		// ready and seen are the condition before, and the generation that it speaks of.
		ready metav1.ConditionStatus
		seen  int64
		// want is "<Ready> <reason> <other condition>".
		want   string
		health string
		after  time.Duration
		// failed is whether controller-runtime is told to back off.
		failed bool
	}{
		{name: "success", want: "True Ready ", health: "Current"},
		{name: "success after failure", ready: metav1.ConditionFalse, seen: 2, want: "True Ready ", health: "Current"},
		{name: "waiting", err: waiting, ready: metav1.ConditionTrue, seen: 2, want: "False ReferenceMissing Reconciling", health: "InProgress", after: time.Minute},
		{name: "waiting for events", err: quiet, want: "False Progressing Reconciling", health: "InProgress"},
		{name: "several wait, the soonest counts", err: errors.Join(waiting, quiet, &status.WaitingError{Reason: "X", Message: "x", After: time.Second}),
			want: "False ReferenceMissing Reconciling", health: "InProgress", after: time.Second},
		{name: "transient, ready with this spec", err: errDown, ready: metav1.ConditionTrue, seen: 2, want: "True Before Reconciling", health: "InProgress", failed: true},
		{name: "transient, ready with the spec before", err: errDown, ready: metav1.ConditionTrue, seen: 1, want: "False APIError Reconciling", health: "InProgress", failed: true},
		{name: "transient, never ready", err: errDown, want: "False APIError Reconciling", health: "InProgress", failed: true},
		{name: "conflict, ready with this spec", err: conflict, ready: metav1.ConditionTrue, seen: 2, want: "True Before Reconciling", health: "InProgress", after: 500 * time.Millisecond},
		{name: "conflict, never ready", err: fmt.Errorf("apply: %w", conflict), want: "False Progressing Reconciling", health: "InProgress", after: 500 * time.Millisecond},
		{name: "terminal", err: terminal, ready: metav1.ConditionTrue, seen: 2, want: "False InvalidSpec Stalled", health: "Failed"},
		{name: "terminal that no watch sees mended", err: foreign, want: "False NameConflict Stalled", health: "Failed", after: 2 * time.Minute},
		{name: "wrapped", err: fmt.Errorf("apply: %w", fmt.Errorf("child: %w", terminal)), want: "False InvalidSpec Stalled", health: "Failed"},
		{name: "joined and wrapped as a whole", err: fmt.Errorf("desk: %w", errors.Join(waiting, fmt.Errorf("child: %w", terminal))), want: "False InvalidSpec Stalled", health: "Failed", after: time.Minute},
		{name: "wrapped, none is lost", err: fmt.Errorf("desk: %w", errors.Join(terminal, errDown)), want: "False InvalidSpec Stalled", health: "Failed", failed: true},
		{name: "terminal over waiting and transient", err: errors.Join(waiting, errDown, terminal), ready: metav1.ConditionTrue, seen: 2,
			want: "False InvalidSpec Stalled", health: "Failed", failed: true},
		{name: "transient over waiting", err: errors.Join(waiting, errDown), want: "False APIError Reconciling", health: "InProgress", failed: true},
		{name: "waiting over conflict", err: errors.Join(conflict, quiet), want: "False Progressing Reconciling", health: "InProgress", after: 500 * time.Millisecond},
		{name: "an error of the API server is classified", err: fmt.Errorf("apply: %w", apierrors.NewInvalid(schema.GroupKind{Kind: "Service"}, "x", nil)),
			want: "False InvalidSpec Stalled", health: "Failed", after: 5 * time.Minute},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := desk(row.ready, row.seen)
			result, err := status.Conclude(d, row.err, "all is well")
			if (err != nil) != row.failed {
				t.Errorf("controller-runtime is told %v", err)
			}
			if row.failed && result != (ctrl.Result{}) {
				t.Errorf("an error and the result %+v: controller-runtime ignores the result and warns", result)
			}
			if result.RequeueAfter != row.after {
				t.Errorf("look again after %s, expected %s", result.RequeueAfter, row.after)
			}
			valid(t, d)
			if got := health(d); got != row.health {
				t.Errorf("kstatus sees %s, expected %s", got, row.health)
			}
			if got := conditionsOf(d); got != row.want {
				t.Errorf("conditions %q, expected %q", got, row.want)
			}
			if _, err := status.Conclude(d, status.Suspended(), ""); err != nil {
				t.Error(err)
			}
			valid(t, d)
		})
	}
}

func conditionsOf(d *v1alpha1.ServiceDesk) string {
	ready := meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ConditionReady)
	other := ""
	for _, c := range d.Status.Conditions {
		if c.Type != v1alpha1.ConditionReady {
			other += c.Type
		}
	}
	return fmt.Sprintf("%s %s %s", ready.Status, ready.Reason, other)
}

// TestEveryErrorIsSaid: of several problems none is left out of the message.
func TestEveryErrorIsSaid(t *testing.T) {
	d := desk("", 0)
	if _, err := status.Conclude(d, errors.Join(foreign, terminal), ""); err != nil {
		t.Fatal(err)
	}
	ready := meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ConditionReady)
	if ready.Reason != v1alpha1.ReasonNameConflict || !strings.Contains(ready.Message, foreign.Message) || !strings.Contains(ready.Message, terminal.Message) {
		t.Errorf("%s: %s", ready.Reason, ready.Message)
	}
	// A message of any length ends where a character ends.
	long := &status.TerminalError{Reason: "X", Message: strings.Repeat("灯", 5000)}
	if _, err := status.Conclude(d, long, ""); err != nil {
		t.Fatal(err)
	}
	valid(t, d)
}

func TestSuspendKeepsReady(t *testing.T) {
	for _, was := range []metav1.ConditionStatus{"", metav1.ConditionTrue, metav1.ConditionFalse} {
		d := desk(was, 1)
		if result, err := status.Conclude(d, fmt.Errorf("pool: %w", status.Suspended()), "ready"); err != nil || !result.IsZero() {
			t.Errorf("%v, %v", result, err)
		}
		valid(t, d)
		want := was
		if was == "" {
			want = metav1.ConditionUnknown
		}
		if got := conditionsOf(d); got != fmt.Sprintf("%s Suspended ", want) {
			t.Errorf("from Ready=%q: %q", was, got)
		}
	}
}

func TestClassify(t *testing.T) {
	forbidden := func(message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: message}}
	}
	terminating := apierrors.NewForbidden(deployments, "x", errors.New("namespace is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: "NamespaceTerminating"}}
	for _, row := range []struct {
		name   string
		err    error
		reason string
		says   string
		after  time.Duration
		stuck  bool
	}{
		{name: "quota", err: forbidden(`pods "x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=3`),
			reason: v1alpha1.ReasonQuotaExceeded, says: "raise the namespace's ResourceQuota", after: time.Minute},
		{name: "namespace terminating", err: terminating, reason: v1alpha1.ReasonProgressing, says: "the namespace is being deleted"},
		{name: "a right is missing", err: forbidden(`deployments.apps is forbidden: User "system:serviceaccount:d:m" cannot create resource "deployments" in API group "apps"`),
			reason: v1alpha1.ReasonForbidden, says: "grant the operator this right", after: time.Minute},
		{name: "a policy", err: forbidden(`admission webhook "images.example.com" denied the request: you cannot use this image`),
			reason: v1alpha1.ReasonForbidden, says: "change the spec or the policy", after: time.Minute},
		{name: "invalid", err: apierrors.NewInvalid(schema.GroupKind{Kind: "Service"}, "shop", nil),
			reason: v1alpha1.ReasonInvalidSpec, says: `the API server refuses a child: Service "shop" is invalid`, after: 5 * time.Minute, stuck: true},
		{name: "too large", err: apierrors.NewRequestEntityTooLargeError("limit is 3145728"), reason: v1alpha1.ReasonInvalidSpec, says: "limit is 3145728", after: 5 * time.Minute, stuck: true},
		{name: "server error", err: apierrors.NewInternalError(errDown)},
		{name: "too many requests", err: apierrors.NewTooManyRequests("later", 1)},
		{name: "no error of the API server", err: errDown},
		{name: "none", err: nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := status.Classify(row.err)
			if wrapped := status.Classify(fmt.Errorf("apply Deployment x: %w", row.err)); row.err != nil && row.reason != "" && wrapped.Error() != got.Error() {
				t.Errorf("wrapped it is %v", wrapped)
			}
			var w *status.WaitingError
			var s *status.TerminalError
			switch {
			case errors.As(got, &w):
				if row.stuck || w.Reason != row.reason || w.After != row.after || !strings.Contains(w.Message, row.says) {
					t.Errorf("waiting: %+v", w)
				}
			case errors.As(got, &s):
				if !row.stuck || s.Reason != row.reason || s.After != row.after || !strings.Contains(s.Message, row.says) {
					t.Errorf("terminal: %+v", s)
				}
			case row.reason != "" || !errors.Is(got, row.err):
				t.Errorf("%v is %v", row.err, got)
			}
		})
	}
}

func TestFromProblems(t *testing.T) {
	if err := status.FromProblems(nil); err != nil {
		t.Errorf("no problem is %v", err)
	}
	problem := func(severity plan.Severity, reason string, i int) plan.Problem {
		return plan.Problem{Severity: severity, Reason: reason, Kind: "AgentPool", Name: "bots", Field: fmt.Sprintf("spec.x[%d]", i), Message: "is wrong", Remedy: "mend it"}
	}
	var w *status.WaitingError
	err := status.FromProblems([]plan.Problem{problem(plan.Waiting, "A", 0), problem(plan.Waiting, "B", 1)})
	if !errors.As(err, &w) || w.Reason != "A" || w.Message != "spec.x[0]: is wrong; mend it. spec.x[1]: is wrong; mend it" {
		t.Errorf("%#v", err)
	}
	// The worst gives the reason, wherever it stands; only five are named, the rest is counted.
	var many []plan.Problem
	for i := range 6 {
		many = append(many, problem(plan.Waiting, "A", i))
	}
	var s *status.TerminalError
	if err := status.FromProblems(append(many, problem(plan.Terminal, "T", 6))); !errors.As(err, &s) || s.Reason != "T" || !strings.HasSuffix(s.Message, ". 2 more problems") {
		t.Errorf("%#v", err)
	}
	if err := status.FromProblems(many); !errors.As(err, &w) || !strings.HasSuffix(w.Message, "spec.x[4]: is wrong; mend it. 1 more problem") {
		t.Errorf("%#v", err)
	}
}

func TestSooner(t *testing.T) {
	after := func(d time.Duration) ctrl.Result { return ctrl.Result{RequeueAfter: d} }
	if got := status.Sooner(after(0), after(time.Hour), after(time.Minute), after(0)); got != after(time.Minute) {
		t.Errorf("%+v", got)
	}
	if got := status.Sooner(); got != (ctrl.Result{}) {
		t.Errorf("%+v", got)
	}
}
