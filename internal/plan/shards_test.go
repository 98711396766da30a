package plan

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// maxConfigMapBytes is what the API server takes, keys included.
const maxConfigMapBytes = 1 << 20

// TestShardsHoldEveryFileOnce for any sizes: always in the same place, never more
// than an object may hold, never more objects than the pods mount.
func TestShardsHoldEveryFileOnce(t *testing.T) {
	room := make([]byte, render.KnowledgeShardBytes)
	rapid.Check(t, func(t *rapid.T) {
		var bases []Served
		files, total := 0, 0
		for b := range rapid.IntRange(0, 20).Draw(t, "bases") {
			base := Served{Base: runtimeconfig.KnowledgeBase{Name: fmt.Sprint(b)}, Files: map[string][]byte{}}
			for p := range rapid.IntRange(1, 3).Draw(t, "parts") {
				size := rapid.OneOf(rapid.IntRange(0, 4096), rapid.IntRange(0, render.KnowledgeShardBytes), rapid.Just(render.KnowledgeShardBytes)).Draw(t, "bytes")
				path := fmt.Sprintf("%d.%d.json.gz", b, p)
				base.Base.Parts = append(base.Base.Parts, runtimeconfig.KnowledgePart{Path: path})
				base.Files[path] = room[:size]
				files, total = files+1, total+size
			}
			bases = append(bases, base)
		}
		laid, err := shards(bases)
		again, _ := shards(bases)
		if diff := cmp.Diff(places(laid), places(again)); diff != "" {
			t.Fatalf("laid out differently the second time:\n%s", diff)
		}
		if err != nil {
			// First fit leaves no two shards half empty: what it refuses fills more than half of the room.
			if total < render.KnowledgeShards*render.KnowledgeShardBytes/2 {
				t.Fatalf("%d bytes are refused: %v", total, err)
			}
			return
		}
		found := map[string]bool{}
		for i, shard := range laid {
			size := 0
			for path, content := range shard {
				found[path] = true
				size += len(path) + len(content)
			}
			if size > maxConfigMapBytes || len(shard) == 0 {
				t.Fatalf("shard %d has %d files of %d bytes", i, len(shard), size)
			}
		}
		if len(found) != files || len(laid) > render.KnowledgeShards {
			t.Fatalf("%d of %d files are in %d shards", len(found), files, len(laid))
		}
	})
}

// places tells in which shard each file lies.
func places(laid []map[string][]byte) map[string]int {
	at := map[string]int{}
	for i, shard := range laid {
		for path := range shard {
			at[path] = i
		}
	}
	return at
}
