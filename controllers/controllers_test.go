package controllers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// shop is the smallest useful desk with all four kinds.
const shop = `
apiVersion: deskfleet.dev/v1alpha1
kind: ServiceDesk
metadata: {name: shop}
spec:
  escalationPolicyRef: {name: shop}
---
apiVersion: deskfleet.dev/v1alpha1
kind: AgentPool
metadata: {name: bots}
spec:
  deskRef: {name: shop}
  type: Bot
  bot:
    knowledgeBaseRefs: [{name: faq}]
---
apiVersion: deskfleet.dev/v1alpha1
kind: AgentPool
metadata: {name: people}
spec:
  deskRef: {name: shop}
  type: Human
  human: {members: [mia], queues: [general]}
---
apiVersion: deskfleet.dev/v1alpha1
kind: KnowledgeBase
metadata: {name: faq}
spec:
  sources:
    inline:
    - {id: hours, questions: ["When are you open?"], answer: "We are open around the clock."}
    configMaps: [{name: faq-zh}]
---
apiVersion: deskfleet.dev/v1alpha1
kind: EscalationPolicy
metadata: {name: shop}
spec:
  rules:
  - name: refunds
    when: message.text.matchesAny(["refund", "退款"])
    then: {handOff: {}, priority: 80}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: faq-zh}
data:
  entries.yaml: |
    - id: hours-zh
      questions: ["你们几点营业？"]
      answer: "我们全天营业。"
`

// deskChildren of that desk: configuration, content, account, Secrets, Services, policies, budgets and workloads.
const deskChildren = 27

