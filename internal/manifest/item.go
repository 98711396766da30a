package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/manifest/schema"
)

// MaxObjectBytes is the greatest size of an object as JSON: what etcd stores in
// one request by default. The API server answers a larger one with an error
// that names neither object nor remedy.
const MaxObjectBytes = 1536 << 10

// item is one object: a document, or an entry of a List.
type item struct {
	document
	root    *yamlv3.Node
	content any
	// path of the item in its document, for example "items[2]"; empty for a whole document.
	path string
}

// identity is what an item says that it is.
type identity struct {
	apiVersion, kind, namespace, name string
}

func (l *loader) addItem(it item) {
	obj, ok := it.content.(map[string]any)
	if !ok {
		l.fail(it, identity{}, "", "not an object: a manifest begins with apiVersion and kind")
		return
	}
	id := identify(obj)
	switch {
	case id.kind == "" || id.apiVersion == "":
		l.fail(it, identity{}, "", "apiVersion or kind is missing: every object begins with both")
	case isList(id, obj):
		l.addList(it, obj)
	case id.apiVersion == v1alpha1.SchemeGroupVersion.String():
		l.addOurs(it, id, obj)
	case strings.Contains(id.apiVersion, v1alpha1.GroupName):
		l.fail(it, id, "apiVersion", fmt.Sprintf("%q is not served: use %s", id.apiVersion, v1alpha1.SchemeGroupVersion))
	case id.apiVersion == "v1" && id.kind == "ConfigMap":
		l.addConfigMap(it, id, obj)
	case id.apiVersion == "v1" && id.kind == "Secret":
		l.addSecret(it, id, obj)
	default:
		l.objects.Notes = append(l.objects.Notes, Note{
			Position: l.position(it), APIVersion: id.apiVersion, Kind: id.kind, Name: id.name,
		})
	}
}

func identify(obj map[string]any) identity {
	text := func(m map[string]any, key string) string {
		s, _ := m[key].(string)
		return s
	}
	id := identity{apiVersion: text(obj, "apiVersion"), kind: text(obj, "kind"), namespace: DefaultNamespace}
	if meta, ok := obj["metadata"].(map[string]any); ok {
		id.name = text(meta, "name")
		if ns := text(meta, "namespace"); ns != "" {
			id.namespace = ns
		}
	}
	return id
}

// isList tells the lists that "kubectl get -o yaml" writes.
func isList(id identity, obj map[string]any) bool {
	_, ok := obj["items"].([]any)
	return ok && strings.HasSuffix(id.kind, "List") &&
		(id.apiVersion == "v1" || id.apiVersion == v1alpha1.SchemeGroupVersion.String())
}

func (l *loader) addList(list item, obj map[string]any) {
	items, _ := obj["items"].([]any)
	for i, content := range items {
		if isNested(content) {
			l.fail(list, identity{}, fmt.Sprintf("items[%d]", i), "a List in a List: give its objects in the outer one")
			continue
		}
		l.addItem(item{
			document: list.document, root: list.root, content: content,
			path: joinPath(list.path, fmt.Sprintf("items[%d]", i)),
		})
	}
}

func isNested(content any) bool {
	obj, ok := content.(map[string]any)
	return ok && isList(identify(obj), obj)
}

// addOurs takes an object of the four kinds.
func (l *loader) addOurs(it item, id identity, obj map[string]any) {
	if !slices.Contains(schema.Kinds(), id.kind) {
		msg := fmt.Sprintf("%s has no kind %q: its kinds are %s", id.apiVersion, id.kind, strings.Join(schema.Kinds(), ", "))
		if near := schema.Closest(id.kind, schema.Kinds()); near != "" {
			msg = fmt.Sprintf("%s has no kind %q: did you mean %s?", id.apiVersion, id.kind, near)
		}
		l.fail(it, id, "kind", msg)
		return
	}
	s, err := schema.For(id.kind)
	if err != nil {
		l.fail(it, id, "", err.Error())
		return
	}
	delete(obj, "status") // the operator's to write; the server drops it too
	before := len(l.errs)
	setNamespace(obj)
	unknown, err := s.Complete(obj)
	if err != nil {
		l.fail(it, id, "metadata", err.Error())
		return
	}
	for _, path := range unknown {
		l.fail(it, id, path, unknownField(s, path))
	}
	if l.checkName(it, id) {
		for _, err := range s.Validate(l.ctx, obj) {
			path, msg := wording(err)
			l.fail(it, id, path, msg)
		}
	}
	l.checkSize(it, id, obj)
	l.claim(it, id)
	if len(l.errs) > before {
		return
	}
	if err := l.keep(id.kind, obj); err != nil {
		l.fail(it, id, "", err.Error())
	}
}

