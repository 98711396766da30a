package scaling

import (
	"cmp"
	"slices"
)

// Share divides what waits in a queue between the pools that serve it, in
// proportion to their room, so that two pools do not both make room for the same
// conversation. The result has the length of rooms and adds up to waiting, of
// which at most 100 million count. With
// room for all no pool gets more than its own; without room anywhere the first
// pool gets everything.
func Share(waiting int, rooms []int) []int {
	shares := make([]int, len(rooms))
	if waiting <= 0 || len(rooms) == 0 {
		return shares
	}
	waiting = min(waiting, mostFigures)
	total := 0
	for _, r := range rooms {
		total += max(0, min(r, mostFigures))
	}
	if total == 0 {
		shares[0] = waiting
		return shares
	}
	// Largest remainder: whole parts first, then one more for those that lost most by rounding.
	type part struct{ pool, remainder int }
	parts := make([]part, 0, len(rooms))
	given := 0
	for i, r := range rooms {
		product := waiting * max(0, min(r, mostFigures))
		shares[i] = product / total
		given += shares[i]
		parts = append(parts, part{i, product % total})
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.remainder, a.remainder) })
	for i := range waiting - given {
		shares[parts[i].pool]++
	}
	return shares
}
