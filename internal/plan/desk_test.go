package plan_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/escalation"
	"github.com/deskfleet/deskfleet/internal/knowledge"
	"github.com/deskfleet/deskfleet/internal/manifest"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

var update = flag.Bool("update", false, "write the golden files anew")

// input is a desk with a bot pool, a pool of people, a policy and a knowledge base, as the controller would gather it.
func input(t *testing.T) *plan.DeskInput {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "render", "testdata", "full.in.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := manifest.Parse("full.in.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	policy := o.EscalationPolicies[0]
	policy.Generation = 1
	policy.Status.LastGoodGeneration, policy.Status.LastGoodRules = 1, policy.Spec.Rules
	return &plan.DeskInput{
		Desk: o.ServiceDesks[0], Pools: o.AgentPools, Policy: policy,
		Holidays: holidayData(o.ConfigMaps),
		Contents: map[string]*plan.KnowledgeContent{"faq": content("faq", 2)},
		Users:    []runtimeconfig.BusUser{{Role: runtimeconfig.RoleGateway, PublicKey: "UGATEWAY"}},
	}
}

func holidayData(configMaps []*corev1.ConfigMap) map[string]string {
	i := slices.IndexFunc(configMaps, func(c *corev1.ConfigMap) bool { return c.Name == "holidays" })
	return configMaps[i].Data
}

// content is n entries of a knowledge base.
func content(name string, n int) *plan.KnowledgeContent {
	c := &plan.KnowledgeContent{Name: name}
	for i := range n {
		c.Entries = append(c.Entries, knowledge.Entry{ID: fmt.Sprintf("%s-%04d", name, i), Questions: []string{"Question?"}, Answer: fmt.Sprint("Answer ", i)})
	}
	c.Revision = knowledge.Revision(c.Entries)
	return c
}

// heavy is content that takes about so many KiB, however it is compressed.
func heavy(name string, kib int) *plan.KnowledgeContent {
	random := rand.New(rand.NewPCG(1, uint64(kib)))
	text := make([]byte, kib<<10*4/3) // letters of 6 bits
	for i := range text {
		text[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[random.IntN(64)]
	}
	c := content(name, 1)
	c.Entries[0].Answer = string(text)
	c.Revision = knowledge.Revision(c.Entries)
	return c
}

func desk(t *testing.T, in *plan.DeskInput) (*render.Desk, *runtimeconfig.Document, []string) {
	t.Helper()
	planned, revision, problems, err := plan.Desk(in)
	if err != nil {
		t.Fatal(err)
	}
	said := make([]string, 0, len(problems))
	for _, p := range problems {
		said = append(said, p.String())
	}
	if planned == nil {
		return nil, nil, said
	}
	if want := runtimeconfig.Revision(planned.Document); revision != want {
		t.Errorf("the revision is %s, that of the document %s", revision, want)
	}
	document, err := runtimeconfig.Parse(planned.Document)
	if err != nil {
		t.Fatal(err)
	}
	return planned, document, said
}

// live makes what was planned what the desk has now.
func live(in *plan.DeskInput, planned *render.Desk, document *runtimeconfig.Document) {
	files := map[string][]byte{}
	for _, shard := range planned.Shards {
		maps.Copy(files, shard)
	}
	in.LiveDocument, in.Live = document, plan.ServedBy(document, files)
}

func TestDocumentGolden(t *testing.T) {
	planned, _, problems := desk(t, input(t))
	if len(problems) > 0 {
		t.Errorf("problems: %s", problems)
	}
	// The hash of zipped content differs from one release of Go to the next.
	var document runtimeconfig.Document
	if err := json.Unmarshal(planned.Document, &document); err != nil {
		t.Fatal(err)
	}
	document.Knowledge[0].Parts[0].SHA256 = "<hash of the file>"
	got, err := document.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/document.json"
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("the document changed; if that is meant, run go test ./internal/plan -run Golden -update (-golden +now):\n%s", diff)
	}
}

