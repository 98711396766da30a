// Package schema does to an object of the four kinds what the API server does
// between the request and etcd, without an API server: it drops unknown fields
// and reports them, sets the schema's defaults, and checks schema, list types
// and CEL rules. It runs the server's own packages over the CRDs that are
// embedded in the binary, in the server's order, so that a manifest that passes
// here is not refused by a cluster later.
package schema

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/common"
	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/config/crd"
)

// plurals name the CRD file of each kind.
var plurals = map[string]string{
	v1alpha1.KindServiceDesk:      "servicedesks",
	v1alpha1.KindAgentPool:        "agentpools",
	v1alpha1.KindKnowledgeBase:    "knowledgebases",
	v1alpha1.KindEscalationPolicy: "escalationpolicies",
}

// Kinds are the kinds that have a schema, sorted.
func Kinds() []string {
	return []string{
		v1alpha1.KindAgentPool, v1alpha1.KindEscalationPolicy,
		v1alpha1.KindKnowledgeBase, v1alpha1.KindServiceDesk,
	}
}

// Schema is what the API server makes of the CRD of one kind. It is safe for
// concurrent use.
type Schema struct {
	kind       string
	crd        *apiextensionsv1.CustomResourceDefinition
	structural *structural.Structural
	validator  validation.SchemaValidator
	// rules compiles the CEL rules on first use: compiling is by far the most
	// expensive step, and a kind that a manifest does not hold must not cost it.
	rules func() *cel.Validator
}

var schemas = func() map[string]func() (*Schema, error) {
	m := make(map[string]func() (*Schema, error), len(plurals))
	for kind, plural := range plurals {
		m[kind] = sync.OnceValues(func() (*Schema, error) { return load(kind, plural) })
	}
	return m
}()

// For returns the schema of a kind. It fails for a kind that is none of the
// four, and if the embedded CRD is broken, which the tests rule out.
func For(kind string) (*Schema, error) {
	get, ok := schemas[kind]
	if !ok {
		return nil, fmt.Errorf("no kind %q in %s: the kinds are %v", kind, v1alpha1.SchemeGroupVersion, Kinds())
	}
	return get()
}

func load(kind, plural string) (*Schema, error) {
	name := "bases/" + v1alpha1.GroupName + "_" + plural + ".yaml"
	data, err := crd.Bases.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the embedded CRD of %s: %w", kind, err)
	}
	def := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(data, def); err != nil {
		return nil, fmt.Errorf("parse the embedded CRD %s: %w", name, err)
	}
	// The server stores a CRD with its defaults and validates with those; scale and CEL read some of them.
	apiextensionsv1.SetDefaults_CustomResourceDefinition(def)
	return New(def)
}

// New builds a schema from a CRD whose first version is the one to validate with.
func New(def *apiextensionsv1.CustomResourceDefinition) (*Schema, error) {
	kind := def.Spec.Names.Kind
	v := slices.IndexFunc(def.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool {
		return v.Name == v1alpha1.SchemeGroupVersion.Version
	})
	if v < 0 || def.Spec.Versions[v].Schema == nil {
		return nil, fmt.Errorf("the CRD of %s has no schema for version %s", kind, v1alpha1.SchemeGroupVersion.Version)
	}
	internal := &apiextensions.CustomResourceValidation{}
	if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(
		def.Spec.Versions[v].Schema, internal, nil); err != nil {
		return nil, fmt.Errorf("convert the schema of %s: %w", kind, err)
	}
	validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
	if err != nil {
		return nil, fmt.Errorf("build the schema validator of %s: %w", kind, err)
	}
	s, err := structural.NewStructural(internal.OpenAPIV3Schema)
	if err != nil {
		return nil, fmt.Errorf("the schema of %s is not structural: %w", kind, err)
	}
	if err := defaulting.PruneDefaults(s); err != nil {
		return nil, fmt.Errorf("prune the defaults of %s: %w", kind, err)
	}
	return &Schema{
		kind: kind, crd: def, structural: s, validator: validator,
		rules: sync.OnceValue(func() *cel.Validator { return cel.NewValidator(s, true, celconfig.PerCallLimit) }),
	}, nil
}