func TestDeskBecomesReadyWithFewWrites(t *testing.T) {
	b := newBench(t)
	b.startOperator()
	var desks []client.Object
	for _, object := range b.objects(shop) {
		if _, isDesk := object.(*v1alpha1.ServiceDesk); isDesk {
			desks = append(desks, object)
		} else if err := b.client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	// What the desk depends on is there first: what comes later is a change, and costs its own writes.
	b.idle()
	b.recorder.Reset()
	if err := b.client.Create(t.Context(), desks[0]); err != nil {
		t.Fatal(err)
	}
	b.allReady()

	var desk []string
	for _, write := range b.recorder.Writes() {
		if !strings.Contains(write, "bots") && !strings.Contains(write, "agentpools") && !strings.Contains(write, "knowledgebases") && !strings.Contains(write, "escalationpolicies") {
			desk = append(desk, write)
		}
	}
	var children int
	for _, kind := range apply.DeskKinds() {
		for _, name := range b.children(kind.List) {
			if !strings.HasSuffix(name, "-worker") {
				children++
			}
		}
	}
	if children != deskChildren {
		t.Errorf("the desk has %d children, expected %d", children, deskChildren)
	}
	if most := children + 3; len(desk) > most {
		t.Errorf("creating the desk cost %d writes, at most %d are allowed:\n%s", len(desk), most, strings.Join(desk, "\n"))
	}
	t.Logf("%d children, %d writes", children, len(desk))
}

func TestNothingIsWrittenWhileNothingChanges(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	generations := b.generations()

	t.Run("reconciled again", func(t *testing.T) {
		b.recorder.Reset()
		// A change of a child that is not ours to undo wakes the controllers.
		for _, name := range []string{"shop-gateway", "bots-worker"} {
			edit(b, &appsv1.Deployment{}, name, func(d *appsv1.Deployment) { d.Labels["example.com/touched"] = "yes" })
		}
		b.idle()
		if writes := b.recorder.Writes(); len(writes) > 0 {
			t.Errorf("a second reconcile wrote:\n%s", strings.Join(writes, "\n"))
		}
	})
	t.Run("operator restarted", func(t *testing.T) {
		b.stopOperator()
		b.recorder.Reset()
		b.startOperator()
		b.idle()
		if writes := b.recorder.Writes(); len(writes) > 0 {
			t.Errorf("the restart of the operator wrote:\n%s", strings.Join(writes, "\n"))
		}
		if diff := cmp.Diff(generations, b.generations()); diff != "" {
			t.Errorf("the restart of the operator changed workloads (-before +after):\n%s", diff)
		}
	})
}

// generations of all workloads: a rollout would raise one.
func (b *bench) generations() map[string]int64 {
	b.t.Helper()
	found := map[string]int64{}
	var deployments appsv1.DeploymentList
	var sets appsv1.StatefulSetList
	for _, list := range []client.ObjectList{&deployments, &sets} {
		if err := b.client.List(b.t.Context(), list, client.InNamespace(b.namespace)); err != nil {
			b.t.Fatal(err)
		}
	}
	for i := range deployments.Items {
		found["Deployment "+deployments.Items[i].Name] = deployments.Items[i].Generation
	}
	for i := range sets.Items {
		found["StatefulSet "+sets.Items[i].Name] = sets.Items[i].Generation
	}
	return found
}

func TestChildrenComeBack(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	reference := b.state()

	for _, kind := range apply.DeskKinds() {
		name := kind.GroupVersionKind.Kind
		items := b.children(kind.List)
		if len(items) == 0 {
			continue
		}
		t.Run(name+" deleted", func(t *testing.T) {
			child := kind.Object.DeepCopyObject().(client.Object)
			if err := b.get(child, items[0]); err != nil {
				t.Fatal(err)
			}
			uid := child.GetUID()
			if err := b.client.Delete(t.Context(), child); err != nil {
				t.Fatal(err)
			}
			eventually.Nil(t, name+" is back", func() error {
				if err := b.get(child, items[0]); err != nil {
					return err
				}
				if child.GetUID() == uid {
					return errors.New("it is still the old one")
				}
				return nil
			})
		})
	}
	b.allReady()
	if diff := cmp.Diff(reference, b.state()); diff != "" {
		t.Errorf("the state after all children were deleted once (-before +after):\n%s", diff)
	}
}

func TestEditsByHandAreUndone(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	reference := b.state()

	for _, row := range []struct {
		what   string
		name   string
		object client.Object
		change func(client.Object)
	}{
		{"an image", "shop-gateway", &appsv1.Deployment{}, func(o client.Object) {
			o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image = "evil:latest"
		}},
		{"replicas of a role", "shop-router", &appsv1.Deployment{}, func(o client.Object) { o.(*appsv1.Deployment).Spec.Replicas = new(int32(9)) }},
		{"replicas of a pool", "bots-worker", &appsv1.Deployment{}, func(o client.Object) { o.(*appsv1.Deployment).Spec.Replicas = new(int32(9)) }},
		{"the security context", "shop-bus", &appsv1.StatefulSet{}, func(o client.Object) {
			o.(*appsv1.StatefulSet).Spec.Template.Spec.SecurityContext.RunAsNonRoot = new(false)
		}},
		{"the configuration", "shop-config", &corev1.ConfigMap{}, func(o client.Object) { o.(*corev1.ConfigMap).Data["desk.json"] = "{}" }},
		{"knowledge content", "shop-knowledge-0", &corev1.ConfigMap{}, func(o client.Object) {
			o.(*corev1.ConfigMap).BinaryData["faq.0.json.gz"] = []byte("x")
		}},
		{"a rule added to a network policy", "shop-default", &networkingv1.NetworkPolicy{}, func(o client.Object) {
			policy := o.(*networkingv1.NetworkPolicy)
			policy.Spec.Ingress = append(policy.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{})
		}},
		{"a disruption budget", "shop-gateway", &policyv1.PodDisruptionBudget{}, func(o client.Object) {
			o.(*policyv1.PodDisruptionBudget).Spec.MaxUnavailable.IntVal = 2
		}},
		{"our labels", "shop-console", &corev1.Service{}, func(o client.Object) { o.SetLabels(nil) }},
		{"the owner reference", "shop-console", &corev1.Service{}, func(o client.Object) { o.SetOwnerReferences(nil) }},
		{"a Secret's labels", "shop-router", &corev1.Secret{}, func(o client.Object) { o.SetLabels(nil) }},
		{"a Secret's key", "shop-gateway", &corev1.Secret{}, func(o client.Object) { delete(o.(*corev1.Secret).Data, "contact-token.key") }},
	} {
		t.Run(row.what, func(t *testing.T) {
			edit(b, row.object, row.name, row.change)
			eventually.Nil(t, row.what+" is undone", func() error {
				if err := b.runWorkloads(); err != nil {
					return err
				}
				if diff := cmp.Diff(reference, b.state()); diff != "" {
					return errors.New(diff)
				}
				return nil
			})
		})
	}
}

func TestForeignObjectIsNeverTouched(t *testing.T) {
	for _, foreign := range []client.Object{
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "shop-config"}, Data: map[string]string{"theirs": "yes"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "shop-router"}, StringData: map[string]string{"theirs": "yes"}},
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "shop-gateway"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1}}}},
	} {
		t.Run(fmt.Sprintf("%T", foreign), func(t *testing.T) {
			b := newBench(t)
			foreign.SetNamespace(b.namespace)
			if err := b.client.Create(t.Context(), foreign); err != nil {
				t.Fatal(err)
			}
			b.apply(shop)
			b.startOperator()
			eventually.Nil(t, "condition NameConflict", func() error {
				return b.condition(v1alpha1.ConditionStalled, v1alpha1.ReasonNameConflict, foreign.GetName())
			})
			version := foreign.GetResourceVersion()
			if err := b.get(foreign, foreign.GetName()); err != nil {
				t.Fatal(err)
			}
			if foreign.GetResourceVersion() != version {
				t.Error("the foreign object was written")
			}
			if err := b.client.Delete(t.Context(), foreign); err != nil {
				t.Fatal(err)
			}
			// Nothing wakes us when an object goes that our cache never saw; a change of the desk does.
			b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.DisplayName = "Shop" })
			b.allReady()
		})
	}
}

