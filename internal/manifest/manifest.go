// Package manifest reads the YAML and JSON that describe desks, without a
// cluster: it decodes strictly, sets the defaults and applies the very checks
// of the API server (package schema), and gives typed objects or every error of
// every object with file, line and field. Where kubectl and the server would
// take a manifest, so does this package, and the other way round, with three
// exceptions that save the author a surprise: a key given twice is an error, an
// object given twice is an error, and so is one that etcd would find too large.
package manifest

import (
	"cmp"
	"context"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

// DefaultNamespace is the namespace of an object that names none.
const DefaultNamespace = metav1.NamespaceDefault

// Position is a place in an input.
type Position struct {
	File string
	// Line from 1.
	Line int
}

// Key names an object among manifests.
type Key struct {
	Kind, Namespace, Name string
}

// Note tells of an object that was left out because its kind is not used.
type Note struct {
	Position
	// APIVersion and Kind as they stand in the file.
	APIVersion, Kind string
	// Name of the object, empty if it has none.
	Name string
}

// Objects are the objects of a set of manifests, completed with defaults, valid,
// each with a namespace, sorted by namespace and name.
type Objects struct {
	ServiceDesks       []*v1alpha1.ServiceDesk
	AgentPools         []*v1alpha1.AgentPool
	KnowledgeBases     []*v1alpha1.KnowledgeBase
	EscalationPolicies []*v1alpha1.EscalationPolicy
	// ConfigMaps hold entries of knowledge bases.
	ConfigMaps []*corev1.ConfigMap
	// Secrets hold the agents' tokens; stringData is merged into data. They are for mounting only: nothing
	// may render, log or report what they hold.
	Secrets []*corev1.Secret
	// Notes name what was left out, in the order of reading.
	Notes []Note
	// Positions tells where each object stands.
	Positions map[Key]Position
}

// Load reads manifests from files, folders (with all folders below, files
// *.yaml, *.yml and *.json) and, for the path "-", from stdin. An error is of
// type Errors and holds everything that is wrong, not only what was found first.
func Load(paths []string, stdin io.Reader) (*Objects, error) {
	inputs, errs := read(paths, stdin)
	l := newLoader(errs)
	for _, in := range inputs {
		l.add(in)
	}
	return l.finish()
}

// Parse reads manifests from memory; name stands for the file in errors.
func Parse(name string, data []byte) (*Objects, error) {
	l := newLoader(nil)
	l.add(input{name: name, data: data})
	return l.finish()
}

type loader struct {
	ctx     context.Context
	objects *Objects
	errs    Errors
}

func newLoader(errs Errors) *loader {
	return &loader{
		// Nothing here waits or is cancelled; the context is for the server's rule evaluation, which is bounded by cost.
		ctx:     context.Background(),
		objects: &Objects{Positions: map[Key]Position{}},
		errs:    errs,
	}
}

func (l *loader) add(in input) {
	for _, doc := range split(in) {
		content, root, faults := doc.decode()
		for _, f := range faults {
			l.errs = append(l.errs, &Error{File: doc.file, Line: f.line, Field: f.field, Message: f.msg})
		}
		if len(faults) == 0 && content != nil {
			l.addItem(item{document: doc, root: root, content: content})
		}
	}
}

func (l *loader) finish() (*Objects, error) {
	if len(l.errs) > 0 {
		return nil, l.errs.sorted()
	}
	o := l.objects
	sortObjects(o.ServiceDesks)
	sortObjects(o.AgentPools)
	sortObjects(o.KnowledgeBases)
	sortObjects(o.EscalationPolicies)
	sortObjects(o.ConfigMaps)
	sortObjects(o.Secrets)
	return o, nil
}

func sortObjects[T metav1.Object](objects []T) {
	slices.SortFunc(objects, func(a, b T) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
}
