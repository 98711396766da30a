package status_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

// A step of a queue's overflow that is entered or left is one event, by the predicted wait with the other figures, by
// hand at once; a desk that falls silent and comes back tells nothing.
func TestLaddersAreTold(t *testing.T) {
	desk := stored()
	desk.Spec.Queues = []v1alpha1.Queue{{Name: "refunds", Overflow: []v1alpha1.OverflowStep{
		{PredictedWait: "1m", Action: v1alpha1.OverflowPool, Pool: new(v1alpha1.DNSLabel("backup"))}, {PredictedWait: "5m", Action: v1alpha1.OverflowCallback},
	}}}
	r := newRig(t, desk)
	until := metav1.NewTime(r.now.Add(time.Hour))
	held := v1alpha1.HeldStepStatus{Step: 2, Action: "Callback", Until: until}
	later := held
	later.Until = metav1.NewTime(until.Add(time.Hour))
	queue := func(steps int32, held ...v1alpha1.HeldStepStatus) []v1alpha1.QueueStatus {
		return []v1alpha1.QueueStatus{{Name: "bot"}, {Name: "refunds", OverflowSteps: &steps, ExpectedWait: new(v1alpha1.Duration("90s")), HeldSteps: held}}
	}
	step := func(what string, after time.Duration, queues []v1alpha1.QueueStatus, writes int, events ...string) {
		t.Helper()
		r.now = r.now.Add(after)
		before := r.read()
		d := before.DeepCopy()
		d.Status.Queues = queues
		if _, err := r.Write(t.Context(), before, d); err != nil {
			t.Fatal(err)
		}
		r.wrote(what, writes, events...)
	}
	const long, soon = time.Minute, time.Second
	step("first heard", long, queue(2), 0)
	step("first written", long, queue(2), 1)
	step("left", long, queue(0), 1, "Normal OverflowLeft")
	step("entered, and told with the other figures", soon, queue(1), 0)
	step("entered", long, queue(1), 1, "Warning OverflowEntered")
	step("nothing", long, queue(1), 0)
	step("held at once", soon, queue(1, held), 1, "Normal OverflowHeld")
	step("held longer", soon, queue(1, later), 1, "Normal OverflowHeld")
	step("silent", long, nil, 1)
	step("heard again", long, queue(1, later), 1)
	step("released at once", soon, queue(1), 1, "Normal OverflowReleased")
	step("the operator is of an older release", long, []v1alpha1.QueueStatus{{Name: "refunds"}}, 1)
}

// The words name the queue, the step and why; not who, whose name is for the audit log.
func TestLadderEventsSayWhatAndWhy(t *testing.T) {
	desk := stored()
	desk.Spec.Queues = []v1alpha1.Queue{{Name: "refunds", Overflow: []v1alpha1.OverflowStep{
		{PredictedWait: "1m", Action: v1alpha1.OverflowPool, Pool: new(v1alpha1.DNSLabel("backup"))}, {PredictedWait: "5m", Action: v1alpha1.OverflowCallback},
	}}}
	desk.Status.Queues = []v1alpha1.QueueStatus{{Name: "refunds", OverflowSteps: new(int32(0)), HeldSteps: []v1alpha1.HeldStepStatus{{Step: 1, Action: "Pool", Target: "backup"}}}}
	r := newRig(t, desk)
	before := r.read()
	d := before.DeepCopy()
	d.Status.Queues = []v1alpha1.QueueStatus{{Name: "refunds", OverflowSteps: new(int32(2)), HeldSteps: []v1alpha1.HeldStepStatus{{Step: 2, Action: "Callback", Until: metav1.NewTime(r.now)}}}}
	if _, err := r.Write(t.Context(), before, d); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"queue refunds entered step 1 (Pool backup), 2 (Callback) of its overflow: nobody is there who may serve it",
		"a supervisor holds step 2 (Callback) of the overflow of queue refunds until " + r.now.UTC().Format(time.RFC3339),
		"step 1 (Pool backup) of the overflow of queue refunds is held no longer",
	} {
		if got := <-r.events.Events; !strings.Contains(got, want) {
			t.Errorf("the event is %q, expected %q", got, want)
		}
	}
}
