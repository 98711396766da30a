package manifest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// FuzzParse: no input makes the loader panic; an error names a line of the input and stands on one line; what
// is taken is complete, so that it reads the same when it is written out and read again.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", samples + "/*.yaml", samples + "/broken/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			for _, doc := range split(input{name: file, data: text}) {
				f.Add(doc.text)
			}
		}
	}
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("a: &a {b: &b [&c d]}\n<<: *a\n? [e]\n: f\n--- >\n"))
	f.Add([]byte("{\"a\":{\"a\":1,\"a\":2}}"))
	f.Add([]byte("apiVersion: v1\nkind: List\nitems: [null, 1, {}, [], {apiVersion: v1, kind: Secret, metadata: 3}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		objects, err := Parse("fuzz.yaml", text)
		if err != nil {
			checkErrors(t, err, bytes.Count(text, []byte("\n"))+1)
			return
		}
		again, err := Parse("fuzz.yaml", write(t, objects))
		if err != nil {
			t.Fatalf("refused when it is written out: %v", err)
		}
		again.Notes, again.Positions = objects.Notes, objects.Positions
		if diff := cmp.Diff(objects, again); diff != "" {
			t.Errorf("changed when it is written out (-first +again):\n%s", diff)
		}
	})
}

func checkErrors(t *testing.T, err error, lines int) {
	t.Helper()
	errs, ok := errors.AsType[Errors](err)
	if !ok || len(errs) == 0 {
		t.Fatalf("an error of type %T: %v", err, err)
	}
	for _, e := range errs {
		if e.Line < 1 || e.Line > lines {
			t.Errorf("line %d of %d: %v", e.Line, lines, e)
		}
		if e.Message == "" || strings.ContainsFunc(e.Error(), unicode.IsControl) {
			t.Errorf("not one line: %q", e.Error())
		}
	}
}

func write(t *testing.T, o *Objects) []byte {
	t.Helper()
	var b bytes.Buffer
	add := func(obj any) {
		text, err := yaml.Marshal(obj)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n")
		b.Write(text)
	}
	for _, v := range o.ServiceDesks {
		add(v)
	}
	for _, v := range o.AgentPools {
		add(v)
	}
	for _, v := range o.KnowledgeBases {
		add(v)
	}
	for _, v := range o.EscalationPolicies {
		add(v)
	}
	for _, v := range o.ConfigMaps {
		add(v)
	}
	for _, v := range o.Secrets {
		add(v)
	}
	return b.Bytes()
}
