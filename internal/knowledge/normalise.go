package knowledge

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// appendNormal appends text to dst in the one form that indexing and queries compare: compatibility forms composed (full-width letters and
// digits become ASCII, ligatures split), lower case, accents of Latin letters dropped, traditional Han folded to simplified, typographic
// apostrophes made plain. Invalid UTF-8 becomes U+FFFD, which separates words.
func appendNormal(dst []byte, text string) []byte {
	if !norm.NFKC.IsNormalString(text) {
		text = norm.NFKC.String(text)
	}
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			dst = append(dst, byte(r))
		case r >= hanFirst && r <= hanLast:
			dst = utf8.AppendRune(dst, foldHan(r))
		case r == '’' || r == '‘' || r == 'ʼ':
			dst = append(dst, '\'')
		case unicode.Is(unicode.Mn, r) && r <= 0x036F: // a mark that no composed letter took in
		default:
			dst = appendFolded(dst, unicode.ToLower(r))
		}
	}
	return dst
}

// appendFolded appends one lower-case rune, without its accent where it is a Latin letter. Only Latin loses marks: in Japanese, Korean or
// Indic scripts they tell words apart.
func appendFolded(dst []byte, r rune) []byte {
	switch r {
	case 'ß':
		return append(dst, "ss"...)
	case 'æ':
		return append(dst, "ae"...)
	case 'œ':
		return append(dst, "oe"...)
	case 'ø':
		return append(dst, 'o')
	case 'ł':
		return append(dst, 'l')
	case 'ı':
		return append(dst, 'i')
	}
	var encoded [utf8.UTFMax]byte
	n := utf8.EncodeRune(encoded[:], r)
	if unicode.Is(unicode.Latin, r) {
		if d := norm.NFD.Properties(encoded[:n]).Decomposition(); len(d) > 0 {
			base, _ := utf8.DecodeRune(d)
			return utf8.AppendRune(dst, base)
		}
	}
	return append(dst, encoded[:n]...)
}
