package knowledge

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// class is the sort of a feature; it decides the weight.
type class uint8

const (
	classWord        class = iota // a word or number
	classStopWord                 // a function word
	classPair                     // two neighbouring words
	classStopPair                 // two neighbouring words, one of them a function word
	classHan                      // one Han rune
	classStopHan                  // one Han rune that marks grammar
	classHanPair                  // two neighbouring Han runes: about a Chinese word
	classHanStopPair              // two neighbouring Han runes, one of them grammar
	classSynonym                  // a group of synonyms one of which occurs
	classGram                     // a character trigram of a word
	classUnknownGram              // a character trigram of a word that no entry has: most likely a typo
	classes
)

// questionWeights and answerWeights are the weights of the classes in the two fields. They were set once on public intent, question-pair and
// passage sets of both languages; the result is flat around them. Long answers hold every function word, hence the lower weights there, and
// trigrams of answers cost more memory than they find.
var (
	questionWeights = [classes]float32{1, 0.6, 0.3, 0.18, 0.7, 0.35, 0.7, 0.4, 1, 0.2, 0.4}
	answerWeights   = [classes]float32{1, 0.1, 0.15, 0.05, 0.3, 0.1, 1, 0.3, 1, 0, 0}
)

// content reports whether features of the class carry what is asked, as opposed to grammar and spelling.
func (c class) content() bool {
	return c == classWord || c == classHanPair
}

// feature is one property of a text: the hash of its spelling, and its class. Two features whose hashes collide merge, which is as rare as it
// is harmless.
type feature struct {
	key   uint64
	class class
}

// FNV-1a, 64 bit. It is a stream hash, so that the key of a pair equals the key of the two words written as one.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
	gramMark  = 0x01 // keeps trigrams apart from words of three letters
	groupMark = 0x02 // keeps synonym groups apart from everything that can be written
)

func hashBytes(h uint64, b []byte) uint64 {
	for _, c := range b {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return h
}

func hashRune(h uint64, r rune) uint64 {
	var b [utf8.UTFMax]byte
	return hashBytes(h, b[:utf8.EncodeRune(b[:], r)])
}

// extractor turns text into features. Like its analyser it serves one goroutine at a time.
type extractor struct {
	analyser
	synonyms *synonyms
	known    func(key uint64) bool // nil while indexing
	keys     []uint64              // of the units
	order    []uint64              // of the distinct keys of an answer
	features []feature
}

// extract returns the features of text, sorted by key, each key once. The slice is valid until the next call.
func (x *extractor) extract(text string, limit int) []feature {
	x.run(text, limit)
	x.features, x.keys = x.features[:0], x.keys[:0]
	for i, u := range x.units {
		x.keys = append(x.keys, hashBytes(fnvOffset, x.text[u.start:u.end]))
		x.single(u, x.keys[i])
		if i > 0 && u.joined {
			x.pair(x.units[i-1], u, x.keys[i-1])
		}
	}
	x.features = x.synonyms.appendGroups(x.features, x.keys)
	slices.SortFunc(x.features, func(a, b feature) int {
		if c := cmp.Compare(a.key, b.key); c != 0 {
			return c
		}
		return cmp.Compare(questionWeights[b.class], questionWeights[a.class])
	})
	x.features = slices.CompactFunc(x.features, func(a, b feature) bool { return a.key == b.key })
	return x.features
}

// single appends the features of one unit.
func (x *extractor) single(u unit, key uint64) {
	c := classWord
	switch {
	case u.kind == unitHan && u.stop:
		c = classStopHan
	case u.kind == unitHan:
		c = classHan
	case u.stop:
		c = classStopWord
	}
	x.features = append(x.features, feature{key, c})
	if c == classWord && u.kind == unitWord {
		gram := classGram
		if x.known != nil && !x.known(key) {
			gram = classUnknownGram
		}
		x.grams(x.text[u.start:u.end], gram)
	}
}

// pair appends the feature of two neighbours of the same script; first is the key of the left one.
func (x *extractor) pair(left, right unit, first uint64) {
	if (left.kind == unitHan) != (right.kind == unitHan) {
		return
	}
	c := classPair
	switch stop := left.stop || right.stop; {
	case right.kind == unitHan && stop:
		c = classHanStopPair
	case right.kind == unitHan:
		c = classHanPair
	case stop:
		c = classStopPair
	}
	x.features = append(x.features, feature{hashBytes(first, x.text[right.start:right.end]), c})
}

// grams appends the trigrams of a word of three letters or more, with marks for its begin and end.
func (x *extractor) grams(word []byte, c class) {
	if utf8.RuneCount(word) < 3 {
		return
	}
	a, b := '^', rune(0)
	for i := 0; i <= len(word); {
		r, size := '$', 1
		if i < len(word) {
			r, size = utf8.DecodeRune(word[i:])
		}
		if b != 0 {
			h := hashRune(hashRune(hashRune(hashBytes(fnvOffset, []byte{gramMark}), a), b), r)
			x.features = append(x.features, feature{h, c})
			a = b
		}
		b = r
		i += size
	}
}

// exactKey identifies the analysed text: two texts with the same key differ in nothing that retrieval sees. Zero means no units at all.
func (x *extractor) exactKey() uint64 {
	if len(x.keys) == 0 {
		return 0
	}
	h := uint64(fnvOffset)
	for _, k := range x.keys {
		for range 8 {
			h = (h ^ k&0xff) * fnvPrime
			k >>= 8
		}
	}
	return max(h, 1)
}
