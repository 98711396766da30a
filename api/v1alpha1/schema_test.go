package v1alpha1_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/manifest/schema"
)

// door is what an object of one kind must pass: the validation that the binary carries, and beside it the
// API server's own strategy for custom resources, which must give the same verdict.
type door struct {
	kind   string
	schema *schema.Schema
	server interface {
		Validate(ctx context.Context, obj runtime.Object) field.ErrorList
		ValidateUpdate(ctx context.Context, obj, old runtime.Object) field.ErrorList
	}
}

func newDoor(t testing.TB, def *apiextensionsv1.CustomResourceDefinition) *door {
	t.Helper()
	s, err := schema.New(def)
	if err != nil {
		t.Fatal(err)
	}
	version := def.Spec.Versions[0]
	internal := &apiextensions.CustomResourceValidation{}
	if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(version.Schema, internal, nil); err != nil {
		t.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	ss, err := structural.NewStructural(internal.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	if err := defaulting.PruneDefaults(ss); err != nil {
		t.Fatal(err)
	}
	kind := def.Spec.Names.Kind
	// The scale subresource adds a lower bound of replicas, under a path with a leading dot; the schema's own is the same.
	return &door{kind: kind, schema: s, server: customresource.NewStrategy(nil, true, v1alpha1.SchemeGroupVersion.WithKind(kind),
		validator, nil, ss, &apiextensions.CustomResourceSubresourceStatus{}, nil, nil)}
}

// doors are the four kinds as they are generated.
func doors(t testing.TB) map[string]*door {
	t.Helper()
	all := map[string]*door{}
	for _, kind := range schema.Kinds() {
		s, err := schema.For(kind)
		if err != nil {
			t.Fatal(err)
		}
		all[kind] = newDoor(t, s.Definition())
	}
	return all
}

// object decodes the YAML of an object, of which metadata and the type may be left out, and completes it.
func (d *door) object(t testing.TB, text string) map[string]any {
	t.Helper()
	obj := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(text), &obj); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return d.complete(t, obj)
}

func (d *door) complete(t testing.TB, obj map[string]any) map[string]any {
	t.Helper()
	obj = runtime.DeepCopyJSON(jsonNumbers(obj).(map[string]any))
	obj["apiVersion"], obj["kind"] = v1alpha1.SchemeGroupVersion.String(), d.kind
	meta, _ := obj["metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{"name": "x"}
	}
	meta["namespace"] = "default"
	obj["metadata"] = meta
	unknown, err := d.schema.Complete(obj)
	if err != nil {
		t.Fatal(err)
	}
	if len(unknown) > 0 {
		t.Fatalf("the fixture has unknown fields: %v", unknown)
	}
	return obj
}

// ours are the errors of the validation that the binary carries, for an update of old if that is not empty.
func (d *door) ours(t testing.TB, text, old string) field.ErrorList {
	t.Helper()
	if old == "" {
		return d.schema.Validate(t.Context(), d.object(t, text))
	}
	return d.schema.ValidateUpdate(t.Context(), d.object(t, text), d.object(t, old))
}

// check is ours; it fails the test if the API server's strategy sees it differently.
func (d *door) check(t testing.TB, text, old string) field.ErrorList {
	t.Helper()
	if old == "" {
		obj := map[string]any{}
		if err := yaml.UnmarshalStrict([]byte(text), &obj); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		return d.checkObject(t, obj)
	}
	u := &unstructured.Unstructured{Object: d.object(t, text)}
	before := &unstructured.Unstructured{Object: d.object(t, old)}
	u.SetResourceVersion("1") // an update names the version that it changes
	before.SetResourceVersion("1")
	return sameVerdict(t, d.ours(t, text, old), d.server.ValidateUpdate(t.Context(), u, before))
}

// checkObject is check for a new object that is decoded but not completed.
func (d *door) checkObject(t testing.TB, obj map[string]any) field.ErrorList {
	t.Helper()
	obj = d.complete(t, obj)
	theirs := d.server.Validate(t.Context(), &unstructured.Unstructured{Object: runtime.DeepCopyJSON(obj)})
	return sameVerdict(t, d.schema.Validate(t.Context(), obj), theirs)
}

func sameVerdict(t testing.TB, ours, server field.ErrorList) field.ErrorList {
	t.Helper()
	if diff := cmp.Diff(verdicts(server), verdicts(ours)); diff != "" {
		t.Errorf("the API server's verdict differs from ours (-server +ours):\n%s", diff)
	}
	return ours
}

// verdicts renders errors without their values, in which we say less than the server where it says "object".
func verdicts(errs field.ErrorList) []string {
	set := map[string]bool{}
	for _, err := range errs {
		set[fmt.Sprintf("%s %s %s", err.Field, err.Type, err.Detail)] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// render gives errors as an author reads them.
func render(errs field.ErrorList) []string {
	var out []string
	for _, err := range errs {
		out = append(out, err.Error())
	}
	slices.Sort(out)
	return out
}

// jsonNumbers turns the numbers of decoded YAML into the types that the API server's decoder gives.
func jsonNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = jsonNumbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = jsonNumbers(v[i])
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	case int:
		return int64(v)
	}
	return v
}
