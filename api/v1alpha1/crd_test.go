package v1alpha1_test

import (
	"encoding/json"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/manifest/schema"
)

// definition is the CRD of a kind, in the form that the API server validates.
func definition(t *testing.T, kind string) *apiextensions.CustomResourceDefinition {
	t.Helper()
	s, err := schema.For(kind)
	if err != nil {
		t.Fatal(err)
	}
	def := s.Definition().DeepCopy()
	def.Status.StoredVersions = []string{v1alpha1.SchemeGroupVersion.Version}
	internal := &apiextensions.CustomResourceDefinition{}
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(def, internal, nil); err != nil {
		t.Fatal(err)
	}
	return internal
}

// The API server takes each CRD: the schema is structural, its defaults are valid, its CEL rules compile
// and stay within the cost budgets.
func TestCRDIsAccepted(t *testing.T) {
	for _, kind := range schema.Kinds() {
		t.Run(kind, func(t *testing.T) {
			for _, err := range crdvalidation.ValidateCustomResourceDefinition(t.Context(), definition(t, kind)) {
				t.Error(err)
			}
		})
	}
}

// A CRD stays small enough for client-side apply to carry it twice and for discovery to stay quick.
func TestCRDSize(t *testing.T) {
	const limit = 400_000
	for _, kind := range schema.Kinds() {
		s, err := schema.For(kind)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(s.Definition())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes of JSON", kind, len(data))
		if len(data) > limit {
			t.Errorf("the CRD of %s is %d bytes of JSON, more than %d", kind, len(data), limit)
		}
	}
}

// Rules use at most a part of the API server's cost budgets: the estimate of a rule grows with the fields
// that it reads, and a field that is added later must not be what makes the CRD refused.
func TestRuleCost(t *testing.T) {
	const (
		limit    = crdvalidation.StaticEstimatedCostLimit / 2
		crdLimit = crdvalidation.StaticEstimatedCRDCostLimit * 3 / 4
	)
	for _, kind := range schema.Kinds() {
		t.Run(kind, func(t *testing.T) {
			root := definition(t, kind).Spec.Validation.OpenAPIV3Schema
			var total uint64
			walkCost(t, root, crdvalidation.RootCELContext(root), "", func(path string, cost uint64) {
				total += cost
				if cost > limit {
					t.Errorf("%s costs %d, more than %d, half of the budget for an expression", path, cost, limit)
				}
			})
			t.Logf("%s: estimated cost %d, %.1f %% of the budget", kind, total, float64(total)*100/crdvalidation.StaticEstimatedCRDCostLimit)
			if total > crdLimit {
				t.Errorf("the rules cost %d, more than %d, three quarters of the budget for a CRD", total, crdLimit)
			}
		})
	}
}

// walkCost reports the estimated cost of every rule and message expression, as validation of a CRD counts it.
func walkCost(t *testing.T, s *apiextensions.JSONSchemaProps, ctx *crdvalidation.CELSchemaContext, path string, report func(string, uint64)) {
	t.Helper()
	if len(s.XValidations) > 0 {
		info, err := ctx.TypeInfo()
		if err != nil {
			t.Fatal(err)
		}
		compiled, err := cel.Compile(info.Schema, info.DeclType, celconfig.PerCallLimit,
			environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()), cel.NewExpressionsEnvLoader())
		if err != nil {
			t.Fatal(err)
		}
		if ctx.MaxCardinality == nil {
			t.Fatalf("%s has rules below an unbounded list or map", path)
		}
		for i, c := range compiled {
			report(path+": "+s.XValidations[i].Rule, c.MaxCost**ctx.MaxCardinality)
			report(path+": "+s.XValidations[i].MessageExpression, c.MessageExpressionMaxCost)
		}
	}
	for name, prop := range s.Properties {
		walkCost(t, &prop, ctx.ChildPropertyContext(&prop, name), path+"."+name, report)
	}
	if s.Items != nil && s.Items.Schema != nil {
		walkCost(t, s.Items.Schema, ctx.ChildItemsContext(s.Items.Schema), path+"[]", report)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		walkCost(t, s.AdditionalProperties.Schema, ctx.ChildAdditionalPropertiesContext(s.AdditionalProperties.Schema), path+"{}", report)
	}
}
