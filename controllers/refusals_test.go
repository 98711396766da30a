package controllers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/testing/apiserver"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// TestPodsPassPodSecurity: the API server itself admits the pods of every workload
// to a namespace that enforces the profile "restricted".
func TestPodsPassPodSecurity(t *testing.T) {
	b := newBench(t)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b.namespace}}
	enforce := []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`)
	if err := b.client.Patch(t.Context(), namespace, client.RawPatch("application/merge-patch+json", enforce)); err != nil {
		t.Fatal(err)
	}
	admit := func(spec corev1.PodSpec) error {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, GenerateName: "pod-"}, Spec: spec}
		return b.client.Create(t.Context(), pod, client.DryRunAll)
	}
	if err := admit(corev1.PodSpec{Containers: []corev1.Container{{Name: "root", Image: "root"}}}); err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
		t.Fatalf("a pod as root is refused with %v: the test proves nothing", err)
	}
	b.apply(shop)
	b.apply(strings.Replace(strings.NewReplacer("{name: shop}", "{name: corner}", "name: bots", "name: corner-bots", "name: people", "name: corner-people",
		"name: faq", "name: corner-faq").Replace(shop), "spec:\n", "spec:\n  profile: Compact\n", 1))
	b.startOperator()
	b.allReady()
	var deployments appsv1.DeploymentList
	var sets appsv1.StatefulSetList
	b.children(&deployments)
	b.children(&sets)
	for i := range deployments.Items {
		if err := admit(deployments.Items[i].Spec.Template.Spec); err != nil {
			t.Errorf("Deployment %s: %v", deployments.Items[i].Name, err)
		}
	}
	for i := range sets.Items {
		if err := admit(sets.Items[i].Spec.Template.Spec); err != nil && !strings.Contains(err.Error(), `"data"`) { // the volume of the claim template
			t.Errorf("StatefulSet %s: %v", sets.Items[i].Name, err)
		}
		spec := sets.Items[i].Spec.Template.Spec
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
		}})
		if err := admit(spec); err != nil {
			t.Errorf("StatefulSet %s: %v", sets.Items[i].Name, err)
		}
	}
	if n := len(deployments.Items) + len(sets.Items); n < 9 {
		t.Errorf("%d workloads, expected those of two desks", n)
	}
}

// forbid answers writes of a kind as an API server does that lacks the right.
func forbid(resource string) func(*http.Request) *http.Response {
	return func(request *http.Request) *http.Response {
		if request.Method == http.MethodGet || !strings.Contains(request.URL.Path, "/"+resource) {
			return nil
		}
		response := apiserver.Refuse(request, http.StatusForbidden, metav1.StatusReasonForbidden, 0)
		status := metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
			Message: fmt.Sprintf(`%s is forbidden: User "system:serviceaccount:deskfleet-system:manager" cannot patch resource %q in API group ""`, resource, resource)}
		body, _ := json.Marshal(status)
		response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return response
	}
}

// TestMissingRightIsNamed, the rest goes on, and it heals without a restart.
func TestMissingRightIsNamed(t *testing.T) {
	for _, right := range []string{"services", "deployments", "configmaps", "poddisruptionbudgets", "secrets"} {
		t.Run(right, func(t *testing.T) {
			b := newBench(t)
			b.startOperator()
			b.recorder.Fault(forbid(right))
			b.apply(shop)
			eventually.Nil(t, "the right is named", func() error {
				return b.condition(v1alpha1.ConditionReconciling, v1alpha1.ReasonForbidden, right+` is forbidden: User "system:serviceaccount:deskfleet-system:manager" cannot patch`)
			})
			b.idle()
			if right != "secrets" { // without them there is no configuration, which names the public keys
				for _, kind := range apply.DeskKinds() {
					name := kind.GroupVersionKind.Kind
					if made := len(b.children(kind.List)) > 0; made == (strings.EqualFold(name+"s", right)) && name != "Ingress" {
						t.Errorf("%s made: %t", name, made)
					}
				}
			}
			b.recorder.Fault(nil)
			b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.DisplayName = "Shop" }) // or a minute later
			b.editPool("bots", func(p *v1alpha1.AgentPoolSpec) { p.Concurrency = 7 })
			b.allReady()
		})
	}
}

func (b *bench) editPool(name string, change func(*v1alpha1.AgentPoolSpec)) {
	b.t.Helper()
	edit(b, &v1alpha1.AgentPool{}, name, func(p *v1alpha1.AgentPool) { change(&p.Spec) })
}

// TestQuotaIsNamed, and what fits is made.
func TestQuotaIsNamed(t *testing.T) {
	b := newBench(t)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "team"}}
	quota.Spec.Hard = corev1.ResourceList{"count/services": resource.MustParse("0")}
	if err := b.client.Create(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	quota.Status.Hard, quota.Status.Used = quota.Spec.Hard, corev1.ResourceList{"count/services": resource.MustParse("0")}
	if err := b.client.Status().Update(t.Context(), quota); err != nil { // as the quota controller does
		t.Fatal(err)
	}
	b.startOperator()
	b.apply(shop)
	eventually.Nil(t, "the quota is named", func() error {
		return b.condition(v1alpha1.ConditionReconciling, v1alpha1.ReasonQuotaExceeded, "exceeded quota: team")
	})
	b.idle()
	if names := b.children(&appsv1.DeploymentList{}); len(names) != 5 {
		t.Errorf("Deployments %v: those that fit must be made", names)
	}
	if err := b.client.Delete(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.DisplayName = "Shop" }) // or a minute later
	b.allReady()
}

// TestAutoscalerOwnsTheReplicas: an HPA writes them through /scale, and the
// operator neither writes them nor anything else of the spec.
func TestAutoscalerOwnsTheReplicas(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	pool := &v1alpha1.AgentPool{}
	if err := b.get(pool, "bots"); err != nil {
		t.Fatal(err)
	}
	(&desk{bench: b}).pods("bots-a") // as a ReplicaSet does, whose Deployment changes with it
	edit(b, &appsv1.Deployment{}, "bots-worker", func(d *appsv1.Deployment) { d.Labels["example.com/touched"] = "yes" })
	scale := &autoscalingv1.Scale{}
	eventually.Nil(t, "/scale says what an autoscaler computes with", func() error {
		if err := b.client.SubResource("scale").Get(t.Context(), pool, scale); err != nil {
			return err
		}
		if scale.Status.Replicas != 1 || scale.Spec.Replicas != 1 || scale.Status.Selector == "" {
			return fmt.Errorf("/scale says %+v %+v", scale.Spec, scale.Status)
		}
		return nil
	})
	scale.Spec.Replicas = 6
	if err := b.client.SubResource("scale").Update(t.Context(), pool, client.WithSubResourceBody(scale), client.FieldOwner("horizontal-pod-autoscaler")); err != nil {
		t.Fatal(err)
	}
	b.allReady()
	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.Image = "deskfleet:next" }) // renders everything anew
	b.allReady()
	deployment := &appsv1.Deployment{}
	if err := b.get(deployment, "bots-worker"); err != nil || *deployment.Spec.Replicas != 6 {
		t.Errorf("%d workers (%v), expected those of the autoscaler", *deployment.Spec.Replicas, err)
	}
	for _, write := range b.recorder.Writes() {
		if strings.Contains(write, "/deskfleet.dev/") && !strings.HasSuffix(write, "/status") {
			t.Errorf("the operator wrote a spec: %s", write)
		}
	}
	b.stopOperator()
	b.recorder.Reset()
	b.startOperator()
	b.idle()
	if writes := b.recorder.Writes(); len(writes) > 0 {
		t.Errorf("a new operator wrote:\n%s", strings.Join(writes, "\n"))
	}
}

// TestSuspendedPoolKeepsWhatRuns, its workers' number and their image.
func TestSuspendedPoolKeepsWhatRuns(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	b.editPool("bots", func(p *v1alpha1.AgentPoolSpec) { p.Suspend, p.Replicas = true, 9 })
	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.Image = "deskfleet:next" })
	eventually.Nil(t, "the pool is suspended", func() error {
		return b.readyWith(&v1alpha1.AgentPool{}, "bots", metav1.ConditionTrue, v1alpha1.ReasonSuspended)
	})
	b.allReady()
	deployment := &appsv1.Deployment{}
	if err := b.get(deployment, "bots-worker"); err != nil || *deployment.Spec.Replicas != 1 || deployment.Spec.Template.Spec.Containers[0].Image != "deskfleet:test" {
		t.Errorf("%d workers of %s (%v), a suspended pool must keep 1 of deskfleet:test", *deployment.Spec.Replicas, deployment.Spec.Template.Spec.Containers[0].Image, err)
	}
	b.editPool("bots", func(p *v1alpha1.AgentPoolSpec) { p.Suspend = false })
	eventually.Nil(t, "the pool is at work again", func() error {
		if err := b.get(deployment, "bots-worker"); err != nil || *deployment.Spec.Replicas != 9 || deployment.Spec.Template.Spec.Containers[0].Image != "deskfleet:next" {
			return fmt.Errorf("%d workers of %s (%w)", *deployment.Spec.Replicas, deployment.Spec.Template.Spec.Containers[0].Image, err)
		}
		return nil
	})
}

// TestDyingNamespaceIsLeftAlone: what its deletion takes away cannot be made
// again, and trying would only make noise.
func TestDyingNamespaceIsLeftAlone(t *testing.T) {
	b := newBench(t)
	b.apply(shop)
	b.startOperator()
	b.allReady()
	if err := b.client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b.namespace}}); err != nil {
		t.Fatal(err)
	}
	b.recorder.Reset()
	const service = "shop-console"
	if err := b.client.Delete(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: service}}); err != nil {
		t.Fatal(err)
	}
	eventually.Nil(t, "the operator waits", func() error {
		return b.condition(v1alpha1.ConditionReconciling, v1alpha1.ReasonProgressing, "the namespace is being deleted")
	})
	b.idle()
	attempts := 0
	for _, write := range b.recorder.Writes() {
		if strings.HasSuffix(write, "/services/"+service) {
			attempts++
		}
	}
	if attempts == 0 || attempts > 3 {
		t.Errorf("the Service was tried %d times:\n%s", attempts, strings.Join(b.recorder.Writes(), "\n"))
	}
	if created := b.recorder.Created(); len(created) > 0 {
		t.Errorf("made in a dying namespace: %v", created)
	}
}
