package routing

import (
	"iter"
	"math/bits"
)

// bitset is a set of small numbers: 1,000 agents who all differ are met in 16 words.
type bitset []uint64

const wordBits = 64

func (s *bitset) set(i int) {
	for len(*s) <= i/wordBits {
		*s = append(*s, 0)
	}
	(*s)[i/wordBits] |= 1 << (i % wordBits)
}

func (s bitset) clear(i int) {
	if i/wordBits < len(s) {
		s[i/wordBits] &^= 1 << (i % wordBits)
	}
}

func (s bitset) empty() bool {
	for _, word := range s {
		if word != 0 {
			return false
		}
	}
	return true
}

// both gives the numbers that are in both sets, in order. What is cleared meanwhile in a word that was begun is
// still given.
func (s bitset) both(o bitset) iter.Seq[int] {
	return func(yield func(int) bool) {
		for w := range min(len(s), len(o)) {
			for word := s[w] & o[w]; word != 0; word &= word - 1 {
				if !yield(w*wordBits + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}
