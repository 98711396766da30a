package knowledge

import (
	"unicode"
	"unicode/utf8"
)

// unitKind tells what a unit of analysed text is.
type unitKind uint8

const (
	unitWord   unitKind = iota // a word of a script that writes spaces, stemmed where it is plain English
	unitNumber                 // a run of digits
	unitHan                    // one rune of a script that writes no spaces
)

// unit is the smallest piece of analysed text. Words and digits part where they touch, so that "iphone15" and "iPhone 15" give the same.
type unit struct {
	start, end int // bytes in analyser.text
	kind       unitKind
	joined     bool // follows the unit before it without a sentence mark between
	stop       bool // a function word: it says little about what is asked
}

// analyser turns text into units. Its buffers are reused, so one analyser serves one goroutine at a time.
type analyser struct {
	normal []byte
	text   []byte
	units  []unit
	meant  []uint32  // the known English words, in words()
	mean   []float32 // see meaning
}

// run analyses text and leaves the result in a.units and a.text until the next run. At most limit units are taken.
func (a *analyser) run(text string, limit int) {
	a.normal = appendNormal(a.normal[:0], text)
	a.text, a.units, a.meant = a.text[:0], a.units[:0], a.meant[:0]
	joined := false
	for i := 0; i < len(a.normal) && len(a.units) < limit; {
		r, size := utf8.DecodeRune(a.normal[i:])
		switch {
		case unspaced(r):
			a.emit(a.normal[i:i+size], unitHan, joined)
			i += size
			joined = true
		case unicode.IsDigit(r):
			end := a.span(i, func(r rune) bool { return unicode.IsDigit(r) })
			a.emit(a.normal[i:end], unitNumber, joined)
			i = end
			joined = true
		case unicode.IsLetter(r):
			end := a.span(i, func(r rune) bool { return r == '\'' || unicode.IsLetter(r) && !unspaced(r) || unicode.Is(unicode.M, r) })
			a.emit(a.normal[i:end], unitWord, joined)
			i = end
			joined = true
		default:
			joined = joined && !sentenceMark(r)
			i += size
		}
	}
}

// span returns the end of the run of runes from i that in accepts.
func (a *analyser) span(i int, in func(rune) bool) int {
	for i < len(a.normal) {
		r, size := utf8.DecodeRune(a.normal[i:])
		if !in(r) {
			break
		}
		i += size
	}
	return i
}

// emit appends one unit, words without apostrophes and stemmed.
func (a *analyser) emit(piece []byte, kind unitKind, joined bool) {
	start := len(a.text)
	if kind != unitWord {
		a.text = append(a.text, piece...)
		a.units = append(a.units, unit{start: start, end: len(a.text), kind: kind, joined: joined, stop: kind == unitHan && stopHan(piece)})
		return
	}
	if n := len(piece); n > 2 && piece[n-2] == '\'' && piece[n-1] == 's' {
		piece = piece[:n-2]
	}
	ascii := true
	for _, c := range piece {
		if c == '\'' {
			continue
		}
		ascii = ascii && c < utf8.RuneSelf
		a.text = append(a.text, c)
	}
	if id, ok := words().ids[string(a.text[start:])]; ok {
		a.meant = append(a.meant, id)
	}
	stop := stopWords[string(a.text[start:])]
	if ascii && !stop {
		a.text = a.text[:start+len(stem(a.text[start:]))]
	}
	if len(a.text) > start {
		a.units = append(a.units, unit{start: start, end: len(a.text), kind: kind, joined: joined, stop: stop})
	}
}

// unspaced reports whether r belongs to a script that writes words without spaces: those are cut into single runes and their pairs.
func unspaced(r rune) bool {
	if r < 0x0E00 {
		return false
	}
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// sentenceMark reports whether r ends a clause, so that no pair of words may span it.
func sentenceMark(r rune) bool {
	switch r {
	case '.', ',', ';', ':', '!', '?', '。', '，', '；', '：', '！', '？', '、', '\n', '(', ')', '"', '“', '”', '《', '》', '「', '」':
		return true
	}
	return false
}