func unknownField(s *schema.Schema, path string) string {
	nearest, known := s.Nearest(path)
	switch {
	case nearest != "":
		return fmt.Sprintf("unknown field: did you mean %s?", nearest)
	case len(known) > 0:
		return "unknown field: remove it, or use one of " + strings.Join(known, ", ")
	default:
		return "unknown field: remove it"
	}
}

func (l *loader) keep(kind string, obj map[string]any) error {
	convert := func(into any) error {
		return runtime.DefaultUnstructuredConverter.FromUnstructured(obj, into)
	}
	var err error
	switch kind {
	case v1alpha1.KindServiceDesk:
		d := &v1alpha1.ServiceDesk{}
		err = convert(d)
		l.objects.ServiceDesks = append(l.objects.ServiceDesks, d)
	case v1alpha1.KindAgentPool:
		p := &v1alpha1.AgentPool{}
		err = convert(p)
		l.objects.AgentPools = append(l.objects.AgentPools, p)
	case v1alpha1.KindKnowledgeBase:
		k := &v1alpha1.KnowledgeBase{}
		err = convert(k)
		l.objects.KnowledgeBases = append(l.objects.KnowledgeBases, k)
	case v1alpha1.KindEscalationPolicy:
		e := &v1alpha1.EscalationPolicy{}
		err = convert(e)
		l.objects.EscalationPolicies = append(l.objects.EscalationPolicies, e)
	default:
		err = fmt.Errorf("kind %s has a schema but no Go type here", kind)
	}
	return err
}

// setNamespace names the default namespace in an object that names none, as
// kubectl does, before the server requires one.
func setNamespace(obj map[string]any) {
	meta, ok := obj["metadata"].(map[string]any)
	if obj["metadata"] == nil {
		meta, ok = map[string]any{}, true
		obj["metadata"] = meta
	}
	if ok && (meta["namespace"] == nil || meta["namespace"] == "") {
		meta["namespace"] = DefaultNamespace
	}
}

// checkName asks for a name, as nothing here makes one of generateName.
func (l *loader) checkName(it item, id identity) bool {
	if id.name != "" {
		return true
	}
	l.fail(it, id, "metadata.name", "Required value: name the object; generateName is not taken, as it would make another object each time")
	return false
}

func (l *loader) checkSize(it item, id identity, obj any) {
	data, err := json.Marshal(obj)
	if err != nil {
		l.fail(it, id, "", err.Error())
		return
	}
	limit, remedy := MaxObjectBytes, "make it smaller"
	switch id.kind {
	case v1alpha1.KindKnowledgeBase:
		remedy = "move entries to ConfigMaps and name them in spec.sources.configMaps"
	case v1alpha1.KindEscalationPolicy:
		// The last good rules stand in the status beside those of the spec.
		limit, remedy = MaxObjectBytes/2, "shorten the texts of its rules"
	}
	if len(data) > limit {
		l.fail(it, id, "", fmt.Sprintf("%d bytes as JSON are more than the %d that etcd stores: %s", len(data), limit, remedy))
	}
}

// claim refuses a second object of the same kind and name: the one that is
// applied last would silently win.
func (l *loader) claim(it item, id identity) {
	if id.name == "" {
		return
	}
	key := Key{Kind: id.kind, Namespace: id.namespace, Name: id.name}
	pos := l.position(it)
	if first, ok := l.objects.Positions[key]; ok {
		l.fail(it, id, "", fmt.Sprintf("defined twice: at %s:%d and at %s:%d; remove one or rename it", first.File, first.Line, pos.File, pos.Line))
		return
	}
	l.objects.Positions[key] = pos
}

func (l *loader) position(it item) Position {
	return Position{File: it.file, Line: it.lineOf(it.root, it.path)}
}

func (l *loader) fail(it item, id identity, field, msg string) {
	l.errs = append(l.errs, &Error{
		File: it.file, Line: it.lineOf(it.root, joinPath(it.path, field)),
		Kind: id.kind, Namespace: namespaceOf(id), Name: id.name, Field: field, Message: msg,
	})
}

func namespaceOf(id identity) string {
	if id.kind == "" {
		return ""
	}
	return id.namespace
}

func joinPath(a, b string) string {
	return strings.Trim(a+"."+b, ".")
}
