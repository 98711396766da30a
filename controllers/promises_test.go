package controllers_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// readyWith checks the condition Ready of an object, for the spec that it has now.
func (b *bench) readyWith(object fleetObject, name string, status metav1.ConditionStatus, reason string) error {
	if err := b.get(object, name); err != nil {
		return err
	}
	c := meta.FindStatusCondition(object.Common().Conditions, v1alpha1.ConditionReady)
	if c == nil || c.ObservedGeneration != object.GetGeneration() || c.Status != status || c.Reason != reason {
		return fmt.Errorf("%s of generation %d says %+v, expected %s %s", name, object.GetGeneration(), c, status, reason)
	}
	return nil
}

// TestReadyWaitsForTheRollout: whoever waits for Ready after a change must not be
// told so before the change runs.
func TestReadyWaitsForTheRollout(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	history := b.record()
	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.Image = "deskfleet:next" })
	eventually.Nil(t, "the desk rolls out", func() error {
		return b.readyWith(&v1alpha1.ServiceDesk{}, "shop", metav1.ConditionFalse, v1alpha1.ReasonProgressing)
	})
	eventually.Nil(t, "the pool rolls out", func() error {
		return b.readyWith(&v1alpha1.AgentPool{}, "bots", metav1.ConditionFalse, v1alpha1.ReasonProgressing)
	})
	b.idle()
	generation := b.desk().Generation
	history.mu.Lock()
	for _, m := range history.seen {
		if strings.HasSuffix(m.object, "ServiceDesk shop") && m.generation == generation && m.ready == metav1.ConditionTrue {
			t.Error("the desk was ready with its new spec although no workload had the new image")
		}
	}
	history.mu.Unlock()
	b.allReady()
}

