package knowledge

import "bytes"

// stem strips the endings of an English word in lower-case ASCII, in place, and returns what is left. It is lighter than the classical
// stemmers: plurals, -ed, -ing, and the few derivations that business text uses beside the plain verb (delivery, cancellation, payment,
// shipping). It errs on the side of leaving a word alone, because a wrong merge gives a confident wrong answer, a missed one is mostly
// caught by the character n-grams.
func stem(w []byte) []byte {
	if len(w) < 4 {
		return w
	}
	w = stemPlural(w)
	w = stemVerb(w)
	w = stemDerived(w)
	return stemFinal(w)
}

// stemPlural drops plural and third-person endings.
func stemPlural(w []byte) []byte {
	n := len(w)
	switch {
	case n < 4 || w[n-1] != 's':
		return w
	case bytes.HasSuffix(w, []byte("sses")), bytes.HasSuffix(w, []byte("xes")), bytes.HasSuffix(w, []byte("ches")), bytes.HasSuffix(w, []byte("shes")):
		return w[:n-2]
	case bytes.HasSuffix(w, []byte("ies")) && n > 4:
		w[n-3] = 'y'
		return w[:n-2]
	case w[n-2] == 's', w[n-2] == 'u', w[n-2] == 'i':
		return w // address, status, analysis
	default:
		return w[:n-1]
	}
}

// stemVerb drops -ed and -ing where a syllable is left, and undoes the doubled consonant they bring (shipped, shipping).
func stemVerb(w []byte) []byte {
	n := len(w)
	var root []byte
	switch {
	case bytes.HasSuffix(w, []byte("ied")) && n > 4:
		w[n-3] = 'y'
		return w[:n-2]
	case bytes.HasSuffix(w, []byte("eed")):
		return w
	case bytes.HasSuffix(w, []byte("ed")):
		root = w[:n-2]
	case bytes.HasSuffix(w, []byte("ing")):
		root = w[:n-3]
	default:
		return w
	}
	if len(root) < 3 && !(len(root) == 2 && hasVowel(root[:1])) || !hasVowel(root) {
		return w
	}
	return undouble(root)
}

// derivations lists endings, longest first, with what replaces them; a rule fires only where at least min bytes with a vowel are left.
var derivations = []struct {
	ending, with string
	min          int
}{
	{"ization", "ize", 3},
	{"isation", "ize", 3},
	{"ification", "ify", 2},
	{"cellation", "cel", 2},
	{"ation", "ate", 3},
	{"ition", "ite", 3},
	{"ction", "ct", 2},
	{"fully", "ful", 3},
	{"ability", "able", 3},
	{"ment", "", 3},
	{"ness", "", 4},
	{"ally", "al", 3},
	{"ery", "er", 4},
	{"able", "", 4},
	{"ible", "", 4},
	{"ly", "", 4},
}

// stemDerived undoes one derivation.
func stemDerived(w []byte) []byte {
	for _, d := range derivations {
		if len(w) < len(d.ending)+d.min || !bytes.HasSuffix(w, []byte(d.ending)) {
			continue
		}
		root := w[:len(w)-len(d.ending)]
		if !hasVowel(root) {
			continue
		}
		return append(root, d.with...)
	}
	return w
}

// stemFinal evens out what the other steps leave different: a final e (change, chang-ing), and the double l of
// cancelled and install.
func stemFinal(w []byte) []byte {
	n := len(w)
	if n > 3 && w[n-1] == 'e' && w[n-2] != 'e' || n > 5 && w[n-1] == 'l' && w[n-2] == 'l' {
		return w[:n-1]
	}
	return w
}

func hasVowel(w []byte) bool {
	for i, c := range w {
		if c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' || c == 'y' && i > 0 {
			return true
		}
	}
	return false
}

// undouble drops the second of a doubled final consonant, except l, s and z, which words own by themselves (sell, pass, buzz).
func undouble(w []byte) []byte {
	n := len(w)
	if n > 3 && w[n-1] == w[n-2] && !bytes.ContainsRune([]byte("aeioulsz"), rune(w[n-1])) {
		return w[:n-1]
	}
	return w
}