// Definition is the CRD; it must not be changed.
func (s *Schema) Definition() *apiextensionsv1.CustomResourceDefinition { return s.crd }

// Complete prunes unknown fields and nulls, and sets the defaults, in place, as
// decoding a request does. It returns the paths of the unknown fields; a
// request with fieldValidation=Strict is refused if there are any. The error
// says that metadata is malformed.
func (s *Schema) Complete(obj map[string]any) (unknown []string, err error) {
	apiVersion, kind := obj["apiVersion"], obj["kind"]
	meta, hasMeta, unknown, err := objectmeta.GetObjectMetaWithOptions(obj, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return nil, err
	}
	unknown = append(unknown, pruning.PruneWithOptions(obj, s.structural, true,
		structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})...)
	defaulting.PruneNonNullableNullsWithoutDefaults(obj, s.structural)
	obj["apiVersion"], obj["kind"] = apiVersion, kind
	if hasMeta {
		if err := objectmeta.SetObjectMeta(obj, meta); err != nil {
			return nil, err
		}
	}
	defaulting.Default(obj, s.structural)
	slices.Sort(unknown)
	return slices.Compact(unknown), nil
}

// Validate checks a completed object as the server checks a create request.
func (s *Schema) Validate(ctx context.Context, obj map[string]any) field.ErrorList {
	errs := s.validateMeta(obj)
	errs = append(errs, validation.ValidateCustomResource(nil, obj, s.validator)...)
	errs = append(errs, objectmeta.Validate(ctx, nil, obj, s.structural, false)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, obj)...)
	return s.checkRules(ctx, errs, obj, nil)
}

// ValidateUpdate checks a completed object as the server checks an update of
// old: immutable fields are compared, and what was invalid before and has not
// changed is let through (ratcheting).
func (s *Schema) ValidateUpdate(ctx context.Context, obj, old map[string]any) field.ErrorList {
	correlated := common.NewCorrelatedObject(obj, old, &model.Structural{Structural: s.structural})
	errs := s.validateMeta(obj)
	errs = append(errs, validation.ValidateCustomResourceUpdate(nil, obj, old, s.validator, validation.WithRatcheting(correlated))...)
	errs = append(errs, objectmeta.Validate(ctx, nil, obj, s.structural, false)...)
	if len(listtype.ValidateListSetsAndMaps(nil, s.structural, old)) == 0 {
		errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, obj)...)
	}
	return s.checkRules(ctx, errs, obj, old, cel.WithRatcheting(correlated))
}

func (s *Schema) validateMeta(obj map[string]any) field.ErrorList {
	path := field.NewPath("metadata")
	meta, found, err := objectmeta.GetObjectMeta(obj, false)
	switch {
	case err != nil:
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	case !found:
		meta = &metav1.ObjectMeta{}
	}
	return metavalidation.ValidateObjectMeta(meta, true, metavalidation.NameIsDNSSubdomain, path)
}

// RulesNotChecked is the server's message where the CEL rules were left out, as
// an error of the schema could make them stumble. It comes without a field.
const RulesNotChecked = "some validation rules were not checked because the object was invalid; " +
	"correct the existing errors to complete validation"

// checkRules runs the CEL rules, unless an error was found that a rule may
// stumble over. The server leaves them out for the same types of error.
func (s *Schema) checkRules(ctx context.Context, errs field.ErrorList, obj, old map[string]any, opts ...cel.Option) field.ErrorList {
	rules := s.rules()
	switch {
	case rules == nil:
		return errs
	case slices.ContainsFunc(errs, blocksRules):
		return append(errs, field.Invalid(nil, field.OmitValueType{}, RulesNotChecked))
	}
	// A nil map in an interface is not nil: the rules would take it for an update of an empty object.
	var before any
	if old != nil {
		before = old
	}
	found, _ := rules.Validate(ctx, nil, s.structural, obj, before, celconfig.RuntimeCELCostBudget, opts...)
	for _, err := range found {
		// The server gives the type ("object") as the value; our rules name the true value in their message.
		err.BadValue = field.OmitValueType{}
	}
	return append(errs, found...)
}

func blocksRules(err *field.Error) bool {
	switch err.Type {
	case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong,
		field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
		return true
	default:
		return false
	}
}