// TestRevisionIsStable: whatever the order in which objects were read, the same
// configuration comes out, byte by byte.
func TestRevisionIsStable(t *testing.T) {
	in := input(t)
	in.Contents["b"] = content("b", 3)
	second := in.Pools[0].DeepCopy()
	second.Name, second.Spec.Bot.KnowledgeBaseRefs = "a-bots", []v1alpha1.LocalObjectReference{{Name: "b"}, {Name: "faq"}}
	in.Pools = append(in.Pools, second)
	reference, _, _ := desk(t, in)
	rapid.Check(t, func(r *rapid.T) {
		shuffled := *in
		shuffled.Pools = rapid.Permutation(in.Pools).Draw(r, "pools")
		shuffled.Contents = map[string]*plan.KnowledgeContent{}
		for name, c := range in.Contents {
			shuffled.Contents[name] = &plan.KnowledgeContent{Name: name, Revision: c.Revision, Entries: rapid.Permutation(c.Entries).Draw(r, name)}
		}
		planned, _, _, err := plan.Desk(&shuffled)
		if err != nil {
			r.Fatal(err)
		}
		if !bytes.Equal(reference.Document, planned.Document) {
			r.Fatalf("another document:\n%s", cmp.Diff(string(reference.Document), string(planned.Document)))
		}
		if diff := cmp.Diff(reference.Shards, planned.Shards); diff != "" {
			r.Fatalf("other shards:\n%s", diff)
		}
	})
}

// TestPlanChangesNoInput: the objects come from a cache that everybody shares.
func TestPlanChangesNoInput(t *testing.T) {
	in := input(t)
	in.LiveStorage = map[runtimeconfig.Role]v1alpha1.Storage{runtimeconfig.RoleBus: {Size: new(resource.MustParse("1Gi"))}}
	in.Desk.Spec.Queues = in.Desk.Spec.Queues[:1] // the rule for the other queue is changed
	before := []any{in.Desk.DeepCopy(), in.Policy.DeepCopy(), in.Pools[0].DeepCopy(), in.Pools[1].DeepCopy()}
	_, document, problems := desk(t, in)
	if diff := cmp.Diff(before, []any{in.Desk, in.Policy, in.Pools[0], in.Pools[1]}); diff != "" {
		t.Errorf("the input changed:\n%s", diff)
	}
	if len(problems) == 0 || document.Rules[0].Then.HandOff.Queue != "" {
		t.Errorf("the rule hands off to %q, problems %s", document.Rules[0].Then.HandOff.Queue, problems)
	}
}

// TestLastGoodPolicyStays in all the ways in which there is no good one.
func TestLastGoodPolicyStays(t *testing.T) {
	for _, row := range []struct {
		name    string
		change  func(*plan.DeskInput)
		problem string
		rules   int
	}{
		{name: "good", change: func(*plan.DeskInput) {}, rules: 2},
		{name: "broken after a good one", change: func(in *plan.DeskInput) { in.Policy.Spec.Rules[0].When = "(" }, rules: 2},
		{name: "never compiled", change: func(in *plan.DeskInput) { in.Policy.Status = v1alpha1.EscalationPolicyStatus{} },
			problem: "EscalationPolicy shop has never compiled; the desk keeps the rules that it has; look", rules: 2},
		{name: "deleted", change: func(in *plan.DeskInput) { in.Policy = nil },
			problem: "EscalationPolicy shop does not exist in namespace tenant; the desk keeps the rules that it has; apply", rules: 2},
		{name: "deleted, and the desk has none", change: func(in *plan.DeskInput) { in.Policy, in.LiveDocument = nil, nil },
			problem: "EscalationPolicy shop does not exist in namespace tenant; apply", rules: 0},
		{name: "no longer named", change: func(in *plan.DeskInput) { in.Desk.Spec.EscalationPolicyRef = nil }, rules: 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			in := input(t)
			planned, document, _ := desk(t, in)
			live(in, planned, document)
			row.change(in)
			_, after, problems := desk(t, in)
			if len(after.Rules) != row.rules {
				t.Errorf("%d rules, expected %d", len(after.Rules), row.rules)
			}
			if got := strings.Join(problems, "\n"); (row.problem == "") != (got == "") || !strings.Contains(got, row.problem) {
				t.Errorf("problems %q, expected %q", got, row.problem)
			}
		})
	}
}

// TestLastGoodKnowledgeStays while a base is broken, and goes with the base.
func TestLastGoodKnowledgeStays(t *testing.T) {
	in := input(t)
	planned, document, _ := desk(t, in)
	live(in, planned, document)
	delete(in.Contents, "faq") // broken, or as it was
	kept, after, problems := desk(t, in)
	if diff := cmp.Diff(document.Knowledge, after.Knowledge); diff != "" || len(problems) > 0 {
		t.Errorf("problems %s, knowledge (-before +after):\n%s", problems, diff)
	}
	if diff := cmp.Diff(planned.Shards, kept.Shards); diff != "" {
		t.Errorf("shards (-before +after):\n%s", diff)
	}
	delete(in.Live, "faq") // deleted
	if gone, after, _ := desk(t, in); len(after.Knowledge) != 0 || len(gone.Shards) != 0 || len(after.Pools[0].Bot.KnowledgeBases) != 0 {
		t.Errorf("a base that is gone is served: %+v", after.Knowledge)
	}
}

