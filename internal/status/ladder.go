package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

// ladders tells that steps of the queues' overflow are entered and left, by the predicted wait or by hand: once each
// time, and nothing of the conversations that they concern. What is not known is no news, in neither direction.
func (w *Writer) ladders(before, after Object) {
	was, ok := before.(*v1alpha1.ServiceDesk)
	is, same := after.(*v1alpha1.ServiceDesk)
	if !ok || !same {
		return
	}
	for i := range is.Status.Queues {
		now := &is.Status.Queues[i]
		at := slices.IndexFunc(was.Status.Queues, func(q v1alpha1.QueueStatus) bool { return q.Name == now.Name })
		if at < 0 {
			continue
		}
		declared := overflowOf(is, now.Name)
		w.steps(is, &was.Status.Queues[at], now, declared)
		w.heldSteps(is, &was.Status.Queues[at], now)
	}
}

func overflowOf(desk *v1alpha1.ServiceDesk, queue v1alpha1.DNSLabel) []v1alpha1.OverflowStep {
	for i := range desk.Spec.Queues {
		if desk.Spec.Queues[i].Name == queue {
			return desk.Spec.Queues[i].Overflow
		}
	}
	return nil
}

// steps that apply by the predicted wait.
func (w *Writer) steps(desk *v1alpha1.ServiceDesk, was, is *v1alpha1.QueueStatus, declared []v1alpha1.OverflowStep) {
	if was.OverflowSteps == nil || is.OverflowSteps == nil || *was.OverflowSteps == *is.OverflowSteps {
		return
	}
	from, to := int(*was.OverflowSteps), int(*is.OverflowSteps)
	if to < from {
		w.tell(desk, corev1.EventTypeNormal, v1alpha1.ReasonOverflowLeft, "queue %s left %s of its overflow; %d apply", is.Name, named(declared, to, from), to)
		return
	}
	why := "nobody is there who may serve it"
	if is.ExpectedWait != nil {
		why = "the expected wait is " + string(*is.ExpectedWait)
	}
	w.tell(desk, corev1.EventTypeWarning, v1alpha1.ReasonOverflowEntered, "queue %s entered %s of its overflow: %s", is.Name, named(declared, from, to), why)
}

// named lists the steps behind the first from up to the first to: step 2 (Pool backup), 3 (Callback).
func named(declared []v1alpha1.OverflowStep, from, to int) string {
	var parts []string
	for i := from; i < to; i++ {
		part := fmt.Sprint(i + 1)
		if i < len(declared) {
			part += fmt.Sprintf(" (%s)", words(string(declared[i].Action), target(&declared[i])))
		}
		parts = append(parts, part)
	}
	return "step " + strings.Join(parts, ", ")
}

func target(o *v1alpha1.OverflowStep) string {
	switch {
	case o.Pool != nil:
		return string(*o.Pool)
	case o.Queue != nil:
		return string(*o.Queue)
	default:
		return ""
	}
}

func words(action, target string) string { return strings.TrimSpace(action + " " + target) }

// heldSteps by supervisors.
func (w *Writer) heldSteps(desk *v1alpha1.ServiceDesk, was, is *v1alpha1.QueueStatus) {
	for _, h := range is.HeldSteps {
		same := func(o v1alpha1.HeldStepStatus) bool {
			return o.Step == h.Step && o.Action == h.Action && o.Target == h.Target && o.Until.Equal(&h.Until)
		}
		if !slices.ContainsFunc(was.HeldSteps, same) {
			w.tell(desk, corev1.EventTypeNormal, v1alpha1.ReasonOverflowHeld, "a supervisor holds step %d (%s) of the overflow of queue %s until %s; the desk's audit log has who and why",
				h.Step, words(h.Action, h.Target), is.Name, h.Until.UTC().Format(time.RFC3339))
		}
	}
	for _, h := range was.HeldSteps {
		if !slices.ContainsFunc(is.HeldSteps, func(o v1alpha1.HeldStepStatus) bool { return o.Step == h.Step }) {
			w.tell(desk, corev1.EventTypeNormal, v1alpha1.ReasonOverflowReleased, "step %d (%s) of the overflow of queue %s is held no longer", h.Step, words(h.Action, h.Target), is.Name)
		}
	}
}

func (w *Writer) tell(desk *v1alpha1.ServiceDesk, kind, reason, format string, args ...any) {
	w.Events.Eventf(desk, nil, kind, reason, "Overflow", "%s", cut(fmt.Sprintf(format, args...), longestNote))
}
