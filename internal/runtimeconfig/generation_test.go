package runtimeconfig

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func generation(g int64, name string) func(*Document) {
	return func(d *Document) { d.Generation, d.DisplayName = g, name }
}

func TestALateDocumentNeverTakesARoleBack(t *testing.T) {
	s, err := NewStore(rendered(t, generation(7, "seven")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		generation int64
		name       string
		changed    bool
	}{
		{6, "six", false}, {0, "of no generation", false}, {7, "seven", false}, {9, "nine", true}, {8, "eight", false}, {9, "nine", false},
	} {
		changed, err := s.Offer(rendered(t, generation(c.generation, c.name)))
		if err != nil || s.Err() != nil {
			t.Errorf("generation %d: %v: to be late is no fault", c.generation, err)
		}
		if changed != c.changed {
			t.Errorf("generation %d: changed is %v", c.generation, changed)
		}
	}
	if got := s.Current(); got.Document.DisplayName != "nine" || got.Revision != Revision(got.Data) {
		t.Errorf("current is %+v", got)
	}
}

// Whatever the order in which the same documents come, and however often, every
// role ends with the same one, and it is of the greatest generation.
func TestAllRolesEndWithTheSameDocument(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e", "f"}
	rapid.Check(t, func(t *rapid.T) {
		var documents [][]byte
		var newest int64
		for range rapid.IntRange(1, 6).Draw(t, "documents") {
			d := &Document{
				Version: Version, Generation: rapid.Int64Range(1, 4).Draw(t, "generation"), Namespace: "shop", Desk: "web",
				Languages: []string{"en"}, Queues: []Queue{{Name: "people"}}, DisplayName: rapid.SampledFrom(names).Draw(t, "name"),
			}
			newest = max(newest, d.Generation)
			data, err := d.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			documents = append(documents, data)
		}
		end := func() Snapshot {
			order := rapid.Permutation(slices.Concat(documents, documents)).Draw(t, "order")
			s, err := NewStore(order[0])
			if err != nil {
				t.Fatal(err)
			}
			for _, data := range order[1:] {
				if _, err := s.Offer(data); err != nil {
					t.Fatal(err)
				}
			}
			return s.Current()
		}
		one, other := end(), end()
		if one.Revision != other.Revision || one.Document.Generation != newest {
			t.Fatalf("one role ends with %s of generation %d, another with %s of %d; the newest is %d",
				one.Revision, one.Document.Generation, other.Revision, other.Document.Generation, newest)
		}
	})
}

func TestNextGenerationAlwaysRises(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	for _, before := range []int64{0, 5, now.UnixMilli() - 1, now.UnixMilli(), now.UnixMilli() + 86_400_000} {
		if next := NextGeneration(before, now); next <= before || next < now.UnixMilli() {
			t.Errorf("after %d at %d comes %d", before, now.UnixMilli(), next)
		}
	}
}
