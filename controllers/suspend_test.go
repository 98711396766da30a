package controllers_test

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// TestSuspendedDeskLeavesItsPoolsAlone: whoever suspends a desk must be able to
// rely on it that nothing of it moves, whatever becomes of the operator, of the
// pools or of what an upgrade brings. The pools say so.
func TestSuspendedDeskLeavesItsPoolsAlone(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.editPool("bots", func(p *v1alpha1.AgentPoolSpec) { p.Replicas = 2 })
	b.startOperator()
	b.allReady()
	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.Suspend, d.Image = true, "deskfleet:later" })
	suspended := func() error {
		for _, name := range []string{"bots", "people"} {
			if err := b.readyWith(&v1alpha1.AgentPool{}, name, metav1.ConditionTrue, v1alpha1.ReasonSuspended); err != nil {
				return err
			}
		}
		return nil
	}
	eventually.Nil(t, "the pools say that the desk is suspended", suspended)
	pool := &v1alpha1.AgentPool{}
	if err := b.get(pool, "bots"); err != nil {
		t.Fatal(err)
	}
	if c := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(c.Message, "spec.suspend of ServiceDesk shop is true") {
		t.Errorf("the pool says %q", c.Message)
	}
	b.idle()
	b.stopOperator()

	// An upgrade, a new scale, and a child that is not wanted any more.
	b.recorder.Reset()
	b.settings.Image = "deskfleet:next"
	b.startOperator()
	b.editPool("bots", func(p *v1alpha1.AgentPoolSpec) { p.Replicas = 1 })
	eventually.Nil(t, "the pools still say so", suspended)
	b.idle()
	for _, write := range b.recorder.Writes() {
		if !strings.HasSuffix(write, "/status") {
			t.Errorf("written for a suspended desk: %s", write)
		}
	}
	workers := &appsv1.Deployment{}
	if err := b.get(workers, "bots-worker"); err != nil || *workers.Spec.Replicas != 2 || workers.Spec.Template.Spec.Containers[0].Image != "deskfleet:test" {
		t.Errorf("%d workers of %s (%v), a suspended desk keeps 2 of deskfleet:test", *workers.Spec.Replicas, workers.Spec.Template.Spec.Containers[0].Image, err)
	}

	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.Suspend, d.Image = false, "" })
	b.allReady()
	eventually.Nil(t, "the pool is at work again", func() error {
		if err := b.get(workers, "bots-worker"); err != nil || *workers.Spec.Replicas != 1 || workers.Spec.Template.Spec.Containers[0].Image != "deskfleet:next" {
			return fmt.Errorf("%d workers of %s (%w)", *workers.Spec.Replicas, workers.Spec.Template.Spec.Containers[0].Image, err)
		}
		if err := b.get(&policyv1.PodDisruptionBudget{}, "bots-worker"); err == nil {
			return fmt.Errorf("the budget of two workers is still there")
		}
		return nil
	})
}