// TestDamagedFilesAreNotServed: an edit by hand must not reach a customer.
func TestDamagedFilesAreNotServed(t *testing.T) {
	in := input(t)
	planned, document, _ := desk(t, in)
	files := map[string][]byte{}
	for _, shard := range planned.Shards {
		maps.Copy(files, shard)
	}
	if served := plan.ServedBy(document, files); len(served) != 1 {
		t.Fatalf("served: %v", served)
	}
	for file := range files {
		files[file] = append(slices.Clone(files[file]), 0)
	}
	if served := plan.ServedBy(document, files); len(served) != 0 {
		t.Error("an altered file is served")
	}
	if served := plan.ServedBy(document, nil); len(served) != 0 {
		t.Error("a missing file is served")
	}
}

func TestStorageOfClaimsIsKept(t *testing.T) {
	kept := v1alpha1.Storage{Size: new(resource.MustParse("1Gi"))}
	for role, get := range map[runtimeconfig.Role]func(*v1alpha1.ServiceDeskSpec) *v1alpha1.Storage{
		runtimeconfig.RoleArchive: func(s *v1alpha1.ServiceDeskSpec) *v1alpha1.Storage { return s.Archive.Storage },
		runtimeconfig.RoleBus:     func(s *v1alpha1.ServiceDeskSpec) *v1alpha1.Storage { return s.Bus.Storage },
		runtimeconfig.RoleDesk:    func(s *v1alpha1.ServiceDeskSpec) *v1alpha1.Storage { return s.Bus.Storage },
	} {
		in := input(t)
		in.LiveStorage = map[runtimeconfig.Role]v1alpha1.Storage{role: kept}
		planned, document, _ := desk(t, in)
		if got := get(&planned.Spec); got.Size.String() != "1Gi" || got.StorageClassName != nil || !planned.KeptClaims[role] {
			t.Errorf("%s: size %s, class %v, kept %t", role, got.Size, got.StorageClassName, planned.KeptClaims[role])
		}
		if len(planned.KeptClaims) != 1 {
			t.Errorf("kept %v, only %s has a claim", planned.KeptClaims, role)
		}
		if limit := document.Bus.MaxStoreBytes; role != runtimeconfig.RoleArchive && limit >= 1<<30 {
			t.Errorf("%s: the bus may store %d bytes on a volume of 1Gi", role, limit)
		}
	}
}

// entriesOf reads back what the desk's shards hold of a base.
func entriesOf(t *testing.T, planned *render.Desk, base *runtimeconfig.KnowledgeBase) []knowledge.Entry {
	t.Helper()
	var zipped []byte
	for _, part := range base.Parts {
		for _, shard := range planned.Shards {
			zipped = append(zipped, shard[part.Path]...)
		}
	}
	unzip, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unzip)
	if err != nil {
		t.Fatal(err)
	}
	var entries []knowledge.Entry
	if err := json.Unmarshal(data, &entries); err != nil {
		t.Fatal(err)
	}
	return entries
}

// TestLargeKnowledge goes over several shards, and is refused where it does not fit all of them.
func TestLargeKnowledge(t *testing.T) {
	in := input(t)
	in.Contents["faq"] = heavy("faq", 2000)
	planned, document, problems := desk(t, in)
	if len(problems) > 0 || len(planned.Shards) != 3 || len(document.Knowledge[0].Parts) != 3 {
		t.Fatalf("%d shards of %d parts, problems %s", len(planned.Shards), len(document.Knowledge[0].Parts), problems)
	}
	if got := entriesOf(t, planned, &document.Knowledge[0]); got[0].Answer != in.Contents["faq"].Entries[0].Answer {
		t.Error("the answer is not the one that went in")
	}

	// A second base does not fit any more: the desk serves what it served.
	live(in, planned, document)
	in.Pools[0].Spec.Bot.KnowledgeBaseRefs = append(in.Pools[0].Spec.Bot.KnowledgeBaseRefs, v1alpha1.LocalObjectReference{Name: "huge"})
	in.Contents["huge"] = heavy("huge", 6000)
	kept, after, problems := desk(t, in)
	want := "ServiceDesk shop: spec: the knowledge content of the desk is 80"
	if len(problems) != 1 || !strings.HasPrefix(problems[0], want) || !strings.HasSuffix(problems[0], " KiB compressed, and 7200 KiB fit; use fewer or smaller knowledge bases in the desk's bot pools") {
		t.Errorf("problems %s", problems)
	}
	if diff := cmp.Diff(document.Knowledge, after.Knowledge); diff != "" || len(kept.Shards) != 3 {
		t.Errorf("%d shards, knowledge (-before +after):\n%s", len(kept.Shards), diff)
	}

	// On a new desk nothing was served before.
	in.Live = nil
	if _, after, problems := desk(t, in); len(after.Knowledge) != 0 || len(problems) != 1 {
		t.Errorf("knowledge %v, problems %s", after.Knowledge, problems)
	}
}

