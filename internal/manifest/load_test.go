package manifest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/deskfleet/deskfleet/internal/manifest/schema"
)

const bot = `apiVersion: deskfleet.dev/v1alpha1
kind: AgentPool
metadata: {name: bots}
spec: {type: Bot, deskRef: {name: shop}}
`

func mustParse(t testing.TB, text string) *Objects {
	t.Helper()
	o, err := Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// errorsOf are the lines of the error that parsing gives.
func errorsOf(t testing.TB, text string) []string {
	t.Helper()
	_, err := Parse("test.yaml", []byte(text))
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func TestParseCompletesObjects(t *testing.T) {
	o := mustParse(t, bot)
	pool := o.AgentPools[0]
	if pool.Namespace != "default" || pool.Spec.Concurrency != 5 || pool.Spec.Replicas != 1 {
		t.Errorf("namespace %q, concurrency %d, replicas %d: want default, 5, 1", pool.Namespace, pool.Spec.Concurrency, pool.Spec.Replicas)
	}
	if pool.Status.ObservedGeneration != -1 {
		t.Errorf("observedGeneration %d, want the -1 that a server gives", pool.Status.ObservedGeneration)
	}
	want := map[Key]Position{{Kind: "AgentPool", Namespace: "default", Name: "bots"}: {File: "test.yaml", Line: 1}}
	if diff := cmp.Diff(want, o.Positions); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
}

func TestParseDefaultsOfAnEmptyDesk(t *testing.T) {
	for _, text := range []string{
		"apiVersion: deskfleet.dev/v1alpha1\nkind: ServiceDesk\nmetadata: {name: shop}\n",
		"apiVersion: deskfleet.dev/v1alpha1\nkind: ServiceDesk\nmetadata: {name: shop}\nspec: {bus: null, queues: null}\n",
	} {
		spec := mustParse(t, text).ServiceDesks[0].Spec
		if len(spec.Queues) != 1 || spec.Queues[0].Name != "general" || *spec.Queues[0].Priority != 50 {
			t.Errorf("queues %+v, want one named general of priority 50", spec.Queues)
		}
		if spec.Bus.Replicas != 1 || spec.Bus.Storage.Size.String() != "4Gi" || spec.Gateway.Replicas != 2 ||
			spec.Channels.WebChat.MaxMessageLength != 2000 || spec.Retention.Days != 365 {
			t.Errorf("defaults missing in %+v", spec)
		}
	}
}

func TestParseIgnoresStatus(t *testing.T) {
	o := mustParse(t, bot+"status: {replicas: 7, nonsense: true}\n")
	if got := o.AgentPools[0].Status.Replicas; got != 0 {
		t.Errorf("status.replicas %d was taken from the file", got)
	}
}

// Values mean what they mean to kubectl, whose YAML is of version 1.1.
func TestParseReadsYAMLAsKubectlDoes(t *testing.T) {
	if !mustParse(t, strings.Replace(bot, "{type", "{suspend: yes, type", 1)).AgentPools[0].Spec.Suspend {
		t.Error("yes is not true")
	}
	got := errorsOf(t, "apiVersion: deskfleet.dev/v1alpha1\nkind: ServiceDesk\nmetadata: {name: shop}\nspec:\n  displayName: on\n")
	want := []string{
		"test.yaml:1: ServiceDesk default/shop: the rules over several fields were not checked: mend the other errors of this object first",
		"test.yaml:5: ServiceDesk default/shop: spec.displayName: Invalid value: of type boolean, must be of type string: put it in quotes",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseDocuments(t *testing.T) {
	second := strings.Replace(bot, "bots", "more", 1)
	for name, text := range map[string]string{
		"separator":           bot + "---\n" + second,
		"comment behind it":   bot + "--- # more\n" + second,
		"empty documents":     "---\n---\n# nothing\n---\n" + bot + "---\n\n---\n" + second + "---\n",
		"Windows line ends":   strings.ReplaceAll(bot+"---\n"+second, "\n", "\r\n"),
		"byte order mark":     "\ufeff" + bot + "---\n" + second,
		"document end marker": bot + "...\n---\n" + second + "...\n",
		"end without begin":   bot + "...\n" + second,
		"no last line end":    bot + "---\n" + strings.TrimSuffix(second, "\n"),
		"list":                "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(bot, "\n", "\n  ") + "\n- " + strings.ReplaceAll(second, "\n", "\n  "),
		"list of a kind":      "apiVersion: deskfleet.dev/v1alpha1\nkind: AgentPoolList\nmetadata: {}\nitems:\n- " + strings.ReplaceAll(bot, "\n", "\n  ") + "\n- " + strings.ReplaceAll(second, "\n", "\n  "),
		"anchor":              bot + "---\n" + strings.Replace(second, "spec: {type: Bot, deskRef: {name: shop}}", "spec: {type: Bot, deskRef: {<<: &shop {name: shop}}}", 1),
		"JSON with tabs":      bot + "---\n{\n\t\"apiVersion\": \"deskfleet.dev/v1alpha1\",\n\t\"kind\": \"AgentPool\",\n\t\"metadata\": {\"name\": \"more\"},\n\t\"spec\": {\"type\": \"Bot\", \"deskRef\": {\"name\": \"shop\"}}\n}\n",
		"flow mapping":        bot + "---\n{apiVersion: deskfleet.dev/v1alpha1, kind: AgentPool, metadata: {name: more}, spec: {type: Bot, deskRef: {name: shop}}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			o := mustParse(t, text)
			if len(o.AgentPools) != 2 || o.AgentPools[0].Name != "bots" || o.AgentPools[1].Name != "more" {
				t.Errorf("got %d pools", len(o.AgentPools))
			}
		})
	}
}

func TestParseJSONStrings(t *testing.T) {
	o := mustParse(t, `{"apiVersion":"deskfleet.dev/v1alpha1","kind":"ServiceDesk","metadata":{"name":"shop"},"spec":{"displayName":"\ud83d\ude00 a\/b"}}`)
	if got := o.ServiceDesks[0].Spec.DisplayName; got != "😀 a/b" {
		t.Errorf("displayName %q", got)
	}
}

func TestParseNotesOtherKinds(t *testing.T) {
	o := mustParse(t, "# a comment\n\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n---\n"+bot)
	want := []Note{{Position: Position{File: "test.yaml", Line: 3}, APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}}
	if diff := cmp.Diff(want, o.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

func TestParseCoreObjects(t *testing.T) {
	o := mustParse(t, `apiVersion: v1
kind: ConfigMap
metadata: {name: faq}
data: {entries.yaml: "[]"}
---
apiVersion: v1
kind: Secret
metadata: {name: tokens, namespace: tenant}
data: {a: b2xk, b: Yg==}
stringData: {a: new}
`)
	if got := o.ConfigMaps[0]; got.Namespace != "default" || got.Data["entries.yaml"] != "[]" {
		t.Errorf("ConfigMap %+v", got)
	}
	secret := o.Secrets[0]
	if string(secret.Data["a"]) != "new" || string(secret.Data["b"]) != "b" || secret.StringData != nil || secret.Type != "Opaque" {
		t.Error("the Secret's stringData is not merged into data as a server does")
	}
}

// Whatever is wrong with a Secret, no message holds a value of it.
func TestErrorsHoldNoSecret(t *testing.T) {
	const canary = "c4n4ry-v4lue"
	for _, text := range []string{
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {token: " + canary + "}\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: " + canary + "\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: [" + canary + "]\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {token: [" + canary + "]}\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {\"a b\": " + canary + "}\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringDatum: {token: " + canary + "}\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  token: \"" + canary + "\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  token: " + canary + "\n  token: " + canary + "\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n token: " + canary + ": " + canary + "\n",
		`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"token": "` + canary + `", "token": "` + canary + `"}}`,
	} {
		_, err := Parse("test.yaml", []byte(text))
		if err == nil {
			t.Errorf("not refused:\n%s", text)
			continue
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("%v\ngives away\n%s", err, text)
		}
	}
}

func TestParseRefusesWhatEtcdCannotStore(t *testing.T) {
	var b strings.Builder
	b.WriteString("apiVersion: deskfleet.dev/v1alpha1\nkind: KnowledgeBase\nmetadata: {name: big}\nspec: {sources: {inline: [\n")
	for i := range 200 {
		b.WriteString("{id: e" + strings.Repeat("x", i%60) + string(rune('a'+i/60)) + ", questions: [q], answer: " + strings.Repeat("a", 8000) + "},\n")
	}
	b.WriteString("]}}\n")
	got := errorsOf(t, b.String())
	if len(got) != 1 || !strings.Contains(got[0], "bytes as JSON are more than the 1572864 that etcd stores: move entries to ConfigMaps") {
		t.Errorf("got %.300q", got)
	}
	b.Reset()
	b.WriteString("apiVersion: deskfleet.dev/v1alpha1\nkind: EscalationPolicy\nmetadata: {name: big}\nspec: {rules: [\n")
	for i := range 100 {
		fmt.Fprintf(&b, "{name: r%d, when: \"true\", then: {say: [", i)
		for j := range 5 {
			fmt.Fprintf(&b, "{language: a%c, text: %s},", 'a'+j, strings.Repeat("a", 2000))
		}
		b.WriteString("]}},\n")
	}
	b.WriteString("]}\n")
	got = errorsOf(t, b.String())
	if len(got) != 1 || !strings.Contains(got[0], "bytes as JSON are more than the 786432 that etcd stores: shorten the texts of its rules") {
		t.Errorf("got %.300q", got)
	}
	got = errorsOf(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata:\n  a: "+strings.Repeat("a", 1<<20)+"\n  b: c\n")
	want := []string{"test.yaml:4: ConfigMap default/big: data: 1048577 bytes are more than the 1048576 that one object may hold: split it into several ConfigMaps"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseRefusesOtherEncodings(t *testing.T) {
	want := []string{"test.yaml:2: not UTF-8: save the file in this encoding"}
	if diff := cmp.Diff(want, errorsOf(t, "a: b\nc: \xff\xfe\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoadPaths(t *testing.T) {
	dir := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	named := func(name string) string { return strings.Replace(bot, "bots", name, 1) }
	write("b.yaml", named("b"))
	write("a.yml", named("a"))
	write("deep/er/c.json", `{"apiVersion":"deskfleet.dev/v1alpha1","kind":"AgentPool","metadata":{"name":"c"},"spec":{"type":"Bot","deskRef":{"name":"shop"}}}`)
	write("notes.txt", "not a manifest")
	write("other/d.txt", named("d"))
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "deep"), link); err != nil {
		t.Fatal(err)
	}

	// A file that is named twice is read once; a file that is named need not be called *.yaml; a folder may be a link.
	o, err := Load([]string{dir, filepath.Join(dir, "b.yaml"), filepath.Join(dir, "other", "d.txt"), "-"}, strings.NewReader(named("e")))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range o.AgentPools {
		names = append(names, p.Name)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if o, err := Load([]string{link}, nil); err != nil || len(o.AgentPools) != 1 {
		t.Errorf("a link to a folder: %v", err)
	}

	_, err = Load([]string{
		filepath.Join(dir, "missing.yaml"), filepath.Join(dir, "other"), "-", filepath.Join(dir, "b.yaml"), filepath.Join(dir, "other", "d.txt"),
	}, strings.NewReader(named("b")))
	want := `$/b.yaml:1: AgentPool default/b: defined twice: at stdin:1 and at $/b.yaml:1; remove one or rename it
$/missing.yaml: no such file or directory
$/other: no *.yaml, *.yml or *.json file in this folder or below it: name the folder that holds the manifests`
	if diff := cmp.Diff(want, strings.ReplaceAll(err.Error(), dir, "$")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if first, ok := errors.AsType[*Error](err); !ok || first.Kind != "AgentPool" || first.Line != 1 {
		t.Errorf("errors.As gives %+v", first)
	}
	if _, err := Load([]string{"-"}, nil); err == nil {
		t.Error("no standard input, yet no error")
	}
}

// An author reads the pattern of a schema in words.
func TestEachPatternHasAHint(t *testing.T) {
	used := map[string]bool{}
	var walk func(p *apiextensionsv1.JSONSchemaProps, path string)
	walk = func(p *apiextensionsv1.JSONSchemaProps, path string) {
		if p.Pattern != "" && strings.HasPrefix(path, ".spec") {
			used[p.Pattern] = true
			if patternHints[p.Pattern] == "" {
				t.Errorf("%s: no hint for the pattern %s", path, p.Pattern)
			}
		}
		for name, child := range p.Properties {
			walk(&child, path+"."+name)
		}
		if p.Items != nil {
			walk(p.Items.Schema, path+"[]")
		}
		if p.AdditionalProperties != nil {
			walk(p.AdditionalProperties.Schema, path+"{}")
		}
	}
	for _, kind := range schema.Kinds() {
		s, err := schema.For(kind)
		if err != nil {
			t.Fatal(err)
		}
		walk(s.Definition().Spec.Versions[0].Schema.OpenAPIV3Schema, "")
	}
	for pattern := range patternHints {
		if !used[pattern] {
			t.Errorf("the pattern %s has a hint but no field", pattern)
		}
	}
}
