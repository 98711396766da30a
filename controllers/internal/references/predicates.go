package references

import (
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

// SpecOrMetadataChanged passes updates of children that may be an edit by hand:
// not those of their status, which other controllers write all the time.
var SpecOrMetadataChanged = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	was, is := e.ObjectOld, e.ObjectNew
	return was.GetGeneration() != is.GetGeneration() ||
		!equality.Semantic.DeepEqual(was.GetLabels(), is.GetLabels()) ||
		!equality.Semantic.DeepEqual(was.GetAnnotations(), is.GetAnnotations()) ||
		!equality.Semantic.DeepEqual(was.GetOwnerReferences(), is.GetOwnerReferences()) ||
		// Kinds without a generation: any change may be one of content.
		is.GetGeneration() == 0
}}

// RevisionChanged passes updates of knowledge bases and policies that change
// what a desk runs: a new spec, or a new good revision.
var RevisionChanged = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() || revision(e.ObjectOld) != revision(e.ObjectNew)
}}

type good struct {
	revision   string
	generation int64
}

func revision(object client.Object) good {
	switch o := object.(type) {
	case *v1alpha1.KnowledgeBase:
		return good{revision: o.Status.Revision}
	case *v1alpha1.EscalationPolicy:
		return good{generation: o.Status.LastGoodGeneration}
	default:
		return good{}
	}
}
