package v1alpha1_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/manifest/schema"
)

// allowedBools are the fields for which no third value is thinkable. Everything else is an enum.
var allowedBools = []string{".spec.suspend"}

// What every field of every kind must have, whoever adds it.
func TestFieldConventions(t *testing.T) {
	for _, kind := range schema.Kinds() {
		s, err := schema.For(kind)
		if err != nil {
			t.Fatal(err)
		}
		visit(rootSchema(s.Definition()), "", func(path string, p *apiextensionsv1.JSONSchemaProps) {
			for _, complaint := range complaints(path, p) {
				t.Errorf("%s %s: %s", kind, path, complaint)
			}
		})
	}
}

func complaints(path string, p *apiextensionsv1.JSONSchemaProps) []string {
	if path == ".apiVersion" || path == ".kind" || path == ".metadata" {
		return nil // the server's own
	}
	var found []string
	complain := func(wrong bool, what string) {
		if wrong {
			found = append(found, what)
		}
	}
	complain(p.Description == "", "has no doc comment")
	typeComplaints(path, p, complain)
	return found
}

func typeComplaints(path string, p *apiextensionsv1.JSONSchemaProps, complain func(wrong bool, what string)) {
	switch p.Type {
	case "array":
		complain(p.MaxItems == nil, "is a list without maxItems")
		complain(p.XListType == nil, "is a list without a list type")
	case "string":
		complain(p.MaxLength == nil && len(p.Enum) == 0 && p.Format == "", "is a string without maxLength, enum or format")
	case "object":
		complain(p.AdditionalProperties != nil && p.MaxProperties == nil, "is a map without maxProperties")
		complain(p.XPreserveUnknownFields != nil, "takes unknown fields")
	case "boolean":
		complain(!slices.Contains(allowedBools, path), "is a bool: use an enum, or add it to the list of those that need no third value")
	case "number":
		complain(true, "is a float, which has no one text and no equality: use an integer of a smaller unit")
	case "integer":
		complain(strings.HasPrefix(path, ".spec.") && (p.Minimum == nil || p.Maximum == nil), "is an integer without minimum or maximum")
	case "":
		complain(!p.XIntOrString, "has no type")
	}
}

// A quantity has no bound of its own, so a rule of the object around it must hold one.
func TestQuantitiesAreBoundedByRules(t *testing.T) {
	for _, kind := range schema.Kinds() {
		s, err := schema.For(kind)
		if err != nil {
			t.Fatal(err)
		}
		visit(rootSchema(s.Definition()), "", func(path string, p *apiextensionsv1.JSONSchemaProps) {
			for name, child := range p.Properties {
				bounded := slices.ContainsFunc(p.XValidations, func(r apiextensionsv1.ValidationRule) bool {
					return r.FieldPath == "."+name && strings.Contains(r.Rule, "[quantity(string(self."+name+"))].all(q, q.compareTo(")
				})
				if child.XIntOrString && !bounded {
					t.Errorf("%s %s.%s: is a quantity that no rule bounds", kind, path, name)
				}
			}
		})
	}
}

// Every rule says what is wrong in words of its own.
func TestRuleConventions(t *testing.T) {
	for _, kind := range schema.Kinds() {
		s, err := schema.For(kind)
		if err != nil {
			t.Fatal(err)
		}
		visit(rootSchema(s.Definition()), "", func(path string, p *apiextensionsv1.JSONSchemaProps) {
			for _, r := range p.XValidations {
				if r.Message == "" {
					t.Errorf("%s %s: the rule %s has no message", kind, path, r.Rule)
				}
				// The remedy stands behind a colon, in the expression where there is one.
				if text := r.Message + r.MessageExpression; !strings.Contains(text, ": ") {
					t.Errorf("%s %s: the message of the rule %s names no remedy", kind, path, r.Rule)
				}
			}
		})
	}
}

// The documentation of a field begins with its name, as "kubectl explain" shows them apart, and says for a
// field of a spec whether it is required or what happens without it.
func TestDocConventions(t *testing.T) {
	mentions := regexp.MustCompile(`(?i)\b(default|required|empty|only with)\b`)
	for _, kind := range schema.Kinds() {
		s, err := schema.For(kind)
		if err != nil {
			t.Fatal(err)
		}
		visit(rootSchema(s.Definition()), "", func(path string, p *apiextensionsv1.JSONSchemaProps) {
			for name, child := range p.Properties {
				at := path + "." + name
				if at == ".apiVersion" || at == ".kind" || at == ".metadata" {
					continue
				}
				doc := strings.Join(strings.Fields(child.Description), " ")
				if !strings.HasPrefix(doc, name) {
					t.Errorf("%s %s: the comment does not begin with the field's name: %.60s", kind, at, doc)
				}
				if strings.HasPrefix(at, ".spec.") && !mentions.MatchString(doc) {
					t.Errorf("%s %s: the comment does not tell whether the field is required or what its default is: %.200s", kind, at, doc)
				}
				if required := slices.Contains(p.Required, name); strings.HasPrefix(at, ".spec.") && required != strings.Contains(doc, "Required.") {
					t.Errorf("%s %s: required is %t, the comment says otherwise: %.200s", kind, at, required, doc)
				}
			}
		})
	}
}

