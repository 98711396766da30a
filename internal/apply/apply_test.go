package apply

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/status"
)

// masked is an object without what the API server made of it.
func masked(t *testing.T, object client.Object) string {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var content map[string]any
	if err := json.Unmarshal(data, &content); err != nil {
		t.Fatal(err)
	}
	delete(content, "status")
	m := content["metadata"].(map[string]any)
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "namespace", "ownerReferences"} {
		delete(m, field)
	}
	if spec, ok := content["spec"].(map[string]any); ok {
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
	}
	if data, err = json.MarshalIndent(content, "", " "); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), object.GetNamespace(), "NAMESPACE")
}

func all(t *testing.T, live Live) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for key, object := range live {
		texts[key.Kind+" "+key.Name] = masked(t, object)
	}
	return texts
}

// TestChangeLeavesNoTrace: a desk that was something else before is no other than one that was made so.
func TestChangeLeavesNoTrace(t *testing.T) {
	newRig(t).withRoutes()
	kinds := append(DeskKinds(), HTTPRouteKind())
	files := []string{"../render/testdata/ingress.in.yaml", "../render/testdata/httproute.in.yaml", "../render/testdata/resources.in.yaml"}
	for _, from := range files {
		for _, to := range files {
			t.Run(from[len("../render/testdata/"):]+" to "+to[len("../render/testdata/"):], func(t *testing.T) {
				fresh, changed := newRig(t), newRig(t)
				if err := fresh.Apply(t.Context(), fresh.owner, kinds, Live{}, fresh.children(to)); err != nil {
					t.Fatal(err)
				}
				for _, file := range []string{from, to} {
					if err := changed.Apply(t.Context(), changed.owner, kinds, changed.live(kinds), changed.children(file)); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(all(t, fresh.live(kinds)), all(t, changed.live(kinds))); diff != "" {
					t.Errorf("(-made so +changed to it):\n%s", diff)
				}
			})
		}
	}
}

// TestOurs is the table of who may be written.
func TestOurs(t *testing.T) {
	owner := Owner{Kind: v1alpha1.KindServiceDesk, Object: &v1alpha1.ServiceDesk{ObjectMeta: metav1.ObjectMeta{Name: "shop", UID: "us"}}}
	reference := func(kind, name string, uid types.UID, controller bool) *metav1.OwnerReference {
		return &metav1.OwnerReference{Kind: kind, Name: name, UID: uid, Controller: &controller}
	}
	for _, row := range []struct {
		name      string
		reference *metav1.OwnerReference
		mark      string
		ours      bool
		waits     bool
		says      string
	}{
		{name: "our child", reference: reference("ServiceDesk", "shop", "us", true), mark: "ServiceDesk/shop", ours: true},
		{name: "our child, unmarked", reference: reference("ServiceDesk", "shop", "us", true), ours: true},
		{name: "our child, marked as another's", reference: reference("ServiceDesk", "shop", "us", true), mark: "ServiceDesk/other", ours: true},
		{name: "our child without its reference", mark: "ServiceDesk/shop", ours: true},
		{name: "our child with somebody's plain reference", reference: reference("Thing", "x", "x", false), mark: "ServiceDesk/shop", ours: true},
		{name: "a child of our predecessor", reference: reference("ServiceDesk", "shop", "before", true), mark: "ServiceDesk/shop", waits: true, says: "ConfigMap c of the former ServiceDesk/shop is being deleted"},
		{name: "a child of our predecessor, unmarked", reference: reference("ServiceDesk", "shop", "before", true), says: "it belongs to ServiceDesk shop"},
		{name: "nobody's", says: "ConfigMap c exists and is not ours (it belongs to nobody): delete or rename it, or choose another name for this object"},
		{name: "nobody's, marked as another's", mark: "ServiceDesk/other", says: "it belongs to nobody"},
		{name: "a pool's of our name", mark: "AgentPool/shop", says: "it belongs to nobody"},
		{name: "another desk's", reference: reference("ServiceDesk", "other", "them", true), mark: "ServiceDesk/other", says: "it belongs to ServiceDesk other"},
		{name: "another controller's with our mark", reference: reference("Deployment", "shop", "them", true), mark: "ServiceDesk/shop", says: "it belongs to Deployment shop"},
	} {
		t.Run(row.name, func(t *testing.T) {
			there := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c"}}
			if row.reference != nil {
				there.OwnerReferences = []metav1.OwnerReference{*row.reference}
			}
			if row.mark != "" {
				there.Annotations = map[string]string{ownerAnnotation: row.mark}
			}
			err := ours(owner, there, "ConfigMap")
			var waiting *status.WaitingError
			var terminal *status.TerminalError
			switch {
			case row.ours:
				if err != nil {
					t.Error(err)
				}
			case row.waits:
				if !errors.As(err, &waiting) || waiting.Message != row.says {
					t.Errorf("%v", err)
				}
			case !errors.As(err, &terminal) || terminal.Reason != v1alpha1.ReasonNameConflict || !strings.Contains(terminal.Message, row.says):
				t.Errorf("%v", err)
			case terminal.After == 0:
				t.Error("it is never looked at again, although no watch sees that the object goes")
			}
		})
	}
}

// configMap is a wanted child.
func (r *rig) configMap(name, value string) *unstructured.Unstructured {
	c := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{"key": value}}}
	c.SetAPIVersion("v1")
	c.SetKind("ConfigMap")
	c.SetNamespace(r.namespace)
	c.SetName(name)
	c.SetLabels(map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByDeskfleet})
	c.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(r.owner.Object, v1alpha1.SchemeGroupVersion.WithKind(r.owner.Kind))})
	return c
}

