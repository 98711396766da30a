package plan

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

func documentNamed(name string) *runtimeconfig.Document {
	return &runtimeconfig.Document{
		Version: runtimeconfig.Version, Namespace: "shop", Desk: "web", Languages: []string{"en"},
		Queues: []runtimeconfig.Queue{{Name: "people"}}, DefaultQueue: "people", DisplayName: name,
	}
}

func generated(t rapid.TB, d *runtimeconfig.Document, in *DeskInput) *runtimeconfig.Document {
	t.Helper()
	data, err := generate(d, in)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := runtimeconfig.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestGenerationStaysWhileNothingChanges(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	first := generated(t, documentNamed("a"), &DeskInput{Now: now})
	if first.Generation != now.UnixMilli() {
		t.Errorf("the first generation is %d", first.Generation)
	}
	same := generated(t, documentNamed("a"), &DeskInput{Now: now.Add(time.Hour), LiveDocument: first})
	if same.Generation != first.Generation {
		t.Errorf("nothing changed, and the generation went from %d to %d", first.Generation, same.Generation)
	}
	// An operator from before generations left a document that says the same: that is no reason to write.
	if old := generated(t, documentNamed("a"), &DeskInput{Now: now, LiveDocument: documentNamed("a")}); old.Generation != 0 {
		t.Errorf("a document without a generation got %d", old.Generation)
	}
	if offline := generated(t, documentNamed("a"), &DeskInput{}); offline.Generation != 0 {
		t.Errorf("a plan without a cluster has generation %d", offline.Generation)
	}
}

// The cache shows an old document; what was written a moment ago counts.
func TestGenerationLooksPastAnOldCache(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	old := generated(t, documentNamed("a"), &DeskInput{Now: now})
	written := generated(t, documentNamed("b"), &DeskInput{Now: now.Add(time.Second), LiveDocument: old})
	stamp, err := StampOf(written)
	if err != nil {
		t.Fatal(err)
	}
	again := generated(t, documentNamed("b"), &DeskInput{Now: now.Add(2 * time.Second), LiveDocument: old, Written: stamp})
	if again.Generation != written.Generation {
		t.Errorf("the same document again has generation %d, not %d: it would be written twice", again.Generation, written.Generation)
	}
	back := generated(t, documentNamed("a"), &DeskInput{Now: now.Add(3 * time.Second), LiveDocument: old, Written: stamp})
	if back.Generation <= written.Generation {
		t.Errorf("the former content has generation %d after %d: no role would take it", back.Generation, written.Generation)
	}
	lost := generated(t, documentNamed("b"), &DeskInput{Now: now.Add(time.Hour), Written: stamp})
	if lost.Generation != written.Generation {
		t.Errorf("the ConfigMap was deleted by hand, and its document comes back with generation %d", lost.Generation)
	}
}

// Whatever clocks, caches and former leaders did, the desk takes what is rendered
// or has it already, and a second rendering changes nothing.
func TestDeskTakesWhatIsRendered(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", "c"})
	rapid.Check(t, func(t *rapid.T) {
		base := time.UnixMilli(1_800_000_000_000)
		clock := func(label string) time.Time {
			return base.Add(time.Duration(rapid.IntRange(-5000, 5000).Draw(t, label)) * time.Millisecond)
		}
		one := generated(t, documentNamed(name.Draw(t, "first")), &DeskInput{Now: clock("first leader")})
		runs := generated(t, documentNamed(name.Draw(t, "runs")), &DeskInput{Now: clock("same leader"), LiveDocument: one})
		in := &DeskInput{Now: clock("new leader"), LiveDocument: rapid.SampledFrom([]*runtimeconfig.Document{nil, one, runs}).Draw(t, "cache")}
		data, err := runs.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		in.Running = Configuration{Revision: runtimeconfig.Revision(data), Generation: runs.Generation}
		wanted := name.Draw(t, "wanted")
		next := generated(t, documentNamed(wanted), in)

		store, err := runtimeconfig.NewStore(data)
		if err != nil {
			t.Fatal(err)
		}
		rendered, err := next.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Offer(rendered); err != nil {
			t.Fatal(err)
		}
		if got := store.Current(); got.Document.DisplayName != wanted || got.Revision != runtimeconfig.Revision(rendered) {
			t.Fatalf("the desk keeps %q of generation %d, rendered was %q of %d", got.Document.DisplayName, got.Document.Generation, wanted, next.Generation)
		}
		in.LiveDocument = next
		if again := generated(t, documentNamed(wanted), in); again.Generation != next.Generation {
			t.Fatalf("a second rendering changes the generation from %d to %d", next.Generation, again.Generation)
		}
	})
}
