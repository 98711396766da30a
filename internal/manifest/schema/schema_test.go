package schema

import (
	"io/fs"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/config/crd"
)

func TestForEachEmbeddedCRD(t *testing.T) {
	for _, kind := range Kinds() {
		s, err := For(kind)
		if err != nil {
			t.Fatal(err)
		}
		if s.Definition().Spec.Names.Kind != kind {
			t.Errorf("the schema of %s is that of %s", kind, s.Definition().Spec.Names.Kind)
		}
	}
	files, err := fs.Glob(crd.Bases, "bases/*.yaml")
	if err != nil || len(files) != len(Kinds()) {
		t.Errorf("%d CRDs are embedded, %d kinds have a schema (%v)", len(files), len(Kinds()), err)
	}
	if !slices.IsSorted(Kinds()) {
		t.Errorf("not sorted: %v", Kinds())
	}
	if _, err := For("Router"); err == nil {
		t.Error("a schema for a kind that does not exist")
	}
}

func TestSplitPath(t *testing.T) {
	for path, want := range map[string][]string{
		"":                                    nil,
		"spec":                                {"spec"},
		".spec.replicas":                      {"spec", "replicas"},
		"spec.queues[12].name":                {"spec", "queues", "12", "name"},
		"nodeSelector[kubernetes.io/arch].x":  {"nodeSelector", "kubernetes.io/arch", "x"},
		"spec.queues[1":                       {"spec", "queues", "1"},
		"metadata.annotations[a.b/c][d]]]..e": {"metadata", "annotations", "a.b/c", "d", "]]", "e"},
	} {
		if diff := cmp.Diff(want, SplitPath(path)); diff != "" {
			t.Errorf("SplitPath(%q) (-want +got):\n%s", path, diff)
		}
	}
}

func TestNearest(t *testing.T) {
	s, err := For("ServiceDesk")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"spec.chanels":                        "channels",
		"spec.Bus":                            "bus",
		"spec.queues[0].prioriti":             "priority",
		"spec.gateway.placement.nodeselector": "nodeSelector",
		"spec.price":                          "",
		"spec.nothing.below":                  "",
		"metadata.lables":                     "",
		"":                                    "",
	} {
		if got, _ := s.Nearest(path); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", path, got, want)
		}
	}
	if _, known := s.Nearest("spec.retention.hours"); !slices.Equal(known, []string{"days"}) {
		t.Errorf("known fields beside spec.retention.hours: %v", known)
	}
}

func TestClosest(t *testing.T) {
	kinds := Kinds()
	for word, want := range map[string]string{
		"AgentPol": "AgentPool", "agentpool": "AgentPool", "KnowledgBase": "KnowledgeBase", "Router": "", "": "",
	} {
		if got := Closest(word, kinds); got != want {
			t.Errorf("Closest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := Closest("a", nil); got != "" {
		t.Errorf("Closest of nothing = %q", got)
	}
}

// Completing an object twice changes nothing more, and what was unknown is gone.
func TestCompleteIsStable(t *testing.T) {
	s, err := For("AgentPool")
	if err != nil {
		t.Fatal(err)
	}
	obj := map[string]any{
		"apiVersion": "deskfleet.dev/v1alpha1", "kind": "AgentPool",
		"metadata": map[string]any{"name": "a", "namespace": "default", "colour": "red"},
		"spec":     map[string]any{"type": "Bot", "deskRef": map[string]any{"name": "b", "kind": "ServiceDesk"}, "bot": nil},
	}
	unknown, err := s.Complete(obj)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"metadata.colour", "spec.deskRef.kind"}, unknown); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
	spec, _ := obj["spec"].(map[string]any)
	if _, ok := spec["bot"]; ok || spec["concurrency"] != int64(5) {
		t.Errorf("nulls kept or defaults missing: %v", spec)
	}
	if unknown, err := s.Complete(obj); err != nil || len(unknown) > 0 {
		t.Errorf("the second time: unknown %v, error %v", unknown, err)
	}
	if errs := s.Validate(t.Context(), obj); len(errs) > 0 {
		t.Error(errs)
	}
}
