package manifest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/manifest/schema"
	"github.com/deskfleet/deskfleet/internal/plan"
)

// routingSections are what the routing sample shows.
var routingSections = map[string][]string{
	v1alpha1.KindServiceDesk: {"timeZone", "calendar", "routing", "queues"},
	v1alpha1.KindAgentPool:   {"human"},
}

// The routing sample shows each field of routing at least once.
func TestRoutingSampleShowsEveryField(t *testing.T) {
	shown := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(samples, "routing", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			var object struct {
				Kind string
				Spec map[string]any
			}
			if err := yaml.Unmarshal([]byte(document), &object); err != nil {
				t.Fatal(err)
			}
			collect(object.Kind, object.Spec, shown)
		}
	}
	for kind, sections := range routingSections {
		s, err := schema.For(kind)
		if err != nil {
			t.Fatal(err)
		}
		spec := s.Definition().Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
		for _, section := range sections {
			missing(t, spec.Properties[section], kind+"."+section, shown)
		}
	}
}

// collect notes the path of each field of a decoded object.
func collect(path string, value any, shown map[string]bool) {
	shown[path] = true
	switch value := value.(type) {
	case map[string]any:
		for name, child := range value {
			collect(path+"."+name, child, shown)
		}
	case []any:
		for _, item := range value {
			collect(path, item, shown)
		}
	}
}

func missing(t *testing.T, p apiextensionsv1.JSONSchemaProps, path string, shown map[string]bool) {
	t.Helper()
	if !shown[path] {
		t.Errorf("the routing sample does not show %s", path)
		return
	}
	if p.Items != nil {
		p = *p.Items.Schema
	}
	for name := range p.Properties {
		missing(t, p.Properties[name], path+"."+name, shown)
	}
}

// The examples of the page about routing belong together: as one set of manifests they leave nothing open, but for
// the ConfigMap with holidays, of which the page shows the reference only.
func TestRoutingPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/routing.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 4 {
		t.Fatalf("%d examples: the expression is out of date", len(blocks))
	}
	if all := regexp.MustCompile("(?m)^```[a-z]+$").FindAllString(string(text), -1); len(all) != len(blocks)+strings.Count(string(text), "\n```text\n") {
		t.Errorf("blocks %q: every example is yaml, everything else text", all)
	}
	var manifests []string
	for _, block := range blocks {
		manifests = append(manifests, block[1])
	}
	o, err := Parse("routing.md", []byte(strings.Join(manifests, "---\n")))
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range planned(t, o).Problems {
		if problem.Severity == plan.Waiting && strings.HasPrefix(problem.Field, "spec.calendar.holidays.configMapRef") {
			continue
		}
		t.Error(problem)
	}
}
