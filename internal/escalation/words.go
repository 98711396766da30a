package escalation

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unspaced holds the scripts that are written without spaces between words, or (Hangul) with
// particles attached to them. A word in them is found anywhere in a text.
var unspaced = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul,
	unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
}

// word is one word or phrase to look for, folded.
type word struct {
	text string
	// wholeStart and wholeEnd demand that the word does not begin or end inside a longer word of a
	// script that separates words: refund is not in prefunded.
	wholeStart, wholeEnd bool
}

var (
	errEmptyWord  = errors.New("is empty, so it would be found in every message")
	errStarInside = errors.New("has a * that is not at its end")
	errNotWords   = errors.New("is not a list of text")
)

// newWord prepares a word as it is written in a rule. A * at the end finds every ending.
func newWord(s string) (word, error) {
	stem, anyEnding := strings.CutSuffix(s, "*")
	if strings.Contains(stem, "*") {
		return word{}, errStarInside
	}
	stem = fold(stem)
	if stem == "" {
		return word{}, errEmptyWord
	}
	first, _ := utf8.DecodeRuneInString(stem)
	last, _ := utf8.DecodeLastRuneInString(stem)
	return word{text: stem, wholeStart: separates(first), wholeEnd: !anyEnding && separates(last)}, nil
}

// in reports whether the word occurs in a folded text.
func (w word) in(text string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], w.text)
		if i < 0 {
			return false
		}
		start := from + i
		end := start + len(w.text)
		if w.isWhole(text, start, end) {
			return true
		}
		_, size := utf8.DecodeRuneInString(text[start:])
		from = start + size
	}
}

func (w word) isWhole(text string, start, end int) bool {
	if w.wholeStart {
		if r, _ := utf8.DecodeLastRuneInString(text[:start]); start > 0 && separates(r) {
			return false
		}
	}
	if w.wholeEnd {
		if r, _ := utf8.DecodeRuneInString(text[end:]); end < len(text) && separates(r) {
			return false
		}
	}
	return true
}

// anyIn reports whether at least one of the words occurs in a folded text.
func anyIn(words []word, text string) bool {
	for i := range words {
		if words[i].in(text) {
			return true
		}
	}
	return false
}

// separates reports whether r is part of a word in a script that puts something between words.
func separates(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	return (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)) && !unicode.In(r, unspaced...)
}

// fold brings a text into the form in which words are compared: compatibility characters replaced
// (full-width letters and digits become plain ones), lower case, runs of white space as one space.
// Invisible characters, and spaces between characters of scripts that do not use them, are
// dropped: without that, 退 款 or a zero-width space inside refund would get past a rule.
func fold(s string) string {
	if isFolded(s) {
		return s
	}
	s = norm.NFKC.String(strings.Map(dropInvisible, s))
	var b strings.Builder
	b.Grow(len(s))
	last := rune(-1) // the last rune written; -1 at the start
	space := false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = last >= 0
			continue
		}
		if space && !(unicode.In(last, unspaced...) && unicode.In(r, unspaced...)) {
			b.WriteByte(' ')
		}
		space = false
		last = unicode.ToLower(r)
		b.WriteRune(last)
	}
	// Lower case and dropped spaces may have brought together what composes to one character.
	return norm.NFC.String(b.String())
}

// dropInvisible drops format characters (zero-width spaces and joiners, soft hyphens, marks of
// direction) and variation selectors.
func dropInvisible(r rune) rune {
	if r >= utf8.RuneSelf && unicode.In(r, unicode.Cf, unicode.Variation_Selector) {
		return -1
	}
	return r
}

// isFolded reports whether s is plain ASCII that fold would leave as it is.
func isFolded(s string) bool {
	afterSpace := true
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' || c < ' ' || c == ' ' && afterSpace {
			return false
		}
		afterSpace = c == ' '
	}
	return len(s) == 0 || !afterSpace
}
