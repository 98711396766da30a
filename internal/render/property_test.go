package render_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/manifest"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// plainOwner are names that anybody would choose; the schema takes those of up to 63 characters without dots.
var plainOwner = rapid.StringMatching(`[a-z0-9]([-a-z0-9.]{0,60}[a-z0-9])?`)

// ownerName is a name of an object, also one made to meet the names that the
// operator gives: in the shape of a hash, with one of its suffixes, or longer
// than any name may be.
var ownerName = rapid.OneOf(
	plainOwner,
	rapid.StringMatching(`(d-)?[a-z0-9]([-a-z0-9]{0,26}[a-z0-9])?-x[a-z2-7]{12}`),
	rapid.StringMatching(`[a-z]{1,3}-(gateway|router|bot|worker|console|knowledge|knowledge-0|archive|bus|desk|config|ca|web|default)`),
	rapid.StringMatching(`[a-z0-9]([-a-z0-9.]{40,250}[a-z0-9])?`),
)

// owners are different names, among which some are what the children of another one are called.
func owners(t *rapid.T) []string {
	names := rapid.SliceOfNDistinct(ownerName, 2, 3, rapid.ID[string]).Draw(t, "owners")
	for _, name := range slices.Clone(names) {
		if thief := strings.TrimSuffix(render.ConfigMapName(name), "-config"); rapid.Bool().Draw(t, "thief") && !slices.Contains(names, thief) {
			names = append(names, thief)
		}
	}
	return names
}

// defaults are specs as the schema completes them.
func defaults(t *testing.T) (v1alpha1.ServiceDeskSpec, v1alpha1.AgentPoolSpec) {
	t.Helper()
	data, err := os.ReadFile("testdata/minimal.in.yaml")
	if err != nil {
		t.Fatal(err)
	}
	o, err := manifest.Parse("minimal.in.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	return o.ServiceDesks[0].Spec, o.AgentPools[0].Spec
}

func drawResources(t *rapid.T) *v1alpha1.Resources {
	amounts := func(what string) *v1alpha1.ResourceAmounts {
		if !rapid.Bool().Draw(t, what) {
			return nil
		}
		a := &v1alpha1.ResourceAmounts{}
		if rapid.Bool().Draw(t, what+" cpu") {
			a.CPU = resource.NewMilliQuantity(rapid.Int64Range(1, 256_000).Draw(t, "milli"), resource.DecimalSI)
		}
		if rapid.Bool().Draw(t, what+" memory") {
			a.Memory = resource.NewQuantity(rapid.Int64Range(16<<20, 1<<40).Draw(t, "bytes"), resource.BinarySI)
		}
		return a
	}
	r := &v1alpha1.Resources{Requests: amounts("requests"), Limits: amounts("limits")}
	if q, l := r.Requests, r.Limits; q != nil && l != nil { // the schema refuses a request above its limit
		if q.CPU != nil && l.CPU != nil && q.CPU.Cmp(*l.CPU) > 0 {
			q.CPU, l.CPU = l.CPU, q.CPU
		}
		if q.Memory != nil && l.Memory != nil && q.Memory.Cmp(*l.Memory) > 0 {
			q.Memory, l.Memory = l.Memory, q.Memory
		}
	}
	return r
}

// drawDesk changes what users change.
func drawDesk(t *rapid.T, base *v1alpha1.ServiceDeskSpec) v1alpha1.ServiceDeskSpec {
	spec := *base.DeepCopy()
	for _, role := range []*v1alpha1.ReplicatedRoleSpec{&spec.Gateway.ReplicatedRoleSpec, spec.Router, &spec.Console.ReplicatedRoleSpec, &spec.Knowledge.ReplicatedRoleSpec} {
		role.Replicas, role.Resources = rapid.Int32Range(1, 50).Draw(t, "replicas"), drawResources(t)
	}
	spec.Archive.Resources, spec.Bus.Resources = drawResources(t), drawResources(t)
	if rapid.Bool().Draw(t, "exposed") {
		spec.Exposure = &v1alpha1.Exposure{Type: v1alpha1.ExposureIngress, Host: "help.example.com"}
	}
	if rapid.Bool().Draw(t, "tokens") {
		spec.AgentsAuth = &v1alpha1.AgentsAuth{TokensSecretRef: v1alpha1.LocalObjectReference{Name: "tokens"}}
	}
	spec.DeletionPolicy = rapid.SampledFrom([]v1alpha1.DeletionPolicy{v1alpha1.DeletionPolicyRetain, v1alpha1.DeletionPolicyDelete}).Draw(t, "deletion")
	spec.Image = rapid.SampledFrom([]string{"", "example.com/deskfleet:1"}).Draw(t, "image")
	return spec
}

// all children of a desk, with its Secrets.
func deskChildren(settings *render.Settings, name string, spec *v1alpha1.ServiceDeskSpec) []*unstructured.Unstructured {
	owner := render.Owner{Kind: v1alpha1.KindServiceDesk, Namespace: "tenant", Name: name}
	desk := &render.Desk{Owner: owner, Spec: *spec, Document: []byte("{}")}
	for range render.KnowledgeShards {
		desk.Shards = append(desk.Shards, map[string][]byte{"a": nil})
	}
	children := settings.Children(desk)
	for _, secret := range render.SecretsOf("tenant", name, spec) {
		children = append(children, secret.Outline(owner))
	}
	return children
}

func poolChildren(settings *render.Settings, desk, name string, spec *v1alpha1.AgentPoolSpec, deskSpec *v1alpha1.ServiceDeskSpec) []*unstructured.Unstructured {
	s := *spec.DeepCopy()
	s.DeskRef.Name, s.Replicas = v1alpha1.ObjectName(desk), 2
	return settings.PoolChildren(&render.Pool{
		Owner: render.Owner{Kind: v1alpha1.KindAgentPool, Namespace: "tenant", Name: name}, Spec: s, Desk: *deskSpec,
	})
}

func key(o *unstructured.Unstructured) string { return o.GetKind() + " " + o.GetName() }

// TestChildrenHaveValidNames that no other owner's children have.
func TestChildrenHaveValidNames(t *testing.T) {
	settings := &render.Settings{Image: "deskfleet:test"}
	deskSpec, poolSpec := defaults(t)
	compact := *deskSpec.DeepCopy()
	compact.Profile = v1alpha1.ProfileCompact
	rapid.Check(t, func(t *rapid.T) {
		taken := map[string]string{}
		selectors := map[string]string{}
		for _, name := range owners(t) {
			spec := rapid.SampledFrom([]*v1alpha1.ServiceDeskSpec{&deskSpec, &compact}).Draw(t, "profile")
			for _, children := range [][]*unstructured.Unstructured{deskChildren(settings, name, spec), poolChildren(settings, name, name, &poolSpec, spec)} {
				for _, child := range children {
					checkName(t, child)
					if other, there := taken[key(child)]; there {
						t.Fatalf("%q and %q both have %s", other, name, key(child))
					}
					taken[key(child)] = name
				}
				for _, w := range workloadsOf(t, children) {
					selector := fmt.Sprint(w.selector.MatchLabels)
					if other, there := selectors[selector]; there {
						t.Fatalf("%q and %q both select %s", other, name, selector)
					}
					selectors[selector] = name
				}
			}
		}
	})
}

func checkName(t *rapid.T, child *unstructured.Unstructured) {
	name := child.GetName()
	if child.GetKind() == "Service" || child.GetKind() == "StatefulSet" || child.GetKind() == "Deployment" {
		if problems := validation.IsDNS1035Label(name); len(problems) > 0 {
			t.Fatalf("%s: %s", key(child), problems)
		}
	}
	if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
		t.Fatalf("%s: %s", key(child), problems)
	}
	// The controller labels the pods of a StatefulSet with its name and a hash of ten characters.
	if child.GetKind() == "StatefulSet" && len(name)+len("-1234567890") > validation.LabelValueMaxLength {
		t.Fatalf("%s is too long for the label of its revisions", key(child))
	}
	for label, value := range child.GetLabels() {
		if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
			t.Fatalf("%s: label %s: %s", key(child), label, problems)
		}
	}
}

