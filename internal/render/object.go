package render

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Owner is the object that children belong to: their controller reference
// points at it, so that they are deleted with it.
type Owner struct {
	Kind      string
	Namespace string
	Name      string
	UID       types.UID
}

func (o Owner) reference() *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(v1alpha1.SchemeGroupVersion.String()).
		WithKind(o.Kind).WithName(o.Name).WithUID(o.UID).
		WithController(true).WithBlockOwnerDeletion(true)
}

// labels of a child of a desk; component is its role.
func labels(desk string, component runtimeconfig.Role) map[string]string {
	l := map[string]string{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedByDeskfleet,
		v1alpha1.LabelName:      v1alpha1.ManagedByDeskfleet,
		v1alpha1.LabelInstance:  labelValue(desk),
		v1alpha1.LabelDesk:      labelValue(desk),
	}
	if component != "" {
		l[v1alpha1.LabelComponent] = string(component)
	}
	return l
}

// deskSelector selects all pods of a desk, those of its bot pools too.
func deskSelector(desk string) map[string]string {
	return map[string]string{v1alpha1.LabelDesk: labelValue(desk)}
}

// selector selects the pods of one role of a desk. Selectors of workloads are
// immutable: this set never changes.
func selector(desk string, component runtimeconfig.Role) map[string]string {
	return map[string]string{
		v1alpha1.LabelDesk:      labelValue(desk),
		v1alpha1.LabelComponent: string(component),
	}
}

// unstructuredOf converts a typed apply configuration, which holds exactly the
// fields that we have an opinion on.
func unstructuredOf(applyConfiguration any) *unstructured.Unstructured {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(applyConfiguration)
	if err != nil {
		// The generated types convert by construction; a failure is a programming error that every golden test shows.
		panic(fmt.Sprintf("convert %T: %v", applyConfiguration, err))
	}
	return &unstructured.Unstructured{Object: content}
}

// sorted orders objects by kind and name, so that two renderings of the same
// input are equal byte by byte.
func sorted(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	slices.SortFunc(objects, func(a, b *unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(a.GetKind(), b.GetKind()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return objects
}
