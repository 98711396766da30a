package apply

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/manifest"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/testing/apiserver"
)

var cluster *rest.Config

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(apiserver.Run(m, func(c *rest.Config) { cluster = c }))
}

// rig is a namespace, an Applier whose calls are recorded, and a client of its own.
type rig struct {
	*Applier
	t         *testing.T
	client    client.Client
	namespace string
	owner     Owner
	recorder  *apiserver.Recorder
}

func newRig(t *testing.T) *rig {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	r := &rig{t: t, recorder: &apiserver.Recorder{}}
	var err error
	if r.client, err = client.New(cluster, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	recorded, err := client.New(r.recorder.Wrap(cluster), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	r.Applier = New(recorded, recorded, scheme, slog.New(slog.NewTextHandler(t.Output(), nil)))
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "t-"}}
	if err := r.client.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	r.namespace = namespace.Name
	desk := &v1alpha1.ServiceDesk{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "shop"}}
	if err := r.client.Create(t.Context(), desk); err != nil {
		t.Fatal(err)
	}
	r.owner = Owner{Kind: v1alpha1.KindServiceDesk, Object: desk}
	return r
}

// children renders the golden cases of package render: every kind of child, every field.
func (r *rig) children(file string) []*unstructured.Unstructured {
	r.t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	o, err := manifest.Parse(file, data)
	if err != nil {
		r.t.Fatal(err)
	}
	plans, err := plan.Offline(&plan.Objects{
		ServiceDesks: o.ServiceDesks, AgentPools: o.AgentPools, KnowledgeBases: o.KnowledgeBases,
		EscalationPolicies: o.EscalationPolicies, ConfigMaps: o.ConfigMaps,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	settings := render.Settings{Image: "deskfleet:test"}
	if err := settings.Validate(); err != nil {
		r.t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for _, desk := range plans.Desks {
		desk.Owner.UID = r.owner.Object.GetUID()
		all = append(all, settings.Children(desk)...)
	}
	for _, pool := range plans.Pools {
		pool.Owner.UID = r.owner.Object.GetUID()
		all = append(all, settings.PoolChildren(pool)...)
	}
	for _, child := range all {
		child.SetNamespace(r.namespace)
	}
	return all
}

// cases are the golden cases of package render.
func cases(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../render/testdata/*.in.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden cases of package render (%v)", err)
	}
	return files
}

// live reads all children as the cache does: each as its type, in the encoding that the type has.
func (r *rig) live(kinds []Kind) Live {
	r.t.Helper()
	found := Live{}
	for _, kind := range kinds {
		list := kind.List.DeepCopyObject().(client.ObjectList)
		if err := r.client.List(r.t.Context(), list, client.InNamespace(r.namespace), client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedByDeskfleet}); err != nil {
			r.t.Fatal(err)
		}
		for _, object := range itemsOf(r.t, list) {
			object.GetObjectKind().SetGroupVersionKind(kind.GroupVersionKind) // as the cache does
			found[Key{Kind: kind.GroupVersionKind.Kind, Name: object.GetName()}] = object
		}
	}
	return found
}

func (r *rig) get(object client.Object, name string) error {
	return r.client.Get(r.t.Context(), client.ObjectKey{Namespace: r.namespace, Name: name}, object)
}

// one finds a child by kind and name.
func one(t *testing.T, children []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	t.Helper()
	i := slices.IndexFunc(children, func(c *unstructured.Unstructured) bool { return c.GetKind() == kind && c.GetName() == name })
	if i < 0 {
		t.Fatalf("there is no %s %s", kind, name)
	}
	return children[i]
}
