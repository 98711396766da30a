package v1alpha1_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/deskfleet/deskfleet/internal/manifest/schema"
)

// ruleRow is a pair of objects on both sides of one CEL rule. With old, both are updates of it.
type ruleRow struct {
	name           string
	old            string
	accept, reject string
	// want is everything that is said about reject.
	want []string
}

func TestRules(t *testing.T) {
	all := doors(t)
	for kind, rows := range ruleRows {
		for _, row := range rows {
			t.Run(kind+"/"+row.name, func(t *testing.T) {
				d := all[kind]
				if row.old != "" {
					if got := render(d.check(t, row.old, "")); len(got) > 0 {
						t.Fatalf("the old object is refused:\n%s\n%v", row.old, got)
					}
				}
				if got := render(d.check(t, row.accept, row.old)); len(got) > 0 {
					t.Errorf("the accept row is refused:\n%s\n%v", row.accept, got)
				}
				if diff := cmp.Diff(row.want, render(d.check(t, row.reject, row.old))); diff != "" {
					t.Errorf("the reject row (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// Each rule has a reject row that this very rule refuses: with the rule taken out of the CRD, the row no
// longer gives its errors. Who adds a rule adds a row.
func TestEachRuleHasARow(t *testing.T) {
	for _, kind := range schema.Kinds() {
		s, err := schema.For(kind)
		if err != nil {
			t.Fatal(err)
		}
		rules := map[string]bool{}
		visit(rootSchema(s.Definition()), "", func(_ string, p *apiextensionsv1.JSONSchemaProps) {
			for _, rule := range p.XValidations {
				rules[rule.Rule] = true
			}
		})
		if len(rules) == 0 {
			t.Errorf("%s has no rules: the walk over the CRD is broken", kind)
		}
		for _, rule := range slices.Sorted(maps.Keys(rules)) {
			if !missed(t, s, kind, rule) {
				t.Errorf("%s: no reject row fails for want of the rule\n  %s\nadd one to ruleRows", kind, rule)
			}
		}
	}
}

// missed reports whether a reject row notices that a rule is gone.
func missed(t *testing.T, s *schema.Schema, kind, rule string) bool {
	t.Helper()
	without := s.Definition().DeepCopy()
	visit(rootSchema(without), "", func(_ string, p *apiextensionsv1.JSONSchemaProps) {
		p.XValidations = slices.DeleteFunc(p.XValidations, func(v apiextensionsv1.ValidationRule) bool { return v.Rule == rule })
	})
	mutant, err := schema.New(without)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{kind: kind, schema: mutant}
	return slices.ContainsFunc(ruleRows[kind], func(row ruleRow) bool {
		return !slices.Equal(row.want, render(d.ours(t, row.reject, row.old)))
	})
}

func rootSchema(def *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.JSONSchemaProps {
	return def.Spec.Versions[0].Schema.OpenAPIV3Schema
}

// visit calls f for each node of a schema, with its path: "[]" stands for an item, "{}" for a value of a map.
// What f changes in a node stays.
func visit(p *apiextensionsv1.JSONSchemaProps, path string, f func(path string, p *apiextensionsv1.JSONSchemaProps)) {
	f(path, p)
	for _, name := range slices.Sorted(maps.Keys(p.Properties)) {
		child := p.Properties[name]
		visit(&child, path+"."+name, f)
		p.Properties[name] = child
	}
	if p.Items != nil && p.Items.Schema != nil {
		visit(p.Items.Schema, path+"[]", f)
	}
	if p.AdditionalProperties != nil && p.AdditionalProperties.Schema != nil {
		visit(p.AdditionalProperties.Schema, path+"{}", f)
	}
}
