package routing

import (
	"testing"

	"pgregory.net/rapid"
)

// A walk from a rank gives what a whole walk gives behind it.
func TestWalkFrom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := newTree(func(a, b int) bool { return a < b })
		n := rapid.IntRange(0, 60).Draw(t, "n")
		for _, i := range rapid.Permutation(upTo(n)).Draw(t, "order") {
			in.insert(&node[int]{item: i})
		}
		from, most := rapid.IntRange(-2, 62).Draw(t, "from"), rapid.IntRange(1, 62).Draw(t, "most")
		next, seen := max(0, from), 0
		in.walkFrom(from, func(i int) bool {
			if i != next {
				t.Fatalf("it met %d, expected %d", i, next)
			}
			next++
			seen++
			return seen < most
		})
		if want := min(most, max(0, n-max(0, from))); seen != want {
			t.Fatalf("it met %d of %d from %d on, expected %d", seen, n, from, want)
		}
	})
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