func (r *rig) applied(name, value string) *corev1.ConfigMap {
	r.t.Helper()
	if err := r.Apply(r.t.Context(), r.owner, nil, Live{}, []*unstructured.Unstructured{r.configMap(name, value)}); err != nil {
		r.t.Fatal(err)
	}
	c := &corev1.ConfigMap{}
	if err := r.get(c, name); err != nil {
		r.t.Fatal(err)
	}
	c.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	return c
}

func liveOf(objects ...client.Object) Live {
	live := Live{}
	for _, o := range objects {
		live[Key{Kind: o.GetObjectKind().GroupVersionKind().Kind, Name: o.GetName()}] = o
	}
	return live
}

// TestPruneDeletesOnlyWhatItLookedAt: between the look and the deletion the object
// may have changed hands, or be another one.
func TestPruneDeletesOnlyWhatItLookedAt(t *testing.T) {
	r := newRig(t)
	kinds := []Kind{kind(corev1.SchemeGroupVersion, "ConfigMap", &corev1.ConfigMap{}, &corev1.ConfigMapList{})}
	seen := r.applied("changed", "1")
	changed := seen.DeepCopy()
	changed.OwnerReferences = nil
	if err := r.client.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(t.Context(), r.owner, kinds, liveOf(seen), nil); !apierrors.IsConflict(err) {
		t.Errorf("deleting what changed since: %v, expected a conflict", err)
	}

	former := r.applied("replaced", "1")
	if err := r.client.Delete(t.Context(), former); err != nil {
		t.Fatal(err)
	}
	successor := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "replaced"}}
	if err := r.client.Create(t.Context(), successor); err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(t.Context(), r.owner, kinds, liveOf(former), nil); !apierrors.IsConflict(err) {
		t.Errorf("deleting the successor: %v, expected a conflict", err)
	}
	for _, name := range []string{"changed", "replaced"} {
		if err := r.get(&corev1.ConfigMap{}, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	gone := r.applied("gone", "1")
	if err := r.client.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	unwanted, kept := r.applied("unwanted", "1"), r.applied("kept", "1")
	live := liveOf(gone, unwanted, kept)
	if err := r.Apply(t.Context(), r.owner, kinds, live, nil, Key{Kind: "ConfigMap", Name: "kept"}); err != nil {
		t.Fatal(err)
	}
	if err := r.get(&corev1.ConfigMap{}, "unwanted"); !apierrors.IsNotFound(err) {
		t.Errorf("unwanted: %v", err)
	}
	if err := r.get(&corev1.ConfigMap{}, "kept"); err != nil {
		t.Errorf("kept: %v", err)
	}
	if len(live) != 1 {
		t.Errorf("live still holds %v", live)
	}
}

// TestNothingIsPrunedOfAKindThatFailed: what replaces it is not there yet.
func TestNothingIsPrunedOfAKindThatFailed(t *testing.T) {
	r := newRig(t)
	kinds := []Kind{kind(corev1.SchemeGroupVersion, "ConfigMap", &corev1.ConfigMap{}, &corev1.ConfigMapList{})}
	old := r.applied("old", "1")
	foreign := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "new"}}
	if err := r.client.Create(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	var terminal *status.TerminalError
	if err := r.Apply(t.Context(), r.owner, kinds, liveOf(old), []*unstructured.Unstructured{r.configMap("new", "2")}); !errors.As(err, &terminal) {
		t.Fatalf("%v", err)
	}
	if err := r.get(&corev1.ConfigMap{}, "old"); err != nil {
		t.Errorf("the old one is gone although the new one could not be made: %v", err)
	}
}

