package apply

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/status"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

func itemsOf(t *testing.T, list client.ObjectList) []client.Object {
	t.Helper()
	items, err := meta.ExtractList(list)
	if err != nil {
		t.Fatal(err)
	}
	objects := make([]client.Object, 0, len(items))
	for _, item := range items {
		objects = append(objects, item.(client.Object))
	}
	return objects
}

// withRoutes waits until the API server knows HTTPRoute.
func (r *rig) withRoutes() {
	r.t.Helper()
	if _, err := envtest.InstallCRDs(cluster, envtest.CRDInstallOptions{Paths: []string{"testdata/httproute-crd.yaml"}}); err != nil {
		r.t.Fatal(err)
	}
	eventually.Nil(r.t, "HTTPRoute is served", func() error {
		list := HTTPRouteKind().List.DeepCopyObject().(client.ObjectList)
		return r.client.List(r.t.Context(), list)
	})
}

// TestMissingKind: what a cluster lacks is waited for, and found when it comes. The
// controller is woken then; an owner that comes again by itself would ask in vain.
func TestMissingKind(t *testing.T) {
	r := newRig(t)
	route := one(t, r.children("../render/testdata/httproute.in.yaml"), "HTTPRoute", "shop-web")
	route.SetAPIVersion("later.example.com/v1") // other tests install the Gateway API
	apply := func() error {
		return r.Apply(t.Context(), r.owner, DeskKinds(), Live{}, []*unstructured.Unstructured{route})
	}
	var waiting *status.WaitingError
	if err := apply(); !errors.As(err, &waiting) || waiting.Reason != v1alpha1.ReasonReferenceMissing || waiting.After != 0 ||
		!strings.Contains(waiting.Message, "the cluster has no kind HTTPRoute.later.example.com: install it, or change spec.exposure.type") {
		t.Fatalf("%v", err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "httproutes.later.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "later.example.com", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Kind: "HTTPRoute", ListKind: "HTTPRouteList", Plural: "httproutes", Singular: "httproute"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: new(true),
				}},
			}},
		},
	}
	if _, err := envtest.InstallCRDs(cluster, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{crd}}); err != nil {
		t.Fatal(err)
	}
	eventually.Nil(t, "the route is made once its kind is there", apply)
}

// TestNothingDiffersAfterOneApply for every child of every golden case: the API
// server's defaults, its canonical forms and its two encodings are no difference.
func TestNothingDiffersAfterOneApply(t *testing.T) {
	newRig(t).withRoutes()
	kinds := append(DeskKinds(), HTTPRouteKind())
	for _, file := range cases(t) {
		t.Run(file, func(t *testing.T) {
			r := newRig(t)
			children := r.children(file)
			answered := Live{}
			if err := r.Apply(t.Context(), r.owner, kinds, answered, children); err != nil {
				t.Fatal(err)
			}
			live := r.live(kinds)
			if len(live) != len(children) {
				t.Fatalf("%d children, %d objects", len(children), len(live))
			}
			r.recorder.Reset()
			for what, now := range map[string]Live{"what the cache shows": live, "what was answered": answered, "nothing in the cache": {}} {
				if err := r.Apply(t.Context(), r.owner, kinds, now, children); err != nil {
					t.Fatal(err)
				}
				if writes := r.recorder.Writes(); len(writes) > 0 {
					t.Errorf("compared with %s, a second apply wrote:\n%s", what, strings.Join(writes, "\n"))
				}
				r.recorder.Reset()
			}
		})
	}
}