// TestDocumentTooLargeForAConfigMap: the desk keeps the configuration that it has.
func TestDocumentTooLargeForAConfigMap(t *testing.T) {
	in := input(t)
	planned, document, _ := desk(t, in)
	live(in, planned, document)
	for i := range 30 { // pools of 500 members with long names
		pool := in.Pools[1].DeepCopy()
		pool.Name = fmt.Sprintf("people-%d", i)
		pool.Spec.Human.Members = nil
		for m := range 500 {
			pool.Spec.Human.Members = append(pool.Spec.Human.Members, v1alpha1.DNSLabel(fmt.Sprintf("%d-%d-%s", i, m, strings.Repeat("a", 50))))
		}
		in.Pools = append(in.Pools, pool)
	}
	kept, _, problems := desk(t, in)
	if len(problems) != 1 || !strings.HasPrefix(problems[0], "ServiceDesk shop: spec: the configuration of the desk is 1") ||
		!strings.HasSuffix(problems[0], " KiB, and 1000 KiB fit; the desk keeps the one that it has; shorten what the policy's rules say and how the pools greet, or give some pools a desk of their own") {
		t.Errorf("problems %s", problems)
	}
	if !bytes.Equal(kept.Document, planned.Document) || len(kept.Shards) != len(planned.Shards) {
		t.Error("the desk does not keep what it has")
	}
	in.LiveDocument = nil
	if none, _, problems := desk(t, in); none != nil || len(problems) != 1 {
		t.Errorf("a new desk is planned with problems %s", problems)
	}
}

// TestPolicyTooLargeForItsStatus is refused with its size, not by etcd.
func TestPolicyTooLargeForItsStatus(t *testing.T) {
	in := input(t)
	rule := in.Policy.Spec.Rules[0]
	rule.Then.Say = []v1alpha1.LocalizedText{{Language: "zh", Text: strings.Repeat("灯", 2000)}}
	in.Policy.Spec.Rules = slices.Repeat([]v1alpha1.Rule{rule}, 100)
	problems := plan.EscalationPolicy(in.Policy)
	if len(problems) != 1 || problems[0].Field != "spec.rules" || !strings.Contains(problems[0].String(), "KiB, and 512 KiB fit; shorten") {
		t.Errorf("%v", problems)
	}
}

func TestRulesAreConverted(t *testing.T) {
	in := input(t)
	want := []escalation.Rule{
		{Name: "refunds", When: `message.text.matchesAny(["refund", "退款"])`, Then: escalation.Actions{
			HandOff: &escalation.HandOff{Queue: "refunds"}, Priority: new(int32(80)), Continue: true,
			Say: []escalation.LocalisedText{{Language: "en", Text: "One moment, I am getting a colleague."}},
		}},
		{Name: "person", When: "message.asksForPerson", Then: escalation.Actions{HandOff: &escalation.HandOff{}}},
	}
	if diff := cmp.Diff(want, plan.Rules(in.Policy.Spec.Rules)); diff != "" {
		t.Errorf("rules (-expected +got):\n%s", diff)
	}
}

func TestLanguagesFitTheStatus(t *testing.T) {
	c := content("faq", 300)
	for i := range c.Entries {
		c.Entries[i].Language = fmt.Sprintf("aa-%05d", i)
	}
	if got := c.Languages(); len(got) > 512 || !strings.HasPrefix(got, "aa-00000: 1, ") || !strings.HasSuffix(got, " more") {
		t.Errorf("%d characters: %s", len(got), got)
	}
	c = content("faq", 3)
	c.Entries[0].Language, c.Entries[1].Language, c.Entries[2].Language = "zh", "en", "en"
	if got := c.Languages(); got != "en: 2, zh: 1" {
		t.Error(got)
	}
}
