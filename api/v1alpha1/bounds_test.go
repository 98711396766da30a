package v1alpha1_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/internal/manifest/schema"
)

// Each bound of each field of a spec holds: the value on the bound is taken, the one past it is refused, at
// the field and for the reason that the bound states. The bounds are read from the CRDs, the objects around
// the value from testdata, where a field that is added must be added too. The CEL rules, which look at
// several fields, are left out: TestRules tries them.
func TestBounds(t *testing.T) {
	for _, kind := range schema.Kinds() {
		t.Run(kind, func(t *testing.T) {
			s, err := schema.For(kind)
			if err != nil {
				t.Fatal(err)
			}
			def := s.Definition().DeepCopy()
			visit(rootSchema(def), "", func(_ string, p *apiextensionsv1.JSONSchemaProps) { p.XValidations = nil })
			b := &bounds{t: t, door: newDoor(t, def), full: fullObject(t, kind)}
			spec := rootSchema(def).Properties["spec"]
			b.walk(&spec, field.NewPath("spec"))
			if b.tried == 0 {
				t.Error("no bound was tried")
			}
			t.Logf("%d bounds tried", b.tried)
		})
	}
}

func fullObject(t *testing.T, kind string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", strings.ToLower(kind)+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	obj := map[string]any{}
	if err := yaml.Unmarshal(data, &obj); err != nil {
		t.Fatal(err)
	}
	return jsonNumbers(obj).(map[string]any)
}

type bounds struct {
	t     *testing.T
	door  *door
	full  map[string]any
	tried int
}

// try sets the field at path and compares whether an error of the given type stands at the field at.
func (b *bounds) try(what string, path *field.Path, value any, at *field.Path, typ field.ErrorType, wantError bool) {
	b.t.Helper()
	b.tried++
	obj := runtime.DeepCopyJSON(b.full)
	set(b.t, obj, schema.SplitPath(path.String()), value)
	errs := b.door.checkObject(b.t, obj)
	found := slices.ContainsFunc(errs, func(err *field.Error) bool { return err.Field == at.String() && err.Type == typ })
	if found != wantError {
		b.t.Errorf("%s: %s = %.80v: error %q at %s: %t, want %t\nall errors: %.500v", what, path, value, typ, at, found, wantError, errs)
	}
}

// set puts a value at a path; the value nil removes the field.
func set(t *testing.T, obj any, steps []string, value any) {
	t.Helper()
	step, last := steps[0], len(steps) == 1
	switch at := obj.(type) {
	case map[string]any:
		switch {
		case !last:
			set(t, at[step], steps[1:], value)
		case value == nil:
			delete(at, step)
		default:
			at[step] = value
		}
	case []any:
		i, err := strconv.Atoi(step)
		if err != nil || i >= len(at) {
			t.Fatalf("testdata holds no item %s", step)
		}
		if last {
			at[i] = value
		} else {
			set(t, at[i], steps[1:], value)
		}
	default:
		t.Fatalf("testdata does not hold %v: add the field there", steps)
	}
}

// get is the value at a path of testdata, which holds each field once.
func (b *bounds) get(path *field.Path) any {
	b.t.Helper()
	var at any = b.full
	for _, step := range schema.SplitPath(path.String()) {
		switch v := at.(type) {
		case map[string]any:
			at = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				b.t.Fatalf("testdata holds nothing at %s", path)
			}
			at = v[i]
		}
		if at == nil {
			b.t.Fatalf("testdata holds nothing at %s: add the field there", path)
		}
	}
	return at
}

func (b *bounds) walk(p *apiextensionsv1.JSONSchemaProps, path *field.Path) {
	value := b.get(path)
	switch {
	case p.XIntOrString:
		b.try("pattern", path, "much", path, field.ErrorTypeInvalid, true)
		b.try("pattern", path, value, path, field.ErrorTypeInvalid, false)
	case p.Type == "integer":
		b.integer(p, path)
	case p.Type == "string":
		b.text(p, path)
	case p.Type == "array":
		b.list(p, path)
	case p.Type == "object":
		b.object(p, path)
	case p.Type == "boolean":
		b.try("type", path, "yes", path, field.ErrorTypeTypeInvalid, true)
	default:
		b.t.Errorf("%s has type %q, for which this test knows no bounds", path, p.Type)
	}
}

func (b *bounds) integer(p *apiextensionsv1.JSONSchemaProps, path *field.Path) {
	if p.Minimum == nil || p.Maximum == nil {
		b.t.Errorf("%s has no minimum or no maximum", path)
		return
	}
	low, high := int64(*p.Minimum), int64(*p.Maximum)
	b.try("minimum", path, low, path, field.ErrorTypeInvalid, false)
	b.try("minimum", path, low-1, path, field.ErrorTypeInvalid, true)
	b.try("maximum", path, high, path, field.ErrorTypeInvalid, false)
	b.try("maximum", path, high+1, path, field.ErrorTypeInvalid, true)
}