// TestEveryChangeByHandIsFound changes and removes each field that we set, one by
// one, in each child of the full desk.
func TestEveryChangeByHandIsFound(t *testing.T) {
	r := newRig(t)
	r.withRoutes()
	kinds := append(DeskKinds(), HTTPRouteKind())
	for _, file := range []string{"../render/testdata/full.in.yaml", "../render/testdata/httproute.in.yaml"} {
		r := newRig(t)
		children := r.children(file)
		if err := r.Apply(t.Context(), r.owner, kinds, Live{}, children); err != nil {
			t.Fatal(err)
		}
		tried := 0
		for _, child := range children {
			there := &unstructured.Unstructured{}
			there.SetGroupVersionKind(child.GroupVersionKind())
			if err := r.get(there, child.GetName()); err != nil {
				t.Fatal(err)
			}
			for _, path := range leaves(child.Object, nil) {
				if identifies(path) {
					continue
				}
				for what, change := range map[string]func(any) any{"changed": other, "removed": func(any) any { return nil }} {
					edited := there.DeepCopy()
					if !set(edited.Object, path, change) {
						t.Fatalf("%s %s has no %v", child.GetKind(), child.GetName(), path)
					}
					difference, err := r.comparer.difference(child, edited, v1alpha1.FieldOwner)
					if err != nil {
						t.Fatal(err)
					}
					if difference == "" {
						t.Errorf("%s %s: %v is %s, and no difference is found", child.GetKind(), child.GetName(), path, what)
					}
					tried++
				}
			}
		}
		t.Logf("%s: %d changes", file, tried)
	}
}

// leaves are the paths of all values in an object.
func leaves(value any, at []any) [][]any {
	var paths [][]any
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			paths = append(paths, leaves(v[key], append(slices.Clip(at), key))...)
		}
	case []any:
		for i := range v {
			paths = append(paths, leaves(v[i], append(slices.Clip(at), i))...)
		}
	default:
		paths = append(paths, at)
	}
	return paths
}

// identifies reports whether a path leads to what names the object, or an owner.
func identifies(path []any) bool {
	switch text := fmt.Sprint(path...); {
	case text == "apiVersion", text == "kind", text == "metadataname", text == "metadatanamespace":
		return true
	default:
		return false
	}
}

// other is another valid value.
func other(value any) any {
	switch v := value.(type) {
	case string:
		if strings.HasSuffix(v, "Gi") || strings.HasSuffix(v, "Mi") || strings.HasSuffix(v, "m") || v == "1" || v == "2" || v == "4" {
			return "17"
		}
		return v + "x"
	case bool:
		return !v
	case int64:
		return v + 1
	default:
		panic(fmt.Sprintf("%T is no leaf", value))
	}
}

// set replaces the value at a path; nil removes it.
func set(object any, path []any, change func(any) any) bool {
	for i, step := range path {
		last := i == len(path)-1
		switch parent := object.(type) {
		case map[string]any:
			key := step.(string)
			value, there := parent[key]
			if !there {
				return false
			}
			if last {
				if parent[key] = change(value); parent[key] == nil {
					delete(parent, key)
				}
				return true
			}
			object = value
		case []any:
			index := step.(int)
			if index >= len(parent) {
				return false
			}
			if last {
				if parent[index] = change(parent[index]); parent[index] == nil {
					parent[index] = "gone"
				}
				return true
			}
			object = parent[index]
		default:
			return false
		}
	}
	return false
}

// TestFieldsOfOthersAreNoDifference: what meshes, autoscalers and people add to a child stays.
func TestFieldsOfOthersAreNoDifference(t *testing.T) {
	r := newRig(t)
	children := r.children("../render/testdata/full.in.yaml")
	gateway := one(t, children, "Deployment", "shop-gateway")
	if err := r.Apply(t.Context(), r.owner, DeskKinds(), Live{}, []*unstructured.Unstructured{gateway}); err != nil {
		t.Fatal(err)
	}
	there := &unstructured.Unstructured{}
	there.SetGroupVersionKind(gateway.GroupVersionKind())
	if err := r.get(there, "shop-gateway"); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		path  []string
		value any
	}{
		{[]string{"metadata", "labels", "example.com/team"}, "a"},
		{[]string{"metadata", "annotations", "example.com/note"}, "b"},
		{[]string{"spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt"}, "now"},
		{[]string{"spec", "minReadySeconds"}, int64(5)},
		{[]string{"spec", "template", "spec", "priorityClassName"}, "high"},
	} {
		if err := unstructured.SetNestedField(there.Object, row.value, row.path...); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.client.Update(t.Context(), there); err != nil {
		t.Fatal(err)
	}
	r.recorder.Reset()
	if err := r.Apply(t.Context(), r.owner, DeskKinds(), r.live(DeskKinds()), []*unstructured.Unstructured{gateway}); err != nil {
		t.Fatal(err)
	}
	if writes := r.recorder.Writes(); len(writes) > 0 {
		t.Errorf("fields of others were taken for a difference:\n%s", strings.Join(writes, "\n"))
	}
}
