package controllers_test

import (
	"bytes"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/internal/cli"
)

// TestRenderedManifestsCanBeApplied: what "deskfleet render" prints, the API
// server takes as it is: "kubectl diff" and "kubectl apply" have use for it.
func TestRenderedManifestsCanBeApplied(t *testing.T) {
	b := newBench(t)
	var stdout, stderr bytes.Buffer
	if status := cli.Run(t.Context(), []string{"render", "-f", "../config/samples/minimal.yaml"}, strings.NewReader(""), &stdout, &stderr); status != 0 {
		t.Fatalf("exit status %d: %s", status, &stderr)
	}
	var objects int
	for document := range strings.SplitSeq(strings.TrimPrefix(stdout.String(), "---\n"), "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		object.SetNamespace(b.namespace)
		err := b.client.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("kubectl"), client.DryRunAll)
		if err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
		objects++
	}
	if objects < 20 {
		t.Errorf("only %d objects are rendered", objects)
	}
}
