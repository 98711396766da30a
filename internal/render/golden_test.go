package render_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/internal/manifest"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/render"
)

var update = flag.Bool("update", false, "write the golden files anew")

const inputs = "testdata/*.in.yaml"

// rendering is a case of testdata: manifests and all that comes of them.
type rendering struct {
	name     string
	objects  *manifest.Objects
	settings render.Settings
	plans    *plan.Plans
	children []*unstructured.Unstructured
}

// renderings reads all cases of testdata.
func renderings(t *testing.T) []rendering {
	t.Helper()
	files, err := filepath.Glob(inputs)
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s (%v)", inputs, err)
	}
	all := make([]rendering, 0, len(files))
	for _, file := range files {
		all = append(all, rendered(t, file))
	}
	return all
}

func rendered(t *testing.T, file string) rendering {
	t.Helper()
	r := rendering{name: strings.TrimSuffix(filepath.Base(file), ".in.yaml"), settings: render.Settings{Image: "deskfleet:test"}}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if r.objects, err = manifest.Parse(file, data); err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(strings.Replace(file, ".in.yaml", ".settings.yaml", 1)); err == nil {
		r.settings, err = render.ParseSettings(data)
	} else if os.IsNotExist(err) {
		err = r.settings.Validate()
	}
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(r.name, "linked") {
		r.settings.Link = &render.Link{Namespace: "deskfleet-system"}
	}
	o := r.objects
	r.plans, err = plan.Offline(&plan.Objects{
		ServiceDesks: o.ServiceDesks, AgentPools: o.AgentPools, KnowledgeBases: o.KnowledgeBases,
		EscalationPolicies: o.EscalationPolicies, ConfigMaps: o.ConfigMaps,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, desk := range r.plans.Desks {
		r.children = append(r.children, r.settings.Children(desk)...)
		for _, secret := range render.SecretsOf(desk.Owner.Namespace, desk.Owner.Name, &desk.Spec) {
			r.children = append(r.children, secret.Outline(desk.Owner))
		}
	}
	for _, pool := range r.plans.Pools {
		r.children = append(r.children, r.settings.PoolChildren(pool)...)
	}
	return r
}

// hashes of zipped content differ from one release of Go to the next.
var hashes = regexp.MustCompile(`("sha256": )"[0-9a-f]{64}"`)

// text is all children and problems as the golden files have them.
func (r *rendering) text(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, problem := range r.plans.Problems {
		_, _ = fmt.Fprintf(&out, "# %s\n", problem)
	}
	for _, child := range r.children {
		child = child.DeepCopy()
		if content, ok := child.Object["binaryData"].(map[string]any); ok {
			for file := range content {
				content[file] = "<zipped entries>"
			}
		}
		data, err := yaml.Marshal(child.Object)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(&out, "---\n%s", hashes.ReplaceAll(data, []byte(`$1"<hash of the file>"`)))
	}
	return out.Bytes()
}

func TestGolden(t *testing.T) {
	for _, r := range renderings(t) {
		t.Run(r.name, func(t *testing.T) {
			got := r.text(t)
			file := filepath.Join("testdata", r.name+".out.yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v: run go test ./internal/render -run Golden -update and read what it wrote", err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
				t.Errorf("the children changed; if that is meant, run go test ./internal/render -run Golden -update (-golden +now):\n%s", diff)
			}
		})
	}
}

// TestGoldenCasesSetEveryField keeps the cases complete: a new field of the API
// must appear in one of them.
func TestGoldenCasesSetEveryField(t *testing.T) {
	set, all := map[string]bool{}, map[string]bool{}
	for _, r := range renderings(t) {
		for _, o := range r.objects.ServiceDesks {
			fields(reflect.ValueOf(o.Spec), "ServiceDesk.spec", set, all)
		}
		for _, o := range r.objects.AgentPools {
			fields(reflect.ValueOf(o.Spec), "AgentPool.spec", set, all)
		}
		for _, o := range r.objects.KnowledgeBases {
			fields(reflect.ValueOf(o.Spec), "KnowledgeBase.spec", set, all)
		}
		for _, o := range r.objects.EscalationPolicies {
			fields(reflect.ValueOf(o.Spec), "EscalationPolicy.spec", set, all)
		}
	}
	var missing []string
	for field := range all {
		// Suspending stops the controllers; it changes no child.
		if !set[field] && !strings.HasSuffix(field, ".spec.suspend") {
			missing = append(missing, field)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("no case sets %s", strings.Join(missing, ", "))
	}
}

// fields collects the paths of all fields of a value, and of those that are set.
func fields(v reflect.Value, path string, set, all map[string]bool) {
	if v.Type() == reflect.TypeFor[resource.Quantity]() {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fields(v.Elem(), path, set, all)
		}
	case reflect.Slice:
		for i := range v.Len() {
			fields(v.Index(i), path, set, all)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			at := path
			if options != "inline" {
				at += "." + name
				all[at] = true
				set[at] = set[at] || !v.Field(i).IsZero()
			}
			fields(v.Field(i), at, set, all)
		}
	default: // a leaf, of which its parent has taken note
	}
}

// TestCompactDeskIsSmall: a tenant of the long tail costs the cluster twelve objects, its bots included.
func TestCompactDeskIsSmall(t *testing.T) {
	r := rendered(t, "testdata/compact.in.yaml")
	if n := len(r.children); n > 12 || n == 0 {
		t.Errorf("the compact desk has %d children, at most 12 are allowed", n)
	}
}
