package escalation

import (
	"slices"
	"strings"
)

// nearestFact finds the fact that somebody most likely meant by a name that is none.
func nearestFact(name string) (string, bool) {
	best, bestScore := "", -1
	lower := strings.ToLower(name)
	_, last, _ := cutLast(lower)
	for i := range facts {
		full, field := strings.ToLower(facts[i].Name), strings.ToLower(facts[i].field)
		score := distance(lower, full)
		// The right field in the wrong group, or without a group, is a near miss too.
		if len(last) > 2 {
			score = min(score, 1+distance(last, field))
		}
		if bestScore < 0 || score < bestScore {
			best, bestScore = facts[i].Name, score
		}
	}
	return best, bestScore >= 0 && bestScore <= max(2, len(last)/3)
}

// nearestFunction finds the function that somebody most likely meant.
func nearestFunction(name string) (Function, bool) {
	var best Function
	bestScore := -1
	for _, f := range namedFunctions() {
		score := distance(strings.ToLower(name), strings.ToLower(f.Name))
		if bestScore < 0 || score < bestScore {
			best, bestScore = f, score
		}
	}
	return best, bestScore >= 0 && bestScore <= max(2, len(best.Name)/3)
}

// namedFunctions are the rows of the table of functions that are written as a name.
func namedFunctions() []Function {
	return slices.DeleteFunc(FunctionTable(), func(f Function) bool {
		return f.Name == "in" || !isNameStart(rune(f.Name[0]))
	})
}

func cutLast(name string) (before, after string, found bool) {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i], name[i+1:], true
	}
	return "", name, false
}

// distance is the number of insertions, deletions, substitutions and swaps of neighbours that turn
// a into b (optimal string alignment).
func distance(a, b string) int {
	before, previous := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current := make([]int, len(b)+1)
		current[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous = previous, current
	}
	return previous[len(b)]
}