// TestWhatWasLookedAtIsWritten and nothing else: the child may be gone, or another
// object may have its name by now.
func TestWhatWasLookedAtIsWritten(t *testing.T) {
	r := newRig(t)
	seen := r.applied("c", "1")
	if err := r.client.Delete(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	apply := func() error {
		return r.Apply(t.Context(), r.owner, nil, liveOf(seen.DeepCopy()), []*unstructured.Unstructured{r.configMap("c", "2")})
	}
	if err := apply(); !apierrors.IsConflict(err) {
		t.Errorf("updating what is gone: %v, expected a conflict", err)
	}
	foreign := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "c"}, Data: map[string]string{"theirs": "yes"}}
	if err := r.client.Create(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	if err := apply(); !apierrors.IsConflict(err) {
		t.Errorf("updating the successor: %v, expected a conflict", err)
	}
	if err := r.get(foreign, "c"); err != nil || len(foreign.Data) != 1 || foreign.Data["theirs"] != "yes" {
		t.Errorf("the foreign object is %v (%v)", foreign.Data, err)
	}
}

// TestLiveIsWhatWasAnswered, so that a rollout which has just begun is seen.
func TestLiveIsWhatWasAnswered(t *testing.T) {
	r := newRig(t)
	children := r.children("../render/testdata/minimal.in.yaml")
	gateway := one(t, children, "Deployment", "hello-gateway")
	live := Live{}
	for _, image := range []string{"deskfleet:1", "deskfleet:2"} {
		containers, _, err := unstructured.NestedSlice(gateway.Object, "spec", "template", "spec", "containers")
		if err != nil {
			t.Fatal(err)
		}
		containers[0].(map[string]any)["image"] = image
		if err := unstructured.SetNestedSlice(gateway.Object, containers, "spec", "template", "spec", "containers"); err != nil {
			t.Fatal(err)
		}
		if err := r.Apply(t.Context(), r.owner, DeskKinds(), live, []*unstructured.Unstructured{gateway}); err != nil {
			t.Fatal(err)
		}
		deployment := Get[*appsv1.Deployment](live, "Deployment", "hello-gateway")
		if deployment == nil || deployment.Spec.Template.Spec.Containers[0].Image != image || deployment.UID == "" {
			t.Fatalf("live holds %v", deployment)
		}
		if a := status.Count([]client.Object{deployment}); a.Available != 0 {
			t.Error("a Deployment that no controller has seen counts as available")
		}
		deployment.Status = appsv1.DeploymentStatus{ObservedGeneration: deployment.Generation, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}
		if err := r.client.Status().Update(t.Context(), deployment); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReplicasAreScaledByAnOwnerOfTheirOwn, who makes nothing.
func TestReplicasAreScaledByAnOwnerOfTheirOwn(t *testing.T) {
	r := newRig(t)
	pool := one(t, r.children("../render/testdata/minimal.in.yaml"), "Deployment", "hello-bots-worker")
	live := Live{}
	scale := func(n int32) error { return r.Replicas(t.Context(), live, r.namespace, "hello-bots", n) }
	if err := scale(3); err != nil {
		t.Fatalf("without a Deployment: %v", err)
	}
	if err := r.Apply(t.Context(), r.owner, PoolKinds(), live, []*unstructured.Unstructured{pool}); err != nil {
		t.Fatal(err)
	}
	if err := scale(3); err != nil {
		t.Fatal(err)
	}
	// Neither the next rendering nor the same number moves it.
	r.recorder.Reset()
	if err := errors.Join(r.Apply(t.Context(), r.owner, PoolKinds(), live, []*unstructured.Unstructured{pool}), scale(3)); err != nil || len(r.recorder.Writes()) > 0 {
		t.Errorf("%v, writes %v", err, r.recorder.Writes())
	}
	deployment := &appsv1.Deployment{}
	if err := r.get(deployment, "hello-bots-worker"); err != nil || *deployment.Spec.Replicas != 3 {
		t.Fatalf("%d replicas (%v)", *deployment.Spec.Replicas, err)
	}
	for _, entry := range deployment.ManagedFields {
		fields := entry.FieldsV1.GetRawString()
		if owns := strings.Contains(fields, `"f:replicas"`); owns != (entry.Manager == v1alpha1.FieldOwnerScaling) && entry.Subresource == "" {
			t.Errorf("%s owns %s", entry.Manager, fields)
		}
		if entry.Manager == v1alpha1.FieldOwnerScaling && fields != `{"f:spec":{"f:replicas":{}}}` {
			t.Errorf("the owner of the replicas owns %s", fields)
		}
	}
	if err := r.client.Delete(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	if err := scale(5); !apierrors.IsConflict(err) {
		t.Errorf("scaling what is gone: %v, expected a conflict", err)
	}
	if err := r.get(deployment, "hello-bots-worker"); !apierrors.IsNotFound(err) {
		t.Errorf("the Deployment is there again (%v)", err)
	}
}

func (r *rig) secret(value string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.namespace, Name: "shop-router", Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByDeskfleet},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(r.owner.Object, v1alpha1.SchemeGroupVersion.WithKind(r.owner.Kind))},
		},
		Data: map[string][]byte{"seed": []byte(value)},
	}
}

