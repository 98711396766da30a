package manifest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/internal/manifest/schema"
	"github.com/deskfleet/deskfleet/internal/plan"
)

const docs = "../../docs/spec"

func page(t *testing.T, kind string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, strings.ToLower(kind)+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")

// What the pages show can be applied as it stands.
func TestDocsExamplesAreValid(t *testing.T) {
	for _, kind := range schema.Kinds() {
		t.Run(kind, func(t *testing.T) {
			text := page(t, kind)
			found := false
			for _, at := range yamlBlock.FindAllStringSubmatchIndex(text, -1) {
				// Lines before the block keep the numbers of those of the page.
				padding := strings.Repeat("\n", strings.Count(text[:at[2]], "\n"))
				o, err := Parse(strings.ToLower(kind)+".md", []byte(padding+text[at[2]:at[3]]))
				if err != nil {
					t.Error(err)
					continue
				}
				for key := range o.Positions {
					found = found || key.Kind == kind
				}
				// An example shows a part of a tenant, so what it names may be missing; nothing in it may be wrong.
				for _, problem := range planned(t, o).Problems {
					if problem.Severity == plan.Terminal {
						t.Error(problem)
					}
				}
			}
			if !found {
				t.Error("no example of the kind")
			}
		})
	}
}

// Each section of a spec is explained, and no reason is documented that does not exist.
func TestDocsNameFieldsAndReasons(t *testing.T) {
	source, err := os.ReadFile("../../api/v1alpha1/lifecycle.go")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`Reason\w+ += "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		known[m[1]] = true
	}
	if len(known) < 10 {
		t.Fatalf("only %d reasons found: the expression is out of date", len(known))
	}
	documented := map[string]bool{}
	for _, kind := range schema.Kinds() {
		text := page(t, kind)
		s, err := schema.For(kind)
		if err != nil {
			t.Fatal(err)
		}
		_, fields := s.Nearest("spec.-")
		for _, field := range fields {
			if !regexp.MustCompile("[`. ]" + field + "\\b").MatchString(text) {
				t.Errorf("the page of %s does not mention spec.%s", kind, field)
			}
		}
		_, conditions, ok := strings.Cut(text, "\n## Conditions\n")
		if !ok {
			t.Errorf("the page of %s has no section Conditions", kind)
		}
		for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(conditions, -1) {
			documented[m[1]] = true
			if !known[m[1]] {
				t.Errorf("the page of %s documents the reason %s, which does not exist", kind, m[1])
			}
		}
	}
	for reason := range known {
		if !documented[reason] {
			t.Errorf("the reason %s is documented on no page", reason)
		}
	}
}