// Each field of the Go types says whether it is required, so that no generator guesses from omitempty.
func TestMarkers(t *testing.T) {
	files, err := filepath.Glob("*_types.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no type files: %v", err)
	}
	fields := 0
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || strings.HasSuffix(spec.Name.Name, "List") {
				return true
			}
			object, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range object.Fields.List {
				if f.Tag == nil || strings.Contains(f.Tag.Value, ",inline") {
					continue
				}
				fields++
				doc := f.Doc.Text() + markers(f.Doc)
				if strings.Contains(doc, "+optional") == strings.Contains(doc, "+required") {
					t.Errorf("%s: %s.%s needs exactly one of +optional and +required", file, spec.Name.Name, f.Names[0].Name)
				}
			}
			return true
		})
	}
	if fields < 80 {
		t.Errorf("only %d fields seen: the walk over the source is broken", fields)
	}
}

// markers are the comment lines that Text leaves out because they look like directives.
func markers(doc *ast.CommentGroup) string {
	if doc == nil {
		return ""
	}
	var b strings.Builder
	for _, c := range doc.List {
		b.WriteString(c.Text + "\n")
	}
	return b.String()
}

// What a user of kubectl sees of each kind.
func TestKindConventions(t *testing.T) {
	shortNames := map[string]string{
		v1alpha1.KindServiceDesk: "desk", v1alpha1.KindAgentPool: "pool",
		v1alpha1.KindKnowledgeBase: "kb", v1alpha1.KindEscalationPolicy: "escpol",
	}
	for _, kind := range schema.Kinds() {
		t.Run(kind, func(t *testing.T) {
			s, err := schema.For(kind)
			if err != nil {
				t.Fatal(err)
			}
			def := s.Definition()
			if diff := cmp.Diff([]string{shortNames[kind]}, def.Spec.Names.ShortNames); diff != "" {
				t.Errorf("short names (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"deskfleet"}, def.Spec.Names.Categories); diff != "" {
				t.Errorf("categories (-want +got):\n%s", diff)
			}
			if def.Spec.Scope != apiextensionsv1.NamespaceScoped {
				t.Errorf("scope %s: tenants could not own it", def.Spec.Scope)
			}
			checkStatus(t, def)
			checkColumns(t, def.Spec.Versions[0].AdditionalPrinterColumns)
			checkScale(t, kind, def.Spec.Versions[0].Subresources)
		})
	}
}

// checkStatus: an object that the operator has not seen yet must not look finished to kstatus.
func checkStatus(t *testing.T, def *apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	status := rootSchema(def).Properties["status"]
	if status.Default == nil {
		t.Fatal("status has no default")
	}
	var got map[string]int
	if err := json.Unmarshal(status.Default.Raw, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"observedGeneration": -1}, got); diff != "" {
		t.Errorf("default of status (-want +got):\n%s", diff)
	}
	conditions := status.Properties["conditions"]
	if conditions.XListType == nil || *conditions.XListType != "map" || !slices.Equal(conditions.XListMapKeys, []string{"type"}) {
		t.Error("conditions are no list map by type: two writers would overwrite each other's")
	}
	if sub := def.Spec.Versions[0].Subresources; sub == nil || sub.Status == nil {
		t.Error("no status subresource")
	}
}

func checkColumns(t *testing.T, columns []apiextensionsv1.CustomResourceColumnDefinition) {
	t.Helper()
	has := func(name string, priority int32, path string) {
		t.Helper()
		if !slices.ContainsFunc(columns, func(c apiextensionsv1.CustomResourceColumnDefinition) bool {
			return c.Name == name && c.Priority == priority && c.JSONPath == path
		}) {
			t.Errorf("no column %s of priority %d with %s", name, priority, path)
		}
	}
	has("Ready", 0, `.status.conditions[?(@.type=="Ready")].status`)
	has("Status", 0, `.status.conditions[?(@.type=="Ready")].reason`)
	has("Age", 0, `.metadata.creationTimestamp`)
	has("Message", 1, `.status.conditions[?(@.type=="Ready")].message`)
}

func checkScale(t *testing.T, kind string, sub *apiextensionsv1.CustomResourceSubresources) {
	t.Helper()
	if kind != v1alpha1.KindAgentPool {
		if sub.Scale != nil {
			t.Error("/scale on a kind that has no replicas")
		}
		return
	}
	selector := ".status.selector"
	want := &apiextensionsv1.CustomResourceSubresourceScale{
		SpecReplicasPath: ".spec.replicas", StatusReplicasPath: ".status.replicas", LabelSelectorPath: &selector,
	}
	if diff := cmp.Diff(want, sub.Scale); diff != "" {
		t.Errorf("/scale (-want +got):\n%s", diff)
	}
}