// TestSecretIsMadeOnce although several reconciles find it missing: two with keys
// of their own would sign each other off.
func TestSecretIsMadeOnce(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		wg.Go(func() { results[i] = r.Secret(t.Context(), r.owner, r.secret(string(rune('a'+i))), false) })
	}
	wg.Wait()
	won := -1
	for i, err := range results {
		var waiting *status.WaitingError
		switch {
		case err == nil && won < 0:
			won = i
		case !errors.As(err, &waiting):
			t.Errorf("%v", err)
		}
	}
	stored := &corev1.Secret{}
	if err := r.get(stored, "shop-router"); err != nil || won < 0 || string(stored.Data["seed"]) != string(rune('a'+won)) {
		t.Errorf("stored is %q (%v), the one that won is %d", stored.Data["seed"], err, won)
	}
}

// TestSecretThatTheCacheDoesNotShow is ours where it says so, and is never overwritten.
func TestSecretThatTheCacheDoesNotShow(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*corev1.Secret)
		marked bool
	}{
		{"made a moment ago", func(*corev1.Secret) {}, true},
		{"its labels are gone", func(s *corev1.Secret) { s.Labels = map[string]string{"example.com/mine": "yes"} }, true},
		{"its reference is gone", func(s *corev1.Secret) { s.OwnerReferences = nil }, true},
		{"everything is gone", func(s *corev1.Secret) { s.OwnerReferences, s.Labels, s.Annotations = nil, nil, nil }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			if err := r.Secret(t.Context(), r.owner, r.secret("first"), false); err != nil {
				t.Fatal(err)
			}
			stored := &corev1.Secret{}
			if err := r.get(stored, "shop-router"); err != nil {
				t.Fatal(err)
			}
			row.change(stored)
			if err := r.client.Update(t.Context(), stored); err != nil {
				t.Fatal(err)
			}
			err := r.Secret(t.Context(), r.owner, r.secret("second"), false)
			var waiting *status.WaitingError
			var terminal *status.TerminalError
			if row.marked && !errors.As(err, &waiting) || !row.marked && (!errors.As(err, &terminal) || terminal.Reason != v1alpha1.ReasonNameConflict) {
				t.Errorf("%v", err)
			}
			if err := r.get(stored, "shop-router"); err != nil || string(stored.Data["seed"]) != "first" {
				t.Errorf("stored is %q (%v)", stored.Data["seed"], err)
			}
			if again := metav1.IsControlledBy(stored, r.owner.Object) && stored.Labels[v1alpha1.LabelManagedBy] != ""; again != row.marked {
				t.Errorf("marked as ours: %t, labels %v", again, stored.Labels)
			}
		})
	}
}

// TestSecretKeepsWhatOthersAdded to its metadata when it is renewed.
func TestSecretKeepsWhatOthersAdded(t *testing.T) {
	r := newRig(t)
	if err := r.Secret(t.Context(), r.owner, r.secret("first"), false); err != nil {
		t.Fatal(err)
	}
	stored := &corev1.Secret{}
	if err := r.get(stored, "shop-router"); err != nil {
		t.Fatal(err)
	}
	stored.Annotations["example.com/note"] = "kept"
	stored.Data["seed"] = []byte("second")
	if err := r.Secret(t.Context(), r.owner, stored, true); err != nil {
		t.Fatal(err)
	}
	if err := r.get(stored, "shop-router"); err != nil || stored.Annotations["example.com/note"] != "kept" || stored.Annotations[ownerAnnotation] != "ServiceDesk/shop" {
		t.Errorf("annotations %v (%v)", stored.Annotations, err)
	}
	// A renewal from a stale cache must not undo a newer one.
	stored.ResourceVersion = "1"
	if err := r.Secret(t.Context(), r.owner, stored, true); !apierrors.IsConflict(err) {
		t.Errorf("an update of an old version: %v, expected a conflict", err)
	}
}

// TestRenderedReplicasAreOnlyReplicas: the scaling owner must not come to own a template.
func TestRenderedReplicasAreOnlyReplicas(t *testing.T) {
	wanted := render.PoolReplicas("tenant", "bots", 0)
	spec, _, _ := unstructured.NestedMap(wanted.Object, "spec")
	if diff := cmp.Diff(map[string]any{"replicas": int64(0)}, spec); diff != "" {
		t.Error(diff)
	}
}
