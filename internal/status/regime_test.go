package status_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

// What limits a pool, and that it follows the load no more, is told once each time that it changes; numbers are not.
func TestRegimesAreTold(t *testing.T) {
	pool := &v1alpha1.AgentPool{ObjectMeta: metav1.ObjectMeta{Namespace: "tenant", Name: "bots", UID: "2"}}
	r := newRig(t, pool)
	step := func(what string, limited metav1.ConditionStatus, reason, message string, writes int, events ...string) {
		t.Helper()
		before := &v1alpha1.AgentPool{}
		if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(pool), before); err != nil {
			t.Fatal(err)
		}
		after := before.DeepCopy()
		meta.SetStatusCondition(&after.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionScalingLimited, Status: limited, Reason: reason, Message: message})
		if _, err := r.Write(t.Context(), before, after); err != nil {
			t.Fatal(err)
		}
		r.wrote(what, writes, events...)
	}
	step("first", metav1.ConditionFalse, v1alpha1.ReasonWithinBounds, "1 needs", 1)
	step("the limit", metav1.ConditionTrue, v1alpha1.ReasonMaxReached, "9 need", 1, "Warning MaxReached")
	step("another number", metav1.ConditionTrue, v1alpha1.ReasonMaxReached, "10 need", 0)
	step("another limit", metav1.ConditionTrue, v1alpha1.ReasonBudgetLimits, "10 need", 1, "Warning BudgetLimits")
	step("none", metav1.ConditionFalse, v1alpha1.ReasonWithinBounds, "1 needs", 1, "Normal WithinBounds")
}