// TestScalingIsNoOutage: workers that scaling is just adding do not make a pool unready.
func TestScalingIsNoOutage(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	history := b.record()
	edit(b, &v1alpha1.AgentPool{}, "bots", func(p *v1alpha1.AgentPool) { p.Spec.Replicas = 7 })
	eventually.Nil(t, "the pool is still ready", func() error {
		return b.readyWith(&v1alpha1.AgentPool{}, "bots", metav1.ConditionTrue, v1alpha1.ReasonReady)
	})
	b.idle()
	deployment := &appsv1.Deployment{}
	if err := b.get(deployment, "bots-worker"); err != nil || *deployment.Spec.Replicas != 7 || deployment.Status.AvailableReplicas != 1 {
		t.Fatalf("%d of %d workers are available (%v), expected 1 of 7", deployment.Status.AvailableReplicas, *deployment.Spec.Replicas, err)
	}
	// The last worker goes: now nobody serves.
	deployment.Status.AvailableReplicas = 0
	if err := b.client.Status().Update(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	eventually.Nil(t, "the pool is not ready", func() error {
		return b.readyWith(&v1alpha1.AgentPool{}, "bots", metav1.ConditionFalse, v1alpha1.ReasonProgressing)
	})
	// The history comes by a watch of its own, which may be behind.
	eventually.True(t, "the outage is in the history", func() bool { return len(history.flaps()) > 0 })
	if flaps := history.flaps(); len(flaps) != 1 {
		t.Errorf("the pool was unready %d times, expected once: %s", len(flaps), flaps)
	}
}

// TestDeletedDeskLeavesNothingBehind deletes a desk whose pools stay: their
// workers go, and come back with the desk.
func TestDeletedDeskLeavesNothingBehind(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	reference := b.state()
	if err := b.client.Delete(t.Context(), b.desk()); err != nil {
		t.Fatal(err)
	}
	eventually.Nil(t, "the desk is gone", b.deskGone)
	for _, object := range b.objects(shop) {
		if desk, isDesk := object.(*v1alpha1.ServiceDesk); isDesk {
			if err := b.client.Create(t.Context(), desk); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually.Nil(t, "the same desk again", b.is(reference))
}

// document is the configuration of the desk's roles.
func (b *bench) document() (*runtimeconfig.Document, error) {
	configMap := &corev1.ConfigMap{}
	if err := b.get(configMap, "shop-config"); err != nil {
		return nil, err
	}
	return runtimeconfig.Parse([]byte(configMap.Data[runtimeconfig.FileName]))
}

// TestRulesOutliveTheirPolicy: a policy that is deleted, or made anew with an
// error, leaves the desk with the last good rules.
func TestRulesOutliveTheirPolicy(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	before, err := b.document()
	if err != nil || len(before.Rules) != 1 {
		t.Fatalf("the desk runs %+v (%v), expected one rule", before, err)
	}
	policy := &v1alpha1.EscalationPolicy{}
	if err := b.get(policy, "shop"); err != nil {
		t.Fatal(err)
	}
	keeps := func(what, reason string) {
		t.Helper()
		eventually.Nil(t, what, func() error { return b.condition(v1alpha1.ConditionReconciling, reason, "keeps the rules") })
		after, err := b.document()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before.Rules, after.Rules); diff != "" {
			t.Errorf("%s: the desk's rules changed (-before +after):\n%s", what, diff)
		}
	}
	if err := b.client.Delete(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	keeps("the policy is missing", v1alpha1.ReasonReferenceMissing)
	policy.ObjectMeta = metav1.ObjectMeta{Namespace: b.namespace, Name: "shop"}
	policy.Spec.Rules[0].When = "message.text.matchesAny("
	if err := b.client.Create(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	keeps("the policy does not compile", v1alpha1.ReasonReferenceNotReady)
	edit(b, policy, "shop", func(p *v1alpha1.EscalationPolicy) { p.Spec.Rules[0].When = "conversation.misses > 2" })
	b.allReady()
	if after, err := b.document(); err != nil || after.Rules[0].When != "conversation.misses > 2" {
		t.Errorf("the desk runs %+v (%v), expected the new rule", after, err)
	}
}

// TestStorageClassOfTheOperatorIsForNewDesks: claim templates are immutable, so a
// changed default must not make the desks that exist impossible to apply.
func TestStorageClassOfTheOperatorIsForNewDesks(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	b.stopOperator()
	b.recorder.Reset()
	b.settings.StorageClassName = "fast"
	b.startOperator()
	b.allReady()
	if writes := b.recorder.Writes(); len(writes) > 0 {
		t.Errorf("the operator wrote:\n%s", strings.Join(writes, "\n"))
	}
	b.apply("apiVersion: deskfleet.dev/v1alpha1\nkind: ServiceDesk\nmetadata: {name: new}\nspec: {profile: Compact}\n" +
		"---\napiVersion: deskfleet.dev/v1alpha1\nkind: AgentPool\nmetadata: {name: new}\nspec: {deskRef: {name: new}, type: Human, human: {members: [ann], queues: [general]}}\n")
	b.allReady()
	set := &appsv1.StatefulSet{}
	if err := b.get(set, "new-desk"); err != nil {
		t.Fatal(err)
	}
	if class := set.Spec.VolumeClaimTemplates[0].Spec.StorageClassName; class == nil || *class != "fast" {
		t.Errorf("the new desk's storage class is %v", class)
	}
}

// TestSuspendedKnowledgeIsServed by desks that did not have it before, and by one
// whose copy was damaged.
func TestSuspendedKnowledgeIsServed(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	edit(b, &v1alpha1.KnowledgeBase{}, "faq", func(k *v1alpha1.KnowledgeBase) { k.Spec.Suspend = true })
	eventually.Nil(t, "the base is suspended", func() error {
		return b.readyWith(&v1alpha1.KnowledgeBase{}, "faq", metav1.ConditionTrue, v1alpha1.ReasonSuspended)
	})
	b.idle()
	reference := b.state()
	edit(b, &corev1.ConfigMap{}, "shop-knowledge-0", func(c *corev1.ConfigMap) { clear(c.BinaryData) })
	eventually.Nil(t, "the content is back", func() error {
		if diff := cmp.Diff(reference, b.state()); diff != "" {
			return errors.New(diff)
		}
		return nil
	})
	// What changes in a suspended base is not served.
	edit(b, &v1alpha1.KnowledgeBase{}, "faq", func(k *v1alpha1.KnowledgeBase) { k.Spec.Sources.Inline[0].Answer = "Never." })
	b.idle()
	edit(b, &corev1.ConfigMap{}, "shop-config", func(c *corev1.ConfigMap) { c.Labels["example.com/touched"] = "yes" })
	b.idle()
	document, err := b.document()
	if err != nil || len(document.Knowledge) != 1 || document.Knowledge[0].Revision == "" {
		t.Fatalf("the desk serves %+v (%v)", document, err)
	}
	shard := &corev1.ConfigMap{}
	if err := b.get(shard, "shop-knowledge-0"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(reference, base64.StdEncoding.EncodeToString(shard.BinaryData["faq.0.json.gz"])) {
		t.Error("the desk serves what a suspended base has become")
	}
}
