package knowledge

import (
	"strings"
	"unicode"
)

// scripts names the language that a script by itself gives away. Han is zh unless kana stands beside it.
var scripts = []struct {
	table    *unicode.RangeTable
	language string
}{
	{unicode.Han, "zh"},
	{unicode.Hiragana, "ja"},
	{unicode.Katakana, "ja"},
	{unicode.Hangul, "ko"},
	{unicode.Cyrillic, "ru"},
	{unicode.Arabic, "ar"},
	{unicode.Hebrew, "he"},
	{unicode.Thai, "th"},
	{unicode.Greek, "el"},
	{unicode.Devanagari, "hi"},
}

// latinVotes lists, for languages in Latin script, words that are frequent in it and rare or absent in the others.
var latinVotes = []struct {
	language string
	words    map[string]bool
}{
	{"en", wordSet(`the is are was were am be been and or but not of to for with from this that these those what when where which who why how
		do does did can could would should will have has had i my me you your it its we our they there please hello hi thanks thank yes
		want need help order refund return cancel delivery shipping shipped package invoice payment pay price track arrived broken speak talk
		human person agent account password address size warranty discount coupon an by at about any if`)},
	{"de", wordSet(`der die das und ist nicht ich mein meine wie wo wann kann ein eine einen für mit auf zu den dem sie wir bitte hallo danke
		bestellung lieferung habe haben von auch noch aber wird es rückgabe`)},
	{"fr", wordSet(`le la les et est pas je mon ma mes comment où quand une des du pour avec dans vous nous bonjour merci commande livraison
		que qui sur au aux ce cette ai avez`)},
	{"es", wordSet(`el los las y es mi mis cómo como dónde donde cuándo puedo una para con por que hola gracias pedido envío está quiero
		del al lo tengo cuánto devolución favor`)},
	{"pt", wordSet(`o os as e é não meu minha como onde quando posso uma para com por que olá obrigado obrigada pedido entrega está quero
		do da dos das eu você tenho`)},
	{"it", wordSet(`il lo gli è non mio mia come dove quando posso una per con che ciao grazie ordine consegna sono voglio della del ho mi`)},
	{"nl", wordSet(`de het een en is niet ik mijn hoe waar wanneer kan voor met op van je wij bestelling levering bedankt hallo heb zijn`)},
}

// hanWord is how many Han runes weigh as much as one Latin word that no language claims: product names are Latin in every language.
const hanWord = 2

// DetectLanguage returns the primary tag of the language of text ("zh", "en", …), or "" where the text does not tell. It counts scripts, and
// lets frequent words vote among the languages of Latin script. A sentence in one language that holds a few words of another, as customers'
// messages do, counts as the one whose words carry the sentence.
func DetectLanguage(text string) string {
	runes := map[string]int{}
	latin, other := map[string]int{}, 0
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.Is(unicode.M, r) && r != '\'' }) {
		if countScripts(word, runes) {
			continue
		}
		if !vote(latin, strings.ToLower(word)) {
			other++
		}
	}
	if runes["ja"] > 0 {
		runes["ja"] += runes["zh"]
		delete(runes, "zh")
	}
	best, most := winner(runes, "zh")
	elected, votes := winner(latin, "en")
	switch {
	case best == "" && elected == "":
		return ""
	case best != "" && most >= votes*hanWord+other/2 || elected == "":
		return best
	default:
		return elected
	}
}

// countScripts counts the runes of word by language and reports whether any is of a script that tells one. Latin runes inside (as in "T恤") do
// not change that.
func countScripts(word string, runes map[string]int) bool {
	found := false
	for _, r := range word {
		if r < 0x0370 {
			continue
		}
		for _, s := range scripts {
			if unicode.Is(s.table, r) {
				runes[s.language]++
				found = true
				break
			}
		}
	}
	return found
}

// vote counts a word for each language that claims it and reports whether any does.
func vote(votes map[string]int, word string) bool {
	found := false
	for _, l := range latinVotes {
		if l.words[word] {
			votes[l.language]++
			found = true
		}
	}
	return found
}

// winner returns the language with the highest count; on equal counts preferred wins, then the order of the alphabet.
func winner(counts map[string]int, preferred string) (string, int) {
	best, most := "", 0
	for l, n := range counts {
		if n > most || n == most && (l == preferred || best != preferred && l < best) {
			best, most = l, n
		}
	}
	return best, most
}