func (b *bounds) text(p *apiextensionsv1.JSONSchemaProps, path *field.Path) {
	for _, value := range p.Enum {
		b.try("enum", path, strings.Trim(string(value.Raw), `"`), path, field.ErrorTypeNotSupported, false)
	}
	if len(p.Enum) > 0 {
		b.try("enum", path, "Other", path, field.ErrorTypeNotSupported, true)
		return
	}
	if p.Format == "date-time" { // which bounds it
		b.try("format", path, "2026-11-11T00:00:00+08:00", path, field.ErrorTypeTypeInvalid, false)
		b.try("format", path, "11.11.2026", path, field.ErrorTypeTypeInvalid, true)
		return
	}
	if p.MaxLength == nil {
		b.t.Errorf("%s has no maxLength", path)
		return
	}
	fits := textOf(p.Pattern)
	longest := fits(int(*p.MaxLength))
	b.try("maxLength", path, longest, path, field.ErrorTypeTooLong, false)
	b.try("maxLength and pattern", path, longest, path, field.ErrorTypeInvalid, false)
	b.try("maxLength", path, fits(int(*p.MaxLength)+1), path, field.ErrorTypeTooLong, true)
	if p.MinLength != nil {
		b.try("minLength", path, fits(int(*p.MinLength)), path, field.ErrorTypeInvalid, false)
		b.try("minLength", path, "", path, field.ErrorTypeInvalid, true)
	}
	if p.Pattern != "" {
		b.try("pattern", path, "\x01"+fits(min(6, int(*p.MaxLength)-1)), path, field.ErrorTypeInvalid, true)
	}
}

// textOf makes texts of a wanted length that match a pattern.
func textOf(pattern string) func(length int) string {
	fill := func(prefix string) func(int) string {
		return func(length int) string { return prefix + strings.Repeat("a", max(0, length-len(prefix))) }
	}
	switch {
	case strings.HasPrefix(pattern, "^https?://"):
		return fill("http://")
	case strings.HasPrefix(pattern, "^(nats|tls)://"):
		return fill("nats://")
	case strings.HasSuffix(pattern, `(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$`): // a host name of several parts
		return fill("a.")
	case strings.HasPrefix(pattern, "^[a-z]{2,3}(-"): // a language tag
		return func(length int) string { return ("en-aaaaaaaa-aaaaaaaa")[:max(2, length)] }
	case strings.HasPrefix(pattern, "^([0-9]{1,4}h)?"): // a duration, whose longest has 16 characters
		return func(length int) string {
			if length <= len("00000s") {
				return strings.Repeat("0", length-1) + "s"
			}
			return strings.Repeat("0", max(0, length-16)) + "0000h0000m00000s"
		}
	case strings.HasSuffix(pattern, ":[0-5][0-9]$"): // a time of day
		return func(length int) string { return ("00:00" + strings.Repeat("0", length))[:length] }
	case strings.HasPrefix(pattern, "^[0-9]{4}-(0"): // a date
		return func(length int) string { return ("2026-12-25" + strings.Repeat("0", length))[:length] }
	case strings.HasPrefix(pattern, "^([0-9]{4}-)?"): // a date, whose year may be left out
		return func(length int) string {
			return ("2026-01-01" + strings.Repeat("0", length))[max(0, 10-length):max(10, length)]
		}
	case pattern == "" || strings.HasPrefix(pattern, `^[^\x00`): // free text, counted in characters
		return func(length int) string { return strings.Repeat("的", length) }
	default:
		return fill("")
	}
}

func (b *bounds) list(p *apiextensionsv1.JSONSchemaProps, path *field.Path) {
	if p.MaxItems == nil {
		b.t.Errorf("%s has no maxItems", path)
		return
	}
	item := b.get(path.Index(0))
	repeat := func(n int64) []any { return slices.Repeat([]any{item}, int(n)) }
	b.try("maxItems", path, repeat(*p.MaxItems), path, field.ErrorTypeTooMany, false)
	b.try("maxItems", path, repeat(*p.MaxItems+1), path, field.ErrorTypeTooMany, true)
	if p.MinItems != nil {
		b.try("minItems", path, repeat(*p.MinItems), path, field.ErrorTypeInvalid, false)
		b.try("minItems", path, repeat(*p.MinItems-1), path, field.ErrorTypeInvalid, true)
	}
	unique := p.XListType != nil && *p.XListType != "atomic"
	b.try("list type", path, repeat(2), path.Index(1), field.ErrorTypeDuplicate, unique)
	b.walk(p.Items.Schema, path.Index(0))
}

func (b *bounds) object(p *apiextensionsv1.JSONSchemaProps, path *field.Path) {
	if p.AdditionalProperties != nil {
		b.labels(p, path)
		return
	}
	for name, child := range p.Properties {
		at := path.Child(name)
		if child.Default == nil { // a field with a default is never missing
			b.try("required", at, nil, at, field.ErrorTypeRequired, slices.Contains(p.Required, name))
		}
		b.walk(&child, at)
	}
}

func (b *bounds) labels(p *apiextensionsv1.JSONSchemaProps, path *field.Path) {
	if p.MaxProperties == nil {
		b.t.Errorf("%s has no maxProperties", path)
		return
	}
	many := func(n int64) map[string]any {
		m := map[string]any{}
		for i := range n {
			m[fmt.Sprintf("key%d", i)] = "value"
		}
		return m
	}
	b.try("maxProperties", path, many(*p.MaxProperties), path, field.ErrorTypeTooMany, false)
	b.try("maxProperties", path, many(*p.MaxProperties+1), path, field.ErrorTypeTooMany, true)
	for key := range b.get(path).(map[string]any) {
		b.walk(p.AdditionalProperties.Schema, path.Child(key))
	}
}
