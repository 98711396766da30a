package schema

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// SplitPath cuts a field path such as "spec.queues[0].name" into its steps
// "spec", "queues", "0", "name". What stands in brackets is one step, also
// where it is the key of a map and holds dots.
func SplitPath(path string) []string {
	var steps []string
	for path != "" {
		switch path[0] {
		case '.':
			path = path[1:]
		case '[':
			step, rest, _ := strings.Cut(path[1:], "]")
			steps = append(steps, step)
			path = rest
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			steps = append(steps, path[:end])
			path = path[end:]
		}
	}
	return steps
}

// Nearest is the known field beside an unknown one whose name is closest to it,
// and all known ones, sorted. The nearest is empty if none is close; both are
// empty below metadata, which has no schema of ours.
func (s *Schema) Nearest(path string) (nearest string, known []string) {
	steps := SplitPath(path)
	if len(steps) == 0 {
		return "", nil
	}
	at := s.structural
	for _, step := range steps[:len(steps)-1] {
		if at = child(at, step); at == nil {
			return "", nil
		}
	}
	known = slices.Sorted(maps.Keys(at.Properties))
	return Closest(steps[len(steps)-1], known), known
}

func child(s *structural.Structural, step string) *structural.Structural {
	if prop, ok := s.Properties[step]; ok {
		return &prop
	}
	if _, err := strconv.Atoi(step); err == nil && s.Items != nil {
		return s.Items
	}
	if s.AdditionalProperties != nil {
		return s.AdditionalProperties.Structural
	}
	return nil
}

// Closest is the candidate that a misspelt word most probably means, empty if
// none is within a third of its letters.
func Closest(word string, candidates []string) string {
	if len(candidates) == 0 {
		return ""
	}
	distance := func(c string) int { return editDistance(strings.ToLower(word), strings.ToLower(c)) }
	best := slices.MinFunc(candidates, func(a, b string) int { return cmp.Compare(distance(a), distance(b)) })
	if distance(best) > max(1, len(best)/3) {
		return ""
	}
	return best
}

// editDistance counts the bytes to insert, delete or replace to turn a into b
// (Levenshtein). Names longer than any field are not worth the quadratic time.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
