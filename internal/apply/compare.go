package apply

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// comparer tells whether a server-side apply would change anything, by the same
// typed values and field sets that the API server uses. An apply without effect
// costs the server as much as a write; this costs it nothing.
type comparer struct {
	converter managedfields.TypeConverter
}

func newComparer(scheme *runtime.Scheme) comparer {
	return comparer{converter: applyconfigurations.NewTypeConverter(scheme)}
}

// identity are fields that name an object and that no apply changes; a cached
// object has no apiVersion and kind.
var identity = fieldpath.NewSet(
	fieldpath.MakePathOrDie("apiVersion"),
	fieldpath.MakePathOrDie("kind"),
	fieldpath.MakePathOrDie("metadata", "name"),
	fieldpath.MakePathOrDie("metadata", "namespace"),
)

// difference names the fields that live lacks or has otherwise than wanted, or
// that owner applied before and wants no longer; it is empty when an apply
// would change nothing.
func (c comparer) difference(wanted *unstructured.Unstructured, live client.Object, owner string) (string, error) {
	owned, err := ownedFields(live, owner)
	if err != nil {
		return "", err
	}
	if owned == nil {
		return "never applied", nil
	}
	typedWanted, err := c.converter.ObjectToTyped(wanted)
	if err != nil {
		// A kind that client-go does not know, such as HTTPRoute.
		return untyped(wanted, live, owned)
	}
	typedLive, err := c.converter.ObjectToTyped(plain(live))
	if err != nil {
		return "", fmt.Errorf("compare %s %s: %w", wanted.GetKind(), wanted.GetName(), err)
	}
	fields, err := typedWanted.ToFieldSet()
	if err != nil {
		return "", fmt.Errorf("fields of %s %s: %w", wanted.GetKind(), wanted.GetName(), err)
	}
	if former := owned.Difference(fields.Union(identity)); !former.Empty() {
		return former.String(), nil
	}
	compared, err := typedWanted.Compare(typedLive.ExtractItems(fields, typed.WithAppendKeyFields()))
	if err != nil {
		return "", fmt.Errorf("compare %s %s: %w", wanted.GetKind(), wanted.GetName(), err)
	}
	changed := compared.Modified.Union(compared.Removed).Union(compared.Added).Difference(identity)
	return changed.String(), nil
}

// untyped compares objects of a kind whose schema is not known here: maps field
// by field, lists whole.
func untyped(wanted *unstructured.Unstructured, live client.Object, owned *fieldpath.Set) (string, error) {
	there, ok := live.(*unstructured.Unstructured)
	if !ok {
		return "", fmt.Errorf("compare %s %s: the live object is a %T", wanted.GetKind(), wanted.GetName(), live)
	}
	fields, changed := fieldpath.NewSet(), fieldpath.NewSet()
	walk(wanted.Object, there.Object, nil, fields, changed)
	former := fieldpath.NewSet()
	owned.Difference(identity).Iterate(func(path fieldpath.Path) {
		// The API server, which knows the schema, notes the owner of each element of a list.
		for i := 1; i <= len(path); i++ {
			if fields.Has(path[:i]) {
				return
			}
		}
		former.Insert(path.Copy())
	})
	return changed.Union(former).Difference(identity).String(), nil
}

// walk collects the fields of wanted, and those of them that live lacks or has otherwise.
func walk(wanted map[string]any, live any, at fieldpath.Path, fields, changed *fieldpath.Set) {
	there, _ := live.(map[string]any) // anything else has none of the fields
	for name, value := range wanted {
		path := append(at.Copy(), fieldpath.PathElement{FieldName: &name})
		if inner, isMap := value.(map[string]any); isMap {
			walk(inner, there[name], path, fields, changed)
			continue
		}
		fields.Insert(path)
		if !equality.Semantic.DeepEqual(value, there[name]) {
			changed.Insert(path)
		}
	}
}

// plain drops kind and version from the claim templates of a StatefulSet. The
// API server has them in JSON and leaves them out in protobuf, and the list of
// templates is compared whole.
func plain(live client.Object) client.Object {
	set, ok := live.(*appsv1.StatefulSet)
	if !ok {
		return live
	}
	set = set.DeepCopy()
	for i := range set.Spec.VolumeClaimTemplates {
		set.Spec.VolumeClaimTemplates[i].TypeMeta = metav1.TypeMeta{}
	}
	return set
}

// ownedFields are the fields that owner applied; nil when it never did.
func ownedFields(live client.Object, owner string) (*fieldpath.Set, error) {
	for _, entry := range live.GetManagedFields() {
		if entry.Manager != owner || entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		set := &fieldpath.Set{}
		if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
			return nil, fmt.Errorf("managed fields of %s: %w", live.GetName(), err)
		}
		return set, nil
	}
	return nil, nil
}