// condition checks a condition of the desk.
func (b *bench) condition(kind, reason, names string) error {
	c := meta.FindStatusCondition(b.desk().Status.Conditions, kind)
	if c == nil || c.Status != metav1.ConditionTrue && kind != v1alpha1.ConditionReady || c.Reason != reason || !strings.Contains(c.Message, names) {
		return fmt.Errorf("condition %s is %+v, expected reason %s and a message with %q", kind, c, reason, names)
	}
	return nil
}

func TestMissingReferencesAreNamedAndHeal(t *testing.T) {
	b := newBench(t)
	objects := b.objects(shop)
	b.startOperator()
	// The desk comes first, what it names one by one after it.
	order := []client.Object{objects[1], objects[5], objects[3], objects[2], objects[4], objects[0]}
	for i, object := range order {
		if err := b.client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			eventually.Nil(t, "the missing policy is named", func() error {
				return b.condition(v1alpha1.ConditionReconciling, v1alpha1.ReasonReferenceMissing, "EscalationPolicy shop does not exist")
			})
		}
	}
	b.allReady()
}

func TestSuspendStopsTheOperator(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.Suspend, d.Gateway.Replicas = true, 5 })
	eventually.Nil(t, "Ready says Suspended", func() error { return b.condition(v1alpha1.ConditionReady, v1alpha1.ReasonSuspended, "spec.suspend") })
	gateway := &appsv1.Deployment{}
	if err := b.get(gateway, "shop-gateway"); err != nil || *gateway.Spec.Replicas != 2 {
		t.Fatalf("gateway has %d replicas (%v), a suspended desk must keep 2", *gateway.Spec.Replicas, err)
	}
	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.Suspend = false })
	eventually.Nil(t, "gateway is scaled", func() error {
		if err := b.get(gateway, "shop-gateway"); err != nil || *gateway.Spec.Replicas != 5 {
			return fmt.Errorf("gateway has %d replicas (%w)", *gateway.Spec.Replicas, err)
		}
		return nil
	})
}

func TestWhatIsNoLongerWantedGoes(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) {
		d.Gateway.Replicas = 1
		d.Exposure = &v1alpha1.Exposure{Type: v1alpha1.ExposureIngress, Host: "help.example.com"}
	})
	b.allReady()
	if err := b.get(&policyv1.PodDisruptionBudget{}, "shop-gateway"); !apierrors.IsNotFound(err) {
		t.Errorf("the budget of the only gateway is still there (%v): it would block node drains", err)
	}
	if err := b.get(&networkingv1.Ingress{}, "shop-web"); err != nil {
		t.Error(err)
	}
	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.Exposure = nil })
	b.allReady()
	if err := b.get(&networkingv1.Ingress{}, "shop-web"); !apierrors.IsNotFound(err) {
		t.Errorf("the Ingress is still there (%v)", err)
	}
}

func TestScaleSubresourceMovesOnlyReplicas(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	edit(b, &v1alpha1.AgentPool{}, "bots", func(p *v1alpha1.AgentPool) { p.Spec.Replicas = 7 })
	b.allReady()
	deployment := &appsv1.Deployment{}
	if err := b.get(deployment, "bots-worker"); err != nil || *deployment.Spec.Replicas != 7 {
		t.Fatalf("%d replicas (%v)", *deployment.Spec.Replicas, err)
	}
	for _, entry := range deployment.ManagedFields {
		if entry.Manager == v1alpha1.FieldOwner && strings.Contains(entry.FieldsV1.GetRawString(), "f:replicas") {
			t.Error("replicas belong to the renderer's field owner: the next apply would move them")
		}
	}
	// An image change rolls the workers and must keep their number.
	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.Image = "deskfleet:next" })
	b.allReady()
	if err := b.get(deployment, "bots-worker"); err != nil || *deployment.Spec.Replicas != 7 || deployment.Spec.Template.Spec.Containers[0].Image != "deskfleet:next" {
		t.Fatalf("%d replicas of %s (%v), expected 7 of deskfleet:next", *deployment.Spec.Replicas, deployment.Spec.Template.Spec.Containers[0].Image, err)
	}
}