// TestImmutableFieldsStay whatever the user changes: the API server would refuse
// the whole child.
func TestImmutableFieldsStay(t *testing.T) {
	deskSpec, poolSpec := defaults(t)
	type immutable struct {
		Selector any
		Service  string
		Claims   any
	}
	of := func(t *rapid.T, settings *render.Settings, spec *v1alpha1.ServiceDeskSpec) map[string]immutable {
		found := map[string]immutable{}
		children := slices.Concat(deskChildren(settings, "shop", spec), poolChildren(settings, "shop", "bots", &poolSpec, spec))
		for _, w := range workloadsOf(t, children) {
			found[w.kind+" "+w.name] = immutable{Selector: w.selector, Service: w.service, Claims: w.claims}
		}
		return found
	}
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawDesk(t, &deskSpec), drawDesk(t, &deskSpec)
		settings := &render.Settings{Image: "deskfleet:1"}
		later := &render.Settings{Image: "deskfleet:2", LogLevel: "debug", ImagePullSecrets: []string{"registry"}}
		if diff := cmp.Diff(of(t, settings, &before), of(t, later, &after)); diff != "" {
			t.Fatalf("immutable fields changed (-before +after):\n%s", diff)
		}
	})
}

// TestPodsOfEveryDeskAreSafe holds the rules for pods over all that users may ask for.
func TestPodsOfEveryDeskAreSafe(t *testing.T) {
	deskSpec, poolSpec := defaults(t)
	rapid.Check(t, func(t *rapid.T) {
		settings := &render.Settings{Image: "deskfleet:test", Resources: map[runtimeconfig.Role]v1alpha1.Resources{}}
		for _, role := range []runtimeconfig.Role{runtimeconfig.RoleGateway, runtimeconfig.RoleBot, runtimeconfig.RoleDesk} {
			settings.Resources[role] = *drawResources(t)
		}
		spec := drawDesk(t, &deskSpec)
		if rapid.Bool().Draw(t, "compact") {
			spec.Profile = v1alpha1.ProfileCompact
		}
		pool := *poolSpec.DeepCopy()
		pool.Bot.Resources = drawResources(t)
		children := slices.Concat(deskChildren(settings, "shop", &spec), poolChildren(settings, "shop", "bots", &pool, &spec))
		for _, w := range workloadsOf(t, children) {
			for _, rule := range podRules {
				if !rule.holds(&w.template.Spec, &w.template.Spec.Containers[0]) {
					t.Fatalf("%s %s: %s", w.kind, w.name, rule.what)
				}
			}
		}
	})
}
